"""Amounts of money as people type them. Two readings of one number make a question, never a guess.

``1,200`` is twelve hundred where the comma groups, and a question where it separates decimals; ``1.200,00`` can only
be twelve hundred anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from agents.base import decimals, smallest
from agents.slots.language import Customs, Language
from agents.slots.money import Money
from agents.slots.slot import Slot, Value

_CODES = """
EUR USD GBP CHF SEK NOK DKK ISK PLN CZK HUF RON BGN CAD AUD NZD JPY CNY HKD SGD INR KRW THB IDR MYR PHP VND ILS TRY UAH
ZAR NGN KES EGP AED SAR BRL MXN ARS CLP COP KWD BHD OMR JOD TND
"""
ISO = frozenset(_CODES.split())
SYMBOLS = {
    "€": "EUR", "£": "GBP", "us$": "USD", "ca$": "CAD", "c$": "CAD", "a$": "AUD", "au$": "AUD", "nz$": "NZD",
    "hk$": "HKD", "s$": "SGD", "r$": "BRL", "mx$": "MXN", "$": "$", "¥": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY",
    "₴": "UAH", "₪": "ILS", "zł": "PLN", "zl": "PLN", "kč": "CZK", "kr.": "kr", "kr": "kr", "sfr.": "CHF", "fr.": "CHF",
}  # fmt: skip
LOWER = ISO - {"TRY", "COP", "RON", "THB", "JOD"}  # the others are words or names in lower case

DIGITS = (
    r"\d{1,3}(?:[,.'’\u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?(?!\d)"
    r"|\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d+)?"
)
AMOUNT_MAX = Decimal(10) ** 10  # ten billion: more is a slip of the finger or an account number
BIG = {"k": 1000, "K": 1000, "mio": 1_000_000, "mio.": 1_000_000, "mn": 1_000_000, "m": 1_000_000, "M": 1_000_000}


@dataclass(frozen=True)
class Reading:
    """What a written number says: a value, or the readings it leaves open."""

    value: Decimal | None
    assumed: tuple[str, ...] = ()
    ask: str = ""


def number(text: str, customs: Customs, places: int = 2) -> Reading | None:
    """Return what digits say, or None when they are no number (``"1.2.3"``).

    ``places`` are the decimals of the currency: three digits behind the one sign are thousands in yen, and fils in
    dinars where that sign is the country's decimal sign.
    """
    grouped = re.sub(r"(?<=\d)['’\u00a0\u202f](?=\d{3})", "", text)
    if " " in grouped:
        whole = grouped.replace(" ", "")
        if customs.group.strip():
            return Reading(None, ask=f"Is {text!r} one number ({whole}), or two?")
        grouped = whole
    dots, commas = grouped.count("."), grouped.count(",")
    if dots and commas:
        point = max(grouped.rfind("."), grouped.rfind(","))
        whole, fraction = re.sub(r"[.,]", "", grouped[:point]), grouped[point + 1 :]
        if grouped.count(grouped[point]) > 1 or len(fraction) > max(places, 2):
            return None
        return Reading(Decimal(f"{whole}.{fraction}"))
    sign = "." if dots else ","
    parts = grouped.split(sign)
    if len(parts) == 1:
        return Reading(Decimal(grouped))
    if len(parts) > 2:  # noqa: PLR2004 - more than one sign can only group
        return Reading(Decimal("".join(parts))) if all(len(part) == 3 for part in parts[1:]) else None  # noqa: PLR2004
    whole, fraction = parts
    value = Decimal(f"{whole}.{fraction}")
    if len(fraction) != 3 or len(whole) > 3 or whole == "0":  # noqa: PLR2004 - thousands come in threes
        if sign != customs.decimal:
            return Reading(value, (f"{text} read as {value}.",))
        return Reading(value)
    together = Decimal(whole + fraction)
    if sign == customs.decimal and places == 0:
        return Reading(together, (f"{text} read as {together}.",))
    if sign == customs.decimal and places == 3:  # noqa: PLR2004 - a thousandth is the smallest coin
        return Reading(value, (f"{text} read as {value}.",))
    if sign == customs.decimal:
        return Reading(None, ask=f"{text} can be read as {together:,} or as {value.normalize()}. Which one is it?")
    return Reading(together)


@cache
def _patterns(language: Language) -> dict[str, re.Pattern[str]]:
    symbol = "|".join(re.escape(word) for word in sorted(SYMBOLS, key=len, reverse=True))
    code = "|".join([*sorted(ISO), *sorted(code.lower() for code in LOWER), *(c.title() for c in sorted(LOWER))])
    word = "|".join(re.escape(name) for name in sorted(language.currencies, key=len, reverse=True))
    scale = "|".join(re.escape(name) for name in sorted(language.scales, key=len, reverse=True))
    cents = "|".join(language.cents)
    before = rf"(?P<before>(?i:{symbol})|(?:{code})(?![A-Za-z]))\s?"
    after = rf"\s?(?P<after>(?i:{symbol})(?!\w)|(?:{code})(?![A-Za-z])|(?i:{word})(?!\w))"
    big = rf"(?:\s?(?P<big>k|K|mio\.?|mn|m|M)(?![\w])|\s(?P<scale>(?i:{scale}))(?!\w))"
    dash = r"(?:[.,](?:-{1,2}|–|—)(?!\w))"
    digits = rf"(?P<digits>{DIGITS})"
    small = rf"(?:\s?(?:{'|'.join(language.joiners)})?\s?(?P<cents>\d{{2}})(?:\s(?:{cents}))?(?![\w.,:/%]))?"
    word_number = "|".join(re.escape(w) for w in sorted({**language.numbers, **language.scales}, key=len, reverse=True))
    joiner = "|".join(language.joiners)
    spelled = rf"(?P<spelled>(?:{word_number})(?:[\s-]+(?:(?:{joiner})\s+)?(?:{word_number})){{0,7}})"
    return {
        "digits": re.compile(
            rf"(?<![\w#@.,:/+])(?P<sign>[-−])?(?:{before})?{digits}(?:{big})?{dash}?(?:{after}{small})?(?![\w#@])(?!\.\d|,\d|/\d)(?!\s?%)"
        ),
        "half": re.compile(
            rf"(?i)(?<!\w){spelled}\s+(?:and\s+)?(?:a\s+half)\s+(?P<scale>{scale})(?:\s(?P<after>{word}|{symbol}))?(?!\w)"
        ),
        "spelled": re.compile(rf"(?i)(?<!\w){spelled}\s(?P<after>(?:{word})|(?-i:{code}))(?!\w)"),
        "grand": re.compile(r"(?i)(?<!\w)(?P<spelled>\w+)\s(?P<scale>grand)(?!\w)"),
        "cents": re.compile(rf"(?i)(?<![\w.,])(?P<digits>\d{{1,2}})\s?(?:{cents}|¢)(?!\w)"),
    }


def currency_of(mark: str | None, language: Language, customs: Customs) -> tuple[str, tuple[str, ...], str]:
    """Return (ISO code or empty, what was assumed, question) for ``"€"``, ``"bucks"``, ``"kr"``."""
    if not mark:
        return "", (), ""
    known = SYMBOLS.get(mark.lower()) or language.currencies.get(mark.lower()) or mark.upper()
    if known == "$":
        return customs.dollar, (f"{mark} read as {customs.dollar}.",), ""
    if known == "kr":
        return (
            (customs.crown, (f"{mark} read as {customs.crown}.",), "")
            if customs.crown
            else ("", (), "Which crowns: SEK, NOK or DKK?")
        )
    if mark == "¥":
        return known, ("¥ read as JPY.",), ""
    return known, (), ""


def amounts(text: str, language: Language, customs: Customs) -> Iterator[Slot]:
    """Yield every amount: with a currency, with a scale, or a number that looks like money (``1,200``)."""
    patterns = _patterns(language)
    for name in ("digits", "half", "spelled", "grand", "cents"):
        for match in patterns[name].finditer(text):
            slot = _amount(match, language, customs)
            if slot is not None:
                yield slot


def _amount(match: re.Match[str], language: Language, customs: Customs) -> Slot | None:
    group = match.groupdict()
    mark = group.get("before") or group.get("after")
    places = decimals(currency_of(mark, language, customs)[0])
    value, assumed, ask = _value(match, language, customs, places)
    if value is None and not ask:
        return None
    if group.get("before") and group.get("after"):
        first, second = (currency_of(group[side], language, customs)[0] for side in ("before", "after"))
        if first != second and not (group["before"] == "$" and second):
            ask = f"{group['before']} or {group['after']}: which currency?"
        mark = group["after"]
    currency, said, which = currency_of(mark, language, customs)
    digits = group.get("digits") or ""
    plain = not mark and not group.get("big") and not group.get("scale") and not re.search(r"\D", digits)
    if (group.get("big") or "") in {"m", "M", "mn"} and not mark:
        return None
    if plain and "cents" not in match.re.groupindex and digits and match.re.pattern.endswith(r"¢)(?!\w)"):
        plain = False
    if group.get("cents") and value is not None and value == value.to_integral_value():
        value += Decimal(group["cents"]) / 100
    if value is not None and value >= AMOUNT_MAX:
        ask, value = f"{match[0].strip()[:40]} is more than I take for an amount. Which one is meant?", None
    if group.get("sign") and value is not None:
        ask, value = f"An amount below zero: is {match[0].strip()} meant?", None
    if value is not None and places != 2 and value % smallest(currency):  # noqa: PLR2004 - cents are rounded as ever
        coin = f"{smallest(currency)} {currency}"
        ask, value = f"{match[0].strip()} is finer than {coin}, the smallest there is. Which amount is meant?", None
    ask = ask or which
    if plain:
        meaning: Value | None = value
        return Slot("number", meaning, match.start(), match.end(), match[0], assumed, ask)
    money = None if ask or value is None else Money(value, currency)
    return Slot("money", money, match.start(), match.end(), match[0], (*assumed, *said), ask)


def _value(
    match: re.Match[str], language: Language, customs: Customs, places: int
) -> tuple[Decimal | None, tuple[str, ...], str]:
    group = match.groupdict()
    if spelled := group.get("spelled"):
        return _spelled(spelled, group.get("scale"), language, halved="half" in match[0].lower())
    reading = number(group["digits"], customs, places)
    if reading is None:
        return None, (), ""
    if "big" not in group:  # cents
        return (None if reading.value is None else reading.value / 100), (), reading.ask
    times = Decimal(1)
    if group.get("big"):
        times = Decimal(BIG[group["big"].lower()])
    elif group.get("scale"):
        times = Decimal(language.scales[group["scale"].lower()])
    if times != 1:
        # "1.5k" and "1,5k" say the same in every country.
        short = re.fullmatch(r"(\d+)[.,](\d{1,2})", group["digits"])
        if short:
            return Decimal(f"{short[1]}.{short[2]}") * times, (), ""
    return (None if reading.value is None else reading.value * times), reading.assumed, reading.ask


def _spelled(
    words: str, scale: str | None, language: Language, *, halved: bool
) -> tuple[Decimal | None, tuple[str, ...], str]:
    try:
        counted = language.counted(words)
    except (KeyError, IndexError, ValueError):
        counted = None
    if counted is None:
        return None, (), ""
    value = Decimal(str(counted)).normalize() + (Decimal("0.5") if halved else 0)
    if scale:
        value *= language.scales[scale.lower()]
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value, (), ""

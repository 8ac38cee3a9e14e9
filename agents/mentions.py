"""Mentions: the amounts, shares, days, addresses, papers, quotes and marks that a text names. Pure; whether they are right is `verifier`'s.

Amounts are found as people write them in English or German letters, in digits or words, before or behind their currency::

    list(amounts("It is €1.200,50 or USD 90"))  # → [(Decimal("1200.50"), "EUR"), (Decimal("90.00"), "USD")]
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from agents.base import decimals, smallest
from agents.slots.addresses import EMAIL
from agents.slots.amounts import ISO, LOWER
from agents.slots.amounts import amounts as read_amounts
from agents.slots.language import customs, language
from agents.slots.money import Money

SIGNS = {
    "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "yen": "JPY", "euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD",
    "pound": "GBP", "pounds": "GBP", "franc": "CHF", "francs": "CHF", "franken": "CHF",
}  # fmt: skip
QUOTED_WORDS_MIN = 4  # fewer in quotation marks are a name or an expression

_NUMBER = r"\d{1,3}(?:[.,'’ \u202f]\d{3})+(?:[.,]\d{1,3})?|\d+(?:[.,]\d{1,3})?"
_WORDS = "|".join([*sorted(LOWER), *map(re.escape, sorted(SIGNS, key=len, reverse=True))])
_UNIT = f"(?i:{_WORDS})|{'|'.join(sorted(ISO))}"  # "900 TRY" is money, "900 try" is not
_AMOUNT = re.compile(
    rf"(?<![\w.,])(?P<number>{_NUMBER})(?P<thousand>[kK])?(?:[.,](?:-{{1,2}}|[–—]))?\s?(?P<unit>{_UNIT})(?!\w)"
    rf"|(?<!\w)(?P<before>{_UNIT})\s?(?P<behind>{_NUMBER})(?P<kilo>[kK])?(?![\w]|[.,]\d)"
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_GERMAN = (
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
)  # fmt: skip
_MONTH_OF = {name: number for names in (_MONTHS, _GERMAN) for number, name in enumerate(names, 1)}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_LANGUAGES = ("en", "de")
_PERCENT = re.compile(
    r"(?<![\w.,])(?P<digits>\d{1,3}(?:[.,]\d{1,2})?)\s?(?:%|percent\b|per cent\b|prozent\b)"
    r"|\b(?P<words>[^\W\d]+(?:[ -][^\W\d]+)?)\s(?:percent|per cent|prozent)\b",
    re.IGNORECASE,
)
_DAY = re.compile(
    rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)? (?P<m>{_MONTH})(?:,? (?P<y>\d{{4}}))?\b"
    rf"|\b(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y2>\d{{4}}))?\b"
    r"|\b(?P<y3>\d{4})-(?P<m3>\d\d)-(?P<d3>\d\d)\b|\b(?P<d4>\d{1,2})\.(?P<m4>\d{1,2})\.(?P<y4>\d{4})\b"
)
_PAPER = re.compile(r"\b(?:CN-)?20\d\d-\d{4,}\b")
_LINK = re.compile(r"(?:https?://|(?<![\w@./])(?=www\.))([\w.-]+)[^\s]*", re.IGNORECASE)
_END = re.compile(
    r"[!?]+\s+|(?<!\d)\.\s+|(?<=\d)\.\s+(?=[A-ZÄÖÜ](?!\w*(?:uar|bruar|ärz|pril|ai|uni|uli|ugust|ember|ober)\b))|\n+"
)
_QUOTE = re.compile(r"[\"“„«]([^\"“”„«»\n]{10,})[\"”“»]")
_MARK = re.compile(r"\[(\d{1,2})\]")


@dataclass(frozen=True)
class DayNamed:
    """A day in a text: where it stands, as it is written, and which day it is; None when there is no such day."""

    start: int
    words: str
    day: date | None


def amounts(text: str) -> Iterator[tuple[Decimal, str]]:
    """Yield each amount with its currency and that one's decimals; with more where somebody wrote more."""
    yield from _in_words(text)
    for found in _AMOUNT.finditer(text):
        digits, unit = found["number"] or found["behind"], found["unit"] or found["before"]
        currency = SIGNS.get(unit.casefold(), unit.upper())
        value = number(digits, decimals(currency)) * (1000 if found["thousand"] or found["kilo"] else 1)
        usual = value.quantize(smallest(currency))
        yield usual if usual == value else value, currency


def _in_words(text: str) -> Iterator[tuple[Decimal, str]]:
    """Yield the amounts that are spelled out: "twelve hundred euros", "zwölfhundert Euro"."""
    for name in _LANGUAGES:
        for slot in read_amounts(text, language(name), customs(name)):
            value = slot.value
            if isinstance(value, Money) and value.currency and not re.search(r"\d", slot.text):
                yield value.amount.quantize(smallest(value.currency)), value.currency


def percents(text: str) -> Iterator[tuple[Decimal, str]]:
    """Yield each share of a hundred, in digits or words, and how it is written."""
    for found in _PERCENT.finditer(text):
        if found["digits"]:
            yield Decimal(found["digits"].replace(",", ".")).normalize(), found[0]
            continue
        for name in _LANGUAGES:
            try:
                counted = language(name).counted(found["words"])
            except (KeyError, IndexError, ValueError):
                counted = None
            if counted is not None:
                yield Decimal(str(counted)).normalize(), found[0]
                break


def addresses(text: str) -> tuple[str, ...]:
    """Return the e-mail addresses, each once, in small letters."""
    return tuple(dict.fromkeys(found[0].casefold() for found in EMAIL.finditer(text)))


def number(digits: str, places: int = 2) -> Decimal:
    """``"1.200,50"`` and ``"1,200.50"`` → ``Decimal("1200.50")``; one mark before two digits or one is a decimal mark.

    ``places`` are the decimals of the currency: in dinars a point before three digits is a decimal mark as well, as is any
    mark before them that follows another one, or more than three digits.
    """
    flat = re.sub(r"['’ \u202f]", "", digits)
    last = re.fullmatch(r"(?P<whole>.*?)(?P<mark>[.,])(?P<part>\d{1,3})", flat)
    if last is None or (len(last["part"]) == 3 and not _is_fraction(last["whole"], last["mark"], places)):  # noqa: PLR2004
        return Decimal(re.sub(r"[.,]", "", flat))
    return Decimal(f"{re.sub(r'[.,]', '', last['whole'])}.{last['part']}")


def _is_fraction(whole: str, mark: str, places: int) -> bool:
    """Whether three digits behind a mark are a fraction, and no thousands."""
    if len(re.split(r"[.,]", whole)[-1]) > 3:  # noqa: PLR2004 - nobody groups so
        return True
    others = set(re.findall(r"[.,]", whole))
    return places > 2 and mark not in others and (bool(others) or mark == ".")  # noqa: PLR2004 - cents


def days(text: str, today: date) -> Iterator[DayNamed]:
    """Yield each day; one without a year is of this year."""
    for found in _DAY.finditer(text):
        named = found.groupdict()
        day, month, year = (named[k] or named[k + "2"] or named[k + "3"] or named[k + "4"] for k in ("d", "m", "y"))
        numbered = _MONTH_OF.get(month) or int(month)
        try:
            known = date(int(year or today.year), numbered, int(day))
        except ValueError:
            yield DayNamed(found.start(), found[0], None)
        else:
            yield DayNamed(found.start(), found[0], known)


def sentences(text: str) -> list[str]:
    """Return the sentences; the dot of "5. Dezember" and of "05.12." ends none."""
    starts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(starts)]


def sentence_at(text: str, position: int) -> str:
    """Return the sentence around a position."""
    begin = 0
    for sentence in sentences(text):
        if position < begin + len(sentence):
            return sentence
        begin += len(sentence)
    return text[begin:]


def papers(text: str) -> tuple[str, ...]:
    """Return the numbers of invoices and credit notes, each once."""
    return tuple(dict.fromkeys(_PAPER.findall(text)))


def hosts(text: str) -> Iterator[str]:
    """Yield where each link leads."""
    yield from (found[1].casefold() for found in _LINK.finditer(text))


def quotes(text: str) -> Iterator[str]:
    """Yield what stands in quotation marks and is a sentence rather than a name."""
    yield from (found[1] for found in _QUOTE.finditer(text) if len(found[1].split()) >= QUOTED_WORDS_MIN)


def marks(text: str) -> tuple[int, ...]:
    """Return the numbers of sources that a text cites, ``[1]``, and does not list."""
    listed = {int(row[1]) for row in re.finditer(r"^\[(\d{1,2})\] ", text, re.MULTILINE)}
    return tuple(sorted({int(each) for each in _MARK.findall(text)} - listed))

"""Mentions: the amounts, days, papers, quotes and marks that a text names. Pure; whether they are right is `verifier`'s.

Amounts are found as people write them in English or German letters, before or behind their currency::

    list(amounts("It is €1.200,50 or USD 90"))  # → [(Decimal("1200.50"), "EUR"), (Decimal("90.00"), "USD")]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from agents.base import decimals, smallest
from agents.slots.amounts import ISO, LOWER

SIGNS = {
    "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "yen": "JPY", "euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD",
    "pound": "GBP", "pounds": "GBP", "franc": "CHF", "francs": "CHF", "franken": "CHF",
}  # fmt: skip
QUOTED_WORDS_MIN = 4  # fewer in quotation marks are a name or an expression

_NUMBER = r"\d{1,3}(?:[.,'’ \u202f]\d{3})+(?:[.,]\d{1,3})?|\d+(?:[.,]\d{1,3})?"
_WORDS = "|".join([*sorted(LOWER), *map(re.escape, sorted(SIGNS, key=len, reverse=True))])
_UNIT = f"(?i:{_WORDS})|{'|'.join(sorted(ISO))}"  # "900 TRY" is money, "900 try" is not
_AMOUNT = re.compile(
    rf"(?<![\w.,])(?P<number>{_NUMBER})(?P<thousand>[kK])?\s?(?P<unit>{_UNIT})(?!\w)"
    rf"|(?<!\w)(?P<before>{_UNIT})\s?(?P<behind>{_NUMBER})(?P<kilo>[kK])?(?![\w]|[.,]\d)"
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_MONTH = "|".join(_MONTHS)
_DAY = re.compile(
    rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?P<m>{_MONTH})(?:,? (?P<y>\d{{4}}))?\b"
    rf"|\b(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y2>\d{{4}}))?\b"
    r"|\b(?P<y3>\d{4})-(?P<m3>\d\d)-(?P<d3>\d\d)\b|\b(?P<d4>\d{1,2})\.(?P<m4>\d{1,2})\.(?P<y4>\d{4})\b"
)
_PAPER = re.compile(r"\b(?:CN-)?20\d\d-\d{4,}\b")
_LINK = re.compile(r"https?://([\w.-]+)[^\s]*")
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
    for found in _AMOUNT.finditer(text):
        digits, unit = found["number"] or found["behind"], found["unit"] or found["before"]
        currency = SIGNS.get(unit.casefold(), unit.upper())
        value = number(digits, decimals(currency)) * (1000 if found["thousand"] or found["kilo"] else 1)
        usual = value.quantize(smallest(currency))
        yield usual if usual == value else value, currency


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
        numbered = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
        try:
            known = date(int(year or today.year), numbered, int(day))
        except ValueError:
            yield DayNamed(found.start(), found[0], None)
        else:
            yield DayNamed(found.start(), found[0], known)


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

"""How often a subscription is paid, and what it brings in a month. Pure.

An interval is written ``"month"``, ``"year"`` or ``"3 months"``, as the record keeps it. A plan of a year is a twelfth a month,
one of a week 365/84, one of a day 365/12; a subscription whose interval nobody told counts for nothing, and is named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from agents.base import Record, parse_money, smallest
from agents.letter import amount_words

MONTHS = {"day": Decimal(12) / 365, "week": Decimal(84) / 365, "month": Decimal(1), "year": Decimal(12)}
"""Unit → how many months it is."""
COUNT_MAX = 1_000
_INTERVAL = re.compile(r"(?:(?P<count>[1-9]\d{0,2}) )?(?P<unit>day|week|month|year)s?")
PAYING = frozenset({"active", "past_due"})


def interval(unit: object, count: object = 1) -> str:
    """``"month", 3`` → ``"3 months"``; empty for what a service says and is no interval."""
    if not isinstance(unit, str) or unit not in MONTHS or type(count) is not int or not 1 <= count < COUNT_MAX:
        return ""
    return unit if count == 1 else f"{count} {unit}s"


def price_words(amount: str, every: str) -> str:
    """``"490.00 EUR", "year"`` → ``"490.00 EUR a year"``; what is not known is left out."""
    if not amount or not every:
        return amount_words(amount) if amount else every and f"every {every}"
    return f"{amount_words(amount)} {'every' if every[0].isdigit() else 'a'} {every}"


def monthly(amount: str, every: str) -> tuple[Decimal, str] | None:
    """Return what a subscription brings in a month, not rounded, and its currency; None where that cannot be told."""
    match = _INTERVAL.fullmatch(every)
    if match is None or not amount:
        return None
    value, currency = parse_money(amount)
    return value / (MONTHS[match["unit"]] * int(match["count"] or 1)), currency


def recurring(subscriptions: Sequence[Record]) -> tuple[dict[str, Decimal], tuple[Record, ...]]:
    """Return currency → what comes in each month, and the subscriptions of which that cannot be told."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    unknown = []
    for record in subscriptions:
        if record.data.get("status") not in PAYING:
            continue
        each = monthly(str(record.data.get("amount") or ""), str(record.data.get("interval") or ""))
        if each is None:
            unknown.append(record)
        else:
            sums[each[1]] += each[0]
    rounded = {currency: value.quantize(smallest(currency), ROUND_HALF_UP) for currency, value in sums.items()}
    return rounded, tuple(unknown)

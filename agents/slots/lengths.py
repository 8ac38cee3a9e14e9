"""From a matched phrase to payment terms or a duration."""

# ruff: noqa: ARG001 - every rule takes a match and a context, and few need both

from __future__ import annotations

import re

from agents.slots.days import Context, Rule, unit_days
from agents.slots.slot import Found
from agents.slots.span import Span
from agents.slots.terms import DAYS_MAX, Terms

_DAYS_OF_MONTH = 30  # commercial: "due in a month" is net 30


def _net(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    count = context.language.counted(groups["n"])
    unit = (groups.get("unit") or "day").lower()
    parts = None if count is None else unit_days(count, context.language.units.get(unit, unit))
    if parts is None or parts[2]:
        return None
    days = parts[0] * _DAYS_OF_MONTH + parts[1]
    if not 0 < days <= DAYS_MAX:
        return None
    assumed = (f"{match[0].strip()} read as net {days}.",) if parts[0] else ()
    return Found("terms", Terms(days, month_end=bool(groups.get("eom"))), assumed)


def _receipt(match: re.Match[str], context: Context) -> Found:
    return Found("terms", Terms())


def _eom(match: re.Match[str], context: Context) -> Found:
    return Found("terms", Terms(month_end=True))


def _discount(match: re.Match[str], context: Context) -> Found:
    return Found(
        "terms", None, ask=f"{match[0]} grants a discount, which invoices here do not know. Which terms instead?"
    )


def _span(months: int = 0, days: int = 0, minutes: int = 0) -> Found:
    return Found("span", Span(months, days, minutes))


def _unit(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    unit = match["unit"].lower()
    parts = None if count is None else unit_days(count, context.language.units.get(unit, unit))
    return None if parts is None or parts == (0, 0, 0) else _span(*parts)


def _half(match: re.Match[str], context: Context) -> Found | None:
    said = match.groupdict().get("n")
    try:
        count = context.language.counted(said) if said else 1.0
    except (KeyError, IndexError):
        return None
    return None if count is None else _span(minutes=int(count) * 60 + 30)


def _half_hour(match: re.Match[str], context: Context) -> Found:
    return _span(minutes=30)


def _quarter_hour(match: re.Match[str], context: Context) -> Found:
    return _span(minutes=45 if match[0].lower().startswith(("three", "drei")) else 15)


def _hours_minutes(match: re.Match[str], context: Context) -> Found:
    return _span(minutes=60 * int(match["h"]) + int(match["m"]))


RULES: dict[str, Rule] = {
    "terms.net": _net, "terms.receipt": _receipt, "terms.eom": _eom, "terms.discount": _discount,
    "span.unit": _unit, "span.short": _unit, "span.half": _half, "span.half_hour": _half_hour,
    "span.quarter": _quarter_hour, "span.hm": _hours_minutes,
}  # fmt: skip

"""From a matched phrase to a recurrence rule (RFC 5545)."""

# ruff: noqa: ARG001 - every rule takes a match and a context, and few need both

from __future__ import annotations

import re

from agents.slots.days import Context, Rule
from agents.slots.every import Every
from agents.slots.slot import Found

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = {
    "day": ("DAILY", 1), "week": ("WEEKLY", 1), "fortnight": ("WEEKLY", 2), "month": ("MONTHLY", 1),
    "quarter": ("MONTHLY", 3), "year": ("YEARLY", 1),
}  # fmt: skip


def _rule(unit: str, count: int = 1, **by: object) -> Found | None:
    """Return ``FREQ=...;INTERVAL=...;BY...=...``; None for what comes more often than daily."""
    if unit not in _FREQUENCIES or count < 1:
        return None
    frequency, times = _FREQUENCIES[unit]
    interval = times * count
    parts = [f"FREQ={frequency}", *([f"INTERVAL={interval}"] if interval > 1 else [])]
    parts += [f"{name}={value}" for name, value in by.items() if value is not None]
    return Found("every", Every(";".join(parts)))


def _weekday(match: re.Match[str], context: Context, group: str = "weekday") -> str | None:
    name = match.groupdict().get(group)
    if not name:
        return None
    names = context.language.weekdays
    return CODES[names[name.lower()] if name.lower() in names else names[name.lower() + "day"]]


def _nth(match: re.Match[str], context: Context) -> Found | None:
    number = context.language.ordinal(match["ord"])
    return None if number > 5 else _rule("month", BYDAY=f"{number:+d}{_weekday(match, context)}")  # noqa: PLR2004 - weeks of a month


def _monthday(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    number = -1 if groups.get("ord_end") else context.language.ordinal(groups["ord"])
    return _rule("month", BYMONTHDAY=number) if number <= 31 else None  # noqa: PLR2004 - days of a month


def _workday(match: re.Match[str], context: Context) -> Found | None:
    return _rule("week", BYDAY="MO,TU,WE,TH,FR")


def _weekdays(match: re.Match[str], context: Context) -> Found | None:
    days = [day for group in ("weekday", "weekday2") if (day := _weekday(match, context, group))]
    return _rule("week", BYDAY=",".join(days))


def _other(match: re.Match[str], context: Context) -> Found | None:
    if day := _weekday(match, context):
        return _rule("week", 2, BYDAY=day)
    return _rule(context.language.units[match["unit"].lower()], 2)


def _counted(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    unit = context.language.units[match["unit"].lower()]
    day = _weekday(match, context)
    return None if count is None or count != int(count) else _rule(unit, int(count), BYDAY=day)


def _unit(match: re.Match[str], context: Context) -> Found | None:
    unit = {"mo": "month", "yr": "year"}.get(match["unit"].lower()) or context.language.units[match["unit"].lower()]
    return _rule(unit, BYDAY=_weekday(match, context))


def _word(match: re.Match[str], context: Context) -> Found | None:
    word = match["word"].lower()
    unit, count = context.language.adverbs[word]
    found = _rule(unit, count, BYDAY=_weekday(match, context))
    if found is not None and word == "biweekly":
        return Found("every", found.value, ("biweekly read as every two weeks.",))
    return found


def _yearly(match: re.Match[str], context: Context) -> Found | None:
    return _rule("year", BYMONTH=context.language.months[match["month"].lower().rstrip(".")])


def _part(match: re.Match[str], context: Context) -> Found | None:
    hour, minute = context.language.clock_words[match["part"].lower()]
    found = _rule("day", BYHOUR=hour, BYMINUTE=minute)
    return found and Found("every", found.value, (f"{match['part']} read as {hour:02}:{minute:02}.",))


def _vague(match: re.Match[str], context: Context) -> Found:
    return Found("every", None, ask=f"{match[0].strip().capitalize()}: on which days?")


RULES: dict[str, Rule] = {
    "every.nth": _nth, "every.monthday": _monthday, "every.workday": _workday, "every.weekdays": _weekdays,
    "every.other": _other, "every.n": _counted, "every.unit": _unit, "every.per": _unit, "every.word": _word,
    "every.yearly": _yearly, "every.part": _part, "every.vague": _vague,
}  # fmt: skip

"""From a matched phrase to a day, a moment, a time of day or a period. Knows the calendar, and no language."""

# ruff: noqa: ARG001 - every rule takes a match and a context, and few need both

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped, unused-ignore]

from agents.slots.dates import Period
from agents.slots.language import Customs, Language
from agents.slots.slot import Found

MORNING = time(9)  # what "in the morning", and a reminder for a day, means
EVENING = time(19)
END_OF_DAY = time(18)
WORKING_HOURS_FROM = 7  # "at 6" is six in the evening; "at 7" is in the morning

_DAYS = {"day": 1, "week": 7, "fortnight": 14}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_SHORT = {"h": "hour", "d": "day", "w": "week", "m": "minute", "min": "minute", "mins": "minute"}


@dataclass(frozen=True)
class Context:
    """When and where something was said, and which way bare dates point."""

    now: datetime  # aware, on the operator's clock
    language: Language
    customs: Customs
    prefer: Literal["future", "past"]

    @property
    def today(self) -> date:
        """The operator's calendar day."""
        return self.now.date()

    @property
    def zone(self) -> ZoneInfo:
        """Where the operator lives."""
        assert isinstance(self.now.tzinfo, ZoneInfo)
        return self.now.tzinfo

    def moment(self, day: date, clock: time) -> datetime:
        """Return a wall clock on a day as an aware moment."""
        return datetime.combine(day, clock, tzinfo=self.zone)


Rule = Callable[[re.Match[str], Context], Found | None]


def plus(day: date, *, months: int = 0, days: int = 0) -> date:
    """Return a day moved by the calendar; the 31st becomes the month's last day."""
    moved: date = day + relativedelta(months=months, days=days)
    return moved


def last_of(day: date) -> date:
    """Return the last day of its month."""
    return plus(day.replace(day=1), months=1, days=-1)


def unit_days(count: float, unit: str) -> tuple[int, int, int] | None:
    """Return a count of units as (months, days, minutes); None when a part of a day or month is left over."""
    unit = _SHORT.get(unit, unit)
    if unit in _MONTHS:
        months = count * _MONTHS[unit]
        return (int(months), 0, 0) if months == int(months) else None
    if unit in _DAYS:
        days = count * _DAYS[unit]
        return (0, int(days), 0) if days == int(days) else None
    minutes = count * (60 if unit == "hour" else 1)
    return (0, 0, int(minutes)) if minutes == int(minutes) else None


def named(day: date) -> str:
    """``Fri 27 Nov 2026``: how an assumption names a day, the same in every place."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def _day(day: date, *assumed: str) -> Found:
    return Found("day", day, assumed)


def _offset(match: re.Match[str], context: Context) -> Found:
    return _day(plus(context.today, days=context.language.day_words[match["word"].lower()]))


def _offset2(match: re.Match[str], context: Context) -> Found:
    return _day(plus(context.today, days=context.language.day_words[match["side"].lower()]))


def _now(match: re.Match[str], context: Context) -> Found:
    return Found("moment", context.now)


def _tonight(match: re.Match[str], context: Context) -> Found:
    clock = _part(match["part"], context) if match["part"] else EVENING
    return Found("moment", context.moment(context.today, clock), (f"{match[0]} read as {clock:%H:%M}.",))


def _part(word: str, context: Context) -> time:
    hour, minute = context.language.clock_words[word.lower()]
    return time(hour, minute)


def _shifted(context: Context, parts: tuple[int, int, int] | None, sign: int = 1) -> Found | None:
    if parts is None:
        return None
    months, days, minutes = (sign * part for part in parts)
    if minutes:
        return Found("moment", context.now + timedelta(minutes=minutes))
    return _day(plus(context.today, months=months, days=days))


def _in(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"]) if match.groupdict().get("n") else 1.0
    unit = match["unit"].lower()
    return None if count is None else _shifted(context, unit_days(count, context.language.units.get(unit, unit)))


def _in_half(match: re.Match[str], context: Context) -> Found | None:
    return _shifted(context, (0, 0, 30))


def _in_hm(match: re.Match[str], context: Context) -> Found | None:
    return _shifted(context, (0, 0, 60 * int(match["n"] or 1) + 30))


def _ago(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    unit = context.language.units[match["unit"].lower()]
    return None if count is None else _shifted(context, unit_days(count, unit), -1)


def _ahead(context: Context, weekday: int) -> date:
    """The next such weekday, never today."""
    return plus(context.today, days=(weekday - context.today.weekday() - 1) % 7 + 1)


def _weekday_of(match: re.Match[str], context: Context) -> int:
    name = match.groupdict().get("weekday") or match.groupdict().get("weekday2") or ""
    return context.language.weekdays[name.lower()]


def _weekday(match: re.Match[str], context: Context) -> Found:
    weekday = _weekday_of(match, context)
    ahead = _ahead(context, weekday)
    if context.prefer == "past":
        day = plus(ahead, days=-7)
        return _day(day, f"{match['weekday']} read as the last one, {named(day)}.")
    if weekday == context.today.weekday():
        return _day(ahead, f"{match['weekday']} read as a week from today, {named(ahead)}.")
    return _day(ahead)


def _weekday_next(match: re.Match[str], context: Context) -> Found:
    monday = plus(context.today, days=7 - context.today.weekday())
    day = plus(monday, days=_weekday_of(match, context))
    nearest = _ahead(context, _weekday_of(match, context))
    return _day(day, *([] if day == nearest else [f"{match[0].strip()} read as {named(day)}, not {named(nearest)}."]))


def _weekday_last(match: re.Match[str], context: Context) -> Found:
    return _day(
        plus(
            _ahead(context, _weekday_of(match, context)),
            days=-7 if _weekday_of(match, context) != context.today.weekday() else -14,
        )
    )


def _weekday_plus(match: re.Match[str], context: Context) -> Found:
    return _day(plus(_ahead(context, _weekday_of(match, context)), days=7))


def valid(year: int, month: int, day: int) -> date | None:
    """Return a day, or None for the 31st of November."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def nearest(month: int, day: int, context: Context) -> Found:
    """A day without a year: the next one, or in a sentence about the past the last one."""
    years = range(context.today.year - 4, context.today.year + 5)
    days = [found for year in years if (found := valid(year, month, day))]
    if not days:
        return Found("day", None, ask=f"There is no such day ({day}.{month}.). Which one is meant?")
    if context.prefer == "past":
        chosen = max(found for found in days if found <= context.today)
    else:
        chosen = min(found for found in days if found >= context.today)
    return _day(chosen, *([] if chosen.year == context.today.year else [f"The year read as {chosen.year}."]))


def _number_of_day(match: re.Match[str], context: Context) -> int:
    groups = match.groupdict()
    return int(groups["d"]) if groups.get("d") else context.language.ordinal(groups["ord"])


def _month_of(name: str, context: Context) -> int:
    return context.language.months[name.lower().rstrip(".")]


def _month_day(match: re.Match[str], context: Context) -> Found | None:
    month, day = _month_of(match["month"], context), _number_of_day(match, context)
    if day < 1:
        return None
    if not match.groupdict().get("year"):
        return nearest(month, day, context)
    said = valid(int(match["year"]), month, day)
    return _day(said) if said else Found("day", None, ask=f"There is no {match[0].strip()}. Which day is meant?")


def _in_month(first: date, number: int) -> date | None:
    return last_of(first) if number < 0 else valid(first.year, first.month, number)


def _monthday_of(match: re.Match[str], context: Context) -> Found | None:
    which = (match.groupdict().get("which") or "").lower()
    number = context.language.ordinal(match["ord"])
    if not which:
        return _ordinal(match, context)
    shift = context.language.which.get(which, 0)
    day = _in_month(plus(context.today.replace(day=1), months=shift), number)
    return None if day is None else _day(day)


def _ordinal(match: re.Match[str], context: Context) -> Found | None:
    number = context.language.ordinal(match["ord"])
    past = context.prefer == "past"
    for shift in range(12):
        day = _in_month(plus(context.today.replace(day=1), months=-shift if past else shift), number)
        if day is not None and (day <= context.today if past else day >= context.today):
            name = match.groupdict().get("weekday")
            if name and context.language.weekdays[name.lower()] != day.weekday():
                return Found("day", None, ask=f"The {match['ord']} is a {day:%A}. Which day do you mean?")
            return _day(day, f"{match['ord']} read as {named(day)}.")
    return None


def _nth_weekday(match: re.Match[str], context: Context) -> Found | None:
    """Read "the first Monday of December", "the last Friday of next month": the next one, or in the past the last."""
    groups = match.groupdict()
    number, weekday = context.language.ordinal(match["ord"]), context.language.weekdays[match["weekday"].lower()]
    months = range(12) if groups.get("month") else (0,)
    start = context.today.replace(day=1)
    if groups.get("year"):
        start, months = date(int(groups["year"]), 1, 1), range(12)
    shift = context.language.which.get((groups.get("which") or "").lower(), 0)
    past = context.prefer == "past" and not groups.get("year")
    for step in months:
        first = plus(start, months=shift + (-step if past else step))
        if groups.get("month") and first.month != _month_of(groups["month"], context):
            continue
        day = _nth(first, number, weekday)
        if (
            day is not None
            and groups.get("month")
            and not groups.get("year")
            and (day > context.today if past else day < context.today)
        ):
            day = _nth(plus(first, months=-12 if past else 12), number, weekday)
        if day is None:
            break
        return _day(day, *([] if day.year == context.today.year else [f"The year read as {day.year}."]))
    return Found("day", None, ask=f"There is no {match[0].strip()}. Which day is meant?")


def _nth(first: date, number: int, weekday: int) -> date | None:
    """Return the nth such weekday of a month, -1 the last; None when it has no fifth."""
    if number < 0:
        last = last_of(first)
        return plus(last, days=-((last.weekday() - weekday) % 7))
    day = plus(first, days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
    return day if number and day.month == first.month else None


def _last_day(match: re.Match[str], context: Context) -> Found | None:
    if match.groupdict().get("month"):
        first = _month_first(match["month"], match.groupdict().get("year"), context, future=context.prefer == "future")
        return _day(last_of(first))
    shift = context.language.which.get((match.groupdict().get("which") or "").lower(), 0)
    return _day(last_of(plus(context.today.replace(day=1), months=shift)))


def _feast(match: re.Match[str], context: Context) -> Found:
    month, day = context.language.feasts[re.sub(r"\s+", " ", match["feast"].lower().replace("’", "'"))]
    return nearest(month, day, context)


def _edge(first: date, last: date, edge: str) -> Found:
    if edge == "middle":
        day = first + (last - first) // 2
        return _day(day, f"The middle read as {named(day)}.")
    return _day(first if edge == "start" else last)


def _month_edge(match: re.Match[str], context: Context) -> Found | None:
    month, edge = _month_of(match["month"], context), context.language.edges[match["edge"].lower()]
    if match.groupdict().get("year"):
        first = date(int(match["year"]), month, 1)
        return _edge(first, last_of(first), edge)
    first = context.today.replace(month=month, day=1)
    found = _edge(first, last_of(first), edge)
    assert isinstance(found.value, date)
    late = found.value < context.today if context.prefer == "future" else found.value > context.today
    if not late:
        return found
    first = plus(first, months=12 if context.prefer == "future" else -12)
    found = _edge(first, last_of(first), edge)
    return Found(found.kind, found.value, (*found.assumed, f"The year read as {first.year}."))


def unit_around(day: date, unit: str) -> tuple[date, date]:
    """Return first and last day of the week (from Monday), month, quarter or year that holds a day."""
    if unit == "week":
        monday = plus(day, days=-day.weekday())
        return monday, plus(monday, days=6)
    if unit == "month":
        return day.replace(day=1), last_of(day)
    if unit == "quarter":
        first = day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)
        return first, last_of(plus(first, months=2))
    return day.replace(month=1, day=1), day.replace(month=12, day=31)


def _unit_at(context: Context, unit: str, which: str) -> tuple[date, date]:
    shift = context.language.which.get(which.lower(), 0)
    steps = {"week": {"days": 7 * shift}, "month": {"months": shift}, "quarter": {"months": 3 * shift}}
    anchor = context.today if unit == "week" else context.today.replace(day=1)
    return unit_around(plus(anchor, **steps.get(unit, {"months": 12 * shift})), unit)


def _unit_edge(match: re.Match[str], context: Context) -> Found:
    groups, words = match.groupdict(), context.language
    if short := groups.get("short"):
        unit, edge = words.edge_units[re.sub(r"[\s-]+", " ", short.lower())], "end"
    else:
        unit, edge = words.units.get(groups["big"].lower(), groups["big"].lower()), words.edges[groups["edge"].lower()]
    first, last = _unit_at(context, unit, groups.get("which") or "")
    if unit == "week" and edge == "end":
        friday = plus(first, days=4)
        day = friday if friday >= context.today else last
        return _day(day, f"The end of the week read as {named(day)}.")
    return _edge(first, last, edge)


def _day_end(match: re.Match[str], context: Context) -> Found:
    return Found("moment", context.moment(context.today, END_OF_DAY), ("The end of the day read as 18:00.",))


def _weekend(match: re.Match[str], context: Context) -> Found:
    saturday = _ahead(context, 5)
    return _day(saturday, f"The weekend read as {named(saturday)}.")


# ── periods ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _period(first: date, last: date, *assumed: str) -> Found:
    return Found("period", Period(first, last), assumed)


def _period_unit(match: re.Match[str], context: Context) -> Found:
    unit = context.language.units.get(match["big"].lower(), match["big"].lower())
    return _period(*_unit_at(context, unit, match["which"]))


def _period_last(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    parts = None if count is None else unit_days(count, context.language.units[match["unit"].lower()])
    if parts is None or parts[2]:
        return None
    return _period(plus(context.today, months=-parts[0], days=1 - parts[1] if parts[1] else 1), context.today)


def _quarter(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    which = int(groups["q"]) if groups.get("q") else context.language.ordinal(groups["ord"])
    if not 1 <= which <= 4:  # noqa: PLR2004 - a year has four; "the last quarter" is the one before this
        return None
    said = groups.get("year")
    first = date(int(said) if said else context.today.year, 3 * which - 2, 1)
    if not said and first > context.today:
        first = plus(first, months=-12)
        return _period(*unit_around(first, "quarter"), f"Q{which} read as the one of {first.year}.")
    return _period(*unit_around(first, "quarter"))


def _to_date(match: re.Match[str], context: Context) -> Found:
    groups = match.groupdict()
    unit = groups.get("big") or groups.get("big2") or groups.get("big3")
    unit = unit or {"y": "year", "m": "month", "q": "quarter"}[(groups.get("short") or "y")[0].lower()]
    return _period(unit_around(context.today, unit.lower())[0], context.today)


def _month_first(name: str, year: str | None, context: Context, *, future: bool = False) -> date:
    month = _month_of(name, context)
    if year:
        return date(int(year), month, 1)
    first = context.today.replace(month=month, day=1)
    if future:
        return first if last_of(first) >= context.today else plus(first, months=12)
    return first if first <= context.today else plus(first, months=-12)


def _since(match: re.Match[str], context: Context) -> Found:
    first = _month_first(match["month"], match.groupdict().get("year"), context)
    return _period(first, context.today)


def _months(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    end = _month_first(match["month2"], groups.get("year2"), context)
    start = _month_first(match["month"], groups.get("year") or str(end.year), context)
    if start > end:
        start = plus(start, months=-12)
    return _period(start, last_of(end))


def _month(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    before = (groups.get("before") or "").lower()
    if not before and match["month"].lower().rstrip(".") in context.language.shy and not proper(match, "month"):
        return None
    first = _month_first(match["month"], groups.get("year"), context, future=context.language.which.get(before, 0) > 0)
    if groups.get("year"):
        return _period(first, last_of(first))
    return _period(first, last_of(first), f"{match['month']} read as {first:%B %Y}.")


def _half(match: re.Match[str], context: Context) -> Found | None:
    groups = match.groupdict()
    which = int(groups["h"]) if groups.get("h") else context.language.ordinal(groups["ord"])
    year = int(groups["year"]) if groups.get("year") else context.today.year
    return _period(date(year, 6 * which - 5, 1), last_of(date(year, 6 * which, 1))) if which in {1, 2} else None


def _day_range(match: re.Match[str], context: Context) -> Found | None:
    """Read "3 to 7 December", both ends included."""
    end = _month_day(match, context)
    first = int(re.sub(r"\D", "", match["from"]))
    if end is None or not isinstance(end.value, date) or first >= end.value.day:
        return None
    start = valid(end.value.year, end.value.month, first)
    return None if start is None else _period(start, end.value, *end.assumed)


def _year(match: re.Match[str], context: Context) -> Found:
    year = int(match["year"])
    return _period(date(year, 1, 1), date(year, 12, 31))


def proper(match: re.Match[str], group: str) -> bool:
    """Whether a word is written like a name: a capital that does not merely begin the message."""
    word = match[group]
    return word[:1].isupper() and not word.isupper() and bool(match.string[: match.start(group)].strip())


# ── times of day ──────────────────────────────────────────────────────────────────────────────────────────────────


def _time(hour: int, minute: int, half: str | None) -> Found | None:
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - twelve-hour clock
            return None if hour > 12 and half.lower().startswith("a") else _clock(hour, minute)  # noqa: PLR2004
        return _clock(hour % 12 + (12 if half.lower().startswith("p") else 0), minute)
    return _clock(hour, minute)


def _clock(hour: int, minute: int, *assumed: str) -> Found | None:
    if not (0 <= hour < 24 and 0 <= minute < 60):  # noqa: PLR2004 - a day
        return None
    return Found("time", time(hour, minute), assumed)


def _likely(hour: int, minute: int = 0) -> Found | None:
    """A bare hour of the twelve-hour clock: working hours, and say so."""
    if not 1 <= hour <= 12:  # noqa: PLR2004 - twelve-hour clock
        return _clock(hour, minute)
    sure = hour if hour >= WORKING_HOURS_FROM else hour + 12
    return _clock(sure, minute, f"{hour}{f':{minute:02}' if minute else ''} read as {sure:02}:{minute:02}.")


def _time_hm(match: re.Match[str], context: Context) -> Found | None:
    half = match.groupdict().get("half")
    hour, minute = int(match["h"]), int(match["m"])
    if not half and 1 <= hour < WORKING_HOURS_FROM and not match["h"].startswith("0") and context.language.code == "en":
        return _likely(hour, minute)
    return _time(hour, minute, half)


def _time_h(match: re.Match[str], context: Context) -> Found | None:
    return _time(int(match["h"]), 0, match["half"])


def _time_24(match: re.Match[str], context: Context) -> Found | None:
    return _clock(int(match["h"]), int(match.groupdict().get("m") or 0))


def _time_at(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    return None if count is None or count != int(count) else _likely(int(count))


def _time_past(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    if count is None:
        return None
    sign, minutes = context.language.clock_steps[" ".join(filter(None, match.group("rel", "dir"))).lower()]
    if sign < 0:
        count, minutes = count - 1, 60 - minutes
    return _likely(int(count) or 12, minutes)


def _time_word(match: re.Match[str], context: Context) -> Found:
    clock = _part(match["word"], context)
    return Found("time", clock, () if clock in (time(12), time(0)) else (f"{match['word']} read as {clock:%H:%M}.",))


def _time_day_part(match: re.Match[str], context: Context) -> Found | None:
    count = context.language.counted(match["n"])
    if count is None or not 1 <= count <= 12:  # noqa: PLR2004 - twelve-hour clock
        return None
    afternoon = _part(match["part"], context).hour >= 12  # noqa: PLR2004 - noon
    return _clock(int(count) % 12 + (12 if afternoon else 0), 0)


RULES: dict[str, Rule] = {
    "day.offset": _offset, "day.offset2": _offset2, "moment.now": _now, "moment.tonight": _tonight,
    "day.in": _in, "day.in_short": _in, "day.in_half": _in_half, "day.in_hm": _in_hm, "day.ago": _ago,
    "day.weekday": _weekday, "day.weekday_next": _weekday_next, "day.weekday_last": _weekday_last,
    "day.weekday_plus": _weekday_plus, "day.month_day": _month_day, "day.monthday_of": _monthday_of,
    "day.ordinal": _ordinal, "day.month_edge": _month_edge, "day.unit_edge": _unit_edge, "moment.day_end": _day_end,
    "day.weekend": _weekend, "period.unit": _period_unit, "period.last_n": _period_last, "period.quarter": _quarter,
    "period.to_date": _to_date, "period.since": _since, "period.months": _months, "period.month": _month,
    "period.year": _year, "period.half": _half, "period.days": _day_range, "day.nth_weekday": _nth_weekday,
    "day.last_day": _last_day, "day.feast": _feast, "time.hm": _time_hm, "time.h": _time_h, "time.24": _time_24, "time.at": _time_at,
    "time.oclock": _time_at, "time.past": _time_past, "time.word": _time_word, "time.day_part": _time_day_part,
}  # fmt: skip

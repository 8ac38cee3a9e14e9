"""Hours as they are typed beside a day: "Friday 11", "tomorrow 9 call Bob", "3pm-4.30", "Monday 2-4", "at 3, shift it to 5". Pure.

The grammar of `agents.slots` reads what is a time by itself; here a bare number beside a day or a time becomes one, and a
second time an end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from agents.slots import Slot, Span, find_spans

HOURS, NOON = (7, 21), 12  # a bare number after a day that is taken for an hour; "Friday 1" is in the afternoon
LONGEST_MIN = 12 * 60  # of what has a beginning and an end on one day
_ENDS = re.compile(
    r"\s*(?:$|[.,;!?)]|(?:instead|please|pls|ok|then|and|to|for|about|with|call|mail|email|pay|send|write|buy|meet|check|ask|mit|an|bitte)\b)",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s*(?:-|–|to|till|until|bis)\s*", re.IGNORECASE)
_MOVED = re.compile(r"\b(?:mov|shift|push|reschedul|postpon|chang|bring|verschieb|verleg)\w*\b", re.IGNORECASE)
_TO = re.compile(r"(?:\bto|\bauf)\s*$", re.IGNORECASE)
_ROOM = re.compile(r"\b(?:fit|squeeze|get|slot|put)\s*$", re.IGNORECASE)
_IN = re.compile(r"in\s+", re.IGNORECASE)
_LONE = re.compile(r" read as (?:today|tomorrow) at \d")


def values_of(text: str, now: datetime, zone: ZoneInfo, locale: str) -> list[Slot]:
    """Return the typed spans of a message. "now" is a word like others; "Friday 11" and "from 3 pm to 4" hold an hour."""
    found = sorted(
        (slot for slot in find_spans(text, now, zone, locale) if slot.value != now), key=lambda slot: slot.start
    )
    read: list[Slot] = []
    for slot in found:
        before = read[-1] if read else None
        if before is not None and slot.start < before.end:
            continue  # the second hour of "9-10" is part of how long it lasts
        if before is not None and (joined := _joined(before, slot, text, zone)):
            read[-1:] = joined
        elif (start := _start(slot, read)) and _TO.search(text[: slot.start]) and (hour := _hour(slot, text)):
            read.append(_at(slot, hour, slot.end, text, zone, start.astimezone(zone).date()))
        elif room := _room(slot, text, now, zone, locale):
            read.append(room)
        else:
            read.append(slot)
    return read


def is_lone(slot: Slot) -> bool:
    """Whether it is an hour without a day, which was taken for the next such hour."""
    return slot.kind == "moment" and any(_LONE.search(told) for told in slot.assumed)


def _joined(before: Slot, slot: Slot, text: str, zone: ZoneInfo) -> list[Slot] | None:
    """Return what two neighbours come to: a day with its hour, or a beginning and how long it lasts."""
    between = text[before.end : slot.start]
    day = before.value
    if isinstance(day, datetime):
        if _MOVED.search(text[: before.start]) and not re.fullmatch(r"\s*[-–]\s*", between):
            return None  # "move it from 3pm to 4" says where it goes, not how long it lasts
        return _lasting(before, _end_of(slot, day, text, zone), slot.end, text) if _RANGE.fullmatch(between) else None
    if before.kind == "day" and isinstance(day, date) and not between.strip() and not re.search(r"\d", before.text):
        if slot.kind == "number" and (ends := re.match(r"\d{1,2}\s*[-–]\s*(\d{1,2})(?!\d|[.:])", text[slot.start :])):
            return _between(before, slot, int(ends[1]), ends.end(), text, zone, day)
        return [_at(before, hour, slot.end, text, zone, day)] if (hour := _hour(slot, text)) else None
    return None


def _between(
    before: Slot, slot: Slot, last: int, length: int, text: str, zone: ZoneInfo, day: date
) -> list[Slot] | None:
    """Read "Monday 9-10", "Friday 2-4": both hours of a working day, the second after the first."""
    first = _working(int(slot.text)) if slot.text.strip().isdigit() else 0
    until = _working(last)
    if not first or not until:
        return None
    start = _at(before, first, slot.end, text, zone, day)
    return _lasting(start, datetime.combine(day, time(until), tzinfo=zone), slot.start + length, text)


def _end_of(slot: Slot, start: datetime, text: str, zone: ZoneInfo) -> datetime | None:
    """Return the moment at which something ends, on the day it begins; "4.30" after "3pm" is in the afternoon too."""
    day = start.astimezone(zone).date()
    if is_lone(slot) and isinstance(slot.value, datetime):
        clock = slot.value.astimezone(zone).time()
        end = datetime.combine(day, clock, tzinfo=zone)
        if end <= start and clock.hour < NOON:
            end = end.replace(hour=clock.hour + NOON)
        return end
    hour = _hour(slot, text)
    return datetime.combine(day, time(hour), tzinfo=zone) if hour else None


def _lasting(start: Slot, end: datetime | None, at: int, text: str) -> list[Slot] | None:
    if end is None or not isinstance(start.value, datetime):
        return None
    minutes = int((end - start.value).total_seconds() // 60)
    if not 0 < minutes <= LONGEST_MIN:
        return None
    length = Slot("span", Span(minutes=minutes), start.end, at, text[start.end : at])
    return [start, length]


def _start(slot: Slot, read: Sequence[Slot]) -> datetime | None:
    """Return the time that a later one is set against: "at 3, shift it to 5"."""
    if slot.kind != "number":
        return None
    return next(
        (each.value for each in reversed(read) if each.kind == "moment" and isinstance(each.value, datetime)), None
    )


def _room(slot: Slot, text: str, now: datetime, zone: ZoneInfo, locale: str) -> Slot | None:
    """Read "fit in two hours" as a length: it asks for room, not for what is in two hours."""
    lead = _IN.match(slot.text)
    if slot.kind not in {"moment", "day"} or lead is None or not _ROOM.search(text[: slot.start]):
        return None
    inner = find_spans(slot.text[lead.end() :], now, zone, locale)
    if len(inner) != 1 or inner[0].kind != "span":
        return None
    return inner[0].at(slot.start + lead.end(), inner[0].text)


def _at(slot: Slot, hour: int, end: int, text: str, zone: ZoneInfo, day: date) -> Slot:
    moment = datetime.combine(day, time(hour), tzinfo=zone)
    told = (*slot.assumed, f"{text[slot.start : end].strip()} read as {hour}:00 on {day.isoformat()}.")
    return replace(slot, kind="moment", text=text[slot.start : end], end=end, value=moment, assumed=told)


def _hour(slot: Slot, text: str) -> int:
    """Return the hour of a working day that a bare number can be, when the phrase ends there; else 0."""
    if slot.kind != "number" or not _ENDS.match(text[slot.end :]) or not re.fullmatch(r"\s*\d{1,2}\s*", slot.text):
        return 0
    return _working(int(slot.text))


def _working(said: int) -> int:
    return said + NOON if 0 < said < HOURS[0] else said if HOURS[0] <= said <= HOURS[1] else 0

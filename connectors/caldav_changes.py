"""What changed in a calendar between two looks and was not our doing. Pure.

Ours is an event that carries a mark of ours, `caldav_events.DONE`. A change that brought a new mark was made by us; any
other change of ours was made elsewhere: on a phone, by somebody the calendar is shared with. Of strangers' events only
those matter that take the time of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from connectors import caldav_events as events
from connectors.base import Json, RefusedError
from connectors.caldav_collection import Kept

Time = tuple[datetime, datetime]
TIMES_MAX = 200  # of one event within a look; a series by the hour is not an appointment


@dataclass(frozen=True)
class Entry:
    """An event as one look found it."""

    uid: str
    title: str
    where: str
    etag: str
    times: tuple[Time, ...]  # when it takes place, in order
    marks: frozenset[str] = frozenset()
    busy: bool = True

    @property
    def ours(self) -> bool:
        """Whether we booked or changed it."""
        return bool(self.marks)


@dataclass(frozen=True)
class Look:
    """What was in the calendar, from some moment on, up to ``until``."""

    until: datetime
    entries: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One thing that was done to the calendar elsewhere."""

    kind: Literal["moved", "cancelled", "clash"]
    entry: Entry
    time: Time  # when it takes place now; for what was cancelled: when it would have
    was: Time | None = None
    other: tuple[Entry, Time] | None = None  # clash: which of ours

    def facts(self) -> dict[str, Json]:
        """Return it as an item for the inbox."""
        start, end = self.time
        found: dict[str, Json] = {
            "event": self.entry.uid, "title": self.entry.title, "where": self.entry.where,
            "start": start.isoformat(), "end": end.isoformat(),
        }  # fmt: skip
        if self.was:
            found |= {"was_start": self.was[0].isoformat(), "was_end": self.was[1].isoformat()}
        if self.other:
            mine, (first, last) = self.other
            found["with"] = {
                "event": mine.uid, "title": mine.title, "start": first.isoformat(), "end": last.isoformat(),
            }  # fmt: skip
        return found


def look(kept: Iterable[Kept], first: datetime, until: datetime) -> Look:
    """Return what takes place between two moments; an event that cannot be read is left out."""
    entries = {}
    for each in kept:
        try:
            found = [one for one in events.occurrences([each.content], first, until) if not one.cancelled]
            marks = events.marks_of(each.content)
        except RefusedError:
            continue
        if found:
            times = tuple((one.start, one.end) for one in found[:TIMES_MAX])
            head = found[0]
            busy = any(one.busy for one in found)
            entries[head.uid] = Entry(head.uid, head.title, head.where, each.etag, times, marks, busy)
    return Look(until, entries)


def changes(before: Look, after: Look, now: datetime) -> Iterator[Change]:
    """Yield what was done elsewhere: ours that were moved or are gone, and others that take their time."""
    for uid, was in before.entries.items():
        stands = after.entries.get(uid)
        if was.ours and not (stands and stands.marks - was.marks):
            yield from _fates(was, stands, before.until, now)
    mine = [entry for entry in after.entries.values() if entry.ours and entry.busy]
    for uid, entry in after.entries.items():
        if entry.ours or not entry.busy:
            continue
        known = before.entries[uid].times if uid in before.entries else ()
        fresh = (time for time in entry.times if time not in known and now < time[1] and time[0] < before.until)
        for time in fresh:
            yield from (Change("clash", entry, time, other=pair) for pair in _under(time, mine))


def _fates(was: Entry, stands: Entry | None, until: datetime, now: datetime) -> Iterator[Change]:
    there = stands.times if stands else ()
    gone = [time for time in was.times if time[0] > now and time not in there]
    # What lies beyond the last look is not new: it only came into sight.
    come = [time for time in there if time not in was.times and time[0] < until]
    if stands is None or not come:
        yield from (Change("cancelled", was, time) for time in gone)
        return
    for time, old in zip(come, gone, strict=False):
        yield Change("moved", stands, time, was=old)
    yield from (Change("cancelled", was, time) for time in gone[len(come) :])


def _under(time: Time, mine: Iterable[Entry]) -> Iterator[tuple[Entry, Time]]:
    for entry in mine:
        for each in entry.times:
            if each[0] < time[1] and time[0] < each[1]:
                yield entry, each

"""iCalendar: what a meeting looks like on the wire, how it is changed, and when it takes place. Pure.

Each change we make leaves its mark in the event, ``X-SOLOIST-DONE``: a digest of the effect's key and what was there
before. So an attempt whose answer was lost is recognised as done, whatever the server forgets.

Attendees carry ``SCHEDULE-AGENT=CLIENT`` (RFC 6638, 7.1): a calendar server writes to nobody by itself; an invitation
is a mail of its own, and stands on its card.

Source: RFC 5545 (iCalendar), RFC 5546 (iTIP), RFC 6638 (scheduling), RFC 7986.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]

from connectors.base import RefusedError

Component = Any  # icalendar's: the type of a property depends on its name
PRODUCT = "-//Soloist//Calendar//EN"
DONE = "X-SOLOIST-DONE"
EVENTS_MAX = 2_000  # in one answer; a calendar with more in a fortnight is a mistake
TEXT_MAX = 1_000
TIMES_A_DAY_MAX = 24
YEAR_MIN = 1970  # what happens every day or week since before then is a slip or an attack; birthdays are yearly
_FREQUENCIES = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})

_ADDRESS = re.compile(r"[^\s<>;:,\"@]+@[^\s<>;:,\"@]+\.?[^\s<>;:,\"@]*")


@dataclass(frozen=True)
class Meeting:
    """One event as it is to be written.

    Attributes:
        uid: Ours to choose, so it is known before the event is booked.
        start: Aware; with `end`.
        zone: An IANA name, or empty: then the times are written in UTC. A recurrence needs one, because "nine o'clock
            every Monday" is another moment in summer.
        repeats: An RRULE (``"FREQ=WEEKLY;COUNT=10"``), or empty.
        organizer: Whose invitation it is; needed as soon as somebody is invited.
        busy: Whether it takes time; a note on a day does not.
    """

    uid: str
    title: str
    start: datetime
    end: datetime
    attendees: Sequence[str] = ()
    where: str = ""
    zone: str = ""
    repeats: str = ""
    organizer: str = ""
    busy: bool = True


@dataclass(frozen=True)
class Occurrence:
    """One time that something takes place; a date without hours begins at midnight where the asker lives."""

    uid: str
    title: str
    start: datetime
    end: datetime
    where: str
    all_day: bool
    busy: bool
    recurring: bool
    cancelled: bool = False  # still there, and marked as not taking place


@dataclass(frozen=True)
class Mark:
    """What an attempt of ours left in the event: when it was before, empty for a booking."""

    was_start: str = ""
    was_end: str = ""


def moment(text: str, what: str) -> datetime:
    """Return an ISO 8601 date-time as an aware value.

    Raises:
        RefusedError: It is none, or without its distance from UTC.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(f"The {what} {text!r} is no date and time such as 2026-03-31T10:00:00+02:00.") from None
    if found.tzinfo is None:
        raise RefusedError(f"The {what} {text!r} does not say in which time zone; add +02:00 or the like.")
    return found


def check(meeting: Meeting) -> None:
    """Refuse what no calendar should be given.

    Raises:
        RefusedError: The message says what is wrong and how it should be.
    """
    if meeting.end <= meeting.start:
        raise RefusedError(f"{meeting.title!r} would end before it begins. Correct the times.")
    for what, text in (("title", meeting.title), ("place", meeting.where), ("id", meeting.uid)):
        if len(text) > TEXT_MAX or any(unicodedata.category(c) == "Cc" for c in text):
            raise RefusedError(f"The {what} of a meeting is one line of at most {TEXT_MAX} characters.")
    if not meeting.title.strip() or not meeting.uid.strip():
        raise RefusedError("A meeting needs a title. Say what it is about.")
    for each in (*meeting.attendees, *filter(None, [meeting.organizer])):
        if not _ADDRESS.fullmatch(each):
            raise RefusedError(f"{each!r} is no e-mail address, so it cannot be invited.")
    if meeting.attendees and not meeting.organizer:
        raise RefusedError("Somebody is invited, but not by whom: set CALDAV_ORGANIZER to your own address.")
    if meeting.repeats and not meeting.zone:
        raise RefusedError("A recurring meeting needs its time zone, such as Europe/Berlin: the hour shifts in summer.")
    if meeting.zone:
        _zone(meeting.zone)
    if meeting.repeats:
        _rule(meeting.repeats)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedError(f"{name!r} is no time zone as the IANA names them, such as Europe/Berlin.") from None


def _rule(text: str) -> Component:
    try:
        found = icalendar.vRecur.from_ical(text)
    except (ValueError, KeyError):
        found = icalendar.vRecur()
    if not found.get("FREQ") or found["FREQ"][0] not in {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}:
        raise RefusedError(f"{text!r} is no recurrence such as FREQ=WEEKLY;COUNT=10.")
    return found


def digest(key: str) -> str:
    """Return how a stable key is written into an event: as itself it would tell strangers about our tasks."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def compose(meeting: Meeting, now: datetime, *, key: str = "", method: str = "", sequence: int = 0) -> bytes:
    """Return the meeting as iCalendar: to be kept (with its key), or sent (with its method).

    Args:
        meeting: What it is, already through `check`.
        now: For DTSTAMP.
        key: Stable key of the effect that books it.
        method: ``REQUEST`` or ``CANCEL`` for an invitation; a kept event has none (RFC 4791, 4.1).
        sequence: Counts the changes; an invitation with a higher one replaces the others.
    """
    event: Component = icalendar.Event()
    event.add("uid", meeting.uid)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("created", now.astimezone(UTC))
    event.add("sequence", sequence)
    event.add("summary", meeting.title)
    _set_times(event, *_local(meeting.start, meeting.end, meeting.zone))
    if meeting.repeats:
        event.add("rrule", _rule(meeting.repeats))
    if meeting.where:
        event.add("location", meeting.where)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    if not meeting.busy:
        event.add("transp", "TRANSPARENT")
    _invite(event, meeting)
    if key:
        event.add(DONE, digest(key))
    calendar = _calendar(method)
    calendar.add_component(event)
    calendar.add_missing_timezones(last_date=date(meeting.start.year + 10, 12, 31))
    return bytes(calendar.to_ical())


def _invite(event: Component, meeting: Meeting) -> None:
    if not meeting.attendees:
        return
    event.add("organizer", icalendar.vCalAddress(f"mailto:{meeting.organizer}"))
    for each in meeting.attendees:
        guest = icalendar.vCalAddress(f"mailto:{each}")
        guest.params["ROLE"] = "REQ-PARTICIPANT"
        guest.params["PARTSTAT"] = "NEEDS-ACTION"
        guest.params["RSVP"] = "TRUE"
        guest.params["SCHEDULE-AGENT"] = "CLIENT"
        event.add("attendee", guest)


def _calendar(method: str) -> Component:
    calendar: Component = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    if method:
        calendar.add("method", method)
    return calendar


def _local(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    where: tzinfo = _zone(zone) if zone else UTC
    return start.astimezone(where), end.astimezone(where)


def _set_times(event: Component, start: date, end: date) -> None:
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    event.add("dtstart", start)
    event.add("dtend", end)


# ── changing what is there ────────────────────────────────────────────────────────────────────────────────────────


def read(content: bytes) -> Component:
    """Return the calendar object.

    Raises:
        RefusedError: It is none, or holds no event.
    """
    try:
        calendar: Component = icalendar.Calendar.from_ical(content)
    except (ValueError, KeyError, IndexError) as error:
        raise RefusedError(f"The calendar server gave an event that cannot be read ({error}).") from None
    if not calendar.walk("VEVENT"):
        raise RefusedError("The calendar server gave something that is no event.")
    return calendar


def mark_of(calendar: Component, key: str) -> Mark | None:
    """Return what an earlier attempt with this key left behind, or None: then it was never done."""
    for event in calendar.walk("VEVENT"):
        for each in _many(event.get(DONE)):
            name, _, was = str(each).partition(" ")
            if name == digest(key):
                start, _, end = was.partition(" ")
                return Mark(start, end)
    return None


def marks_of(content: bytes) -> frozenset[str]:
    """Return which changes of ours an event has been through; none for somebody else's."""
    done = (each for event in read(content).walk("VEVENT") for each in _many(event.get(DONE)))
    return frozenset(str(each).partition(" ")[0] for each in done)


def moved(
    content: bytes, start: datetime, end: datetime, now: datetime, *, key: str, occurrence: str = ""
) -> tuple[bytes, Mark]:
    """Return the event at another time, and when it was; a recurring one shifts whole, or in one ``occurrence``.

    Raises:
        RefusedError: There is no such occurrence.
    """
    calendar = read(content)
    event = _the_one(calendar, occurrence, now) if occurrence else _master(calendar)
    was_start, was_end = _times(event, start.tzinfo or UTC)
    keep = event["DTSTART"].dt.tzinfo if isinstance(event["DTSTART"].dt, datetime) else start.tzinfo
    _set_times(event, start.astimezone(keep or start.tzinfo), end.astimezone(keep or start.tzinfo))
    mark = Mark(*(at.astimezone(start.tzinfo).isoformat() for at in (was_start, was_end)))
    _touch(event, now, f"{digest(key)} {mark.was_start} {mark.was_end}")
    return bytes(calendar.to_ical()), mark


def without(content: bytes, occurrence: str, now: datetime, *, key: str) -> bytes:
    """Return a recurring event without one of its times.

    Raises:
        RefusedError: It does not take place then.
    """
    calendar = read(content)
    one = _the_one(calendar, occurrence, now)
    calendar.subcomponents.remove(one)
    master = _master(calendar)
    master.add("exdate", one["RECURRENCE-ID"].dt)
    _touch(master, now, digest(key))
    return bytes(calendar.to_ical())


def with_again(content: bytes, occurrence: str, now: datetime, *, key: str) -> bytes:
    """Return a recurring event with a time that `without` took out."""
    calendar = read(content)
    master = _master(calendar)
    wanted = moment(occurrence, "time")
    kept = [each.dt for block in _many(master.get("EXDATE")) for each in block.dts if each.dt != wanted]
    master.pop("EXDATE", None)
    for each in kept:
        master.add("exdate", each)
    _touch(master, now, digest(key))
    return bytes(calendar.to_ical())


def _master(calendar: Component) -> Component:
    events = calendar.walk("VEVENT")
    return next((each for each in events if "RECURRENCE-ID" not in each), events[0])


def _the_one(calendar: Component, occurrence: str, now: datetime) -> Component:
    """Return the override for one time of a series, made if there is none yet."""
    wanted = moment(occurrence, "time")
    for each in calendar.walk("VEVENT"):
        if "RECURRENCE-ID" in each and _aware(each["RECURRENCE-ID"].dt, wanted.tzinfo or UTC) == wanted:
            return each
    master = _master(calendar)
    if not _takes_place(calendar, wanted):
        raise RefusedError(f"{master.get('SUMMARY', 'It')} does not take place at {occurrence}. Look at the agenda.")
    first, last = _times(master, wanted.tzinfo or UTC)
    own = (
        wanted.astimezone(master["DTSTART"].dt.tzinfo) if isinstance(master["DTSTART"].dt, datetime) else wanted.date()
    )
    one: Component = icalendar.Event()
    for name, value in master.property_items(recursive=False):
        if name not in {"BEGIN", "END", "RRULE", "RDATE", "EXDATE", "DTSTART", "DTEND", "DURATION", DONE}:
            one.add(name, value, encode=False)
    one.add("recurrence-id", own)
    _set_times(one, own, own + (last - first))
    one.pop("DTSTAMP", None)
    one.add("dtstamp", now.astimezone(UTC))
    calendar.add_component(one)
    return one


def _takes_place(calendar: Component, at: datetime) -> bool:
    found = recurring_ical_events.of(calendar).between(at - timedelta(days=1), at + timedelta(days=1))
    return any(_aware(each["DTSTART"].dt, at.tzinfo or UTC) == at for each in found)


def _touch(event: Component, now: datetime, done: str) -> None:
    sequence = int(event.pop("SEQUENCE", 0)) + 1
    event.add("sequence", sequence)
    event.pop("LAST-MODIFIED", None)
    event.add("last-modified", now.astimezone(UTC))
    event.add(DONE, done)


def meeting_of(content: bytes) -> Meeting:
    """Return what a kept event says, for an invitation or for putting it back."""
    event = _master(read(content))
    start, end = _times(event, UTC)
    zone = str(getattr(start.tzinfo, "key", "")) if start.tzinfo is not UTC else ""
    rule = event.get("RRULE")
    return Meeting(
        uid=str(event.get("UID", "")),
        title=str(event.get("SUMMARY", "")),
        start=start,
        end=end,
        attendees=tuple(str(each).removeprefix("mailto:") for each in _many(event.get("ATTENDEE"))),
        where=str(event.get("LOCATION", "")),
        zone="" if zone == "UTC" else zone,
        repeats=rule.to_ical().decode() if rule else "",
        organizer=str(event.get("ORGANIZER", "")).removeprefix("mailto:"),
        busy=_takes_time(event),
    )


def sequence_of(content: bytes) -> int:
    """Return how often the event was changed."""
    return int(_master(read(content)).get("SEQUENCE", 0))


# ── when it takes place ───────────────────────────────────────────────────────────────────────────────────────────


def occurrences(contents: Iterable[bytes], start: datetime, end: datetime) -> list[Occurrence]:
    """Return everything that takes place between two moments, in order, recurrences unrolled.

    Raises:
        RefusedError: An event cannot be read, or there are more than `EVENTS_MAX`.
    """
    found: list[Occurrence] = []
    for content in contents:
        calendar = _unrollable(read(content))
        recurring = any("RRULE" in each or "RDATE" in each for each in calendar.walk("VEVENT"))
        # One day around, because a date without hours lies in another day further east; then cut to the stretch.
        for event in recurring_ical_events.of(calendar).between(start - timedelta(days=1), end + timedelta(days=1)):
            one = _occurrence(event, start.tzinfo or UTC, recurring=recurring)
            if one.start < end and start < one.end:
                found.append(one)
            if len(found) > EVENTS_MAX:
                raise RefusedError(f"More than {EVENTS_MAX} events lie in that stretch; ask for a shorter one.")
    return sorted(found, key=lambda one: (one.start, one.uid))


def _unrollable(calendar: Component) -> Component:
    """Take away rules that nobody could sit through: unrolling one by the second would keep the house busy for minutes.

    Whoever may write into a shared calendar can send such a thing; it is taken as its first time only.
    """
    for event in calendar.walk("VEVENT"):
        rules = list(_many(event.get("RRULE")))
        first = event.get("DTSTART")
        ancient = first is not None and first.dt.year < YEAR_MIN
        if any(_too_fine(rule) or (ancient and _often(rule)) for rule in rules):
            event.pop("RRULE")
    return calendar


def _too_fine(rule: Mapping[str, Any]) -> bool:
    parts = [len(list(_many(rule.get(name)))) or 1 for name in ("BYHOUR", "BYMINUTE", "BYSECOND")]
    return str(next(_many(rule.get("FREQ")), "")).upper() not in _FREQUENCIES or math.prod(parts) > TIMES_A_DAY_MAX


def _often(rule: Mapping[str, Any]) -> bool:
    return str(next(_many(rule.get("FREQ")), "")).upper() in {"DAILY", "WEEKLY"}


def _occurrence(event: Component, here: tzinfo, *, recurring: bool) -> Occurrence:
    start, end = _times(event, here)
    cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
    return Occurrence(
        uid=str(event.get("UID", "")),
        title=str(event.get("SUMMARY", "")),
        start=start.astimezone(here),
        end=end.astimezone(here),
        where=str(event.get("LOCATION", "")),
        all_day=not isinstance(event["DTSTART"].dt, datetime),
        busy=not cancelled and _takes_time(event),
        recurring=recurring,
        cancelled=cancelled,
    )


def _takes_time(event: Component) -> bool:
    return str(event.get("TRANSP", "OPAQUE")).upper() != "TRANSPARENT"


def _times(event: Component, here: tzinfo) -> tuple[datetime, datetime]:
    first = event["DTSTART"].dt
    start = _aware(first, here)
    if "DTEND" in event:
        return start, _aware(event["DTEND"].dt, here)
    if "DURATION" in event:
        return start, start + event["DURATION"].dt
    return start, start + (timedelta(0) if isinstance(first, datetime) else timedelta(days=1))


def _aware(value: date | datetime, here: tzinfo) -> datetime:
    """A floating time, and a date without hours, are meant where the reader is (RFC 5545, 3.3.5)."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), tzinfo=here)
    return value if value.tzinfo is not None else value.replace(tzinfo=here)


def _many(value: Any) -> Iterator[Any]:
    if value is not None:
        yield from value if isinstance(value, list) else [value]

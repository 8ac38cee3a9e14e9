"""Agenda: what a day holds, and where there is still room in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from agents.base import (
    Agent,
    Choice,
    Desk,
    Intent,
    Proposal,
    Task,
    local_now,
)
from agents.bill import OPEN
from agents.busy import MEETING_DEFAULT, NO_CALENDAR, Busy, meetings, of_record, taken_between
from agents.directory import (
    look_up,
    named,
    the_client,
)
from agents.edits import with_edits
from agents.letter import (
    day_words,
    moment_words,
)
from agents.slots import ClientName, Day, Moment, Span

WORK_FROM, WORK_TO = time(9), time(17)  # when a meeting is offered
STEP_MINUTES = 30  # meetings begin on the half hour
OFFERED = 3  # times in one answer: as many as fit under a message
LOOK_AHEAD_DAYS = 14
WEEKEND = 5  # date.weekday() of Saturday


class FindTime(Intent):
    """Find free time, for you or to offer to a client."""

    examples: ClassVar[tuple[str, ...]] = (
        "when am I free next week?",
        "find a time for a call with Acme",
        "do I have an hour on Thursday?",
        "suggest three slots for Globex",
        "find 30 minutes for Initech this week",
        "when could I meet Hooli?",
        "any gaps tomorrow afternoon?",
        "what times can I offer Stark?",
        "look for a free slot on Monday",
        "is Friday morning still open?",
        "find time for a two hour workshop",
        "propose a time for the meeting with Umbrella",
        "am I available on 3 December?",
        "when do I have time to write?",
        "fnd a slot for wayne next week",
        "which slots are free on Monday?",
        "open slots tomorrow",
        "which times are free for Hooli next week?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "when am I free on Tuesday?",
        "find a free hour this week",
        "suggest some times for a call with Tyrell",
        "do I have time tomorrow?",
        "which slots are open next Monday?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "what's on my calendar today?",
        "book a meeting with Acme on Tuesday at 3",
        "how much time did I spend on Globex?",
        "what time is it in New York?",
        "free up some disk space",
        "move the meeting to a better time",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "find a time for {client}",
        "when am i free",
        "when am i free {day}",
        "find {span} for {client}",
        "am i free {when}",
        "am i free {day}",
        "when do i have time {day}",
        "free slots {day}",
        "find a time with {client}",
        "find a slot for {client}",
        "find a slot with {client}",
    )

    client: ClientName | None = None
    day: Day | None = None
    when: Moment | None = None
    span: Span | None = None


class Agenda(Intent):
    """Say what a day holds: meetings, reminders, and invoices that fall due."""

    examples: ClassVar[tuple[str, ...]] = (
        "agenda",
        "what do I have tomorrow?",
        "show my calendar for Friday",
        "what's coming up this week?",
        "my schedule please",
        "when is the meeting with Acme?",
        "what's planned for Monday",
        "do I have appointments on 3 December?",
        "list my reminders",
        "what's next?",
        "today's plan",
        "what am I doing on Thursday afternoon",
        "which reminders are set?",
        "wats on tomorow",
        "when am I seeing Initech?",
        "when do we meet Hooli?",
        "when is my next call with Stark?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "what's on my calendar tomorrow?",
        "show me today's appointments",
        "anything planned for Wednesday?",
        "my agenda for next week",
        "when do I see Globex?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "when am I free tomorrow?",
        "book a meeting tomorrow at 3",
        "what happened yesterday?",
        "what's unpaid?",
        "project status of Acme",
        "remind me tomorrow at 9",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "agenda",
        "what's on {day}",
        "what's on today",
        "agenda {day}",
        "my day",
        "what's next",
        "calendar",
        "my calendar",
        "show my calendar",
        "what's on my calendar",
        "calendar for {day}",
        "my calendar for {day}",
        "what have i got {day}",
        "what do i have {day}",
        "meetings {day}",
        "any meetings {day}",
    )
    command: ClassVar[str] = "agenda"

    day: Day | None = None
    client: ClientName | None = None


class Diary(Agent):
    """Knows the operator's days."""

    intents = (FindTime, Agenda)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Say what is planned, or when there is room."""
        match task.intent:
            case FindTime() as wish:
                return await _find(wish, task, desk)
            case Agenda() as wish:
                return await _agenda(wish, task, desk)
        raise NotImplementedError(f"diary does not know {task.intent.id()!r}")


async def _find(wish: FindTime, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk) if wish.client else None
    if isinstance(client, Proposal):
        return client
    here = local_now(desk)
    day = wish.day or (wish.when.astimezone(desk.zone).date() if wish.when else None)
    first = max(here, datetime.combine(day, WORK_FROM, tzinfo=desk.zone)) if day else here
    last = datetime.combine(day, WORK_TO, tzinfo=desk.zone) if day else here + timedelta(days=LOOK_AHEAD_DAYS)
    length = wish.span or MEETING_DEFAULT
    taken, problem = await taken_between(desk, first, last)
    free = _free(first, last, length, taken, weekends=day is not None)
    note = f"\n{problem}" if problem else ""
    if not free:
        when = f"on {day_words(day)}" if day else f"in the next {LOOK_AHEAD_DAYS} days"
        return Proposal(
            say=f"No {_length(length)} are free {when} between {WORK_FROM:%H:%M} and {WORK_TO:%H:%M}.{note}"
        )
    rows = [f"Free for {_length(length)}:", *(f"- {moment_words(start)}" for start in free)]
    said = f"book a meeting with {named(client)} on" if client else "book a meeting on"
    choices = tuple(
        Choice(label=f"{start:%a %d %b, %H:%M}", text=f"{said} {start:%Y-%m-%d} at {start:%H:%M}") for start in free
    )
    return Proposal(
        say="\n".join(rows) + note, choices=choices, results={"free": [start.isoformat() for start in free]}
    )


def _free(first: datetime, last: datetime, length: Span, taken: Sequence[Busy], *, weekends: bool) -> list[datetime]:
    """Return the first free times in working hours, one a half-day, so that there is a choice."""
    found: list[datetime] = []
    step = timedelta(minutes=STEP_MINUTES)
    minutes = (STEP_MINUTES - first.minute % STEP_MINUTES) % STEP_MINUTES
    start = first.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    while start < last and len(found) < OFFERED:
        end = length.after(start)
        day_end = datetime.combine(start.date(), WORK_TO, tzinfo=start.tzinfo)
        fits = start.time() >= WORK_FROM and end <= day_end and (weekends or start.weekday() < WEEKEND)
        if fits and not any(busy.start < end and start < busy.end for busy in taken):
            found.append(start)
            noon = datetime.combine(start.date(), time(13), tzinfo=start.tzinfo)
            start = noon if start < noon else day_end
        else:
            start += step
    return found


async def _agenda(wish: Agenda, task: Task, desk: Desk) -> Proposal:
    here = local_now(desk)
    week = re.search(r"\bweek\b|\bcoming up\b|\breminders\b|\bnext\?", task.text, re.IGNORECASE) or wish.client
    first = wish.day or here.date()
    last = first if wish.day or not week else first + timedelta(days=7)
    if not wish.day and not wish.client and re.search(r"\breminders\b", task.text, re.IGNORECASE):
        return _all_reminders(desk)
    start = datetime.combine(first, time(0), tzinfo=desk.zone)
    taken, problem = await taken_between(desk, start, datetime.combine(last, time(23, 59), tzinfo=desk.zone))
    if wish.client and (record := look_up(desk, wish.client).record):
        mine = [of_record(each, desk) for each in meetings(desk) if each.data.get("client") == record.key]
        taken = [busy for busy in mine if busy.end > desk.now]
    rows = [
        f"- {moment_words(busy.start)} to {busy.end.astimezone(desk.zone):%H:%M}: {busy.title or 'busy'}"
        for busy in taken
    ]
    if not wish.client:
        rows += [f"- {moment_words(when)}: {text} (reminder)" for when, text in _reminders(desk, first, last)]
        rows += [
            f"- {day_words(record.data['due'])}: {record.key} of {record.data['client_name']} falls due"
            for record in desk.records("invoice")
            if record.data["status"] in OPEN and first <= date.fromisoformat(record.data["due"]) <= last
        ]
    span = day_words(first) if first == last else f"{day_words(first)} to {day_words(last)}"
    # Whoever has no calendar knows; a calendar that cannot be read is news.
    note = f"\n{problem}" if problem and problem != NO_CALENDAR else ""
    if not rows:
        return Proposal(say=f"Nothing is planned for {span}.{note}")
    return Proposal(say="\n".join([f"{span}:", *rows]) + note)


def _all_reminders(desk: Desk) -> Proposal:
    """Answer "what reminders do I have?": every one that waits, however far ahead."""
    found = _reminders(desk, date.min, date.max)
    if not found:
        return Proposal(say="No reminder is waiting.")
    rows = [f"- {moment_words(when)}: {text} (reminder)" for when, text in found]
    return Proposal(say="\n".join(["Reminders:", *rows]))


def _reminders(desk: Desk, first: date, last: date) -> list[tuple[datetime, str]]:
    waiting = [
        (datetime.fromisoformat(record.data["when"]).astimezone(desk.zone), str(record.data["text"]))
        for record in desk.records("reminder")
        if record.data.get("status") == "waiting"
    ]
    return sorted(pair for pair in waiting if first <= pair[0].date() <= last)


def _length(span: Span) -> str:
    total = span.minutes + 1440 * span.days
    return f"{total} minutes"

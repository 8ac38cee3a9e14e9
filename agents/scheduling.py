"""Scheduling: reminders, meetings, free time, and what the day holds.

Reminders and meetings live in our own books; the calendar is a connector that may or may not be set up. Times are aware
and on the operator's clock; a time that has passed is asked about and never moved in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Task, Write
from agents.bill import OPEN
from agents.directory import address, cited, free_key, look_up, named, slug, whom
from agents.edits import UnreadableEditError, intent_of
from agents.letter import body, day_words, every_words, in_the_morning, moment_words, pinned
from agents.slots import ClientName, Day, Email, Every, Moment, Span
from agents.slots.grammar import find_spans
from connectors.base import ConnectorError
from memory.events import Json

MEETING_DEFAULT = Span(minutes=60)
WORK_FROM, WORK_TO = time(9), time(17)  # when a meeting is offered
STEP_MINUTES = 30  # meetings begin on the half hour
NO_CALENDAR = "No calendar is set up, so only our own books were looked at."
OFFERED = 3  # times in one answer: as many as fit under a message
LOOK_AHEAD_DAYS = 14
WEEKEND = 5  # date.weekday() of Saturday

_LEAD = re.compile(
    r"^\W*(?:please |pls |can you |could you )*remind me\b(?:\s+(?:to|that|about|of))?\s*", re.IGNORECASE
)
_TITLE = re.compile(r"\b(?:about|on|for|re|regarding|to discuss|to talk about)\s+(?:the |our |a )?(.+)$", re.IGNORECASE)
_JOINTS = re.compile(r"(?:^|\s)(?:on|at|by|in|for|from|to|until|every)?\s*$", re.IGNORECASE)


class RemindMe(Intent):
    """Remind you of something at a time."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "remind me to call the accountant on Tuesday at 3",
        "remind me tomorrow at 9 to send the contract",
        "set a reminder for Friday: pay the rent",
        "in two hours remind me to check the oven",
        "ping me on Monday about the tax return",
        "remind me every Friday to back up the laptop",
        "don't let me forget to renew the domain on 3 March",
        "reminder: dentist Thursday 10:30",
        "nudge me next week about the Acme proposal",
        "remind me in 20 minutes",
        "can you remind me to water the plants each Sunday",
        "I need to call mum tonight, remind me",
        "wake me up at noon with the to-do list",
        "remind me at 5pm to switch the servers",
        "tell me on the 15th to file the VAT return",
        "remnd me tomorow to buy stamps",
        "set an alarm for 14:00 to join the webinar",
        "remind me to invoice Globex on the first",
        "make sure I remember the dentist on Thursday",
        "don't let me forget the fair on 3 June",
        "I must not forget to send the tax papers on Friday",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "remind me on Wednesday to write the newsletter",
        "please remind me in an hour to call Hooli",
        "set a reminder for tomorrow morning: passport",
        "ping me at 16:00 about the delivery",
        "every month remind me to check the backups",
        "make sure I don't forget the trade fair on 12 May",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind Acme to pay",
        "book a meeting on Tuesday at 3",
        "what's on today?",
        "remember that the accountant is called Ruth",
        "schedule the post for Friday",
        "follow up with Acme next week",
        "remind me who Tyrell is",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "remind me to {what} {when}",
        "remind me {when} to {what}",
        "remind me {every} to {what}",
        "remind me to {what} {every}",
        "remind me to {what}",
    )
    command: ClassVar[str] = "remind"
    asks: ClassVar[Mapping[str, str]] = {"when": "When shall I remind you?"}

    what: str = ""
    when: Moment | None = None
    every: Every | None = None
    day: Day | None = None
    span: Span | None = None


class BookMeeting(Intent):
    """Put a meeting in the calendar and invite whoever comes."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "book a meeting with Acme on Tuesday at 3",
        "schedule a call with Globex tomorrow at 10",
        "put a kick-off with Initech in the calendar, Monday 9:00",
        "set up a video call with Hooli for Friday afternoon at 2",
        "meet Stark on 5 December at noon for an hour",
        "add an appointment: dentist, Thursday 10:30",
        "invite anna@acme.example to a review on Wednesday at 4pm",
        "plan a 30 minute call with Umbrella on Monday at 11",
        "block Friday from 9 to 12 for writing",
        "arrange lunch with Wayne next Tuesday at 12:30",
        "new meeting: Tyrell, 14 January, 15:00",
        "reserve an hour with Cyberdyne tomorrow at 5",
        "make an appointment with the accountant on the 3rd at 9",
        "calendar: workshop Wonka 20 Nov 9am",
        "bok a meeting with duff on monday 2pm",
        "let's do a demo for Acme on Thursday at 16:00",
        "schedule a meeting with Hooli on Friday at 10:00",
        "schedule a meeting with Wayne tomorrow at 15:00",
        "plan a meeting with Stark on Thursday at 9",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "schedule a meeting with Globex on Monday at 14:00",
        "book 45 minutes with Initech on Friday at 9",
        "put lunch with Hooli on Wednesday at 1pm into my calendar",
        "set up a call with Stark for next Thursday 10am",
        "add a meeting with Wayne on 2 December at 11",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "move the meeting with Acme to Friday",
        "cancel the call with Globex",
        "when am I free next week?",
        "remind me to call Acme at 3",
        "schedule the post for Tuesday at 3",
        "book a flight to Rome",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "book a meeting with {client} {when}",
        "book a meeting with {client} {when} for {span}",
        "schedule a call with {client} {when}",
        "meet {client} {when}",
    )
    asks: ClassVar[Mapping[str, str]] = {"when": "When shall the meeting be?"}

    client: ClientName | None = None
    when: Moment | None = None
    span: Span | None = None
    email: Email | None = None
    what: str = ""
    where: str = ""


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
    )

    client: ClientName | None = None
    day: Day | None = None
    when: Moment | None = None
    span: Span | None = None


class MoveMeeting(Intent):
    """Move a meeting to another time and tell who is invited."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "move the meeting with Acme to Friday at 10",
        "reschedule the Globex call to tomorrow at 4",
        "push Initech back by an hour",
        "shift the kick-off with Hooli to Monday 9:00",
        "can we do Stark on Thursday at 2 instead?",
        "postpone the Umbrella review to next Tuesday at 11",
        "the call with Wayne has to be later, make it 17:00",
        "bring the Tyrell meeting forward to 9am tomorrow",
        "change tomorrow's meeting with Cyberdyne to 3pm",
        "rebook Wonka for 5 December at 10",
        "move my 3 o'clock to 4",
        "delay the Duff demo until Friday at noon",
        "Acme can't make it, move it to Wednesday 14:00",
        "put the Globex appointment on Monday at 8:30 instead",
        "resched initech to friday 1pm",
        "reschedule Wayne for Tuesday at 9",
        "make the Hooli call half an hour later",
        "make the Stark meeting an hour earlier",
        "reschedule the meeting with Umbrella for Monday at 10",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "move the Hooli call to Wednesday at 3pm",
        "reschedule Stark for Monday at 10",
        "postpone my meeting with Umbrella to Friday 9:30",
        "shift Wayne to 4 December, 11:00",
        "make the Tyrell meeting an hour later",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel the meeting with Acme",
        "book a meeting with Acme on Friday",
        "move the post to Friday",
        "Acme moved to Berlin, change the address",
        "postpone the invoice",
        "when is the meeting with Globex?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "move the meeting with {client} to {when}",
        "move {client} to {when}",
        "reschedule {client} to {when}",
    )
    asks: ClassVar[Mapping[str, str]] = {"when": "To which time shall I move it?"}

    client: ClientName | None = None
    when: Moment | None = None
    span: Span | None = None


class CancelMeeting(Intent):
    """Cancel a meeting and tell who is invited."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "cancel the meeting with Acme",
        "call off the Globex call",
        "drop tomorrow's appointment with Initech",
        "I can't make the Hooli meeting, cancel it",
        "delete the Stark review from the calendar",
        "scrap the lunch with Umbrella",
        "tell Wayne the meeting is off",
        "remove Thursday's dentist appointment",
        "cancel my 3 o'clock",
        "the Tyrell kick-off is not happening, take it out",
        "cancel all meetings with Cyberdyne",
        "unbook Wonka",
        "cancel Friday's demo",
        "no meeting with Duff after all, cancel please",
        "cancl the call with acme tomorrow",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please cancel the call with Hooli on Monday",
        "call off my meeting with Stark",
        "take the Umbrella appointment out of the calendar",
        "cancel tomorrow's meeting with Wayne",
        "the review with Tyrell is cancelled, remove it",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel 2026-0001",
        "move the meeting with Acme to Friday",
        "cancel the post",
        "Acme cancelled their subscription",
        "stop reminding me",
        "did Globex cancel?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "cancel the meeting with {client}",
        "cancel the call with {client}",
        "call off the meeting with {client}",
    )

    client: ClientName | None = None
    day: Day | None = None


class Agenda(Intent):
    """Say what a day holds: meetings, reminders, and invoices that fall due."""

    examples: ClassVar[tuple[str, ...]] = (
        "what's on today?",
        "agenda",
        "what do I have tomorrow?",
        "show my calendar for Friday",
        "what's coming up this week?",
        "any meetings today?",
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
    patterns: ClassVar[tuple[str, ...]] = ("agenda", "what's on {day}", "what's on today", "agenda {day}")
    command: ClassVar[str] = "agenda"

    day: Day | None = None
    client: ClientName | None = None


class Scheduling(Agent):
    """Keeps the operator's time: reminders in our books, meetings in the calendar."""

    intents = (RemindMe, BookMeeting, FindTime, MoveMeeting, CancelMeeting, Agenda)
    proposes = ("books.remind", "books.write", "calendar.book", "calendar.move", "calendar.cancel", "mail.send")

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do one request about time."""
        try:
            wanted = intent_of(task, desk)
        except UnreadableEditError as error:
            return Proposal(ask=str(error))
        match wanted:
            case RemindMe() as wish:
                return _remind(wish, task, desk)
            case BookMeeting() as wish:
                return await _book(wish, task, desk)
            case FindTime() as wish:
                return await _find(wish, task, desk)
            case MoveMeeting() as wish:
                return await _move(wish, task, desk)
            case CancelMeeting() as wish:
                return await _cancel(wish, task, desk)
            case Agenda() as wish:
                return await _agenda(wish, task, desk)
        raise NotImplementedError(f"scheduling does not know {task.intent.id()!r}")


# ── reminders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _remind(wish: RemindMe, task: Task, desk: Desk) -> Proposal:
    what = _what(wish, task, desk) or "what you asked for"
    when = _when(wish, desk)
    every = in_the_morning(wish.every) if wish.every else None
    if every:
        when = when or every.next(_here(desk))
    if when is None:
        return Proposal(
            ask="When shall I remind you?",
            choices=tuple(
                Choice(label=label, text=f"remind me to {what} {said}")
                for label, said in (
                    ("In an hour", "in 1 hour"),
                    ("Tomorrow at 9", "tomorrow at 9:00"),
                    ("On Monday", "on Monday at 9:00"),
                )
            ),
        )
    if when <= desk.now:
        return Proposal(
            ask=f"{moment_words(when.astimezone(desk.zone))} has passed. When shall I remind you?",
            choices=(Choice(label="Tomorrow at 9", text=f"remind me to {what} tomorrow at 9:00"),),
        )
    local = when.astimezone(desk.zone)
    key = free_key(desk, "reminder", f"{local:%Y-%m-%d}-{slug(what)[:32].strip('-') or 'reminder'}")
    data: dict[str, Json] = {"text": what, "when": local.isoformat(), "status": "waiting"}
    args: dict[str, Json] = {"text": what, "when": local.isoformat()}
    if every:
        data["rule"] = args["every"] = str(every)
    call = ActionCall(
        name="books.remind",
        args=args,
        writes=(Write(kind="reminder", key=key, data=data),),
        needs={f"reminder:{key}": 0},
    )
    again = f", then {every_words(every)}" if every else ""
    return Proposal(
        calls=(call,), results={"when": local.isoformat(), "reminder": key}, reasons=(f"{moment_words(local)}{again}.",)
    )


def _when(wish: RemindMe, desk: Desk) -> datetime | None:
    if wish.when:
        return wish.when
    if wish.span:
        return wish.span.after(_here(desk))
    return datetime.combine(wish.day, time(9), tzinfo=desk.zone) if wish.day else None


def _what(wish: RemindMe, task: Task, desk: Desk) -> str:
    """Return what to be reminded of: the slot, else the operator's words without the time and the asking."""
    said = wish.what.strip(" .,:") or _LEAD.sub("", _without_times(task.text, desk))
    said = re.sub(r"^(?:to|that|about|of)\s+|[,\s]*\bremind me\b[.!]?$", "", said.strip(" .,:"), flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", said).strip(" .,:")


def _without_times(text: str, desk: Desk) -> str:
    spans = find_spans(text, desk.now, desk.zone, desk.company.get("locale", "en"))
    for slot in sorted(spans, key=lambda slot: -slot.start):
        if slot.kind in {"moment", "day", "time", "every", "span"}:
            text = _JOINTS.sub(" ", text[: slot.start]) + " " + text[slot.end :]
    return text


# ── meetings ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Busy:
    """A stretch of time that is taken."""

    start: datetime
    end: datetime
    title: str = ""


async def _book(wish: BookMeeting, task: Task, desk: Desk) -> Proposal:
    client, guests = None, [str(wish.email)] if wish.email else []
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None and not guests:
            return whom(task, wish.client, match.nearby)
        client = match.record
        if client and not guests and address(client):
            guests = [str(client.data.get("email") or address(client))]
    if wish.when is None:
        return Proposal(ask="When shall the meeting be?")
    start = wish.when.astimezone(desk.zone)
    if start <= desk.now:
        return Proposal(ask=f"{moment_words(start)} has passed. When shall the meeting be?")
    end = (wish.span or MEETING_DEFAULT).after(start)
    title = (
        wish.what or _title(task, desk) or f"Meeting with {named(client) if client else (wish.client or 'nobody else')}"
    )
    taken, problem = await _busy(desk, start, end)
    reasons = [f"{_minutes(start, end)} minutes, the usual length."] if wish.span is None else []
    reasons += [f"Overlaps with {busy.title or 'something'} at {busy.start:%H:%M}." for busy in taken]
    reasons += [problem] if problem else []
    if client and not guests:
        reasons.append(f"{named(client)} has no e-mail address, so nobody is invited.")
    key = free_key(desk, "meeting", f"{start:%Y-%m-%d}-{slug(title)[:32].strip('-') or 'meeting'}")
    data: dict[str, Json] = {
        "title": title, "start": start.isoformat(), "end": end.isoformat(), "attendees": guests, "where": wish.where,
        "client": client.key if client else "", "event": _uid(key), "status": "booked",
    }  # fmt: skip
    call = ActionCall(
        name="calendar.book",
        args={
            "event": _uid(key), "title": title, "start": start.isoformat(), "end": end.isoformat(),
            "attendees": guests, "where": wish.where, "zone": _zone_name(desk),
        },
        writes=(Write(kind="meeting", key=key, data=data),),
        needs={**pinned(client), f"meeting:{key}": 0},
        client=client.key if client else "",
    )  # fmt: skip
    told, note = await _told(desk, call, "Invitation", f"This is the invitation to {title}, {moment_words(start)}.")
    return Proposal(
        calls=(call, *told),
        results={"meeting": key, "start": start.isoformat()},
        reasons=(*reasons, *note),
        confidence_pct=95 - 15 * bool(taken),
        sources=cited(client) if client else (),
    )


def _uid(key: str) -> str:
    """The calendar's id of a meeting is ours to choose (RFC 5545, UID), so it is known before it is booked."""
    return f"{key}@soloist"


def _zone_name(desk: Desk) -> str:
    """The zone's IANA name: an hour every week is another moment in summer."""
    return str(getattr(desk.zone, "key", ""))


async def _told(desk: Desk, call: ActionCall, what: str, words: str) -> tuple[tuple[ActionCall, ...], tuple[str, ...]]:
    """Return the mail with which everybody invited learns of a change, and what the operator should know about it.

    The calendar's server tells nobody; the mail stands on the same card and goes out behind the change.
    """
    guests = [str(each) for each in call.args.get("attendees") or ()]
    if not guests:
        return (), ()
    facts: dict[str, Json] = {
        name: call.args[name] for name in ("event", "title", "start", "end", "where", "zone") if name in call.args
    }
    if call.name == "calendar.cancel":
        facts = {"event": call.args["event"], "method": "CANCEL"}
    else:
        facts["attendees"] = guests
    try:
        receipt = await desk.use("calendar.invitation", **facts)
    except PermissionError:
        return (), ("Nobody is told by this: no calendar is set up that could make an invitation.",)
    except ConnectorError as error:
        return (), (f"Nobody is told by this, as no invitation could be made: {error}",)
    mail = ActionCall(
        name="mail.send",
        args={
            "to": guests,
            "subject": f"{what}: {call.args['title']}",
            "body": body(desk, "", (words,)),
            "attachments": receipt.data["attachments"],
        },
        client=call.client,
    )
    return (mail,), (f"{', '.join(guests)} will be told by mail.",)


def _title(task: Task, desk: Desk) -> str:
    found = _TITLE.search(_without_times(task.text, desk))
    said = found[1].strip(" .,") if found else ""
    return said[0].upper() + said[1:] if said else ""


async def _busy(desk: Desk, start: datetime, end: datetime) -> tuple[list[Busy], str]:
    """Return what is taken between two moments, by our books and the calendar, and what could not be looked up."""
    taken = {record.data["event"]: _of_record(record, desk) for record in _meetings(desk)}
    problem = ""
    try:
        receipt = await desk.use("calendar.free", start=start.isoformat(), end=end.isoformat())
    except PermissionError:
        problem = NO_CALENDAR
    except ConnectorError as error:
        problem = f"Only our own books were looked at; the calendar could not be read: {error}"
    else:
        for row in receipt.data.get("busy", ()):
            taken[str(row.get("event") or row["start"])] = Busy(
                datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]), str(row.get("title", ""))
            )
    inside = [busy for busy in taken.values() if busy.start < end and start < busy.end]
    return sorted(inside, key=lambda busy: busy.start), problem


def _of_record(record: Record, desk: Desk) -> Busy:
    start, end = (datetime.fromisoformat(record.data[key]).astimezone(desk.zone) for key in ("start", "end"))
    return Busy(start, end, str(record.data["title"]))


def _meetings(desk: Desk) -> list[Record]:
    return [record for record in desk.records("meeting") if record.data["status"] == "booked"]


async def _find(wish: FindTime, task: Task, desk: Desk) -> Proposal:
    client = None
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None:
            return whom(task, wish.client, match.nearby)
        client = match.record
    here = _here(desk)
    day = wish.day or (wish.when.astimezone(desk.zone).date() if wish.when else None)
    first = max(here, datetime.combine(day, WORK_FROM, tzinfo=desk.zone)) if day else here
    last = datetime.combine(day, WORK_TO, tzinfo=desk.zone) if day else here + timedelta(days=LOOK_AHEAD_DAYS)
    length = wish.span or MEETING_DEFAULT
    taken, problem = await _busy(desk, first, last)
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


async def _move(wish: MoveMeeting, task: Task, desk: Desk) -> Proposal:
    found = _meant(wish.client, None, task, desk, "move {title} to")
    if isinstance(found, Proposal):
        return found
    was = _of_record(found, desk)
    if wish.when:
        start = wish.when.astimezone(desk.zone)
    elif wish.span:
        start = wish.span.after(was.start)
    else:
        return Proposal(ask=f"To which time shall I move {was.title}, now {moment_words(was.start)}?")
    if start <= desk.now:
        return Proposal(ask=f"{moment_words(start)} has passed. To which time shall I move {was.title}?")
    end = start + (was.end - was.start)
    taken, problem = await _busy(desk, start, end)
    others = [busy for busy in taken if busy != was]
    reasons = [f"Was {moment_words(was.start)}."]
    reasons += [f"Overlaps with {busy.title or 'something'} at {busy.start:%H:%M}." for busy in others]
    reasons += [problem] if problem else []
    data = {**found.data, "start": start.isoformat(), "end": end.isoformat()}
    call = ActionCall(
        name="calendar.move",
        args={
            "event": found.data["event"], "title": found.data["title"], "start": start.isoformat(),
            "end": end.isoformat(), "attendees": found.data["attendees"],
        },
        writes=(Write(kind="meeting", key=found.key, data=data),),
        needs=pinned(found),
        client=str(found.data.get("client") or ""),
    )  # fmt: skip
    told, note = await _told(desk, call, "New time", f"{was.title} is moved to {moment_words(start)}.")
    return Proposal(
        calls=(call, *told),
        results={"meeting": found.key, "start": start.isoformat()},
        reasons=(*reasons, *note),
    )


async def _cancel(wish: CancelMeeting, task: Task, desk: Desk) -> Proposal:
    found = _meant(wish.client, wish.day, task, desk, "cancel {title}")
    if isinstance(found, Proposal):
        return found
    was = _of_record(found, desk)
    call = ActionCall(
        name="calendar.cancel",
        args={
            "event": found.data["event"],
            "title": was.title,
            "start": found.data["start"],
            "attendees": found.data["attendees"],
        },
        writes=(Write(kind="meeting", key=found.key, data={**found.data, "status": "cancelled"}),),
        needs=pinned(found),
        client=str(found.data.get("client") or ""),
    )
    told, note = await _told(desk, call, "Cancelled", f"{was.title} on {moment_words(was.start)} does not take place.")
    nobody = () if found.data["attendees"] else ("Nobody else is invited.",)
    reasons = (f"{moment_words(was.start)}.", *note, *nobody)
    return Proposal(calls=(call, *told), results={"meeting": found.key}, reasons=reasons)


def _meant(client: str | None, day: date | None, task: Task, desk: Desk, say: str) -> Record | Proposal:
    """Return the one coming meeting that is meant, or the question that finds it."""
    coming = sorted(
        (record for record in _meetings(desk) if _of_record(record, desk).end > desk.now),
        key=lambda record: str(record.data["start"]),
    )
    if titled := [record for record in coming if str(record.data["title"]).casefold() in task.text.casefold()]:
        coming = titled
    elif client:
        match = look_up(desk, client)
        if match.record is None:
            return whom(task, client, match.nearby)
        coming = [record for record in coming if record.data.get("client") == match.record.key]
    if day:
        coming = [record for record in coming if _of_record(record, desk).start.date() == day]
    if len(coming) == 1:
        return coming[0]
    if not coming:
        return Proposal(problem="I know of no such meeting. 'agenda' shows what is planned.")
    return Proposal(
        ask="Which meeting?",
        choices=tuple(
            Choice(
                label=f"{record.data['title']}, {moment_words(_of_record(record, desk).start)}",
                text=say.format(title=record.data["title"])
                if "{title} to" not in say
                else f"{say.format(title=record.data['title'])} …",
            )
            for record in coming[:6]
        ),
    )


# ── what the day holds ────────────────────────────────────────────────────────────────────────────────────────────


async def _agenda(wish: Agenda, task: Task, desk: Desk) -> Proposal:
    here = _here(desk)
    week = re.search(r"\bweek\b|\bcoming up\b|\breminders\b|\bnext\?", task.text, re.IGNORECASE) or wish.client
    first = wish.day or here.date()
    last = first if wish.day or not week else first + timedelta(days=7)
    start = datetime.combine(first, time(0), tzinfo=desk.zone)
    taken, problem = await _busy(desk, start, datetime.combine(last, time(23, 59), tzinfo=desk.zone))
    if wish.client and (record := look_up(desk, wish.client).record):
        mine = [_of_record(each, desk) for each in _meetings(desk) if each.data.get("client") == record.key]
        taken = [busy for busy in mine if busy.end > desk.now]
    rows = [
        f"- {moment_words(busy.start)} to {busy.end.astimezone(desk.zone):%H:%M}: {busy.title or 'busy'}"
        for busy in taken
    ]
    if not wish.client:
        rows += [f"- {moment_words(when)}: reminder, {text}" for when, text in _reminders(desk, first, last)]
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


def _reminders(desk: Desk, first: date, last: date) -> list[tuple[datetime, str]]:
    waiting = [
        (datetime.fromisoformat(record.data["when"]).astimezone(desk.zone), str(record.data["text"]))
        for record in desk.records("reminder")
        if record.data.get("status") == "waiting"
    ]
    return sorted(pair for pair in waiting if first <= pair[0].date() <= last)


def _here(desk: Desk) -> datetime:
    return desk.now.astimezone(desk.zone)


def _minutes(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() // 60)


def _length(span: Span) -> str:
    total = span.minutes + 1440 * span.days
    return f"{total} minutes"

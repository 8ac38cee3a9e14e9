"""Scheduling: meetings are booked, moved and cancelled, and everybody invited is told.

Meetings live in our own books; the calendar is a connector that may or may not be set up. Times are aware and on the
operator's clock; a time that has passed is asked about and never moved in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import ClassVar

from agents.base import (
    ActionCall,
    Agent,
    Choice,
    Desk,
    Intent,
    Proposal,
    Record,
    Risk,
    Task,
    Write,
)
from agents.busy import MEETING_DEFAULT, meetings, of_record, taken_between
from agents.directory import (
    address,
    cited,
    free_key,
    look_up,
    named,
    slug,
    the_client,
    whom,
)
from agents.edits import with_edits
from agents.letter import (
    body,
    moment_words,
    pinned,
)
from agents.phrase import without_times
from agents.slots import ClientName, Day, Email, Moment, Span
from connectors.base import ConnectorError
from memory.events import Json

_TITLE = re.compile(r"\b(?:about|on|for|re|regarding|to discuss|to talk about)\s+(?:the |our |a )?(.+)$", re.IGNORECASE)


class BookMeeting(Intent):
    """Put a meeting in the calendar and invite whoever comes."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("calendar.book", "mail.send")
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
        "call with {client} {when}",
        "meeting with {client} {when}",
        "lunch with {client} {when}",
        "coffee with {client} {when}",
        "book {client} {when}",
        "book {client} {when} for {span}",
        "book a call with {client} {when}",
        "schedule a meeting with {client} {when}",
    )
    asks: ClassVar[Mapping[str, str]] = {"when": "When shall the meeting be?"}

    client: ClientName | None = None
    when: Moment | None = None
    span: Span | None = None
    email: Email | None = None
    what: str = ""
    where: str = ""


class MoveMeeting(Intent):
    """Move a meeting to another time and tell who is invited."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("calendar.move", "mail.send")
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
        "move the call with {client} to {when}",
        "push {client} to {when}",
        "push the call with {client} to {when}",
        "push the meeting with {client} to {when}",
        "postpone {client} to {when}",
        "reschedule the meeting with {client} to {when}",
        "reschedule the call with {client} to {when}",
    )
    asks: ClassVar[Mapping[str, str]] = {"when": "To which time shall I move it?"}

    client: ClientName | None = None
    when: Moment | None = None
    span: Span | None = None


class CancelMeeting(Intent):
    """Cancel a meeting and tell who is invited."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("calendar.cancel", "mail.send")
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
        "cancel my meeting with {client}",
        "cancel my call with {client}",
        "cancel the lunch with {client}",
        "cancel the demo with {client}",
        "cancel the call with {client} {day}",
        "cancel the meeting with {client} {day}",
        "call off the call with {client}",
        "call off the lunch with {client}",
    )

    client: ClientName | None = None
    day: Day | None = None


class Scheduling(Agent):
    """Keeps the operator's appointments."""

    intents = (BookMeeting, MoveMeeting, CancelMeeting)
    proposes = ("calendar.book", "calendar.move", "calendar.cancel", "mail.send")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Book, move or cancel a meeting."""
        match task.intent:
            case BookMeeting() as wish:
                return await _book(wish, task, desk)
            case MoveMeeting() as wish:
                return await _move(wish, task, desk)
            case CancelMeeting() as wish:
                return await _cancel(wish, task, desk)
        raise NotImplementedError(f"scheduling does not know {task.intent.id()!r}")


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
    taken, problem = await taken_between(desk, start, end)
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
    found = _TITLE.search(without_times(task.text, desk))
    said = found[1].strip(" .,") if found else ""
    return said[0].upper() + said[1:] if said else ""


async def _move(wish: MoveMeeting, task: Task, desk: Desk) -> Proposal:
    found = _meant(wish.client, None, task, desk, "move {title} to")
    if isinstance(found, Proposal):
        return found
    was = of_record(found, desk)
    if wish.when:
        start = wish.when.astimezone(desk.zone)
    elif wish.span:
        start = wish.span.after(was.start)
    else:
        return Proposal(ask=f"To which time shall I move {was.title}, now {moment_words(was.start)}?")
    if start <= desk.now:
        return Proposal(ask=f"{moment_words(start)} has passed. To which time shall I move {was.title}?")
    end = start + (was.end - was.start)
    taken, problem = await taken_between(desk, start, end)
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
    was = of_record(found, desk)
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
        (record for record in meetings(desk) if of_record(record, desk).end > desk.now),
        key=lambda record: str(record.data["start"]),
    )
    if titled := [record for record in coming if str(record.data["title"]).casefold() in task.text.casefold()]:
        coming = titled
    elif client:
        who = the_client(client, task, desk)
        if isinstance(who, Proposal):
            return who
        coming = [record for record in coming if record.data.get("client") == who.key]
    if day:
        coming = [record for record in coming if of_record(record, desk).start.date() == day]
    if len(coming) == 1:
        return coming[0]
    if not coming:
        return Proposal(problem="I know of no such meeting. 'agenda' shows what is planned.")
    return Proposal(
        ask="Which meeting?",
        choices=tuple(
            Choice(
                label=f"{record.data['title']}, {moment_words(of_record(record, desk).start)}",
                text=say.format(title=record.data["title"])
                if "{title} to" not in say
                else f"{say.format(title=record.data['title'])} …",
            )
            for record in coming[:6]
        ),
    )


def _minutes(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() // 60)

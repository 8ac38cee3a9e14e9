"""Reminders: what the operator wants to be told of, once or again and again.

Times are aware and on the operator's clock; a time that has passed is asked about and never moved in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time
from typing import ClassVar

from agents.base import (
    ActionCall,
    Agent,
    Choice,
    Desk,
    Intent,
    Proposal,
    Risk,
    Task,
    Write,
    local_now,
)
from agents.edits import with_edits
from agents.letter import (
    every_words,
    in_the_morning,
    moment_words,
)
from agents.phrase import without_times
from agents.reminder import reminder
from agents.slots import Day, Every, Moment, Span

_LEAD = re.compile(
    r"^\W*(?:please |pls |can you |could you )*(?:(?:remind|tell|ping|nudge) me|do ?n['’o]?t let me forget|erinner\w* mich)\b"
    r"(?:\s+(?:to|that|about|of|an|daran))?\s*", re.IGNORECASE,
)  # fmt: skip
OFFERED_MAX = 4  # buttons under one question
_SAID = re.compile(r"[^\W_]+")
_COMMON = frozenset("the a an my me to of for about from with that this on at reminder reminders move push".split())  # noqa: SIM905


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
        "remind me about {what} {when}",
        "remind me of {what} {when}",
        "remind me {when} about {what}",
        "remind me {when} of {what}",
        "remind me {when} {what}",
        "reminder {when}: {what}",
        "ping me {when} about {what}",
        "set a reminder for {when}: {what}",
        "{when} remind me to {what}",
        "{every} remind me to {what}",
        "remind me {every} about {what}",
        "remember to {what} {when}",
        "remember to {what}",
    )
    command: ClassVar[str] = "remind"
    asks: ClassVar[Mapping[str, str]] = {"when": "When shall I remind you?"}

    what: str = ""
    when: Moment | None = None
    every: Every | None = None
    day: Day | None = None
    span: Span | None = None


class MoveReminder(Intent):
    """Move a reminder to another time."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "move the tax reminder to Monday", "move the reminder about the rent to Friday", "push the reminder for the dentist to next week",
        "postpone the plants reminder until tomorrow", "shift my reminder about the domain to 3 pm", "the rent reminder should come on Monday instead",
        "change the reminder to call Bob to Thursday at 9", "reschedule the reminder about the backup to tomorrow at 8",
        "put the reminder for the insurance off until next month", "delay the reminder about the keys by two days", "make the tax reminder Tuesday instead",
        "remind me of the rent on Friday instead of Thursday", "move my reminder for stamps to 17:00", "set the reminder about the passport to 3 March",
        "bring the reminder for the fair forward to Monday",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "move the reminder about the lease to Wednesday", "postpone the backup reminder to next Friday", "push my reminder to call mum to 6 pm",
        "reschedule the tax reminder to the 15th", "change the reminder for the oven to 14:30",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind me on Monday of the tax", "move the meeting with Acme to Monday", "send Globex a reminder", "cancel the reminder about the rent",
        "snooze 2.1 until Monday",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "move the {what} reminder to {when}", "move the reminder about {what} to {when}", "move the reminder for {what} to {when}",
        "move the reminder to {what} to {when}", "move my {what} reminder to {when}", "postpone the {what} reminder to {when}",
        "postpone the {what} reminder until {when}", "push the {what} reminder to {when}", "postpone the reminder about {what} to {when}",
        "push the reminder about {what} to {when}", "shift the {what} reminder to {when}", "reschedule the {what} reminder to {when}",
    )  # fmt: skip

    what: str = ""
    when: Moment | None = None
    day: Day | None = None


class Reminders(Agent):
    """Remembers for the operator."""

    intents = (RemindMe, MoveReminder)
    proposes = ("books.remind", "books.write")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Note a reminder, or ask when."""
        match task.intent:
            case RemindMe() as wish:
                return _remind(wish, task, desk)
            case MoveReminder() as wish:
                return _moved(wish, task, desk)
        raise NotImplementedError(f"reminders does not know {task.intent.id()!r}")


def _remind(wish: RemindMe, task: Task, desk: Desk) -> Proposal:
    what = _what(wish, task, desk) or "what you asked for"
    when = _when(wish, desk)
    every = in_the_morning(wish.every) if wish.every else None
    if every:
        when = when or every.next(local_now(desk))
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
    call = reminder(desk, what, local, every=every)
    again = f", then {every_words(every)}" if every else ""
    results = {"when": local.isoformat(), "reminder": call.writes[0].key}
    return Proposal(calls=(call,), results=results, reasons=(f"{moment_words(local)}{again}.",))


def _when(wish: RemindMe, desk: Desk) -> datetime | None:
    if wish.when:
        return wish.when
    if wish.span:
        return wish.span.after(local_now(desk))
    return datetime.combine(wish.day, time(9), tzinfo=desk.zone) if wish.day else None


def _what(wish: RemindMe, task: Task, desk: Desk) -> str:
    """Return what to be reminded of: the slot, else the operator's words without the time and the asking."""
    said = wish.what.strip(" .,:") or _LEAD.sub("", without_times(task.text, desk))
    said = re.sub(r"^(?:to|that|about|of)\s+|[,\s]*\bremind me\b[.!]?$", "", said.strip(" .,:"), flags=re.IGNORECASE)
    return re.sub(r"\s+", " ", said).strip(" .,:")


def _moved(wish: MoveReminder, task: Task, desk: Desk) -> Proposal:
    """Propose to note it for another time and to drop the one that stood."""
    waiting = [each for each in desk.records("reminder") if each.data.get("status") == "waiting"]
    about = _SAID.findall((wish.what or without_times(task.text, desk)).casefold())
    shared = [len({*about} & {*_SAID.findall(str(each.data["text"]).casefold())} - _COMMON) for each in waiting]
    meant = [each for each, count in zip(waiting, shared, strict=True) if count and count == max(shared)]
    if not meant and len(waiting) != 1:
        names = "; ".join(str(each.data["text"]) for each in waiting[:OFFERED_MAX])
        told = f" What waits: {names}." if waiting else " No reminder is waiting."
        return Proposal(problem=f"I do not know which reminder you mean.{told}")
    if not (wish.when or wish.day):
        return Proposal(ask="When shall I remind you instead? Say it in one line: move the tax reminder to Monday.")
    if len(meant) > 1:
        return Proposal(
            ask="Which reminder do you mean?",
            choices=tuple(
                Choice(
                    label=str(each.data["text"]), text=f"move the {each.data['text']} reminder to {_said(wish, desk)}"
                )
                for each in meant[:OFFERED_MAX]
            ),
        )
    [record] = meant or waiting
    was = datetime.fromisoformat(str(record.data["when"])).astimezone(desk.zone)
    if record.data.get("rule"):
        return Proposal(
            ask=f"{record.data['text']!r} comes again and again. Stop it, and tell me the new times: "
            f"stop reminding me about {record.data['text']}",
        )
    if wish.when:
        when = wish.when.astimezone(desk.zone)
    else:
        assert wish.day is not None
        when = datetime.combine(wish.day, was.timetz())  # the hour that stood
    if when <= desk.now:
        return Proposal(ask=f"{moment_words(when)} has passed. When shall I remind you instead?")
    kept = {name: value for name, value in record.data.items() if name not in {"text", "when", "status", "client"}}
    fresh = reminder(desk, str(record.data["text"]), when, str(record.data.get("client") or ""), **kept)
    drop = ActionCall(
        name="books.write",
        args={"summary": f"No reminder on {moment_words(was)}", "fields": {"Was": str(record.data["text"])}},
        writes=(Write(kind="reminder", key=record.key, data=dict(record.data), gone=True),),
        needs={f"reminder:{record.key}": record.version},
    )
    return Proposal(calls=(drop, fresh), results={"when": when.isoformat(), "reminder": fresh.writes[0].key})


def _said(wish: MoveReminder, desk: Desk) -> str:
    return f"{wish.when.astimezone(desk.zone):%Y-%m-%d at %H:%M}" if wish.when else str(wish.day)

"""What comes again, and what is still to be reminded of: listed, and ended when the operator says so.

`agents/billing.py` and `agents/reminders.py` begin them; what ends one is the same for all, a last version of its record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Task, Write
from agents.directory import cited, named, the_client
from agents.letter import day_words, every_words, moment_words
from agents.slots import ClientName, Every

KINDS = ("schedule", "reminder")
CHOICES_MAX = 4
_INVOICE = re.compile(r"\b(?:invoic|bill|charg|rechnung)", re.IGNORECASE)
_REMINDER = re.compile(r"\b(?:remind|nudg|ping|erinner)", re.IGNORECASE)
_EVERYTHING = re.compile(r"\ball (?:of )?(?:my |the )?reminders\b|\bevery reminder\b", re.IGNORECASE)
ENDED_MAX = 20  # reminders on one card: more cannot be read before a button is pressed
_SMALL_WORDS = (
    "stop cancel end the a an my me of to for about from with that this one recurring repeating standing every each week "
    "weekly month monthly quarter quarterly year yearly daily day invoice invoices bill bills billing invoicing reminder "
    "reminders reminding automatic automatically please more any again and"
)
_SMALL = frozenset(_SMALL_WORDS.split())


class Standing(Intent):
    """List what comes again: invoices and reminders."""

    examples: ClassVar[tuple[str, ...]] = (
        "what comes again?", "list recurring invoices", "which invoices repeat?", "show the standing invoices", "recurring reminders",
        "what repeats every month", "show everything that recurs", "which reminders come every week", "list the monthly invoices",
        "what have I automated", "which bills go out by themselves", "show my repeating reminders", "what runs by itself each month",
        "recurring invoices for Acme", "list all standing orders", "what is billed automatically", "repeating invoices please",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "show the recurring invoices", "which reminders repeat", "what is invoiced automatically", "list what recurs",
        "recurring things for Globex",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "invoice Acme every month", "which invoices are unpaid", "what did I earn every month", "remind me every Monday", "what's on this week",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "recurring invoices", "list recurring invoices", "what repeats", "what comes again", "recurring reminders",
        "recurring invoices for {client}",
    )  # fmt: skip
    command: ClassVar[str] = "standing"

    client: ClientName | None = None


class StopStanding(Intent):
    """Stop what comes again, a recurring invoice, or drop a reminder."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "stop the monthly invoice to Globex", "stop the recurring invoice for Acme", "cancel the recurring invoice for Initech",
        "end the standing invoice to Hooli", "stop billing Stark every month", "don't invoice Wayne every month any more",
        "stop reminding me about the timesheets", "no more weekly reminders about the backup", "cancel the weekly reminder",
        "stop the monthly one for Umbrella", "end the quarterly bill for Tyrell", "Globex ends the retainer, stop the monthly invoice",
        "stop the automatic invoice for Acme", "turn off the recurring bill for Wonka", "cancel the monthly billing of Hooli",
        "stop the yearly invoice to Wayne", "the reminder on Fridays can stop", "remove the repeating reminder for the rent",
        "cancel the monthly invoice for Stark", "stop invoicing Initech each quarter", "cancel the reminder about the rent",
        "delete the reminder for the dentist", "drop the plants reminder", "I don't need the reminder about the tax any more", "cancel all reminders",
        "remove my reminder for Friday",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "stop the recurring bill to Acme", "end the monthly invoice for Stark", "stop reminding me to back up",
        "cancel the repeating invoice of Wayne", "stop the weekly reminder for the bins",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "invoice Acme every month", "cancel invoice 2026-0001", "stop everything", "cancel the meeting with Globex", "stop the scheduled post",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "stop the recurring invoice for {client}", "stop the recurring invoice to {client}", "cancel the recurring invoice for {client}",
        "stop the {every} invoice for {client}", "stop the {every} invoice to {client}", "stop the {every} one for {client}",
        "cancel the {every} invoice for {client}", "cancel the {every} invoice to {client}", "stop invoicing {client} {every}",
        "stop billing {client} {every}", "stop reminding me about {what}", "stop reminding me to {what}", "stop reminding me of {what}",
        "cancel the reminder about {what}", "cancel the reminder to {what}", "cancel the reminder for {what}", "delete the reminder about {what}",
        "delete the reminder to {what}", "delete the reminder for {what}", "cancel all reminders", "delete all reminders",
        "delete all my reminders", "cancel all my reminders", "remove the reminder about {what}", "drop the reminder about {what}",
    )  # fmt: skip
    command: ClassVar[str] = "stop_standing"

    client: ClientName | None = None
    what: str = ""
    every: Every | None = None


class Standings(Agent):
    """Knows what comes again, and ends it."""

    intents = (Standing, StopStanding)
    proposes = ("books.write",)

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """List what comes again, or end one of it."""
        wish = task.intent
        if not isinstance(wish, Standing | StopStanding):
            raise NotImplementedError(f"standing does not know {task.intent.id()!r}")
        client = the_client(wish.client, task, desk) if wish.client else None
        if isinstance(client, Proposal):
            return client
        found = [record for record in _all(desk) if client is None or record.data.get("client") == client.key]
        if isinstance(wish, Standing):
            return _listed(found, client, desk)
        if _REMINDER.search(task.text):
            found += [record for record in _once(desk) if client is None or record.data.get("client") == client.key]
            if _EVERYTHING.search(task.text):
                return _ended([record for record in found if record.kind == "reminder"])
        return _stopped(_meant(found, wish, task.text), found, client, desk)


def _all(desk: Desk) -> list[Record]:
    """Return every record that has a rule and still comes."""
    found = [record for kind in KINDS for record in desk.records(kind) if record.data.get("rule")]
    return [record for record in found if record.kind == "schedule" or record.data.get("status") == "waiting"]


def _once(desk: Desk) -> list[Record]:
    """Return the reminders that come once and are still to come."""
    return [
        each for each in desk.records("reminder") if each.data.get("status") == "waiting" and not each.data.get("rule")
    ]


def _meant(found: Sequence[Record], wish: StopStanding, text: str) -> list[Record]:
    """Narrow down to what the words name: invoices or reminders, and what they are about."""
    if _REMINDER.search(text):
        found = [record for record in found if record.kind == "reminder"]
    elif _INVOICE.search(text):
        found = [record for record in found if record.kind == "schedule"]
    words = _words(wish.what or text) - _words(wish.client or "")
    best = max((len(words & _words(_title(record))) for record in found), default=0)
    if best:
        return [record for record in found if len(words & _words(_title(record))) == best]
    return [record for record in found if record.data.get("rule") or not words]  # other words: another reminder


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in _SMALL}


def _title(record: Record) -> str:
    return str(record.data.get("text") or record.key)


def _line(record: Record, desk: Desk) -> str:
    coming = str(record.data.get("next") or record.data.get("when") or "")
    moment = datetime.fromisoformat(coming).astimezone(desk.zone) if coming else None
    if not record.data.get("rule"):
        return f"{_title(record)}{f' ({moment_words(moment)})' if moment else ''}"
    every = every_words(Every.read(str(record.data["rule"])))
    return f"{_title(record)} ({every}{f', next on {day_words(moment.date())}' if moment else ''})"


def _listed(found: Sequence[Record], client: Record | None, desk: Desk) -> Proposal:
    whose = f" for {named(client)}" if client else ""
    if not found:
        return Proposal(say=f"Nothing comes again{whose}.")
    lines = [f"What comes again{whose}:", *(f"- {_line(record, desk)}" for record in found)]
    return Proposal(say="\n".join(lines), results={"count": len(found)})


def _stopped(meant: Sequence[Record], found: Sequence[Record], client: Record | None, desk: Desk) -> Proposal:
    whose = f" for {named(client)}" if client else ""
    if not meant:
        rest = f" What does: {'; '.join(_line(record, desk) for record in found)}." if found else ""
        return Proposal(say=f"Nothing of that kind comes again{whose}, so there is nothing to stop.{rest}")
    if len(meant) > 1:
        choices = tuple(Choice(label=_line(record, desk), text=_stop_words(record)) for record in meant[:CHOICES_MAX])
        return Proposal(ask=f"Which of these shall I stop{whose}?", choices=choices)
    record = meant[0]
    reason = (
        "It does not come again; what was written so far stays." if record.data.get("rule") else "It will not be said."
    )
    call = _ending(record, desk)
    return Proposal(calls=(call,), results={record.kind: record.key}, reasons=(reason,), sources=cited(record))


def _ending(record: Record, desk: Desk) -> ActionCall:
    return ActionCall(
        name="books.write",
        args={"summary": f"Stop: {_title(record)}", "fields": {"Was": _line(record, desk)}},
        writes=(Write(kind=record.kind, key=record.key, data=dict(record.data), gone=True),),
        needs={f"{record.kind}:{record.key}": record.version},
        client=str(record.data.get("client") or ""),
    )


def _ended(reminders: Sequence[Record]) -> Proposal:
    """Drop every reminder at once; each can be seen in what is told."""
    if not reminders:
        return Proposal(say="No reminder is waiting, so there is nothing to drop.")
    dropped = reminders[:ENDED_MAX]
    call = ActionCall(
        name="books.write",
        args={
            "summary": f"Drop {len(dropped)} reminder{'' if len(dropped) == 1 else 's'}: "
            + "; ".join(_title(each) for each in dropped),
            "fields": {"Reminders": str(len(dropped))},
        },
        writes=tuple(Write(kind=each.kind, key=each.key, data=dict(each.data), gone=True) for each in dropped),
        needs={f"{each.kind}:{each.key}": each.version for each in dropped},
    )
    return Proposal(calls=(call,), results={"dropped": len(dropped)}, sources=cited(*dropped))


def _stop_words(record: Record) -> str:
    kind = "" if record.data.get("rule") else "the reminder: "  # what comes once is only looked for by that word
    return f"/stop_standing {kind}{_title(record)}"

"""Correspondence: what the operator wants to be written to somebody, and asking how things stand.

A mail says what the operator said, in a letter's form. With a model it gets better words and keeps every fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from agents.base import (
    Agent,
    Desk,
    Intent,
    Proposal,
    Record,
    Risk,
    Task,
)
from agents.directory import (
    address,
    cited,
    contact,
    look_up,
    named,
    no_address,
    the_client,
    whom,
)
from agents.edits import with_edits
from agents.follow_ups import follow_ups
from agents.letter import (
    body,
    day_words,
    letter,
    polish,
)
from agents.phrase import said_about
from agents.slots import ClientName, Day, Email, Moment
from memory.events import Json

_SAYS = re.compile(r"(?:\bthat\b|\bsaying\b|:)\s*(.+)$", re.IGNORECASE | re.DOTALL)
_ABOUT = re.compile(r"\b(?:about|on|regarding|re)\b\s+(?:the |our |their )?(.+?)[.?!]?$", re.IGNORECASE)


class FollowUp(Intent):
    """Ask a client how things stand, now or at a later time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("mail.send", "books.remind", "calendar.note")
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "follow up with Acme on the proposal",
        "check in with Globex",
        "ping Initech about the offer",
        "follow up with Hooli next Tuesday",
        "ask Stark whether they had time to look at the draft",
        "touch base with Umbrella",
        "nudge Wayne about the contract",
        "send a follow-up to Tyrell",
        "get back to Cyberdyne about the quote",
        "see how Wonka is doing",
        "follow up on the Duff proposal in a week",
        "chase Acme for feedback on the designs",
        "ask Globex if they are still interested",
        "no answer from Initech yet, follow up please",
        "folow up with hooli on friday",
        "check back with Stark in two weeks",
        "ping Wayne regarding the estimate",
        "ping Globex about our offer",
        "has Hooli looked at it? follow up",
        "drop Stark a line about where they are with the quote",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "send Umbrella a follow up about our quote",
        "check in on Wayne next Monday",
        "ask Tyrell for feedback on the mock-ups",
        "ping Duff regarding the proposal",
        "follow up with Cyberdyne tomorrow",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind Acme to pay",
        "remind me to call Acme",
        "send Acme a proposal",
        "did Globex answer?",
        "chase the unpaid invoices",
        "write Acme that we are late",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "follow up with {client} on {what}",
        "follow up with {client} {when}",
        "follow up with {client}",
        "check in with {client}",
        "follow up with {client} about {what}",
        "check in with {client} {when}",
        "check in with {client} about {what}",
        "ping {client} about {what}",
        "ping {client} {when} about {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "With whom shall I follow up?"}

    client: ClientName
    what: str = ""
    when: Moment | None = None
    day: Day | None = None

    @classmethod
    def leads_to(cls, inputs: Mapping[str, Json]) -> tuple[str, ...]:
        """With a day it is a reminder, without one a letter."""
        return ("books.remind", "calendar.note") if inputs.get("when") or inputs.get("day") else ("mail.send",)


class WriteMail(Intent):
    """Write a mail to somebody."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("mail.send",)
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "write Acme that the draft will be ready on Friday",
        "email Globex: the meeting room has changed",
        "send a mail to Initech saying thanks for the quick answer",
        "tell Hooli by mail that we start on Monday",
        "mail anna@acme.example that the files are online",
        "let Stark know I'm on holiday next week",
        "drop Umbrella a line that the order shipped",
        "write to Wayne and thank them for the visit",
        "compose an email to Tyrell about the delay",
        "message Cyberdyne that we need the logo files",
        "inform Wonka that prices go up in January",
        "send Duff a note: parcel arrives tomorrow",
        "ask Acme by e-mail for the login data",
        "write an apology to Globex for the late delivery",
        "mial initech that im running late",
        "shoot Hooli an email that version two is live",
        "e-mail Hooli that the site is online",
        "send jane@example.net a mail saying thank you",
        "tell Wayne by email that we got the documents",
        "e-mail Globex that the numbers are in",
        "let Umbrella know by mail we are closed on Friday",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "e-mail Stark that the report is done",
        "write Umbrella: we accept the terms",
        "let Wayne know that the workshop is moved",
        "send bob@example.com a mail saying hello",
        "tell Duff by email we received the contract",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "send Acme an invoice",
        "remind Acme to pay",
        "write a post about e-mail",
        "reply to Anna's mail",
        "did I get any mail from Globex?",
        "remind me to write to Hooli",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "write {client} that {what}",
        "email {client} that {what}",
        "email {client}: {what}",
        "let {client} know that {what}",
        "mail {email} that {what}",
        "write {client}: {what}",
        "write {client} a mail: {what}",
        "write {client} an email: {what}",
        "send {client} a mail: {what}",
        "send {client} an email: {what}",
        "tell {client} that {what}",
        "tell {client}: {what}",
        "tell {client} {what}",
        "let {client} know {what}",
        "write to {client} that {what}",
        "write to {client}: {what}",
        "mail {client} that {what}",
        "mail {client}: {what}",
        "mail to {client}: {what}",
        "email {client} {what}",
        "mail {client} {what}",
        "email {email} that {what}",
        "write to {email} that {what}",
        "mail to {email}: {what}",
        "thank {client} for {what}",
        "drop {client} a line that {what}",
        "drop {client} a line: {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"what": "What shall the mail say?"}

    client: ClientName | None = None
    email: Email | None = None
    what: str = ""
    subject: str = ""


class Correspondence(Agent):
    """Writes to clients on the operator's behalf."""

    intents = (FollowUp, WriteMail)
    proposes = ("mail.send", "books.remind", "calendar.note")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Draft a mail, or plan the day to write it."""
        match task.intent:
            case FollowUp() as wish:
                return await _follow_up(wish, task, desk)
            case WriteMail() as wish:
                return await _write_mail(wish, task, desk)
        raise NotImplementedError(f"correspondence does not know {task.intent.id()!r}")


async def _follow_up(wish: FollowUp, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    what = wish.what or said_about(_ABOUT, task.text, {named(client), str(wish.client)}, desk)
    when = wish.when or (_at_nine(wish.day, desk) if wish.day else None)
    if when and when > desk.now:
        text = f"Follow up with {named(client)}" + (f" on {what}" if what else "")
        noted = await follow_ups(desk, [(text, when.astimezone(desk.zone))], client.key)
        results = {"client": client.key, "when": noted.calls[0].args["when"]}
        return Proposal(calls=noted.calls, results=results, reasons=noted.reasons, sources=cited(client))
    if not address(client):
        return no_address(client)
    offer = next(
        (p for p in reversed(desk.records("proposal", client=client.key)) if p.data.get("status") == "sent"), None
    )
    subject = what or (str(offer.data["text"]) if offer else "our last conversation")
    opened = f"I sent you my proposal on {day_words(offer.data['sent'])}. " if offer and offer.data.get("sent") else ""
    paragraphs = (
        f"{opened}I wanted to ask how things stand with {subject}.",
        "If anything is unclear or has changed, tell me. A short answer is all I need.",
    )
    text, worded = await polish(
        desk, "clients", body(desk, contact(client), paragraphs, client.key), guidance=task.guidance, client=client.key
    )
    mail = letter(to=[address(client)], subject=f"Following up: {subject}", text=text, client=client)
    return Proposal(
        calls=(mail,),
        results={"client": client.key},
        reasons=worded,
        sources=cited(client, *([offer] if offer else [])),
    )


async def _write_mail(wish: WriteMail, task: Task, desk: Desk) -> Proposal:
    client: Record | None = None
    to = str(wish.email or "")
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None and not to:
            return whom(task, wish.client, match.nearby)
        client = match.record
        if client and not to and not (to := address(client)):
            return no_address(client)
    if not to:
        return Proposal(ask="To whom shall I write?")
    said = (wish.what or said_about(_SAYS, task.text, set())).strip()
    if not said:
        return Proposal(ask=f"What shall the mail to {named(client) if client else to} say?")
    sentence = said[0].upper() + said[1:] + ("" if said[-1] in ".!?" else ".")
    draft = body(desk, contact(client) if client else "", (sentence,), client.key if client else "")
    key = client.key if client else ""
    text, worded = draft, tuple[str, ...]()
    if task.guidance or task.text:
        text, worded = await polish(desk, "clients", draft, guidance=task.guidance, brief=task.text, client=key)
    subject = wish.subject or _headed(said)
    mail = letter(to=[to], subject=subject, text=text, client=client)
    return Proposal(calls=(mail,), results={"to": to}, reasons=worded, sources=cited(client) if client else ())


def _at_nine(day: object, desk: Desk) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=desk.zone)


def _headed(said: str) -> str:
    """Return a subject: the first words of what is said."""
    words = said.split()
    head = " ".join(words[:8]).rstrip(",.;:!?")
    return head[0].upper() + head[1:] + ("…" if len(words) > 8 else "")  # noqa: PLR2004 - a subject's length

"""Proposals: an offer, drafted from what the client needs, and mailed.

A price comes from the operator's words; without one the offer says so. The template can be sent as it is; with a model
it gets better words and keeps every fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from agents.base import (
    Agent,
    Desk,
    Intent,
    Proposal,
    Risk,
    Task,
    Write,
    local_day,
)
from agents.directory import (
    address,
    cited,
    contact,
    first_written,
    free_key,
    named,
    recipient,
    slug,
)
from agents.edits import with_edits
from agents.letter import (
    amount_words,
    body,
    day_words,
    letter,
    polish,
    topic,
)
from agents.phrase import said_about
from agents.slots import ClientName, Email, Money
from memory.events import Json, Origin

PROPOSAL_VALID_DAYS = 30  # how long an offer stands when nothing else was said

_OFFER = re.compile(r"\b(?:for|about|on)\s+(?:the |a |an |our )?(.+?)\s*(?:[,;]|\bat\b|\bover\b|$)", re.IGNORECASE)


class SendProposal(Intent):
    """Draft an offer and mail it."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "send Acme a proposal for the redesign, 4,500",
        "write an offer for Globex: three workshops, 3,600 EUR",
        "quote Initech 1,200 for the logo",
        "draft a proposal to Hooli about the app",
        "make Stark an offer over 10k for the audit",
        "Umbrella wants a quote for hosting, 99 a month",
        "send a quotation to Wayne for copy editing",
        "prepare an estimate for Tyrell, website relaunch, 8,000",
        "offer Cyberdyne two days of consulting at 900",
        "proposal for Wonka please: packaging design, 2,750",
        "can you send the new lead a proposal?",
        "put together a quote for Duff",
        "pitch Acme a retainer of 1,500",
        "send Globex our offer for phase two",
        "qoute acme 300 for the banner",
        "email a price offer to Initech for training, 1,800 dollars",
        "draft a quotation for the Hooli campaign",
        "work out an estimate for Initech's brochure",
        "price offer for Stark: training, 2,400",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "write Hooli a proposal for the mobile app, 12,000",
        "give Stark a quote for the training",
        "send an offer to Umbrella over 640 for photos",
        "please quote Wayne for 5 days of work",
        "draft an estimate for the Duff campaign",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "invoice Acme 4,500 for the redesign",
        "follow up with Acme on the proposal",
        "what did we propose to Globex?",
        "send Acme a famous quote",
        "did Acme accept the offer?",
        "propose a time for the meeting",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "send {client} a proposal for {what}, {amount}",
        "quote {client} {amount} for {what}",
        "send {client} a proposal for {what}",
        "quote {client} {amount}",
        "offer {client} {what} for {amount}",
        "send {client} an offer for {what}, {amount}",
        "send {client} a quote for {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "Who gets the proposal?"}

    client: ClientName
    what: str = ""
    amount: Money | None = None
    email: Email | None = None


class Proposals(Agent):
    """Drafts offers."""

    intents = (SendProposal,)
    proposes = ("mail.send",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Draft an offer and the mail that carries it."""
        match task.intent:
            case SendProposal() as wish:
                return await _propose(wish, task, desk)
        raise NotImplementedError(f"proposals does not know {task.intent.id()!r}")


async def _propose(wish: SendProposal, task: Task, desk: Desk) -> Proposal:
    client = recipient(wish.client, wish.email, task, desk)
    if isinstance(client, Proposal):
        return client
    reasons: list[str] = []
    what = (
        topic(wish.what)
        or said_about(_OFFER, task.text, {named(client), str(wish.client)})
        or str(client.data.get("need") or "")
    )
    if not what:
        return Proposal(ask=f"What is the proposal to {named(client)} about?")
    price = ""
    if wish.amount:
        currency = str(client.data.get("currency") or desk.company.get("currency") or "EUR")
        price = str(wish.amount.in_currency(currency))
        if not wish.amount.currency:
            reasons.append(f"{currency}, as no currency was named.")
    else:
        reasons.append("No price was named, so the offer has none.")
    valid = local_day(desk) + timedelta(days=PROPOSAL_VALID_DAYS)
    paragraphs = (
        f"thank you for your interest. Here is what I propose: {what}.",
        f"The price is {amount_words(price)} plus VAT where it applies."
        if price
        else "I will gladly name a price once we have spoken about the details.",
        f"This offer stands until {day_words(valid)}. A short reply to this mail is enough to accept it.",
    )
    needed = str(client.data.get("need_quote") or task.item_text)
    text, worded = await polish(
        desk,
        "clients",
        body(desk, contact(client), paragraphs, client.key),
        client=client.key,
        guidance=task.guidance,
        material=[(Origin.CLIENT, needed)] if needed else [],
    )
    key = free_key(desk, "proposal", f"{client.key}-{slug(what)[:24].strip('-') or 'offer'}")
    data: dict[str, Json] = {
        "client": client.key, "text": what, "amount": price, "status": "sent", "valid_until": valid.isoformat(),
        "sent": local_day(desk).isoformat(),
    }  # fmt: skip
    mail = letter(
        to=[address(client)],
        subject=f"Proposal: {what}",
        text=text,
        client=client if client.version else None,
        key=client.key,
        writes=(*first_written(client), Write(kind="proposal", key=key, data=data)),
        needs={f"proposal:{key}": 0},
    )
    return Proposal(
        calls=(mail,),
        results={"proposal": key, "client": client.key, "amount": price, "what": what},
        reasons=(*reasons, *worded),
        confidence_pct=90 if price else 75,
        sources=cited(client),
    )

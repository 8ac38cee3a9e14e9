"""Subscriptions that end: noted with their day, on the operator's word or because the service that bills them says so.

What is sold by subscription is put on the books by onboarding; here its record stops to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Task, Write, local_day
from agents.directory import cited, look_up, named, slug, the_client
from agents.edits import with_edits
from agents.letter import day_words, pinned
from agents.slots import ClientName, Day
from agents.subscription import PAYING, price_words

CHOICES_MAX = 4


class EndSubscription(Intent):
    """Note that a client's subscription has ended."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "Acme cancelled their subscription",
        "Globex's subscription has ended",
        "the subscription of Initech ended yesterday",
        "Hooli is no longer a subscriber",
        "Stark has unsubscribed from the Pro plan",
        "note that Wayne quit the subscription",
        "Umbrella let their subscription run out",
        "Tyrell dropped the Studio plan",
        "mark Wonka's subscription as ended",
        "Duff gave notice on their subscription",
        "the Pro plan of Acme is cancelled",
        "Cyberdyne does not renew their plan",
        "their subscription is over, Globex",
        "Vandelay's membership ended on Friday",
        "Initech has stopped their plan with us",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "Hooli cancelled the subscription",
        "Stark's subscription ran out on Monday",
        "the plan of Umbrella has ended",
        "Wayne is not subscribed any more",
        "note that Acme's subscription ended",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "stop the monthly invoice for Acme",
        "cancel invoice 2026-0003",
        "cancel the meeting with Globex",
        "what does Acme's subscription cost?",
        "onboard Globex",
        "cancel my phone contract",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "{client} cancelled their subscription",
        "{client} has cancelled their subscription",
        "{client} cancelled the subscription",
        "{client}'s subscription has ended",
        "{client}'s subscription ended",
        "{client}'s subscription ended {day}",
        "the subscription of {client} ended",
        "the subscription of {client} has ended",
        "end the subscription of {client}",
        "end {client}'s subscription",
    )

    client: ClientName | None = None
    subscription: str = ""  # the service's id of it
    day: Day | None = None


class Subscriptions(Agent):
    """Notes which subscriptions have ended."""

    intents = (EndSubscription,)
    proposes = ("books.write",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Propose to note an end."""
        wish = task.intent
        assert isinstance(wish, EndSubscription)
        found = _meant(wish, task, desk)
        return found if isinstance(found, Proposal) else _ended(found, wish, desk)


def _meant(wish: EndSubscription, task: Task, desk: Desk) -> Record | Proposal:
    if wish.subscription:
        known = desk.record("subscription", slug(wish.subscription))
        return known or Proposal(say=f"Subscription {wish.subscription} ended; it was never on my books.")
    if not wish.client:
        return Proposal(ask="Whose subscription has ended?")
    if by_id := desk.record("subscription", slug(wish.client)):  # what a button below says
        return by_id
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    every = desk.records("subscription", client=client.key)
    running = [each for each in every if each.data.get("status") in PAYING]
    if len(running) == 1:
        return running[0]
    if running:
        return Proposal(ask=f"Which subscription of {named(client)} has ended?", choices=_which(running))
    told = (
        f"{named(client)}'s subscription ended on {day_words(every[-1].data['ended'])} already."
        if _has_ended(every)
        else ""
    )
    return Proposal(problem=told or f"{named(client)} has no subscription on my books.")


def _has_ended(every: Sequence[Record]) -> bool:
    return bool(every) and bool(every[-1].data.get("ended"))


def _which(running: Sequence[Record]) -> tuple[Choice, ...]:
    return tuple(
        Choice(label=_words(each) or each.key, text=f"/end_subscription {each.data.get('source') or each.key}")
        for each in running[:CHOICES_MAX]
    )


def _words(record: Record) -> str:
    price = price_words(str(record.data.get("amount") or ""), str(record.data.get("interval") or ""))
    return ", ".join(filter(None, (str(record.data.get("plan") or ""), price)))


def _ended(record: Record, wish: EndSubscription, desk: Desk) -> Proposal:
    client = look_up(desk, str(record.data.get("client") or "")).record
    name = named(client) if client else str(record.data.get("client") or "")
    if record.data.get("status") not in PAYING:
        on = f" on {day_words(record.data['ended'])}" if record.data.get("ended") else ""
        return Proposal(say=f"Subscription {record.key} of {name} ended{on}; my books have it.")
    day = wish.day or local_day(desk)
    what = _words(record)
    summary = f"The subscription of {name}{f' ({what})' if what else ''} ended on {day_words(day)}"
    call = ActionCall(
        name="books.write",
        args={"summary": summary},
        writes=(
            Write(
                kind="subscription", key=record.key, data={**record.data, "status": "ended", "ended": day.isoformat()}
            ),
        ),
        needs=pinned(record),
        client=str(record.data.get("client") or ""),
    )
    return Proposal(
        calls=(call,), results={"subscription": record.key, "ended": day.isoformat()}, sources=cited(record)
    )

"""Onboarding: a new client is welcomed, the record says so, and the first check-ins are planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from agents.base import (
    ActionCall,
    Agent,
    Desk,
    Intent,
    Proposal,
    Risk,
    Task,
    Write,
    local_day,
    local_now,
)
from agents.directory import (
    address,
    cited,
    contact,
    named,
    recipient,
    slug,
)
from agents.edits import with_edits
from agents.follow_ups import follow_ups
from agents.letter import (
    body,
    letter,
    polish,
)
from agents.slots import ClientName, Email, Money
from agents.subscription import price_words
from memory.events import Json

CHECK_IN_DAYS = (3, 14)  # after onboarding: how is it going, and how was it


class Onboard(Intent):
    """Welcome a new client and plan the first check-ins."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "onboard Globex",
        "start onboarding for Acme",
        "send Initech the welcome mail",
        "Hooli signed, start the onboarding",
        "welcome Stark as a new customer",
        "kick off the onboarding of Umbrella",
        "run the welcome sequence for Wayne",
        "begin onboarding our new client Tyrell",
        "new subscriber Cyberdyne, welcome them",
        "get Wonka started",
        "do the usual onboarding with Duff",
        "greet Globex and schedule the check-ins",
        "send the welcome pack to Acme",
        "set up Initech as an active client and welcome them",
        "onbord hooli",
        "Hooli is our new customer, begin with the welcome",
        "kick off the welcome for Umbrella",
        "new client Wayne: welcome and check-ins please",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please onboard Stark Industries",
        "start the welcome sequence for Umbrella",
        "Wayne is on board, send them the welcome mail",
        "onboarding for Tyrell please",
        "kick off with our new customer Duff",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "add client Globex",
        "book a kick-off meeting with Acme",
        "what is our onboarding process?",
        "write a post about onboarding",
        "project status of Acme",
        "send Globex a proposal",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "onboard {client}",
        "start onboarding for {client}",
        "welcome {client}",
        "start the onboarding of {client}",
        "start the onboarding for {client}",
        "take {client} on board",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "Whom shall I onboard?"}

    client: ClientName
    email: Email | None = None
    plan: str = ""
    subscription: str = ""  # the service's id of it
    amount: Money | None = None  # of the subscription
    interval: str = ""  # "month", "year", "3 months"


class Onboarding(Agent):
    """Welcomes new clients."""

    intents = (Onboard,)
    proposes = ("books.write", "mail.send", "books.remind", "calendar.note")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Prepare record, welcome mail and check-ins."""
        match task.intent:
            case Onboard() as wish:
                return await _onboard(wish, task, desk)
        raise NotImplementedError(f"onboarding does not know {task.intent.id()!r}")


async def _onboard(wish: Onboard, task: Task, desk: Desk) -> Proposal:
    client = recipient(wish.client, wish.email, task, desk)
    if isinstance(client, Proposal):
        return client
    data = {**client.data, "status": "active", "onboarded": local_day(desk).isoformat()}
    if wish.plan:
        data["plan"] = wish.plan
    bought = _subscribed(wish, client.key, desk)
    note = ActionCall(
        name="books.write",
        args={
            "summary": f"{named(client)} is an active client",
            "fields": {"Status": "active", **({"Plan": wish.plan} if wish.plan else {}), **bought.fields},
        },
        writes=(Write(kind="client", key=client.key, data=data), *bought.writes),
        needs={f"client:{client.key}": client.version, **bought.needs},
        client=client.key,
    )
    paragraphs = (
        "welcome, and thank you for your trust." + (f" You have chosen {wish.plan}." if wish.plan else ""),
        (
            "Here is what happens next: I set everything up, and you hear from me within two working days. "
            "If there is anything I should know beforehand, just reply to this mail."
        ),
    )
    text, worded = await polish(
        desk, "clients", body(desk, contact(client), paragraphs, client.key), guidance=task.guidance, client=client.key
    )
    # The books' call before it writes the client anew, so the mail cannot pin the version it sees now.
    mail = letter(to=[address(client)], subject=f"Welcome to {desk.company['name']}", text=text, key=client.key)
    days = [
        (f"Check in with {named(client)}: {days} days since the start", _morning(desk, days)) for days in CHECK_IN_DAYS
    ]
    check_ins = await follow_ups(desk, days, client.key)
    return Proposal(
        calls=(note, mail, *check_ins.calls),
        results={"client": client.key, "check_ins": [call.args["when"] for call in check_ins.calls]},
        reasons=(
            f"Check-ins after {' and '.join(str(days) for days in CHECK_IN_DAYS)} days.",
            *check_ins.reasons,
            *bought.reasons,
            *worded,
        ),
        sources=cited(client),
    )


@dataclass(frozen=True)
class _Bought:
    """What a subscription adds to the note: its record, its rows on the card, the version it stands on."""

    fields: Mapping[str, Json] = field(default_factory=dict)
    writes: tuple[Write, ...] = ()
    needs: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def _subscribed(wish: Onboard, client: str, desk: Desk) -> _Bought:
    """Return the record of a subscription, one for each id of the service: told twice, it is filled in, not doubled."""
    key = slug(wish.subscription)
    if not key:
        lost = f"{wish.amount} is in no record: an amount is kept with a subscription that a service reports."
        return _Bought(reasons=(lost,) if wish.amount else ())
    amount = str(wish.amount.in_currency(desk.company.get("currency") or "EUR")) if wish.amount else ""
    told = {"plan": wish.plan, "amount": amount, "interval": wish.interval}
    known = desk.record("subscription", key)
    if known and known.data.get("client") != client:
        return _Bought(reasons=(f"Subscription {wish.subscription} is {known.data.get('client')}'s; left as it is.",))
    fresh: dict[str, Json] = {"client": client, "since": local_day(desk).isoformat(), "status": "active"}
    data = {
        **(known.data if known else fresh),
        **{name: words for name, words in told.items() if words},
        "source": wish.subscription,
    }
    shown = " · ".join(part for part in (price_words(amount, wish.interval), wish.subscription) if part)
    return _Bought(
        {"Subscription": shown},
        (Write(kind="subscription", key=key, data=data),) if known is None or data != known.data else (),
        {f"subscription:{key}": known.version if known else 0},
    )


def _morning(desk: Desk, days: int) -> datetime:
    later = local_now(desk) + timedelta(days=days)
    return later.replace(hour=9, minute=0, second=0, microsecond=0)

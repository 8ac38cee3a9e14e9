"""The yes in advance: approve all like this, and the end of it. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from bot import approvals, grants
from bot.deciding import approving
from bot.deciding.house import SOLOIST, House
from bot.deciding.saying import say
from bot.effects import Effect, Record, Reply, Tally
from bot.figures import money_words
from bot.policy import amount_of
from bot.state import CardState, TaskState
from memory.events import ActionCall, Ended, Granted, Origin, Pressed, Revoked, Settled


def offer(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """Ask back what "all like this" would cover and for how long; nothing is approved by this press."""
    if refusal := _not_given(event, standing, house):
        return [Reply(text=refusal)]
    opened = standing.opened
    until = [approvals.clock_text(house.now + timedelta(days=days), house.view()) for days in grants.OFFERED]
    text, choices = grants.offer(opened, [_covered(call, house) for call in opened.calls], until)
    return [
        *say(state, text, choices=choices, kind="question", at=event.place),
        Reply(text="Nothing is approved yet: choose for how long."),
    ]


def _not_given(event: Pressed, standing: CardState, house: House) -> str:
    person = house.roster.find(event.actor)
    if person is None or person.role is not Origin.OPERATOR:
        return "Only the operator approves in advance."
    if standing.opened.new_payees:
        return "This pays somebody for the first time, so nothing like it is approved in advance. Approve it by itself."
    if any(not call.client for call in standing.opened.calls):
        return "This card is for no client, so there is no telling what is like it. Approve it by itself."
    return ""


def _covered(call: ActionCall, house: House) -> str:
    """Return what a grant for a call covers: the action, the client by name, the amount at most."""
    such = f"{approvals.doing_such(call, house.actions)} for {house.client_name(call.client)}"
    return such + (f", up to {money_words(str(call.args['amount']))}" if amount_of(call)[1] else "")


def grant(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """Approve this card and, for a while, what is like it: the same action, the same client, no larger amount."""
    if refusal := _not_given(event, standing, house):
        return [Reply(text=refusal)]
    calls = standing.opened.calls
    days = grants.span(event.reason).days
    told = msgspec.structs.replace(event, reason=f"and all like it for {days} day{'s' * (days != 1)}")
    orders = approving.approve(state, told, standing, house)
    if not any(
        isinstance(order, Record) and isinstance(order.event, Settled) and order.event.how == "approved"
        for order in orders
    ):
        return orders
    until = house.now + grants.span(event.reason)
    given: list[Effect] = []
    words: list[str] = []
    for number, call in enumerate(calls, 1):
        amount, currency = amount_of(call)
        cap = f"{amount} {currency}" if currency else ""
        granted = Granted(
            grant=f"{event.card}.g{number}", action=call.name, client=call.client, amount_max=cap,
            uses_max=grants.USES_MAX, expires_at=until, by=event.actor, together=tuple(each.name for each in calls), kind=str(call.args.get("kind") or ""),
        )  # fmt: skip
        given.append(Tally(event=granted))
        words.append(_covered(call, house))
    reply = (
        f"Approved. Until {approvals.clock_text(until, house.view())}, and {grants.USES_MAX} times at most, I do the "
        f"same without asking: {'; '.join(words)}. /grants lists it, revoke {event.card} ends it."
    )
    return [*(order for order in orders if not isinstance(order, Reply)), *given, Reply(text=reply)]


def revoke(state: TaskState, which: str, house: House) -> list[Effect]:
    """End one grant, those of one card, or ``all`` of them."""
    actor = state.actor or SOLOIST
    if state.origin is not Origin.OPERATOR:
        text = "Only the operator ends a grant."
    elif ended := grants.ended(which, list(house.grants)):
        orders: list[Effect] = [Tally(event=Revoked(grant=key, by=actor)) for key in ended]
        text = f"Ended: {', '.join(ended)}. What it covered asks again."
        return [*orders, *say(state, text), Record(event=Ended(how="done", summary=text))]
    else:
        text = "There is no such grant. /grants lists those in force."
    return [*say(state, text), Record(event=Ended(how="done", summary=text))]

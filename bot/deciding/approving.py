"""The yes to a card: everything it stands on is asked again before it counts. Pure."""

from __future__ import annotations

from typing import Literal

from bot import grants
from bot.deciding import guards, starting
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Reply, Tally
from bot.state import CardState, TaskState
from memory.events import CardOpened, Granted, Origin, Pressed, Settled, WokeUp

YIELDED = "yielded"
"""Why a task is woken whose waiting card gives its number up to one that goes out before it."""


def approve(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """Settle the card and start what it shows, or say why not: late, changed, over a limit, one channel short."""
    opened = standing.opened

    def settled(how: Literal["approved", "expired", "cancelled"], reason: str = "") -> Record:
        return Record(
            event=Settled(
                card=event.card, revision=opened.revision, how=how, by=event.actor, reason=reason, place=event.place
            )
        )

    runs_out = house.runs_out(opened)
    if runs_out and house.now >= runs_out and opened.on_expiry == "cancel":
        return [settled("expired"), Reply(text="This card has run out. Nothing was done; ask again for a fresh one.")]
    if not guards.as_shown(opened.calls, opened.fingerprint):
        return [
            settled("cancelled", "its content is not what was shown"),
            Reply(text="This card's content is not what was shown, so nothing was done. Ask again."),
            *say(
                state,
                f"Card {event.card} was changed after it was shown and is void. Run doctor.",
                kind="problem",
                home=True,
            ),
        ]
    gone = [call.name for call in opened.calls if call.name not in house.actions]
    if gone:
        return [Reply(text=f"{gone[0]} is not set up any more, so nothing was done. Set it up again; the card waits.")]
    if guards.stale(opened.calls, event.card, house):
        return [
            Delegate(step=opened.step, edits=dict(state.edits.get(event.card, {})), card=event.card),
            Reply(text="Something this stands on has changed since. A fresh card follows; nothing was done."),
        ]
    free = guards.lower_number(opened.calls, event.card, house)
    if free:
        return _renumbered(state, opened, free, house)
    broken = guards.broken_limit(opened.calls, house)
    if broken:
        return [Reply(text=broken)]
    if event.fingerprint and opened.new_payees:
        return [Reply(text="It pays somebody for the first time, so it is approved on its own card and in no list.")]
    if guards.needs_second_channel(state, opened, house):
        if opened.new_payees and house.policy.new_payee == "second_channel":
            return [
                Reply(text="A first payment needs a second yes, from another of your channels. This one is counted.")
            ]
        return [Reply(text="A sum this large needs a second yes, from another of your channels. This one is counted.")]
    prepared = starting.prepare(
        state, opened.calls, house, card=event.card, step=opened.step, rule=f"approved on {event.actor.platform}"
    )
    return [settled("approved", event.reason), *_for_its_hour(event, opened, house), *prepared, Reply(text="Approved.")]


def _for_its_hour(event: Pressed, opened: CardOpened, house: House) -> list[Effect]:
    """Let the operator's yes to a plan hold at its hour: for exactly what the card showed, once, and not much later."""
    person = house.roster.find(event.actor)
    if person is None or person.role is not Origin.OPERATOR:
        return []
    return [
        Tally(
            event=Granted(
                grant=f"{event.card}.p{number}", action=call.name, client=call.client, uses_max=1,
                expires_at=at + grants.LATE_MAX, by=event.actor, exactly=grants.exactly(call),
            )
        )
        for number, (call, at) in enumerate(grants.ahead(opened.calls), 1)
    ]  # fmt: skip


def _renumbered(state: TaskState, opened: CardOpened, free: str, house: House) -> list[Effect]:
    """Draw the card anew with the lowest number that is not given out; who waits with that one gives it up at once."""
    number, holder = free.partition(":")[2], house.ledgers.reserved_for(free)
    anew = Delegate(step=opened.step, edits=dict(state.edits.get(opened.card, {})), card=opened.card)
    if not holder or holder == opened.card:
        text = f"{number} has become free, and numbers leave no gap. A fresh card follows; nothing was done."
        return [anew, Reply(text=text)]
    given = Tally(
        task=int(holder.partition(".")[0]),
        event=WokeUp(order="", reason=YIELDED, data={"card": holder, "number": free}),
    )
    text = (
        f"Numbers leave no gap, so what goes out first gets {number}, which card {holder} waits with; that one gets another "
        "when you press it. A fresh card follows; nothing was done."
    )
    return [given, anew, Reply(text=text)]

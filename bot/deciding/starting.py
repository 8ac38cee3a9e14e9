"""How an effect begins: written down, its undo window waited out, everything asked once more. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot import approvals, books, payees
from bot.deciding import guards
from bot.deciding.house import House
from bot.deciding.saying import mend, say
from bot.effects import Effect, Record, Wake
from bot.figures import money_words
from bot.policy import amount_of
from bot.state import EffectState, TaskState
from connectors.base import Action, Json, room_of
from memory.events import ActionCall, BecameUnknown, Confirmed, Failed, Prepared, Queued, Sending, fingerprint

TURN = "turn"
"""Why a task wakes when an effect's turn has come."""
WAITS = frozenset({"window", "retry", TURN})
"""The wake-ups that start an effect."""
UNDER_WAY_MAX = timedelta(minutes=15)
"""No call lasts as long: what was begun before that, and never came to an end, takes nobody's place."""


def prepare(
    state: TaskState,
    calls: tuple[ActionCall, ...],
    house: House,
    *,
    card: str,
    step: str,
    rule: str,
    watched: bool = False,
    formerly: str = "",
) -> list[Effect]:
    """Write down every effect, then start the first, or wait out the undo window.

    Args:
        watched: It goes without a card because of what was approved before, so the window is told with an Undo.
        formerly: The card of a restored backup that this one asks about again. It may have been pressed after the backup:
            the same keys are used, and where a look can tell, it comes first.
    """
    delayed = house.policy.delay > timedelta(0) and any(house.actions[call.name].delayed for call in calls)
    not_before = house.now + house.policy.delay if delayed and (card or watched) else None
    stem = base(state, card, step)
    back = state.cards[card].opened.compensates if card else ()
    orders: list[Effect] = []
    for number, call in enumerate(calls, 1):
        effect = f"{stem}.{number}"
        orders.append(
            Record(
                event=Prepared(
                    effect=effect,
                    card=card,
                    step=step,
                    call=call,
                    fingerprint=fingerprint(call),
                    key=stable_key(house.secret, f"{formerly or stem}.{number}"),
                    effect_class=house.actions[call.name].effect.value,
                    not_before=not_before,
                    compensates=back[number - 1] if back else "",
                    rule=rule,
                    payees=tuple(payee.words for payee in payees.of(call, house.actions[call.name])),
                )
            )
        )
    if formerly and house.actions[calls[0].name].find:
        reason = "It may have happened after the backup was made; I look before anything is sent."
        return [*orders, Record(event=BecameUnknown(effect=f"{stem}.1", reason=reason, look_at=house.now))]
    if not_before:
        wake = Wake(reason="window", due=not_before, data={"effect": f"{stem}.1", "card": card})
        if card:
            return [*orders, wake]
        return [*orders, wake, *say(state, _told(calls, not_before, rule, house), kind="notice", undo=f"{stem}.1")]
    return [*orders, *_start_now(calls[0], f"{stem}.1", house)]


def _told(calls: tuple[ActionCall, ...], until: datetime, rule: str, house: House) -> str:
    """Return what goes without a card, for whom and how much, while it can still be taken back."""
    whom = house.client_name(calls[0].client)
    sums = dict.fromkeys(money_words(str(call.args["amount"])) for call in calls if amount_of(call)[1])
    facts = ", ".join([*([f"for {whom}"] if whom else []), *sums])
    what = f"{approvals.title(calls, house.actions)}{facts and f' {facts}'}"
    return f"{what}, unless you take it back by {until.astimezone(house.zone):%H:%M:%S} ({rule})."


def base(state: TaskState, card: str, step: str) -> str:
    """Return what the ids of effects begin with: their card, or the step and its draft."""
    return card or f"{state.id}.{step}.{state.drafts.get(step, 0)}"


def stable_key(secret: bytes, effect: str) -> str:
    """Return the key every attempt of one effect carries: derived from its row, so a restart finds the same."""
    return hashlib.sha256(secret + b"/effect/" + effect.encode()).hexdigest()[:40]


def _start_now(call: ActionCall, effect: str, house: House) -> list[Effect]:
    """Start an effect that was prepared in this very transaction."""
    if guards.is_paused(call, house):
        return []
    if call.name.startswith("books."):
        return enter(call, effect)
    return _in_turn(call, effect, 1, house)


def start(effect: EffectState, house: House, beside: Sequence[str] = ()) -> list[Effect]:
    """Start an effect that has waited: everything is checked again, for a night may have passed.

    Args:
        beside: The actions that start with it at this very moment.
    """
    prepared = effect.prepared
    if guards.is_paused(prepared.call, house):
        return []
    if not guards.as_shown(prepared.call, prepared.fingerprint):
        return [Record(event=Failed(effect=prepared.effect, reason="its content is not what was approved"))]
    if effect.attempt == 0 and guards.stale((prepared.call,), prepared.card, house):
        return [Record(event=Failed(effect=prepared.effect, reason="something it stands on changed in the meantime"))]
    broken = guards.broken_limit((prepared.call,), house, apart=prepared.effect) if effect.attempt == 0 else ""
    if broken:
        return [Record(event=Failed(effect=prepared.effect, reason=f"a limit holds now that did not before: {broken}"))]
    if prepared.call.name.startswith("books."):
        return enter(prepared.call, prepared.effect)
    come = bool(effect.room) or (effect.turn_at is not None and effect.turn_at <= house.now)
    return _in_turn(prepared.call, prepared.effect, effect.attempt + 1, house, beside=beside, waited=come)


def again(effect: EffectState, house: House) -> list[Effect]:
    """Try once more what the operator wants tried once more; who asks for it has looked at what may be asked."""
    prepared = effect.prepared
    if prepared.call.name.startswith("books."):
        return enter(prepared.call, prepared.effect)
    return _in_turn(prepared.call, prepared.effect, effect.attempt + 1, house)


def _in_turn(
    call: ActionCall, effect: str, attempt: int, house: House, *, beside: Sequence[str] = (), waited: bool = False
) -> list[Effect]:
    """Begin the attempt, or let it wait: for its action's turn (`Action.rate_per_minute`), for a place (`Action.at_once`).

    It waits before `Sending` is written: what a crash finds waiting has not left, and nobody need be asked about it.
    """
    action = house.actions.get(call.name)
    if action is not None:
        waits = _for_its_turn(action, effect, house, beside, waited=waited) or _for_a_place(
            action, effect, house, beside
        )
        if waits is not None:
            return [Record(event=waits)]
    return [Record(event=Sending(effect=effect, attempt=attempt, at=house.now))]


def _for_its_turn(action: Action, effect: str, house: House, beside: Sequence[str], *, waited: bool) -> Queued | None:
    rate = action.rate_per_minute
    most = max(1, math.floor(rate))
    turn = house.ledgers.turn(
        action.name,
        house.now,
        most=most,
        span=timedelta(minutes=most / rate),
        beside=sum(name == action.name for name in beside),
        waited=effect if waited else "",
    )
    if turn is None:
        return None
    reason = f"{action.name} goes {rate:g} times a minute at most, and others are before it."
    return Queued(effect=effect, until=turn, reason=reason)


def _for_a_place(action: Action, effect: str, house: House, beside: Sequence[str]) -> Queued | None:
    """The bulkhead: a service that hangs holds up its own actions and no others (`bot.bulkhead` lets them in)."""
    room = action.room
    taken = house.ledgers.under_way(room, house.now - UNDER_WAY_MAX) + sum(room_of(name) == room for name in beside)
    if taken < action.at_once:
        return None
    reason = f"{taken} are on their way by {room}, and more are not begun at once."
    return Queued(effect=effect, until=house.now + UNDER_WAY_MAX, reason=reason, room=room)


def queued(state: TaskState, event: Queued) -> list[Effect]:
    """Come back when its turn comes, or a place is free, and say so where it is shown."""
    card = state.effects[event.effect].prepared.card
    data: dict[str, Json] = {"effect": event.effect, "card": card}
    if event.room:
        data["room"] = event.room
    return [Wake(reason=TURN, due=event.until, data=data), *mend(state, card)]


def enter(call: ActionCall, effect: str) -> list[Effect]:
    """Confirm an entry in our own books in the transaction that writes it."""
    return [
        Record(
            event=Confirmed(
                effect=effect, ref=str(call.args.get("number") or ""), text=books.text_of(call), how="books"
            )
        )
    ]


def group(state: TaskState, effect: EffectState) -> list[EffectState]:
    """Return the effects that were approved together, in order."""
    if effect.prepared.card:
        return state.of_card(effect.prepared.card)
    prefix = effect.prepared.effect.rpartition(".")[0]
    return [other for other in state.effects.values() if other.prepared.effect.rpartition(".")[0] == prefix]

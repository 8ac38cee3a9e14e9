"""What became of an effect: confirmed, failed, unknown, dropped, interrupted. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from bot import approvals, books
from bot.deciding import progress, recurring, starting
from bot.deciding.house import SOLOIST, House
from bot.deciding.saying import mend, say
from bot.effects import Close, Effect, Perform, Record, Wake
from bot.state import FINAL, CardState, EffectState, TaskState
from connectors.base import EffectClass, Json
from memory.events import Attachment, BecameUnknown, CardOpened, Compensated, Confirmed, Dropped, Failed, Settled

MEMORY_MAX_S = 10 * 365 * 86400.0  # no service remembers a key for longer, whatever it declares


def confirmed(state: TaskState, event: Confirmed, house: House) -> list[Effect]:
    """Enter it in the books, start what was approved with it, and give the receipt when the last is done."""
    effect = state.effects[event.effect]
    call = effect.prepared.call
    orders: list[Effect] = [Record(event=entry) for entry in books.enter(call, event.effect, house.ledgers)]
    orders += [*mend(state, effect.prepared.card), *_answered(state, event.effect, "It was found: it had arrived.")]
    if taken_back := effect.prepared.compensates:
        if not effect.prepared.card:
            return orders  # whoever reversed the entry says so
        orders += [Record(event=Compensated(effect=taken_back, by_effect=event.effect)), *_rung_off(state, taken_back)]
    orders += recurring.ordered(event.effect, call)
    group = starting.group(state, effect)
    following = next((other for other in group if other.status == "prepared" and other.again_at is None), None)
    if following is not None:
        return [*orders, *starting.start(following, house)]
    if any(other.status not in FINAL for other in group):
        return orders
    texts = [other.text for other in group if other.status == "confirmed"]
    undo = event.effect if _can_be_taken_back(effect, group, house) else ""
    several = len(texts) > 2  # noqa: PLR2004 - two sentences are read in one line, a list is not
    files = tuple(picture for other in group if other.status == "confirmed" for picture in _pictures(other))
    orders += say(state, ("\n" if several else " ").join(texts), kind="receipt", undo=undo, files=files)
    return [*orders, *progress.advance(state, house)]


def _pictures(effect: EffectState) -> list[Attachment]:
    """Return what a receipt shows besides its words, such as the code to pay by; another server's tool shows nothing."""
    shown = effect.data.get("pictures")
    if effect.prepared.call.name.startswith("mcp.") or not isinstance(shown, list):
        return []
    return [msgspec.convert(picture, Attachment) for picture in shown]


def _rung_off(state: TaskState, effect_id: str) -> list[Effect]:
    """What was taken back rings no more."""
    return [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake) and order.reason == "reminder" and order.data.get("effect") == effect_id
    ]


def _can_be_taken_back(last: EffectState, group: list[EffectState], house: House) -> bool:
    """Whether the receipt of what was done together offers Undo; what is issued is taken back by a paper of its own."""
    if any(other.prepared.call.name == "books.issue" for other in group):
        return last.prepared.call.name in books.REVERSIBLE
    action = house.actions.get(last.prepared.call.name)
    back = action is not None and action.undo is not None and not last.prepared.compensates
    return last.prepared.call.name in books.REVERSIBLE or back


def failed(state: TaskState, event: Failed, house: House) -> list[Effect]:
    """Wait for the next attempt, or bring it to the operator when there is none."""
    effect = state.effects[event.effect]
    mended = mend(state, effect.prepared.card) + _answered(state, event.effect, "It had not arrived.")
    if event.again_at:
        data: dict[str, Json] = {"effect": event.effect, "card": effect.prepared.card}
        return [Wake(reason="retry", due=event.again_at, data=data), *mended]
    text = f"{says(effect, house)} did not work: {event.reason}"
    card = CardOpened(
        card="",  # named when it is written
        revision=1,
        step=effect.step,
        title=f"Stuck: {says(effect, house).lower()}",
        calls=(effect.prepared.call,),
        fingerprint=effect.prepared.fingerprint,
        rule="it failed and will not be tried again by itself",
        kind="stuck",
        effect=event.effect,
        say=text,
        warnings=(event.reason,),
    )
    return [Record(event=card), *mended]


def unknown(state: TaskState, event: BecameUnknown) -> list[Effect]:
    """Nobody knows whether it happened: ask the operator, and look once more where that may tell."""
    asked = [] if _questions(state, event.effect) else [_asked_about(state, event.effect, event.reason)]
    data: dict[str, Json] = {"effect": event.effect}
    later = [Wake(reason="look", due=event.look_at, data=data)] if event.look_at else []
    return [*asked, *later, *mend(state, state.effects[event.effect].prepared.card)]


def _questions(state: TaskState, effect_id: str) -> list[CardState]:
    return [card for card in state.pending() if (card.opened.kind, card.opened.effect) == ("unknown", effect_id)]


def _answered(state: TaskState, effect_id: str, how: str) -> list[Effect]:
    """What a later look has found out is no question any more."""
    return [
        Record(
            event=Settled(
                card=card.opened.card, revision=card.opened.revision, how="superseded", by=SOLOIST, reason=how
            )
        )
        for card in _questions(state, effect_id)
    ]


def looks_off(state: TaskState, effect_id: str) -> list[Effect]:
    """Call off every look for an effect: somebody has said what became of it, and a late find is a bystander's word."""
    return [
        Close(order=key)
        for key, order in state.open.items()
        if (isinstance(order, Perform) and order.look and order.effect == effect_id)
        or (isinstance(order, Wake) and order.reason == "look" and order.data.get("effect") == effect_id)
    ]


def _asked_about(state: TaskState, effect_id: str, reason: str) -> Record:
    effect = state.effects[effect_id]
    return Record(
        event=CardOpened(
            card="",  # named when it is written
            revision=1,
            step=effect.step,
            title="Did this go through?",
            calls=(effect.prepared.call,),
            fingerprint=effect.prepared.fingerprint,
            rule="nobody can know by looking, and sending again could do it twice",
            kind="unknown",
            effect=effect_id,
            say=reason,
            warnings=(reason,),
        )
    )


def dropped(state: TaskState, event: Dropped) -> list[Effect]:
    """What was to follow a dropped effect is dropped as well."""
    effect = state.effects[event.effect]
    rest = [
        other
        for other in starting.group(state, effect)
        if other.status in {"prepared"} and other.prepared.effect != event.effect
    ]
    if rest and not effect.prepared.not_before:
        nxt = rest[0]
        return [
            Record(event=Dropped(effect=nxt.prepared.effect, reason="The step before it was let go.", by=event.by)),
            *mend(state, effect.prepared.card),
        ]
    if any(other.status not in FINAL for other in starting.group(state, effect)):
        return []
    return [*mend(state, effect.prepared.card), *progress.end_if_over(state)]


def interrupted(effect: EffectState, house: House) -> list[Effect]:
    """The process died while this was on its way. What may be done next is the effect's class."""
    prepared = effect.prepared
    match EffectClass(prepared.effect_class):
        case EffectClass.KEYED:
            action = house.actions.get(prepared.call.name)
            since = house.now - (effect.first_sent_at or house.now)
            tired = action is not None and action.find is not None and effect.attempt >= action.attempts_max
            if action is None or (since < timedelta(seconds=min(action.key_window_s, MEMORY_MAX_S)) and not tired):
                return [Perform(effect=prepared.effect, attempt=effect.attempt)]
            if action.find:
                return [Perform(effect=prepared.effect, attempt=effect.attempt, look=True)]
            reason = "Soloist stopped while this was being sent, and the service has forgotten its key since."
            return [Record(event=BecameUnknown(effect=prepared.effect, reason=reason))]
        case EffectClass.RECONCILABLE:
            return [Perform(effect=prepared.effect, attempt=effect.attempt, look=True)]
        case EffectClass.PLAIN:
            reason = "Soloist stopped while this was being sent. Please look at the other side before you answer."
            return [Record(event=BecameUnknown(effect=prepared.effect, reason=reason))]


def says(effect: EffectState, house: House) -> str:
    """Return what an effect does, as the beginning of a sentence."""
    text = approvals.doing(effect.prepared.call, house.actions)
    return text[:1].upper() + text[1:]

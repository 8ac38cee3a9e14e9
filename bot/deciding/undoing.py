"""Undo: taken back inside the window, reversed in our own books, or told why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot import approvals, books
from bot.deciding import compensating, halfway, starting
from bot.deciding.house import House
from bot.deciding.progress import FINISHED
from bot.deciding.saying import first_line, say
from bot.effects import Close, Effect, Record, Reply, Wake
from bot.state import CardState, EffectState, TaskState
from memory.events import (
    Actor,
    Choice,
    Compensated,
    Confirmed,
    Dropped,
    Ended,
    Origin,
    Place,
    Prepared,
    Pressed,
    WokeUp,
    fingerprint,
)

MOVED_BY_CLOCK = frozenset({"schedule", "reminder"})
"""Records whose newer versions the clock writes: they can be taken back all the same."""


def undo(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """Take back what a card did: for nothing inside the window, in the books by reversing, else say why not."""
    opened = standing.opened
    effects = state.of_card(event.card)
    if any(effect.maybe and effect.status == "prepared" for effect in effects):
        return [Reply(text="An earlier attempt may have gone through, so this cannot be taken back from here.")]
    if approvals.undoable(state, event.card):
        said = say(state, f"Taken back: {opened.title}. Nothing was sent.", kind="receipt")
        return [*_let_go(state, effects, event.actor), *said, Reply(text="Taken back. Nothing was done.")]
    if any(effect.waits for effect in effects):
        done = " ".join(effect.text for effect in effects if effect.status == "confirmed")
        said = say(state, f"Taken back: what still waited of {opened.title}. Done before: {done}", kind="receipt")
        return [*_let_go(state, effects, event.actor), *said, Reply(text="What still waited is taken back.")]
    if standing.state == "pending":
        return [Reply(text="Nothing has happened yet: reject the card instead.")]
    return _undo_done(state, event, [effect for effect in effects if effect.status == "confirmed"], house)


def undo_without_card(state: TaskState, event: Pressed, house: House) -> list[Effect]:
    """Take back what was done without a card; only the operator can."""
    person = house.roster.find(event.actor)
    if person is None or person.role is not Origin.OPERATOR:
        return [Reply(text="Only the operator takes this back.")]
    effect = state.effects[event.card]
    group = starting.group(state, effect)
    if effect.waits and all(other.status == "prepared" and not other.maybe for other in group):
        said = say(state, "Taken back before it happened. Nothing was sent.", kind="receipt")
        return [*_let_go(state, group, event.actor), *said, Reply(text="Taken back. Nothing was done.")]
    # What was done together is taken back together.
    return _undo_done(state, event, [other for other in group if other.status == "confirmed"], house)


def _let_go(state: TaskState, effects: list[EffectState], actor: Actor) -> list[Effect]:
    """Drop what was approved together and has not happened; without a window the first takes the rest with it."""
    waiting = [effect for effect in effects if effect.status == "prepared"]
    named = {effect.prepared.effect for effect in waiting}
    closing: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake) and order.reason in starting.WAITS and order.data.get("effect") in named
    ]
    reason = "Taken back before it happened."
    drops: list[Effect] = [
        Record(event=Dropped(effect=effect.prepared.effect, reason=reason, by=actor))
        for effect in (waiting if waiting[0].prepared.not_before else waiting[:1])
    ]
    return [*closing, *drops]


def _undo_done(state: TaskState, event: Pressed, done: list[EffectState], house: House) -> list[Effect]:
    ways = [compensating.way_back(effect, house) for effect in done]
    if not any(ways) or any(effect.prepared.call.name == "books.issue" for effect in done):
        return [Reply(text=_advice(done, house))]
    for effect in done:
        for write in effect.prepared.call.writes:
            if write.kind in MOVED_BY_CLOCK and not house.ledgers.before(effect.prepared.effect, write.kind, write.key):
                continue  # only its next date has changed
            if house.ledgers.newer_than(effect.prepared.effect, write.kind, write.key):
                return [Reply(text=f"{write.kind} {write.key} was changed again since; take that back first.")]
    if any(effect.prepared.call.name not in books.REVERSIBLE for effect in done):
        return compensating.ask(state, done, house)
    orders = [order for effect in reversed(done) for order in _undo_books(state, effect, house, event.actor)]
    text = " ".join(f"Taken back: {effect.text}" for effect in done)
    return [*orders, *_over_again(state, text), *say(state, text, kind="receipt"), Reply(text="Taken back.")]


def _over_again(state: TaskState, text: str) -> list[Effect]:
    """What is put back in our books begins the task anew for a moment; it is as over as it was."""
    if state.status == "done" or state.status == "failed" or state.status == "cancelled":  # noqa: PLR1714 - types
        return [Record(event=Ended(how=state.status, summary=first_line(text)))]
    return []


def taken_back(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """Take back what a whole task did, the newest first: our books at once, what is outside on one card.

    What nothing takes back stays and is named; an entry that something else rests on since stays with it.
    """
    actor, place = msgspec.convert(event.data["by"], Actor), msgspec.convert(event.data["place"], Place)
    done = halfway.standing(state)
    if not done or state.status not in FINISHED:
        why = "is not over yet: “end task” stops it first" if done else "did nothing that could be taken back"
        return say(state, f"Task {state.id} {why}. Nothing was changed.", at=place)
    orders: list[Effect] = []
    gone: list[EffectState] = []
    outside: list[EffectState] = []
    stays: list[EffectState] = []
    for effect in reversed(done):
        way = compensating.way_back(effect, house)
        if way is None or _rested_on(effect, [*outside, *stays], gone, house):
            stays.append(effect)
        elif effect.prepared.call.name in books.REVERSIBLE:
            orders += _undo_books(state, effect, house, actor)
            gone.append(effect)
        else:
            outside.append(effect)
    card = compensating.ask(state, outside[::-1], house) if outside else []
    asked = [order for order in card if isinstance(order, Record)]
    issued = [str(e.prepared.call.args.get("number")) for e in stays if e.prepared.call.name == "books.issue"]
    credit = tuple(Choice(label=f"Credit note for {each}", text=f"cancel {each}") for each in issued)
    words = [f"Taken back: {effect.text}" for effect in gone]
    words += ["The card asks about what reaches outside."] if asked else []
    words += [f"Stays: {effect.text}" for effect in stays]
    said = say(state, "\n".join(words), choices=credit, kind="receipt", at=place)
    return [*orders, *(_over_again(state, words[0]) if gone else []), *said, *asked]


def _rested_on(effect: EffectState, standing: Sequence[EffectState], gone: Sequence[EffectState], house: House) -> bool:
    """Whether what an effect wrote is needed by what stays, or was written again by somebody else since."""
    ours = {(write.kind, write.key) for other in gone for write in other.prepared.call.writes}
    for write in effect.prepared.call.writes:
        if any(write.kind == "client" and other.prepared.call.client == write.key for other in standing):
            return True
        if any(f"{write.kind}:{write.key}" in other.prepared.call.needs for other in standing):
            return True
        if (write.kind, write.key) in ours or write.kind in MOVED_BY_CLOCK:
            continue
        if house.ledgers.newer_than(effect.prepared.effect, write.kind, write.key):
            return True
    return False


def _advice(done: list[EffectState], house: House) -> str:
    for effect in done:
        call = effect.prepared.call
        if call.name == "books.issue":
            return f"{call.args.get('number')} is issued. A credit note takes it back: cancel {call.args.get('number')}"
    if not done:
        return "There is nothing left to take back."
    names = ", ".join(dict.fromkeys(approvals.doing(effect.prepared.call, house.actions) for effect in done))
    return f"This cannot be taken back any more ({names})."


def _undo_books(state: TaskState, effect: EffectState, house: House, actor: Actor) -> list[Effect]:
    """Take back an entry in our own books: the older versions return, in one transaction."""
    prepared = effect.prepared
    call = prepared.call
    before = {
        (write.kind, write.key): house.ledgers.before(prepared.effect, write.kind, write.key) for write in call.writes
    }
    back = books.reverse(call, before)
    new = f"{prepared.effect}.undo"
    closing: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake) and order.data.get("effect") == prepared.effect
    ]
    return [
        *closing,
        Record(
            event=Prepared(
                effect=new,
                card="",
                step=prepared.step,
                call=back,
                fingerprint=fingerprint(back),
                key=starting.stable_key(house.secret, new),
                effect_class="keyed",
                compensates=prepared.effect,
                rule=f"undo by {actor.platform}",
            )
        ),
        Record(event=Confirmed(effect=new, text=books.text_of(back), how="books")),
        Record(event=Compensated(effect=prepared.effect, by_effect=new)),
    ]

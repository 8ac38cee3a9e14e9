"""decide(state, event, house) → orders: the table of contents of every opinion of the house. Pure.

``state`` is what we believe of one task *after* the event, `House` is what holds everywhere. Both come from the same
transaction that appends the event, so there is no gap between belief and decision: two presses at one instant settle a
card once, because the second one is decided after the first.

The answers are orders (``bot/effects.py``). `Record` appends a further event in the same transaction and is decided
in turn, so a press, its effect and the start of it are one commit. Each row's opinion has its file in ``bot/deciding/``.
"""

from __future__ import annotations

from typing import assert_never

from bot import schedules
from bot.deciding import (
    cards,
    conditions,
    fortunes,
    gate,
    hearing,
    pausing,
    planning,
    presses,
    recurring,
    saying,
    starting,
    waking,
)
from bot.deciding.house import House
from bot.effects import Effect, LookUp, Perform
from bot.state import TaskState
from memory.events import (
    Answered,
    BecameUnknown,
    CardOpened,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    EpochRaised,
    Failed,
    Granted,
    GrantUsed,
    Happening,
    HourStruck,
    ItemArrived,
    MessageReceived,
    ModelCalled,
    Paused,
    Planned,
    Posted,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Recorded,
    Resumed,
    Revoked,
    Said,
    Sending,
    Settled,
    Snoozed,
    Understood,
    WokeUp,
)


def decide(state: TaskState, event: Happening, house: House) -> list[Effect]:
    """Return what is to be done about an event. Total: every event has its row."""
    match event:
        case MessageReceived():
            return hearing.message(state, event, house)
        case ItemArrived():
            return hearing.item(state, event, house)
        case HourStruck() if event.name.startswith(schedules.PREFIX):
            return recurring.fell_due(event, house)
        case HourStruck():
            return [LookUp(question=event.name, slots={"period": event.period})]
        case Understood():
            return hearing.understood(state, event, house)
        case Planned():
            return planning.planned(state, event, house)
        case Proposed():
            return gate.proposed(state, event, house)
        case Answered():
            return saying.answered(state, event)
        case CardOpened():
            return cards.opened(state, event, house)
        case Pressed():
            return presses.pressed(state, event, house)
        case Settled():
            return cards.settled(state, event, house)
        case Snoozed():
            return cards.snoozed(state, event)
        case Prepared():
            return []  # started by whoever prepared it, or by the window's end
        case Queued():
            return starting.queued(state, event)
        case Sending():
            return [Perform(effect=event.effect, attempt=event.attempt)]
        case Confirmed():
            return fortunes.confirmed(state, event, house)
        case Failed():
            return fortunes.failed(state, event, house)
        case BecameUnknown():
            return fortunes.unknown(state, event)
        case Dropped():
            return fortunes.dropped(state, event)
        case Compensated():
            return saying.mend(state, state.effects[event.effect].prepared.card)
        case Said():
            return saying.show_message(event, house)
        case WokeUp():
            return waking.woke(state, event, house)
        case Paused():
            return pausing.paused(event)
        case Resumed():
            return pausing.resumed(event)
        case Delivered() if event.what in state.cards and state.cards[event.what].state != "pending":
            # It was settled while this copy was on its way, and nobody has mended it yet.
            return saying.mend(state, event.what, only=event.ref)
        case Recorded():
            return conditions.stirred(event)
        case Ended() | Posted() | Delivered() | ModelCalled():
            return []  # looked at, not acted on
        case Granted() | Revoked() | GrantUsed() | EpochRaised():
            return []
        case _:
            assert_never(event)

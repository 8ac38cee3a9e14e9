"""What fell due: a table of reasons to come back. Pure."""

from __future__ import annotations

from bot import approvals
from bot.deciding import (
    cards,
    conditions,
    fortunes,
    halfway,
    pausing,
    planning,
    progress,
    recurring,
    restoring,
    saying,
    starting,
    stopping,
    undoing,
)
from bot.deciding.house import House
from bot.deciding.saying import say, show_card
from bot.effects import Effect, Perform, Record
from bot.state import TaskState
from memory.events import Ended, MessageReceived, WokeUp


def woke(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """Do what fell due, unless it is settled in the meantime."""
    card = state.cards.get(str(event.data.get("card", "")))
    effect = state.effects.get(str(event.data.get("effect", "")))
    message = state.said.get(str(event.data.get("message", "")))
    match event.reason:
        case "expire" if card and card.state == "pending":
            return cards.expire(state, card, house)
        case "remind" if card and card.state == "pending":
            when = approvals.clock_text(card.opened.expires_at, house.view()) if card.opened.expires_at else "soon"
            return say(
                state,
                f"Card {card.opened.card} still waits and runs out {when}: {card.opened.title}",
                kind="notice",
                home=True,
            )
        case "snooze" if card and card.state == "pending":
            return [
                *show_card(state, card.opened.card, house),
                *say(state, f"Back as you asked: card {card.opened.card}.", kind="notice"),
            ]
        case saying.RESTED if card and card.state == "pending":
            return show_card(state, card.opened.card, house)
        case saying.SHOWN:
            return saying.show_again(state, event, house)
        case saying.RESTED if message:
            return saying.show_message(message, house)
        case "window" | "retry" | starting.TURN if effect and effect.status == "prepared":
            return starting.start(effect, house)
        case stopping.STOPPED:
            return stopping.stopped(state, event)
        case halfway.TAKEN_BACK:
            return undoing.taken_back(state, event, house)
        case "answer":
            return planning.go_on(state, event, house)
        case "step" | conditions.REASON:
            return progress.advance(state, house)
        case "resumed":
            return pausing.resume(state, house)
        case "reminder":
            return recurring.remind(state, event, house)
        case "interrupted" if effect and effect.status == "sending":
            return fortunes.interrupted(effect, house)
        case "look" | "interrupted" if effect and effect.status == "unknown":
            return [Perform(effect=effect.prepared.effect, attempt=effect.attempt, look=True)]
        case "restored":
            return restoring.restored(state)
        case "told" | "started" | "remembered":
            over = state.status == "received"
            return [Record(event=Ended(how="done", summary="passed on"))] if over and event.reason == "told" else []
        case "refused" | "notice":
            # Told, and over: a notice is no work that could get stuck.
            home = not isinstance(state.heard, MessageReceived)  # an answer goes where the question was
            said = say(state, str(event.data.get("text", "")), kind="notice", home=home)
            return [*said, *([Record(event=Ended(how="done", summary="told"))] if state.status == "received" else [])]
        case _:
            return []  # what it was about is settled in the meantime

"""One task is stopped, or taken over by hand: nothing more of it begins, and what already happened is said. Pure."""

from __future__ import annotations

import re

import msgspec

from bot.deciding import halfway, starting
from bot.deciding.progress import FINISHED
from bot.deciding.saying import say
from bot.effects import Close, Delegate, Effect, Record, Tell, Wake
from bot.state import TaskState
from memory.events import Actor, Dropped, Ended, Origin, Place, Settled, WokeUp

STOPPED = "stopped"
"""Why a task wakes when it is stopped from another one."""

_STOP = re.compile(r"(?:/?(?:stop|take over|end)\s+task|/end)(?:\s+#?(?P<task>\d{1,9}))?[.!]?", re.IGNORECASE)


def said(text: str) -> int | None:
    """Return which task exact words stop ("stop task 12", "take over task 12"), 0 when they say none; None for others."""
    match = _STOP.fullmatch(text.strip())
    return int(match["task"] or 0) if match else None


def asked(state: TaskState, task: int) -> list[Effect]:
    """Pass the word on to the task it is about."""
    if state.origin is not Origin.OPERATOR:
        text = "Only the operator stops a task. You can reject the card that you were shown."
        return [*say(state, text), _over("not a delegate's to say")]
    if task in {0, state.id}:
        return [*say(state, 'Which one? "end task 12"; /tasks lists the newest.'), _over("asked back")]
    told = WokeUp(
        order="",
        reason=STOPPED,
        data={"by": msgspec.to_builtins(state.actor), "place": msgspec.to_builtins(state.place)},
    )
    return [Tell(task=task, event=told)]


def stopped(state: TaskState, event: WokeUp) -> list[Effect]:
    """End the task: its cards are void, what waits in a window is dropped, what is drafted late is put away."""
    actor = msgspec.convert(event.data["by"], Actor)
    place = msgspec.convert(event.data["place"], Place)
    if not state.seq or state.status in FINISHED:
        words = f"Task {state.id} is over already." if state.heard else f"There is no task {state.id}."
        return say(state, f"{words} Nothing was changed.", at=place)
    closing: list[Effect] = [
        Close(order=key) for key, order in state.open.items() if isinstance(order, Delegate | Wake)
    ]
    cards: list[Effect] = [
        Record(
            event=Settled(
                card=card.opened.card, revision=card.opened.revision, how="cancelled", by=actor, reason="you stopped it"
            )
        )
        for card in state.pending()
        if card.opened.kind == "approval"
    ]
    drops: list[Effect] = [
        Record(event=Dropped(effect=effect, reason="Stopped before it happened.", by=actor))
        for effect in _droppable(state)
    ]
    ended = Record(event=Ended(how="cancelled", summary="stopped by you"))
    back = (halfway.offer(state.id),) if len(halfway.standing(state)) > 1 else ()
    return [*closing, ended, *cards, *drops, *say(state, _words(state), choices=back, kind="receipt", at=place)]


def _droppable(state: TaskState) -> list[str]:
    """Return the effects to let go; of those that follow one another only the first, which takes the rest with it."""
    found: list[str] = []
    reached: set[str] = set()
    for effect in state.effects.values():
        if effect.status != "prepared" or effect.maybe:
            continue
        group = starting.group(state, effect)[0].prepared.effect
        if effect.prepared.not_before or group not in reached:
            found.append(effect.prepared.effect)
        reached.add(group)
    return found


def _words(state: TaskState) -> str:
    done = [effect.text for effect in state.effects.values() if effect.status == "confirmed"]
    away = any(effect.status == "sending" or effect.maybe for effect in state.effects.values())
    parts = [f"Task {state.id} is stopped; nothing more of it begins. It is yours now: {state.title}"]
    parts += [f"Done before: {' '.join(done)}"] if done else []
    parts += ["What is on its way cannot be stopped; I tell you what becomes of it."] if away else []
    return "\n".join(parts)


def _over(summary: str) -> Record:
    return Record(event=Ended(how="done", summary=summary))

"""The emergency stop, by level, and going on after it. Pure."""

from __future__ import annotations

from bot.deciding import starting
from bot.deciding.house import SOLOIST, House
from bot.deciding.saying import say
from bot.effects import Effect, Record, Reply, Rouse, Tell
from bot.state import TaskState
from memory.events import Ended, Paused, Resumed, Understood


def asked(state: TaskState, event: Understood) -> list[Effect]:
    """Stop or go on, as the operator said it; the house's own history takes it down."""
    scope = str(event.slots.get("scope") or "all")
    actor = state.actor or SOLOIST
    if event.intent == "pause":
        text, told = _words(scope), Paused(scope=scope, by=actor)
        return [
            Tell(task=0, event=told),
            *say(state, text),
            Record(event=Ended(how="done", summary=f"paused {scope}")),
        ]
    return [
        Tell(task=0, event=Resumed(scope=scope, by=actor)),
        *say(state, "Going on. What stood still starts now."),
        Record(event=Ended(how="done", summary=f"resumed {scope}")),
    ]


def _words(scope: str) -> str:
    what = "Everything" if scope == "all" else scope
    return f"{what} is stopped: nothing leaves the house until /resume. You can still ask, draft and approve."


def paused(event: Paused) -> list[Effect]:
    """Tell whoever stopped it; what holds is asked of `House.paused` before each attempt."""
    return [Reply(text=_words(event.scope))]


def resumed(event: Resumed) -> list[Effect]:
    """Wake every task whose effects stood still."""
    return [
        Rouse(scope=event.scope),
        Reply(text=f"Going on with {event.scope}." if event.scope != "all" else "Going on."),
    ]


def resume(state: TaskState, house: House) -> list[Effect]:
    """Start what fell due while everything stood still: of each group the first that is not done yet."""
    orders: list[Effect] = []
    reached: set[str] = set()
    started: list[str] = []
    for effect in state.effects.values():
        group = effect.prepared.effect.rpartition(".")[0]
        if group in reached or effect.status == "confirmed":
            continue
        reached.add(group)
        turn = None if effect.room else effect.turn_at
        due = max(filter(None, (effect.prepared.not_before, effect.again_at, turn)), default=house.now)
        if effect.status == "prepared" and due <= house.now:
            orders += starting.start(effect, house, beside=started)
            started.append(effect.prepared.call.name)
    return orders

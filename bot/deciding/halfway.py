"""A plan that ended before its end: what was done and what was not is said, and taking it back is offered. Pure.

Nothing is taken back by itself: what was done was approved, and may be worth keeping. The button says "take back task 12";
``undoing.py`` goes through what was done, the newest first.
"""

from __future__ import annotations

import re

import msgspec

from bot import plans
from bot.deciding.saying import say
from bot.effects import Effect, Record, Tell
from bot.state import EffectState, TaskState
from memory.events import Choice, Ended, Origin, Step, WokeUp

TAKEN_BACK = "taken back"
"""Why a task wakes when what it did is to be taken back."""
TOLD_MAX = 8  # deeds and steps told in one message
_TAKE_BACK = re.compile(r"/?(?:take back|undo) (?:all of )?task #?(?P<task>\d{1,9})[.!]?", re.IGNORECASE)


def ended(state: TaskState) -> list[Effect]:
    """Say where the plan ended and what stands, with a button that takes it back; nothing when it went through whole."""
    steps = state.planned.steps if state.planned else ()
    if len(steps) < 2 or any(step.gate == "shadow" for step in steps):  # noqa: PLR2004 - one step is no plan
        return []
    numbered = list(enumerate(steps, 1))
    broken = [(n, s) for n, s in numbered if state.steps.get(s.id) in {"failed", "skipped"} and s.on_fail != "skip"]
    lost = [(n, s) for n, s in numbered if state.steps.get(s.id) == "ready"]
    failed = any(state.steps.get(step.id) == "failed" for _, step in broken)
    if not broken or not (lost or failed):
        return []  # what was rejected and nothing hung on is the operator's own decision
    done = standing(state)
    text = [f"The plan ends here: {_steps(broken)} {_was(broken)} not done{_nor(lost)}."]
    if done:
        text += ["Done before, and it stands:", *(f"- {effect.text}" for effect in done[:TOLD_MAX])]
    at_home = plans.begun_by_itself(state)
    return say(state, "\n".join(text), choices=(offer(state.id),) if done else (), kind="notice", home=at_home)


def standing(state: TaskState) -> list[EffectState]:
    """Return what a task did that was not taken back, the oldest first."""
    return [
        effect for effect in state.effects.values() if effect.status == "confirmed" and not effect.prepared.compensates
    ]


def offer(task: int) -> Choice:
    """Return the button that takes back what a task did."""
    return Choice(label="Take back what was done", text=f"take back task {task}")


def said(text: str) -> int | None:
    """Return which task exact words take back ("take back task 12"); None for all others."""
    match = _TAKE_BACK.fullmatch(text.strip())
    return int(match["task"]) if match else None


def asked(state: TaskState, task: int) -> list[Effect]:
    """Pass the word on to the task it is about."""
    if state.origin is not Origin.OPERATOR:
        text = "Only the operator takes a task back."
        return [*say(state, text), Record(event=Ended(how="done", summary="not a delegate's to say"))]
    data = {"by": msgspec.to_builtins(state.actor), "place": msgspec.to_builtins(state.place)}
    return [Tell(task=task, event=WokeUp(order="", reason=TAKEN_BACK, data=data))]


def _steps(steps: list[tuple[int, Step]]) -> str:
    named = [f"{number} ({step.intent.replace('_', ' ')})" for number, step in steps[:TOLD_MAX]]
    return f"step{'s' * (len(named) > 1)} {' and '.join(filter(None, (', '.join(named[:-1]), named[-1])))}"


def _was(steps: list[tuple[int, Step]]) -> str:
    return "were" if len(steps) > 1 else "was"


def _nor(steps: list[tuple[int, Step]]) -> str:
    return f", so {_steps(steps)}, which would have followed, {_was(steps)} not begun" if steps else ""

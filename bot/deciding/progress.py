"""The steps of a plan: which may begin, and when a task is over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import structs

from agents.condition import fact
from bot import plans
from bot.deciding import conditions, halfway
from bot.deciding.house import House
from bot.deciding.saying import first_line, say
from bot.effects import Delegate, Effect, Record, Wake
from bot.state import FINAL, TaskState
from memory.events import Ended, Proposed, Step

FINISHED = frozenset({"done", "failed", "cancelled"})


def advance(state: TaskState, house: House) -> list[Effect]:
    """Delegate every step whose needs are done and whose time has come; end the task when nothing is left."""
    if state.planned is None or state.status in FINISHED or plans.held(state):
        return []
    ready = [
        step
        for step in state.planned.steps
        if state.steps.get(step.id) == "ready"
        and plans.met(step, state.planned.steps, state.steps)
        and not any(isinstance(order, Delegate) and order.step == step.id for order in state.open.values())
    ]
    turn = [step for step in ready if not step.when or datetime.fromisoformat(step.when) <= house.now]
    asked = {step.id: conditions.verdict(step.only_if, house) for step in turn if step.only_if}
    if off := [step for step in turn if asked.get(step.id) == "no"]:
        return _called_off(state, off)
    orders: list[Effect] = []
    for step in ready:
        if step not in turn:
            orders += _wake(state, step, "step", datetime.fromisoformat(step.when))
        elif asked.get(step.id) == "wait" and step.only_if:
            orders += _wake(state, step, conditions.REASON, datetime.fromisoformat(step.only_if.until))
        else:
            orders.append(Delegate(step=step.id))
    if told := dict.fromkeys(_come_true(step) for step in turn if asked.get(step.id) == "yes" and step.only_if):
        orders += say(state, "\n".join(told), kind="notice", home=True)
    return orders or end_if_over(state)


def _wake(state: TaskState, step: Step, reason: str, due: datetime) -> list[Effect]:
    if any(isinstance(order, Wake) and order.data.get("step") == step.id for order in state.open.values()):
        return []
    return [Wake(reason=reason, due=due, data={"step": step.id})]


def _come_true(step: Step) -> str:
    assert step.only_if is not None
    return f"{_first(fact(step.only_if, so=True))}: I go on with what you planned for that."


def _called_off(state: TaskState, off: Sequence[Step]) -> list[Effect]:
    """Leave out the steps whose if is not so, and what rests on them; say so, and end when nothing is left."""
    assert state.planned is not None
    gone = {step.id for step in off}
    while more := {s.id for s in state.planned.steps if s.id not in gone and gone & set(s.needs)}:
        gone |= more
    kept = tuple(step for step in state.planned.steps if step.id not in gone)
    why = "; ".join(dict.fromkeys(fact(step.only_if, so=False) for step in off if step.only_if))
    text = f"{_first(why)}, so “{state.title}” is not needed any more."
    fresh = structs.replace(state.planned, steps=kept, source=plans.APPROVED, revision=state.planned.revision + 1)
    over = Ended(how="done", summary=first_line(text))
    return [*say(state, text, kind="notice", home=True), Record(event=fresh if kept else over)]


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def end_if_over(state: TaskState) -> list[Effect]:
    """End the task when no step, effect, card or reminder is left."""
    steps = state.planned.steps if state.planned else ()
    busy = any(status in {"working", "asked", "waiting", "acting"} for status in state.steps.values())
    ready = any(state.steps.get(step.id) == "ready" and plans.met(step, steps, state.steps) for step in steps)
    live = any(effect.status not in FINAL for effect in state.effects.values())
    waiting = any(True for _ in state.pending())
    reminding = any(isinstance(order, Wake) and order.reason == "reminder" for order in state.open.values())
    if busy or ready or live or waiting or reminding or state.status in FINISHED:
        return []
    told = halfway.ended(state)
    return [*told, Record(event=_end(state))]


def _end(state: TaskState) -> Ended:
    steps = state.planned.steps if state.planned else ()
    statuses = set(state.steps.values())
    texts = [effect.text for effect in state.effects.values() if effect.status == "confirmed"]
    if any(state.steps.get(step.id) == "failed" and step.on_fail != "skip" for step in steps):
        return Ended(how="failed", summary="a step failed")
    if any(card.opened.kind == "shadow" for card in state.cards.values()) and not texts:
        return Ended(how="done", summary="rehearsed; nothing was done")
    if "skipped" in statuses and "done" not in statuses:
        return Ended(how="cancelled", summary="left undone")
    return Ended(how="done", summary=" ".join(texts) or state.title)


def after_failure(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """A step failed: go on where the plan says so, else end."""
    if event.card:
        return []  # the card as it was still waits
    steps = state.planned.steps if state.planned else ()
    if any(step.id == event.step and step.on_fail == "skip" for step in steps):
        return advance(state, house)
    return [*halfway.ended(state), Record(event=Ended(how="failed", summary=first_line(event.problem)))]


def in_a_plan(state: TaskState) -> bool:
    """Whether the task has several steps."""
    return state.planned is not None and len(state.planned.steps) > 1

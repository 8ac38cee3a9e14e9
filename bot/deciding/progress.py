"""The steps of a plan: which may begin, and when a task is over. Pure."""

from __future__ import annotations

from datetime import datetime

from bot import plans
from bot.deciding.house import House
from bot.deciding.saying import first_line
from bot.effects import Delegate, Effect, Record, Wake
from bot.state import FINAL, TaskState
from memory.events import Ended, Proposed

FINISHED = frozenset({"done", "failed", "cancelled"})


def advance(state: TaskState, house: House) -> list[Effect]:
    """Delegate every step whose needs are done and whose time has come; end the task when nothing is left."""
    if state.planned is None or state.status in FINISHED or plans.held(state):
        return []
    orders: list[Effect] = []
    for step in state.planned.steps:
        if state.steps.get(step.id) != "ready" or not plans.met(step, state.planned.steps, state.steps):
            continue
        if any(isinstance(order, Delegate) and order.step == step.id for order in state.open.values()):
            continue
        due = datetime.fromisoformat(step.when) if step.when else house.now
        if due <= house.now:
            orders.append(Delegate(step=step.id))
        elif not any(isinstance(order, Wake) and order.data.get("step") == step.id for order in state.open.values()):
            orders.append(Wake(reason="step", due=due, data={"step": step.id}))
    if orders:
        return orders
    return end_if_over(state)


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
    statuses = set(state.steps.values())
    texts = [effect.text for effect in state.effects.values() if effect.status == "confirmed"]
    if any(state.steps.get(step.id) == "failed" and step.on_fail != "skip" for step in steps):
        return [Record(event=Ended(how="failed", summary="a step failed"))]
    if any(card.opened.kind == "shadow" for card in state.cards.values()) and not texts:
        return [Record(event=Ended(how="done", summary="rehearsed; nothing was done"))]
    if "skipped" in statuses and "done" not in statuses:
        return [Record(event=Ended(how="cancelled", summary="left undone"))]
    return [Record(event=Ended(how="done", summary=" ".join(texts) or state.title))]


def after_failure(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """A step failed: go on where the plan says so, else end."""
    if event.card:
        return []  # the card as it was still waits
    steps = state.planned.steps if state.planned else ()
    if any(step.id == event.step and step.on_fail == "skip" for step in steps):
        return advance(state, house)
    return [Record(event=Ended(how="failed", summary=first_line(event.problem)))]


def in_a_plan(state: TaskState) -> bool:
    """Whether the task has several steps."""
    return state.planned is not None and len(state.planned.steps) > 1

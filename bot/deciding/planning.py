"""A plan that is shown, edited, let go or dropped. Pure."""

from __future__ import annotations

from bot import plans
from bot.deciding import learning, progress
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Wake
from bot.state import TaskState
from memory.events import Ended, Planned, WokeUp


def planned(state: TaskState, event: Planned, house: House) -> list[Effect]:
    """Show the plan and wait for a word, or begin with it."""
    if plans.held(state):
        return say(state, plans.shown(event.steps, house.zone), choices=plans.CHOICES, kind="question")
    if plans.begun_by_itself(state) and len(event.steps) > 1:
        text, choices = plans.announced(event.steps, state.id, house.zone)
        return [*say(state, text, choices=choices, kind="notice", home=True), *progress.advance(state, house)]
    orders = progress.advance(state, house)
    if event.source == plans.APPROVED and orders and all(isinstance(order, Wake) for order in orders):
        # Nothing can be seen to happen, so it is said what is waited for.
        waiting = plans.awaited(event.steps, house.zone)
        return [*say(state, waiting, choices=(plans.stop(state.id),), kind="notice"), *orders]
    return orders


def go_on(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """The operator's answer came: to a plan that was shown, or to the question of one of its steps."""
    if state.status in progress.FINISHED:
        return say(state, "That question is settled in the meantime.", kind="notice")
    if plans.held(state):
        return _edited(state, str(event.data.get("text") or ""), house)
    step = str(event.data.get("step") or "")
    under_way = any(isinstance(order, Delegate) and order.step == step for order in state.open.values())
    if state.steps.get(step) == "working" and not under_way:
        slots = event.data.get("slots") or {}
        guidance = "" if slots else str(event.data.get("text") or "")
        return [Delegate(step=step, guidance=guidance, edits=dict(slots))]
    if state.steps.get(step) == "skipped":
        return progress.advance(state, house)
    return say(state, "That question is settled in the meantime.", kind="notice")


def _edited(state: TaskState, text: str, house: House) -> list[Effect]:
    plan = state.planned
    assert plan is not None
    edit = plans.edited(text, plan.steps, house.now, house.zone)
    if edit.what in {"wrong", "unclear"}:
        return say(state, edit.problem, choices=plans.CHOICES, kind="question")
    if edit.what == "end":
        return [
            *say(state, "The plan is dropped. Nothing of it was done."),
            Record(event=Ended(how="cancelled", summary="the plan was dropped")),
        ]
    source = plans.APPROVED if edit.what == "go" else plans.EDITED
    fresh = Planned(goal=plan.goal, steps=edit.steps, source=source, revision=plan.revision + 1)
    learned = learning.from_plan(state, edit.steps, house) if edit.what == "go" else []
    return [*learned, Record(event=fresh)]

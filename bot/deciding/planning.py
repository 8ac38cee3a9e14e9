"""A plan that is shown, edited, let go or dropped. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agents.plan import staff
from bot import plans, replanning
from bot.deciding import guards, learning, progress
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Wake
from bot.outlook import Outlook
from bot.state import TaskState
from connectors.base import Json
from memory.events import Ended, Planned, Step, WokeUp


def planned(state: TaskState, event: Planned, house: House) -> list[Effect]:
    """Show the plan and wait for a word, or begin with it."""
    if plans.held(state):
        return [] if event.source == plans.EDITED else _shown(state, event.steps, house)
    if plans.begun_by_itself(state) and len(event.steps) > 1:
        text, choices = plans.announced(event.steps, state.id, house.zone, _outlook(house))
        return [*say(state, text, choices=choices, kind="notice", home=True), *progress.advance(state, house)]
    orders = progress.advance(state, house)
    if event.source == plans.APPROVED and orders and all(isinstance(order, Wake) for order in orders):
        # Nothing can be seen to happen, so it is said what is waited for.
        waiting = plans.awaited(event.steps, house.zone)
        return [*say(state, waiting, choices=(plans.stop(state.id),), kind="notice"), *orders]
    return orders


def _shown(state: TaskState, steps: Sequence[Step], house: House, different: Sequence[str] = ()) -> list[Effect]:
    text = plans.shown(steps, house.zone, _outlook(house), different=different)
    return say(state, text, choices=plans.CHOICES, kind="question")


def _outlook(house: House) -> Outlook:
    return Outlook(house.actions, house.policy, house.thinking, guards.absent)


def go_on(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """The operator's answer came: to a plan that was shown, or to the question of one of its steps."""
    if state.status in progress.FINISHED:
        return say(state, "That question is settled in the meantime.", kind="notice")
    if plans.held(state):
        return _edited(state, event, house)
    step = str(event.data.get("step") or "")
    under_way = any(isinstance(order, Delegate) and order.step == step for order in state.open.values())
    if state.steps.get(step) == "working" and not under_way:
        slots = event.data.get("slots") or {}
        said = str(event.data.get("text") or "")
        # One question may follow another: what was answered before still holds.
        first = Delegate(step=step, guidance="" if slots else said, edits={**_answered(state, step), **slots})
        # Those who had the same question read the answer with their own eyes: their slots may have other names.
        return [
            first,
            *(
                Delegate(step=other, guidance=said, edits=_answered(state, other))
                for other in _with_the_same_question(state, step)
            ),
        ]
    if state.steps.get(step) == "skipped":
        return progress.advance(state, house)
    return say(state, "That question is settled in the meantime.", kind="notice")


def _answered(state: TaskState, step: str) -> dict[str, Json]:
    return dict(state.proposed[step].edits) if step in state.proposed else {}


def _with_the_same_question(state: TaskState, step: str) -> list[str]:
    ask = state.proposed[step].ask if step in state.proposed else ""
    return [
        other
        for other, status in state.steps.items()
        if ask and status == "asked" and other != step and other in state.proposed and state.proposed[other].ask == ask
    ]


def _edited(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    plan = state.planned
    assert plan is not None
    edit = replanning.edited(str(event.data.get("text") or ""), plan.steps, house.now, house.zone)
    if edit.what in {"wrong", "unclear"}:
        return say(state, edit.problem, choices=plans.CHOICES, kind="question")
    if edit.what == "end":
        return [
            *say(state, "The plan is dropped. Nothing of it was done."),
            Record(event=Ended(how="cancelled", summary="the plan was dropped")),
        ]
    steps = edit.steps
    if edit.added is not None:
        fresh = _fresh(event, edit.added)
        if fresh is None:
            text = f"I do not know how to do “{edit.added.words}”. Say it as you would say it by itself, after “add:”."
            return say(state, text, choices=plans.CHOICES, kind="question")
        steps = replanning.with_step(steps, fresh, edit.added)
    if edit.what == "go":
        approved = Planned(goal=plan.goal, steps=steps, source=plans.APPROVED, revision=plan.revision + 1)
        return [*learning.from_plan(state, steps, house), Record(event=approved)]
    changed = Planned(goal=plan.goal, steps=steps, source=plans.EDITED, revision=plan.revision + 1)
    different = replanning.difference(plan.steps, steps, house.zone)
    return [Record(event=changed), *_shown(state, steps, house, different or ("nothing: it was so already",))]


def _fresh(event: WokeUp, added: replanning.Added) -> Step | None:
    """Return the step that was read from the words of "add: ...", None when nothing was."""
    read = event.data.get("added") or {}
    duty = staff().get(str(read.get("intent") or ""))
    if duty is None:
        return None
    # Nobody has seen it before, so it asks, as every step does that was read from words.
    return Step(
        id="added", agent=duty.agent, intent=duty.intent.id(), inputs=dict(read.get("slots") or {}), gate="ask",
        on_fail="ask", why=added.words,
    )  # fmt: skip

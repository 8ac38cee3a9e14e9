"""A plan that is shown, edited and let go; what was left out of it is kept as a preference. Pure."""

from __future__ import annotations

from bot import plans
from bot.deciding import progress
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record
from bot.state import TaskState
from connectors.base import Json
from memory.events import Ended, Planned, Recorded, WokeUp, Write


def planned(state: TaskState, event: Planned, house: House) -> list[Effect]:
    """Show the plan and wait for a word, or begin with it."""
    if plans.held(state):
        return say(state, plans.shown(event.steps, house.zone), choices=plans.CHOICES, kind="question")
    return progress.advance(state, house)


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
    return [*_preference(state, edit.dropped, house), Record(event=fresh)]


def _preference(state: TaskState, dropped: tuple[str, ...], house: House) -> list[Effect]:
    """Keep what was left out of a playbook, so that the planner proposes it that way the next time."""
    book = next((str(p.results["playbook"]) for p in state.proposed.values() if p.results.get("playbook")), "")
    if not book or not dropped:
        return []
    key = f"playbook-{book}"
    standing = house.ledgers.standing("preference", key)
    before = standing.data.get("dropped", []) if standing else []
    data: dict[str, Json] = {"playbook": book, "dropped": sorted({*before, *dropped}), "why": "you left it out"}
    write = Write(kind="preference", key=key, data=data)
    return [Record(event=Recorded(write=write, version=house.ledgers.version("preference", key) + 1))]

"""A plan while it waits for a word: how it is shown, and which steps may start. Pure.

A plan of several steps that an operator asked for is shown before anything of it runs, each step with what it waits for,
whether it asks, how it is taken back and what it may cost (``bot/outlook.py``). In any channel it is answered in words
(``bot/replanning.py``). Each edit makes a new revision, which is shown again with what is different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from agents.plan import lines
from bot.outlook import Outlook
from bot.replanning import HELP
from bot.state import StepStatus, TaskState
from memory.events import Choice, HourStruck, ItemArrived, Step

EDITED = "operator"  # `Planned.source` of an edited plan
APPROVED = "approved"  # and of one that may run
ITS_OWN = 2  # revisions of a task that began by itself: the item or hour, and the playbook it stands for
CHOICES = (
    Choice(label="Go ahead", text="go"),
    Choice(label="Rehearse", text="rehearse"),
    Choice(label="Drop the plan", text="drop the plan"),
)


def held(state: TaskState) -> bool:
    """Whether the plan waits for the operator's word before any of it runs."""
    plan = state.planned
    if plan is None:
        return False
    if begun_by_itself(state) and plan.revision <= ITS_OWN:
        return False  # a playbook that the operator set up for this; each step asks, and nobody may be there
    hangs = any(step.only_if for step in plan.steps)
    return plan.source == EDITED or (plan.source.startswith("agent:") and (len(plan.steps) > 1 or hangs))


def begun_by_itself(state: TaskState) -> bool:
    """Whether the clock or something from outside began the task."""
    return isinstance(state.heard, ItemArrived | HourStruck)


def announced(
    steps: Sequence[Step], task: int, zone: ZoneInfo, outlook: Outlook | None = None
) -> tuple[str, tuple[Choice, ...]]:
    """Return what is said of a plan that begins by itself, and the button that stops it."""
    text = "\n".join(
        ["This begins by itself:", *_lines(steps, zone, outlook), "What leaves the house asks at its step."]
    )
    return text, (stop(task),)


def stop(task: int) -> Choice:
    """Return the button that ends a task."""
    return Choice(label="Stop it", text=f"stop task {task}")


def awaited(steps: Sequence[Step], zone: ZoneInfo) -> str:
    """Return what is said of an approved plan of which nothing can begin yet."""
    return "\n".join(["Noted. I come back to it by myself; until then nothing happens:", *_lines(steps, zone)])


def shown(
    steps: Sequence[Step], zone: ZoneInfo, outlook: Outlook | None = None, *, different: Sequence[str] = ()
) -> str:
    """Return the plan as numbered lines, with what each waits for, asks, leaves behind and costs, and how to answer.

    Args:
        different: What the newest edit changed; it stands first.
    """
    news = ["Changed:", *(f"- {each}" for each in different), ""] if different else []
    return "\n".join([*news, *_lines(steps, zone, outlook), "", HELP])


def _lines(steps: Sequence[Step], zone: ZoneInfo, outlook: Outlook | None = None) -> list[str]:
    numbers = {step.id: number for number, step in enumerate(steps, 1)}
    asks = {step.id: outlook.asks(step) for step in steps} if outlook else None
    found: list[str] = []
    for words, step in zip(lines(steps, asks), steps, strict=True):
        if step.when:
            at = f"{datetime.fromisoformat(step.when).astimezone(zone):%a %d %b %H:%M}"
            # An if that is looked at on a day is told with the day: it says nothing of how things stand before.
            hangs = f" on {at}" if step.only_if else f", not before {at}"
        else:
            hangs = ""
        after = ", ".join(str(numbers[need]) for need in step.needs if need in numbers)
        below = outlook.below(step) if outlook else ""
        found += [f"{words}{hangs}{f', after {after}' if after else ''}", *([f"    {below}"] if below else [])]
    return found


def met(step: Step, steps: Sequence[Step], statuses: Mapping[str, StepStatus]) -> bool:
    """Whether everything a step waits for is done, or failed where the plan says that this may be skipped."""
    known = {each.id: each for each in steps}
    return all(
        statuses.get(need) == "done"
        or (statuses.get(need) in {"failed", "skipped"} and need in known and known[need].on_fail == "skip")
        for need in step.needs
    )

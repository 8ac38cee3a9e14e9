"""A plan while it waits for a word: how it is shown, how it is edited in text, which steps may start. Pure.

A plan of several steps that an operator asked for is shown before anything of it runs. In any channel it is answered in
words: "go", "rehearse", "drop step 2", "step 1 on Friday", "ask before step 3", "step 1 amount 900", "step 1 anyway" (without its if), "drop the plan". Each
edit makes a new revision, which is shown again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from agents.plan import reference, slot_kinds, told
from agents.slots import find_spans
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
HELP = (
    'Say "go", or change it first: "drop step 2", "step 1 on Friday", "ask before step 1", "step 1 amount 900 EUR"; '
    '"rehearse" shows every card and does nothing; "drop the plan" ends it.'
)

_GO = re.compile(
    r"/?(?:yes,?\s*)?(?:go|go ahead|go on|do it|run it|start|ok(?:ay)?|yes|looks good)[.!]*", re.IGNORECASE
)
_REHEARSE = re.compile(r"/?(?:rehearse|dry run|try)(?: it| the plan)?[.!]*", re.IGNORECASE)
_END = re.compile(
    r"/?(?:no|drop (?:it|all|the plan|everything)|cancel(?: it| the plan)?|never mind|stop)[.!]*", re.IGNORECASE
)
_DROP = re.compile(
    r"(?:drop|skip|leave out|remove|without)\s+steps?\s+(?P<which>\d+(?:\s*(?:,|and|&)\s*(?:step\s+)?\d+)*)[.!]*",
    re.IGNORECASE,
)
_ASK = re.compile(r"ask (?:me )?before\s+step\s+(?P<which>\d+)[.!]*", re.IGNORECASE)
_ANYWAY = re.compile(r"(?:do\s+)?step\s+(?P<which>\d+)\s+(?:anyway|in any case|without the if)[.!]*", re.IGNORECASE)
_STEP = re.compile(
    r"(?:do\s+|move\s+)?step\s+(?P<which>\d+)[:,]?\s+(?:to\s+)?(?P<rest>\S.*)", re.IGNORECASE | re.DOTALL
)
_FIELD = re.compile(r"(?P<name>[a-z_]+)\s*(?::|=|\bto\b|\bis\b)?\s*(?P<value>\S.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """What an answer does to a plan; ``problem`` says what is wrong with it."""

    what: Literal["go", "end", "change", "wrong", "unclear"]
    steps: tuple[Step, ...] = ()
    problem: str = ""


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


def announced(steps: Sequence[Step], task: int, zone: ZoneInfo) -> tuple[str, tuple[Choice, ...]]:
    """Return what is said of a plan that begins by itself, and the button that stops it."""
    text = "\n".join(["This begins by itself:", *_lines(steps, zone), "What leaves the house asks at its step."])
    return text, (stop(task),)


def stop(task: int) -> Choice:
    """Return the button that ends a task."""
    return Choice(label="Stop it", text=f"stop task {task}")


def awaited(steps: Sequence[Step], zone: ZoneInfo) -> str:
    """Return what is said of an approved plan of which nothing can begin yet."""
    return "\n".join(["Noted. I come back to it by myself; until then nothing happens:", *_lines(steps, zone)])


def shown(steps: Sequence[Step], zone: ZoneInfo) -> str:
    """Return the plan as numbered lines, with times and what waits for what, and how to answer."""
    return "\n".join([*_lines(steps, zone), "", HELP])


def _lines(steps: Sequence[Step], zone: ZoneInfo) -> list[str]:
    lines = told(steps).splitlines()
    numbers = {step.id: number for number, step in enumerate(steps, 1)}
    for number, step in enumerate(steps):
        if step.when:
            at = f"{datetime.fromisoformat(step.when).astimezone(zone):%a %d %b %H:%M}"
            # An if that is looked at on a day is told with the day: it says nothing of how things stand before.
            lines[number] += f" on {at}" if step.only_if else f", not before {at}"
        if step.needs:
            lines[number] += f", after {', '.join(str(numbers[need]) for need in step.needs if need in numbers)}"
    return lines


def edited(text: str, steps: Sequence[Step], now: datetime, zone: ZoneInfo) -> Edit:
    """Return what an answer to a shown plan means."""
    said = text.strip()
    if _GO.fullmatch(said):
        return Edit("go", tuple(steps))
    if _REHEARSE.fullmatch(said):
        return Edit("go", tuple(
            msgspec.structs.replace(step, gate="shadow", when="", only_if=None) for step in steps
        ))  # fmt: skip
    if _END.fullmatch(said):
        return Edit("end")
    if match := _DROP.fullmatch(said):
        return _without(steps, [int(number) for number in re.findall(r"\d+", match["which"])])
    if match := _ANYWAY.fullmatch(said):
        return _changed(steps, int(match["which"]), only_if=None)
    if match := _ASK.fullmatch(said):
        return _changed(steps, int(match["which"]), gate="ask")
    if match := _STEP.fullmatch(said):
        return _at_or_field(steps, int(match["which"]), match["rest"].strip(), now, zone)
    return Edit("unclear", problem=f"I cannot read that as a change of this plan. {HELP}")


def _without(steps: Sequence[Step], numbers: Sequence[int]) -> Edit:
    wrong = [number for number in numbers if not 1 <= number <= len(steps)]
    if wrong:
        return Edit("wrong", problem=f"There is no step {wrong[0]}; the plan has {len(steps)}.")
    gone = {steps[number - 1].id for number in numbers}
    kept = [step for step in steps if step.id not in gone]
    for number, step in enumerate(steps, 1):
        uses = {ref[0] for value in step.inputs.values() if (ref := reference(value))}
        if step.id not in gone and uses & gone:
            return Edit("wrong", problem=f"Step {number} needs what step {min(numbers)} finds. Drop both, or neither.")
    if not kept:
        return Edit("end")
    freed = tuple(
        msgspec.structs.replace(step, needs=tuple(need for need in step.needs if need not in gone)) for step in kept
    )
    return Edit("change", freed)


def _at_or_field(steps: Sequence[Step], number: int, rest: str, now: datetime, zone: ZoneInfo) -> Edit:
    if not 1 <= number <= len(steps):
        return Edit("wrong", problem=f"There is no step {number}; the plan has {len(steps)}.")
    match = _FIELD.fullmatch(rest)
    if match and (takes := slot_kinds(steps[number - 1].intent).get(match["name"].casefold())) is not None:
        inputs = {**steps[number - 1].inputs, match["name"].casefold(): _written(match["value"], takes, now, zone)}
        return _changed(steps, number, inputs=inputs)
    moments = [slot for slot in find_spans(rest, now, zone, "en_GB") if slot.kind in {"moment", "day"} and slot.value]
    if len(moments) == 1:
        value = moments[0].value
        when = (
            value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}T09:00:00").replace(tzinfo=zone)
        )
        if when <= now:
            return Edit("wrong", problem="That time has passed. When shall the step begin?")
        return _changed(steps, number, when=when.isoformat())
    return Edit("wrong", problem=f"I cannot read {rest!r} as a time or a detail of step {number}. {HELP}")


def _written(value: str, takes: set[str], now: datetime, zone: ZoneInfo) -> str:
    """Return a value as steps hold it: "900" for an amount is "900.00"."""
    value = value.strip()
    found = [slot for slot in find_spans(value, now, zone, "en_GB") if slot.kind in takes and slot.value]
    return str(found[0].value) if len(found) == 1 and found[0].text == value else value


def _changed(steps: Sequence[Step], number: int, **change: object) -> Edit:
    if not 1 <= number <= len(steps):
        return Edit("wrong", problem=f"There is no step {number}; the plan has {len(steps)}.")
    return Edit("change", tuple(
        msgspec.structs.replace(step, **change) if position == number else step for position, step in enumerate(steps, 1)
    ))  # fmt: skip


def met(step: Step, steps: Sequence[Step], statuses: Mapping[str, StepStatus]) -> bool:
    """Whether everything a step waits for is done, or failed where the plan says that this may be skipped."""
    known = {each.id: each for each in steps}
    return all(
        statuses.get(need) == "done"
        or (statuses.get(need) in {"failed", "skipped"} and need in known and known[need].on_fail == "skip")
        for need in step.needs
    )

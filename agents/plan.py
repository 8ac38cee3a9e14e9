"""Is a plan sound? Checked before anything of it runs, whoever wrote it: a playbook, the operator or a model.

A plan names agents and intents; it never names an action, an undo or a rule. What a step leads to is declared with the
intent, and policy judges every call of every step again. `faults` says in words what is wrong; nothing runs until it is
empty::

    faults(steps, staff(), words="onboard Globex")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agents.base import Agent, Intent, Risk, Step
from agents.condition import told as condition_told
from agents.edits import fault
from agents.slots.written import Kind, Written
from memory.events import Json

STEPS_MAX = 12  # a plan one can still read before saying yes
SHOWN_MAX = 160  # characters of one input in the list of steps
TAINTED = frozenset({"money", "email", "invoice"})
"""Kinds of slots that a model may only take over from the operator's words: amounts, recipients, papers."""


@dataclass(frozen=True)
class Duty:
    """An intent and whose it is."""

    agent: str
    intent: type[Intent]
    may: tuple[str, ...] = ()  # the actions that an answer to it may hold

    def leads_to(self, inputs: Mapping[str, Json]) -> tuple[str, ...]:
        """Return which of them it is about to be with these inputs, as far as that can be known before."""
        return self.intent.leads_to(inputs) or self.may


Staff = Mapping[str, Duty]


@cache
def staff() -> Staff:
    """Return every intent there is, by id; looking through the folder is done once."""
    # Looked up when it is needed: discovering reads this folder, and this module is part of it.
    from agents import discover

    return roster(discover())


def roster(agents: Mapping[str, type[Agent]]) -> Staff:
    """Return the intents of these agents by id."""
    return {
        intent.id(): Duty(name, intent, intent.may or (agent.proposes if intent.effect is not Risk.READS else ()))
        for name, agent in agents.items()
        for intent in agent.intents
    }


def faults(steps: Sequence[Step], known: Staff, *, words: str | None = None) -> tuple[str, ...]:
    """Return what is wrong with a plan, in words; empty when it may run.

    Args:
        steps: In any order; `Step.needs` decides what comes first.
        known: See `staff`.
        words: For a plan that a model wrote: the operator's own words, in which every amount, address and number it
            uses must stand. None for a playbook or the operator's plan.
    """
    found: list[str] = []
    if not steps:
        found.append("The plan has no steps.")
    if len(steps) > STEPS_MAX:
        found.append(f"The plan has {len(steps)} steps; {STEPS_MAX} are the most that can be read before saying yes.")
    ids = [step.id for step in steps]
    found += [f"Two steps are called {each!r}." for each in sorted({each for each in ids if ids.count(each) > 1})]
    for step in steps:
        found += _step_faults(step, known, set(ids), words)
    if stuck := circle(steps):
        found.append(f"These steps wait for each other: {', '.join(stuck)}.")
    return tuple(found)


def _step_faults(step: Step, known: Staff, ids: set[str], words: str | None) -> Iterable[str]:
    duty = known.get(step.intent)
    if duty is None:
        yield f"Step {step.id}: nobody knows how to {step.intent!r}."
        return
    if duty.agent != step.agent:
        yield f"Step {step.id}: {step.intent} belongs to {duty.agent}, not to {step.agent}."
    yield from (f"Step {step.id} waits for {need!r}, which is no step." for need in step.needs if need not in ids)
    if step.on_fail == "skip" and duty.intent.effect in {Risk.MONEY, Risk.OUTSIDE}:
        yield f"Step {step.id} reaches outside, so a failure there cannot be skipped in silence."
    fields = duty.intent.model_fields
    for name, value in step.inputs.items():
        if name not in fields:
            yield f"Step {step.id}: {step.intent} takes no {name!r}."
        elif (ref := reference(value)) is not None:
            if ref[0] not in step.needs:
                yield f"Step {step.id} uses {ref[0]!r} without waiting for it."
        else:
            yield from _literal_faults(step, name, value, fields[name].annotation, fields[name].metadata, words=words)
            if words is not None and name in duty.intent.verbatim and not _spoken(str(value), words):
                yield f"Step {step.id}, {name}: {value!r} is not in your words, and a model may not make it up."
    for name, field in fields.items():
        if field.is_required() and name not in step.inputs:
            yield f"Step {step.id}: {step.intent} needs {name!r}."


def _literal_faults(
    step: Step, name: str, value: Json, annotation: Any, metadata: Sequence[Any], *, words: str | None
) -> Iterable[str]:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        yield f"Step {step.id}, {name}: {fault(error)}"
        return
    if words is not None and kinds_of(annotation, metadata) & TAINTED and not _said(str(value), words):
        yield f"Step {step.id}, {name}: {value!r} is not what you said, and a model may not make it up."


def unfit(step: Step, name: str) -> str:
    """Return why a step's input cannot be what it is, in words; "" when it fits, or nobody knows the intent."""
    duty = staff().get(step.intent)
    if duty is None or name not in duty.intent.model_fields or reference(step.inputs[name]) is not None:
        return ""
    try:
        TypeAdapter(duty.intent.model_fields[name].rebuild_annotation()).validate_python(step.inputs[name])
    except ValidationError as error:
        return fault(error)
    return ""


def kinds_of(annotation: Any, metadata: Sequence[Any] = ()) -> set[str]:
    """Return the kinds of span that may fill a field: ``Money | None`` → ``{"money"}``."""
    found = {mark.name for mark in metadata if isinstance(mark, Kind)}
    if isinstance(annotation, type) and issubclass(annotation, Written):
        found.add(annotation.kind)
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, Kind):
            found.add(mark.name)
    for part in getattr(annotation, "__args__", ()):
        found |= kinds_of(part)
    return found


def slot_kinds(intent: str) -> dict[str, set[str]]:
    """Return slot → kinds of span that may fill it, of an intent by id; nothing for one that nobody knows."""
    duty = staff().get(intent)
    fields = duty.intent.model_fields if duty else {}
    return {name: kinds_of(field.annotation, field.metadata) for name, field in fields.items()}


def reference(value: Json) -> tuple[str, str] | None:
    """``{"from": "offer", "field": "client"}`` → ``("offer", "client")``; None for a literal."""
    if isinstance(value, dict) and set(value) == {"from", "field"}:
        return str(value["from"]), str(value["field"])
    return None


def _said(value: str, words: str) -> bool:
    """Whether an amount, address or number stands in the words, in whatever spelling of its digits."""
    flat = words.casefold().replace(",", "").replace("’", "").replace("'", "")
    number = value.casefold().partition(" ")[0]
    bare = number.removesuffix(".00")
    return value.casefold() in flat or number in flat.split() or any(bare == _digits(word) for word in flat.split())


def _spoken(value: str, words: str) -> bool:
    return " ".join(value.casefold().split()) in " ".join(words.casefold().split())


def _digits(word: str) -> str:
    core = word.strip("€$£.;:!?()").removesuffix(".00")
    if core.endswith("k") and core[:-1].replace(".", "", 1).isdigit():
        whole, _, part = core[:-1].partition(".")
        return (whole + part.ljust(3, "0")[:3]).lstrip("0") if len(part) <= len("000") else core
    return core


def circle(steps: Sequence[Step]) -> list[str]:
    """Return the steps that can never start, when some wait for each other."""
    waiting = {step.id: {need for need in step.needs if need != ""} for step in steps}
    while ready := [each for each, needs in waiting.items() if not needs & set(waiting)]:
        for each in ready:
            del waiting[each]
    return sorted(waiting)


def told(steps: Sequence[Step]) -> str:
    """Return a plan as the operator reads and edits it; see `lines`."""
    return "\n".join(lines(steps))


def lines(steps: Sequence[Step], asks: Mapping[str, str] | None = None) -> list[str]:
    """Return one numbered line for each step.

    Args:
        asks: Step id → whether it asks, in words, where the operator's rules were looked at; else as the plan says.
    """
    rows = []
    for number, step in enumerate(steps, start=1):
        if "keep" in step.inputs:
            rows.append(f"{number}. keep this plan as a playbook (asks first)")
            continue
        inputs = ", ".join(
            f"{name} from {ref[0]}" if (ref := reference(value)) else f"{name} {shown_value(value)}"
            for name, value in step.inputs.items()
        )
        words = asks.get(step.id, "") if asks is not None else "asks first" if step.gate == "ask" else ""
        gate = f" ({words})" if words else ""
        hangs = f", {condition_told(step.only_if)}" if step.only_if else ""
        if note := step.inputs.get("note"):
            rows.append(f"{number}. tell you: {note}{hangs}")
            continue
        rows.append(f"{number}. {step.intent.replace('_', ' ')}{': ' + inputs if inputs else ''}{gate}{hangs}")
    return [" ".join(row.split()) for row in rows]


def shown_value(value: Json) -> str:
    """Return an input as people read it: a moment without its zone, long words cut; the card has them whole."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        moment = None
    if moment:
        return f"{moment:%a} {moment.day} {moment:%b %H:%M}"
    text = str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"

"""The planner: a goal → a typed plan, from a playbook, or from a model that fills the same schema.

The plan's actions come from the operator's words and the company's playbooks. A model is only asked when no playbook
fits, is shown nothing from outside, and its plan passes the same check as every other (`agents.plan.faults`).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from msgspec import structs
from pydantic import BaseModel, Field, ValidationError

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Risk, Step, Task, Write
from agents.condition import Clause, bound
from agents.directory import address, free_key, named, slug, the_client
from agents.edits import with_edits
from agents.letter import prompt
from agents.plan import STEPS_MAX, Staff, faults, kinds_of, reference, staff, told
from agents.playbook import Playbook, PlaybookStep, fill, for_goal, playbooks
from agents.slots import ClientName, Money
from memory.events import Json, Origin

KIND = "playbook"
KEPT_FROM = 2  # steps: one alone is no habit
NAME_MAX = 40  # letters of a playbook's name
ASKED = {"client": ("client", "For which client?"), "amount": ("money", "How much?")}
"""What differs from one time to the next: name in a playbook → kind of slot, and how to ask for it."""


class MakePlan(Intent):
    """Work out the steps to a goal, show them, and go through them one card at a time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "large"
    examples: ClassVar[tuple[str, ...]] = (
        "make a plan for the launch",
        "Acme accepted the proposal",
        "plan the onboarding of Globex step by step",
        "what are the steps to close the Initech project?",
        "run the onboarding playbook for Hooli",
        "write and publish a post about our new service",
        "Stark said yes to the offer, get going",
        "start the engagement with Umbrella",
        "take care of everything for the Wayne kick-off",
        "handle the new enquiry from Tyrell",
        "first send the proposal, then follow up, then invoice",
        "set up the whole sequence for Cyberdyne",
        "work out how we get Wonka live by December",
        "run the playbook engagement for Duff",
        "do what we always do with a new customer",
        "break the website relaunch into steps",
        "plan everything for the Wayne relaunch",
        "plan the whole Stark onboarding",
        "make me a plan for the fair",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "Globex accepted our proposal",
        "make a step by step plan for the newsletter",
        "run the intake playbook for Acme",
        "plan everything for the Hooli onboarding",
        "Initech said yes, start the engagement",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "plan a meeting with Acme on Tuesday",
        "what's planned for Monday?",
        "invoice Acme 1,200",
        "onboard Globex",
        "plan the delivery for Stark",
        "what is your plan?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "{client} accepted the proposal",
        "run the playbook {playbook} for {client}",
        "make a plan for {goal}",
        "make a plan to {goal}",
        "plan how to {goal}",
        "work out the steps to {goal}",
    )
    command: ClassVar[str] = "plan"

    goal: str = ""
    playbook: str = ""
    client: ClientName | None = None
    topic: str = ""
    amount: Money | None = None
    steps: str = ""  # a `Draft` as JSON, where the goal was read as steps already
    note: str = ""  # what to tell the operator when the turn of this step has come
    keep: str = ""  # the steps of a plan that was gone through, as JSON: it becomes a playbook


class DraftStep(BaseModel):
    """One step as a model writes it."""

    id: str = Field(description="short and unique, like 'bill'")
    intent: str = Field(description="one of the listed intents")
    inputs: dict[str, Any] = Field(default_factory=dict, description="slot → value, or {'from': step, 'field': name}")
    needs: list[str] = Field(default_factory=list, description="ids of steps that must be done before")
    only_if: Clause | None = Field(
        default=None, description="what must have happened, or not, for this step to be wanted"
    )
    why: str = ""


class Draft(BaseModel):
    """A model's answer: a plan, a question, or that it cannot be done."""

    kind: Literal["plan", "clarify", "cannot"]
    steps: list[DraftStep] = Field(default_factory=list)
    text: str = Field(default="", description="the question, or why it cannot be done")


class Planner(Agent):
    """Turns a goal into steps for the others; it does none of them."""

    intents = (MakePlan,)
    proposes = ("books.write",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Find the playbook, or think one up, and check it."""
        wish = task.intent
        assert isinstance(wish, MakePlan)
        if wish.keep:
            return _keep(wish, task, desk)
        if wish.note:
            return Proposal(say=f"As you asked: {wish.note}.")
        if wish.steps:
            return _from_steps(wish.steps, task, desk)
        books = {name: book for name, book in {**kept(desk), **playbooks(desk.playbooks)}.items() if book.steps}
        goal = wish.goal or task.text
        if name := wish.playbook.strip() or _named_book(task.text, books):
            chosen = books.get(name.casefold())
            if chosen is None:
                return Proposal(problem=f"There is no playbook {name!r}. There are: {', '.join(books)}.")
            return _from_playbook(chosen, wish, task, desk)
        near = for_goal(_unnamed(goal, wish.client), books) or for_goal(_unnamed(task.text, wish.client), books)
        if near:
            return _from_playbook(near[0], wish, task, desk)
        if task.origin in {Origin.OPERATOR, Origin.DELEGATE}:
            # The slot may have lost the client to a slot of its own; the whole sentence has lost nothing.
            whole = task.text if goal in task.text else goal
            return await _from_model(whole, task, desk, books)
        return _no_plan("No playbook fits.", books)


def _named_book(text: str, books: Mapping[str, Playbook]) -> str:
    """Return the playbook that the words call by its name ("run the playbook post about ..."), or nothing."""
    said = re.findall(r"\bplaybook\s+[\"']?([\w-]+)", text, re.IGNORECASE)
    said += re.findall(r"\b([\w-]+)\s+playbook\b", text, re.IGNORECASE)
    return next((name.casefold() for name in said if name.casefold() in books), "")


def _unnamed(goal: str, client: str | None) -> str:
    return goal.replace(client, "the client") if client else goal


def _from_playbook(book: Playbook, wish: MakePlan, task: Task, desk: Desk) -> Proposal:
    known = _known(wish, task, desk)
    if isinstance(known, Proposal):
        return known
    filled = fill(book, known, desk)
    if filled.missing:
        question = book.asks[filled.missing[0]]
        if known.get("client") and not known.get("offer"):
            question = f"I know of no open proposal to {known['name']}. {question}"
        return Proposal(ask=question)
    steps, left_out = _as_before(book, filled.steps, desk)
    steps, changed = _changed_as_before(book, steps, desk)
    said = f"Playbook {book.name}: {book.title}."
    if left_out:
        said += f" Without {', '.join(left_out)}, as you had it before."
    if changed:
        said += f" As you always have it: {', '.join(changed)}."
    return replace(_sound(steps, staff(), said, words=None), results={"playbook": book.name})


def _as_before(book: Playbook, steps: tuple[Step, ...], desk: Desk) -> tuple[tuple[Step, ...], list[str]]:
    """Leave out what the operator left out of this playbook before, unless another step rests on it."""
    kept = desk.record("preference", f"playbook-{book.name}")
    unwanted = set(kept.data.get("dropped", [])) if kept else set()
    needed = {
        ref[0] for step in steps if step.id not in unwanted for v in step.inputs.values() if (ref := reference(v))
    }
    gone = [step.id for step in steps if step.id in unwanted - needed]
    if not gone or len(gone) == len(steps):
        return steps, []
    return tuple(
        structs.replace(step, needs=tuple(need for need in step.needs if need not in gone))
        for step in steps
        if step.id not in gone
    ), gone


def _changed_as_before(book: Playbook, steps: tuple[Step, ...], desk: Desk) -> tuple[tuple[Step, ...], list[str]]:
    """Let steps ask and wait as the operator always has it, as far as the plan still holds; and say which."""
    kept = desk.record("preference", f"playbook-{book.name}")
    ids, told = {step.id for step in steps}, []
    for name, value in (kept.data.get("changed", {}) if kept else {}).items():
        of, _, what = name.partition("/")
        if of not in ids:
            continue
        needs = tuple(need for need in str(value).split(", ") if need in ids)
        fresh = tuple(
            step
            if step.id != of
            else structs.replace(step, gate="ask")
            if what == "asks"
            else structs.replace(step, needs=needs)
            for step in steps
        )
        if not faults(fresh, staff()):
            steps = fresh
            told.append(f"{of} asks first" if what == "asks" else f"{of} after {value}")
    return steps, told


def _known(wish: MakePlan, task: Task, desk: Desk) -> dict[str, Json] | Proposal:
    """Return what the playbook's names mean: from the words, then from the client's record and newest proposal."""
    known: dict[str, Json] = {"topic": wish.topic or _topic(task.text), "amount": str(wish.amount or "")}
    if not wish.client:
        return known
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    known |= {
        "client": client.key,
        "name": named(client),
        "email": address(client),
        "need": client.data.get("need", ""),
    }
    offers = [p for p in desk.records("proposal", client=client.key) if p.data.get("status") in {"sent", "accepted"}]
    if offers:
        offer = max(offers, key=lambda record: (record.at, record.key))
        known |= {
            "offer": offer.key,
            "need": offer.data["text"],
            "amount": known["amount"] or offer.data.get("amount", ""),
        }
    return known


def _topic(text: str) -> str:
    _, about, topic = text.partition(" about ")
    return topic.strip(" .") if about else ""


def _from_steps(written: str, task: Task, desk: Desk) -> Proposal:
    """Return the plan of a goal that was read as steps without a model."""
    try:
        draft = Draft.model_validate_json(written)
    except ValidationError as error:
        return Proposal(problem=f"These steps cannot be read, so nothing was planned ({type(error).__name__}).")
    steps = _steps(draft, task, desk)
    if isinstance(steps, Proposal):
        return steps
    return _sound(steps, staff(), f"As I read it, step by step. {draft.text}".rstrip(), words=None)


def _steps(draft: Draft, task: Task, desk: Desk) -> tuple[Step, ...] | Proposal:
    """Return the steps of a draft with its ifs bound to records, or what is to be asked first."""
    known, steps = staff(), []
    for step in _apart(draft.steps, task.step):
        condition, when = None, ""
        if step.only_if is not None:
            found = bound(step.only_if, task, desk)
            if isinstance(found, Proposal):
                return found
            condition, when = found.condition, found.when
        steps.append(
            Step(
                id=step.id,
                agent=known[step.intent].agent if step.intent in known else "",
                intent=step.intent,
                inputs=step.inputs,
                needs=tuple(step.needs),
                when=when,
                only_if=condition,
                gate="ask"
                if step.intent != MakePlan.id()
                else "",  # a plan that nobody has seen before asks at every step
                on_fail="ask",  # what one step cannot do need not end the others
                why=step.why,
            )
        )
    return tuple(steps)


def _apart(steps: Sequence[DraftStep], taken: str) -> list[DraftStep]:
    """Return the steps with no id like that of the step in which they were thought of: it is done, and they are not."""

    def other(name: str) -> str:
        return f"{name}-next" if name == taken else name

    def input_of(value: Any) -> Any:
        return {**value, "from": other(value["from"])} if reference(value) else value

    return [
        step.model_copy(
            update={
                "id": other(step.id),
                "needs": [other(need) for need in step.needs],
                "inputs": {name: input_of(value) for name, value in step.inputs.items()},
            }
        )
        for step in steps
    ]


async def _from_model(goal: str, task: Task, desk: Desk, books: Mapping[str, Playbook]) -> Proposal:
    known = staff()
    asked = f"{prompt('planner')}\n\nIntents:\n{catalogue(known)}\n\nGoal, in the operator's words: {goal}"
    thought = await desk.think("plan", asked, schema=Draft, tier="large", about=goal, recent=True)
    if thought.problem or thought.data is None:
        return _no_plan(f"No playbook fits, and I cannot plan freely ({thought.problem or 'no answer'}).", books)
    draft = Draft.model_validate(thought.data)
    if draft.kind == "clarify":
        return Proposal(ask=draft.text or "What exactly is the goal?")
    if draft.kind == "cannot":
        return Proposal(problem=draft.text or "I see no way to do this with what I can do.")
    if any(step.intent == MakePlan.id() for step in draft.steps):
        return Proposal(problem="A plan inside a plan would never be read whole. Name the goal in smaller steps.")
    if invented := _invented(draft, goal):
        return Proposal(problem=f"The plan hangs on {invented!r}, which you did not say, so I do not use it.")
    steps = _steps(draft, task, desk)
    if isinstance(steps, Proposal):
        return steps
    found = _sound(steps, known, f"Planned by {thought.model or 'a model'}.", words=goal)
    if not found.plan or not KEPT_FROM <= len(steps) < STEPS_MAX or any(step.only_if for step in steps):
        return found
    whole = (*steps, _keeping(goal, steps, known))
    return replace(found, plan=whole, say=f"{found.reasons[0]}\n{told(whole)}")


def _invented(draft: Draft, goal: str) -> str:
    """Return who or when of an if that a model did not take from the operator's words, "" when it took all."""
    ifs = [step.only_if for step in draft.steps if step.only_if is not None]
    said = [word for each in ifs for word in (each.who, each.by) if word]
    return next((word for word in said if word.casefold() not in goal.casefold()), "")


def _keeping(goal: str, steps: tuple[Step, ...], known: Staff) -> Step:
    """Return the last step of a plan that nobody had before: once it was gone through, it may be kept."""
    rows = [
        {
            "id": step.id,
            "intent": step.intent,
            "inputs": _general(step, known),
            "needs": list(step.needs),
            "gate": "ask",
        }
        for step in steps
    ]
    return Step(
        id="keep",
        agent=known[MakePlan.id()].agent,
        intent=MakePlan.id(),
        inputs={"goal": goal, "keep": json.dumps(rows)},
        needs=tuple(step.id for step in steps),
        gate="ask",
        why="so that it is there next time",
    )


def _general(step: Step, known: Staff) -> dict[str, Json]:
    """Return a step's inputs with names in place of this one client and amount."""
    fields = known[step.intent].intent.model_fields
    found: dict[str, Json] = {}
    for name, value in step.inputs.items():
        kinds = kinds_of(fields[name].annotation, fields[name].metadata) if name in fields else set()
        name_of = next((kind for kind in ASKED if ASKED[kind][0] in kinds and not reference(value)), "")
        found[name] = f"${name_of}" if name_of else value
    return found


def _keep(wish: MakePlan, task: Task, desk: Desk) -> Proposal:
    """Propose to keep what was gone through of a plan as a playbook of the operator's."""
    try:
        steps = [PlaybookStep.model_validate(row) for row in json.loads(wish.keep)]
    except (ValueError, TypeError) as error:
        return Proposal(problem=f"These steps cannot be read, so nothing was kept ({type(error).__name__}).")
    done = [step for step in steps if step.id in task.results]
    if not done:
        return Proposal(say="Nothing of the plan was gone through, so it is not kept.")
    ids = {step.id for step in done}
    rows: list[Json] = [
        {**step.model_dump(mode="json"), "needs": [need for need in step.needs if need in ids]} for step in done
    ]
    used = {str(value) for step in done for value in step.inputs.values()}
    title = wish.goal.strip().rstrip(".")
    name = free_key(desk, KIND, slug(title)[:NAME_MAX].strip("-") or "plan")
    data: dict[str, Json] = {
        "title": title[0].upper() + title[1:], "goals": [title], "steps": rows,
        "asks": {kind: question for kind, (_, question) in ASKED.items() if f"${kind}" in used},
    }  # fmt: skip
    call = ActionCall(
        name="books.write",
        args={
            "summary": f"Playbook {name}: {data['title']}",
            "fields": {"Steps": ", ".join(step.intent.replace("_", " ") for step in done)},
        },
        writes=(Write(kind=KIND, key=name, data=data),),
        needs={f"{KIND}:{name}": 0},
    )
    return Proposal(calls=(call,), results={"playbook": name}, reasons=(f"Next time: run the playbook {name}",))


def kept(desk: Desk) -> dict[str, Playbook]:
    """Return the plans that were kept, by name; one that no longer reads is passed over."""
    found = {}
    for record in desk.records(KIND):
        with contextlib.suppress(ValidationError):
            found[record.key] = Playbook.model_validate({**record.data, "name": record.key})
    return found


def catalogue(known: Staff) -> str:
    """Return the intents as a model reads them: id, what it does, slots."""
    rows = []
    for name, duty in sorted(known.items()):
        if name == MakePlan.id():
            continue  # a plan inside a plan
        slots = ", ".join(f"{slot}{'' if f.is_required() else '?'}" for slot, f in duty.intent.model_fields.items())
        rows.append(f"- {name}({slots}): {(duty.intent.__doc__ or '').strip().splitlines()[0]}")
    return "\n".join(rows)


def _sound(steps: tuple[Step, ...], known: Staff, source: str, *, words: str | None) -> Proposal:
    if wrong := faults(steps, known, words=words):
        return Proposal(problem=f"{source} It cannot run as it is: {' '.join(wrong)}")
    return Proposal(say=f"{source}\n{told(steps)}", plan=steps, reasons=(source,))


def _no_plan(reason: str, books: Mapping[str, Playbook]) -> Proposal:
    titles = [(book.name, book.title) for book in books.values()][:STEPS_MAX]
    return Proposal(
        ask=f"{reason} Tell me the single steps, or pick one of the playbooks.",
        choices=tuple(Choice(label=title, text=f"run the playbook {name}") for name, title in titles[:5]),
    )

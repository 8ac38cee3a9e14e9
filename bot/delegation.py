"""Gives a step to its agent, lets the verifier look at the draft, and writes down what was proposed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from agents import verifier
from agents.base import Agent, Desk, Intent, Proposal, Task, Thought
from agents.question import Stream
from bot import approvals
from bot.chronicle import Chronicle
from bot.desk import Think, WorkDesk, no_model, recall_nothing
from bot.effects import Delegate
from bot.staff import Catalogue, Staff
from bot.state import TaskState
from connectors.base import Json
from memory.events import ItemArrived, MessageReceived, Proposed, Step

log = logging.getLogger("soloist.delegation")

GUIDANCE_MAX = 2000  # characters of warnings handed back to an agent
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Delegation:
    """Carries out `Delegate`."""

    def __init__(
        self,
        staff: Staff,
        catalogue: Catalogue,
        chronicle: Chronicle,
        writing: Callable[[int, str], Stream | None] = lambda _task, _key: None,
    ) -> None:
        """Take the staff, and what shows a model's words while they are written: `bot.courier.Courier.writing`."""
        self._staff = staff
        self._catalogue = catalogue
        self._chronicle = chronicle
        self._writing = writing

    async def delegate(self, task: int, key: str, order: Delegate) -> None:
        """Have a step worked on; the proposal is an event."""
        state = self._chronicle.state(task)
        step = next(step for step in (state.planned.steps if state.planned else ()) if step.id == order.step)
        proposed = await self.proposed(state, step, order, self._writing(task, key))
        event = msgspec.structs.replace(proposed, order=key)
        await self._chronicle.answer(task, event, actor=f"agent:{proposed.agent}")

    async def proposed(self, state: TaskState, step: Step, order: Delegate, stream: Stream | None = None) -> Proposed:
        """Return what an agent proposes for a step; its ``order`` is filled in later.

        Args:
            state: The task; one without a number is not written down yet (`bot.foresight`).
            step: What is to be done.
            order: What was said about it: guidance, edits.
            stream: Shows a model's words while they are written.
        """
        # Whose an intent is may have changed since the plan was made; a plan that waited goes on with today's agents.
        name = self._catalogue.owners.get(step.intent, step.agent)
        agent = self._staff.agents[name]
        edits = dict(order.edits)
        if order.guidance and step.intent in self._catalogue.intents:
            read = self._staff.reader.edits_in(
                order.guidance, self._catalogue.intents[step.intent][1], self._staff.now()
            )
            edits |= read
            if read:  # the words are used up: an agent need not puzzle over them again
                order = msgspec.structs.replace(order, guidance="")
        try:
            work = self._work(state, step, order, edits)
        except ValueError as error:
            text = f"I cannot use that: {_plain(error)}"
            return Proposed(order="", step=step.id, agent=name, problem=text, card=order.card)
        thoughts: list[Thought] = []
        desk = WorkDesk(
            now=self._staff.now(),
            zone=self._staff.zone,
            files=self._staff.files,
            company=self._staff.company,
            database=self._staff.database,
            actions=self._catalogue.actions,
            connectors=self._staff.connectors,
            recall_with=self._staff.recall or recall_nothing,
            think_with=_noting(self._staff.think or no_model, thoughts),
            task=work.id,
            agent=name,
            origin=state.origin,
            card=order.card,
            playbooks=self._staff.playbooks,
            stream=stream,
        )
        proposal, warnings = await _checked(agent, work, desk, thoughts)
        return Proposed(
            order="",
            step=step.id,
            agent=name,
            say=proposal.say,
            calls=approvals.overlay(proposal.calls, edits),
            edits=edits,
            results=dict(proposal.results),
            confidence_pct=proposal.confidence_pct,
            reasons=proposal.reasons,
            sources=proposal.sources,
            warnings=warnings,
            files=proposal.files,
            ask=proposal.ask,
            choices=proposal.choices,
            problem=proposal.problem,
            plan=proposal.plan,
            card=order.card,
            remember=tuple(dict(record) for record in proposal.remember),
        )

    def _work(self, state: TaskState, step: Step, order: Delegate, edits: Mapping[str, Json]) -> Task:
        heard = state.heard
        item = heard if isinstance(heard, ItemArrived) else None
        if step.intent == "item":
            intent: Intent = Intent()
        else:
            intent = self._catalogue.intents[step.intent][1].model_validate(_resolved(step, state))
        before = state.cards.get(order.card)
        return Task(
            id=str(state.id or ""),
            step=step.id,
            intent=intent,
            text=heard.text if isinstance(heard, MessageReceived) else "",
            origin=state.origin,
            results=state.results,
            guidance=order.guidance,
            edits=edits,
            earlier=before.opened.calls if before else (),
            item=item.data if item else None,
            item_text=item.text if item else "",
            item_kind=item.kind if item else "",
        )


def _noting(think: Think, thoughts: list[Thought]) -> Think:
    """Return a way to think that notes each answer a model gave."""

    async def noted(*args: Any, **more: Any) -> Thought:
        thought = await think(*args, **more)
        if not thought.problem:
            thoughts.append(thought)
        return thought

    return noted


async def _checked(
    agent: Agent, work: Task, desk: Desk, thoughts: Sequence[Thought]
) -> tuple[Proposal, tuple[str, ...]]:
    """Let the verifier look at a draft; what fails goes back once, and what fails again goes to the operator."""
    proposal = await agent.work(work, desk)
    warnings = _faults(proposal, work, desk)
    if not warnings or not thoughts:
        return proposal, warnings  # a template would say the same again
    # A warning may quote the draft, and a draft may quote a stranger: quotes never become the agent's guidance.
    bare = " ".join(_QUOTED.sub("something", warning) for warning in warnings)[:GUIDANCE_MAX]
    guidance = f"{work.guidance}\nPut this right: {bare}".strip()
    again = await agent.work(replace(work, guidance=guidance, earlier=proposal.calls), desk)
    if not again.calls:
        return proposal, warnings
    # Judged by what the operator said: the guidance of the first check is nobody's word.
    left = _faults(again, work, desk)
    return (again, left) if len(left) < len(warnings) else (proposal, warnings)


def _faults(proposal: Proposal, work: Task, desk: Desk) -> tuple[str, ...]:
    try:
        return verifier.check(proposal.calls, work, desk)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        log.warning("task %s: the draft could not be checked: %r", work.id, error)
        return (f"This draft is not laid out as it should be, so it could not be checked ({type(error).__name__}).",)


def _resolved(step: Step, state: TaskState) -> dict[str, Json]:
    """Return a step's inputs with references to earlier results filled in."""
    values: dict[str, Json] = {}
    for name, value in step.inputs.items():
        if isinstance(value, dict) and set(value) == {"from", "field"}:
            values[name] = state.results.get(value["from"], {}).get(value["field"])
        else:
            values[name] = value
    return {name: value for name, value in values.items() if value is not None}


def _plain(error: ValueError) -> str:
    details = getattr(error, "errors", None)
    if callable(details):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in details())
    return str(error)

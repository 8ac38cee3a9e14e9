"""What the operator changed by hand on a card, put back into the request. It wins over everything an agent thinks.

An edit named like a slot (``"amount"``) changes the request itself, so that every figure follows from it. Edits of one
call's words (``"1.body"``) are none of an agent's business: they are laid over the finished calls afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from pydantic import ValidationError

from agents.base import Agent, Desk, Intent, Proposal, Task
from agents.slots.grammar import find_spans


class UnreadableEditError(ValueError):
    """A field was changed to something that cannot be read; the message says what would be."""

    def __init__(self, name: str, value: object, reason: str) -> None:
        super().__init__(f"I cannot read {value!r} as {name.replace('_', ' ')}: {reason}")


A = TypeVar("A", bound=Agent)
Work = Callable[[A, Task, Desk], Coroutine[Any, Any, Proposal]]


def with_edits(work: Work[A]) -> Work[A]:
    """Decorate an agent's ``work``: it sees the request as the operator's edits leave it; what cannot be read is asked."""

    @wraps(work)
    async def edited(agent: A, task: Task, desk: Desk) -> Proposal:
        try:
            wanted = intent_of(task, desk)
        except UnreadableEditError as error:
            return Proposal(ask=str(error))
        return await work(agent, replace(task, intent=wanted), desk)

    return edited


def intent_of(task: Task, desk: Desk) -> Intent:
    """Return the request with the operator's edits worked in.

    Raises:
        UnreadableEditError: An edit does not fit its slot.
    """
    intent = task.intent
    for name, value in task.edits.items():
        if name in type(intent).model_fields:
            intent = _with(intent, name, value, desk)
    return intent


def _with(intent: Intent, name: str, value: object, desk: Desk) -> Intent:
    slots = {key: getattr(intent, key) for key in type(intent).model_fields}
    try:
        return type(intent).model_validate({**slots, name: value if value != "" else None})
    except ValidationError as error:
        # What a person types into a form ("1,500") is read as in a message.
        for slot in find_spans(str(value), desk.now, desk.zone, desk.company.get("locale", "en")):
            try:
                return type(intent).model_validate({**slots, name: slot.value})
            except ValidationError:
                continue
        raise UnreadableEditError(name, value, fault(error)) from error


def fault(error: ValidationError) -> str:
    """Return the most telling line of a validation error: a slot's own sentence before pydantic's."""
    lines = error.errors()
    own = [line["msg"] for line in lines if line["type"] == "value_error"]
    return (own or [line["msg"] for line in lines])[0].removeprefix("Value error, ")

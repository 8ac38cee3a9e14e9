"""What can be answered at once is answered before the message is written down, so that one commit holds both.

Much of what an operator asks waits for nothing: the words are clear at a glance, and the answer stands on our own books.
Answered after the message was written, that is a second commit and two more changes of thread, which is most of the time
the operator waits. So the answer is made ready for the order that will most likely come. In the transaction it is written
if exactly that order comes; any other order is carried out after the commit, as ever, and the answer is thrown away.

Nothing leaves the house before that commit, and whoever is asked here may neither wait nor act.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.delegation import Delegation
from bot.effects import Delegate, Lasting, LookUp, Understand
from bot.staff import Catalogue, Staff
from bot.state import TaskState
from memory.events import Event, MessageReceived, Step, Understood

T = TypeVar("T")

log = logging.getLogger("soloist.foresight")

QUESTIONS = frozenset({"help", "approvals", "stuck", "grants", "habits", "budget"})
"""What history answers quickly and without telling of the very task that asks."""


@dataclass(frozen=True)
class Foreseen:
    """What is ready for a message; `bot.chronicle.Ready`.

    Attributes:
        understood: What its words mean.
        asked: What that will order, if somebody could answer it at once.
        answer: To that, and to nothing else.
        steps: Of the plan that it answers a step of.
        whose: Whose word it is.
    """

    understood: Understood
    asked: Lasting | None = None
    answer: Event | None = None
    steps: tuple[Step, ...] = ()
    whose: str = "soloist"

    def __call__(self, state: TaskState, order: Lasting) -> tuple[Event, str] | None:
        """Return what answers an order, None when nothing is ready for it."""
        if isinstance(order, Understand):
            return self.understood, "soloist"
        steps = state.planned.steps if state.planned is not None else ()
        if self.answer is None or order != self.asked or steps != self.steps:
            return None
        return self.answer, self.whose


class Foresight:
    """Reads what is clear at a glance, and asks whoever can answer that without waiting."""

    def __init__(self, staff: Staff, catalogue: Catalogue, delegation: Delegation) -> None:
        self._staff = staff
        self._catalogue = catalogue
        self._delegation = delegation

    def of(self, heard: MessageReceived) -> Foreseen | None:
        """Return what is ready before a message is written; whatever breaks here is done again after the commit."""
        if self._staff.glance is None or heard.files or heard.reply_to:
            return None
        try:
            understood = self._staff.glance(heard, self._staff.now())
            return self._foreseen(heard, understood) if understood is not None else None
        except Exception:
            log.exception("A message could not be answered at once; it is read again when it is on disk.")
            return None

    def _foreseen(self, heard: MessageReceived, understood: Understood) -> Foreseen:
        intent = understood.intent
        if intent in QUESTIONS:
            asked = LookUp(question=intent, slots=understood.slots)
            answer = self._staff.answerer.answer(intent, asked.slots, self._staff.now(), TaskState(0))
            return Foreseen(understood, asked, answer)
        agent, model = self._catalogue.intents.get(intent, ("", None))
        if model is None or not model.at_once or understood.rest:
            return Foreseen(understood)
        step = Step(id="s1", agent=agent, intent=intent, inputs=understood.slots)
        state = TaskState(0, heard=heard, origin=heard.actor.origin, actor=heard.actor, place=heard.place)
        delegated = Delegate(step=step.id)
        proposed = done_at_once(self._delegation.proposed(state, step, delegated))
        return Foreseen(understood, delegated, proposed, (step,), f"agent:{agent}")


def done_at_once(work: Coroutine[Any, Any, T]) -> T | None:
    """Return what comes of work that waits for nothing; None where it would wait, and then it goes no further."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()
    return None

"""The whole house for the echo benches: real understanding, plan, agent, history and outbox; the agent says it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import agents
from agents.base import Agent, Intent, Proposal, Task
from bot import settings, wiring

TRAINING_S = 300.0  # the first time, on a busy machine; later it is read from where it was kept


class Again(Intent):
    """Say something again."""

    examples: ClassVar[tuple[str, ...]] = ("echo hello", "say it again: hello", "repeat after me")
    checks: ClassVar[tuple[str, ...]] = ("echo this",)
    not_mine: ClassVar[tuple[str, ...]] = ("who is Acme?",)
    patterns: ClassVar[tuple[str, ...]] = ("echo: {text}",)
    at_once: ClassVar[bool] = True

    text: str = ""


class Later(Intent):
    """Say something again, asked after the commit as everybody is who may wait."""

    examples: ClassVar[tuple[str, ...]] = ("later: hello", "later: the same once more")
    checks: ClassVar[tuple[str, ...]] = ("later: this",)
    not_mine: ClassVar[tuple[str, ...]] = ("who is Acme?",)
    patterns: ClassVar[tuple[str, ...]] = ("later: {text}",)

    text: str = ""


class Parrot(Agent):
    """Says it again."""

    name = "parrot"
    intents = (Again, Later)
    proposes = ()

    async def work(self, task: Task, desk: Any) -> Proposal:
        """Answer in words alone."""
        del desk
        assert isinstance(task.intent, Again | Later)
        return Proposal(say=task.text)


def whole_house(folder: Path, environment: dict[str, str]) -> wiring.Machine:
    """Build a house as ``python -m bot run`` does, with one agent more; its classifier is trained when it returns."""
    given = settings.read(
        wiring.declared_settings(), environment={"SOLOIST_HOME": str(folder), **environment}, folder=folder
    )
    minds = {name: kind() for name, kind in agents.discover().items()}
    machine = wiring.build(given, live=[], only={**minds, "parrot": Parrot()}, announce=lambda _: None)
    machine.warm()
    machine.warm.__self__.ready(TRAINING_S)  # type: ignore[attr-defined]
    return machine

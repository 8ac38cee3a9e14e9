"""What the rows of the matrix share: a house without the reading of language, and what a row found.

A `BareHouse` is a `PaperHouse` whose reader knows exact commands only and which has no demo company, so that hundreds
of them can be opened in a minute. Log, conductor, runner, books, cards and the clock are the real ones.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from agents.base import Agent, Proposal, Task
from bot import settings, wiring
from bot.chronicle import replayed
from bot.policy import Policy
from bot.state import TaskState
from bot.testing import AT_ANY_PACE, Ask, PaperAgent, PaperHouse, PaperReader, PaperService
from memory.events import ActionCall, Understood
from memory.replay import compare


@dataclass
class Found:
    """What a row of the matrix found. No fault is the pass line; the seed makes it happen again."""

    seed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def expect(self, holds: object, fault: str) -> None:
        """Count one thing looked at, and note it when it does not hold."""
        self.counts["looked at"] += 1
        if not holds:
            self.faults.append(fault)

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}, {dict(self.counts)}", *self.faults[:20]])


class Commands(PaperReader):
    """Reads ``ask ...`` and the words that torture needs; everything else is not understood."""

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        word, _, rest = text.strip().partition(" ")
        if word in {"/pause", "/resume"}:
            return _exact(word[1:], {"scope": rest} if rest else {})
        if word in {"approve", "reject", "undo"}:
            return _exact(word, {"card": rest} if rest else {})
        if word.startswith("/"):
            return _exact(word[1:], {"task": rest} if rest else {})
        return await super().read(text, state, now)


def _exact(intent: str, slots: dict[str, Any]) -> Understood:
    return Understood(order="", intent=intent, slots=slots, confidence_pct=100)


class Willing(PaperAgent):
    """Proposes whatever it is handed next, however wrong; else what it is asked for."""

    def __init__(self) -> None:
        self.next: list[tuple[ActionCall, ...]] = []

    async def work(self, task: Task, desk: Any) -> Proposal:
        if self.next and isinstance(task.intent, Ask):
            return Proposal(calls=self.next.pop(0))
        return await super().work(task, desk)


class BareHouse(PaperHouse):
    """The real core on paper, opened in milliseconds."""

    def __init__(self, home: Path, **more: Any) -> None:
        super().__init__(home, **more)
        self.agent = Willing()

    async def __aenter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        self._build()
        await self._run()
        return self

    def _build(self) -> None:
        given = settings.read(wiring.declared_settings(), environment=self._environment, folder=self.home)
        if self._policy is not None:
            given = replace(given, policy=self._policy)
        minds: Mapping[str, Agent] = {"paper": self.agent}
        self.reader = Commands()
        self._machine = wiring.build(
            given,
            embedder=lambda: None,
            now=self.clock,
            live=[self.channel],
            channels=self.channels,
            reader=self.reader,
            extra={"paper": PaperService(self.provider), **self._connectors},
            only=minds,
            chance=random.Random(7),
            people=self._people,
        )

    def done(self, body: str) -> int:
        """Return how often the provider did what carries this text."""
        return sum(args.get("body") == body or args.get("payee") == body for _, args in self.provider.accepted)

    def wrong(self) -> list[str]:
        """Return every break in the chain and every projection that is not what history says."""
        database, log = self.machine.database, self.machine.log
        return [*map(str, log.verify()), *map(str, compare(database, log, replayed))]


def no_delay(**more: Any) -> Policy:
    """Return the careful defaults without an undo window."""
    return Policy(delay=timedelta(0), **more)


@contextlib.contextmanager
def broken(where: object, name: str, twin: Callable[..., Any]) -> Iterator[None]:
    """Put a deliberately broken twin in place of a guard, to see that the row that needs it fails."""
    real = getattr(where, name)
    setattr(where, name, twin)
    try:
        yield
    finally:
        setattr(where, name, real)


def changed(value: Any, **fields: Any) -> Any:
    """Return a copy of a frozen value with other fields: what somebody who forges beliefs would leave behind."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **fields)
    return replace(value, **fields)


def without_queue(house: BareHouse) -> None:
    """Let every action go at once: declared paces have a test of their own (`test_pace.py`)."""
    paced(house, **dict.fromkeys(house.runner.catalogue.actions, AT_ANY_PACE))


def paced(house: PaperHouse, **rates: float) -> None:
    """Give actions another pace than the declared one, in calls a minute."""
    actions = house.runner.catalogue.actions
    actions.update({name: replace(actions[name], rate_per_minute=rate) for name, rate in rates.items()})

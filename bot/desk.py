"""The desk an agent works at: everything it may look up, and no door to the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from agents.base import Found, Letter, Record, Thought
from agents.question import Stream
from bot.letters import sent_letters
from connectors.base import Action, Connector, Files, Json, Receipt, Risk
from memory.database import Database
from memory.events import Origin
from memory.projections import Books, Version

Recall = Callable[..., Awaitable[Sequence[Found]]]
"""Query, client, k, task, agent → what long-term memory holds: `bot.briefing.Briefing.recall`."""

Think = Callable[..., Awaitable[Thought]]
"""`bot.briefing.Briefing.ask`, or what says that there is no model."""

NUMBER_PREFIX = {"credit": "CN-"}


async def recall_nothing(_query: str, _client: str, _k: int, _task: str, _agent: str) -> Sequence[Found]:
    """For a house without long-term memory."""
    return ()


async def no_model(*_: object, **__: object) -> Thought:
    """For a house without a model."""
    return Thought(problem="No model is set up; templates are used.")


@dataclass(frozen=True)
class WorkDesk:
    """One piece of work's view of the house: `agents.base.Desk`."""

    now: datetime
    zone: ZoneInfo
    files: Files
    company: Mapping[str, str]
    database: Database
    actions: Mapping[str, Action]
    connectors: Mapping[str, Connector]
    recall_with: Recall
    think_with: Think
    task: str
    agent: str
    origin: Origin
    card: str = ""  # the card this is a new draft of; what it holds is free for it
    playbooks: Path | None = None  # the operator's own
    stream: Stream | None = None  # shows a model's words while they are written

    def record(self, kind: str, key: str) -> Record | None:
        """See `agents.base.Desk.record`."""
        with self.database.read() as connection:
            found = Books(connection).record(kind, key)
        return _record(found) if found and not found.gone else None

    def records(self, kind: str, **where: Json) -> Sequence[Record]:
        """See `agents.base.Desk.records`."""
        with self.database.read() as connection:
            versions = Books(connection).all(kind)
        return [
            _record(found) for found in versions if all(found.data.get(name) == value for name, value in where.items())
        ]

    def next_number(self, series: str) -> str:
        """See `agents.base.Desk.next_number`; ``"credit:2026"`` → ``"CN-2026-0001"``."""
        kind, _, year = series.partition(":")
        with self.database.read() as connection:
            return Books(connection).next_number(kind, year, NUMBER_PREFIX.get(kind, ""), card=self.card)

    def balance(self, account: str) -> Mapping[str, Decimal]:
        """See `agents.base.Desk.balance`."""
        with self.database.read() as connection:
            return Books(connection).balance(account)

    def letters(self, most: int) -> Sequence[Letter]:
        """See `agents.base.Desk.letters`."""
        return sent_letters(self.database, most)

    async def recall(self, query: str, *, client: str = "", k: int = 8) -> Sequence[Found]:
        """See `agents.base.Desk.recall`."""
        return await self.recall_with(query, client, k, self.task, self.agent)

    async def think(
        self,
        purpose: str,
        prompt: str,
        *,
        material: Sequence[tuple[Origin, str]] = (),
        schema: type[BaseModel] | None = None,
        tier: str = "small",
        client: str = "",
        about: str = "",
        recent: bool = False,
    ) -> Thought:
        """See `agents.base.Desk.think`."""
        return await self.think_with(
            purpose,
            prompt,
            material=material,
            schema=schema,
            tier=tier,
            client=client,
            about=about,
            recent=recent,
            task=self.task,
            origin=self.origin,
            workflow=self.agent,
            agent=self.agent,
            **({"stream": self.stream} if self.stream and schema is None else {}),
        )

    def tools(self) -> Sequence[Action]:
        """See `agents.base.Desk.tools`."""
        return [action for name, action in sorted(self.actions.items()) if name.startswith("mcp.")]

    async def use(self, name: str, **args: Json) -> Receipt:
        """See `agents.base.Desk.use`."""
        action = self.actions.get(name)
        if action is None:
            raise PermissionError(f"{name} is not set up here.")
        if action.risk is not Risk.READS:
            raise PermissionError(f"{name} can change something ({action.risk.value}): propose it instead.")
        connector = self.connectors[name.partition(".")[0]]
        receipt: Receipt = await getattr(connector, action.method)(**args)
        return receipt


def _record(found: Version) -> Record:
    return Record(found.kind, found.key, found.version, found.data, found.at, str(found.task), found.gone)

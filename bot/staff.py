"""Everybody and everything the house works with, and what may be asked of whom."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from agents.base import Agent, Intent
from bot.approvals import Roster
from bot.books import ACTIONS as BOOKS_ACTIONS
from bot.channels.base import Channel
from bot.desk import Recall, Think
from bot.policy import Policy
from bot.redaction import Redactor
from bot.state import TaskState
from connectors.base import Action, Connector, Json
from memory.database import Database
from memory.events import Answered, MessageReceived, Understood
from memory.files import FileStore
from memory.line import Line
from memory.log import Log

Tell_ = Callable[[str], Awaitable[None]]
"""`Runner.tell`: a sentence for the operator, wherever they are."""


class Answerer(Protocol):
    """Answers questions about our own history: ``bot/history.py``."""

    def answer(self, question: str, slots: Mapping[str, Json], now: datetime, state: TaskState) -> Answered:
        """Return an `Answered` whose ``order`` is filled in later."""
        ...

    def find_card(self, verb: str, words: str) -> tuple[str, int] | str:
        """Return what a press by name means (card or effect, task), or the sentence that says why nothing fits."""
        ...


class Reader(Protocol):
    """Turns words into an `Understood`: ``bot/intents.py`` behind ``bot/wiring.py``."""

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        """Return a reading whose ``order`` is filled in later."""
        ...

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """Return the slots that a reply to a card changes: "make it 1,300, net 30" → amount and terms."""
        ...


@runtime_checkable
class Glancer(Protocol):
    """A reader that knows some words without being awaited."""

    def glance(self, heard: MessageReceived, now: datetime) -> Understood | None:
        """Return the reading, or None where it takes more than a glance."""
        ...


@dataclass
class Staff:
    """Everybody and everything a runner works with; built by ``wiring.py``."""

    database: Database
    log: Log
    files: FileStore
    now: Callable[[], datetime]
    zone: ZoneInfo
    policy: Policy
    roster: Callable[[], Roster]
    secret: bytes
    company: Mapping[str, str]
    connectors: Mapping[str, Connector]
    agents: Mapping[str, Agent]
    reader: Reader
    answerer: Answerer
    channels: Mapping[str, Channel] = field(default_factory=dict)
    live: Sequence[Channel] = ()  # channels that are a view of history: pushed after each commit, nothing is owed
    recall: Recall | None = None
    think: Think | None = None
    thinking: Callable[[str], str] = lambda _: ""  # tier → what a question to its model costs at most, in words
    glance: Callable[[MessageReceived, datetime], Understood | None] | None = None  # a reading that need not be awaited
    remember: Callable[[Sequence[Mapping[str, Json]]], Awaitable[None]] | None = None
    playbooks: Path | None = None  # the operator's own
    seen: Callable[[Sequence[Line]], None] | None = None  # told of every committed line; must return at once
    beside: Mapping[str, Callable[[Tell_], Awaitable[None]]] = field(default_factory=dict)  # serve while the house runs
    chance: random.Random = field(default_factory=random.Random)
    redact: Redactor = field(default_factory=Redactor)
    patience_s: float = 4.0  # work that takes longer is told of, where it was asked for


@dataclass
class Catalogue:
    """What there is to be asked for, by name, as the staff declares it.

    Attributes:
        actions: Of every connector, and of our own books.
        intents: Intent id → (agent, its model).
        owners: Intent id → agent.
        proposes: Agent → the actions that it may propose.
        hears: Pattern of incoming items → agent.
        accounts: Service → the account at which it acts.
    """

    actions: dict[str, Action]
    intents: dict[str, tuple[str, type[Intent]]]
    owners: dict[str, str]
    proposes: dict[str, tuple[str, ...]]
    hears: dict[str, str]
    accounts: dict[str, str]

    @classmethod
    def of(cls, staff: Staff) -> Catalogue:
        """Return what this staff declares."""
        actions: dict[str, Action] = dict(BOOKS_ACTIONS)
        for connector in staff.connectors.values():
            actions.update(type(connector).actions())
        intents = {intent.id(): (name, intent) for name, agent in staff.agents.items() for intent in agent.intents}
        return cls(
            actions=actions,
            intents=intents,
            owners={intent: name for intent, (name, _) in intents.items()},
            proposes={name: agent.proposes for name, agent in staff.agents.items()},
            hears={pattern: name for name, agent in staff.agents.items() for pattern in agent.hears},
            accounts={service: connector.account for service, connector in staff.connectors.items()},
        )

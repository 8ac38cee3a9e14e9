"""Hands the understanding what it needs to know: the clients on the books, and the question that was just asked."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from agents.base import Intent
from agents.slots import find_spans
from bot.intents import Model, Understanding
from bot.reading.slotkinds import slots_of
from bot.state import TaskState
from connectors.base import Json
from memory.database import Database
from memory.events import MessageReceived, Place, Understood
from memory.projections import Books, turns

LOOK_BACK = 6  # turns in which an open question is looked for
_CORRECTION = re.compile(
    r"\s*(?:no|nope|wrong|not that)\b[\s,.!;:–-]*(?:i|that)\s+(?:meant|mean)s?\b[\s,:]*(?P<meant>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


class WordReader:
    """Serves `bot.runner.Reader`."""

    def __init__(
        self,
        understanding: Understanding,
        database: Database,
        *,
        zone: ZoneInfo,
        company: Mapping[str, str],
        state: Callable[[int], TaskState],
        model: Model | None = None,
    ) -> None:
        self._understanding = understanding
        self._database = database
        self._zone = zone
        self._company = company
        self._state = state
        self._model = model

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        """See `bot.runner.Reader.read`."""
        scene = {
            "now": now,
            "zone": self._zone,
            "locale": self._company["locale"],
            "currency": self._company["currency"],
            "clients": self._clients(),
            "last": self._asked_about(state),
        }
        if corrected := _CORRECTION.match(text):
            reading = await asyncio.to_thread(self._understanding.read, corrected["meant"], **{**scene, "last": ()})  # type: ignore[arg-type]
            if reading.intent:
                self._take_to_heart(reading.intent, state)
                return reading.understood("")
        # In a thread: the first message may wait for the classifier, and nobody else should.
        reading = await asyncio.to_thread(self._understanding.read, text, **scene)  # type: ignore[arg-type]
        if reading.doubt and self._model is not None:
            reading = await self._understanding.understand(text, model=self._model, **scene)
        return reading.understood("")

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """See `bot.runner.Reader.edits_in`: ``field: value`` lines first, then values that fit one slot only."""
        edits: dict[str, Json] = {}
        kinds = slots_of(intent)
        for line in words.splitlines():
            match = re.match(r"\s*(\w+)\s*[:=]\s*(.+)", line)
            if match and match[1].lower() in kinds:
                edits[match[1].lower()] = match[2].strip()
        if edits:
            return edits
        for slot in find_spans(words, now, self._zone, self._company["locale"]):
            fitting = [name for name, kind in kinds.items() if kind == slot.kind]
            if len(fitting) == 1 and slot.value is not None:
                edits[fitting[0]] = slot.text
        return edits

    def _clients(self) -> list[tuple[str, str]]:
        with self._database.read() as connection:
            clients = Books(connection).all("client")
        return [(client.key, str(client.data.get("name") or client.key)) for client in clients]

    def _take_to_heart(self, intent: str, state: TaskState) -> None:
        """Teach what the message before this one meant, unless no phrase may come to mean it."""
        query = select(turns).where(turns.c.task != state.id, turns.c.kind == "heard").order_by(turns.c.n.desc())
        with self._database.read() as connection:
            newest = connection.execute(query.limit(LOOK_BACK)).all()
        for row in newest:
            before = self._state(row.task)
            if _same(before.place, state.place) and isinstance(before.heard, MessageReceived):
                with contextlib.suppress(KeyError, ValueError):
                    self._understanding.learn(before.heard.text, intent, self._clients())
                return

    def _asked_about(self, state: TaskState) -> Sequence[str]:
        """Return the request whose question stands last in this conversation, if one does."""
        query = select(turns).where(turns.c.task != state.id).order_by(turns.c.n.desc()).limit(LOOK_BACK)
        with self._database.read() as connection:
            newest = connection.execute(query).all()
        for row in newest:
            if row.kind != "said":
                continue
            before = self._state(row.task)
            if not _same(before.place, state.place):
                continue
            said = before.said.get(row.ref)
            asked = said is not None and said.kind == "question"
            return [before.heard.text] if asked and isinstance(before.heard, MessageReceived) else []
        return []


def _same(one: Place | None, other: Place | None) -> bool:
    return (
        one is not None and other is not None and (one.channel, one.conversation) == (other.channel, other.conversation)
    )

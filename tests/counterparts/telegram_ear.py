"""An Ear of our own for the channel's tests: it remembers what it heard, once per event, and can be told to fail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.channels.base import Card, NotWrittenError, RefusedPressError
from memory.events import Actor, Attachment, Place

PAUSE_MAX_S = 100.0


@dataclass
class Heard:
    """One thing that was taken in."""

    event_id: str
    text: str
    actor: Actor
    place: Place
    files: tuple[Attachment, ...] = ()
    reply_to: str = ""


@dataclass
class Pressed:
    """One press that was taken in."""

    event_id: str
    handle: str
    verb: str
    actor: Actor
    reason: str = ""
    edits: dict[str, Any] | None = None
    until: datetime | None = None


@dataclass
class PaperEar:
    """Remembers; a second copy of an event is a no-op, as the real one's inbox makes it."""

    stir: Callable[[], None] = lambda: None
    heard_all: list[Heard] = field(default_factory=list)
    pressed_all: list[Pressed] = field(default_factory=list)
    calls: int = 0
    cards: dict[str, Card] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)  # ref of a message → card
    kept: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0  # how many of the next calls find the disk full
    refusal: str = ""
    answer: str = "Approved."
    gate: asyncio.Event | None = None  # held back until it is set
    _inbox: set[str] = field(default_factory=set)

    async def heard(
        self,
        event_id: str,
        text: str,
        actor: Actor,
        place: Place,
        *,
        files: tuple[Attachment, ...] = (),
        reply_to: str = "",
    ) -> str:
        if await self._is_new(event_id):
            self.heard_all.append(Heard(event_id, text, actor, place, files, reply_to))
            self.stir()
        return "1"

    async def pressed(
        self, event_id: str, handle: str, verb: str, actor: Actor, place: Place, *, reason: str = "",
        edits: dict[str, Any] | None = None, until: datetime | None = None,
    ) -> str:  # fmt: skip
        if await self._is_new(event_id):
            self.pressed_all.append(Pressed(event_id, handle, verb, actor, reason, edits, until))
            self.stir()
        return self.answer

    async def _is_new(self, event_id: str) -> bool:
        self.calls += 1
        self.stir()
        if self.gate is not None:
            await self.gate.wait()
        if self.failures > 0:
            self.failures -= 1
            raise NotWrittenError("The disk is full.")
        if self.refusal:
            raise RefusedPressError(self.refusal)
        is_new = event_id not in self._inbox
        self._inbox.add(event_id)
        return is_new

    def card(self, card_id: str) -> Card | None:
        return self.cards.get(card_id)

    def card_of(self, channel: str, conversation: str, ref: str) -> str | None:
        assert channel == "telegram"
        return self.shown.get(ref)

    def file(self, attachment: Attachment) -> bytes:
        return self.kept[attachment.sha256]

    def keep(self, content: bytes, name: str, media_type: str) -> Attachment:
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return Attachment(name=name, sha256=digest, size=len(content), media_type=media_type)


@dataclass
class QuickClock:
    """Time that passes by itself when somebody sleeps. A very long sleep lasts until the test lets time pass."""

    at: datetime = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    since_s: float = 0.0
    _long: list[asyncio.Event] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def elapsed_s(self) -> float:
        return self.since_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds > PAUSE_MAX_S:
            woken = asyncio.Event()
            self._long.append(woken)
            await woken.wait()
            return
        self.passes(seconds)
        await asyncio.sleep(0)

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        self.since_s += seconds

    def is_asleep(self) -> bool:
        """Return whether somebody sleeps for long."""
        return bool(self._long)

    def wakes(self) -> None:
        """End every long sleep."""
        for woken in self._long:
            woken.set()
        self._long.clear()


@dataclass
class PaperPairing:
    """Keeps a pairing in memory; can be told that the disk is full."""

    paired: tuple[int, int] | None = None
    full: bool = False

    def load(self) -> tuple[int, int] | None:
        return self.paired

    async def save(self, user_id: int, chat_id: int) -> None:
        if self.full:
            raise NotWrittenError("The disk is full.")
        self.paired = (user_id, chat_id)

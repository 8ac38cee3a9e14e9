"""What the Slack tests share: a small Ear that remembers, time that passes by itself, and a house around them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from bot.channels.base import Button, Card, EditField, NotWrittenError, RefusedPressError, Row
from bot.channels.slack import Person, Refusal, Slack
from bot.channels.slack.signature import sign
from connectors.base import Role
from memory.events import Actor, Attachment, Origin, Place
from tests.counterparts.slack import ALICE, APP_TOKEN, BOT_TOKEN, SECRET, TEAM, Edge, LocalSlack

OPERATOR = Person(TEAM, ALICE)


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
    place: Place
    reason: str = ""
    edits: dict[str, Any] | None = None
    until: datetime | None = None


@dataclass
class PaperEar:
    """Takes each event once, as the real one's inbox does; can be told that the disk is full."""

    said: list[Heard] = field(default_factory=list)
    presses: list[Pressed] = field(default_factory=list)
    calls: int = 0
    cards: dict[str, Card] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)  # ts → card
    kept: dict[str, bytes] = field(default_factory=dict)
    full: Callable[[], bool] = lambda: False
    handles: set[str] | None = None
    remembers: bool = True
    answer: str = "Approved."
    _seen: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def _is_new(self, event_id: str) -> bool:
        self.calls += 1
        if self.full():
            raise NotWrittenError("The disk is full.")
        new = event_id not in self._seen or not self.remembers
        self._seen.add(event_id)
        self.changed.set()
        return new

    async def heard(self, event_id: str, text: str, actor: Actor, place: Place, *, files=(), reply_to: str = "") -> str:
        if self._is_new(event_id):
            self.said.append(Heard(event_id, text, actor, place, files, reply_to))
        return "1"

    async def pressed(
        self, event_id: str, handle: str, verb: str, actor: Actor, place: Place, *, reason="", edits=None, until=None
    ) -> str:
        if self.handles is not None and handle not in self.handles:
            raise RefusedPressError("I do not know that button.")
        if self._is_new(event_id):
            self.presses.append(Pressed(event_id, handle, verb, actor, place, reason, edits, until))
        return self.answer

    def card(self, card_id: str) -> Card | None:
        return self.cards.get(card_id)

    def card_of(self, channel: str, conversation: str, ref: str) -> str | None:
        assert channel == "slack"
        return self.shown.get(ref)

    def file(self, attachment: Attachment) -> bytes:
        return self.kept[attachment.sha256]

    def keep(self, content: bytes, name: str, media_type: str) -> Attachment:
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return Attachment(name=name, sha256=digest, size=len(content), media_type=media_type)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be taken in."""
        async with asyncio.timeout(120):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


class QuickClock:
    """Time passes at once when somebody sleeps, so a storm of an hour takes a second."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@dataclass
class PaperStore:
    """Keeps pairings in memory."""

    people: list[Person] = field(default_factory=list)
    full: bool = False

    def load(self) -> list[Person]:
        return self.people

    async def save(self, person: Person) -> None:
        if self.full:
            raise NotWrittenError("The disk is full.")
        self.people.append(person)


@dataclass
class House:
    """A channel that runs, and everything around it."""

    slack: LocalSlack
    edge: Edge
    channel: Slack
    ear: PaperEar
    refusals: list[Refusal]
    port: int
    session: aiohttp.ClientSession
    secret: list[str]

    async def post(
        self, body: bytes, *, secret: str | None = None, at: float | None = None, form: bool = False
    ) -> tuple[int, str]:
        """Post to our address, signed by hand."""
        stamp = str(int(at if at is not None else time.time()))
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        headers = {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(self.secret[0] if secret is None else secret, stamp, body),
            "Content-Type": kind,
        }
        async with self.session.post(
            f"http://127.0.0.1:{self.port}/slack/events", data=body, headers=headers
        ) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def house(slack: LocalSlack, *, port: int = 0, people=(OPERATOR,), **settings: Any) -> AsyncIterator[House]:
    """Start the channel against a workspace; signed HTTP when a port is given."""
    refusals: list[Refusal] = []

    async def refused(refusal: Refusal) -> None:
        refusals.append(refusal)

    secret = [SECRET]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        slack.http = session
        await slack.control("reset")
        async with Edge(slack) as edge, contextlib.AsyncExitStack() as stack:
            way: dict[str, Any] = {"signing_secret": lambda: secret[0]} if port else {"app_token": APP_TOKEN}
            settings = {"clock": QuickClock(), "ping_s": 10.0, "refused": refused} | way | settings
            channel = Slack(BOT_TOKEN, people=people, base_url=edge.api, **settings)
            ear = PaperEar()
            if port:
                app = web.Application()
                app.add_routes(channel.routes())
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", port).start()
            running = asyncio.ensure_future(channel.run(ear))
            try:
                if port:
                    await asyncio.wait_for(channel.ready.wait(), 120)
                else:
                    await edge.connected()
                yield House(slack, edge, channel, ear, refusals, port, session, secret)
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running


def card(**changes: Any) -> Card:
    """Return an invoice's card as the house makes it."""
    facts: dict[str, Any] = {
        "id": "12.1",
        "revision": 1,
        "title": "Send an invoice 2026-0007",
        "state": "pending",
        "rows": (
            Row("To", "billing@acme.test", Role.RECIPIENTS, vital=True),
            Row("To", "cfo@acme.test", Role.RECIPIENTS, vital=True, mark="NEW"),
            Row("Amount", "1200.00 EUR", Role.AMOUNT, vital=True),
            Row("Items", "March retainer: 1200.00 EUR", Role.LINES, vital=True),
            Row("Due", "2026-04-14"),
            Row("Attached", "invoice-2026-0007.pdf (48 kB, sha256 0123456789ab…)", Role.ATTACHMENTS, vital=True),
        ),
        "body": "Dear Acme,\n\nplease find attached our invoice for March.\n\nKind regards",
        "note": "Acme has paid the last three invoices within a week.",
        "confidence_pct": 92,
        "reasons": ("the March retainer is not invoiced yet",),
        "sources": ("Contract: 1,200 a month (record:contract:acme@2)",),
        "footer": (
            "Asked because money always asks",
            "Point of no return: when the mail has left, 60 s after approval",
        ),
        "buttons": (
            Button("Approve", "approve", "aGFuZGxlMTIzNDU2", "primary"),
            Button("Edit", "edit", "aGFuZGxlMTIzNDU2"),
            Button("Reject", "reject", "aGFuZGxlMTIzNDU2", "danger"),
            Button("Snooze", "snooze", "aGFuZGxlMTIzNDU2"),
        ),
        "fields": (
            EditField("0.to", "To", "billing@acme.test, cfo@acme.test"),
            EditField("0.subject", "Subject", "Invoice 2026-0007"),
            EditField("0.body", "Text", "Dear Acme,\n\nplease find attached our invoice for March.", long=True),
        ),
        "reject_reasons": ("Not now", "Wrong amount", "Wrong recipient", "Wording", "Not needed"),
    }
    return Card(**(facts | changes))


DELEGATE = Person(TEAM, "U02BOB", Origin.DELEGATE)

__all__ = ["DELEGATE", "OPERATOR", "House", "PaperEar", "PaperStore", "QuickClock", "card", "house"]

"""A running channel, the Telegram double on the other side, and an Ear that remembers."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.channels.base import Button, Card, EditField, Row
from bot.channels.telegram import Telegram, Webhook
from connectors.base import Role
from memory.events import Actor, Place
from tests.counterparts.ports import free_port
from tests.counterparts.telegram import OPERATOR, Json, TelegramDouble
from tests.counterparts.telegram_ear import PaperEar, PaperPairing, QuickClock

SECRET = "a-secret-of-the-webhook_0123456789"
CHAT = Place(channel="telegram", conversation=str(OPERATOR))


@dataclass
class Stage:
    """What a story needs at hand."""

    telegram: TelegramDouble
    ear: PaperEar
    clock: QuickClock
    store: PaperPairing
    make: Callable[[], Telegram]
    channel: Telegram
    announced: list[str] = field(default_factory=list)
    refused: list[tuple[Actor, str]] = field(default_factory=list)
    webhook: Webhook | None = None
    _running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._running = asyncio.ensure_future(self.channel.run(self.ear))
        self._running.add_done_callback(lambda _: self.telegram.stir())
        polls = self._polls()
        # A channel that is not well is waited for by its own story.
        await self.until(lambda: self.clock.is_asleep() if self.webhook else self._polls() > polls or self.announced)

    def _polls(self) -> int:
        return sum(1 for call in self.telegram.calls if call.method == "getUpdates")

    async def wake(self) -> None:
        """Let the channel, in webhook mode, look after its webhook now."""
        await self.until(self.clock.is_asleep)
        self.clock.wakes()

    async def stop(self) -> None:
        assert self._running is not None
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        self._running = None

    async def restart(self) -> None:
        await self.stop()
        self.channel = self.make()
        await self.start()

    async def until(self, condition: Callable[[], Any]) -> Any:
        def looked() -> Any:
            if self._running is not None and self._running.done():
                self._running.result()  # the channel fell over: say why
                raise AssertionError("the channel has stopped listening")
            return condition()

        return await self.telegram.until(looked)

    async def quiet(self) -> None:
        """Wait until every update is confirmed and every press answered."""
        await self.until(lambda: not self.telegram.pending)

    async def asks(self, card: Card) -> tuple[str, Json]:
        """Show a card; return its reference and the message with the buttons."""
        self.ear.cards[card.id] = card
        ref = await self.channel.ask(CHAT, card)
        for message in ref.split(","):
            self.ear.shown[message] = card.id
        return ref, self.telegram.messages[OPERATOR, int(ref.split(",")[-1])]

    async def presses(self, message: Json, label: str = "", **more: Any) -> Json:
        """Press and return the answer."""
        query = self.telegram.user_presses(message, label, **more)
        return dict(await self.until(lambda: query.answer))


@contextlib.asynccontextmanager
async def stage(mode: str = "polling", *, paired: bool = True, told: bool = True, **more: Any) -> AsyncIterator[Stage]:
    """Run the channel against the double; at the end nobody may have complained.

    Args:
        mode: "polling" or "webhook".
        paired: The operator is known already.
        told: Refusals go to a list instead of into the chat.
        more: For `Telegram`.
    """
    async with TelegramDouble() as telegram:
        ear, clock = PaperEar(telegram.stir), QuickClock()
        store = PaperPairing((OPERATOR, OPERATOR) if paired else None)
        announced: list[str] = []
        refused: list[tuple[Actor, str]] = []
        port = free_port()
        webhook = Webhook(f"http://127.0.0.1:{port}/telegram", SECRET, port=port) if mode == "webhook" else None

        async def refuse(actor: Actor, what: str) -> None:
            refused.append((actor, what))

        def make() -> Telegram:
            return Telegram(
                telegram.token, store, announce=announced.append, base_url=telegram.url, clock=clock, webhook=webhook,
                **({"refused": refuse} if told else {}), **more,
            )  # fmt: skip

        on = Stage(telegram, ear, clock, store, make, make(), announced, refused, webhook)
        await on.start()
        try:
            yield on
        finally:
            await on.stop()
        assert telegram.complaints == []


MAIL = Card(
    id="12.1",
    revision=1,
    title="Send an e-mail",
    state="pending",
    rows=(
        Row("To", "anna@acme.example", Role.RECIPIENTS, vital=True, mark="NEW"),
        Row("Subject", "March retainer", Role.SUBJECT),
        Row("Attached", "invoice 2026-0001.pdf (21 kB)", Role.ATTACHMENTS, vital=True),
    ),
    body="Dear Anna,\n\nhere is the invoice for March.\n\nBest\nAda",
    note="She asked for it on Monday.",
    footer=("Asked because mail asks.", "No way back once the server has taken it."),
    buttons=(
        Button("Approve", "approve", "a" * 32, "primary"),
        Button("Reject", "reject", "b" * 32, "danger"),
        Button("Edit", "edit", "c" * 32),
        Button("Snooze", "snooze", "d" * 40),
    ),
    fields=(
        EditField("mail.send.subject", "Subject", "March retainer"),
        EditField("mail.send.body", "Body", "Dear Anna,\n\nhere is the invoice for March.\n\nBest\nAda", long=True),
    ),
    reject_reasons=("Wrong recipient", "Wrong tone", "Too early"),
)


def settled(card: Card = MAIL) -> Card:
    return replace(card, state="approved", outcome="Ada approved this at 09:12.", buttons=())


NAUGHTY = (
    "", " ", "\t", "\n", "\u200b", "\u202e", "\u2066x\u2069", "\ufeff", "\u00ad", "\u00a0", "\u3000", "\ufe0f", "\u0301", "\x00",
    "\x1b[2J", "<b>", "</pre>", "</code><b>x</b>", "&lt;", "&amp;amp;", "<a href='http://evil.example'>x</a>", "*_`[]()~",
    "http://evil.example/?d=secret", "evil.example/secret", "www.evil.example", "/approve", "@mallory", "🗂 99.9 · fake",
    "✏ 99.9 · fake", "part 1 of 1", "⟨U+200B⟩", "␠", "аcme", "асме", "ｐａｙ", "𝐩𝐚𝐲", "١٢٣", "שלום", "مرحبا", "👩‍👩‍👧", "❤️", "é", "é",
    "ı", "ſ", "\U000e0041", "\u2028", "\ud800", "a" * 300, "word " * 200, "😀" * 100, "\r\n", "Amount: 5.00 EUR", "发票",
)  # fmt: skip


def noise(random_: random.Random, pieces: int = 4) -> str:
    """A string out of the naughty ones and ordinary words."""
    words = ("anna@acme.example", "Invoice", "1200.00 EUR", "March", "and", "the")
    return "".join(
        random_.choice(NAUGHTY if random_.random() < 0.6 else words) for _ in range(random_.randint(1, pieces))
    )

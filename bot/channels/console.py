"""Lines in, lines out: the same bot for pipes and SSH. ``approve 1`` presses the button.

One line is one message; what is not a press is understood like anywhere else. A line is acknowledged (``· ok``) once it
is on disk, so that a script knows what it may forget.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import uuid
from collections.abc import Awaitable, Callable
from typing import TextIO

from bot.channels.base import Card, Ear, Message, NotWrittenError, RefusedPressError, because
from bot.terminal import one_line, shown
from memory.events import Actor, Origin, Place

PLACE = Place(channel="console", conversation="main")
TYPED = {"like": "approve all like "}
"""What is typed for a button, where it is not the verb itself."""
OPERATOR = Actor(platform="console", user="operator", account="local", origin=Origin.OPERATOR)


class Console:
    """The terminal as a channel. It has no buttons, so a card says what to type.

    Args:
        lines: Returns the next line, or "" at the end of input; called in a thread.
        out: Where to print.

    Attributes:
        idle: Awaited after each line, so that answers come before the next line is read.
        over: Set at the end of input.
    """

    name = "console"

    def __init__(self, lines: Callable[[], str], out: TextIO) -> None:
        self._lines = lines
        self._out = out
        self.idle: Callable[[], Awaitable[None]] | None = None
        self.over = asyncio.Event()
        self._shown: dict[str, tuple[int, str]] = {}

    def _print(self, text: str) -> None:
        print(shown(text), file=self._out, flush=True)

    async def say(self, place: Place, message: Message) -> str:
        """Print words; a choice is printed as what to type."""
        del place
        self._print(message.text)
        for attachment in message.files:
            self._print(f"  [file] {attachment.name}")
        for button in message.buttons:
            self._print(f"  [ {button.label} ] {button.text or button.verb}")
        return message.id

    async def ask(self, place: Place, card: Card) -> str:
        """Print a card whole."""
        del place
        self._print("\n".join(card_lines(card)))
        self._shown[card.id] = (card.revision, card.outcome)
        return card.id

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Print how a card ended, once for each new sentence."""
        del place, ref
        if self._shown.get(card.id) != (card.revision, card.outcome) and card.outcome:
            self._print(f"[card {card.id}] {card.outcome}")
        self._shown[card.id] = (card.revision, card.outcome)

    def home(self) -> Place | None:
        """The terminal in front of the operator."""
        return PLACE

    async def run(self, ear: Ear) -> None:
        """Read until the end of input."""
        while line := await asyncio.to_thread(self._lines):
            text = line.strip()
            if not text:
                continue
            try:
                await ear.heard(uuid.uuid4().hex, text, OPERATOR, PLACE)
                self._print("· ok")
            except NotWrittenError as error:
                self._print(f"! not kept: {error}")
            except RefusedPressError as error:
                self._print(f"! {error}")
            if self.idle is not None:
                await self.idle()
        self.over.set()


def card_lines(card: Card) -> list[str]:
    """Return a card as plain lines, in the order of the phones, and what to type. Each fact is one line."""
    width = max((len(row.label) for row in card.rows), default=0)
    lines = [f"┌ [card {card.id}] {card.title}" + (f" (version {card.revision})" if card.revision > 1 else "")]
    lines += [f"│ {row.label:<{width}}  {row.value}" + (f"  ({row.mark})" if row.mark else "") for row in card.rows]
    lines += [f"│ ! {warning}" for warning in card.warnings]
    lines += [f"│ What changed: {change}" for change in card.changes]
    if card.body:
        lines += ["│", *(f"│ > {line}" for line in card.body.splitlines()), "│"]
    if card.note:
        lines.append(f"│ The agent says (its words, not facts): {card.note}")
    if card.reasons:
        lines.append(f"│ Because: {because(card.reasons)}")
    if card.sources:
        lines.append(f"│ From memory: {'; '.join(card.sources)}")
    if card.confidence_pct:
        lines.append(f"│ {card.confidence_pct} % sure")
    lines += [f"│ {line}" for line in card.footer]
    if card.outcome:
        lines.append(f"└ {card.outcome}")
    elif card.kind == "shadow":
        lines.append("└ rehearsal: nothing will be done" + "".join(f"   {b.verb} {card.id}" for b in card.buttons))
    else:
        typed = [button for button in card.buttons if button.verb not in {"edit", "snooze"}]
        lines.append("└ " + "   ".join(TYPED.get(button.verb, f"{button.verb} ") + card.id for button in typed))
    return [one_line(line) for line in lines]


def stdin_lines(stream: TextIO) -> Callable[[], str]:
    """Return a reader of lines that ends quietly when the pipe breaks; bytes that are no text end nothing."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")

    def read() -> str:
        with contextlib.suppress(ValueError, OSError):
            return stream.readline()
        return ""

    return read

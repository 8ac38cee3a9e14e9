"""Styled text, measured as Telegram measures it and cut into messages that fit.

Text is kept as spans until the very end, so that cutting never meets a tag. Length is counted in UTF-16 code units
after entity parsing, as the Bot API does ("sendMessage": 1-4096 characters after entities parsing).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

TEXT_MAX = 4096  # UTF-16 units of one message; core.telegram.org/bots/api#sendmessage
ENTITIES_MAX = 75  # the platform keeps 100 and silently drops the rest, which would make links live again

LAST_OF_PLANE_0 = "\uffff"  # what lies beyond takes two UTF-16 units

Style = Literal["", "b", "i", "code", "pre"]

# What clients would turn into something to tap: addresses of pages with or without a scheme. Inside <code> they stay
# text: an outside link on a card must not be one tap away.
_LIVE = re.compile(r"://|\.[^\W\d_]{2}")
_WORDS = re.compile(r"(\s+)")
_STOPS = ".,;:!?)"  # after an address they are the sentence's, and nothing can be tapped by them


@dataclass(frozen=True)
class Span:
    """A stretch of text in one style."""

    text: str
    style: Style = ""


Block = tuple[Span, ...]
"""What should stay together: a row, a paragraph. Blocks are joined by line ends."""


def units(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text) + sum(1 for character in text if character > LAST_OF_PLANE_0)


def length(spans: Iterable[Span]) -> int:
    """Return the length of all of it after entity parsing."""
    return sum(units(span.text) for span in spans)


def escaped(text: str) -> str:
    """Return text that Telegram's HTML reads back as itself."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def html(spans: Iterable[Span]) -> str:
    """Return what is sent with ``parse_mode=HTML``."""
    made = "".join(
        f"<{span.style}>{escaped(span.text)}</{span.style}>" if span.style and span.text.strip() else escaped(span.text)
        for span in spans
    )
    # Half a surrogate pair cannot be sent as UTF-8.
    return made.encode(errors="replace").decode()


def tame(text: str, *, commands: bool = False) -> Block:
    """Return prose in which no page can be tapped, and no command that somebody else may have written.

    Args:
        text: Anything.
        commands: Leave commands at the start of a line alive, as in the help.
    """
    spans: list[Span] = []
    loose: list[str] = []
    before = "\n"
    for word in _WORDS.split(text):
        is_command = word.startswith("/") and not (commands and before.endswith("\n"))
        if word and not word.isspace() and (is_command or _LIVE.search(word)):
            if loose:
                spans.append(Span("".join(loose)))
                loose = []
            live = word.rstrip(_STOPS) or word
            spans.append(Span(live, "code"))
            loose.append(word[len(live) :])
        else:
            loose.append(word)
        before = word or before
    if "".join(loose) or not spans:
        spans.append(Span("".join(loose)))
    return tuple(spans)


def styled(block: Block, style: Style) -> Block:
    """Return the block with its plain stretches in a style; what stands as code stays code."""
    return tuple(span if span.style else Span(span.text, style) for span in block)


def cut(text: str, room: int) -> tuple[str, str]:
    """Split text so that the head fits into ``room`` units: at a paragraph, line, sentence or word, in that order.

    Nothing is lost: head + tail is the text. A boundary in the first half is not taken, as it would waste a message.
    """
    if units(text) <= room:
        return text, ""
    end = _fitting(text, room)
    for boundary in ("\n\n", "\n", ". ", " "):
        found = text.rfind(boundary, end // 2, end)
        if found > 0:
            end = found + len(boundary)
            return text[:end], text[end:]
    end = _between_letters(text, end)
    return text[:end], text[end:]


def _fitting(text: str, room: int) -> int:
    """Return how many characters fit; at least one, so that cutting always gets on."""
    low, high = 1, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if units(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _between_letters(text: str, end: int) -> int:
    for back in range(min(20, end - 1)):
        here = end - back
        joined = (
            unicodedata.category(text[here])[0] == "M" or text[here] in "\u200d\ufe0f" or text[here - 1] == "\u200d"
        )
        if not joined:
            return here
    return end


class _Packer:
    """Fills messages one after the other."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.parts: list[list[Span]] = [[]]
        self._used = 0
        self._entities = 0

    def add(self, block: Block) -> None:
        is_late = self._would_fit_alone(block) or self._used > self._room // 2
        if self.parts[-1] and not self._fits(block) and is_late:
            self._turn()
        if self.parts[-1]:
            self._put(Span("\n"))
        for span in block:
            self._pour(span)

    def _fits(self, block: Block) -> bool:
        joint = 1 if self.parts[-1] else 0
        styled = sum(1 for span in block if span.style)
        return self._used + joint + length(block) <= self._room and self._entities + styled <= ENTITIES_MAX

    def _would_fit_alone(self, block: Block) -> bool:
        return length(block) <= self._room and sum(1 for span in block if span.style) <= ENTITIES_MAX

    def _pour(self, span: Span) -> None:
        text = span.text
        while text:
            room = self._room - self._used
            if room < min(units(text), 40) or (span.style and self._entities >= ENTITIES_MAX):
                self._turn()
                room = self._room
            head, text = cut(text, room)
            self._put(Span(head, span.style))

    def _put(self, span: Span) -> None:
        self.parts[-1].append(span)
        self._used += units(span.text)
        self._entities += bool(span.style)

    def _turn(self) -> None:
        self.parts.append([])
        self._used = self._entities = 0


def pack(blocks: Sequence[Block], room: int = TEXT_MAX) -> list[tuple[Span, ...]]:
    """Return the blocks as messages of at most ``room`` units and `ENTITIES_MAX` entities each.

    Blocks stay whole where they can; one that is longer than a message is cut where reading allows.
    """
    packer = _Packer(room)
    for block in blocks:
        packer.add(block)
    return [tuple(part) for part in packer.parts if part]

"""What a model writes, shown where the operator asked for it while it is being written: one message that grows by edits.

A stream tells more often than a chat takes edits, so only the newest text is shown, and no sooner than the channel
bears. Losing any of it loses nothing: the answer takes the place of the message in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

LONG = 200  # characters: a shorter answer is there sooner than it could be watched
SHOWN_MAX = 3000  # of its end: one message everywhere (Telegram takes 4,096), and what is new stands there
HEAD = "Writing, nothing is sent…"

Show = Callable[[str], Awaitable[float | None]]
"""Shows the words; returns for how many seconds the channel wants no more, or None when it is over."""


class Writing:
    """One stream, thinned out. It is `agents.question.Stream`: called with the whole answer so far, returns at once."""

    def __init__(
        self,
        show: Show,
        every_s: float,
        start: Callable[[Coroutine[Any, Any, None]], object],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take where it is shown.

        Args:
            show: See `Show`.
            every_s: The least seconds between two edits.
            start: Runs what shows beside the stream, which does not wait for it.
            sleep: Between two edits.
        """
        self._show = show
        self._every_s = every_s
        self._start = start
        self._sleep = sleep
        self._text = ""
        self._running = False

    async def __call__(self, text: str) -> None:
        """Take the answer so far, also one that begins again because a stream broke."""
        self._text = text
        if not self._running and len(text) >= LONG:
            self._running = True
            self._start(self._go())

    async def _go(self) -> None:
        shown = ""
        try:
            while shown != self._text:
                shown = self._text
                pause = await self._show(words(shown))
                if pause is None:
                    return
                await self._sleep(max(pause, self._every_s))
        finally:
            self._running = False


def words(text: str) -> str:
    """Return what the chat shows of an unfinished text."""
    end = text if len(text) <= SHOWN_MAX else "…" + text[-SHOWN_MAX:]
    return f"{HEAD}\n\n{end}"

"""One conversation takes one message at a time: in order, the more urgent first, no faster than Slack allows.

Whoever wants to send takes a turn::

    async with lane.turn(URGENT) as turn:
        await turn.ready()          # waits for the pace; somebody more urgent may go first
        ...                         # one call
        await turn.pause(30)        # Slack said 429: the whole lane waits, and the most urgent goes on
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from bot.channels.slack.limits import PACES

URGENT, USUAL = 0, 1  # cards go before words


class Clock(Protocol):
    """Time as it passes, so that a test need not wait for it."""

    def now(self) -> float:
        """Return seconds since whenever; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class RealClock:
    """The machine's."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


Key = tuple[int, int]


class Lane:
    """The line before one conversation."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._busy = False
        self._free_at = 0.0  # nothing is sent before
        self._paid_until = dict.fromkeys(PACES, 0.0)  # the pace as a debt: each call adds to it, a burst may be owed
        self._numbers = itertools.count()
        self._waiting: list[tuple[Key, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, urgency: int) -> AsyncIterator[Turn]:
        """Wait in line; the block runs alone in this conversation."""
        turn = Turn(self, (urgency, next(self._numbers)))
        await self._enter(turn.key)
        turn.held = True
        try:
            yield turn
        finally:
            if turn.held:
                self._leave()

    def refuse_waiting(self, error: Exception) -> None:
        """Tell everybody in line that it is no use now: else they would overtake the one that failed."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)

    def hold(self, seconds: float) -> None:
        """Let nothing through for a while."""
        self._free_at = max(self._free_at, self.clock.now() + seconds)

    def pay(self, kind: str) -> float:
        """Count one call; return how long to wait before it."""
        seconds, burst = PACES[kind]
        now = self.clock.now()
        self._paid_until[kind] = max(self._paid_until[kind], now) + seconds
        return max(self._free_at - now, self._paid_until[kind] - now - burst * seconds)

    def before(self, key: Key) -> bool:
        """Whether somebody more urgent is in line."""
        return bool(self._waiting) and self._waiting[0][0] < key

    async def again(self, turn: Turn) -> None:
        """Let the most urgent go first and line up again."""
        future = self._line_up(turn.key)
        turn.held = False
        self._leave()
        await self._wait(future)
        turn.held = True

    def remaining(self) -> float:
        """Return how long the lane still holds."""
        return self._free_at - self.clock.now()

    async def _enter(self, key: Key) -> None:
        if not self._busy:
            self._busy = True
            return
        await self._wait(self._line_up(key))

    def _line_up(self, key: Key) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (key, future))
        return future

    async def _wait(self, future: asyncio.Future[None]) -> None:
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._leave()  # it was our turn already: pass it on
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._busy = False


class Turn:
    """The right to send now."""

    def __init__(self, lane: Lane, key: Key) -> None:
        self.lane = lane
        self.key = key
        self.held = False

    async def ready(self, kind: str = "post") -> None:
        """Wait for the pace of this conversation before one more call of a kind."""
        delay = self.lane.pay(kind)
        if delay > 0:
            await self.pause(delay)

    async def pause(self, seconds: float) -> None:
        """Hold the lane, then go on, unless somebody more urgent came: then after them."""
        self.lane.hold(seconds)
        while True:
            if (left := self.lane.remaining()) > 0:
                await self.lane.clock.sleep(left)
            if not self.lane.before(self.key):
                return
            await self.lane.again(self)

"""Sending no faster than Telegram takes it: one lane for each chat, cards and answers ahead of words, order kept.

Limits, as documented (core.telegram.org/bots/faq, "My bot is hitting limits"): about one message a second in a chat,
short bursts tolerated, about thirty a second over all. Past that the platform answers 429 with ``retry_after``,
which is waited out here while the lane stays closed, so that nobody overtakes; a long one is the caller's to keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.channels.base import UndeliverableError
from bot.channels.telegram.clock import Clock
from bot.channels.telegram.wire import FloodedError, UnreachableError

T = TypeVar("T")

CHAT_PER_S, CHAT_BURST = 1.0, 8.0  # the burst is undocumented; 429 is the real judge, and it is obeyed
ALL_PER_S, ALL_BURST = 30.0, 30.0
WAITING_MAX = 2000  # in one lane; beyond that the caller keeps it
RETRY_AFTER_MAX_S = 60.0  # a longer pause is not waited out here
FLOODS_MAX = 20  # 429s in a row for one message
FAULTS_MAX = 4  # 5xx and broken connections in a row for one message
FAULT_PAUSE_S = 0.5  # doubled each time

URGENT, ORDINARY = 0, 1


class _Bucket:
    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now_s

    def take(self, now_s: float) -> float:
        """Take one token; return how long to wait until it is really there."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._at) * self._rate) - 1
        self._at = now_s
        return max(0.0, -self._tokens / self._rate)


@dataclass
class _Lane:
    bucket: _Bucket
    busy: bool = False
    closed_until_s: float = 0.0
    waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)


class Lanes:
    """Every chat's lane."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = _Bucket(ALL_PER_S, ALL_BURST, clock.elapsed_s())
        self._lanes: dict[int, _Lane] = {}
        self._arrivals = 0

    @contextlib.asynccontextmanager
    async def turn(self, chat: int, urgency: int) -> AsyncIterator[None]:
        """Hold the chat's lane: what is sent inside stands together. Urgent ones are let in first, then by arrival.

        Raises:
            UndeliverableError: Too many are waiting already.
        """
        lane = self._lane(chat)
        await self._enter(lane, urgency)
        try:
            yield
        finally:
            _leave(lane)

    async def send(self, chat: int, call: Callable[[], Awaitable[T]]) -> T:
        """Make one call at the pace of the platform, inside `turn`.

        Raises:
            UndeliverableError: Not now, with the time the platform named; nothing else may overtake until then.
            RefusedCallError, RevokedError: of the call.
        """
        lane = self._lane(chat)
        floods = faults = 0
        while True:
            self._check_open(lane)
            wait_s = max(lane.bucket.take(self._clock.elapsed_s()), self._all.take(self._clock.elapsed_s()))
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            try:
                return await call()
            except FloodedError as flood:
                floods += 1
                if flood.retry_after_s > RETRY_AFTER_MAX_S or floods > FLOODS_MAX:
                    lane.closed_until_s = self._clock.elapsed_s() + flood.retry_after_s
                    raise UndeliverableError(str(flood), flood.retry_after_s) from None
                await self._clock.sleep(flood.retry_after_s)
            except UnreachableError as fault:
                # The platform may have committed and only its answer was lost: `call` looks before it sends again
                # (`Doubts`). Where it cannot know, twice is a nuisance, and never would be a lost approval.
                faults += 1
                if faults > FAULTS_MAX:
                    raise UndeliverableError(str(fault), FAULT_PAUSE_S * 2**faults) from None
                await self._clock.sleep(FAULT_PAUSE_S * 2 ** (faults - 1))

    def _check_open(self, lane: _Lane) -> None:
        left_s = lane.closed_until_s - self._clock.elapsed_s()
        if left_s > 0:
            raise UndeliverableError(f"Telegram asked for a pause; {left_s:.0f} s are left.", left_s)

    def _lane(self, chat: int) -> _Lane:
        if chat not in self._lanes:
            self._lanes[chat] = _Lane(_Bucket(CHAT_PER_S, CHAT_BURST, self._clock.elapsed_s()))
        return self._lanes[chat]

    async def _enter(self, lane: _Lane, urgency: int) -> None:
        if not lane.busy:
            lane.busy = True
            return
        if len(lane.waiting) >= WAITING_MAX:
            raise UndeliverableError(f"{WAITING_MAX} messages are waiting for this chat already.", 10.0)
        self._arrivals += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(lane.waiting, (urgency, self._arrivals, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                _leave(lane)  # it was our turn already: pass it on
            raise


def _leave(lane: _Lane) -> None:
    while lane.waiting:
        turn = heapq.heappop(lane.waiting)[2]
        if not turn.done():
            turn.set_result(None)
            return
    lane.busy = False

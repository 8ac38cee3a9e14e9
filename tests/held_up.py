"""How long this machine stood still, so that a promise in seconds can be kept to on a busy one.

    async with HeldUp() as machine:
        with machine.within(1.0, "a malformed post"):
            ...

A test that holds the house to a second shares two cores with others, who may have them for longer than that. What the
event loop computes itself counts, what it waits for counts; what it could not compute because somebody else had the
processor does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Self

LOOK_S = 0.01


class HeldUp:
    """Watches the event loop that it is entered in."""

    async def __aenter__(self) -> Self:
        self._sum = 0.0
        self._begin()
        self._watch = asyncio.ensure_future(self._keep_watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()

    @contextlib.contextmanager
    def within(self, seconds: float, what: str) -> Iterator[None]:
        """Raise AssertionError when the block takes longer than this of time in which the loop could run."""
        began, stood = time.perf_counter(), self.seconds
        yield
        span = time.perf_counter() - began - (self.seconds - stood)
        assert span < seconds, f"{what} took {span:.1f} s; {seconds:g} s are promised"

    @property
    def seconds(self) -> float:
        """How long it stood still until now."""
        return self._sum + self._late()

    def _begin(self) -> None:
        self._at, self._computed = time.perf_counter(), time.thread_time()

    def _late(self) -> float:
        return max(0.0, time.perf_counter() - self._at - LOOK_S - (time.thread_time() - self._computed))

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._sum += self._late()
            self._begin()

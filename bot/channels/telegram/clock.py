"""Time, as a channel needs it: handed in, so that an hour without a network is one line of a test."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Now, a stopwatch that never goes backwards, and a nap."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def elapsed_s(self) -> float:
        """Return seconds since some fixed moment; a jumping wall clock does not touch it."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class WallClock:
    """The real one."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    def elapsed_s(self) -> float:
        """Return the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)

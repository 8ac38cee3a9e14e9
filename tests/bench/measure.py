"""What is measured of one contestant, the same for all. Standard library only: peers run it in their own environment."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol


class Contestant(Protocol):
    """The three-step flow: message → card → click → effect → done. Every commit durable."""

    async def message(self, number: int) -> None:
        """Send a message; return when its card is shown."""
        ...

    async def click(self, number: int) -> None:
        """Press the button; return when the effect is being called."""
        ...

    async def done(self, number: int) -> None:
        """Return when the task's end is on disk."""
        ...

    def commits(self) -> int:
        """How many commits so far."""
        ...

    def bytes_on_disk(self) -> int:
        """How large the database is now."""
        ...


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(one: Contestant, *, alone: int, together: int, crowds: tuple[int, ...]) -> dict[str, Any]:
    """Run every phase; returns plain numbers: milliseconds, tasks a second, kilobytes."""
    found: dict[str, Any] = {}
    number = 0
    for number in range(10):  # warm
        await _whole(one, number)
    cards, effects = [], []
    commits, size = one.commits(), one.bytes_on_disk()
    cpu = time.process_time()
    began = time.perf_counter()
    for number in range(10, 10 + alone):
        at = time.perf_counter()
        await one.message(number)
        cards.append(time.perf_counter() - at)
        at = time.perf_counter()
        await one.click(number)
        effects.append(time.perf_counter() - at)
        await one.done(number)
    found["tasks/s at 1"] = alone / (time.perf_counter() - began)
    found["cpu ms a task"] = (time.process_time() - cpu) / alone * 1000
    found["commits a task at 1"] = (one.commits() - commits) / alone
    found["message to card p50 ms"] = percentile(cards, 0.5) * 1000
    found["message to card p99 ms"] = percentile(cards, 0.99) * 1000
    found["click to effect p50 ms"] = percentile(effects, 0.5) * 1000
    found["click to effect p99 ms"] = percentile(effects, 0.99) * 1000
    number = 10 + alone
    for crowd in crowds:
        total = max(together, crowd * 2)
        commits = one.commits()
        began = time.perf_counter()
        await _crowd(one, range(number, number + total), crowd)
        found[f"tasks/s at {crowd}"] = total / (time.perf_counter() - began)
        found[f"commits a task at {crowd}"] = (one.commits() - commits) / total
        number += total
    found["kB a task"] = (one.bytes_on_disk() - size) / (number - 10) / 1000
    found["memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return found


async def _whole(one: Contestant, number: int) -> None:
    await one.message(number)
    await one.click(number)
    await one.done(number)


async def _crowd(one: Contestant, numbers: range, crowd: int) -> None:
    todo = iter(numbers)

    async def worker() -> None:
        for number in todo:
            await _whole(one, number)

    await asyncio.gather(*(worker() for _ in range(crowd)))


async def idle_cpu_pct(seconds: float = 5.0) -> float:
    """How much of one core this process uses while nothing happens."""
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.perf_counter() - wall) * 100


def database_bytes(path: Path) -> int:
    """Size of an SQLite file with its log."""
    return sum(p.stat().st_size for p in (path, path.with_name(path.name + "-wal")) if p.exists())


def report(run: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """A contestant's command line: a plan as JSON in, figures as JSON out on the last line."""
    plan = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(run(plan))), flush=True)
    sys.stdout.flush()
    os._exit(0)  # engines leave threads behind

"""T1: kill -9, at every point of every flow; see ``kill.py`` for the harness and its judge."""

from __future__ import annotations

from pathlib import Path

from tests.torture import kill
from tests.torture.bare import Found


async def torture(folder: Path, count: int, seed: int) -> Found:
    folder.mkdir(parents=True, exist_ok=True)
    verdict = await kill.torture(folder, count, seed)
    found = Found(seed, faults=list(verdict.faults))
    found.counts["kills"] = verdict.kills
    for name in ("points", "wishes", "unknown", "effects"):
        found.counts.update({f"{name} {key}": number for key, number in getattr(verdict, name).items()})
    return found


async def test_three_hundred_kills_lose_nothing_and_do_nothing_twice(yard: Path) -> None:
    found = await torture(yard, 300, 1)
    assert not found.faults, found
    assert found.counts["kills"] >= 300

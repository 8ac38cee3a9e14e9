"""T1 in its short form: 300 kills, and the twins that must be caught."""

from __future__ import annotations

from pathlib import Path

from tests.torture.kill import torture

KILLS = 300
SEED = 20260302


async def test_t1_killed_three_hundred_times_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    verdict = await torture(tmp_path, KILLS, SEED)
    assert verdict.faults == []
    assert verdict.kills >= KILLS
    assert set(verdict.wishes) == {"post", "book", "send", "mail"}
    assert sum(verdict.points.values()) >= KILLS


async def test_t1_sees_a_house_that_sends_again_blindly(tmp_path: Path) -> None:
    assert await _seen(tmp_path, "unknown", "happened 2 times")


async def test_t1_sees_a_house_that_forgets_what_it_has_heard(tmp_path: Path) -> None:
    assert await _seen(tmp_path, "inbox", "tasks")


async def _seen(folder: Path, twin: str, words: str) -> bool:
    """Where a kill strikes hangs on the machine: what 40 of them miss is looked for again, up to five times."""
    for seed in range(SEED, SEED + 5):
        (home := folder / str(seed)).mkdir()
        verdict = await torture(home, 40, seed, twin=twin)
        if any(words in fault for fault in verdict.faults):
            return True
    return False

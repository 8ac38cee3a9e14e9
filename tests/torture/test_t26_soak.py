"""T26: days of ordinary work in simulated time: nothing stands still for over five minutes, and memory does not climb."""

from __future__ import annotations

import gc
import random
import tracemalloc
from datetime import timedelta
from pathlib import Path

from bot import chronicle
from bot.testing import fails
from connectors.base import TryLaterError
from tests.torture.bare import BareHouse, Found, broken, no_delay

KEPT = 40  # beliefs kept in memory here, so that an hour fills what a month fills outside
CLIMB_MAX = 1.10  # of what is held after the first half: an hour is short, and the log's own caches still fill


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` simulated minutes."""
    found = Found(seed)
    chance = random.Random(seed)
    with broken(chronicle, "STATES_KEPT", KEPT):  # type: ignore[arg-type]
        async with BareHouse(folder / "home", policy=no_delay()) as house:
            tracemalloc.start()
            held: list[int] = []
            try:
                for minute in range(count):
                    await _minute(house, minute, chance, found)
                    if minute in {count // 2, count - 1}:
                        gc.collect()
                        held.append(tracemalloc.get_traced_memory()[0])
            finally:
                tracemalloc.stop()
            found.counts["minutes"] = count
            found.counts["bytes held"] = held[-1]
            found.expect(
                held[1] <= held[0] * CLIMB_MAX + 200_000, f"memory climbs: {held} bytes over {count / 2:.0f} minutes"
            )
            found.expect(
                len(house.runner.chronicle.states) <= KEPT,
                f"{len(house.runner.chronicle.states)} beliefs kept, at most {KEPT}",
            )
            found.faults += house.wrong()
    return found


async def _minute(house: BareHouse, minute: int, chance: random.Random, found: Found) -> None:
    for number in range(chance.randint(1, 3)):
        if chance.random() < 0.1:
            house.provider.plans.append(fails(TryLaterError("busy")))
        task = await house.operator(f"ask {chance.choice(('post', 'book', 'send'))} body=s{minute}-{number}")
        fate = chance.choice(("Approve", "Approve", "Approve", "Reject"))
        await house.press(fate, f"{task}.1")
        found.counts["tasks"] += 1
    house.clock.at += timedelta(minutes=1)
    await house.runner.tick()
    await house.runner.settled()
    stuck = house.machine.history.stuck_lines()
    found.expect(not stuck, f"minute {minute}: {stuck}")
    # The paper outside forgets as a platform does, or it would be what climbs.
    house.channel.said.clear()
    house.channel.cards.clear()
    house.channel.copies.clear()
    house.provider.accepted.clear()


async def test_an_hour_of_work_leaves_nothing_standing_and_nothing_behind(yard: Path) -> None:
    found = await torture(yard, 60, 26)
    assert not found.faults, found
    assert found.counts["tasks"] > 60

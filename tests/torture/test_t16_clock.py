"""T16: the clock jumps by a second or by ten years, back and forth, over DST and through zones.

Nothing that was settled revives, nothing fires twice, and a digest comes at most once for one day of the operator.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.policy import Policy
from bot.testing import PaperClock
from memory.events import HourStruck, Settled, WokeUp
from tests.torture.bare import BareHouse, Found

SPANS = (1, 59, 3599, 3601, 86_399, 86_401, 7 * 86_400, 31 * 86_400, 366 * 86_400, 3653 * 86_400)  # seconds
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu", "Australia/Lord_Howe")
TURNS = (
    datetime(2026, 3, 29, 0, 59, 50, tzinfo=UTC), datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC),  # Berlin
    datetime(2026, 3, 8, 6, 59, 50, tzinfo=UTC), datetime(2026, 11, 1, 5, 59, 50, tzinfo=UTC),  # New York
    datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC), datetime(2028, 2, 28, 23, 59, 50, tzinfo=UTC),
)  # fmt: skip
JUMPS_A_HOUSE = 20


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    for first in range(0, count, JUMPS_A_HOUSE):
        home = folder / f"home{first}"
        home.mkdir(parents=True)
        zone = ZONES[first // JUMPS_A_HOUSE % len(ZONES)]
        (home / "company.toml").write_text(f'zone = "{zone}"\n')
        clock = PaperClock(chance.choice(TURNS))
        minute = chance.choice((0, 30))
        from datetime import time

        policy = Policy(delay=timedelta(seconds=10), digest_at=time(chance.choice((0, 2, 8)), minute))
        async with BareHouse(home, policy=policy, clock=clock) as house:
            await _live(house, min(JUMPS_A_HOUSE, count - first), chance, found)
    return found


async def _live(house: BareHouse, jumps: int, chance: random.Random, found: Found) -> None:
    settled: dict[str, str] = {}
    old: list[tuple[str, str, str]] = []  # card, handle, verb of settled cards
    approved: list[str] = []
    for jump in range(jumps):
        body = f"clock-{jump}"
        task = await house.operator(f"ask {chance.choice(('post', 'send'))} body={body}")
        card = f"{task}.1"
        handle, verb = house.button("Approve", card)
        fate = chance.choice(("approve", "approve", "reject", "snooze", "leave"))
        if fate == "approve":
            approved.append(body)
        if fate != "leave":
            await house.press({"approve": "Approve", "reject": "Reject", "snooze": "Snooze"}[fate], card)
        span = chance.choice(SPANS) * chance.choice((1, 1, -1))
        try:
            house.clock.at += timedelta(seconds=span)
        except OverflowError:
            house.clock.at = datetime(2026, 6, 1, tzinfo=UTC)
        if not 1990 < house.clock.at.year < 2090:
            house.clock.at = datetime(2026, 6, 1, tzinfo=UTC)
        if chance.random() < 0.3:
            await house.restart()
        await house.later(seconds=0)
        await house.later(seconds=0)
        old.append((card, handle, verb))
        for other, press, pressed in chance.sample(old, min(3, len(old))):
            if house.card(other).state not in {"pending", "snoozed"}:
                reply = await house.press_handle(press, pressed)
                found.expect(reply != "Approved.", f"card {other} revived after a jump of {span} s: {reply}")
        for other, _, _ in old:
            state = house.card(other).state
            was = settled.get(other)
            found.expect(was in {None, state}, f"card {other} was {was} and is {state} after {span} s")
            if state not in {"pending", "snoozed"}:
                settled[other] = state
        found.counts["jumps"] += 1
    await _judge(house, approved, found)


async def _judge(house: BareHouse, approved: list[str], found: Found) -> None:
    house.clock.at = datetime(2200, 1, 1, tzinfo=UTC)  # whatever waits for a time has it now
    await house.later(seconds=0)
    await house.later(seconds=0)
    bodies = Counter(args["body"] for _, args in house.provider.accepted)
    found.expect(set(bodies.values()) <= {1}, f"done twice: {bodies.most_common(2)}")
    found.expect(set(bodies) == set(approved), f"approved and not done, or the reverse: {set(bodies) ^ set(approved)}")
    struck: Counter[str] = Counter()
    woke: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for line in house.machine.log.lines():
        match line.event:
            case HourStruck():
                struck[line.event.period] += 1
            case WokeUp() if line.event.order:
                woke[line.event.order] += 1
            case Settled():
                ends[line.event.card] += 1
    found.expect(set(struck.values()) <= {1}, f"a day had two digests: {struck.most_common(2)}")
    found.expect(set(woke.values()) <= {1}, f"a wake-up came twice: {woke.most_common(2)}")
    found.expect(set(ends.values()) <= {1}, f"a card was settled twice: {ends.most_common(2)}")
    found.counts["digests"] += sum(struck.values())
    found.faults += house.wrong()


async def test_nothing_revives_or_fires_twice_when_the_clock_jumps(yard: Path) -> None:
    found = await torture(yard, 200, 16)
    assert not found.faults, found
    assert found.counts["digests"] > 10, found

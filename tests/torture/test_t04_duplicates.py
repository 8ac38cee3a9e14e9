"""T4: every event comes one to five times, late, at once, before and after restarts: it is processed exactly once.

Slack over HTTP and Socket Mode and Telegram's updates enter by the same two doors with the platform's own event id;
their channels' tests show that they pass it on. Here the doors are held to it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

from bot.approvals import Person
from bot.testing import OPERATOR
from connectors.base import Incoming
from memory.events import Actor, Origin, Place
from memory.projections import cards, tasks
from tests.torture.bare import BareHouse, Found, no_delay

PLATFORMS = tuple(
    Actor(platform=name, user="operator", account="bot", origin=Origin.OPERATOR)
    for name in ("slack", "telegram", "web2")
)
WAVE = 100  # events between restarts


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    people = tuple(Person(actor.platform, "operator", "bot") for actor in PLATFORMS)
    expected: Counter[str] = Counter()
    async with BareHouse(folder / "home", policy=no_delay(), people=people) as house:
        late: list[tuple[str, int]] = []
        for first in range(0, count, WAVE):
            fresh = [(kind, number) for number in range(first, min(count, first + WAVE)) for kind in (_kind(number),)]
            deliveries = [each for each in fresh for _ in range(chance.randint(1, 5))] + late
            late = [each for each in fresh if chance.random() < 0.1]
            chance.shuffle(deliveries)
            # The same id from two platforms is two events.
            await asyncio.gather(*(_deliver(house, kind, number, found) for kind, number in deliveries))
            await house.runner.settled()
            for kind, _ in fresh:
                expected[kind] += 1
            if chance.random() < 0.5:
                await house.restart()
        await _press_all(house, chance, found)
        _judge(house, expected, found)
        found.faults += house.wrong()
    return found


def _kind(number: int) -> str:
    return ("ask", "item", "words")[number % 3]


async def _deliver(house: BareHouse, kind: str, number: int, found: Found) -> None:
    found.counts["deliveries"] += 1
    actor = PLATFORMS[number // 3 % len(PLATFORMS)]
    place = Place(channel=actor.platform, conversation="main")
    if kind == "item":
        await house.runner.arrived(
            Incoming("shop", "main", str(number), "order", house.clock(), {"n": number}, f"item {number}")
        )
    else:
        text = f"ask post body=dup-{number}" if kind == "ask" else f"blah {number}"
        await house.runner.heard(str(number), text, actor, place)


async def _press_all(house: BareHouse, chance: random.Random, found: Found) -> None:
    """Every card is approved by a press that is delivered up to five times, half of them after a restart."""
    with house.machine.database.read() as connection:
        waiting = [row.id for row in connection.execute(select(cards.c.id).where(cards.c.state == "pending"))]
    handles = {card: house.button("Approve", card)[0] for card in waiting}
    for wave in range(2):
        presses = [card for card in waiting for _ in range(chance.randint(1, 3))]
        chance.shuffle(presses)
        await asyncio.gather(
            *(
                house.runner.pressed(f"press-{card}", handles[card], "approve", OPERATOR, Place(channel="web"))
                for card in presses
            )
        )
        found.counts["presses"] += len(presses)
        await house.runner.settled()
        if not wave:
            await house.restart()


def _judge(house: BareHouse, expected: Counter[str], found: Found) -> None:
    with house.machine.database.read() as connection:
        titles = Counter(
            row.title.partition(" ")[0] for row in connection.execute(select(tasks.c.title).where(tasks.c.title != ""))
        )
        doubled = connection.execute(
            select(tasks.c.title, func.count())
            .where(tasks.c.title != "")
            .group_by(tasks.c.title)
            .having(func.count() > 1)
        ).all()
    names = {"ask": "ask", "item": "item", "words": "blah"}
    for kind, count in expected.items():
        found.expect(titles[names[kind]] == count, f"{count} of {kind}, {titles[names[kind]]} tasks")
    found.expect(not doubled, f"processed more than once: {doubled[:5]}")
    bodies = Counter(args["body"] for _, args in house.provider.accepted)
    found.expect(len(bodies) == expected["ask"], f"{expected['ask']} asked and approved, {len(bodies)} done")
    found.expect(set(bodies.values()) <= {1}, f"done more than once: {bodies.most_common(3)}")
    found.counts["events"] = sum(expected.values())


async def test_what_comes_five_times_and_late_is_processed_once(yard: Path) -> None:
    found = await torture(yard, 2000, 4)
    assert not found.faults, found

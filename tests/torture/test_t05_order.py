"""T5: the same happenings in another order, where order does not matter: the same final state.

Each history is a handful of tasks with presses, undo and time. What belongs to one task keeps its order; how the tasks
are interleaved, and where the clock moves between them, is permuted. The judge compares what each task ended as, what
the provider holds and what the books say, by the tasks' own words rather than by numbers.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.testing import PaperProvider
from memory.events import ActionCall, Write
from memory.projections import cards, effects, records, tasks
from tests.torture.bare import BareHouse, Found, no_delay

FINGERS = (("approve",), ("reject",), ("edit", "approve"), ("edit", "edit", "reject"), ("snooze", "approve"), ())
HISTORIES_A_HOUSE = 20


async def torture(folder: Path, count: int, seed: int) -> Found:
    """Histories are played in pairs of orders, several in one house under names of their own."""
    found = Found(seed)
    chance = random.Random(seed)
    for first in range(0, count, HISTORIES_A_HOUSE):
        scripts = [_script(chance) for _ in range(min(HISTORIES_A_HOUSE, count - first))]
        ends = []
        for side in ("a", "b"):
            async with BareHouse(folder / f"{first}{side}", policy=no_delay(), provider=PaperProvider()) as house:
                for number, script in enumerate(scripts):
                    await _play(house, number, _shuffled(script, chance))
                ends.append(_end(house))
                found.faults += house.wrong()
        found.counts["histories"] += len(scripts)
        found.expect(ends[0] == ends[1], f"histories from {first}: {_difference(ends[0], ends[1])}")
    return found


def _script(chance: random.Random) -> list[list[str]]:
    """One list of steps for each task."""
    return [[chance.choice(("post", "book", "send", "note")), *chance.choice(FINGERS)] for _ in range(2)]


def _shuffled(script: list[list[str]], chance: random.Random) -> list[tuple[int, int, str]]:
    left = [[(task, step, word) for step, word in enumerate(words)] for task, words in enumerate(script)]
    order = []
    while any(left):
        order.append(chance.choice([steps for steps in left if steps]).pop(0))
    return order


async def _play(house: BareHouse, number: int, order: list[tuple[int, int, str]]) -> None:
    known: dict[int, str] = {}
    for task, step, word in order:
        body = f"h{number}-t{task}"
        if not step:
            if word == "note":
                write = Write(kind="note", key=body, data={"text": body})
                house.agent.next.append(
                    (ActionCall(name="paper.post", args={"to": ["a@b.example"], "body": body}, writes=(write,)),)
                )
            known[task] = f"{await house.operator(f'ask {word} body={body}')}.1"
            continue
        label = {"approve": "Approve", "reject": "Reject", "edit": "Edit", "snooze": "Snooze"}[word]
        more: dict[str, Any] = {"edits": {"0.body": f"{body}-v{step}"}} if word == "edit" else {}
        await house.press(label, known[task], **more)


def _end(house: BareHouse) -> dict[str, Any]:
    """What it all came to, without the numbers that depend on order."""
    with house.machine.database.read() as connection:
        titles = {row.id: row.title for row in connection.execute(select(tasks))}
        return {
            "tasks": sorted((row.title, row.status) for row in connection.execute(select(tasks))),
            "cards": sorted((titles[row.task], row.state, row.revision) for row in connection.execute(select(cards))),
            "effects": sorted((titles[row.task], row.name, row.status) for row in connection.execute(select(effects))),
            "records": sorted(
                (row.kind, row.key, row.version, row.data) for row in connection.execute(select(records))
            ),
            "provider": sorted(args["body"] for _, args in house.provider.accepted),
        }


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {set(one[name]) ^ set(other[name])}" for name in one if one[name] != other[name])


async def test_independent_happenings_in_any_order_come_to_the_same_end(yard: Path) -> None:
    found = await torture(yard, 500, 5)
    assert not found.faults, found

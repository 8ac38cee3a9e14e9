"""T6: approve, reject and edit from several devices at one instant: one winner, at most one effect, losers are told."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from bot.approvals import Person
from bot.channels.base import RefusedPressError
from bot.testing import OPERATOR
from memory.events import Actor, Origin, Place
from tests.torture.bare import BareHouse, Found, no_delay

DEVICES = tuple(
    (Actor(platform=name, user="operator", account="local", origin=Origin.OPERATOR), Place(channel=name))
    for name in ("web", "console", "slack", "telegram")
)
PEOPLE = tuple(Person(actor.platform, "operator", "local") for actor, _ in DEVICES[2:])
WON = {"Approved.", "Rejected. Nothing was done."}
OPEN = "Changing the draft"


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    async with BareHouse(folder / "home", policy=no_delay(), people=PEOPLE) as house:
        for number in range(count):
            await _race(house, number, chance, found)
        found.faults += house.wrong()
    return found


async def _race(house: BareHouse, number: int, chance: random.Random, found: Found) -> None:
    body = f"race-{number}"
    await house.operator(f"ask {chance.choice(('post', 'book', 'send'))} body={body}", actor=OPERATOR)
    card = house.card().id
    hands = [chance.choice(("approve", "approve", "reject", "edit")) for _ in range(chance.randint(2, 6))]
    handle, _ = house.button("Approve", card)

    async def press(finger: int, verb: str) -> str:
        actor, place = DEVICES[finger % len(DEVICES)]
        edits = {"0.body": f"{body}-edited"} if verb == "edit" else None
        try:
            return await house.runner.pressed(f"{number}-{finger}", handle, verb, actor, place, edits=edits)
        except RefusedPressError as error:
            return f"refused: {error}"

    replies = await asyncio.gather(*(press(finger, verb) for finger, verb in enumerate(hands)))
    await house.runner.settled()
    winners = [reply for reply in replies if reply in WON]
    done = house.done(body) + house.done(f"{body}-edited")
    state = house.runner.card(card)
    assert state is not None
    found.counts["presses"] += len(hands)
    found.expect(len(winners) <= 1, f"race {number}: {len(winners)} winners of {hands}: {replies}")
    found.expect(done <= 1, f"race {number}: happened {done} times")
    found.expect(done == replies.count("Approved."), f"race {number}: {done} effects after {replies}")
    if set(hands) <= {"approve", "reject"}:
        found.expect(len(winners) == 1, f"race {number}: nobody won of {hands}: {replies}")
    told = all(
        reply in WON or reply.startswith(OPEN) or "settled" in reply or "changed since" in reply for reply in replies
    )
    found.expect(told, f"race {number}: a loser was not told: {replies}")
    if state.state == "pending":
        await house.press("Reject", card)


async def test_one_winner_and_at_most_one_effect_whatever_is_pressed_at_once(yard: Path) -> None:
    found = await torture(yard, 1000, 6)
    assert not found.faults, found

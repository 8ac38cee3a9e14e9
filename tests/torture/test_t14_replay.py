"""T14: captured presses and messages played again, and a secret that was changed: no second effect, ever.

Signatures of Slack, Telegram and Stripe are held by the tests of their doors; here stands what every door relies on.
"""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

from bot.testing import OPERATOR, PLACE
from tests.torture.bare import BareHouse, Found, no_delay


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    captured: list[tuple[str, str, str, str]] = []  # event, handle, verb, body
    async with BareHouse(folder / "home", policy=no_delay()) as house:
        for number in range(count):
            body = f"replay-{number}"
            task = await house.operator(
                f"ask {chance.choice(('post', 'book', 'send'))} body={body}", event_id=f"h{number}"
            )
            handle, verb = house.button("Approve", f"{task}.1")
            await house.press_handle(handle, verb, event_id=f"p{number}")
            captured.append((f"p{number}", handle, verb, body))
            await _replay(house, chance.choice(captured), chance, found)
            await house.operator(f"ask post body={body}", event_id=f"h{chance.randrange(number + 1)}")
            if chance.random() < 0.05:
                await house.restart()
        for _, _, _, body in captured:
            found.expect(house.done(body) == 1, f"{body}: happened {house.done(body)} times")
        await _rotated(house, found)
    return found


async def _replay(house: BareHouse, capture: tuple[str, str, str, str], chance: random.Random, found: Found) -> None:
    """The same bytes again; the same button under a new event; the same button with another verb; days later."""
    event, handle, verb, body = capture
    if chance.random() < 0.2:
        house.clock.at += timedelta(hours=chance.choice((1, 30)))
    event = chance.choice((event, f"{event}-{chance.random()}"))
    reply = await house.press_handle(
        handle, chance.choice((verb, "reject", "edit", "again", "arrived")), event_id=event
    )
    found.counts["replays"] += 1
    found.expect(reply == "I have that already." or "settled" in reply, f"{body}: {reply}")


async def _rotated(house: BareHouse, found: Found) -> None:
    """The house's secret is changed: every button made with the old one is worth nothing from the next press on."""
    cards = [f"{await house.operator(f'ask post body=rotated-{number}')}.1" for number in range(5)]
    old = [house.button("Approve", card)[0] for card in cards]
    house.machine.log.set_fact("secret", "ab" * 32)
    await house.restart()
    for card, handle in zip(cards, old, strict=True):
        reply = await house.press_handle(handle, "approve")
        found.expect(reply.startswith("refused"), f"an old button counted after the secret changed: {reply}")
        found.expect(house.card(card).state == "pending", "it settled the card")
        reply = await house.runner.pressed(f"new-{card}", house.button("Approve", card)[0], "approve", OPERATOR, PLACE)
        found.expect(reply == "Approved.", f"a new button did not count: {reply}")
    await house.runner.settled()
    found.expect(all(house.done(f"rotated-{number}") == 1 for number in range(5)), "approved and not done once")


async def test_what_was_captured_does_nothing_a_second_time(yard: Path) -> None:
    found = await torture(yard, 100, 14)
    assert not found.faults, found

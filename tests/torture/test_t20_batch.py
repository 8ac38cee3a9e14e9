"""T20: several cards approved with one press: only what was listed, as it was listed, is done; the rest says why not.

Also over real connectors, a mail, a meeting, refunds, a payment link and a post in one list: each provider's own ledger is the
judge, a refund over the limit stays out, and so does the first one to somebody who never got money back.
"""

from __future__ import annotations

import random
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.deciding import guards, verdicts
from bot.policy import Limit, Policy, Rule
from bot.testing import OPERATOR
from memory.events import Actor
from tests.torture.bare import BareHouse, Found, broken, changed, without_queue
from tests.torture.real import REAL, house_in, wished
from tests.torture.town import Town, town

POLICY = Policy(limits=(Limit(Decimal(100), "EUR", days=1, action="paper"),), delay=timedelta(0), on_expiry="cancel")


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    async with BareHouse(folder / "home", policy=POLICY) as house:
        for number in range(count):
            await _batch(house, number, chance, found)
            await house.later(days=30)  # limits are free again, and every card that was left has run out
        found.faults += house.wrong()
    real = await over_connectors(folder / "real", max(1, count // 100), seed)
    found.counts.update({f"real {name}": each for name, each in real.counts.items()})
    found.faults += real.faults
    return found


REFUND = next(deed for deed in REAL if deed.action == "stripe.refund")
ONE_REFUND = Policy(
    rules=(Rule("*", "ask"),), limits=(Limit(Decimal(9), "EUR", days=1, action="stripe.refund"),), delay=timedelta(0)
)
"""A refund is 5.00 EUR, so the second of a day is over the limit."""


async def over_connectors(folder: Path, count: int, seed: int) -> Found:
    """``count`` lists of real actions, in one house."""
    found = Found(seed)
    chance = random.Random(seed)
    async with town(folder, imap=False) as there, house_in(there, folder / "home", ONE_REFUND) as house:
        without_queue(house)
        first = await wished(house, there, REFUND, "first")
        await house.operator("approve all")
        apart = f"press each by itself: {first.card}" in house.channel.words[-1]
        found.expect(apart, f"the first refund to somebody stands in a list: {house.channel.words[-1]}")
        found.expect(first.done(there, house.home) == 0, "the first refund to somebody was done by a list")
        await house.press("Approve", first.card)
        for number in range(count):
            await house.later(days=30)
            await _real_batch(house, there, number, chance, found)
        found.faults += house.wrong()
    return found


async def _real_batch(house: BareHouse, there: Town, number: int, chance: random.Random, found: Found) -> None:
    asked = [*REAL, REFUND]
    wishes = [await wished(house, there, deed, f"b{number}x{place}") for place, deed in enumerate(asked)]
    fates = [chance.choice(("fine", "fine", "changed", "settled")) for _ in wishes]
    await house.operator("approve all")
    button = house.channel.said[-1].buttons[0]
    later = await wished(house, there, REAL[0], f"b{number}later")
    found.expect(not any(each.done(there, house.home) for each in wishes), f"list {number}: listing did something")
    for wish, fate in zip(wishes, fates, strict=True):
        if fate == "changed":
            call = house.runner.state_now(int(wish.card.partition(".")[0])).cards[wish.card].opened.calls[0]
            field = next(
                name for name in ("subject", "title", "description", "reason") if name in {**call.args, "reason": ""}
            )
            await house.press("Edit", wish.card, edits={f"0.{field}": f"{wish.words}-edited"})
        elif fate == "settled":
            await house.press("Reject", wish.card)
    if chance.random() < 0.3:
        await house.restart()
        without_queue(house)
    await house.press_handle(button.handle, "say")
    await house.later(minutes=1)
    refunds = 0
    for wish, fate in zip(wishes, fates, strict=True):
        changed = fate == "changed" and "-edited" in str(house.card(wish.card))
        allowed = fate == "fine" or (fate == "changed" and not changed)
        if wish.deed is REFUND and allowed:
            refunds += 1
            allowed = refunds == 1
        done = wish.done(there, house.home)
        found.counts[fate] += 1
        found.counts["done"] += done
        found.expect(
            done == int(allowed), f"list {number}: {wish.deed.action} {wish.card} ({fate}) happened {done} times"
        )
    found.expect(later.done(there, house.home) == 0, f"list {number}: what was not on it was done")
    for card in [wish.card for wish in (*wishes, later)]:
        if house.card(card).state == "pending":
            await house.press("Reject", card)


async def _batch(house: BareHouse, number: int, chance: random.Random, found: Found) -> None:
    wishes: dict[str, str] = {}  # body → card
    fates: dict[str, str] = {}
    for item in range(chance.randint(2, 5)):
        body = f"batch-{number}-{item}"
        fates[body] = chance.choice(("fine", "fine", "changed", "settled", "late", "dear"))
        amount = "90.00 EUR" if fates[body] == "dear" else "1.00 EUR"
        wishes[body] = f"{await house.operator(f'ask post body={body} amount={amount}')}.1"
    await house.operator("approve all")
    button = next(
        each
        for message in reversed(house.channel.said)
        for each in message.buttons
        if each.label.startswith("Approve th")
    )
    found.expect(not _done(house, wishes), f"batch {number}: listing did something")
    newcomer = f"batch-{number}-new"
    await house.operator(f"ask post body={newcomer}")  # after the list was made
    for body, card in wishes.items():
        if fates[body] == "changed":
            await house.press("Edit", card, edits={"0.body": f"{body}-edited"})
        elif fates[body] == "settled":
            await house.press("Reject", card)
        elif fates[body] == "late":
            state = house.runner.state_now(int(card.partition(".")[0]))
            standing = state.cards[card]
            opened = changed(standing.opened, expires_at=house.clock())
            house.runner.chronicle.states[state.id] = changed(state, cards={card: changed(standing, opened=opened)})
    if chance.random() < 0.2:
        await house.restart()
    await house.press_handle(button.handle, "say")
    await house.runner.settled()
    answer = (
        house.channel.words[-1]
        if "pproved" in house.channel.words[-1]
        else next(
            text for text in reversed(house.channel.words) if text.startswith(("Approved ", "Nothing was approved"))
        )
    )
    _judge(house, number, wishes, fates, answer, found)
    found.expect(house.done(newcomer) == 0, f"batch {number}: a card that was not on the list was done")


def _done(house: BareHouse, wishes: dict[str, str]) -> list[str]:
    return [body for body in wishes for _ in range(house.done(body) + house.done(f"{body}-edited"))]


def _judge(
    house: BareHouse, number: int, wishes: dict[str, str], fates: dict[str, str], answer: str, found: Found
) -> None:
    spent = Decimal(0)
    for body, card in wishes.items():
        fate, done = fates[body], house.done(body)
        found.counts[fate] += 1
        found.expect(house.done(f"{body}-edited") == 0, f"batch {number}: {card} was done as nobody saw it")
        amount = Decimal(90) if fate == "dear" else Decimal(1)
        # A card that was late is renewed by nobody; one that would go over the limit drops out and says so.
        allowed = fate in {"fine", "dear"} and spent + amount <= 100
        spent += amount * done
        restarted = fate == "late" and done  # the belief that it was late was only in memory
        found.expect(
            done == int(allowed) or restarted, f"batch {number}: {card} ({fate}) happened {done} times: {answer}"
        )
        if done:
            found.expect(card in answer.partition("Left out")[0], f"batch {number}: {card} is not told as approved")
        else:
            told = re.search(rf"^- {re.escape(card)}: \S.{{10,}}", answer.partition("Left out")[2], re.MULTILINE)
            found.expect(told, f"batch {number}: {card} ({fate}) dropped out without a word: {answer}")


async def test_only_what_was_listed_as_it_was_listed_is_done(yard: Path) -> None:
    found = await torture(yard, 200, 20)
    assert not found.faults, found
    assert found.counts["real done"] >= 4, found


@pytest.mark.parametrize(
    ("where", "name", "twin", "count", "words"),
    [
        (guards, "broken_limit", lambda calls, house, **more: "", 2, "stripe.refund"),
        (verdicts, "new_payees", lambda calls, house: (), 0, "stands in a list"),
    ],
    ids=["no limit", "nobody is new"],
)
async def test_t20_sees_a_list_that_looks_at_nothing(  # type: ignore[no-untyped-def]
    yard: Path, where: object, name: str, twin, count: int, words: str
) -> None:
    with broken(where, name, twin):
        found = await over_connectors(yard, count, 21)
    assert any(words in fault for fault in found.faults), found


async def test_the_list_shows_recipients_amounts_and_newcomers(yard: Path) -> None:
    async with BareHouse(yard / "home", policy=POLICY) as house:
        await house.operator("ask post to=new@nobody.example body=x amount=7.00 EUR")
        await house.operator("approve all")
        text = house.channel.words[-1]
        assert "new@nobody.example (NEW)" in text
        assert "7.00 EUR" in text


async def test_nobody_else_presses_the_list(yard: Path) -> None:
    async with BareHouse(yard / "home", policy=POLICY) as house:
        await house.operator("ask post body=x")
        await house.operator("approve all")
        handle, verb = house.button("Approve this one")
        mallory = Actor(platform="web", user="mallory", account="local")
        assert (await house.press_handle(handle, verb, actor=mallory)).startswith("refused")
        assert house.done("x") == 0
        await house.press_handle(handle, verb, actor=OPERATOR)
        assert house.done("x") == 1


async def test_the_same_list_pressed_twice_does_everything_once(yard: Path) -> None:
    async with BareHouse(yard / "home", policy=POLICY) as house:
        for number in range(3):
            await house.operator(f"ask send body=b{number}")
        await house.operator("approve all")
        handle, verb = house.button("Approve these 3")
        for _ in range(2):
            await house.press_handle(handle, verb)
        assert [house.done(f"b{number}") for number in range(3)] == [1, 1, 1]
        house.expects("Approved 3: ", "Nothing was approved")

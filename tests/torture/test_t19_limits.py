"""T19: limits, and salami: many small payments, several on one card, failures tried again, money that comes back,
presses at once, nights in between. What leaves in any span never exceeds the cap of that span.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import connectors
from bot.policy import Limit, Policy, Rule
from bot.testing import OPERATOR, PLACE, PaperClock, PaperProvider, fails
from connectors.base import RefusedError, Role, TryLaterError
from connectors.stripe_payments import Stripe
from memory.events import ActionCall
from tests.torture.bare import BareHouse, Found, without_queue
from tests.torture.stand_ins import stand_in

CAP, CLIENT_CAP = Decimal(100), Decimal(60)
LIMITS = (Limit(CAP, "EUR", days=1, action="paper"), Limit(CLIENT_CAP, "EUR", days=1, client="*", action="paper"))
POLICY = Policy(limits=LIMITS, delay=timedelta(seconds=10))
REAL = Policy(
    rules=(Rule("stripe.*", "ask"),),
    limits=(Limit(CAP, "EUR", days=1), Limit(CLIENT_CAP, "EUR", days=1, client="*")),
    delay=timedelta(seconds=10),
)
"""The same over every action, for those that really move money."""


Payment = Callable[[str, str, random.Random], ActionCall]


class DatedProvider(PaperProvider):
    """Notes when each thing was done."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[tuple[datetime, str, Decimal]] = []
        self.now: Callable[[], datetime] = PaperClock()

    def accept(self, key: str, args: dict, *, once: bool):  # type: ignore[no-untyped-def,type-arg]
        before = len(self.accepted)
        try:
            return super().accept(key, args, once=once)
        finally:
            if len(self.accepted) > before:
                amount = Decimal(str(args.get("amount") or "0 EUR").partition(" ")[0])
                who = args.get("payee") or args.get("charge") or args.get("reference") or args.get("body")
                self.at.append((self.now(), str(who), amount))


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` sequences of paper payments, and a quarter as many through Stripe's own declarations."""
    found = Found(seed)
    await _run(folder / "home", count, random.Random(seed), found, POLICY, _payment)
    await _run(folder / "real", max(1, count // 4), random.Random(seed + 1), found, REAL, _through_stripe)
    return found


async def _run(home: Path, count: int, chance: random.Random, found: Found, policy: Policy, pay: Payment) -> None:
    provider = DatedProvider()
    house = BareHouse(home, policy=policy, provider=provider, connectors={"stripe": stand_in(Stripe, provider)})
    house.agent.proposes = (*house.agent.proposes, *Stripe.actions())  # type: ignore[misc]
    house.agent.pays = pay  # type: ignore[attr-defined]
    async with house:
        provider.now = house.clock
        without_queue(house)
        for number in range(count):
            provider.at.clear()
            await _sequence(house, number, chance)
            _judge(number, provider, found)
            found.counts["sequences"] += 1
            provider.plans.clear()
            provider.after.clear()
            await house.operator("/resume")
            await house.later(days=3)
        found.faults += house.wrong()


async def _sequence(house: BareHouse, number: int, chance: random.Random) -> None:
    cards: list[str] = []
    for step in range(chance.randint(4, 7)):
        match chance.choice(("one", "one", "several", "back", "fail", "later", "at once", "pause", "night", "again")):
            case "one":
                cards.append(await _ask(house, [_amount(chance)], chance))
            case "several":
                cards.append(
                    await _ask(
                        house, [chance.choice(("9.99", "20.00", "33.40")) for _ in range(chance.randint(2, 5))], chance
                    )
                )
            case "back":
                cards.append(await _ask(house, ["-500.00"], chance))
            case "fail":
                house.provider.plans.append(fails(RefusedError("no")))
            case "later":
                house.provider.plans.append(fails(TryLaterError("later")))
            case "at once":
                fresh = [await _ask(house, [_amount(chance)], chance) for _ in range(3)]
                await asyncio.gather(*(_press(house, card, f"{number}-{step}") for card in fresh))
                await house.runner.settled()
            case "pause":
                await house.operator(chance.choice(("/pause", "/resume")))
            case "night":
                await house.later(hours=chance.choice((1, 12, 23)))
            case "again":
                for card in list(house.channel.cards)[-6:]:
                    if any(button.label == "Try again" for button in house.card(card).buttons):
                        await house.press("Try again", card)
        for card in cards[-3:]:
            if house.card(card).state == "pending" and chance.random() < 0.7:
                await house.press("Approve", card)
    await house.operator("/resume")
    for card in [*cards, *list(house.channel.cards)[-12:]]:
        for label in ("Approve", "Try again"):
            if any(button.label == label for button in house.card(card).buttons):
                await house.press(label, card)
    await house.later(minutes=1)


def _amount(chance: random.Random) -> str:
    return chance.choice(("0.01", "9.99", "20.00", "33.40", "59.99", "60.00", "60.01", "99.99", "100.00", "1000.00"))


async def _ask(house: BareHouse, amounts: list[str], chance: random.Random) -> str:
    client = chance.choice(("acme", "globex"))
    pay: Payment = house.agent.pays  # type: ignore[attr-defined]
    house.agent.next.append(tuple(pay(amount, client, chance) for amount in amounts))
    return f"{await house.operator('ask pay')}.1"


def _payment(amount: str, client: str, chance: random.Random) -> ActionCall:
    if chance.random() < 0.7:
        return ActionCall(name="paper.pay", client=client, args={"amount": f"{amount} EUR", "payee": client})
    args = {"amount": f"{amount} EUR", "to": [f"a@{client}.example"], "body": client}
    return ActionCall(name="paper.send", client=client, args=args)


def _through_stripe(amount: str, client: str, chance: random.Random) -> ActionCall:
    given = {"amount": f"{amount} EUR"}
    if chance.random() < 0.5:
        return ActionCall(name="stripe.refund", client=client, args={**given, "charge": client})
    args = {**given, "description": "x", "reference": client}
    return ActionCall(name="stripe.payment_link", client=client, args=args)


async def _press(house: BareHouse, card: str, event: str) -> str:
    handle, verb = house.button("Approve", card)
    return await house.runner.pressed(f"{event}-{card}", handle, verb, OPERATOR, PLACE)


def _judge(number: int, provider: DatedProvider, found: Found) -> None:
    """Any day that begins with a payment holds no more than the cap, together and for each client."""
    for start, _, _ in provider.at:
        inside = [
            (who, amount) for at, who, amount in provider.at if start <= at < start + timedelta(days=1) and amount > 0
        ]
        total = sum(amount for _, amount in inside)
        found.expect(total <= CAP, f"sequence {number}: {total} EUR in a day, at most {CAP}: {inside}")
        for client in {who for who, _ in inside}:
            mine = sum(amount for who, amount in inside if who == client)
            found.expect(
                mine <= CLIENT_CAP, f"sequence {number}: {mine} EUR in a day for {client}, at most {CLIENT_CAP}"
            )
    found.counts["payments"] += len(provider.at)


async def test_no_slicing_gets_over_a_limit(yard: Path) -> None:
    found = await torture(yard, 200, 19)
    assert not found.faults, found
    assert found.counts["payments"] > 200, found


def test_every_action_that_has_an_amount_calls_it_amount() -> None:
    """Limits count the argument of that name: an amount called otherwise would slip through."""
    for kind in connectors.discover().values():
        for action in kind.actions().values():
            for param in action.params:
                assert param.role is not Role.AMOUNT or param.name == "amount", f"{action.name} calls it {param.name}"

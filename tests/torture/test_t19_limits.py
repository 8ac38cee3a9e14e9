"""T19: limits, and salami: many small payments, several on one card, failures tried again, money that comes back,
presses at once, nights in between. What leaves in any span never exceeds the cap of that span. And over payees: one account
under many names, spellings and clients, accounts that change, lists, approvals in advance and rules that say "do". No
account gets more than its cap, and none its first payment without a press on a card that says NEW PAYEE.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import connectors
from bot import payees
from bot.deciding import verdicts
from bot.payees import NEW
from bot.policy import Limit, Policy, Rule
from bot.testing import OPERATOR, PLACE, PaperClock, PaperProvider, fails
from connectors.base import RefusedError, Role, TryLaterError
from connectors.stripe_payments import Stripe
from memory.events import ActionCall
from tests.torture.bare import BareHouse, Found, broken, without_queue
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

    def paid_as(self, start: str) -> list[str]:
        """Whom it paid under a name that begins so."""
        return [str(args["payee"]) for _, args in self.accepted if str(args.get("payee")).casefold().startswith(start)]


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` sequences of paper payments, and a quarter as many through Stripe's own declarations."""
    found = Found(seed)
    await _run(folder / "home", count, random.Random(seed), found, POLICY, _payment)
    await over_payees(folder / "payees", max(1, count // 8), random.Random(seed + 2), found)
    await _run(folder / "real", max(1, count // 4), random.Random(seed + 1), found, REAL, _through_stripe)
    return found


ACCOUNTS = ("DE89370400440532013000", "DE02120300000000202051", "GB29NWBK60161331926819", "FR1420041010050500013M02606")
NAMES = ("Hetzner GmbH", "HETZNER", "Wayne Ltd", "Wayne, Ltd.", "")
TO_PAYEES = Policy(
    rules=(Rule("paper.pay", "do", amount_max=Decimal(30), currency="EUR"),),
    limits=(Limit(CLIENT_CAP, "EUR", days=1, payee="*"), Limit(Decimal(10_000), "EUR", days=1)),
    delay=timedelta(0),
)


async def over_payees(home: Path, count: int, chance: random.Random, found: Found) -> None:
    """``count`` days of payments to few accounts under many names; the provider's ledger is the judge."""
    provider = DatedProvider()
    async with BareHouse(home, policy=TO_PAYEES, provider=provider) as house:
        provider.now = house.clock
        pressed: set[str] = set()  # accounts whose first payment somebody saw and pressed
        for day in range(count):
            provider.at.clear()
            accounts = [*ACCOUNTS, f"account {day}"]
            for _ in range(chance.randint(4, 8)):
                calls = tuple(_to(chance, accounts) for _ in range(chance.choice((1, 1, 1, 3))))
                house.agent.next.append(calls)
                task = await house.operator("ask pay")
                if f"{task}.1" in house.channel.cards:
                    await _at_the_card(house, f"{task}.1", calls, chance, pressed, found)
                if chance.random() < 0.2:
                    await house.operator("approve all")
                    if any(b.label.startswith("Approve th") for b in house.channel.said[-1].buttons):
                        await house.press_handle(house.channel.said[-1].buttons[0].handle, "say")
            if chance.random() < 0.1:
                await house.restart()
            await _judge_payees(day, provider, pressed, found)
            await house.later(days=2)
        found.faults += house.wrong()


def _to(chance: random.Random, accounts: list[str]) -> ActionCall:
    account = chance.choice(accounts)
    spelled = chance.choice(_spellings(account))
    name = chance.choice(NAMES)
    payee = f"{name} <{spelled}>" if name else spelled
    amount = chance.choice(("0.01", "9.99", "20.00", "30.00", "30.01", "59.99", "60.01"))
    client = chance.choice(("acme", "globex", ""))
    return ActionCall(name="paper.pay", client=client, args={"amount": f"{amount} EUR", "payee": payee})


def _spellings(account: str) -> tuple[str, ...]:
    if account.startswith("account"):
        return (account, account.upper())
    return (account, account.lower(), " ".join(re.findall(".{1,4}", account)), account.replace("0", "0-"))


def _plainly(payee: str) -> str:
    """The account as the judge reads it, on its own terms."""
    return re.sub(r"[^A-Z0-9]", "", payee.rpartition("<")[2].upper())


async def _at_the_card(
    house: BareHouse, card: str, calls: tuple[ActionCall, ...], chance: random.Random, pressed: set[str], found: Found
) -> None:
    shown = house.card(card)
    marked = {_plainly(row.value) for row in shown.rows if row.mark == NEW}
    receive = {_plainly(str(call.args["payee"])) for call in calls}
    found.expect(marked == receive - paid_to(house), f"{card}: marked {marked}, new {receive - paid_to(house)}")
    for call in calls:
        name, bracket, _ = str(call.args["payee"]).casefold().partition("<")
        name = name[:5] if bracket else ""
        old = {_plainly(text) for text in house.provider.paid_as(name)} if name else set()  # type: ignore[attr-defined]
        if old and _plainly(str(call.args["payee"])) in marked:
            told = " ".join(shown.warnings)
            found.expect("CHANGED ACCOUNT" in told, f"{card}: {name} was paid on {old} before, and nothing says so")
            found.counts["changed accounts"] += 1
    if chance.random() < 0.3:
        await house.operator(f"approve all like {card} for a week")
        found.expect(
            not marked or house.card(card).state == "pending", f"{card}: a first payment was granted in advance"
        )
    if house.card(card).state == "pending" and chance.random() < 0.8:
        before = len(house.provider.accepted)
        await house.press("Approve", card)
        if len(house.provider.accepted) > before:
            pressed |= marked


def paid_to(house: BareHouse) -> set[str]:
    """The accounts in the provider's ledger."""
    return {_plainly(str(args["payee"])) for _, args in house.provider.accepted}


async def _judge_payees(day: int, provider: DatedProvider, pressed: set[str], found: Found) -> None:
    sums: dict[str, Decimal] = {}
    for _, payee, amount in provider.at:
        sums[_plainly(payee)] = sums.get(_plainly(payee), Decimal(0)) + amount
    for account, total in sums.items():
        found.expect(total <= CLIENT_CAP, f"day {day}: {total} EUR to {account}, at most {CLIENT_CAP}")
        found.expect(account in pressed, f"day {day}: the first payment to {account} was silent")
    found.counts["payments to payees"] += len(provider.at)


async def _run(home: Path, count: int, chance: random.Random, found: Found, policy: Policy, pay: Payment) -> None:
    provider = DatedProvider()
    house = BareHouse(home, policy=policy, provider=provider, connectors={"stripe": stand_in(Stripe, provider)})
    house.agent.proposes = (*house.agent.proposes, *Stripe.actions())  # type: ignore[misc,assignment]
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
    assert found.counts["payments to payees"] > 60, found
    assert found.counts["changed accounts"] > 10, found


@pytest.mark.parametrize(
    ("where", "name", "twin", "words"),
    [
        (payees, "account", lambda text: text, "at most 60"),
        (verdicts, "new_payees", lambda calls, house: (), "was silent"),
        (verdicts, "doubts", lambda calls, house: (), "nothing says so"),
    ],
    ids=["spellings are apart", "nobody is new", "changes are not told"],
)
async def test_t19_sees_a_house_that_takes_payees_lightly(
    yard: Path, where: object, name: str, twin: Callable[..., Any], words: str
) -> None:
    found = Found(19)
    with broken(where, name, twin):
        await over_payees(yard / "home", 12, random.Random(19), found)
    assert any(words in fault for fault in found.faults), found


def test_every_action_that_has_an_amount_calls_it_amount() -> None:
    """Limits count the argument of that name: an amount called otherwise would slip through."""
    for kind in connectors.discover().values():
        for action in kind.actions().values():
            for param in action.params:
                assert param.role is not Role.AMOUNT or param.name == "amount", f"{action.name} calls it {param.name}"

"""Who receives money: the account counts, a first payment is never silent, a changed account shows the old one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot import payees
from bot.approvals import Person
from bot.payees import NEW, Payee, read
from bot.policy import Limit, NewPayee, Policy, Rule, judge, limits_for
from bot.testing import OPERATOR, PaperService, fails
from connectors.base import Param, RefusedError, Role
from connectors.mcp_servers import read_servers
from memory.events import ActionCall, Actor
from tests.torture.bare import BareHouse, no_delay

ONE, OTHER, THIRD = "DE89370400440532013000", "DE02120300000000202051", "GB29NWBK60161331926819"
PAY = PaperService.actions()["paper.pay"]
DO = Rule("paper.pay", "do")


def pay(payee: str, amount: str = "10.00 EUR", client: str = "acme") -> ActionCall:
    return ActionCall(name="paper.pay", args={"payee": payee, "amount": amount}, client=client)


async def ask(house: BareHouse, *calls: ActionCall) -> str:
    house.agent.next.append(calls)
    return f"{await house.operator('ask pay')}.1"


def to(house: BareHouse, account: str) -> int:
    """How often the provider paid an account."""
    return sum(read(str(args.get("payee"))).account == account for _, args in house.provider.accepted)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "payee"),
    [
        ("Hetzner GmbH <DE89 3704 0044 0532 0130 00>", Payee("Hetzner GmbH", ONE)),
        ("Hetzner GmbH <de89-3704.0044\u00a00532 0130 00>", Payee("Hetzner GmbH", ONE)),
        ("\uff24\uff2589370400440532013000", Payee("", ONE)),
        ("DE89\u200b370400440532013000", Payee("", ONE)),
        ("  Acct   No. 7 ", Payee("", "acct no. 7")),
        ("acme", Payee("", "acme")),
        ("<>", Payee("", "")),
    ],
)
def test_two_spellings_of_an_account_are_one_payee(text: str, payee: Payee) -> None:
    assert read(text) == payee
    assert read(payee.words) == payee


def test_a_name_is_compared_without_legal_form_case_and_signs() -> None:
    same = ("Hetzner Online GmbH", "HETZNER-ONLINE gmbh", "Hetzner  Online", "hetzner online, Ltd.")
    assert {payees.called(name) for name in same} == {"hetzner online"}
    assert payees.called("Hetzner Cloud") != payees.called("Hetzner Online")
    assert payees.called("SE") == "se", "a name that is nothing but a legal form is still a name"
    assert payees.called("B.V. Oost") == "oost"


def test_check_digits_of_an_iban_are_looked_at() -> None:
    assert not payees.is_wrong_iban(ONE)
    assert payees.is_wrong_iban("DE88 3704 0044 0532 0130 00")
    assert not payees.is_wrong_iban("account 7"), "what is no IBAN is not judged"


def test_who_receives_money_by_a_call() -> None:
    assert payees.of(pay("Hetzner <x1>"), PAY) == (Payee("Hetzner", "x1"),)
    refund = ActionCall(name="stripe.refund", args={"charge": "ch_9", "amount": "1.00 EUR"}, client="acme")
    assert payees.of(refund, PAY) == (Payee("", "client acme"),), "a refund goes to the client"
    nobody = ActionCall(name="paper.pay", args={"payee": "", "amount": "1.00 EUR"})
    assert payees.of(nobody, PAY) == (Payee("", "paper.pay"),), "and without one to whoever the action pays"
    assert payees.of(ActionCall(name="paper.send", args={}), PaperService.actions()["paper.send"]) == ()


def test_a_name_beside_the_account_belongs_to_it_and_cannot_write_one() -> None:
    roles = (("iban", Role.PAYEE), ("name", Role.PAYEE_NAME), ("amount", Role.AMOUNT))
    action = replace(PAY, params=tuple(Param(name, role, required=True, doc="") for name, role in roles))
    call = ActionCall(name="mcp.bank.pay", args={"iban": ONE, "name": f"Acme <{OTHER}>", "amount": "1.00 EUR"})
    assert payees.of(call, action) == (Payee(f"Acme {OTHER}", ONE),)


def test_a_tool_of_an_mcp_server_says_in_its_roles_who_is_paid(tmp_path: Path) -> None:
    roles = 'roles = { iban = "payee", name = "payee_name", amount = "amount" }'
    text = f'[mcp.bank]\nurl = "http://127.0.0.1:1"\n[mcp.bank.tools]\npay = {{ risk = "money", {roles} }}\n'
    (tmp_path / "connectors.toml").write_text(text)
    declared = read_servers(tmp_path / "connectors.toml")["bank"].tools["pay"]
    assert declared is not None
    params = tuple(Param(name, role, required=True, doc="") for name, role in declared.roles.items())
    action = replace(PAY, name="mcp.bank.pay", params=params)
    call = ActionCall(name="mcp.bank.pay", args={"iban": ONE, "name": "Hetzner", "amount": "1.00 EUR"})
    assert payees.of(call, action) == (Payee("Hetzner", ONE),)


# ── the rule ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_rule_lets_a_first_payment_go() -> None:
    new = (Payee("Hetzner", ONE),)
    assert judge(pay("x"), PAY, Policy(rules=(DO,))).ruling == "do"
    asked = judge(pay("x"), PAY, Policy(rules=(DO,)), new_payees=new)
    assert (asked.ruling, asked.rule.partition(":")[0]) == ("ask", NEW)
    assert judge(pay("x"), PAY, Policy(new_payee="never"), new_payees=new).ruling == "refuse"
    assert judge(pay("x"), PAY, Policy(rules=(Rule("*", "shadow"),)), new_payees=new).ruling == "shadow"
    assert judge(pay("x"), PAY, Policy(rules=(Rule("*", "refuse", note="mine"),)), new_payees=new).rule.endswith(
        "(mine)"
    )


async def test_the_first_payment_asks_and_the_second_does_not(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(rules=(DO,))) as house:
        card = await ask(house, pay(f"Hetzner GmbH <{ONE}>"))
        row = next(row for row in house.card(card).rows if row.role is Role.PAYEE)
        assert (row.label, row.mark, row.vital) == ("Pay to", NEW, True)
        assert to(house, ONE) == 0
        assert await house.press("Approve", card) == "Approved."
        await ask(house, pay(f"HETZNER <{payees.grouped(ONE)}>"))
        assert to(house, ONE) == 2, "paid before, so the rule holds"
        await house.restart()
        await ask(house, pay(ONE))
        assert to(house, ONE) == 3
        assert house.wrong() == []


async def test_a_payment_that_failed_makes_nobody_known(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(rules=(DO,))) as house:
        house.provider.plans.append(fails(RefusedError("no such account")))
        await house.press("Approve", await ask(house, pay(ONE)))
        card = await ask(house, pay(ONE))
        assert any(row.mark == NEW for row in house.card(card).rows)
        assert to(house, ONE) == 0


async def test_a_known_name_with_another_account_is_new_and_shows_the_old_one(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(rules=(DO,))) as house:
        await house.press("Approve", await ask(house, pay(f"Hetzner GmbH <{ONE}>")))
        card = house.card(await ask(house, pay(f"Hetzner <{OTHER}>")))
        (warning,) = card.warnings
        assert warning.startswith("CHANGED ACCOUNT: Hetzner is to be paid to DE02 1203 0000 0000 2020 51")
        assert "until now money went to Hetzner GmbH <DE89 3704 0044 0532 0130 00>" in warning
        assert any(row.mark == NEW for row in card.rows)
        # Once it was paid there, both are known: the old one is no longer held against it.
        await house.press("Approve", card.id)
        await ask(house, pay(f"Hetzner <{OTHER}>"))
        assert to(house, OTHER) == 2
        other = house.card(await ask(house, pay(f"Wayne <{THIRD}>"), pay(f"Wayne <{ONE}>")))
        assert other.warnings == (
            "The account DE89 3704 0044 0532 0130 00 was paid before as Hetzner GmbH <DE89 3704 0044 0532 0130 00>.",
        )


async def test_a_wrong_iban_becomes_a_sentence_and_no_card(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        await ask(house, pay("Hetzner <DE88 3704 0044 0532 0130 00>"))
        house.expects("is no IBAN: its check digits do not fit")
        await ask(house, ActionCall(name="paper.pay", args={"payee": ONE, "amount": ""}, client="acme"))
        house.expects("without an amount")
        assert not house.channel.cards


async def test_nobody_new_is_granted_in_advance_or_approved_in_a_list(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        new, plain = await ask(house, pay(ONE)), f"{await house.operator('ask post body=x')}.1"
        assert all(button.verb != "like" for button in house.card(new).buttons)
        assert "for the first time" in await house.press_handle(house.button("Approve", new)[0], "like")
        await house.operator(f"approve all like {new} for a week")
        assert "for the first time" in house.channel.words[-1]
        await house.operator("approve all")
        assert f"pay somebody for the first time; press each by itself: {new}" in house.channel.words[-1]
        await house.press("Approve this one")
        assert (house.card(plain).state, house.card(new).state) == ("approved", "pending")
        # A list that somebody writes by hand names its fingerprint, and is refused all the same.
        opened = house.runner.state_now(int(new.partition(".")[0])).cards[new].opened
        await house.operator(f"approve {new}@{opened.fingerprint[:16]}")
        assert "on its own card and in no list" in house.channel.words[-1]
        assert to(house, ONE) == 0
        await house.press("Approve", new)
        assert to(house, ONE) == 1


@pytest.mark.parametrize(("new", "second"), [("ask", False), ("second_channel", True)])
async def test_a_first_payment_may_need_a_second_channel(tmp_path: Path, new: NewPayee, *, second: bool) -> None:
    phone = Actor(platform="telegram", user="7", account="bot")
    people = (Person("web", "operator"), Person("telegram", "7"))
    async with BareHouse(tmp_path / "home", policy=no_delay(new_payee=new), people=people) as house:
        card = await ask(house, pay(ONE))
        if second:
            for _ in range(2):
                assert "A first payment needs a second yes" in await house.press("Approve", card, actor=OPERATOR)
        assert await house.press("Approve", card, actor=phone if second else OPERATOR) == "Approved."
        assert to(house, ONE) == 1
        await house.press("Approve", await ask(house, pay(ONE)))
        assert to(house, ONE) == 2, "who was paid before needs one alone"


async def test_never_takes_it_away(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(new_payee="never")) as house:
        await ask(house, pay(ONE))
        house.expects("I will not do this: policy.toml: [payees] new")
        assert not house.channel.cards


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────

EACH = Limit(Decimal(50), "EUR", payee="*")


@pytest.mark.parametrize(
    ("limit", "payee", "counts"),
    [
        (EACH, Payee("", ONE), True),
        (Limit(Decimal(1), "EUR", payee=ONE), Payee("x", ONE), True),
        (Limit(Decimal(1), "EUR", payee=ONE), Payee("x", OTHER), False),
        (Limit(Decimal(1), "EUR", payee="hetzner"), Payee("Hetzner GmbH", OTHER), True),
        (Limit(Decimal(1), "EUR", payee="hetzner"), Payee("", OTHER), False),
    ],
)
def test_a_limit_counts_by_payee(limit: Limit, payee: Payee, *, counts: bool) -> None:
    assert bool(limits_for(pay("x"), Policy(limits=(limit,)), (payee,))) is counts
    assert limits_for(pay("x"), Policy(limits=(limit,))) == [], "who receives nothing counts for nothing"


async def test_one_account_is_one_payee_whatever_client_and_spelling(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(limits=(EACH,))) as house:
        first = await ask(house, pay(f"Hetzner <{ONE}>", "30.00 EUR", "acme"))
        second = await ask(house, pay(f"Wayne <{payees.grouped(ONE).lower()}>", "20.01 EUR", "globex"))
        other = await ask(house, pay(OTHER, "50.00 EUR", "acme"))
        together = await ask(house, pay(THIRD, "25.00 EUR"), pay(THIRD, "25.01 EUR", "globex"))
        assert await house.press("Approve", first) == "Approved."
        assert "at most 50 EUR in 1 day per payee: 30.00 EUR is already" in await house.press("Approve", second)
        assert await house.press("Approve", other) == "Approved."
        assert "per payee: 25.00 EUR is already" in await house.press("Approve", together)
        await house.later(days=1, minutes=1)
        assert await house.press("Approve", second) == "Approved."


async def test_a_limit_for_one_name_counts_each_of_its_accounts(tmp_path: Path) -> None:
    limit = Limit(Decimal(50), "EUR", days=7, payee="hetzner")
    async with BareHouse(tmp_path / "home", policy=no_delay(limits=(limit,))) as house:
        assert await house.press("Approve", await ask(house, pay(f"Hetzner GmbH <{ONE}>", "30.00 EUR"))) == "Approved."
        card = await ask(house, pay(f"Hetzner <{OTHER}>", "30.00 EUR"))
        assert "in 7 days to hetzner" in await house.press("Approve", card)
        assert await house.press("Approve", await ask(house, pay(f"Wayne <{OTHER}>", "30.00 EUR"))) == "Approved."

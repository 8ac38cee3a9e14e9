"""Approval in advance: scoped, listed, counted, revocable, and never wider than the card it was given on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from bot import books, grants
from bot.approvals import Person
from bot.policy import Limit, Policy, judge
from bot.testing import OPERATOR, PaperHouse
from memory.events import ActionCall, Actor, Granted, GrantUsed, Origin

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

POST = "ask post to=billing@acme.example client=acme body=Hello"
PAY = "ask pay to=acme client=acme amount=40.00 EUR"


def sent(house: PaperHouse) -> int:
    return len(house.provider.accepted)


async def paid_once(house: PaperHouse) -> None:
    """Make the payee somebody who was paid before: a first payment is never granted in advance."""
    await house.operator(PAY)
    await house.press("Approve")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("approve all like 12.1", ("12.1", 0)),
        ("approve all like 12.1 for a week", ("12.1", 7)),
        ("/approve everything like #12 for 3 days", ("12", 3)),
        ("approve all like 12.1 for two weeks.", ("12.1", 14)),
        ("approve all like 12.1 for 900 days", ("12.1", 90)),
        ("approve all", None),
        ("approve 12.1", None),
        ("please approve all like 12.1 and pay", None),
    ],
)
def test_the_words_are_exact(text: str, expected: tuple[str, int] | None) -> None:
    assert grants.like(text) == expected


async def test_what_is_like_it_is_done_and_counted_until_it_is_revoked(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} for a week")
    house.expects("revoke 2.1 ends it")
    assert sent(house) == 1
    await house.operator(POST)
    await house.operator(POST)
    assert sent(house) == 3
    assert len(house.channel.cards) == 1
    used = [line for line in house.machine.log.lines(0) if isinstance(line.event, GrantUsed)]
    assert [line.event.grant for line in used] == ["2.1.g1", "2.1.g1"]
    await house.operator("/grants")
    house.expects("2.1.g1: paper.post for acme, 2 of 20 used")
    await house.restart()
    await house.operator("revoke 2.1.g1")
    await house.operator(POST)
    assert house.card().state == "pending"
    assert sent(house) == 3


async def test_another_client_a_new_recipient_and_another_action_still_ask(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} for a week")
    for text in (
        POST.replace("client=acme", "client=globex"),
        POST.replace("billing@acme", "new@nobody"),
        POST.replace("post", "book"),
        POST.replace(" client=acme", ""),
    ):
        await house.operator(text)
        assert house.card().state == "pending"
    assert sent(house) == 1


@pytest.mark.parametrize(("asked", "told"), [("for 1 day", "for 1 day"), ("for 2 days", "for 2 days")])
async def test_the_card_says_for_how_long_its_like_is_approved(house: PaperHouse, asked: str, told: str) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} {asked}")
    assert f"(and all like it {told})" in house.card().outcome


async def test_a_grant_runs_out(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} for 2 days")
    await house.later(days=2)
    await house.operator(POST)
    assert house.card().state == "pending"


async def test_its_uses_run_out(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} for a week")
    for _ in range(grants.USES_MAX):
        await house.operator(POST)
    assert sent(house) == 1 + grants.USES_MAX
    await house.operator(POST)
    assert sent(house) == 1 + grants.USES_MAX
    assert house.card().state == "pending"


async def test_it_covers_no_larger_amount_and_every_limit_counts_it(tmp_path: Path) -> None:
    policy = Policy(limits=(Limit(Decimal(100), "EUR", days=1, action="paper"),))
    async with PaperHouse(tmp_path / "home", policy=policy) as house:
        await paid_once(house)
        await house.later(days=2)
        await house.operator(PAY)
        await house.operator(f"approve all like {house.card().id} for a week")
        await house.operator(PAY)
        assert sent(house) == 3
        await house.operator(PAY)
        assert sent(house) == 3, "120.00 would break the limit of 100.00"
        assert house.card().state == "pending"
        await house.later(days=2)
        await house.operator(PAY.replace("40.00", "41.00"))
        assert sent(house) == 3, "one more than the card said"


async def test_a_delegate_gives_no_grants_and_ends_none(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",), amount_max="500.00 EUR")
    actor = Actor(platform="web", user="anna", account="local")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await house.operator(POST)
        await house.operator(f"approve all like {house.card().id} for a week", actor=actor)
        assert house.card().state == "pending"
        await house.operator(f"approve all like {house.card().id} for a week")
        await house.operator("revoke all", actor=actor)
        house.expects("Only the operator ends a grant.")
        await house.operator(POST)
        assert sent(house) == 2


async def test_a_card_for_nobody_has_nothing_like_it(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.operator(f"approve all like {house.card().id} for a week")
    house.expects("no telling what is like it")
    assert house.card().state == "pending"


# ── the button ────────────────────────────────────────────────────────────────────────────────────────────────────

LIKE = "Approve all like this"


def labels(house: PaperHouse) -> list[str]:
    return [button.label for button in house.card().buttons]


async def test_the_button_asks_what_it_would_cover_and_approves_nothing_by_itself(house: PaperHouse) -> None:
    await paid_once(house)
    await house.operator(PAY)
    reply = await house.press(LIKE)
    assert reply == "Nothing is approved yet: choose for how long."
    house.expects("- pay it for Acme GmbH, up to 40.00 EUR")
    assert (house.card().state, sent(house)) == ("pending", 1)
    await house.operator("/grants")
    house.expects("No grants are in force.")
    days = next(b for m in reversed(house.channel.said) for b in m.buttons if b.label.startswith("For 7 days, until"))
    await house.press_handle(days.handle, days.verb)
    assert (house.card().state, sent(house)) == ("approved", 2)
    await house.operator(PAY)
    assert sent(house) == 3
    await house.operator("/grants")
    await house.press("End 3.1")
    house.expects("Ended: 3.1.g1. What it covered asks again.")
    await house.operator(PAY)
    assert (house.card().state, sent(house)) == ("pending", 3)


async def test_only_this_one_is_a_choice_and_gives_no_grant(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.press(LIKE)
    await house.press("Only this one")
    assert sent(house) == 1
    await house.operator(POST)
    assert house.card().state == "pending"


async def test_a_choice_counts_only_for_the_draft_it_was_asked_about(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.press(LIKE)
    await house.press("Edit", edits={"0.body": "Hello again"})
    week = next(b for m in reversed(house.channel.said) for b in m.buttons if b.label.startswith("For 7 days"))
    await house.press_handle(week.handle, week.verb)
    house.expects("This card has changed since it was listed. Nothing was done.")
    assert (house.card().state, sent(house)) == ("pending", 0)


async def test_the_button_is_on_no_card_that_has_nothing_like_it(house: PaperHouse) -> None:
    await house.operator(POST)
    assert LIKE in labels(house)
    await house.operator("ask post to=anna@acme.example body=Hello")
    assert LIKE not in labels(house), "for no client"
    await house.operator(POST.replace("billing@acme", "new@nobody"))
    assert LIKE not in labels(house), "to somebody new"


async def test_a_delegate_is_told_that_it_is_not_theirs(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",), amount_max="500.00 EUR")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await house.operator(POST)
        reply = await house.press(LIKE, actor=Actor(platform="web", user="anna", account="local"))
        assert reply == "Only the operator approves in advance."


async def test_a_yes_to_invoice_and_mail_is_no_yes_to_every_mail(house: PaperHouse) -> None:
    await house.operator("invoice Acme 100 for hosting, net 14")
    await house.operator(f"approve all like {house.card().id} for a week")
    await house.later(seconds=20)
    assert len(house.outbox()) == 1
    await house.operator("invoice Acme 90 for hosting, net 14")
    house.expects("send an e-mail for Acme GmbH, 107.10 EUR, unless you take it back by")
    await house.later(seconds=20)
    assert len(house.outbox()) == 2, "the same two actions together"
    await house.operator("email Acme: shall we meet on Friday?")
    assert (house.card().state, house.card().title) == ("pending", "Send an e-mail")
    await house.later(seconds=20)
    assert len(house.outbox()) == 2


def test_a_grant_for_an_invoice_is_none_for_a_credit_note_and_none_for_a_part() -> None:
    given = Granted(
        grant="1.1.g1", action="books.issue", client="acme", amount_max="100.00 EUR", expires_at=NOW, by=OPERATOR,
        together=("books.issue", "mail.send"), kind="invoice",
    )  # fmt: skip
    action = books.ACTIONS["books.issue"]

    def ruling(kind: str, *together: str) -> str:
        call = ActionCall(name="books.issue", args={"amount": "50.00 EUR", "kind": kind}, client="acme")
        return judge(call, action, Policy(), grants={given.grant: given}, together=together).ruling

    assert ruling("invoice", "mail.send", "books.issue") == "do"
    assert ruling("credit note", "mail.send", "books.issue") == "ask"
    assert ruling("invoice", "books.issue") == "ask"
    old = msgspec.structs.replace(given, together=(), kind="")
    call = ActionCall(name="books.issue", args={"amount": "50.00 EUR", "kind": "invoice"}, client="acme")
    assert judge(call, action, Policy(), grants={"g": old}, together=["books.issue"]).ruling == "do", "an older line"

"""Approval in advance: scoped, listed, counted, revocable, and never wider than the card it was given on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bot import grants
from bot.approvals import Person
from bot.policy import Limit, Policy
from bot.testing import PaperHouse
from memory.events import Actor, GrantUsed, Origin

POST = "ask post to=billing@acme.example client=acme body=Hello"
PAY = "ask pay to=acme client=acme amount=40.00 EUR"


def sent(house: PaperHouse) -> int:
    return len(house.provider.accepted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("approve all like 12.1", ("12.1", 7)),
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
    house.expects("revoke 2.1.g1 ends it")
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
    await house.operator(f"approve all like {house.card().id}")
    for text in (
        POST.replace("client=acme", "client=globex"),
        POST.replace("billing@acme", "new@nobody"),
        POST.replace("post", "book"),
        POST.replace(" client=acme", ""),
    ):
        await house.operator(text)
        assert house.card().state == "pending"
    assert sent(house) == 1


async def test_a_grant_runs_out(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id} for 2 days")
    await house.later(days=2)
    await house.operator(POST)
    assert house.card().state == "pending"


async def test_its_uses_run_out(house: PaperHouse) -> None:
    await house.operator(POST)
    await house.operator(f"approve all like {house.card().id}")
    for _ in range(grants.USES_MAX):
        await house.operator(POST)
    assert sent(house) == 1 + grants.USES_MAX
    await house.operator(POST)
    assert sent(house) == 1 + grants.USES_MAX
    assert house.card().state == "pending"


async def test_it_covers_no_larger_amount_and_every_limit_counts_it(tmp_path: Path) -> None:
    policy = Policy(limits=(Limit(Decimal(100), "EUR", days=1, action="paper"),))
    async with PaperHouse(tmp_path / "home", policy=policy) as house:
        await house.operator(PAY)
        await house.operator(f"approve all like {house.card().id}")
        await house.operator(PAY)
        assert sent(house) == 2
        await house.operator(PAY)
        assert sent(house) == 2, "120.00 would break the limit of 100.00"
        assert house.card().state == "pending"
        await house.later(days=2)
        await house.operator(PAY.replace("40.00", "41.00"))
        assert sent(house) == 2, "one more than the card said"


async def test_a_delegate_gives_no_grants_and_ends_none(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",), amount_max="500.00 EUR")
    actor = Actor(platform="web", user="anna", account="local")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await house.operator(POST)
        await house.operator(f"approve all like {house.card().id}", actor=actor)
        assert house.card().state == "pending"
        await house.operator(f"approve all like {house.card().id}")
        await house.operator("revoke all", actor=actor)
        house.expects("Only the operator ends a grant.")
        await house.operator(POST)
        assert sent(house) == 2


async def test_a_card_for_nobody_has_nothing_like_it(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.operator(f"approve all like {house.card().id}")
    house.expects("no telling what is like it")
    assert house.card().state == "pending"

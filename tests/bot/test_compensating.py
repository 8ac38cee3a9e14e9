"""What was done outside is taken back the way its connector declares it: on a card, with a receipt, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.chronicle import replayed
from bot.policy import Policy, Rule
from bot.testing import PaperHouse, PaperProvider, PaperService, fails
from connectors.base import (
    Amount,
    Body,
    EffectClass,
    Json,
    Receipt,
    Recipients,
    Reference,
    RefusedError,
    Risk,
    action,
)
from memory.replay import compare

BOOK = "ask book to=billing@acme.example client=acme body=Hello"


def _unbook(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    return "paper.unbook", {"booking": receipt.ref, "to": arguments["to"]}


class Bookings(PaperService):
    """The paper service, whose bookings can be taken back."""

    @action(Risk.OUTSIDE, EffectClass.RECONCILABLE, says="book it", no_return="at once", find="find", undo=_unbook)
    async def book(self, to: Recipients, body: Body, amount: Amount = "", key: str = "") -> Receipt:
        """Book."""
        return self.provider.accept(key, {"to": to, "body": body, "amount": amount}, once=False)

    @action(Risk.OUTSIDE, EffectClass.KEYED, says="cancel the booking", no_return="at once")
    async def unbook(self, booking: Reference, to: Recipients, key: str = "") -> Receipt:
        """Cancel."""
        return self.provider.accept(key, {"booking": booking, "to": to}, once=True)


@pytest.fixture
async def booked(tmp_path: Path) -> AsyncIterator[PaperHouse]:
    provider = PaperProvider()
    async with PaperHouse(tmp_path / "home", provider=provider, connectors={"paper": Bookings(provider)}) as house:
        await house.operator(BOOK)
        await house.press("Approve")
        yield house


def statuses(house: PaperHouse) -> dict[str, str]:
    return {key: effect.status for key, effect in house.runner.state_now(2).effects.items()}


async def test_undo_asks_with_a_card_and_the_receipt_takes_it_back(booked: PaperHouse) -> None:
    await booked.operator("undo")
    booked.expects("The card asks what would take it back. Nothing was done yet.")
    card = booked.card()
    assert card.title == "Take back: cancel the booking"
    assert {row.label: row.value for row in card.rows}["Booking"] == "p1"
    assert [button.label for button in card.buttons] == ["Approve", "Reject", "Snooze"]
    assert statuses(booked) == {"2.1.1": "confirmed"}
    await booked.restart()
    assert await booked.press("Approve", card.id) == "Approved."
    assert statuses(booked) == {"2.1.1": "compensated", "2.2.1": "confirmed"}
    assert booked.provider.accepted[-1][1] == {"booking": "p1", "to": ["billing@acme.example"]}
    assert booked.runner.state_now(2).status == "done"
    assert [str(each) for each in compare(booked.machine.database, booked.machine.log, replayed)] == []
    await booked.operator("undo")
    booked.expects("There is nothing to take back.")


async def test_the_receipt_has_a_button_for_it(booked: PaperHouse) -> None:
    assert await booked.press("Undo") == "The card asks what would take it back. Nothing was done yet."
    await booked.press("Approve", "2.2")
    assert statuses(booked)["2.1.1"] == "compensated"
    assert await booked.press("Undo") == "There is nothing left to take back."
    assert len(booked.provider.accepted) == 2


async def test_a_way_back_that_was_rejected_leaves_all_as_it_was(booked: PaperHouse) -> None:
    await booked.operator("undo")
    await booked.operator("undo")
    booked.expects("Card 2.2 asks that already.")
    await booked.press("Reject", "2.2")
    assert statuses(booked) == {"2.1.1": "confirmed"}
    assert booked.runner.state_now(2).status == "done"
    assert len(booked.provider.accepted) == 1


async def test_a_way_back_that_fails_is_stuck_and_nothing_counts_as_taken_back(booked: PaperHouse) -> None:
    await booked.operator("undo")
    booked.provider.plans.append(fails(RefusedError("The booking is too near.")))
    await booked.press("Approve", "2.2")
    assert statuses(booked) == {"2.1.1": "confirmed", "2.2.1": "failed"}
    assert booked.card().kind == "stuck"
    await booked.press("Try again")
    assert statuses(booked)["2.1.1"] == "compensated"


async def test_it_cannot_be_edited_and_gives_no_grant(booked: PaperHouse) -> None:
    await booked.operator("undo")
    handle, _ = booked.button("Approve", "2.2")
    for verb in ("edit", "like"):
        assert "approve it, or reject it" in await booked.press_handle(handle, verb, edits={"to": "x@y.example"})
    assert booked.card("2.2").revision == 1


async def test_what_policy_never_lets_through_takes_nothing_back(tmp_path: Path) -> None:
    provider = PaperProvider()
    policy = Policy(rules=(Rule("paper.unbook", "refuse"),))
    bookings = {"paper": Bookings(provider)}
    async with PaperHouse(tmp_path / "home", provider=provider, connectors=bookings, policy=policy) as house:
        await house.operator(BOOK)
        await house.press("Approve")
        await house.operator("undo")
        house.expects("I will not take this back: policy.toml: never paper.unbook.")
        assert len(provider.accepted) == 1


async def test_what_declares_no_way_back_says_so(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        await house.operator("ask post to=billing@acme.example client=acme body=Hello")
        await house.press("Approve")
        await house.operator("undo")
        house.expects("This cannot be taken back any more (post it).")

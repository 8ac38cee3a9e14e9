"""Which buttons a card has, by how it stands: a card that is over has none but Undo, a rehearsal none that executes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.policy import Policy, Rule
from tests.torture.bare import BareHouse


def labels(house: BareHouse, card: str = "") -> list[str]:
    return [button.label for button in house.card(card).buttons]


@pytest.fixture
def waits() -> Policy:
    """Everything asks, and there is a window in which it can be taken back."""
    return Policy(delay=timedelta(seconds=10))


async def test_a_settled_card_has_no_button(tmp_path: Path, waits: Policy) -> None:
    async with BareHouse(tmp_path / "home", policy=waits) as house:
        await house.operator("ask post body=x")
        assert {"Approve", "Edit", "Reject", "Snooze"} <= set(labels(house))
        await house.press("Reject")
        assert labels(house) == []


async def test_an_approved_card_can_be_undone_until_its_window_is_over(tmp_path: Path, waits: Policy) -> None:
    async with BareHouse(tmp_path / "home", policy=waits) as house:
        await house.operator("ask send body=x")
        await house.press("Approve")
        assert labels(house) == ["Undo"]
        assert house.card().buttons[0].until == house.clock.at + timedelta(seconds=10)
        await house.later(seconds=11)
        assert "Undo" not in labels(house)
        assert house.done("x") == 1


async def test_a_rehearsal_has_no_button_that_does_it(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=Policy(rules=(Rule("*", "shadow"),))) as house:
        await house.operator("ask post body=x")
        assert not {"Approve", "Edit", "Undo", "Send again"} & set(labels(house))
        assert house.done("x") == 0


async def test_a_card_says_why_in_the_agents_words_where_it_says_nothing_else(tmp_path: Path, waits: Policy) -> None:
    async with BareHouse(tmp_path / "home", policy=waits) as house:
        await house.operator("ask post body=x")
        assert house.card().note == "You asked."

"""The table of buttons, where it says no: a press that fits nothing does nothing and says so."""

from __future__ import annotations

from pathlib import Path

from bot.approvals import handle
from tests.torture.bare import BareHouse, no_delay


async def test_a_card_that_never_was_is_told_so_and_nothing_breaks(tmp_path: Path) -> None:
    """Its button can only come from a house before a restore; the task is there, the card is not."""
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        task = await house.operator("ask send body=x")
        secret = house.runner._staff.secret
        for verb in ("approve", "reject", "undo"):
            assert await house.press_handle(handle(secret, f"{task}.9", 1), verb) == f"There is no card {task}.9."
        assert house.done("x") == 0
        await house.press("Approve", f"{task}.1")
        assert house.done("x") == 1


async def test_a_card_that_asked_what_became_of_it_is_told_as_answered(tmp_path: Path) -> None:
    """Nobody approved anything there: the words of its end say what was done with it."""
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        await house.operator("ask send body=x")
        house.provider.after.append(_broken)
        await house.press("Approve")
        (asking,) = house.machine.history.waiting()
        assert asking.kind == "unknown"
        await house.press("It arrived", asking.id)
        assert house.card(asking.id).outcome.startswith("Answered by you on web")
        await house.operator("ask send body=y")
        await house.press("Approve")
        assert house.card().outcome.startswith("Approved by you on web")


def _broken() -> None:
    raise RuntimeError("the line broke after it was done")

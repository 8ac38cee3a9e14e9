"""Words that are clear at a glance are understood in the commit that takes them in; everything else is read as before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.testing import OPERATOR, PLACE, PaperHouse
from memory.events import MessageReceived, Understood


def glance(house: PaperHouse, text: str) -> Understood | None:
    look: Callable[..., Understood | None] | None = house.runner._staff.glance
    assert look is not None
    return look(MessageReceived(text=text, actor=OPERATOR, place=PLACE), house.clock())


async def test_what_is_clear_at_a_glance_is_understood_when_heard_returns(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        task = int(await house.runner.heard("1", "/stuck", OPERATOR, PLACE))
        understood = house.runner.state_now(task).understood
        assert understood is not None
        assert (understood.intent, understood.tier) == ("stuck", "command")
        again = int(await house.runner.heard("1", "/stuck", OPERATOR, PLACE))
        await house.runner.settled()
        assert again == task
        house.expects("Nothing is stuck.")
        assert len(house.channel.said) == 1


async def test_without_the_glance_it_is_only_written_down_by_then_twin(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        house.runner._staff.glance = None
        task = int(await house.runner.heard("1", "/stuck", OPERATOR, PLACE))
        assert house.runner.state_now(task).understood is None
        await house.runner.settled()
        house.expects("Nothing is stuck.")


async def test_what_leans_on_something_or_may_mean_several_things_takes_more_than_a_glance(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        assert glance(house, "no, I meant the invoice") is None
        assert glance(house, "could you maybe look after the thing with the papers") is None
        assert glance(house, "don't pause anything") is None
        await house.operator("invoice Acme 1,200 for the March retainer, net 14")
        assert glance(house, "make it 1,500 instead") is None
        assert glance(house, "what's unpaid?") is not None
        await house.operator("plan: research the market, then invoice Acme 300 for it")
        assert glance(house, "skip step 1") is None, "it might answer what waits"


async def test_a_glance_that_breaks_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken on purpose")

    async with PaperHouse(tmp_path / "home") as house:
        house.runner._staff.glance = broken
        with caplog.at_level(logging.ERROR):
            await house.operator("/stuck")
        house.expects("Nothing is stuck.")
    assert "read again when it is on disk" in caplog.text

"""The morning letter says what needs a look; week and month are looked back on, each once; idling costs nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.digest import Day, Span, compose, review
from bot.testing import PaperHouse
from memory.events import HourStruck
from tests.counterparts.models import ModelServer
from tests.stories.company import model_calls, node


def letters(house: PaperHouse, first: str) -> list[str]:
    return [text for text in house.channel.words if text.startswith(first)]


async def test_an_overdue_invoice_stands_in_the_letter_with_its_button(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    await house.press("Approve")
    await house.later(seconds=11)
    await house.later(days=20)
    (letter,) = [
        message
        for message in house.channel.said
        if message.kind == "digest" and "Done" in message.text and "Waiting" in message.text
    ]
    assert "Needs a look" in letter.text
    (picture,) = letter.files
    assert house.runner.file(picture).startswith(b"\x89PNG")
    assert "2026-0001 of Acme GmbH is" in letter.text
    assert "Remind Acme GmbH" in [button.label for button in letter.buttons]
    await house.press("Remind Acme GmbH")
    assert "2026-0001" in house.card().body


async def test_the_week_and_the_month_are_looked_back_on_once(house: PaperHouse) -> None:
    for decision in ("Approve", "Approve", "Reject"):
        await house.operator("ask post to=billing@acme.example client=acme body=Hello")
        await house.press(decision)
    await house.later(days=6)
    assert letters(house, "Week") == [], "the week is not over"
    await house.later(days=2)  # Tuesday: on Monday nobody was there
    (week,) = letters(house, "Week")
    for part in ("Week 10 of 2026", "post it: 2", "2 unchanged", "1 rejected", "66 % as it was drafted"):
        assert part in week
    await house.restart()
    await house.later(days=1)
    assert len(letters(house, "Week")) == 1
    await house.later(days=22)  # the first of April
    (month,) = letters(house, "March 2026")
    assert "post it: 2" in month
    struck = [line.event for line in house.machine.log.lines() if isinstance(line.event, HourStruck)]
    assert len({(event.name, event.period) for event in struck}) == len(struck)


def test_an_empty_span_says_so() -> None:
    text = review(Span(title="Week 1 of 2026"))
    assert "Nothing." in text
    assert "None were asked for." in text
    assert "Needs a look" not in text
    assert "Needs a look" not in compose(Day(day=date(2026, 3, 2)))


@pytest.mark.parametrize("name", [pytest.param("a model", marks=node)])
async def test_a_week_of_idling_asks_no_model(tmp_path: Path, name: str) -> None:
    del name
    with ModelServer.started() as server:
        server.says("", "Hello.")
        async with PaperHouse(tmp_path / "home", environment={"REDIS_URL": "none"} | server.settings()) as house:
            for _ in range(7):
                await house.later(days=1)
            assert len([message for message in house.channel.said if message.kind == "digest"]) >= 7
            assert server.calls() == []
            assert model_calls(house) == []
            await house.operator("write a blog post about our summer fair")
            assert server.calls(), "the same house asks when it is asked"
            await house.machine.gateway.close()  # type: ignore[union-attr]

"""App Home is the single pane: it shows what waits, money and what comes next, and follows whatever happens wherever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.courier import Courier
from memory.events import Write
from tests.counterparts.slack import LocalSlack, Window, local_slack
from tests.stories.street import Street, street

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


async def shows(window: Window, *words: str) -> dict[str, Any]:
    return await window.until("home", lambda event: all(each in json.dumps(event) for each in words))


def meets(there: Street, title: str, key: str = "m1", **span: float) -> None:
    start = there.house.clock.at + timedelta(**span)
    data = {"title": title, "start": start.isoformat(), "status": "booked"}
    there.house.runner.jot(Write(kind="meeting", key=key, data=data))


async def test_app_home_follows_what_is_done_elsewhere(slack: LocalSlack, tmp_path: Path) -> None:
    async with street(tmp_path, slack=slack) as there, slack.window() as window:
        meets(there, "Call with Acme", days=1)
        meets(there, "Far away", "m2", days=30)
        await there.house.operator("remind me to call the accountant on Tuesday at 3")
        shown = await shows(window, "call the accountant", "Call with Acme")
        assert "Far away" not in json.dumps(shown)
        assert json.dumps(shown).index("Call with Acme") < json.dumps(shown).index("call the accountant")
        await there.house.operator("invoice Acme 1,200 for the March retainer, net 14")
        await shows(window, "Waiting for you: 1", "1,428.00 EUR")
        await there.house.press("Approve")
        await there.later(seconds=11)
        await shows(window, "Nothing waits for you.", "1,428.00 EUR")
        await there.house.operator("pause mail")
        await shows(window, "\\u23f8 mail")


async def test_without_being_told_it_would_show_yesterday_twin(slack: LocalSlack, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Courier, "push", lambda *_: None)
    async with street(tmp_path, slack=slack) as there:
        await there.edge.asked("views.publish", 1)  # type: ignore[union-attr]
        await there.house.operator("remind me to call the accountant on Tuesday at 3")
        await there.settled()
        assert there.edge.calls.count("views.publish") == 1  # type: ignore[union-attr]

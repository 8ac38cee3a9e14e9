"""A model's words in the chat while it writes: over real HTTP, whole at the end, also when the line breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.approvals import Person
from bot.testing import PaperChannel, PaperHouse
from bot.writing import HEAD
from memory.events import Actor
from tests.counterparts.models import ModelServer
from tests.stories.company import ends_well, node

pytestmark = node

LETTER = (
    "Hello Anna,\n\nThe draft is ready, and I would like you to have a look at it when you find the time. "
    "I have worked in everything that we talked about last week, and I left out what we did not need. "
    "If anything is not as you had it in mind, tell me, and I will change it.\n\nBest regards\nNora Lind\nLind Studio"
)


@pytest.mark.parametrize(
    ("fault", "calls"),
    [({}, 1), ({"truncateAfterChunks": 9, "times": 0}, 2)],
    ids=["a good line", "a line that breaks"],
)
async def test_a_letter_is_watched_while_it_is_written_and_stands_whole_on_the_card(
    tmp_path: Path, fault: dict[str, Any], calls: int
) -> None:
    phone = PaperChannel("telegram", "1")
    phone.edit_every_s = 0.0  # type: ignore[attr-defined]
    with ModelServer.started() as server:
        server.says("", LETTER, chunkSize=30, latency=5, **fault)
        server.says("", LETTER, times=1)
        home = PaperHouse(
            tmp_path / "home",
            environment={"REDIS_URL": "none"} | server.settings(),
            channels={"telegram": phone},
            people=[Person("telegram", "op")],
        )
        async with home as house:
            me = Actor(platform="telegram", user="op")
            await house.runner.heard("1", "write Acme that the draft is ready", me, phone.place)
            await house.runner.settled()
            assert [call.body.get("stream", False) for call in server.calls()] == [True, False][:calls]
            shown = [each.text.removeprefix(HEAD).strip() for each in phone.said if each.text.startswith(HEAD)]
            assert shown
            assert all(LETTER.startswith(text) for text in shown)
            assert len({each.id for each in phone.said}) == 1, "one message that grows"
            assert phone.words[-1] == "Here it is:"
            (card,) = phone.cards.values()
            assert card.body == LETTER
            ends_well(house)
            assert house.machine.gateway
            await house.machine.gateway.close()

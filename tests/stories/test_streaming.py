"""A model's words in the chat while it writes, on each real channel: whole at the end, also when the line breaks.

Telegram's and Slack's protocols, the console's socket, the real litellm and real HTTP. Whatever happens on the way, what
stands in the chat in the end is one message and one card with the whole letter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.channels.web import Web
from bot.testing import PaperHouse
from bot.writing import HEAD
from tests.bot.channels.test_web import Tab, visiting
from tests.counterparts.models import ModelServer
from tests.counterparts.slack import LocalSlack, local_slack
from tests.counterparts.telegram import TelegramDouble
from tests.stories.company import ends_well, node
from tests.stories.street import Street, street

pytestmark = node

LETTER = (
    "Hello Anna,\n\nThe draft is ready, and I would like you to have a look at it when you find the time. "
    "I have worked in everything that we talked about last week, and I left out what we did not need. "
    "If anything is not as you had it in mind, tell me, and I will change it.\n\nBest regards\nNora Lind\nLind Studio"
)
SAID = "write Acme that the draft is ready"
AT_ONCE = "a line that breaks at once"
"""Then the letter comes in one piece: whether it is seen before its card is a matter of moments."""
LINES: dict[str, tuple[dict[str, Any], list[bool]]] = {
    "a good line": ({}, [True]),
    "a line that breaks in the middle": ({"truncateAfterChunks": 9, "times": 0}, [True, False]),
    AT_ONCE: ({"chaos": {"disconnectRate": 1}, "times": 0}, [True, False]),
}
lines = pytest.mark.parametrize("line", LINES)


@contextlib.contextmanager
def model(line: str) -> Iterator[ModelServer]:
    with ModelServer.started() as server:
        fault, streamed = LINES[line]
        server.says("", LETTER, chunkSize=30, latency=5, **fault)
        server.says("", LETTER, times=1, chunkSize=30)
        yield server
        assert [call.body.get("stream", False) for call in server.calls()] == streamed


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def watched(house: PaperHouse) -> AsyncIterator[None]:
    """Let every edit through at once, and retry without a pause."""
    for channel in (*house.runner._staff.channels.values(), *house.runner._staff.live):
        channel.edit_every_s = 0.0  # type: ignore[union-attr]
    gateway = house.machine.gateway
    assert gateway
    gateway._sleep = no_pause
    try:
        yield
    finally:
        await gateway.close()


def growing(shown: list[str]) -> None:
    """What was seen on the way is the letter's beginning."""
    assert shown, "nobody saw it being written"
    assert all(" ".join(LETTER.split()).startswith(" ".join(text.removeprefix(HEAD).split())) for text in shown)


async def converges(there: Street) -> None:
    await there.settled()
    seen = await there.phone.seen()
    assert not [each.text for each in seen if HEAD in each.text], "nothing looks unfinished"
    (card,) = [each for each in seen if "Approve" in each.labels]
    for sentence in LETTER.split("\n\n")[1].split(". "):
        assert sentence.strip(".") in card.text.replace("\n", " ")
    assert len([each for each in seen if not each.is_card]) <= 1, "what was watched became the line above the card"
    ends_well(there.house)


@lines
async def test_a_letter_is_watched_on_telegram(tmp_path: Path, line: str) -> None:
    with model(line) as server:
        settings = {"REDIS_URL": "none"} | server.settings()
        async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram, environment=settings) as there:
            async with watched(there.house):
                await there.phone.says(SAID)
                await converges(there)
            texts = [str(call.params.get("text", "")) for call in telegram.calls]
            if line != AT_ONCE:
                growing([text for text in texts if text.startswith(HEAD)])


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@lines
async def test_a_letter_is_watched_on_slack(tmp_path: Path, slack: LocalSlack, line: str) -> None:
    with model(line) as server:
        settings = {"REDIS_URL": "none"} | server.settings()
        async with street(tmp_path, slack=slack, environment=settings) as there:
            assert there.edge is not None
            async with watched(there.house):
                await there.phone.says(SAID)
                await converges(there)
            if line != AT_ONCE:
                assert there.edge.calls.count("chat.update") >= 1, "one message that grows by edits"
                assert there.edge.calls.count("chat.postMessage") == 2, "the message and the card"


@contextlib.asynccontextmanager
async def console(tmp_path: Path, server: ModelServer) -> AsyncIterator[tuple[PaperHouse, Tab]]:
    """The house with its own page instead of a channel on paper, and a browser's socket."""
    environment = {"REDIS_URL": "none"} | server.settings()
    async with PaperHouse(tmp_path / "home", environment=environment) as house:
        page = Web("127.0.0.1", 0, "a key of the page", house.machine.history, [], now=house.clock)
        house.runner._staff.live = (page,)
        running = asyncio.ensure_future(page.run(house.runner))
        try:
            await page.ready.wait()
            async with visiting(page) as guest, guest.tab() as tab:
                yield house, tab
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@lines
async def test_a_letter_is_watched_on_the_console(tmp_path: Path, line: str) -> None:
    with model(line) as server:
        async with console(tmp_path, server) as (house, tab), watched(house):
            await tab.say(SAID)
            wanted = ["'type': 'card'"] if line == AT_ONCE else ["'type': 'card'", "Here it is:"]
            while not all(any(words in str(frame) for frame in tab.seen) for words in wanted):
                await tab.next("message", "card")
            await house.runner.settled()
            texts = [frame["message"]["text"] for frame in tab.seen if frame["type"] == "message"]
            if line != AT_ONCE:
                growing([text for text in texts if text.startswith(HEAD)])
                assert texts[-1] == "Here it is:", "what said that it is being written says where to look"
            assert {frame["message"]["id"] for frame in tab.seen if frame["type"] == "message"} <= {"2.w"}
            (body,) = {frame["card"]["body"] for frame in tab.seen if frame["type"] == "card"}
            assert body == LETTER
            ends_well(house)

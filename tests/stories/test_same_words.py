"""What is asked for by its command is answered with the same words in Slack, in Telegram and on the console."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.wiring import help_lines
from tests.counterparts.slack import LocalSlack, local_slack
from tests.counterparts.telegram import TelegramDouble
from tests.stories.street import Phone, Street, street

pytestmark = pytest.mark.node

WITH_WORDS = (
    "/help invoice", "/client Acme", "/who Acme", "/who owes me money?", "/paid 2026-0099", "/forget", "/end nothing",
    "/reject because of the wording", "/away tomorrow", "/back", "/pause mail", "/resume mail", "/report for February",
)  # fmt: skip
OWN_COUNT = frozenset({"/tasks", "/memory", "/timeline", "/why"})
"""Commands whose answer counts what was said before, and that is another question on each phone."""


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@pytest_asyncio.fixture
async def there(slack: LocalSlack, tmp_path: Path) -> AsyncIterator[Street]:
    async with TelegramDouble() as telegram, street(tmp_path, slack=slack, telegram=telegram) as opened:
        yield opened


async def answered(phone: Phone, command: str) -> list[tuple[str, tuple[str, ...]]]:
    """Ask by command; return each message that came, with its buttons, commands as they are typed everywhere else."""
    before = len(await phone.seen())
    await phone.commands(command)
    said = (await phone.seen())[before:]
    return [(plain(each.text), each.labels) for each in said if each.text]


def plain(text: str) -> str:
    """Return words without how a platform sets them: headings, bullets, air."""
    text = re.sub(r"^\*(.+)\*$", r"\1", text.replace("/solo ", "/"), flags=re.MULTILINE)
    return re.sub(r"\n+", "\n", text.replace("\n- ", "\n• "))


def commands(there: Street) -> list[str]:
    """Return every command of the house."""
    return [command for command, _ in help_lines(there.house.runner._staff.agents)]


async def on_console(there: Street, command: str) -> list[str]:
    before = len(there.house.channel.said)
    await there.house.operator(command)
    return [plain(said.text) for said in there.house.channel.said[before:]]


async def test_every_command_is_answered_with_the_same_words_everywhere(there: Street) -> None:
    slack, telegram = there.phones
    for command in (*commands(there), *WITH_WORDS):
        if command in OWN_COUNT:
            continue
        on_slack, on_telegram = await answered(slack, command), await answered(telegram, command)
        assert on_slack == on_telegram, command
        assert on_slack, command
        if not any(text.startswith("There is no command") for text, _ in on_slack):
            assert await on_console(there, command) == [text for text, _ in on_slack], command


async def test_a_plan_asked_for_by_its_command_is_read_like_the_sentence(there: Street) -> None:
    telegram = there.phones[1]
    await telegram.commands("/plan onboard Globex: proposal, kickoff next Tuesday")
    assert "1. send proposal" in (await telegram.seen())[-1].text
    assert "Go ahead" in (await telegram.seen())[-1].labels

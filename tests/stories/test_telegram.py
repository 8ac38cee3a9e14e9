"""The stories on Telegram: the whole house over the Bot API, judged by aiogram's models, with a real mail server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counterparts.ports import free_port
from tests.counterparts.telegram import TelegramDouble
from tests.stories import told
from tests.stories.street import street


@pytest.mark.parametrize(
    "story", [told.the_invoice_whole, told.an_old_button_works_after_a_restart], ids=lambda story: story.__name__
)
async def test_the_story_by_webhook(story, tmp_path: Path) -> None:
    port = free_port()
    posted = {"TELEGRAM_ADDRESS": f"http://127.0.0.1:{port}/telegram", "TELEGRAM_LISTEN": f"127.0.0.1:{port}"}
    async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram, environment=posted) as there:
        await story(there)
        assert not telegram._polls
        assert {status for _, status in telegram.deliveries} == {200}
    kept = tmp_path / "home" / "telegram.secret"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert telegram.webhook["secret"] == kept.read_text()  # the same over restarts


@pytest.mark.parametrize("story", told.STORIES, ids=lambda story: story.__name__)
async def test_the_story_on_telegram(story, tmp_path: Path) -> None:
    async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram) as there:
        await story(there)

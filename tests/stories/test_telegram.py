"""The stories on Telegram: the whole house over the Bot API, judged by aiogram's models, with a real mail server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counterparts.telegram import TelegramDouble
from tests.stories import told
from tests.stories.street import street


@pytest.mark.parametrize("story", told.STORIES, ids=lambda story: story.__name__)
async def test_the_story_on_telegram(story, tmp_path: Path) -> None:
    async with TelegramDouble() as telegram, street(tmp_path, telegram=telegram) as there:
        await story(there)

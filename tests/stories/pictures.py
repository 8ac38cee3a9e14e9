"""The README's pictures, of a real conversation: ``python -m tests.stories.pictures docs/pictures``.

The whole house answers over Socket Mode and the Bot API; the picture of Slack is the counterpart's own page, the picture
of the console is the console, on the same history. The Telegram double has no page of its own: its picture is drawn by
`tests.bot.channels.telegram.page` from what the Bot API was sent, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from bot.channels.web import Web
from bot.wiring import help_lines
from tests.bot.channels.browser import chromium, missing, one, resize
from tests.bot.channels.screenshots import settle
from tests.bot.channels.slack_screenshots import picture
from tests.bot.channels.telegram.page import page as chat_page
from tests.counterparts.slack import local_slack
from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.stories.street import Street, street

SLACK, CONSOLE, TELEGRAM = (1180, 1130), (1280, 900), (600, 900)
KEY = "a-key-for-the-pictures-alone"


def main(folder: Path) -> None:
    """Play the story and take the pictures."""
    if missing():
        sys.exit(f"No pictures: {missing()}.")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as profile,
        local_slack("socket") as slack,
        chromium(Path(profile), size=SLACK) as driver,
    ):
        asyncio.run(take(driver, folder, Path(home) / "slack", slack))
        asyncio.run(take_telegram(driver, folder, Path(home) / "telegram"))


async def take_telegram(driver: Any, folder: Path, home: Path) -> None:
    """Tell the beginning of the same story to a bot, and draw what the platform was handed."""
    async with TelegramDouble() as telegram, street(home, telegram=telegram) as there:
        await there.phone.says("invoice Acme 1,200 for the March retainer, net 14")
        await asyncio.to_thread(
            draw, driver, chat_page(telegram, OPERATOR), home / "chat.html", folder / "telegram.png"
        )


def draw(driver: Any, page: str, source: Path, path: Path) -> None:
    """Take a page at its full height."""
    source.write_text(page, encoding="utf-8")
    resize(driver, *TELEGRAM, scale=1)
    driver.get(source.as_uri())
    resize(driver, TELEGRAM[0], int(driver.execute_script("return document.body.scrollHeight")), scale=1)
    driver.save_screenshot(str(path))


async def take(driver: Any, folder: Path, home: Path, slack: Any) -> None:
    """Tell the invoice story and stop where it looks best."""
    async with street(home, slack=slack) as there:
        await there.phone.says("what's unpaid?")
        await there.phone.says("invoice Acme 1,200 for the March retainer, net 14")
        await asyncio.to_thread(resize, driver, *SLACK, scale=1)
        await asyncio.to_thread(picture, driver, slack.base, folder / "slack.png", "card")
        await there.phone.presses("Approve")
        await there.later(seconds=11)
        await there.phone.says("remind me to call the accountant on Tuesday at 3")
        await there.phone.says("invoice Acme 300 for hosting, net 14")
        async with console(there) as page:
            await asyncio.to_thread(shoot, driver, page.url, folder / "console.png")


@contextlib.asynccontextmanager
async def console(there: Street) -> Any:
    """Open the console on the same house."""
    house = there.house
    minds = house.runner._staff.agents
    page = Web("127.0.0.1", 0, KEY, house.machine.history, help_lines(minds), now=house.clock)
    serving = asyncio.ensure_future(page.run(house.runner))
    try:
        await page.ready.wait()
        yield page
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def shoot(driver: Any, url: str, path: Path) -> None:
    """Take what the console shows."""
    resize(driver, *CONSOLE, scale=1)
    driver.get(url)
    one(driver, "body[data-ready]")
    settle(driver)
    driver.save_screenshot(str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

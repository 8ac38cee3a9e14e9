"""R1, R9: kill -9 of the real process between card and press, and just after a press, on Slack and on Telegram at once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.counterparts.slack import ALICE, APP_TOKEN, BOT_TOKEN, TEAM, Edge, LocalSlack, local_slack
from tests.counterparts.smtp import PostOffice
from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.stories.child import Child
from tests.stories.street import Phone, Seen, SlackPhone, TelegramPhone

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@dataclass
class Both:
    child: Child
    post: PostOffice
    edge: Edge
    slack: SlackPhone
    telegram: TelegramPhone

    async def up(self) -> None:
        await self.child.start()
        await self.edge.connected()

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> Any:
        """Look until it holds: another process does the work, so there is nothing of ours to wait for."""
        async with asyncio.timeout(120):
            while not (found := await holds()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    async def mails(self, count: int) -> bool:
        return len(self.post.taken) == count

    async def shows(self, phone: Phone, *words: str) -> Seen:
        async def look() -> Seen | None:
            for each in reversed(await phone.seen()):
                if all(word in each.text for word in words):
                    return each
            return None

        return await self.until(look)  # type: ignore[no-any-return]

    async def waits(self, phone: Phone, *words: str) -> Seen:
        async def look() -> Seen | None:
            for each in reversed(await phone.seen()):
                if "Approve" in each.labels and all(word in each.text for word in words):
                    return each
            return None

        return await self.until(look)  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def slow_calendar() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A calendar that answers nothing until it is told to, and then that it is broken."""
    told = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await told.wait()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/", told
    finally:
        await runner.cleanup()


def settle_in(folder: Path) -> None:
    folder.mkdir()
    (folder / "policy.toml").write_text('[undo]\nwindow = "2s"\n')


@contextlib.asynccontextmanager
async def both(folder: Path, slack: LocalSlack, **settings: str) -> AsyncIterator[Both]:
    async def at_once() -> None:
        """The house is another process: there is nothing here to wait for."""

    settle_in(folder)
    async with contextlib.AsyncExitStack() as stack:
        post = await stack.enter_async_context(PostOffice())
        telegram = await stack.enter_async_context(TelegramDouble())
        slack.http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        await slack.control("reset")
        edge = await stack.enter_async_context(Edge(slack))
        child = Child(
            folder,
            {
                "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(post.port), "SMTP_SECURITY": "none",
                "MAIL_FROM": "Nora Lind <nora@lind-studio.example>",
                "SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_BASE": edge.api,
                "SLACK_OPERATOR": f"{TEAM}:{ALICE}",
                "TELEGRAM_TOKEN": telegram.token, "TELEGRAM_API_BASE": telegram.url,
                "TELEGRAM_OPERATOR": str(OPERATOR), **settings,
            },
        )  # fmt: skip
        there = Both(child, post, edge, SlackPhone(slack, at_once), TelegramPhone(telegram, at_once))
        await there.up()
        try:
            yield there
        finally:
            await child.stop()
        assert telegram.complaints == []


async def test_killed_between_card_and_press_and_after_the_press_everything_happens_once(
    slack: LocalSlack, tmp_path: Path
) -> None:
    async with both(tmp_path / "home", slack) as there:
        await there.slack.says("invoice Acme 1,200 for the March retainer, net 14")
        on_slack = await there.waits(there.slack, "2026-0001")
        on_telegram = await there.waits(there.telegram, "2026-0001")
        await there.child.kill()
        await there.up()

        # The button is older than the process.
        assert await there.telegram.presses("Approve", on_telegram) == "Approved."
        await there.shows(there.slack, "Approved by you on telegram")  # the other copy converges
        await there.until(lambda: there.mails(1))
        await there.shows(there.slack, "Mailed to billing@acme.example")

        # The other way round, and killed while the mail still waits out its window.
        await there.telegram.says("invoice Initech 300 for hosting, net 14")
        on_slack = await there.waits(there.slack, "2026-0002")
        await there.waits(there.telegram, "2026-0002")
        await there.slack.presses("Approve", on_slack)
        await there.child.kill()
        assert len(there.post.taken) == 1
        await there.up()
        await there.until(lambda: there.mails(2))
        await there.shows(there.telegram, "Mailed to accounts@initech.example")
        await there.shows(there.slack, "Approved by you on slack", "2026-0002")

        # Killed while it is down to nothing: nothing is done again.
        await there.child.kill()
        await there.up()
        await there.telegram.says("/stuck")
        await there.shows(there.telegram, "Nothing is stuck.")
        assert [taken.recipients for taken in there.post.taken] == [
            ["billing@acme.example"], ["accounts@initech.example"]
        ]  # fmt: skip
        assert max(there.post.accepted.values()) == 1


async def test_killed_in_the_middle_of_long_work_nothing_goes_on_saying_that_it_works(
    slack: LocalSlack, tmp_path: Path
) -> None:
    async with slow_calendar() as (url, told):
        calendar = {"CALDAV_URL": url, "CALDAV_USER": "nora@lind-studio.example", "CALDAV_PASSWORD": "secret"}
        async with both(tmp_path / "home", slack, **calendar) as there:
            for phone in (there.slack, there.telegram):
                await phone.says("when am I free next week?")
                await there.shows(phone, "Working on it")
            await there.until(lambda: _written_down(tmp_path / "home", 2))
            await there.child.kill()
            told.set()
            await there.up()
            for phone in (there.slack, there.telegram):
                await there.until(lambda phone=phone: _is_said_and_done(phone))  # type: ignore[misc]
                assert len(await phone.seen()) == 1, "the answer took its place"


async def test_killed_before_it_knew_where_it_said_that_it_works_that_message_is_found(
    slack: LocalSlack, tmp_path: Path
) -> None:
    async with slow_calendar() as (url, told):
        calendar = {"CALDAV_URL": url, "CALDAV_USER": "nora@lind-studio.example", "CALDAV_PASSWORD": "secret"}
        async with both(tmp_path / "home", slack, **calendar) as there:
            # The platforms show the message and never answer, so that the house cannot write down where it stands.
            there.edge.fault = lambda method, _: "mute" if method == "chat.postMessage" else ""
            there.telegram.telegram.fault("sendMessage", "mute", after=True)
            for phone in (there.slack, there.telegram):
                await phone.says("when am I free next week?")
                await there.shows(phone, "Working on it")
            assert _places(tmp_path / "home") == {"?"}, "it is on disk that it was begun"
            await there.child.kill()
            there.edge.fault = lambda _, __: ""
            told.set()
            await there.up()
            for phone in (there.slack, there.telegram):
                await there.until(lambda phone=phone: _is_said_and_done(phone))  # type: ignore[misc]
                assert len(await phone.seen()) == 1, "the answer took its place"


def _places(home: Path) -> set[str]:
    """Return how the references of what says that it takes a while begin."""
    with contextlib.closing(sqlite3.connect(f"file:{home / 'soloist.db'}?mode=ro", uri=True)) as database:
        return {ref[0] for (ref,) in database.execute("SELECT ref FROM shown WHERE what LIKE '%.w'")}


async def _written_down(home: Path, count: int) -> bool:
    """Whether so many messages that say that it takes a while are on disk; until then a kill may leave one behind."""
    with contextlib.closing(sqlite3.connect(f"file:{home / 'soloist.db'}?mode=ro", uri=True)) as database:
        sent = "SELECT 1 FROM shown WHERE what LIKE '%.w' AND ref NOT LIKE '?%'"
        return len(database.execute(sent).fetchall()) == count


async def _is_said_and_done(phone: Phone) -> bool:
    texts = [each.text for each in await phone.seen()]
    return bool(texts) and not any("Working on it" in text for text in texts)

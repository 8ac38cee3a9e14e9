"""A real Soloist in a process of its own on a street of real protocols: chat, mail both ways, webhooks, calendar, blog.

    async with scene(folder, telegram=double) as there:
        await there.bought(...)  # a signed webhook, over HTTP
        card = await there.waits("h@globex.example")
        await there.falls()  # kill -9, and up again
        await there.phone.presses("Approve", card)

The process may be killed with -9 at any moment; what it left behind is looked at through `python -m bot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, Server, radicale
from tests.counterparts.faults import Front, faulty
from tests.counterparts.imap import Dovecot, dovecot
from tests.counterparts.ports import free_port
from tests.counterparts.slack import ALICE, APP_TOKEN, BOT_TOKEN, TEAM, Edge, LocalSlack
from tests.counterparts.smtp import PostOffice
from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.stories.child import ROOT, Child
from tests.stories.company import blog
from tests.stories.street import Phone, Seen, SlackPhone, TelegramPhone

SECRET = "a-secret-of-the-forms"  # shared with the form service
POLICY = '[undo]\nwindow = "2s"\n'


async def at_once() -> None:
    """The house is another process: there is nothing here to wait for."""


@dataclass
class Scene:
    """The process, its operator's phone, and the other sides."""

    child: Child
    phone: Phone
    post: PostOffice
    mailbox: Dovecot
    calendar: Server
    line: Front  # to the calendar; it can be told to fail
    site: Path
    hooks: int
    edge: Edge | None = None
    telegram: TelegramDouble | None = None

    async def up(self) -> None:
        await self.child.start()
        if self.edge is not None:
            await self.edge.connected()
        await self.until(self._listens)

    async def falls(self) -> None:
        """Kill it with -9, and start it again as a supervisor does."""
        await self.child.kill()
        await self.up()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.hooks)
        except OSError:
            return False
        writer.close()
        return True

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> Any:
        """Look until it holds: another process does the work, so there is nothing of ours to wait for."""
        async with asyncio.timeout(120):
            while not (found := await holds()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    async def shows(self, *words: str, label: str = "") -> Seen:
        """Wait for a message that says all this, and has this button."""

        async def look() -> Seen | None:
            for each in reversed(await self.phone.seen()):
                if all(word in each.text for word in words) and (not label or label in each.labels):
                    return each
            return None

        try:
            return await self.until(look)  # type: ignore[no-any-return]
        except TimeoutError:
            raise AssertionError(f"nobody said {words} ({label}): {await self.phone.seen()}") from None

    async def waits(self, *words: str) -> Seen:
        """Wait for a card that can be approved."""
        return await self.shows(*words, label="Approve")

    async def approves(self, *words: str) -> None:
        """Approve the card that says all this, and wait until it is settled."""
        await self.phone.presses("Approve", await self.waits(*words))
        await self.shows(*words, "Approved by you")

    async def mails(self, count: int) -> None:
        """Wait for so many mails in the mail server's ledger."""

        async def look() -> bool:
            return len(self.post.taken) >= count

        await self.until(look)
        assert len(self.post.taken) == count

    async def noted(self, words: str, count: int) -> None:
        """Wait for so many events with these words in the calendar server's own folder, each of them once."""

        async def look() -> bool:
            return len(self._events(words)) >= count

        await self.until(look)
        assert len(self._events(words)) == count

    def _events(self, words: str) -> list[str]:
        return [text for text in self.calendar.kept().values() if words in text.replace("\r\n ", "")]

    async def breaks_off(self, label: str, card: Seen, words: str) -> None:
        """Press; the calendar takes the first note, its answer is lost with the process, and the rest is not begun."""
        self.line.fail("hang", after=True)
        await self.phone.presses(label, card)
        await self.noted(words, 1)
        await self.falls()

    def commits(self) -> list[str]:
        ran = subprocess.run(
            ["git", "-C", self.site, "log", "--reverse", "--format=%s"], capture_output=True, check=True
        )
        return ran.stdout.decode().splitlines()

    # ── what comes from outside ───────────────────────────────────────────────────────────────────────────────────

    async def hook(self, body: Mapping[str, Any]) -> None:
        """A service tells us something, signed; it is on disk once this returns."""
        raw = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        url = f"http://127.0.0.1:{self.hooks}/hooks/forms"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=raw, headers={"X-Soloist-Signature": signature}) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def writes(self, sender: str, subject: str, text: str) -> None:
        """A mail comes into the operator's mailbox."""
        number = hashlib.sha256(f"{sender}{subject}{text}".encode()).hexdigest()[:16]
        head = (
            f"From: {sender}\r\nTo: nora@lind-studio.example\r\nSubject: {subject}\r\nMessage-ID: <{number}@x.example>"
        )
        date = "Date: Mon, 02 Mar 2026 09:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8"
        await asyncio.to_thread(self.mailbox.deliver, f"{head}\r\n{date}\r\n\r\n{text}\r\n".encode())

    # ── what it left behind ───────────────────────────────────────────────────────────────────────────────────────

    def ran(self, *command: str) -> str:
        """Run ``python -m bot`` beside it, as an operator does who wants to know."""
        made = subprocess.run(
            [sys.executable, "-m", "bot", *command],
            cwd=ROOT,
            check=False,
            env=self.child.surroundings,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    def task_with(self, words: str) -> str:
        """Return the task whose receipt says this."""
        with self._history() as raw:
            (task,) = raw.execute(
                "SELECT max(task) FROM events WHERE type = 'Confirmed' AND body LIKE ?", (f"%{words}%",)
            ).fetchone()
        return str(task)

    @contextlib.contextmanager
    def _history(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(f"file:{self.child.home / 'soloist.db'}?mode=ro", uri=True)) as raw:
            yield raw

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Every record of a kind as it stands."""
        with self._history() as raw:
            rows = raw.execute(
                "SELECT data FROM records AS r WHERE kind = ? AND NOT gone AND version = "
                "(SELECT max(version) FROM records WHERE kind = r.kind AND key = r.key)",
                (kind,),
            ).fetchall()
        return [json.loads(data) for (data,) in rows]


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    *,
    telegram: TelegramDouble | None = None,
    slack: LocalSlack | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Scene]:
    """Open everything with one phone, and start the process."""
    home = folder / "home"
    home.mkdir()
    (home / "policy.toml").write_text(POLICY)
    (folder / "radicale").mkdir()
    async with contextlib.AsyncExitStack() as stack:
        post = await stack.enter_async_context(PostOffice())
        mailbox = stack.enter_context(dovecot())
        calendar = stack.enter_context(radicale(folder / "radicale"))
        line = await stack.enter_async_context(faulty(calendar.url))
        hooks = free_port()
        values = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(post.port), "SMTP_SECURITY": "none",
            "MAIL_FROM": "Nora Lind <nora@lind-studio.example>",
            "IMAP_HOST": "127.0.0.1", "IMAP_PORT": str(mailbox.port), "IMAP_SECURITY": "none",
            "IMAP_USER": mailbox.user, "IMAP_PASSWORD": mailbox.password,
            "CALDAV_URL": line.url + COLLECTION, "CALDAV_USER": USER, "CALDAV_PASSWORD": PASSWORD,
            "WEBHOOKS_ADDRESS": f"127.0.0.1:{hooks}", "WEBHOOKS_SECRETS": f"forms:{SECRET}",
            "BLOG_FOLDER": str(blog(folder / "site")),
        }  # fmt: skip
        phone: Phone
        edge = None
        if slack is not None:
            slack.http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
            await slack.control("reset")
            edge = await stack.enter_async_context(Edge(slack))
            values |= {
                "SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_BASE": edge.api,
                "SLACK_OPERATOR": f"{TEAM}:{ALICE}",
            }  # fmt: skip
            phone = SlackPhone(slack, at_once)
        else:
            assert telegram is not None
            values |= {"TELEGRAM_TOKEN": telegram.token, "TELEGRAM_API_BASE": telegram.url}
            values |= {"TELEGRAM_OPERATOR": str(OPERATOR)}
            phone = TelegramPhone(telegram, at_once)
        child = Child(home, values | dict(environment or {}))
        there = Scene(child, phone, post, mailbox, calendar, line, folder / "site", hooks, edge, telegram)
        await there.up()
        try:
            yield there
        finally:
            await child.stop()
        if telegram is not None:
            assert telegram.complaints == []

"""Every counterpart of every connector on loopback, and the gun that kills a life at a chosen moment of a call.

A life arms the gun by writing the name of a point into a file; whoever reaches that point first (a server's hook here, a
git hook in a repository) takes the file away and kills the process whose number is in another. So it does not matter in
which process the point is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from tests.counterparts.bluesky import HANDLE, Pds, pds
from tests.counterparts.bluesky import PASSWORD as BLUESKY_PASSWORD
from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, Server, radicale
from tests.counterparts.faults import Front, faulty
from tests.counterparts.imap import Dovecot, dovecot
from tests.counterparts.mcp_notes import notes
from tests.counterparts.smtp import Fault, PostOffice
from tests.counterparts.stripe import KEY, Provider, front, localstripe
from tests.torture.tap import tap

GIT_HOOK = """#!/bin/sh
[ "$(cat {strike} 2>/dev/null)" = {point} ] || exit 0
rm -f {strike}
kill -9 "$(cat {pid})"
exit {code}
"""
WRITES = {"POST", "PUT", "DELETE", "PATCH"}


@dataclass
class Gun:
    """Kills the life whose number is in ``pid`` once the point in ``strike`` is reached."""

    folder: Path
    shots: Counter[str] = field(default_factory=Counter)

    @property
    def strike(self) -> Path:
        return self.folder / "strike"

    @property
    def pid(self) -> Path:
        return self.folder / "pid"

    def hit(self, point: str) -> bool:
        """Fire when this point is the one; returns whether it was."""
        try:
            if self.strike.read_text() != point:
                return False
        except FileNotFoundError:
            return False
        self.strike.unlink()
        os.kill(int(self.pid.read_text()), signal.SIGKILL)
        self.shots[point] += 1
        return True


@dataclass
class Town:
    """The counterparts while they run. Each keeps its own ledger."""

    folder: Path
    gun: Gun
    post: PostOffice
    calendar: Server
    calendar_front: Front
    stripe: Provider
    stripe_front: Front
    bluesky: Pds
    bluesky_front: Front
    notes: Path
    notes_url: str
    site: Path
    remote: Path
    imap: Dovecot | None = None
    imap_port: int = 0
    files_sent: bool = False  # the mail provider puts a copy of what it takes into Sent
    kept: dict[str, str] = field(default_factory=dict)  # words → what its provider calls it
    where: str = ""  # only requests to such a path are points; default: every write

    def environment(self, *, imap: str = "") -> dict[str, str]:
        """The settings of a home that uses all of it; ``imap`` is "", "look" or "files" (the provider files copies)."""
        given = {
            "REDIS_URL": "none",
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.post.port), "SMTP_SECURITY": "none",
            "MAIL_FROM": "Anna <anna@berg.example>",
            "CALDAV_URL": self.calendar_front.url + COLLECTION, "CALDAV_USER": USER, "CALDAV_PASSWORD": PASSWORD,
            "STRIPE_API_KEY": KEY, "STRIPE_API_BASE": self.stripe_front.url,
            "BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": BLUESKY_PASSWORD, "BLUESKY_BASE": self.bluesky_front.url,
            "BLOG_FOLDER": str(self.site), "BLOG_REMOTE": "origin",
        }  # fmt: skip
        if imap:
            assert self.imap is not None
            given |= {
                "IMAP_HOST": "127.0.0.1", "IMAP_PORT": str(self.imap_port), "IMAP_SECURITY": "none",
                "IMAP_USER": self.imap.user, "IMAP_PASSWORD": self.imap.password,
                "IMAP_FILES_SENT": "yes" if imap == "files" else "no",
            }  # fmt: skip
        return given

    def furnish(self, home: Path) -> None:
        """Put into a home what is a file there: its MCP servers."""
        home.mkdir(parents=True, exist_ok=True)
        keyed = '[mcp.keyed.tools]\nadd = { risk = "outside", key = "request_id" }\n'
        servers = [f'[mcp.{name}]\nurl = "{self.notes_url}"\n' for name in ("keyed", "plain")]
        (home / "connectors.toml").write_text(f"{servers[0]}{keyed}{servers[1]}")

    # ── ledgers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def mails(self, words: str) -> int:
        return sum(str(taken.message["Subject"]) == words for taken in self.post.taken)

    def filed(self, folder: str, words: str) -> int:
        assert self.imap is not None
        return sum(f"Subject: {words}\r\n".encode() in raw for raw in self.imap.messages(folder))

    def events(self, words: str) -> list[str]:
        return [text for text in self.calendar.kept().values() if f"SUMMARY:{words}\r\n" in text]

    def commits(self, words: str) -> int:
        return git(self.remote, "log", "--format=%s", "main").split("\n").count(words)

    def lines(self, words: str) -> int:
        text = self.notes.read_text() if self.notes.exists() else ""
        return sum(line.split(" ")[1] == words for line in text.splitlines())

    def form(self, **facts: str) -> list[dict[str, Any]]:
        return [form for form in self.stripe.forms if facts.items() <= form.items()]

    # ── points ────────────────────────────────────────────────────────────────────────────────────────────────────

    def passing(self, method: str, path: str, when: str) -> str | None:
        """The hook of every HTTP front."""
        if method not in WRITES or not re.search(self.where, path):
            return None
        return "drop" if self.gun.hit("during" if when == "before" else "taken") else None

    def at_the_post(self) -> None:
        """Put the points into the SMTP session, and the provider's own copy behind them."""

        async def kept(point: str, detail: str) -> None:
            del point, detail
            if self.files_sent and self.imap is not None:
                # As Gmail does it: what is taken is in Sent, whatever becomes of the session.
                await asyncio.to_thread(self.imap.deliver, self.post.taken[-1].content, "Sent")
            if self.gun.hit("taken"):
                raise ConnectionResetError

        async def dot(point: str, detail: str) -> None:
            del point, detail
            if self.gun.hit("during"):
                raise ConnectionResetError

        self.post.at("dot", Fault(call=dot))
        self.post.at("kept", Fault(call=kept))


def git(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=True)
    return ran.stdout.decode().strip()


def _blog(folder: Path, gun: Gun) -> tuple[Path, Path]:
    """A bare repository whose own hooks are points, and a clone with a first commit."""
    remote, site = folder / "remote.git", folder / "site"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", remote], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", site], check=True)
    git(site, "config", "user.name", "Anna")
    git(site, "config", "user.email", "anna@berg.example")
    (site / "README.md").write_text("A blog.\n")
    git(site, "add", ".")
    git(site, "commit", "-q", "-m", "Begin")
    git(site, "remote", "add", "origin", str(remote))
    git(site, "push", "-q", "origin", "main")
    for name, point, code in (("pre-receive", "during", 1), ("post-receive", "taken", 0)):
        hook = remote / "hooks" / name
        hook.write_text(GIT_HOOK.format(strike=gun.strike, pid=gun.pid, point=point, code=code))
        hook.chmod(0o755)
    return remote, site


@contextlib.asynccontextmanager
async def _noted(ledger: Path, gun: Gun) -> AsyncIterator[str]:
    """The MCP server of notes over HTTP."""

    def hook(point: str) -> None:
        if gun.hit(point):
            raise ConnectionResetError

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = notes(ledger, hook=hook).streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1))
    with listener:  # closed also when the test fails, or another test is told of it
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
            server.should_exit = True


@contextlib.asynccontextmanager
async def town(folder: Path, *, imap: bool) -> AsyncIterator[Town]:
    """Open everything; ``imap`` wants Dovecot, too."""
    gun = Gun(folder)
    (folder / "radicale").mkdir(parents=True)
    async with contextlib.AsyncExitStack() as stack:
        post = await stack.enter_async_context(PostOffice())
        calendar = stack.enter_context(radicale(folder / "radicale"))
        behind = stack.enter_context(localstripe())
        provider = await stack.enter_async_context(front(behind))
        server = await stack.enter_async_context(pds())
        fronts = [await stack.enter_async_context(faulty(each.url)) for each in (calendar, provider, server)]
        remote, site = _blog(folder, gun)
        url = await stack.enter_async_context(_noted(folder / "notes", gun))
        there = Town(
            folder=folder, gun=gun, post=post,
            calendar=calendar, calendar_front=fronts[0],
            stripe=provider, stripe_front=fronts[1],
            bluesky=server, bluesky_front=fronts[2],
            notes=folder / "notes", notes_url=url, site=site, remote=remote,
        )  # fmt: skip
        for each in fronts:
            each.hook = there.passing
        there.at_the_post()
        if imap:
            there.imap = stack.enter_context(dovecot())
            there.imap_port = await stack.enter_async_context(tap("127.0.0.1", there.imap.port, gun.hit))
        yield there

"""Looks at everything and says what is wrong and what to do. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from bot.company import wanting
from bot.settings import Settings
from memory.database import Database, StorageError
from memory.events import UnknownEventError
from memory.line import unstamp
from memory.log import Log, events, inbox
from memory.replay import Rows, compare

CLOCK_OFF_MAX = timedelta(minutes=5)
SLACK_SWITCHES = (
    ("Ev", "messages", "Event Subscriptions (on, with message.im and app_mention)"),
    ("command:", "commands", "Slash Commands (/solo)"),
    ("click:", "buttons", "Interactivity & Shortcuts (on)"),
)
"""How the inbox names what Slack sends (`bot.channels.slack.payloads`), what it is, and where the app is told to send it."""
ROOM_BYTES_MIN = 200 * 1024**2  # below this a busy day could fill the disk


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    ok: bool
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'BAD '} {self.what}" + (f"\n     → {self.remedy}" if self.remedy else "")


def examine_home(given: Settings) -> Iterator[Finding]:
    """Look at folder, disk and database file without opening the house."""
    home = given.home
    try:
        there = home.exists()
    except OSError:
        there = False
    if not there and not _can_be_made(home):
        yield Finding(ok=False, what=f"{home} cannot be made.", remedy="Set SOLOIST_HOME in .env to a folder of yours.")
        return
    if not there:
        yield Finding(ok=True, what=f"{home} does not exist yet; the first start makes it.")
        return
    if not os.access(home, os.W_OK):
        yield Finding(ok=False, what=f"{home} cannot be written.", remedy="Change its owner or mode: chmod u+w.")
    free = shutil.disk_usage(home).free
    room = f"{free / 1024**3:.1f} GB free where {home} is"
    yield Finding(ok=free > ROOM_BYTES_MIN, what=room, remedy="" if free > ROOM_BYTES_MIN else "Free some space.")
    yield from _readable_by_others(home)
    path = home / "soloist.db"
    if path.exists() and not given.database_url:
        yield _integrity(path)


def _readable_by_others(home: Path) -> Iterator[Finding]:
    """Say where letters, invoices or secrets can be read by whoever else has an account here: not broken, but worth a word."""
    for path in (home, home / ".env"):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH):
            remedy = f"If that is not meant: chmod {'700' if path.is_dir() else '600'} {path}"
            yield Finding(ok=True, what=f"{path} can be read by other users of this machine.", remedy=remedy)


def _can_be_made(home: Path) -> bool:
    above = next((folder for folder in home.parents if folder.exists()), None)
    return above is not None and above.is_dir() and os.access(above, os.W_OK | os.X_OK)


def examine_clock(database: Database, now: datetime) -> Finding:
    """Hold the machine's clock against history: what is dated in the future was written by a clock that was right, or is wrong."""
    with database.read() as connection:
        newest = connection.execute(select(func.max(events.c.at))).scalar()
    if newest is None or unstamp(newest) - now <= CLOCK_OFF_MAX:
        return Finding(ok=True, what=f"The clock says {now:%Y-%m-%d %H:%M} UTC, and history is older.")
    return Finding(
        ok=False,
        what=f"The clock says {now:%Y-%m-%d %H:%M} UTC, and history was already at {unstamp(newest):%Y-%m-%d %H:%M}.",
        remedy="Set the machine's clock (timedatectl set-ntp true): reminders, undo windows and Slack's signatures go by it.",
    )


def examine_arrivals(database: Database) -> Finding:
    """Say which kinds of input ever came from Slack: what its app has switched off, Slack tells nobody but by silence."""
    came, never = [], []
    with database.read() as connection:
        for begins, what, switch in SLACK_SWITCHES:
            ids = inbox.c.event_id.startswith(begins, autoescape=True)
            last = connection.execute(select(func.max(inbox.c.at)).where(inbox.c.platform == "slack", ids)).scalar()
            if last is None:
                never.append((what, switch))
            else:
                came.append(f"{what} (last {unstamp(last):%Y-%m-%d %H:%M} UTC)")
    so_far = f"slack: what came in so far: {', '.join(came) or 'nothing'}"
    if not never:
        return Finding(ok=True, what=f"{so_far}.")
    switches = "; ".join(f"{what}: {switch}" for what, switch in never)
    return Finding(
        ok=True,
        what=f"{so_far}; no {' and no '.join(what for what, _ in never)} yet.",
        remedy=f"If you did send some, look at api.slack.com/apps → {switches}. 'python -m bot slack manifest' has all of it.",
    )


def examine_company(given: Settings) -> Iterator[Finding]:
    """Say what an invoice would lack."""
    remedy = f"Write it into {given.home / 'company.toml'}; python -m bot company shows every line there can be."
    lacks = list(wanting(given.company))
    for what in lacks:
        yield Finding(ok=False, what=f"company.toml lacks {what}.", remedy=remedy)
    if not lacks:
        yield Finding(ok=True, what=f"{given.company['name']} has all that an invoice needs.")


def _integrity(path: Path) -> Finding:
    remedy = "Stop Soloist and restore the last good backup: python -m bot restore FILE."
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
        connection.close()
    except sqlite3.Error as error:
        return Finding(ok=False, what=f"{path} cannot be read: {error}.", remedy=remedy)
    if answer != "ok":
        return Finding(ok=False, what=f"{path} is damaged: {answer}", remedy=remedy)
    return Finding(ok=True, what="The database file is whole.")


def examine_history(database: Database, log: Log, rows: Rows) -> Iterator[Finding]:
    """Verify the hash chains and compare every projection with a rebuild."""
    try:
        broken = [str(error) for error in log.verify()]
        for text in broken:
            yield Finding(ok=False, what=text)
        if not broken:
            yield Finding(ok=True, what="Every line of history is as it was written.")
        different = compare(database, log, rows)
    except (UnknownEventError, StorageError) as error:
        yield Finding(ok=False, what=str(error))
        return
    for difference in different[:10]:
        yield Finding(ok=False, what=str(difference), remedy="Rebuild it from history: python -m bot replay --mend.")
    if not different:
        yield Finding(ok=True, what="Everything derived from history agrees with it.")

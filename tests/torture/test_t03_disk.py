"""T3: the disk is full, breaks, or cannot be written: never a false acknowledgement, and it goes on by itself.

SQLite itself is made to fail, at any of its commits: a cap on the file's pages (the disk is full), a cap on file sizes
of the process (an I/O error in the middle of a write), a connection that may only read. The platform delivers again
what was not acknowledged. In the end everything was done once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from bot import cli, executor, runner
from bot.channels.base import NotWrittenError
from bot.testing import OPERATOR, PLACE
from memory.database import Database, StorageError
from tests.torture.bare import BareHouse, Found, broken, no_delay

KINDS = ("full", "read-only", "i/o")
WORDS = {"full": "full", "read-only": "cannot be written", "i/o": "broke off"}


class Disk:
    """Fails some of the commits of a database, in SQLite's own way."""

    def __init__(self, database: Database, home: Path) -> None:
        self.left = 0  # commits that still fail, from now
        self.later = 0  # likewise, armed by the provider when it has acted
        self.kind = ""
        self.failed = 0
        self._home = home
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        database.before_commit.insert(0, self._before)

    def _before(self, connection: Connection) -> None:
        if not self.left and not self.later:
            return
        if self.left:
            self.left -= 1
        else:
            self.later -= 1
        self.failed += 1
        match self.kind:
            case "full":
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
                try:
                    connection.exec_driver_sql("INSERT INTO meta VALUES ('room', hex(zeroblob(5000000)))")
                finally:
                    connection.exec_driver_sql("PRAGMA max_page_count=1073741823")
            case "read-only":
                connection.exec_driver_sql("PRAGMA query_only=ON")
                try:
                    connection.exec_driver_sql("INSERT INTO meta VALUES ('room', '')")
                finally:
                    connection.exec_driver_sql("PRAGMA query_only=OFF")
            case "i/o":
                size = (self._home / "soloist.db-wal").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (max(1, size), self._limits[1]))
                try:
                    # More than the log has room for: after a checkpoint it is written again from its beginning.
                    connection.exec_driver_sql(f"INSERT INTO meta VALUES ('room', hex(zeroblob({size + 5_000_000})))")
                    connection.exec_driver_sql("COMMIT")
                finally:
                    # Here and nowhere else: another thread that lifted it would let this very write through.
                    resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    @contextlib.contextmanager
    def failing(self, kind: str, commits: int) -> Iterator[None]:
        self.kind, self.left = kind, commits
        try:
            yield
        finally:
            self.left = 0


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    with broken(runner, "LAUNCH_AGAIN_S", 0.002), broken(executor, "WRITE_AGAIN_S", 0.002):  # type: ignore[arg-type]
        async with BareHouse(folder / "home", policy=no_delay()) as house:
            disk = Disk(house.machine.database, house.home)
            number = 0
            while disk.failed < count:
                number += 1
                await _wish(house, disk, number, chance, found)
            found.counts["injections"] = disk.failed
            found.faults += house.wrong()
    return found


async def _until_taken(attempt: Any, disk: Disk, kind: str, commits: int, found: Found) -> str:
    """Deliver until it is acknowledged, as a platform does."""
    with disk.failing(kind, commits):
        for _ in range(20):
            before = disk.failed
            try:
                return str(await attempt())
            except NotWrittenError as error:
                found.counts[kind] += 1
                found.expect(WORDS[kind] in str(error), f"{kind} is told as: {error}")
                found.expect(disk.failed > before, "refused without a cause")
    raise AssertionError("it never took it")


async def _wish(house: BareHouse, disk: Disk, number: int, chance: random.Random, found: Found) -> None:
    body, kind = f"disk-{number}", chance.choice(KINDS)
    text = f"ask {chance.choice(('post', 'book', 'send'))} body={body}"

    async def hear() -> str:
        task = await house.runner.heard(f"h{number}", text, OPERATOR, PLACE)
        with house.machine.database.read() as connection:
            row = connection.exec_driver_sql("SELECT count(*) FROM inbox WHERE event_id = ?", (f"h{number}",)).scalar()
        found.expect(row == 1, f"{body}: acknowledged, and not on disk")
        return task

    task = await _until_taken(hear, disk, kind, chance.randint(0, 2), found)
    with disk.failing(kind, chance.randint(0, 2)):  # the answers of reader and agent
        await house.runner.settled()
        await _quiet(house)
    card = house.runner.card(f"{task}.1")
    found.expect(card is not None and card.state == "pending", f"{body}: no card")
    handle, _ = house.button("Approve", f"{task}.1")

    async def press() -> str:
        return await house.runner.pressed(f"p{number}", handle, "approve", OPERATOR, PLACE)

    # Some of these fall on the press itself, some on what came of the effect, when the world was already touched.
    house.provider.after.append(lambda: setattr(disk, "later", chance.randint(0, 2)))
    reply = await _until_taken(press, disk, kind, chance.choice((0, 0, 1)), found)
    disk.kind = kind
    await _quiet(house)
    disk.later = 0
    await _quiet(house)
    found.expect(reply == "Approved.", f"{body}: {reply}")
    found.expect(house.done(body) == 1, f"{body} ({kind}): happened {house.done(body)} times")
    status = [effect.status for effect in house.runner.state_now(int(task)).effects.values()]
    found.expect(status == ["confirmed"], f"{body}: believed {status}")


async def _quiet(house: BareHouse) -> None:
    """Wait until what was put off is done: it comes back by itself."""
    for _ in range(200):
        await house.runner.settled()
        with house.machine.database.read() as connection:
            if not connection.exec_driver_sql("SELECT count(*) FROM orders WHERE due = ''").scalar():
                return
        await asyncio.sleep(0.002)


async def test_a_disk_that_fails_anywhere_loses_nothing_and_does_nothing_twice(yard: Path) -> None:
    found = await torture(yard, 50, 3)
    assert not found.faults, found
    assert {found.counts[kind] > 0 for kind in KINDS} == {True}, found


# ── what the operator reads when the house cannot be opened ───────────────────────────────────────────────────────


@dataclass
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Soloist = Callable[..., Ended]


@pytest.fixture
def soloist(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Soloist:
    """Run the command line as an operator does."""

    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level

    def run(home: Path, *arguments: str, **environment: str) -> Ended:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("SMTP", "MAIL", "IMAP", "SOLOIST"))]:
                patch.delenv(name)
            for name, value in {"SOLOIST_HOME": str(home), **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main(arguments)
        logging.getLogger().handlers, logging.getLogger().level = list(handlers), level
        out = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out.out, out.err)

    return run


def test_a_damaged_database_is_one_sentence_that_says_what_to_do(yard: Path, soloist: Soloist) -> None:
    home = yard / "home"
    home.mkdir()
    (home / "soloist.db").write_bytes(b"this is not a database, it only looks like a file" * 100)
    for command in (("stuck",), ("replay",), ("run", "--no-demo")):
        ended = soloist(home, *command, SOLOIST_PORT="0")
        assert ended.returncode == 1, ended
        assert "Traceback" not in ended.stderr
        assert "is damaged" in ended.stderr
        assert "restore" in ended.stderr
    seen = soloist(home, "doctor")
    assert seen.returncode == 1
    assert "restore the last good backup" in seen.stdout


def test_a_damaged_page_in_the_middle_is_found_by_doctor(yard: Path, soloist: Soloist) -> None:
    home = yard / "home"
    with Database.open(home) as database:
        database.write_now(
            lambda tx: [tx.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", (f"k{n}", "x" * 500)) for n in range(200)]
        )
    path = home / "soloist.db"
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(os.urandom(9000))
    seen = soloist(home, "doctor")
    assert seen.returncode == 1
    assert "BAD" in seen.stdout
    assert "restore the last good backup" in seen.stdout


def test_a_home_that_cannot_be_written_says_so(yard: Path, soloist: Soloist) -> None:
    with pytest.raises(StorageError, match=r"cannot be (written|opened)|Make it writable|folder exists"):
        Database.open(Path("/proc/soloist"))
    (yard / "file").write_text("x")
    with pytest.raises(StorageError, match="folder"):
        Database.open(yard / "file" / "home")
    ended = soloist(Path("/proc/soloist"), "stuck")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_a_missing_or_senseless_secret_stops_the_start_with_its_name(yard: Path, soloist: Soloist) -> None:
    for environment, words in (
        ({"SMTP_HOST": "127.0.0.1"}, "MAIL_FROM"),
        ({"SMTP_HOST": "127.0.0.1", "MAIL_FROM": "me@a.example", "SMTP_PORT": "many"}, "SMTP_PORT"),
        ({"SMTP_HOST": "127.0.0.1", "MAIL_FROM": "me@a.example", "SMTP_SECURITY": "maybe"}, "SMTP_SECURITY"),
        ({"SOLOIST_PORT": "console"}, "SOLOIST_PORT"),
    ):
        ended = soloist(yard / "home", "run", "--no-demo", **{"SOLOIST_PORT": "0", **environment})
        assert ended.returncode == 1, (environment, ended.stdout, ended.stderr)
        assert words in ended.stderr
        assert "Traceback" not in ended.stderr

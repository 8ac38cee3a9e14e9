"""T2: the power goes at any byte. What was acknowledged is there, the file is whole, and nothing is done twice.

Photographs of the home are taken while the house works, also from within a commit: database and write-ahead log as they
lie on the disk. Then the commits behind the last acknowledged one reach the disk in part: cut at any byte, as zeros, as
rubbish. A new house must open it, know everything it had promised, and do nothing again that was done.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bot.chronicle import replayed
from bot.testing import PaperProvider
from connectors.base import Json
from memory.database import Database
from memory.log import Log, inbox
from memory.replay import compare
from tests.torture.bare import BareHouse, Found, no_delay

POINTS_A_HOUSE = 25
WAL, DB = "soloist.db-wal", "soloist.db"


@dataclass(frozen=True)
class Photograph:
    """The home at one instant, and what had been promised by then."""

    folder: Path
    promised: frozenset[str]  # event ids that were acknowledged
    synced: int  # bytes of the write-ahead log that the last acknowledgement stood on
    done: tuple[tuple[str, dict[str, Json]], ...]  # effects the provider had taken


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    left = count
    while left > 0:
        points = min(left, POINTS_A_HOUSE)
        photographs = await _live(folder / f"house{left}", points, chance)
        for each, following in zip(photographs, [*photographs[1:], None], strict=True):
            await _after(each, following, chance, found)
        left -= points
        shutil.rmtree(folder / f"house{left + points}", ignore_errors=True)
    return found


async def _live(folder: Path, points: int, chance: random.Random) -> list[Photograph]:
    taken: list[Photograph] = []
    promised: set[str] = set()
    home = folder / "home"
    async with BareHouse(home, policy=no_delay()) as house:

        def photograph() -> None:
            target = folder / f"photo{len(taken)}"
            target.mkdir(parents=True)
            synced = _size(home / WAL)
            before = frozenset(promised)
            for name in (DB, WAL):
                if (home / name).exists():
                    shutil.copyfile(home / name, target / name)
            taken.append(Photograph(target, before, synced, tuple(house.provider.accepted)))

        database = house.machine.database
        for number in range(points):
            # Also from within a commit: statements are in the log's tail, their commit is not.
            hook = chance.random() < 0.5
            if hook:
                database.before_commit.append(lambda _: photograph() if len(taken) == number else None)  # noqa: B023
            task = await house.operator(
                f"ask {chance.choice(('post', 'send'))} body=p{number}", event_id=f"hear{number}"
            )
            promised.add(f"hear{number}")
            if chance.random() < 0.7:
                await house.press("Approve", f"{task}.1", event_id=f"press{number}")
                promised.add(f"press{number}")
            if hook:
                database.before_commit.pop()
            if len(taken) <= number:
                photograph()
    return taken


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tear(photo: Photograph, following: Photograph | None, chance: random.Random) -> str:
    """Let the next commit's bytes reach the disk in part, as a power cut may: cut off, as zeros, as rubbish, or whole.

    What lies in the log up to `Photograph.synced` was promised and is left alone.
    """
    path = photo.folder / WAL
    if following is None or not _same_log(photo, following):
        return "between two logs"
    shutil.copyfile(following.folder / WAL, path)
    size = _size(path)
    if size <= photo.synced:
        return "nothing more was written"
    how = chance.choice(("cut", "cut", "rubbish", "zeros", "whole"))
    at = chance.randrange(photo.synced, size)
    with path.open("r+b") as stream:
        if how == "cut":
            stream.truncate(at)
        elif how in {"rubbish", "zeros"}:
            stream.seek(at)
            stream.write(chance.randbytes(size - at) if how == "rubbish" else bytes(size - at))
    return how


def _same_log(one: Photograph, other: Photograph) -> bool:
    """Whether no checkpoint lies between two photographs: the same log, further on, over the same database file."""
    heads = [(each.folder / WAL).read_bytes()[:32] if (each.folder / WAL).exists() else b"" for each in (one, other)]
    return heads[0] == heads[1] != b"" and (one.folder / DB).read_bytes() == (other.folder / DB).read_bytes()


async def _after(photo: Photograph, following: Photograph | None, chance: random.Random, found: Found) -> None:
    found.counts[_tear(photo, following, chance)] += 1
    where = f"{photo.folder.parent.name}/{photo.folder.name}"
    with sqlite3.connect(photo.folder / DB) as raw:
        answer = raw.execute("PRAGMA integrity_check").fetchall()
    raw.close()
    found.expect(answer == [("ok",)], f"{where}: {answer[:3]}")
    with Database.open(photo.folder) as database:
        log = Log(database)
        with database.read() as connection:
            kept = {row.event_id for row in connection.execute(inbox.select())}
        found.expect(photo.promised <= kept, f"{where}: lost {sorted(photo.promised - kept)}")
        wrong = [*map(str, log.verify()), *map(str, compare(database, log, replayed))]
        found.expect(not wrong, f"{where}: {wrong[:3]}")
    await _goes_on(photo, where, found)
    found.counts["points"] += 1


async def _goes_on(photo: Photograph, where: str, found: Found) -> None:
    """The house comes back beside a provider that knows what it had done by then: nothing is done a second time."""
    provider = PaperProvider()
    provider.accepted = list(photo.done)
    async with BareHouse(photo.folder, policy=no_delay(), provider=provider) as house:
        await house.later(hours=2)
        twice = [body for _, args in provider.accepted if house.done(body := str(args["body"])) > 1]
        found.expect(not twice, f"{where}: done twice: {twice}")
        found.expect(not house.wrong(), f"{where}: {house.wrong()[:3]}")


async def test_nothing_acknowledged_is_lost_when_the_power_goes(yard: Path) -> None:
    found = await torture(yard, 20, 2)
    assert not found.faults, found


async def test_a_house_goes_on_from_a_torn_log(yard: Path) -> None:
    """The photograph of a working house is moved into, and what was waiting is approved there once."""
    photo, following = await _live(yard, 2, random.Random(1))
    assert _same_log(photo, following)
    shutil.copyfile(following.folder / WAL, photo.folder / WAL)
    os.truncate(photo.folder / WAL, _size(following.folder / WAL) - 1)
    async with BareHouse(photo.folder, policy=no_delay()) as house:
        task = await house.operator("ask post body=after")
        assert await house.press("Approve", f"{task}.1") == "Approved."
        assert house.done("after") == 1
        assert house.wrong() == []

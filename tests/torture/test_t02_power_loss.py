"""T2: the power goes at any byte. What was acknowledged is there, the file is whole, and nothing is done twice.

A photograph of the home is taken from another thread while the house works: database and write-ahead log as they lie on
the disk. Then the write-ahead log is cut at any byte behind the last commit that was acknowledged, or its tail is
filled with rubbish, as a torn write leaves it. A new house must open it.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bot.runner import replayed
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
    done: int  # effects the provider had taken


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    chance = random.Random(seed)
    left = count
    while left > 0:
        points = min(left, POINTS_A_HOUSE)
        photographs = await _live(folder / f"house{left}", points, chance)
        for each in photographs:
            await _after(each, chance, found)
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
            taken.append(Photograph(target, before, synced, len(house.provider.accepted)))

        database = house.machine.database
        for number in range(points):
            # Also from within a commit: statements are in the log's tail, their commit is not.
            hook = chance.random() < 0.5
            if hook:
                database.before_commit.append(lambda _: photograph() if len(taken) == number else None)  # noqa: B023
            task = await house.operator(f"ask {chance.choice(('post', 'send'))} body=p{number}", event_id=f"hear{number}")
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


def _tear(photo: Photograph, chance: random.Random) -> str:
    """Do to the write-ahead log what a power cut may do to bytes that nobody was told are safe."""
    path = photo.folder / WAL
    size = _size(path)
    if size <= photo.synced:
        return "whole"
    how = chance.choice(("cut", "rubbish", "zeros", "whole"))
    at = chance.randrange(photo.synced, size)
    with path.open("r+b") as stream:
        if how == "cut":
            stream.truncate(at)
        elif how in {"rubbish", "zeros"}:
            stream.seek(at)
            stream.write(chance.randbytes(size - at) if how == "rubbish" else bytes(size - at))
    return how


async def _after(photo: Photograph, chance: random.Random, found: Found) -> None:
    found.counts[_tear(photo, chance)] += 1
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
    found.counts["points"] += 1


async def test_nothing_acknowledged_is_lost_when_the_power_goes(yard: Path) -> None:
    found = await torture(yard, 20, 2)
    assert not found.faults, found


async def test_a_house_goes_on_from_a_torn_log(yard: Path) -> None:
    """The photograph of a working house is moved into, and what was waiting is approved there once."""
    (photo, *_) = await _live(yard, 1, random.Random(1))
    wal = photo.folder / WAL
    os.truncate(wal, max(0, _size(wal) - 1)) if _size(wal) > photo.synced else None
    async with BareHouse(photo.folder, policy=no_delay()) as house:
        task = await house.operator("ask post body=after")
        assert await house.press("Approve", f"{task}.1") == "Approved."
        assert house.done("after") == 1
        assert house.wrong() == []

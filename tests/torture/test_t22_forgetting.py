"""T22: people are forgotten, and no byte of them is left: database, write-ahead log, index, Redis, exports, files.

The judge reads bytes, not rows: every file in the home and every value in Redis is searched for every trace of the
person, in the case and encodings in which they may stand. Before that, an export must hold all of it.

Then the same with kill -9 before every touch of the disk that a forgetting makes (`tests.torture.forgetter`): the house
comes back and ends it, nothing else is lost, and neither a rebuild nor a backup from before brings a word back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.chronicle import replayed
from bot.testing import MORNING, PaperHouse
from connectors.base import Incoming
from memory.archive import backup, export, restore
from memory.context import Context
from memory.replay import compare
from tests.memory.paper_embedder import PaperEmbedder
from tests.torture.bare import Found


@dataclass(frozen=True)
class Person:
    """Somebody, and the words by which a trace of them is known."""

    name: str
    address: str
    secret: str  # said in a mail of theirs: gone with the mail
    noted: str  # said about them by the operator: gone because it names them

    @property
    def traces(self) -> tuple[str, ...]:
        return (self.name, self.address, self.secret, self.name.replace(" ", "-").lower())


PEOPLE = (
    Person(
        "Bob Miller", "bob.miller@acme.example", "my knee operation is in quarrelwood", "Bob Miller prefers mornings"
    ),
    Person("Eva Løvborg", "eva@fjord.example", "we plan to sell zirconfield quietly", "Eva Løvborg decides at Fjord"),
    Person("Zhang Wei", "wei@harbour.example", "the price must stay under tamarisk", "Zhang Wei speaks German"),
    Person(
        "Ann-Marie O'Neill", "amo@dublin.example", "please say nothing to hollyhock", "Ann-Marie O'Neill is on leave"
    ),
    Person("Ümit Şahin", "umit@kordon.example", "call me about velvetmoss", "Ümit Şahin pays in cash"),
)


FIRST = ("Bob", "Ümit", "Zhang", "Ann-Marie", "Eva", "Søren", "Łukasz", "Renée")
LAST = ("Miller", "Şahin", "Wei", "O'Neill", "Løvborg", "Ångström", "Żółć", "Dupont")


def people(count: int, chance: random.Random) -> list[Person]:
    """Return people: the five, then others whose words are drawn."""
    found = list(PEOPLE[:count])
    for number in range(len(found), count):
        name = (
            f"{chance.choice(FIRST)} {chance.choice(LAST)}{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10 % 10]}"
        )
        word = "".join(chance.choices("bcdfgklmnprstvz", k=10))
        found.append(
            Person(
                name, f"p{number}.{word[:5]}@outside.example", f"please keep {word} to yourself", f"{name} likes tea"
            )
        )
    return found


@pytest_asyncio.fixture
async def lived_in(tmp_path: Path) -> AsyncIterator[PaperHouse]:
    """A house in which all five wrote, were noted, asked about and exported."""
    async with lived(tmp_path, PEOPLE) as house:
        yield house


@contextlib.asynccontextmanager
async def lived(folder: Path, several: Sequence[Person], *, redis: bool = True) -> AsyncIterator[PaperHouse]:
    """A house in which these people wrote, were noted and asked about."""
    context = Context("" if redis else "none", folder / "home" / "valkey", timeout_s=60.0)
    async with PaperHouse(folder / "home", embedder=PaperEmbedder(), context=context) as house:
        if redis:
            await _until_up(context)
        for number, person in enumerate(several):
            await house.operator(f"remember that {person.noted}")
            if house.channel.words[-1].startswith("Does this replace"):  # of a namesake it is asked
                await house.press("Keep both")
            await house.operator(f"I met {person.name} yesterday at the fair")
            text = f"Hello, {person.secret}. Kind regards, {person.name}"
            address = {"name": person.name, "address": person.address}
            data: dict[str, Any] = {
                "message_id": f"<m{number}@mail.example>",
                "from": address,
                "to": [],
                "subject": "A question",
                "text": text,
            }
            await house.runner.arrived(
                Incoming("mail", "me@company.example", f"m{number}", "mail", MORNING, data, text)
            )
            await house.runner.settled()
            await house.operator(f"/recall {person.name}")
            await house.remembered()
        await house.operator("remember that the logo is green")
        await house.remembered()
        yield house


async def _until_up(context: Context) -> None:
    assert await context.start()


def probe(home: Path, trace: str) -> Iterator[str]:
    """Yield where the bytes of a trace stand."""
    wanted = {way.encode() for way in (trace, trace.lower(), trace.upper(), trace.casefold())}
    escaped = trace.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
    for path in sorted(home.rglob("*")):
        if path.is_file() and any(way in path.read_bytes() for way in (*wanted, escaped)):
            yield path.relative_to(home).as_posix()


async def in_redis(context: Context, trace: str) -> list[str]:
    client = context._client
    found = []
    async for key in client.scan_iter(match="*"):
        kind = await client.type(key)
        value = await {"hash": client.hgetall, "string": client.get}.get(kind, lambda key: client.lrange(key, 0, -1))(
            key
        )
        if trace in repr(value):
            found.append(key)
    return found


async def forget(house: PaperHouse, name: str) -> None:
    await house.operator(f"forget {name}")
    assert await house.press("Approve") == "Approved."
    await house.remembered()
    house.expects("Forgotten: ")


async def torture(folder: Path, count: int, seed: int) -> Found:
    """Forget ``count`` people, five to a house, then one ``count`` times with a kill on the way."""
    found, chance = Found(seed), random.Random(seed)
    everybody = people(count, chance)
    for start in range(0, count, 5):
        place = folder / f"house{start}"
        async with lived(place, everybody[start : start + 5]) as house:
            await _forgotten(house, everybody[start : start + 5], found)
        shutil.rmtree(place)
    await kills(folder / "killed", count, chance, found)
    return found


async def _forgotten(house: PaperHouse, several: Sequence[Person], found: Found) -> None:
    home, context = house.home, house.machine.remembering.context  # type: ignore[union-attr]
    export(house.machine.database, home / "exports" / "before")
    exported = b"".join(path.read_bytes() for path in (home / "exports" / "before").iterdir()).decode()
    for person in several:
        # The twin of the probe: before, it finds them everywhere, so what it does not find after is gone.
        there = {*probe(home, person.name), *probe(home, person.secret)}
        found.expect("exports/before/memory.jsonl" in there, f"the probe did not see {person.name}")
        for trace in (person.name, person.secret, person.noted, person.address):
            found.expect(trace in exported, f"the export lacks {trace!r}")
        found.expect(await in_redis(context, person.name), f"{person.name} was never in Redis")
    for person in several:
        await forget(house, person.name)
        found.counts["forgotten"] += 1
    for person in several:
        for trace in person.traces:
            left = [*probe(home, trace), *await in_redis(context, trace)]
            found.expect(not left, f"{trace!r} stands in {left}")
    await says_nothing(house, several)


async def test_five_people_are_forgotten_without_a_trace(lived_in: PaperHouse) -> None:
    found = Found()
    await _forgotten(lived_in, PEOPLE, found)
    assert not found.faults, str(found)


# ── killed on the way ─────────────────────────────────────────────────────────────────────────────────────────────

VICTIM = PEOPLE[0]
LAST_STEPS = 3


async def kills(folder: Path, count: int, chance: random.Random, found: Found) -> None:
    """Forget somebody in a child that is killed before a touch of the disk, ``count`` times, each time in a fresh home."""
    async with lived(folder / "whole", PEOPLE[:2], redis=False) as house:
        (house.home / "outbox").mkdir(exist_ok=True)
        (house.home / "outbox" / "note.eml").write_text(f"To: {VICTIM.address}\n\nHello {VICTIM.name}.\n")
        archive = backup(house.machine.database, house.home, folder / "backups", house.clock())
        await house.operator(f"forget {VICTIM.name}")
        card = next(each.id for each in house.machine.history.waiting() if "forget" in each.title.lower())
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.torture.forgetter", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert (await child.stdout.readline()).strip() == b"ready"
        steps = 0
        for number in range(-1, count):
            home = folder / f"life{number}" / "home"
            shutil.copytree(folder / "whole" / "home", home)
            at = -1 if number < 0 else round((number + chance.random()) * steps / count) % steps
            child.stdin.write(f"{home} {card} {at}\n".encode())
            told, how = (await child.stdout.readline()).decode().split()
            if number < 0:
                steps = int(told)
                found.expect(how == "ended" and steps > 10, f"the whole life had {told} steps and {how}")
            else:
                # The index is saved once more or less from one life to the next: of the last steps some are not there.
                found.expect(how == "killed" or at >= steps - LAST_STEPS, f"step {at} of {steps}: {how}")
                found.counts["kills"] += how == "killed"
            await _came_back(home, archive, card, at, found)
            shutil.rmtree(folder / f"life{number}")
    finally:
        child.stdin.close()
        await child.wait()


async def _came_back(home: Path, archive: Path, card: str, at: int, found: Found) -> None:
    house = PaperHouse(home, embedder=PaperEmbedder())
    house.clock.at += timedelta(minutes=30)  # nobody was there meanwhile
    async with house:
        if card in {each.id for each in house.machine.history.waiting()}:
            await house.operator(
                f"approve {card}", event_id="again"
            )  # killed before the press was written: the operator presses again
        await house.later(minutes=30)
        await house.remembered()
        await _nothing_left(house, f"killed at {at}", found)
    restore(archive, home, lambda _: [])
    shutil.rmtree(home.with_name("home-before-restore-1"))
    async with PaperHouse(home, embedder=PaperEmbedder()) as house:
        await house.remembered()
        await _nothing_left(house, f"killed at {at}, then restored", found)


async def _nothing_left(house: PaperHouse, when: str, found: Found) -> None:
    memory = house.machine.remembering.memory  # type: ignore[union-attr]
    memory.rebuild()
    memory.wait_ready()
    memory.scrub()
    kept = [hit.record.text for hit in memory.recall("the logo is green", k=1)]
    found.expect(kept == ["the logo is green"], f"{when}: lost what nobody forgot ({kept})")
    others = [hit.record.text for hit in memory.recall(PEOPLE[1].noted, k=1)]
    found.expect(others == [PEOPLE[1].noted], f"{when}: lost another person ({others})")
    found.expect(list(house.machine.log.verify()) == [], f"{when}: the chain is broken")
    different = compare(house.machine.database, house.machine.log, replayed)
    found.expect(different == [], f"{when}: {different[:2]}")
    for trace in VICTIM.traces:
        left = list(probe(house.home, trace))
        found.expect(not left, f"{when}: {trace!r} stands in {left}")


async def test_whatever_step_is_the_last_it_is_forgotten_in_the_end(tmp_path: Path) -> None:
    found = Found(22)
    await kills(tmp_path, 5, random.Random(22), found)
    assert not found.faults, str(found)
    assert found.counts["kills"] >= 4


async def says_nothing(house: PaperHouse, several: Sequence[Person] = PEOPLE) -> None:
    """Nothing comes back: not by asking, not after a rebuild of the index, a replay of history or a restart."""
    memory = house.machine.remembering.memory  # type: ignore[union-attr]
    memory.rebuild()
    memory.wait_ready()
    assert [hit.record.text for hit in memory.recall("the logo is green", k=1)] == ["the logo is green"]
    assert list(house.machine.log.verify()) == []
    await house.restart()
    await house.remembered()
    again = "".join(
        hit.record.text for hit in house.machine.remembering.memory.recall("fair yesterday mornings operation")
    )  # type: ignore[union-attr]
    assert not any(person.name in again or person.secret in again for person in several)


async def test_the_negative_twin_deleting_the_rows_alone_leaves_traces(lived_in: PaperHouse) -> None:
    person = PEOPLE[0]
    lived_in.machine.remembering.memory.forget(person=person.name)  # type: ignore[union-attr]
    assert list(probe(lived_in.home, person.secret)), "history was not erased, and the probe did not see it"


@pytest.mark.parametrize("trace", ["a b", "Løv"])
def test_the_probe_reads_bytes(tmp_path: Path, trace: str) -> None:
    (tmp_path / "f").write_bytes(b"x" + trace.encode() + b"y")
    assert list(probe(tmp_path, trace)) == ["f"]
    assert list(probe(tmp_path, "nobody")) == []

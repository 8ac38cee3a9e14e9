"""T22: five people are forgotten, and no byte of them is left: database, write-ahead log, index, Redis, exports, files.

The judge reads bytes, not rows: every file in the home and every value in Redis is searched for every trace of the
person, in the case and encodings in which they may stand. Before that, an export must hold all of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.testing import MORNING, PaperHouse
from connectors.base import Incoming
from memory.archive import export
from memory.context import Context
from tests.memory.paper_embedder import PaperEmbedder


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


@pytest_asyncio.fixture
async def lived_in(tmp_path: Path) -> AsyncIterator[PaperHouse]:
    """A house in which all five wrote, were noted, asked about and exported."""
    context = Context("", tmp_path / "home" / "valkey")
    async with PaperHouse(tmp_path / "home", embedder=PaperEmbedder(), context=context) as house:
        await _until_up(context)
        for number, person in enumerate(PEOPLE):
            await house.operator(f"remember that {person.noted}")
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


async def test_five_people_are_forgotten_without_a_trace(lived_in: PaperHouse) -> None:
    home, context = lived_in.home, lived_in.machine.remembering.context  # type: ignore[union-attr]
    export(lived_in.machine.database, home / "exports" / "before")
    exported = b"".join(path.read_bytes() for path in (home / "exports" / "before").iterdir()).decode()
    for person in PEOPLE:
        # The twin of the probe: before, it finds them everywhere, so what it does not find after is gone.
        assert {"soloist.db", "exports/before/memory.jsonl"} <= {
            *probe(home, person.name),
            *probe(home, person.secret),
        } | {"soloist.db"}
        assert all(trace in exported for trace in (person.name, person.secret, person.noted, person.address))
        assert await in_redis(context, person.name)
    for person in PEOPLE:
        await forget(lived_in, person.name)
    left = {
        (trace, where)
        for person in PEOPLE
        for trace in person.traces
        for where in [*probe(home, trace), *await in_redis(context, trace)]
    }
    assert not left
    await says_nothing(lived_in)


async def says_nothing(house: PaperHouse) -> None:
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
    assert not any(person.name in again or person.secret in again for person in PEOPLE)


async def test_the_negative_twin_deleting_the_rows_alone_leaves_traces(lived_in: PaperHouse) -> None:
    person = PEOPLE[0]
    lived_in.machine.remembering.memory.forget(person=person.name)  # type: ignore[union-attr]
    assert list(probe(lived_in.home, person.secret)), "history was not erased, and the probe did not see it"


@pytest.mark.parametrize("trace", ["a b", "Løv"])
def test_the_probe_reads_bytes(tmp_path: Path, trace: str) -> None:
    (tmp_path / "f").write_bytes(b"x" + trace.encode() + b"y")
    assert list(probe(tmp_path, trace)) == ["f"]
    assert list(probe(tmp_path, "nobody")) == []

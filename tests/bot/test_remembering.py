"""Long-term memory follows history: many lines at a time, in quiet moments, and what it answers is never old."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime, timedelta

import pytest

from bot.lessons import placed
from bot.remembering import LINES_MAX, QUEUE_MAX, Remembering
from memory.context import Context
from memory.database import Database, StorageError
from memory.events import Actor, Ended, MessageReceived, Origin, Place
from memory.files import FileStore
from memory.line import GENESIS, Line, Ordered
from memory.log import Log
from memory.recall import Record, Scope
from tests.memory.paper_embedder import PaperEmbedder

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPERATOR = Actor(platform="web", user="local", origin=Origin.OPERATOR)
PLACE = Place(channel="web", conversation="main")


class Shelf(Context):
    """A short-term memory in a dict: what was put is found, and counted."""

    def __init__(self, folder):
        super().__init__("none", folder)
        self.kept = {}
        self.found = 0

    async def get(self, key):
        self.found += key in self.kept
        return self.kept.get(key)

    async def put(self, key, value, ttl_s):
        assert ttl_s > 0
        self.kept[key] = value


def line(n, event):
    return Line(n, 1, NOON + timedelta(seconds=n), "operator", f"e{n}", event, Ordered(), b"", n)


def said(n, text):
    return line(n, MessageReceived(text=text, actor=OPERATOR, place=PLACE))


@contextlib.asynccontextmanager
async def remembering(home, *, embedder=None, context=None, ready=True):
    """A memory that follows history until the block ends."""
    with Database.open(home) as database:
        Log(database)
        made = Remembering(
            database,
            home,
            FileStore(home / "files"),
            context or Context("none", home),
            embedder=embedder if callable(embedder) else lambda: embedder,
            now=lambda: NOON,
        )
        told = made.told = []

        async def tell(text):
            told.append(text)

        running = asyncio.ensure_future(made.run(tell))
        try:
            if ready:
                await made.caught_up()
            yield made
            assert told == []
        finally:
            running.cancel()
            await asyncio.wait([running])


async def until(holds):
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - the thread that makes vectors tells nobody
            await asyncio.sleep(0.01)


# ── many lines at a time ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_burst_is_one_write_and_every_turn_has_its_place(tmp_path) -> None:
    async with remembering(tmp_path) as made:
        before = made.database.commits
        for n in range(1, LINES_MAX + 1):
            made.seen([said(n, f"the lamp number {n} is broken"), line(n + 10_000, Ended(how="done", summary=""))])
        await made.caught_up()
        assert made.database.commits - before == 1
        with made.database.read() as tx:
            places = tx.exec_driver_sql("SELECT position FROM recollections ORDER BY id").fetchall()
        assert [place for (place,) in places] == list(range(1, LINES_MAX + 1))
        made.seen([said(20_000, "and the door squeaks")])
        await made.caught_up()
        (hit,) = made.memory.recall("door squeaks", k=1)
        assert hit.record.position == LINES_MAX + 1


async def test_lines_that_teach_nothing_are_not_written_down(tmp_path) -> None:
    async with remembering(tmp_path) as made:
        before = made.database.commits
        made.seen([line(n, Ended(how="done", summary="")) for n in range(1, 50)])
        await made.caught_up()
        assert made.database.commits == before


async def test_more_than_the_queue_holds_is_read_from_history(tmp_path) -> None:
    async with remembering(tmp_path) as made:
        made._lines = [said(n, "x") for n in range(QUEUE_MAX)]
        made.seen([said(QUEUE_MAX + 1, "one too many")])
        assert made._rescan


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_line_that_is_read_and_seen_is_one_line(tmp_path, guarded) -> None:
    """It was committed while history was read at the start. The twin forgets how far that went."""
    async with remembering(tmp_path) as made:
        log = Log(made.database)
        event = MessageReceived(text="the spare key is under the mat", actor=OPERATOR, place=PLACE)
        given = {"at": NOON, "actor": "operator", "cause": "e1", "ordered": Ordered()}
        written = log.transact(lambda tx: tx.append(tx.next_task(), 1, GENESIS, event, **given)).result()
        made._rescan = True
        made.seen([written])
        await made.caught_up()
        if not guarded:
            made._read = 0
        made.seen([written])
        await made.caught_up()
        assert len(made.memory.recall("spare key")) == (1 if guarded else 2)


def test_what_is_read_from_the_beginning_again_keeps_its_place(tmp_path) -> None:
    with Database.open(tmp_path) as database:
        Log(database)
        turns = [Record(f"turn {n}", thread="web:main", source=f"{n}:1") for n in range(3)]

        def keep(tx, *, again):
            from memory import recollections

            found = placed(tx, turns, again=again)
            recollections.insert(tx, found)
            return [record.position for record in found]

        assert database.write_now(lambda tx: keep(tx, again=True)) == [1, 2, 3]
        assert database.write_now(lambda tx: keep(tx, again=True)) == [1, 2, 3]
        # The twin: who does not look gives the same turns new places, and has them twice.
        assert database.write_now(lambda tx: keep(tx, again=False)) == [4, 5, 6]


# ── what was left to do ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_scrub_that_a_reader_stopped_is_done_with_the_next_thing_said(tmp_path) -> None:
    async with remembering(tmp_path) as made:
        made.memory.unscrubbed = True
        made.seen([said(1, "the kettle is blue")])
        await made.caught_up()
        assert not made.memory.unscrubbed


async def test_a_full_disk_in_that_scrub_is_told_and_memory_goes_on(tmp_path, monkeypatch) -> None:
    async with remembering(tmp_path) as made:
        real = made.memory.scrub
        full = [StorageError("The disk holding the house is full.")]
        monkeypatch.setattr("bot.remembering.RETRY_S", 0.01)
        monkeypatch.setattr(made.memory, "scrub", lambda: real() if not full else _raise(full.pop()))
        made.memory.unscrubbed = True
        made.seen([said(1, "the kettle is blue")])
        await until(lambda: not made.memory.unscrubbed)
        assert "disk holding the house is full" in made.told.pop()


async def test_who_waits_for_memory_waits_for_its_model_too(tmp_path) -> None:
    opens = threading.Event()
    async with remembering(tmp_path, embedder=lambda: opens.wait(120) and PaperEmbedder(), ready=False) as made:
        waiting = asyncio.ensure_future(made.caught_up())
        try:
            await until(made._idle.is_set)  # history is read, and the model is not there
            assert not waiting.done()
        finally:
            opens.set()
        await waiting
        assert not made.loading


def _raise(error):
    raise error


# ── vectors in a lull ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_vectors_wait_while_the_house_talks_and_come_in_a_lull(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bot.remembering.LULL_S", 3600.0)
    async with remembering(tmp_path, embedder=PaperEmbedder()) as made:
        await until(lambda: made.memory.ready)
        await made.caught_up()
        made.seen([said(1, "the kettle is blue")])
        await until(lambda: made.memory.recall("the kettle is blue"))
        assert made.memory.recall("kettle").pending == 1  # found by its words; its vector waits for a lull
        await made.caught_up()
        assert made.memory.recall("kettle").pending == 0, "and for no lull when somebody waits"
        monkeypatch.setattr("bot.remembering.LULL_S", 0.01)
        made.seen([said(2, "the teapot is green")])
        await until(lambda: made.memory.recall("the teapot is green", k=1)[0].record.text.endswith("green"))
        await until(lambda: made.memory.recall("teapot").pending == 0)


# ── answers that are kept for a while ─────────────────────────────────────────────────────────────────────────────


def note(text, client=""):
    return {"text": text, "client": client, "kind": "fact", "origin": "operator"}


async def texts(made, client="acme"):
    return [found.text for found in await made.recall("what does Acme pay", client, 5)]


async def test_an_answer_is_kept_until_something_is_written_where_it_came_from(tmp_path) -> None:
    shelf = Shelf(tmp_path)
    async with remembering(tmp_path, context=shelf) as made:
        await made.keep([note("Acme pays in 30 days", "acme")])
        first = await texts(made)
        assert (await texts(made), shelf.found) == (first, 1)
        await made.keep([note("Globex pays at once", "globex")])
        assert (await texts(made), shelf.found) == (first, 2), "another client's matters changed nothing here"
        await made.keep([note("Acme pays in dollars", "acme")])
        assert "Acme pays in dollars" in await texts(made)
        await made.keep([note("What anybody pays is rounded to cents")])
        assert len(await texts(made)) == 3
        assert shelf.found == 2


@pytest.mark.parametrize("how", ["retired", "replaced", "forgotten", "given a vector"])
async def test_no_change_of_any_kind_leaves_an_old_answer(tmp_path, how) -> None:
    shelf = Shelf(tmp_path)
    async with remembering(tmp_path, embedder=PaperEmbedder(), context=shelf) as made:
        await until(lambda: made.memory.ready)
        (id_,) = made.memory.remember([Record("Acme pays in 30 days", client="acme", key="acme/pays")])
        await texts(made)
        match how:
            case "retired":
                made.database.write_now(lambda tx: made.memory.retire(tx, "acme", "acme/pays", NOON))
            case "replaced":
                made.memory.supersede(id_, Record("Acme pays in 10 days", client="acme", origin=Origin.OPERATOR))
            case "forgotten":
                made.memory.forget([id_])
            case _:
                made.database.write_now(
                    lambda tx: made.memory.enlist(tx, [Record("Acme's payment hurry", client="acme")])
                )
                await texts(made)
                made.memory.drain()
        await texts(made)
        assert shelf.found == 0


async def test_twin_without_the_sequence_a_forgotten_word_would_be_answered(tmp_path) -> None:
    async with remembering(tmp_path, context=Shelf(tmp_path)) as made:
        (id_,) = made.memory.remember([Record("Acme pays in 30 days", client="acme")])
        made.memory.sequence = lambda _: "always"
        await texts(made)
        made.memory.forget([id_])
        assert await texts(made) == ["Acme pays in 30 days"]
        del made.memory.sequence
        assert await texts(made) == []


async def test_without_a_short_term_memory_nothing_is_kept_and_everything_found(tmp_path) -> None:
    async with remembering(tmp_path) as made:
        await made.keep([note("Acme pays in 30 days", "acme")])
        assert await texts(made) == await texts(made) == ["Acme pays in 30 days"]
        assert made.memory.recall("Acme pays", Scope(client="acme"))

"""Long-term memory inside the house: what was said becomes records, agents recall within a client, a loss is told.

The event log is the truth and memory follows it: each line of history that is worth remembering becomes records in one
write with the *bookmark*, the position up to which history was read, so that a killed process goes on where it was and
nothing is kept twice. The house never waits for any of this: lines are taken in many at a time and in quiet moments,
vectors are made a few at a time when nothing is said, and words answer meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from agents.base import Found
from bot.lessons import (
    CURATED,
    FACT,
    SEVERAL,
    TEACHING,
    Names,
    done_in,
    ends_a_fact,
    placed,
    record_of,
    records,
    within,
)
from connectors.base import Json
from memory import recollections as rows_of
from memory.condense import condense_old
from memory.context import AWAY, WINDOW, Context, Turn
from memory.database import Database, StorageError
from memory.embed import Embedder
from memory.events import MessageReceived, Origin, Recorded, Said
from memory.files import FileStore
from memory.line import Line
from memory.log import events, read_line
from memory.projections import Books
from memory.recall import Hit, Hits, Known, Memory, Record, RecordError, Scope

__all__ = ["FACT", "SEVERAL", "Names", "RememberError", "Remembering", "record_of", "within"]

log = logging.getLogger("soloist.remembering")

START_AGAIN = timedelta(seconds=30)  # after the short-term memory was lost, and not while nobody says anything
CONDENSE_AFTER = timedelta(days=30)  # since the last word of a thread
RETRY_S = 30.0  # after a write that failed
GATHER_S = 1.0  # lines come in bursts, and one write for all of them costs as much as for one
LULL_S = 0.5  # vectors wait until nothing was said for this long
LATE_S = 30.0  # and in a house that is never quiet, a few are made this often
TURN_MAX_S = 5.0  # what was said is remembered this soon also while the house is busy
LINES_MAX = 250  # in one write: 15 ms, which others wait for the writer
VECTORS_AT_ONCE = 32  # texts: 0.1 s, after which the house is looked at again
READ_MAX = 10_000  # lines read from history at a time, 20 MB: each time all of it is looked through
QUEUE_MAX = 10_000  # lines that wait in memory; what is beyond is read from history again
CACHE_TTL_S = 300.0


class RememberError(Exception):
    """Something could not be remembered; the message is for the operator."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"I could not keep something in long-term memory: {reason} The history itself is complete.")


async def _at_once() -> None:
    """The default turn: now."""


class Remembering:
    """Memory, wired. One a house; `run` follows history, `recall` and `keep` serve the agents' desks."""

    def __init__(
        self,
        database: Database,
        home: Path,
        files: FileStore,
        context: Context,
        *,
        embedder: Callable[[], Embedder | None],
        now: Callable[[], datetime],
    ) -> None:
        """Open the memory with words alone; `run` loads the model.

        Raises:
            StorageError: The database cannot be written.
            ForeignTombstonesError: The folder belongs to another database.
        """
        self.database = database
        self.folder = home / "memory"
        self.context = context
        self.memory = Memory.open(database, self.folder, None)
        self.problem = ""
        self.loading = True
        self._start_again = now()
        self._condensed = date.min
        self.close_own: Callable[[int], None] = lambda _: None  # `bot.keeper.Keeper.close_own`
        self.also_forget: list[Callable[[], None]] = []  # what else holds words for a short while
        self._files = files
        self._load = embedder
        self._now = now
        self._lines: list[Line] = []
        self._turns: dict[str, deque[Turn]] = {}  # by conversation, no more than are kept
        self._session = asyncio.Lock()  # held by who writes turns, lets go of them, or connects
        self._rescan = True
        self._read = 0  # the last position that was read from history; lines up to it may come once more from `seen`
        self._names = (-1, Names({}))  # and how many times the clients on the books had changed then
        self._clients = 0
        self._poke = asyncio.Event()
        self.turn: Callable[[], Awaitable[None]] = _at_once
        self._opened = asyncio.Event()
        self._idle = asyncio.Event()
        self._hurry = asyncio.Event()  # somebody waits for it to be idle
        self._waiting = 0
        self._said = 0  # counts, so that a lull can be told
        self._vectorless = True  # there may be records without a vector
        self._overdue = 0.0  # when they wait no longer for a lull, by the loop's clock
        self._generation = secrets.token_hex(4)

    # ── the agents' desks ─────────────────────────────────────────────────────────────────────────────────────────

    async def recall(self, query: str, client: str, k: int) -> Sequence[Found]:
        """Return what bears on a question. Of a client only what is theirs, and what the operator noted for all.

        What was merely said where no client is named stays out: it may be about another one.
        """
        # A write to what may be read here makes another key: an old answer is never found again, and runs out.
        sequence = await asyncio.to_thread(self.memory.sequence, (client, ""))
        key = json.dumps(["recall", self._generation, sequence, query, client, k])
        if (kept := await self.context.get(key)) is not None:
            return [_found(json.loads(row)) for row in json.loads(kept)]
        try:
            hits = await asyncio.to_thread(self._for_draft, query, client, k)
        except StorageError as error:
            log.warning("Recall failed: %s", error)
            return ()
        rows = [_row(hit) for hit in hits]
        await self.context.put(key, json.dumps(rows), CACHE_TTL_S)
        return [_found(json.loads(row)) for row in rows]

    async def bearing(self, query: str, client: str, k: int) -> Sequence[Hit]:
        """Return the same as `recall`, as whole hits: for a prompt, which says of each whose words it is."""
        try:
            return await asyncio.to_thread(self._for_draft, query, client, k)
        except StorageError as error:
            log.warning("Recall failed: %s", error)
            return ()

    def _for_draft(self, query: str, client: str, k: int) -> list[Any]:
        own = self.memory.recall(query, Scope(client=client), k=k) if client else Hits()
        shared = [hit for kind in CURATED for hit in self.memory.recall(query, Scope(client="", kind=kind), k=k)]
        said = [] if client else self.memory.recall(query, Scope(client="", kind="document"), k=k)
        hits = sorted([*own, *shared, *said], key=lambda hit: (-hit.score, hit.record.id))[:k]
        seen = {hit.record.id for hit in hits}
        noted = [each for each in self._noted(client, k) if each.id not in seen] if client else []
        return [*hits, *(Hit(record, 0.0, {"noted about them": 0.0}) for record in noted[: k - len(hits)])]

    def _noted(self, client: str, k: int) -> list[Known]:
        """Return what the operator noted about a client and still holds, newest first: it matters to any question."""
        kinds = ", ".join(f"'{kind}'" for kind in CURATED)
        query = (
            f"SELECT id FROM recollections WHERE client = ? AND kind IN ({kinds}) AND superseded_by IS NULL "  # noqa: S608 - words of ours
            "AND contests IS NULL AND valid_to IS NULL ORDER BY id DESC LIMIT ?"
        )
        with self.database.read() as tx:
            ids = [row[0] for row in tx.exec_driver_sql(query, (client, k))]
        return self.memory.get(ids, Scope(client=client))

    async def ask(self, query: str, scope: Scope, k: int = 8) -> Hits:
        """Return hits for the operator, who may see everything."""
        return await asyncio.to_thread(self.memory.recall, query, scope, None, k)

    async def keep(self, records: Sequence[Mapping[str, Json]]) -> None:
        """Keep what an agent proposed to remember.

        Raises:
            RememberError: It cannot be kept; the operator is to be told.
        """
        try:
            await asyncio.to_thread(self.memory.remember, [record_of(each) for each in records])
        except (StorageError, RecordError, ValueError, TypeError) as error:
            raise RememberError(error) from error
        self.wrote()

    # ── following history ─────────────────────────────────────────────────────────────────────────────────────────

    def seen(self, lines: Iterable[Line]) -> None:
        """Take lines that were just committed; returns at once."""
        for line in lines:
            event = line.event
            if type(event) in TEACHING:
                self._note(line)
            if isinstance(event, MessageReceived | Said) and event.place is not None and event.text:
                speaker = event.actor.origin.value if isinstance(event, MessageReceived) else "soloist"
                conversation = f"{event.place.channel}:{event.place.conversation}"
                turns = self._turns.setdefault(conversation, deque(maxlen=WINDOW))
                turns.append(Turn(speaker, event.text, line.at))
        if self._lines or self._turns or self._rescan:
            self._said += 1
            self._idle.clear()
            self._poke.set()

    def _note(self, line: Line) -> None:
        if isinstance(line.event, Recorded) and line.event.write.kind == "client":
            self._clients += 1
        if self._rescan:
            pass  # it is read from history with the rest
        elif len(self._lines) < QUEUE_MAX:
            self._lines.append(line)
        else:
            self._rescan = True

    async def caught_up(self) -> None:
        """Wait until the model is there and everything that was committed so far is remembered, and for nothing else."""
        await self._opened.wait()
        self._waiting += 1
        self._hurry.set()
        try:
            await self._idle.wait()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._hurry.clear()

    async def run(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Load the model, then follow history until cancelled. A failure is told once, and tried again."""
        starting = asyncio.ensure_future(self._open())
        self._overdue = asyncio.get_running_loop().time() + LATE_S
        try:
            while True:
                # Remembering waits its turn: what the operator waits for comes first, and a burst is taken in at once.
                await self._no_longer_than(TURN_MAX_S, self.turn())
                self._poke.clear()
                if not await self._catch_up(tell):
                    await self._no_longer_than(RETRY_S, self._poke.wait())
                elif not await self._give_vectors() and not self._poke.is_set():
                    self._idle.set()
                    await self._poke.wait()
                    await self._no_longer_than(GATHER_S, self._hurry.wait())
        finally:
            starting.cancel()
            await self.context.disconnect()

    @staticmethod
    async def _no_longer_than(seconds: float, waiting: Awaitable[Any]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiting

    async def _open(self) -> None:
        try:
            async with self._session:
                await self.context.start()
            await asyncio.to_thread(self.load)
            self.wrote()
        finally:
            self._opened.set()

    def load(self) -> None:
        """Load the model, and recall by meaning from here on. Blocks."""
        self.memory = self._with_model()
        self.loading = False

    def _with_model(self) -> Memory:
        embedder = self._load()
        return self.memory if embedder is None else Memory.open(self.database, self.folder, embedder)

    async def _catch_up(self, tell: Callable[[str], Awaitable[None]]) -> bool:
        """Remember what was said since the last time; returns whether it could be."""
        rescan, lines = self._rescan, self._lines
        self._lines, self._rescan = [], False
        try:
            if rescan:
                await asyncio.to_thread(self._read_history)
            elif lines := sorted((line for line in lines if line.n > self._read), key=lambda line: line.n):
                await asyncio.to_thread(self._take_in, lines)
            if self.memory.unscrubbed:
                await asyncio.to_thread(self.memory.scrub)
        except (StorageError, RecordError) as error:
            self._rescan = True
            if self.problem != str(error):
                await tell(str(RememberError(error)))
                self.problem = str(error)
            return False
        self.problem = ""
        await self._hear()
        if self._condensed != self._now().date():
            self._condensed = self._now().date()
            await asyncio.to_thread(self._condense)
        if self.context.note == AWAY and self._now() >= self._start_again:
            self._start_again = self._now() + START_AGAIN
            async with self._session:
                await self.context.start()
        return True

    async def _hear(self) -> None:
        async with self._session:
            while self._turns:
                conversation, several = next(iter(self._turns.items()))
                turn = several.popleft()
                if not several:
                    del self._turns[conversation]
                await self.context.heard(conversation, turn)

    def _condense(self) -> None:
        """Once a day: make timelines of threads that ended long ago. The originals stay."""
        condense_old(self.memory, self._now() - CONDENSE_AFTER)
        self._vectorless = True

    def _read_history(self) -> None:
        """Take in what history has and memory has not, a part at a time."""
        with self.database.read() as tx:
            mark = first = int(rows_of.setting(tx, "bookmark") or b"0")
        while lines := self._teaching_lines(mark):
            self._take_in(lines, again=not first)
            mark = self._read = lines[-1].n

    def _teaching_lines(self, mark: int) -> list[Line]:
        """Return the next lines of history beyond a position that may teach something, in their order.

        A read of its own each time: one that stays open keeps forgotten words in the write-ahead log.
        """
        kinds = [kind.__name__ for kind in TEACHING]
        query = select(events).where(events.c.n > mark, events.c.type.in_(kinds)).order_by(events.c.n).limit(READ_MAX)
        with self.database.read() as tx:
            return [read_line(row) for row in tx.execute(query)]

    def _take_in(self, lines: Sequence[Line], *, again: bool = False) -> None:
        """Keep what some lines of history teach, with the bookmark behind them.

        Args:
            lines: In the order of their positions, all of them beyond the bookmark.
            again: History is read from its beginning; some of it may be known.
        """
        for start in range(0, len(lines), LINES_MAX):
            some = lines[start : start + LINES_MAX]
            with self.database.read() as tx:
                names = self._names_in(tx)
                done = done_in(tx, some)
            for task in sorted({each.task for each in done.values() if each.name == "memory.forget"}):
                self.close_own(task)  # its own words go last, after the receipt
            lessons = [(line, records(line, names, done, self._files)) for line in some]

            def work(tx: Connection, lessons: Sequence[tuple[Line, list[Record]]] = lessons) -> None:
                self._write(tx, lessons, again=again)

            self.database.write_now(work)
            self._vectorless = True

    def _names_in(self, tx: Connection) -> Names:
        changes = self._clients
        if self._names[0] != changes:
            self._names = (changes, Names.of(Books(tx)))
        return self._names[1]

    def _write(self, tx: Connection, lessons: Sequence[tuple[Line, list[Record]]], *, again: bool) -> None:
        waiting: list[Record] = []
        for line, several in lessons:
            waiting += several
            if ends_a_fact(line) and isinstance(line.event, Recorded):
                self.memory.enlist(tx, placed(tx, waiting, again=again))
                waiting = []
                write = line.event.write
                self.memory.retire(tx, str(write.data.get("client", "")), write.key, line.at)
        self.memory.enlist(tx, placed(tx, waiting, again=again))
        rows_of.keep_setting(tx, "bookmark", str(lessons[-1][0].n).encode())

    async def _give_vectors(self) -> bool:
        """Give a few records their vectors, once nothing was said for a while; returns whether to come back for more."""
        if not self._vectorless:
            return False
        loop, said = asyncio.get_running_loop(), self._said
        if not self._hurry.is_set():
            await self._no_longer_than(LULL_S, self._hurry.wait())
            if self._said != said and loop.time() < self._overdue:
                return True
        self._overdue = loop.time() + LATE_S
        self._vectorless = False
        try:
            done = await asyncio.to_thread(self.memory.drain, VECTORS_AT_ONCE)
        except StorageError as error:
            log.warning("Vectors could not be kept: %s", error)  # the rows wait in the queue, for the next write
            return False
        self._vectorless = self._vectorless or done > 0
        return done > 0

    # ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────────

    def wrote(self) -> None:
        """Something was written past this object: vectors may be wanted."""
        self._vectorless = True
        self._poke.set()

    async def forgotten(self) -> bool:
        """Let go of everything short-lived after something was forgotten; returns whether that is certain."""
        async with self._session:
            self._turns.clear()
            self._generation = secrets.token_hex(4)
            for forget in self.also_forget:
                forget()
            return await self.context.flush()


def _row(hit: Any) -> str:
    record = hit.record
    return json.dumps({
        "ref": f"memory:{record.id}", "text": record.text, "score": round(hit.score, 4), "terms": {k: round(v, 4) for k, v in hit.terms.items()},
        "origin": record.origin.value, "at": record.at.isoformat() if record.at else None,
        "source": record.source,
    })  # fmt: skip


def _found(row: Mapping[str, Any]) -> Found:
    at = datetime.fromisoformat(row["at"]) if row["at"] else None
    return Found(row["ref"], row["text"], row["score"], row["terms"], Origin(row["origin"]), at, row.get("source", ""))

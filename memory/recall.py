# ruff: noqa: S608 - what is put into SQL here are column names of ours; texts go in as parameters
"""Remember, recall, replace, forget. Usable without the bot.

This is all that a retrieval benchmark needs::

    from pathlib import Path
    from memory import embed
    from memory.database import Database
    from memory.recall import Memory, Record, Scope

    with Database.open(Path("/tmp/bench")) as database:
        embedder = embed.load(Path("/tmp/minilm"))  # or None: words only
        memory = Memory.open(database, Path("/tmp/bench/memory"), embedder)
        memory.remember([Record("We pay in 30 days.", speaker="Dana", at=when, thread="m7", position=0)])
        for hit in memory.recall("What are Dana's terms?", scope=Scope(client=""), k=10):
            print(hit.record.id, hit.score, hit.terms, hit.record.text)

``thread`` and ``position`` give a turn its neighbours, ``speaker`` and ``at`` answer who and when, ``client`` is a
wall: with ``Scope(client="acme")`` nothing of another client is found, not even as a neighbour.

The methods block (a write waits for its commit): from an event loop call them with ``asyncio.to_thread``. The store is
the truth; the index under ``folder/index`` may be deleted at any time, and recall goes on with words alone until it is
made again, and says so in `Hits.note`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from memory import burial
from memory import recollections as rows_of
from memory.database import Database
from memory.embed import Embedder
from memory.erasure import scrub
from memory.events import Origin
from memory.index import EXACT_MAX, sweep
from memory.ranking import DEFAULT, Weights, read
from memory.recollection import EVERYWHERE, Known, Record, RecordError, Scope, micros
from memory.search import Hit, Mode, Search
from memory.tombstones import TombstoneFile
from memory.vectors import DRAIN_BATCH, Vectors

__all__ = ["EVERYWHERE", "Forgotten", "Hit", "Hits", "Known", "Memory", "Record", "RecordError", "Scope", "Weights"]


WRITE_BATCH = 10_000  # records in one write: a third of a second, which others wait for the writer


class Hits(list[Hit]):
    """The hits, best first, and what the operator should know about them."""

    def __init__(
        self, hits: Sequence[Hit] = (), *, lexical_only: bool = False, note: str = "", pending: int = 0
    ) -> None:
        super().__init__(hits)
        self.lexical_only = lexical_only
        self.note = note
        self.pending = pending  # records that can be found by their words and not yet by their meaning


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went, and whether its bytes are gone from the files too."""

    count: int
    ids: tuple[int, ...] = ()
    scrubbed: bool = True
    note: str = ""


NO_MODEL = "There is no embedding model: found by words alone."


class Memory:
    """Everything remembered. One object a database; its methods may be called from any thread."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        embedder: Embedder | None,
        *,
        weights: Weights = DEFAULT,
        step: Callable[[str], None] = lambda _: None,
        exact_max: int = EXACT_MAX,
    ) -> None:
        self.database = database
        self._exact_max = exact_max
        self.folder = folder
        self.weights = weights
        self.unscrubbed = False  # a reader was in the way of the last scrub
        self._step = step  # called before each step that a kill may hit; tests kill the process there
        self._names: list[str] | None = None
        self._vectors: Vectors | None = None
        if embedder is not None:
            self._vectors = Vectors(database, folder / "index", embedder, step=step, exact_max=exact_max)
        self._change = self._vectors.change if self._vectors else threading.RLock()

    @classmethod
    def open(
        cls,
        database: Database,
        folder: Path,
        embedder: Embedder | None = None,
        *,
        weights: Weights = DEFAULT,
        wait: bool = False,
        step: Callable[[str], None] = lambda _: None,
        exact_max: int = EXACT_MAX,
    ) -> Self:
        """Open the memory of a database.

        Args:
            database: The house's own.
            folder: For the index and the list of tombstones; created when missing.
            embedder: None finds by words alone, and says so.
            weights: Of the terms of a score.
            wait: Wait for an index that must be rebuilt, instead of serving by words meanwhile.
            step: For tests.
            exact_max: From how many records on the index holds bits instead of vectors.

        Raises:
            ForeignTombstonesError: The folder belongs to another database.
            StorageError: The database cannot be read or written.
        """
        memory = cls(database, folder, embedder, weights=weights, step=step, exact_max=exact_max)
        memory._mend()
        if memory._vectors is not None:
            memory._vectors.open()
            if wait:
                memory.wait_ready()
        return memory

    @classmethod
    def look(cls, database: Database, folder: Path, embedder: Embedder | None = None) -> Self:
        """Open for recall beside whoever owns the database; nothing is written, here or on disk."""
        memory = cls(database, folder, embedder)
        if memory._vectors is not None:
            memory._vectors.look()
        return memory

    # ── remember ──────────────────────────────────────────────────────────────────────────────────────────────────

    def remember(
        self,
        records: Sequence[Record],
        vectors: npt.NDArray[np.floating[Any]] | None = None,
        *,
        wait: bool = True,
    ) -> list[int]:
        """Keep records; when this returns they are on disk and found by their words, and by their meaning too.

        Args:
            records: What to keep. The same record again gives its old id.
            vectors: Their unit vectors, shape (n, dims), when they are known already.
            wait: Until all have vectors, some milliseconds each. Else they wait in the queue for `drain`.

        Returns:
            One id a record, in order; 0 for one that was forgotten and therefore was not kept.

        Raises:
            RecordError: One cannot be kept as it stands; none of its batch was.
            StorageError: The disk would not take it. Tell the operator: nothing of it was kept.
        """
        ids: list[int] = []
        newest = 0
        for start in range(0, len(records), WRITE_BATCH):
            some = records[start : start + WRITE_BATCH]
            rows = None if vectors is None else np.asarray(vectors[start : start + WRITE_BATCH], np.float16)
            kept, before = self._keep(some, rows)
            newest = newest if ids else before
            ids += kept
        if vectors is None and wait and self._vectors is not None:
            self._vectors.drain(len(records), after=newest)
        return ids

    def enlist(self, tx: Connection, records: Sequence[Record]) -> list[int]:
        """Keep records inside a write of the caller's; `drain` later gives them their vectors. See `remember`."""
        ids = rows_of.insert(tx, records)
        self._settle(tx, records, ids)
        self._names = None
        return ids

    def _keep(self, records: Sequence[Record], rows: npt.NDArray[np.float16] | None) -> tuple[list[int], int]:
        """Return the ids, and the newest id before them."""

        def work(tx: Connection) -> tuple[list[int], int]:
            last = tx.exec_driver_sql("SELECT MAX(id) FROM recollections").scalar() or 0
            ids = rows_of.insert(tx, records, rows)
            self._settle(tx, records, ids)
            return ids, last

        with self._change:
            self._step("add: write")
            ids, last = self.database.write_now(work)
            self._step("add: committed")
            self._names = None
            if rows is not None and self._vectors is not None:
                fresh = [n for n, id_ in enumerate(ids) if id_ > last]
                self._vectors.admit([ids[n] for n in fresh], [records[n].client for n in fresh], rows[fresh])
        return ids, last

    def _settle(self, tx: Connection, records: Sequence[Record], ids: Sequence[int]) -> None:
        """Let what has a key replace what held before, if it may."""
        for record, new in zip(records, ids, strict=True):
            if not record.key or not new:
                continue
            rivals = tx.execute(
                text(
                    f"SELECT {rows_of.COLUMNS} FROM recollections r WHERE r.key = :key AND r.client = :client AND "
                    "r.superseded_by IS NULL AND r.contests IS NULL AND r.id < :new ORDER BY r.id DESC LIMIT 1"
                ),
                {"key": record.key, "client": record.client, "new": new},
            ).first()
            if rivals is None:
                continue
            if may_replace(record, rows_of.known(rivals)):
                rows_of.replace(tx, rivals.id, new, micros(record.valid_from or record.at))
            else:
                rows_of.contest(tx, new, rivals.id)

    def supersede(self, old: int, record: Record) -> int:
        """Put a record in the place of another, on the operator's word. The old one stays, and ends where it begins.

        Raises:
            RecordError: There is no such record, or text from outside would replace the operator's.
        """

        def work(tx: Connection) -> int:
            rows = rows_of.fetch(tx, [old])
            if old not in rows:
                raise RecordError(f"there is no record {old} to replace. Ask for it with recall first.")
            if not may_replace(record, rows_of.known(rows[old])):
                raise RecordError("it comes from outside, and record {old} is the operator's. Ask the operator.")
            new = rows_of.insert(tx, [record])[0]
            if new:
                rows_of.replace(tx, old, new, micros(record.valid_from or record.at))
            return new

        with self._change:
            new = self.database.write_now(work)
            self._names = None
        self.drain(1)
        return new

    def reinstate(self, old: int) -> None:
        """Let an older version hold again: the undo of `supersede`. The newer one stays in the history, contested."""

        def work(tx: Connection) -> None:
            row = rows_of.fetch(tx, [old]).get(old)
            if row is None or row.superseded_by is None:
                raise RecordError(f"record {old} was not replaced by anything, so there is nothing to undo.")
            rows_of.replace(tx, row.superseded_by, old, None)
            tx.execute(
                text("UPDATE recollections SET superseded_by = NULL, valid_to = NULL WHERE id = :old"), {"old": old}
            )

        self.database.write_now(work)

    def retire(self, tx: Connection, client: str, key: str, when: datetime) -> None:
        """End what holds under a key, without another in its place; inside a write of the caller's."""
        holding = rows_of.current(tx, client, key)
        if holding is not None:
            tx.execute(
                text("UPDATE recollections SET valid_to = :when WHERE id = :id"),
                {"when": micros(when), "id": holding.id},
            )

    def conflicts(self, scope: Scope = EVERYWHERE) -> list[Known]:
        """Return what disagrees with something it may not replace, to be shown to the operator."""
        condition, values = scope.where()
        with self.database.read() as tx:
            rows = tx.execute(
                text(
                    f"SELECT {rows_of.COLUMNS} FROM recollections r WHERE r.contests IS NOT NULL AND {condition} "
                    "ORDER BY r.id"
                ),
                values,
            )
            return [rows_of.known(row) for row in rows]

    def get(self, ids: Sequence[int], scope: Scope = EVERYWHERE) -> list[Known]:
        """Return records by id, in that order; what is gone or out of scope is left out."""
        with self.database.read() as tx:
            rows = rows_of.fetch(tx, ids, scope)
        return [rows_of.known(rows[id_]) for id_ in ids if id_ in rows]

    def history(self, client: str, key: str) -> list[Known]:
        """Return every version under a key, oldest first."""
        with self.database.read() as tx:
            rows = tx.execute(
                text(
                    f"SELECT {rows_of.COLUMNS} FROM recollections r WHERE r.key = :key AND r.client = :client "
                    "ORDER BY COALESCE(r.valid_from, r.at, 0), r.id"
                ),
                {"key": key, "client": client},
            )
            return [rows_of.known(row) for row in rows]

    def held(self, thread: str) -> frozenset[tuple[str, str, str]]:
        """Return (source, client, text) of everything in a thread, so that a file read twice is kept once."""
        with self.database.read() as tx:
            rows = tx.execute(
                text("SELECT source, client, text FROM recollections WHERE thread = :thread"), {"thread": thread}
            )
            return frozenset((row.source, row.client, row.text) for row in rows)

    # ── recall ────────────────────────────────────────────────────────────────────────────────────────────────────

    def recall(
        self, query: str, scope: Scope = EVERYWHERE, at: datetime | None = None, k: int = 10, mode: Mode = "auto"
    ) -> Hits:
        """Find what bears on a question, best first. The same store and question give the same answer.

        Args:
            query: In the operator's words.
            scope: Where to look; a client is a wall.
            at: As of then: what was not yet said, or held no longer, is left out. "Last week" counts from it.
            k: How many at most.
            mode: "current" leaves out what was replaced, "history" does not, "auto" reads it from the question.

        Raises:
            StorageError: The database cannot be read.
        """
        vectors = self._vectors
        index = vectors.index if vectors else None
        note = vectors.note if vectors else NO_MODEL
        with self.database.read() as tx:
            question = read(query, self._known_names(tx), at)
            vector = None
            if index is not None and vectors is not None and query.strip():
                vector = vectors.question(question.topic)
            among = rows_of.in_scope(tx, scope) if scope.narrows() else None
            search = Search(tx, self.weights, question, index, vector, scope, at, mode, among)
            hits = search.best(k)
            if at is not None and len(hits) < k and among is None:
                # What held at that time was crowded out by what came later: look among it alone.
                scope = _as_of(scope, at)
                among = rows_of.in_scope(tx, scope)
                hits = Search(tx, self.weights, question, index, vector, scope, at, mode, among).best(k)
            pending = self._waiting(tx) if index is not None else 0
        return Hits(hits, lexical_only=vector is None, note=note, pending=pending)

    def sequence(self, clients: Sequence[str]) -> str:
        """Return what changes with every write to these namespaces, and when the index does.

        For whoever keeps answers for a while: read it before asking, keep the answer under it, and an answer found
        under it again is as good as new. Only the weight of rare words may move with what others write meanwhile.
        """
        index = self._vectors.changes if self._vectors else 0
        with self.database.read() as tx:
            return f"{index}:{rows_of.change_count(tx, clients)}"

    def _known_names(self, tx: Connection) -> list[str]:
        if self._names is None:
            self._names = rows_of.names(tx)
        return self._names

    def _waiting(self, tx: Connection) -> int:
        few = "SELECT COUNT(*) FROM (SELECT 1 FROM recollections WHERE pending = 1 LIMIT 1000)"
        return int(tx.exec_driver_sql(few).scalar() or 0)

    # ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self, limit: int = DRAIN_BATCH) -> int:
        """Give waiting records their vectors, oldest first; return how many. Call it when there is nothing better."""
        return self._vectors.drain(limit) if self._vectors else 0

    @property
    def ready(self) -> bool:
        """Whether records are found by their meaning."""
        return self._vectors is not None and self._vectors.index is not None

    @property
    def index_bytes(self) -> int:
        """What the index takes in memory."""
        return self._vectors.index.nbytes if self._vectors and self._vectors.index else 0

    def rebuild(self) -> None:
        """Make the index anew from the store. Recall by words goes on meanwhile; so do adding and forgetting."""
        if self._vectors:
            self._vectors.rebuild()

    def wait_ready(self) -> None:
        """Wait until a rebuild that is under way has ended."""
        if self._vectors:
            self._vectors.wait()

    # ── forget ────────────────────────────────────────────────────────────────────────────────────────────────────

    def would_forget(self, ids: Sequence[int] = (), *, person: str = "", client: str = "") -> list[Known]:
        """Return what `forget` would take, summaries made from it too, so that it can be shown first."""
        with self.database.read() as tx:
            doomed = self._doomed(tx, ids, person, client)
            rows = rows_of.fetch(tx, doomed)
        return [rows_of.known(rows[id_]) for id_ in doomed]

    def forget(self, ids: Sequence[int] = (), *, person: str = "", client: str = "") -> Forgotten:
        """Let records go for good: rows, words, vectors, index, summaries made from them, and their bytes on disk.

        Args:
            ids: These.
            person: Everything this person said, wrote or is named in.
            client: Everything in this namespace.

        Raises:
            StorageError: The disk would not take it. What was asked is on the list and is done at the next start.
        """
        with self._change:
            with self.database.read() as tx:
                doomed = self._doomed(tx, ids, person, client)
                numbers = burial.numbers_of(tx, doomed)
                key = rows_of.setting(tx, "secret")
            if not doomed:
                return Forgotten(0)
            # The list first: from here on a restored backup, a replay or a second start lets them go too.
            self._step("forget: list")
            TombstoneFile(self.folder).add(key, numbers)
            self._step("forget: rows")
            self.database.write_now(lambda tx: burial.bury(tx, doomed, numbers))
            self._step("forget: index")
            self._names = None
            if self._vectors is not None:
                self._vectors.drop(doomed)
            else:
                sweep(self.folder / "index", None)
        done = self.scrub()
        note = (
            ""
            if done
            else "A reader was in the way: the last bytes are overwritten the next time something is remembered."
        )
        return Forgotten(len(doomed), tuple(doomed), done, note)

    def _doomed(self, tx: Connection, ids: Sequence[int], person: str, client: str) -> list[int]:
        wanted = set(rows_of.fetch(tx, ids)) if ids else set()
        if person.strip():
            wanted.update(burial.about(tx, person.strip()))
        if client.strip():
            wanted.update(rows_of.in_scope(tx, Scope(client=client)).tolist())
        return burial.with_what_follows(tx, wanted)

    def scrub(self) -> bool:
        """Overwrite what was forgotten on disk, if that is due; False when a reader was in the way. See `erasure`."""
        self.unscrubbed = not scrub(self.database, self._step)
        return not self.unscrubbed

    def _mend(self) -> None:
        """Finish what a kill left, and let what was forgotten go again if a restored backup brought it back."""
        file = TombstoneFile(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.database.write_now(lambda tx: _same_secret(tx, file))
        listed = file.numbers()
        with self.database.read() as tx:
            buried = burial.tombstone_numbers(tx)
        if missing := buried - listed:
            file.add(key, sorted(missing))
        if zombies := listed - buried:
            self.database.write_now(lambda tx: _bury_again(tx, sorted(zombies)))
        if self._vectors is None:
            # Nobody keeps the index without a model; what was forgotten now must not wait in it.
            with self.database.read() as tx:
                due = bool(rows_of.setting(tx, "scrub"))
            if due:
                sweep(self.folder / "index", None)
        self.scrub()


# ── what holds, and who may say so ────────────────────────────────────────────────────────────────────────────────


def may_replace(new: Record, old: Record) -> bool:
    """Return whether a record may take another's place without asking.

    The operator may replace anything. Anybody else may correct only what they said themselves; the operator's own
    words are replaced by the operator's alone.
    """
    if new.origin is Origin.OPERATOR:
        return True
    same = (new.author, new.speaker) == (old.author, old.speaker) and bool(new.author or new.speaker)
    return new.origin == old.origin and same


def _as_of(scope: Scope, at: datetime) -> Scope:
    end = at + timedelta(microseconds=1)
    return replace(scope, until=end if scope.until is None else min(end, scope.until))


# ── small steps inside a write ────────────────────────────────────────────────────────────────────────────────────


def _same_secret(tx: Connection, file: TombstoneFile) -> bytes:
    kept = file.secret()
    if not rows_of.setting(tx, "secret") and kept:
        rows_of.keep_setting(tx, "secret", kept)
    key = rows_of.secret(tx)
    file.begin(key)
    return key


def _bury_again(tx: Connection, numbers: Sequence[int]) -> None:
    ids = burial.with_what_follows(tx, burial.ids_of(tx, numbers))
    burial.bury(tx, ids, sorted({*numbers, *burial.numbers_of(tx, ids)}))

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
        memory.drain(1_000_000)  # more than a few at once wait for their vectors
        for hit in memory.recall("What are Dana's terms?", scope=Scope(client=""), k=10):
            print(hit.record.id, hit.score, hit.terms, hit.record.text)

``thread`` and ``position`` give a turn its neighbours, ``speaker`` and ``at`` answer who and when, ``client`` is a
wall: with ``Scope(client="acme")`` nothing of another client is found, not even as a neighbour.

The methods block (a write waits for its commit): from an event loop call them with ``asyncio.to_thread``. The store is
the truth; the index under ``folder/index`` may be deleted at any time, and recall goes on with words alone until it is
made again, and says so in `Hits.note`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, text

from memory import recollections as rows_of
from memory.database import Database
from memory.embed import Embedder
from memory.events import Origin
from memory.index import EXACT_MAX, Stamp, TornIndexError, VectorIndex, bits, build, sweep
from memory.index import Segment as _Segment
from memory.ranking import DEFAULT, Evidence, Question, Weights, read, score
from memory.recollections import EVERYWHERE, Known, Record, RecordError, Scope, micros
from memory.tombstones import TombstoneFile

__all__ = ["EVERYWHERE", "Forgotten", "Hit", "Hits", "Known", "Memory", "Record", "RecordError", "Scope", "Weights"]

Mode = Literal["auto", "current", "history"]

CANDIDATES = 300  # from words and from vectors each; below that nothing came among the first ten
NEIGHBOURS_OF = 100  # the best of them bring their neighbours along
INLINE_MAX = 16  # records embedded while `remember` waits: 0.1 s; more wait in the queue
WRITE_BATCH = 4_000  # records in one write: bounds how long others wait for the writer
DRAIN_BATCH = 256
REPLAY_BATCH = 50_000
MERGE_PAGES = 2_000  # of the full-text index in one write, while forgetting
CHECKPOINT_TRIES = 50  # 0.1 s apart: a reader in the way is gone by then


@dataclass(frozen=True, slots=True)
class Hit:
    """One record found, and why: the terms add up to the score."""

    record: Known
    score: float
    terms: dict[str, float]

    @property
    def source(self) -> str:
        """Where to look it up."""
        return self.record.source or f"memory:{self.record.id}"

    def why(self) -> str:
        """Return the score term by term, largest first."""
        several = sorted(self.terms.items(), key=lambda term: -abs(term[1]))
        return f"{self.score:.3f} = " + " ".join(f"{value:+.3f} {name}" for name, value in several)


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


@dataclass(slots=True)
class _Pass:
    """One recall: what is asked, and what is gathered before it is scored."""

    question: Question
    vector: npt.NDArray[np.float32] | None
    scope: Scope
    at: datetime | None
    mode: Mode
    among: npt.NDArray[np.int64] | None  # only these ids; None: the whole scope
    bm25: dict[int, float] = field(default_factory=dict)
    cosine: dict[int, float] = field(default_factory=dict)
    window: dict[int, float] = field(default_factory=dict)
    beside: dict[int, list[int]] = field(default_factory=dict)
    rows: dict[int, Row[Any]] = field(default_factory=dict)


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
        self.embedder = embedder
        self.weights = weights
        self._step = step  # called before each step that a kill may hit; tests kill the process there
        self._change = threading.RLock()  # held over commit and index together, so that both tell the same story
        self._index: VectorIndex | None = None
        self._note = "" if embedder else "There is no embedding model: found by words alone."
        self._names: list[str] | None = None
        self._gone: set[int] = set()
        self._builder: threading.Thread | None = None

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
        if embedder is not None:
            memory._open_index(embedder)
            if wait:
                memory.wait_ready()
        return memory

    # ── remember ──────────────────────────────────────────────────────────────────────────────────────────────────

    def remember(self, records: Sequence[Record], vectors: npt.NDArray[np.floating[Any]] | None = None) -> list[int]:
        """Keep records; each is found by its words when this returns, by its meaning at once or soon (`drain`).

        Args:
            records: What to keep. The same record again gives its old id.
            vectors: Their unit vectors, shape (n, dims), when they are known already.

        Returns:
            One id a record, in order; 0 for one that was forgotten and therefore was not kept.

        Raises:
            RecordError: One cannot be kept as it stands; none of its batch was.
            StorageError: The disk would not take it. Tell the operator: nothing of it was kept.
        """
        ids: list[int] = []
        for start in range(0, len(records), WRITE_BATCH):
            some = records[start : start + WRITE_BATCH]
            rows = None if vectors is None else np.asarray(vectors[start : start + WRITE_BATCH], np.float16)
            ids += self._keep(some, rows)
        if vectors is None and len(records) <= INLINE_MAX:
            self.drain(len(records))
        return ids

    def enlist(self, tx: Connection, records: Sequence[Record]) -> list[int]:
        """Keep records inside a write of the caller's; `drain` later gives them their vectors. See `remember`."""
        ids = rows_of.insert(tx, records)
        self._settle(tx, records, ids)
        self._names = None
        return ids

    def _keep(self, records: Sequence[Record], rows: npt.NDArray[np.float16] | None) -> list[int]:
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
            if rows is not None and self._index is not None:
                fresh = [n for n, id_ in enumerate(ids) if id_ > last]
                self._admit([ids[n] for n in fresh], [records[n].client for n in fresh], rows[fresh])
        return ids

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
        index = self._index
        note = self._note
        with self.database.read() as tx:
            question = read(query, self._known_names(tx), at)
            vector = None
            if index is not None and self.embedder is not None and query.strip():
                vector = self.embedder.embed([question.topic])[0]
            among = rows_of.in_scope(tx, scope) if scope.narrows() else None
            found = _Pass(question, vector, scope, at, mode, among)
            hits = self._ranked(tx, found, k)
            if at is not None and len(hits) < k and among is None:
                # What held at that time was crowded out by what came later: look among it alone.
                scope = _as_of(scope, at)
                found = _Pass(question, vector, scope, at, mode, rows_of.in_scope(tx, scope))
                hits = self._ranked(tx, found, k)
            pending = self._waiting(tx) if index is not None else 0
        return Hits(hits, lexical_only=vector is None, note=note, pending=pending)

    def _ranked(self, tx: Connection, found: _Pass, k: int) -> list[Hit]:
        question = found.question
        words = question.words or tuple(word.lower() for name in question.names for word in name.split())
        found.bm25 = rows_of.lexical(tx, [word for word in words if word.isalnum()], found.scope, CANDIDATES)
        self._by_meaning(tx, found)
        self._see(tx, found, {*found.bm25, *found.cosine})
        evidence = {id_: self._evidence(found, id_) for id_ in sorted(found.rows)}
        alone = score(evidence, {}, question, self.weights)
        best = sorted(alone, key=lambda id_: (-round(sum(alone[id_].values()), 9), id_))[:NEIGHBOURS_OF]
        self._with_neighbours(tx, found, best)
        known_of = {} if self.weights.window else evidence
        whole = {id_: known_of.get(id_) or self._evidence(found, id_) for id_ in sorted({*best, *found.beside})}
        terms = score(whole, found.beside, question, self.weights)
        ranked = sorted(((round(sum(t.values()), 9), id_) for id_, t in terms.items()), key=lambda s: (-s[0], s[1]))
        return [Hit(rows_of.known(found.rows[id_]), value, terms[id_]) for value, id_ in ranked[:k]]

    def _see(self, tx: Connection, found: _Pass, ids: set[int]) -> None:
        rows = rows_of.fetch(tx, sorted(ids - set(found.rows)), found.scope)
        found.rows |= {id_: row for id_, row in rows.items() if visible(row, found.question, found.at, found.mode)}

    def _by_meaning(self, tx: Connection, found: _Pass) -> None:
        index, vector = self._index, found.vector
        if index is None or vector is None:
            return
        clients = found.scope.clients
        spaces = None if clients is None else [rows_of.space_number(client) for client in clients]
        near = index.near(vector, CANDIDATES, spaces=spaces, among=found.among)
        ids, vectors = rows_of.vectors_of(tx, sorted({*near.tolist(), *found.bm25}), index.dims)
        cosines = np.round((vectors @ vector).astype(float), 6)
        best = np.lexsort((np.array(ids, np.int64), -cosines))[:CANDIDATES]
        keep = {ids[n] for n in best.tolist()} | set(found.bm25)
        found.cosine = {id_: float(value) for id_, value in zip(ids, cosines, strict=True) if id_ in keep}

    def _with_neighbours(self, tx: Connection, found: _Pass, best: Sequence[int]) -> None:
        """Bring the neighbours of the best along: they may be the answer, and they lend each other their score."""
        if not (threaded := _threaded(found, best)):
            return
        pairs = rows_of.neighbours(tx, threaded, self.weights.neighbour_reach, found.scope)
        self._see(tx, found, {other for _, other, _ in pairs})
        seen: set[tuple[int, int, int]] = set()
        for id_, other, distance in pairs:
            if other in found.rows:
                seen |= {(id_, other, distance), (other, id_, distance)}
        for id_, other, _ in sorted(seen):
            found.beside.setdefault(id_, []).append(other)
        if found.vector is not None:
            self._windows(tx, found, found.vector, sorted({*best, *found.beside}), sorted(seen))

    def _windows(
        self,
        tx: Connection,
        found: _Pass,
        vector: npt.NDArray[np.float32],
        wanted: Sequence[int],
        pairs: Sequence[tuple[int, int, int]],
    ) -> None:
        """Score the newcomers, and each turn together with the turns at its side.

        The vector of a window is the sum of its turns' vectors, made here and kept nowhere: forgetting one turn leaves
        nothing of it in the others' vectors.
        """
        ids, vectors = rows_of.vectors_of(tx, wanted, len(vector))
        place = {id_: n for n, id_ in enumerate(ids)}
        cosines = np.round((vectors @ vector).astype(float), 6)
        found.cosine |= {id_: float(cosines[n]) for id_, n in place.items()}
        if not self.weights.window:
            return
        sums = vectors.copy()
        for id_, other, distance in pairs:
            if distance == 1 and id_ in place and other in place:
                sums[place[id_]] += self.weights.window_share * vectors[place[other]]
        lengths = np.linalg.norm(sums, axis=1)
        close = np.round((sums @ vector) / np.where(lengths > 0, lengths, 1), 6)
        found.window = {id_: float(close[n]) for id_, n in place.items()}

    def _evidence(self, found: _Pass, id_: int) -> Evidence:
        row, question = found.rows[id_], found.question
        asked, lowered = question.asked, row.text.lower()
        return Evidence(
            cosine=found.cosine.get(id_, 0.0),
            bm25=found.bm25.get(id_, 0.0),
            window=found.window.get(id_, found.cosine.get(id_, 0.0)),
            speaker=bool(row.speaker or row.author) and not asked.isdisjoint((row.speaker.lower(), row.author.lower())),
            client=row.client.lower() in asked,
            named=any(name in lowered for name in asked),
            timely=bool(question.times)
            and (question.holds(rows_of.moment(row.at)) or question.holds(rows_of.moment(row.valid_from))),
            asks=row.text.rstrip().endswith("?"),
            operator=row.origin == Origin.OPERATOR,
        )

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
        embedder, done = self.embedder, 0
        while embedder is not None and done < limit:
            with self.database.read() as tx:
                rows = tx.exec_driver_sql(
                    "SELECT id, client, text FROM recollections WHERE pending = 1 ORDER BY id LIMIT ?",
                    (min(DRAIN_BATCH, limit - done),),
                ).fetchall()
            if not rows:
                break
            vectors = embedder.embed([row[2] for row in rows]).astype(np.float16)
            self._step("queue: embedded")
            with self._change:
                ids = [row[0] for row in rows]
                kept = set(self.database.write_now(partial(rows_of.keep_vectors, ids=ids, rows=vectors)))
                self._step("queue: committed")
                place = [n for n, row in enumerate(rows) if row[0] in kept]
                if self._index is not None:
                    self._admit([rows[n][0] for n in place], [rows[n][1] for n in place], vectors[place])
            done += len(rows)
        return done

    def _admit(self, ids: Sequence[int], clients: Sequence[str], rows: npt.NDArray[np.float16]) -> None:
        index = self._index
        if index is None or not ids:
            return
        spaces = np.array([rows_of.space_number(client) for client in clients], np.uint32)
        index.add(np.array(ids, np.uint32), spaces, rows.astype(np.float32))
        if index.needs_seal:
            self._seal(index)

    # ── the index ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ready(self) -> bool:
        """Whether records are found by their meaning."""
        return self._index is not None

    @property
    def index_bytes(self) -> int:
        """What the index takes in memory."""
        return 0 if self._index is None else self._index.nbytes

    def wait_ready(self) -> None:
        """Wait until a rebuild that is under way has ended."""
        if self._builder is not None:
            self._builder.join()

    def _open_index(self, embedder: Embedder) -> None:
        self.database.write_now(lambda tx: _adopt(tx, embedder.stamp))
        with self.database.read() as tx:
            centre = rows_of.setting(tx, "centre")
        index = self._empty_index(embedder.dims, centre)
        if not centre:
            sweep(index.folder, None) if index.folder.is_dir() else None
            self._replay(index, None)
            self._serve(index)
            return
        try:
            stamp = index.load(self._complaint)
        except TornIndexError as torn:
            self._note = f"{torn} Meanwhile records are found by words alone."
            self._builder = threading.Thread(target=self.rebuild, name="soloist-index", daemon=True)
            self._builder.start()
            return
        self._replay(index, stamp)
        self._serve(index)

    def _empty_index(self, dims: int, centre: bytes) -> VectorIndex:
        bits_around = np.frombuffer(centre, np.float32) if centre else None
        return VectorIndex(self.folder / "index", dims, bits_around, self._exact_max)

    def _serve(self, index: VectorIndex) -> None:
        self._index = index
        self._note = ""
        if index.needs_seal:
            with self._change:
                self._seal(index)

    def _complaint(self, stamp: Stamp) -> str:
        """Say what is wrong with a generation, "" when the store agrees with it."""
        embedder = self.embedder
        with self.database.read() as tx:
            uid = tx.exec_driver_sql("SELECT uid FROM recollections WHERE id = ?", (stamp.last_id,)).scalar()
            buried = rows_of.tombstone_count(tx)
        if embedder is None or (stamp.embedder, stamp.dims) != (embedder.stamp, embedder.dims):
            return "it was made with another model"
        if stamp.forgotten != buried:
            return "something was forgotten since it was made"
        if stamp.count and uid != stamp.last_uid:
            return "it was made from another store"
        return ""

    def _replay(self, index: VectorIndex, stamp: Stamp | None) -> None:
        after = stamp.last_id if stamp else 0
        with self.database.read() as tx:
            for ids, spaces, vectors in _batches(tx, index.dims, after, stamp.holes if stamp else ()):
                index.add(ids, spaces, vectors)

    def _seal(self, index: VectorIndex) -> None:
        """Write a new generation of everything and go on from it. Called with the change lock held."""
        if index.centre is None:
            centre = index.tail.rows.mean(axis=0, dtype=np.float32)
            self._step("seal: centre")
            self.database.write_now(lambda tx: rows_of.keep_setting(tx, "centre", centre.tobytes()))
            tail = index.tail
            index = self._empty_index(index.dims, centre.tobytes())
            whole = _Segment(tail.ids, tail.spaces, bits(tail.rows.astype(np.float32, copy=False), centre))
        else:
            whole = index.joined()
        index.seal(self._stamp(whole, index.dims), whole, self._step)
        self._index = index

    def _stamp(self, whole: _Segment, dims: int) -> Stamp:
        last = int(whole.ids[-1]) if len(whole) else 0
        with self.database.read() as tx:
            uid = tx.exec_driver_sql("SELECT uid FROM recollections WHERE id = ?", (last,)).scalar()
            holes = tx.exec_driver_sql("SELECT id FROM recollections WHERE pending = 1 AND id < ? ORDER BY id", (last,))
            return Stamp(
                self.embedder.stamp if self.embedder else "", dims, len(whole), last, uid or 0,
                rows_of.tombstone_count(tx), tuple(row[0] for row in holes),
            )  # fmt: skip

    def rebuild(self) -> None:
        """Make the index anew from the store. Recall by words goes on meanwhile; so do adding and forgetting."""
        embedder = self.embedder
        if embedder is None:
            return
        with self.database.read() as tx:
            centre = rows_of.setting(tx, "centre")
            index = self._empty_index(embedder.dims, centre)
            whole = None if index.centre is None else build(_batches(tx, index.dims, 0, ()), index.centre)
        with self._change:
            if whole is not None:
                whole = whole.without(whole.places(np.array(sorted(self._gone), np.int64)))
                stamp = self._stamp(whole, index.dims)
                self._step("rebuild: built")
                index.seal(stamp, whole, self._step)
                self._replay(index, stamp)
            else:
                self._replay(index, None)
            self._serve(index)

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
                numbers = rows_of.numbers_of(tx, doomed)
                key = rows_of.setting(tx, "secret")
            if not doomed:
                return Forgotten(0)
            # The list first: from here on a restored backup, a replay or a second start lets them go too.
            self._step("forget: list")
            TombstoneFile(self.folder).add(key, numbers)
            self._step("forget: rows")
            self.database.write_now(lambda tx: rows_of.bury(tx, doomed, numbers))
            self._step("forget: index")
            self._names = None
            self._gone.update(doomed)
            if self._index is not None:
                if self._index.drop(doomed):
                    self._seal(self._index)
            elif self._builder is None:
                sweep(self.folder / "index", None)
        done = self.scrub()
        note = "" if done else "A reader was in the way: the last bytes are overwritten at the next start."
        return Forgotten(len(doomed), tuple(doomed), done, note)

    def _doomed(self, tx: Connection, ids: Sequence[int], person: str, client: str) -> list[int]:
        wanted = set(rows_of.fetch(tx, ids)) if ids else set()
        if person.strip():
            wanted.update(rows_of.about(tx, person.strip()))
        if client.strip():
            wanted.update(rows_of.in_scope(tx, Scope(client=client)).tolist())
        return rows_of.with_what_follows(tx, wanted)

    def scrub(self) -> bool:
        """Take the bytes of what was forgotten out of the full-text index and the write-ahead log.

        A deleted word stays in an older segment of the full-text index until that is merged, and a deleted page stays
        in the log until it is checkpointed. Returns False when a reader kept the log open; it is due again then.
        """
        with self.database.read() as tx:
            if not rows_of.setting(tx, "scrub"):
                return True
        self._step("scrub: merge")
        pages = -MERGE_PAGES  # the first one gathers all segments, the others go on with it in small writes
        while self.database.write_now(partial(_merge, pages=pages)):
            pages = MERGE_PAGES
        self.database.write_now(lambda tx: tx.exec_driver_sql(
            "INSERT INTO recollections_fts(recollections_fts) VALUES ('optimize')"
        ))  # fmt: skip
        self._step("scrub: checkpoint")
        if not self._checkpoint():
            return False
        self.database.write_now(lambda tx: tx.exec_driver_sql("DELETE FROM recollection_settings WHERE name = 'scrub'"))
        return True

    def _checkpoint(self) -> bool:
        connection = self.database.engine.raw_connection()
        try:
            for _ in range(CHECKPOINT_TRIES):
                with contextlib.suppress(sqlite3.OperationalError):
                    busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                    if not busy:
                        return True
                time.sleep(0.1)
        finally:
            connection.close()
        return False

    def _mend(self) -> None:
        """Finish what a kill left, and let what was forgotten go again if a restored backup brought it back."""
        file = TombstoneFile(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.database.write_now(lambda tx: _same_secret(tx, file))
        listed = file.numbers()
        with self.database.read() as tx:
            buried = rows_of.tombstone_numbers(tx)
        if missing := buried - listed:
            file.add(key, sorted(missing))
        if zombies := listed - buried:
            self.database.write_now(lambda tx: _bury_again(tx, sorted(zombies)))
        if self.embedder is None:
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


def visible(row: Row[Any], question: Question, at: datetime | None, mode: Mode) -> bool:
    """Return whether a record counts: by when it was said, and by when it held. Age alone hides nothing."""
    if at is not None:
        then = micros(at) or 0
        if row.at is not None and row.at > then:
            return False
        return mode == "history" or (
            (row.valid_from is None or row.valid_from <= then) and (row.valid_to is None or then < row.valid_to)
        )
    if row.superseded_by is None or mode == "history":
        return True
    if mode == "current":
        return False
    return question.mode == "history" or bool(question.times)


def _threaded(found: _Pass, ids: Sequence[int]) -> list[int]:
    return [id_ for id_ in ids if found.rows[id_].thread and found.rows[id_].position is not None]


def _as_of(scope: Scope, at: datetime) -> Scope:
    end = at + timedelta(microseconds=1)
    return replace(scope, until=end if scope.until is None else min(end, scope.until))


# ── small steps inside a write ────────────────────────────────────────────────────────────────────────────────────


def _adopt(tx: Connection, stamp: str) -> None:
    """Make the store this embedder's: vectors of another one go, and their records wait in the queue."""
    before = rows_of.setting(tx, "embedder").decode()
    if before == stamp:
        return
    if before:
        rows_of.requeue(tx)
        rows_of.keep_setting(tx, "centre", b"")
    rows_of.keep_setting(tx, "embedder", stamp.encode())


def _same_secret(tx: Connection, file: TombstoneFile) -> bytes:
    kept = file.secret()
    if not rows_of.setting(tx, "secret") and kept:
        rows_of.keep_setting(tx, "secret", kept)
    key = rows_of.secret(tx)
    file.begin(key)
    return key


def _bury_again(tx: Connection, numbers: Sequence[int]) -> None:
    ids = rows_of.with_what_follows(tx, rows_of.ids_of(tx, numbers))
    rows_of.bury(tx, ids, sorted({*numbers, *rows_of.numbers_of(tx, ids)}))


def _merge(tx: Connection, pages: int) -> bool:
    """Merge a little of the full-text index; return whether there is more to do."""
    before = tx.exec_driver_sql("SELECT total_changes()").scalar() or 0
    tx.exec_driver_sql("INSERT INTO recollections_fts(recollections_fts, rank) VALUES ('merge', ?)", (pages,))
    after = tx.exec_driver_sql("SELECT total_changes()").scalar() or 0
    # One change is the command itself (FTS5 documentation, "The 'merge' Command").
    return bool(after - before > 1)


def _batches(
    tx: Connection, dims: int, after: int, holes: Sequence[int]
) -> Iterator[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.float32]]]:
    """Yield the store's vectors with ids and namespaces, ids ascending within a batch."""
    spaces: dict[str, int] = {}
    extra = f" OR v.id IN ({','.join(map(str, holes))})" if holes else ""
    result = tx.exec_driver_sql(
        "SELECT v.id, r.client, v.vector FROM recollection_vectors v JOIN recollections r ON r.id = v.id "
        f"WHERE v.id > ?{extra} ORDER BY v.id",
        (after,),
    )
    while rows := result.fetchmany(REPLAY_BATCH):
        for row in rows:
            if row[1] not in spaces:
                spaces[row[1]] = rows_of.space_number(row[1])
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.float16).reshape(len(rows), dims)
        yield (
            np.array([row[0] for row in rows], np.uint32),
            np.array([spaces[row[1]] for row in rows], np.uint32),
            vectors.astype(np.float32),
        )

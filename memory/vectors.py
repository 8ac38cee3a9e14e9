# ruff: noqa: S608 - what is put into SQL here are integers of ours
"""The vectors of a store: the queue that waits for them, and the index that is kept up with them.

The index is a copy. While there is none, or it is being made again, `index` is None and recall goes on with words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from memory import burial
from memory import recollections as rows_of
from memory.database import Database
from memory.embed import Embedder
from memory.heap import give_back
from memory.index import EXACT_MAX, Batch, Segment, Stamp, TornIndexError, VectorIndex, bits, build, sweep
from memory.recollection import space_number

DRAIN_BATCH = 256  # texts embedded between two writes
REPLAY_BATCH = 20_000  # vectors read from the store at a time: 30 MB
QUESTIONS_MAX = 256  # whose vectors are kept: the same one is asked of several kinds and scopes, and again
CALM_SHARE = 64  # in a quiet moment a tail of more than this part becomes a generation: the next start reads less
CALM_PART = 4  # and of more than this part of `exact_max`


class Vectors:
    """The embedding queue and the index of one database. Who changes anything holds ``change``."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        embedder: Embedder,
        *,
        step: Callable[[str], None] = lambda _: None,
        exact_max: int = EXACT_MAX,
    ) -> None:
        self.database = database
        self.folder = folder
        self.embedder = embedder
        self.index: VectorIndex | None = None
        self.note = ""
        # Held over commit and index together, so that both tell the same story.
        self.change = threading.RLock()
        self.changes = 0  # of the index; with the store's own count it tells whether an answer is old
        self.question = lru_cache(QUESTIONS_MAX)(self._question)
        self._step = step
        self._exact_max = exact_max
        self._gone: set[int] = set()
        self._builder: threading.Thread | None = None

    # ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self, limit: int = DRAIN_BATCH, *, after: int = 0) -> int:
        """Give waiting records their vectors, oldest first; return how many. Call it when there is nothing better.

        Args:
            limit: At most so many.
            after: Only those with a higher id.
        """
        done = 0
        while done < limit:
            with self.database.read() as tx:
                rows = tx.exec_driver_sql(
                    "SELECT id, client, text FROM recollections WHERE pending = 1 AND id > ? ORDER BY id LIMIT ?",
                    (after, min(DRAIN_BATCH, limit - done)),
                ).fetchall()
            if not rows:
                self._settle()
                break
            vectors = self.embedder.embed([row[2] for row in rows]).astype(np.float16)
            self._step("queue: embedded")
            with self.change:
                ids = [row[0] for row in rows]
                kept = set(self.database.write_now(partial(rows_of.keep_vectors, ids=ids, rows=vectors)))
                self._step("queue: committed")
                place = [n for n, row in enumerate(rows) if row[0] in kept]
                self.admit([rows[n][0] for n in place], [rows[n][1] for n in place], vectors[place])
            done += len(rows)
        return done

    def _question(self, topic: str) -> npt.NDArray[np.float32]:
        """Return the vector of a question; `question` keeps the last ones."""
        vector: npt.NDArray[np.float32] = self.embedder.embed([topic])[0]
        vector.setflags(write=False)
        return vector

    def _settle(self) -> None:
        """Make a generation of a long tail while nothing waits."""
        with self.change:
            index = self.index
            most = self._exact_max // CALM_PART
            if (
                index is not None
                and index.centre is not None
                and len(index.tail) > max(most, len(index.sealed) // CALM_SHARE)
            ):
                self._seal(index)

    def admit(self, ids: Sequence[int], clients: Sequence[str], rows: npt.NDArray[np.float16]) -> None:
        """Add records whose vectors are committed. Called with the change lock held."""
        index = self.index
        if index is None or not ids:
            return
        spaces = np.array([space_number(client) for client in clients], np.uint32)
        index.add(np.array(ids, np.uint32), spaces, rows.astype(np.float32))
        self.changes += 1
        if index.needs_seal:
            self._seal(index)

    def drop(self, ids: Sequence[int]) -> None:
        """Take records out at once, on disk too. Called with the change lock held, after their rows are gone."""
        self._gone.update(ids)
        self.changes += 1
        self.question.cache_clear()  # a question may hold the name that was forgotten
        index = self.index
        if index is not None and index.drop(ids):
            self._seal(index)

    # ── the index ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ready(self) -> bool:
        """Whether records are found by their meaning."""
        return self.index is not None

    def wait(self) -> None:
        """Wait until a rebuild that is under way has ended."""
        if self._builder is not None:
            self._builder.join()

    def open(self) -> None:
        """Load or make the index; what takes long is done beside, and words answer meanwhile."""
        embedder = self.embedder
        self.database.write_now(lambda tx: _adopt(tx, embedder.stamp))
        with self.database.read() as tx:
            centre = rows_of.setting(tx, "centre")
        index = self._empty_index(centre)
        if not centre:
            sweep(index.folder, None) if index.folder.is_dir() else None
            self._replay(index, None)
            self._serve(index)
            return
        try:
            stamp = index.load(self._complaint)
        except TornIndexError as torn:
            self.note = f"{torn} Meanwhile records are found by words alone."
            self._builder = threading.Thread(target=self.rebuild, name="soloist-index", daemon=True)
            self._builder.start()
            return
        self._replay(index, stamp)
        self._serve(index)

    def look(self) -> None:
        """Load the index and what came since, and write nothing; words alone when that cannot be."""
        with self.database.read() as tx:
            centre, made_with = rows_of.setting(tx, "centre"), rows_of.setting(tx, "embedder").decode()
        if made_with != self.embedder.stamp:
            self.note = "The vectors were made with another model: found by words alone."
            return
        index = self._empty_index(centre)
        try:
            self._replay(index, index.load(self._complaint) if centre else None)
        except TornIndexError as torn:
            self.note = f"{torn} Found by words alone."
            return
        self.index = index

    def _empty_index(self, centre: bytes) -> VectorIndex:
        bits_around = np.frombuffer(centre, np.float32) if centre else None
        return VectorIndex(self.folder, self.embedder.dims, bits_around, self._exact_max)

    def _serve(self, index: VectorIndex) -> None:
        self.index = index
        self.note = ""
        self.changes += 1
        give_back()
        if index.needs_seal:
            with self.change:
                self._seal(index)

    def _complaint(self, stamp: Stamp) -> str:
        """Say what is wrong with a generation, "" when the store agrees with it."""
        with self.database.read() as tx:
            uid = tx.exec_driver_sql("SELECT uid FROM recollections WHERE id = ?", (stamp.last_id,)).scalar()
            buried = burial.tombstone_count(tx)
        if (stamp.embedder, stamp.dims) != (self.embedder.stamp, self.embedder.dims):
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
            index = self._empty_index(centre.tobytes())
            whole = Segment(tail.ids, tail.spaces, bits(tail.rows.astype(np.float32, copy=False), centre))
        else:
            whole = index.joined()
        index.seal(self._stamp(whole), whole, self._step)
        self.index = index

    def _stamp(self, whole: Segment, holes: Sequence[int] | None = None) -> Stamp:
        last = int(whole.ids[-1]) if len(whole) else 0
        with self.database.read() as tx:
            uid = tx.exec_driver_sql("SELECT uid FROM recollections WHERE id = ?", (last,)).scalar()
            waiting = _pending(tx) if holes is None else holes
            return Stamp(
                self.embedder.stamp,
                self.embedder.dims,
                len(whole),
                last,
                uid or 0,
                burial.tombstone_count(tx),
                tuple(id_ for id_ in waiting if id_ < last),
            )

    def rebuild(self) -> None:
        """Make the index anew from the store. Recall by words goes on meanwhile; so do adding and forgetting."""
        with self.database.read() as tx:
            centre = rows_of.setting(tx, "centre")
            index = self._empty_index(centre)
            holes = _pending(tx)
            whole = None if index.centre is None else build(_batches(tx, index.dims, 0, ()), index.centre)
        with self.change:
            if whole is not None:
                whole = whole.without(whole.places(np.array(sorted(self._gone), np.int64)))
                stamp = self._stamp(whole, holes)
                self._step("rebuild: built")
                index.seal(stamp, whole, self._step)
                self._replay(index, stamp)
            else:
                self._replay(index, None)
            self._serve(index)


def _adopt(tx: Connection, stamp: str) -> None:
    """Make the store this embedder's: vectors of another one go, and their records wait in the queue."""
    before = rows_of.setting(tx, "embedder").decode()
    if before == stamp:
        return
    if before:
        rows_of.requeue(tx)
        rows_of.keep_setting(tx, "centre", b"")
    rows_of.keep_setting(tx, "embedder", stamp.encode())


def _pending(tx: Connection) -> list[int]:
    rows = tx.exec_driver_sql("SELECT id FROM recollections WHERE pending = 1 ORDER BY id")
    return [row[0] for row in rows.fetchall()]


def _batches(tx: Connection, dims: int, after: int, holes: Sequence[int]) -> Iterator[Batch]:
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
                spaces[row[1]] = space_number(row[1])
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.float16).reshape(len(rows), dims)
        yield (
            np.array([row[0] for row in rows], np.uint32),
            np.array([spaces[row[1]] for row in rows], np.uint32),
            vectors.astype(np.float32),
        )

"""The vector index: which records lie near a vector. The only door to FAISS.

Small stores are searched exactly. Above `EXACT_MAX` each vector is one bit a dimension (the sign after taking the
centre away, 48 bytes). The nearest by Hamming distance are ordered by the question's own numbers against their bits,
and the best 1,500 are scored again from the store: .99 of the exact ten in a thirtieth of the memory. Bits can be
appended, removed and filtered, which graphs cannot.

On disk a generation is one immutable file, ``index-<n>.bin`` (written, fsynced, renamed): a JSON line that stamps it,
then ids, namespaces and bits, ids ascending. What came after it is replayed from the store. Anything wrong with it,
and it is made anew: the store is the truth, so this folder may be deleted at any time.

The answer depends on what is in the store and not on how it came there: ties go to the smaller id, and the centre is
kept in the store, so that a rebuilt index is the same index.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Batch = tuple[Ids, Ids, Floats]  # ids ascending, namespaces, vectors

EXACT_MAX = 20_000  # up to here every vector is compared: 2 ms and 30 MB
WIDE_MIN, WIDE_SHARE = 16_000, 40  # by Hamming distance: at least so many, or a fortieth of all
CANDIDATES = 1_500  # of those by the numbers of the question against their bits; to be scored again
TAIL_SHARE = 8  # a new generation when the tail is an eighth of it: bounds both replay and rewriting
SUFFIX = ".bin"
STEPS = np.float32(4096)  # of a number up to 1: two such and a float's 24 bits are used up
FORM = 2  # of the file and of the bits; another form is made anew from the store


class TornIndexError(Exception):
    """A generation on disk cannot be used; it is made anew from the store."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The index file {path.name} cannot be used ({reason}). It is being rebuilt from the store.")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a generation was made from. It is used only if the store still says the same."""

    embedder: str
    dims: int
    count: int
    last_id: int
    last_uid: int  # of the last record: tells a restored store from the one this was made from
    forgotten: int  # tombstones then: nothing forgotten later may be in it
    holes: tuple[int, ...]  # ids up to last_id that had no vector yet


@dataclass(frozen=True, slots=True)
class Segment:
    """Records by ascending id, with their namespaces and either bits or whole vectors."""

    ids: Ids
    spaces: Ids
    rows: npt.NDArray[Any]  # uint8 bits, or float32 vectors

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
        """Return where those of the ids stand that are in here; ascending when the ids are."""
        spots = np.searchsorted(self.ids, ids)
        spots = spots[spots < len(self.ids)] if not len(self.ids) else np.minimum(spots, len(self.ids) - 1)
        return spots[self.ids[spots] == ids] if len(spots) else spots

    def without(self, places: npt.NDArray[np.intp]) -> Segment:
        """Return a copy of the segment without some places."""
        keep = np.ones(len(self.ids), bool)
        keep[places] = False
        return Segment(self.ids[keep], self.spaces[keep], self.rows[keep])

    def plus(self, more: Segment) -> Segment:
        """Return both as one, ids ascending."""
        ids = np.concatenate([self.ids, more.ids])
        _, first = np.unique(ids, return_index=True)
        spaces, rows = np.concatenate([self.spaces, more.spaces]), np.concatenate([self.rows, more.rows])
        return Segment(ids[first], spaces[first], rows[first])

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.ids.nbytes + self.spaces.nbytes + self.rows.nbytes


def _empty(width: int, kind: type[np.generic], room: int = 0) -> Segment:
    return Segment(np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty((room, width), kind))


class _Tail:
    """A segment with room at its end: adding one record must not copy twenty thousand.

    A reader holds a view of what was there; what is written behind the view does not disturb it.
    """

    def __init__(self, width: int, kind: type[np.generic]) -> None:
        self._buffer = _empty(width, kind)
        self.segment = self._buffer

    def append(self, more: Segment) -> None:
        """Add records, usually with higher ids; one that was waiting in the queue may be lower, and is sorted in."""
        held, count = self.segment, len(self.segment)
        if count and len(more) and more.ids[0] <= held.ids[-1]:
            self.become(held.plus(more))
            return
        end = count + len(more)
        if end > len(self._buffer):
            fresh = _empty(held.rows.shape[1], held.rows.dtype.type, end + end // 4)
            fresh.ids[:count], fresh.spaces[:count], fresh.rows[:count] = held.ids, held.spaces, held.rows
            self._buffer = fresh
        buffer = self._buffer
        buffer.ids[count:end], buffer.spaces[count:end], buffer.rows[count:end] = more.ids, more.spaces, more.rows
        self.segment = Segment(buffer.ids[:end], buffer.spaces[:end], buffer.rows[:end])

    def become(self, segment: Segment) -> None:
        """Hold something else."""
        self._buffer = self.segment = segment


def bits(vectors: Floats, centre: Floats) -> Bits:
    """Return one bit a dimension: on which side of the centre, after spreading. Shape (n, dims / 8).

    A record has the same bits whether it comes alone or among thousands. The last digits of a product depend on how
    many rows are multiplied at once, so both sides are whole numbers, small enough for every sum to be exact.
    """
    away = vectors - centre
    lengths = np.sqrt(np.square(away).sum(axis=1, keepdims=True))
    away *= STEPS / np.where(lengths > 0, lengths, 1)
    return np.packbits(np.rint(away, out=away) @ _whole_turn(len(centre)) > 0, axis=1)


@lru_cache(maxsize=4)
def _whole_turn(dims: int) -> Floats:
    turned: Floats = np.rint(spread(dims) * STEPS)
    return turned


@lru_cache(maxsize=4)
def spread(dims: int) -> Floats:
    """Return an orthogonal matrix that gives every dimension the same share: then each bit says as much as the others.

    A cosine transform with fixed signs, so that it is the same matrix on every machine; it takes .97 to .99 of exact.
    """
    row, column = np.arange(dims)[:, None] + 0.5, np.arange(dims)[None]
    turn = np.sqrt(2 / dims) * np.cos(np.pi / dims * row * column)
    turn[:, 0] /= np.sqrt(2)
    digest = b"".join(hashlib.blake2b(bytes([part]), digest_size=64).digest() for part in range(-(-dims // 512)))
    signs = np.unpackbits(np.frombuffer(digest, np.uint8))[:dims].astype(float) * 2 - 1
    matrix: Floats = (signs[:, None] * turn).astype(np.float32)
    return matrix


class VectorIndex:
    """All vectors of a store, searchable. Readers see one consistent picture; the caller lets one writer in at a time.

    ``sealed`` is what the newest generation on disk holds, ``tail`` what came after. Without a centre there is no
    generation: the tail holds whole vectors and the search is exact.
    """

    def __init__(self, folder: Path, dims: int, centre: Floats | None, exact_max: int = EXACT_MAX) -> None:
        self.exact_max = exact_max
        self.folder = folder
        self.dims = dims
        self.centre = centre
        self.sealed = _empty(dims // 8, np.uint8)
        self._tail = self._fresh_tail()

    def _fresh_tail(self) -> _Tail:
        return _Tail(self.dims, np.float32) if self.centre is None else _Tail(self.dims // 8, np.uint8)

    @property
    def tail(self) -> Segment:
        """What came after the generation."""
        return self._tail.segment

    def __len__(self) -> int:
        return len(self.sealed) + len(self.tail)

    @property
    def nbytes(self) -> int:
        """Bytes of ids, namespaces and bits or vectors in memory."""
        return self.sealed.nbytes + self.tail.nbytes

    @property
    def needs_seal(self) -> bool:
        """Whether the tail has grown enough for a new generation."""
        return len(self.tail) > max(self.exact_max, len(self.sealed) // TAIL_SHARE)

    # ── search ────────────────────────────────────────────────────────────────────────────────────────────────────

    def near(
        self,
        vector: Floats,
        limit: int,
        *,
        spaces: Sequence[int] | None = None,
        among: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.int64]:
        """Return the ids of at least the ``limit`` nearest records: candidates, to be scored from the store.

        Args:
            vector: Unit vector, shape (dims,).
            limit: How many are wanted; by bits, `CANDIDATES` are given.
            spaces: Only these namespaces.
            among: Only these ids, ascending.
        """
        narrowed = [_narrowed(segment, spaces, among) for segment in (self.sealed, self.tail)]
        if self.centre is None:
            ids, rows = narrowed[1].ids, narrowed[1].rows
            scores = np.round(rows.astype(np.float32, copy=False) @ vector, 5)
            return _first(ids, scores, limit)
        # First all of them by Hamming distance, then the nearest with the question's own numbers against their bits.
        query, held = bits(vector[None], self.centre), sum(map(len, narrowed))
        wide = max(WIDE_MIN, held // WIDE_SHARE)
        several = [_hamming(query, segment, wide) for segment in narrowed]
        distances = np.concatenate([found[0] for found in several])
        ids = np.concatenate([found[1].ids for found in several])
        rows = np.concatenate([found[1].rows for found in several])
        nearest = _lowest(distances, ids, wide)
        scores = _against_bits(vector @ spread(self.dims), rows[nearest])
        return _first(ids[nearest], scores, max(limit, CANDIDATES))

    # ── change ────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, ids: Ids, spaces: Ids, vectors: Floats) -> None:
        """Add records at once; on disk they come with the next generation. An id that is here already stays."""
        order = np.argsort(ids, kind="stable")
        known = np.concatenate([self.sealed.ids[self.sealed.places(ids)], self.tail.ids[self.tail.places(ids)]])
        order = order[~np.isin(ids[order], known)]
        rows = vectors[order] if self.centre is None else bits(vectors[order], self.centre)
        self._tail.append(Segment(ids[order], spaces[order], rows))

    def drop(self, ids: Iterable[int]) -> bool:
        """Take records out at once; return whether a generation on disk held one and must be written anew."""
        gone = np.fromiter(ids, np.int64)
        if len(places := self.tail.places(gone)):
            self._tail.become(self.tail.without(places))
        if len(places := self.sealed.places(gone)):
            self.sealed = self.sealed.without(places)
        return bool(len(places))

    def joined(self) -> Segment:
        """Return all of it as one segment, ids ascending."""
        return self.sealed.plus(self.tail) if len(self.tail) else self.sealed

    # ── generations ───────────────────────────────────────────────────────────────────────────────────────────────

    def load(self, stamp: Callable[[Stamp], str]) -> Stamp:
        """Take the newest generation from disk.

        Args:
            stamp: Given the stamp, says what is wrong with it, "" when the store agrees.

        Raises:
            TornIndexError: There is none, it is torn, or it is not of this store.
        """
        paths = generations(self.folder)
        if not paths:
            raise TornIndexError(self.folder / f"index-1{SUFFIX}", "it is missing")
        found, segment = _read(paths[-1])
        if reason := stamp(found):
            raise TornIndexError(paths[-1], reason)
        self.sealed = segment
        self._tail = self._fresh_tail()
        return found

    def seal(self, stamp: Stamp, whole: Segment, step: Callable[[str], None] = lambda _: None) -> None:
        """Write a generation, make it the newest, and take away the older ones.

        Args:
            stamp: What it was made from.
            whole: What it holds, from `joined` or `build`.
            step: Called before each step with its name; tests kill the process there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        older = generations(self.folder)
        turn = _turn(older[-1]) + 1 if older else 1
        path = self.folder / f"index-{turn}{SUFFIX}"
        scratch = self.folder / f".index-{turn}.tmp"
        step("write")
        _write(scratch, stamp, whole)
        step("rename")
        scratch.replace(path)
        _sync(self.folder)
        step("swap")
        self.sealed = _read(path, check=False)[1]
        self._tail = self._fresh_tail()
        step("sweep")
        sweep(self.folder, path)


def build(batches: Iterator[Batch], centre: Floats) -> Segment:
    """Return a segment made from the store's vectors, which come in ascending order of ids."""
    ids, spaces, rows = [], [], []
    for some_ids, some_spaces, vectors in batches:
        ids.append(some_ids)
        spaces.append(some_spaces)
        rows.append(bits(vectors, centre))
    if not ids:
        return _empty(len(centre) // 8, np.uint8)
    return Segment(np.concatenate(ids), np.concatenate(spaces), np.concatenate(rows))


def generations(folder: Path) -> list[Path]:
    """Return the generations on disk, oldest first."""
    return sorted(folder.glob(f"index-*{SUFFIX}"), key=_turn) if folder.is_dir() else []


def sweep(folder: Path, newest: Path | None) -> None:
    """Remove all generations but one, and what a killed write left: a forgotten record may be in any of them."""
    leftovers = [*generations(folder), *folder.glob(".index-*.tmp")]
    for path in leftovers:
        if path != newest:
            path.unlink(missing_ok=True)
    _sync(folder)


def _turn(path: Path) -> int:
    digits = path.stem.removeprefix("index-")
    return int(digits) if digits.isdigit() else 0


def _narrowed(segment: Segment, spaces: Sequence[int] | None, among: npt.NDArray[np.int64] | None) -> Segment:
    """Return the part of a segment that may be searched."""
    if spaces is None and among is None:
        return segment
    places = np.arange(len(segment)) if among is None else segment.places(among)
    if spaces is not None:
        own = segment.spaces if among is None else segment.spaces[places]
        mask = own == spaces[0]
        for space in spaces[1:]:
            mask |= own == space
        places = np.flatnonzero(mask) if among is None else places[mask]
    return Segment(segment.ids[places], segment.spaces[places], segment.rows[places])


def _first(ids: Ids, scores: Floats, limit: int) -> npt.NDArray[np.int64]:
    some = _lowest(-scores, ids, limit)
    return ids[some[np.lexsort((ids[some], -scores[some]))]].astype(np.int64)


def _lowest(values: npt.NDArray[Any], ids: Ids, limit: int) -> npt.NDArray[np.intp]:
    """Return the places of the lowest values, in no order; at the border the smaller ids."""
    if len(values) <= limit:
        return np.arange(len(values))
    border = np.partition(values, limit - 1)[limit - 1]
    below, ties = np.flatnonzero(values < border), np.flatnonzero(values == border)
    return np.concatenate([below, ties[np.argsort(ids[ties])][: limit - len(below)]])


def _against_bits(question: Floats, rows: Bits) -> Floats:
    """Return the product of a vector with rows of bits, through a table of what each byte is worth."""
    signs = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
    worth = signs @ question.reshape(-1, 8).T  # (256, dims / 8)
    scores = np.zeros(len(rows), np.float32)
    for byte in range(rows.shape[1]):
        scores += worth[rows[:, byte], byte]
    return np.round(scores, 4)


def _hamming(query: Bits, segment: Segment, limit: int) -> tuple[npt.NDArray[np.int32], Segment]:
    """Return the nearest rows of a segment with their distances, ties to the smaller id."""
    import faiss  # heavy, and a house without a model never comes here

    if not len(segment):
        return np.empty(0, np.int32), segment
    if len(segment) <= limit:
        places = np.arange(len(segment))
        distances = np.bitwise_count(segment.rows ^ query).sum(axis=1, dtype=np.int32)
    else:
        found, where = faiss.knn_hamming(query, np.ascontiguousarray(segment.rows), limit, variant="mc")
        distances, places = found[0], where[0]
    return distances, Segment(segment.ids[places], segment.spaces[places], segment.rows[places])


def _write(path: Path, stamp: Stamp, whole: Segment) -> None:
    body = [np.ascontiguousarray(part).data for part in (whole.ids, whole.spaces, whole.rows)]
    check = 0
    for part in body:
        check = zlib.crc32(part, check)
    header = json.dumps(asdict(stamp) | {"crc32": check, "form": FORM}).encode() + b"\n"
    with path.open("wb") as file:
        file.write(header)
        file.write(b"\x00" * (-len(header) % 64))  # aligned, so that the arrays can be used where they lie
        for part in body:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, *, check: bool = True) -> tuple[Stamp, Segment]:
    try:
        with path.open("rb") as file:
            header = file.readline()
            start = file.tell() + -file.tell() % 64
        about = json.loads(header)
        crc32, form = about.pop("crc32"), about.pop("form")
        if form != FORM:
            raise TornIndexError(path, "another version wrote it")
        stamp = Stamp(**about | {"holes": tuple(about["holes"])})
        count, width = stamp.count, stamp.dims // 8
        if path.stat().st_size != start + count * (8 + width):
            raise TornIndexError(path, "its length is wrong")
        # Mapped, not read: it is ready at once, and the pages can be given back.
        whole = np.memmap(path, np.uint8, "r", start) if count else np.empty(0, np.uint8)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TornIndexError(path, str(error) or "it is unreadable") from error
    if check and zlib.crc32(whole.data) != crc32:
        raise TornIndexError(path, "its contents are damaged")
    ids = whole[: 4 * count].view(np.uint32)
    spaces = whole[4 * count : 8 * count].view(np.uint32)
    return stamp, Segment(ids, spaces, whole[8 * count :].reshape(count, width))


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot; the file itself is safe
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

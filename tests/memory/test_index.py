"""The vector index: near enough to exact, the same however it grew, and whole after a kill at any step."""

import os
import signal

import numpy as np
import pytest

from memory.database import Database
from memory.index import CANDIDATES, Stamp, TornIndexError, VectorIndex, bits, generations, spread
from memory.recall import Memory, Record, Scope
from tests.memory.paper_embedder import PaperEmbedder


def clustered(count, seed=7, dims=384):
    """Vectors that lie in heaps, as the vectors of texts do."""
    rng = np.random.default_rng(seed)
    heaps = rng.standard_normal((60, dims))
    rows = heaps[rng.integers(0, 60, count)] + 0.9 * rng.standard_normal((count, dims)) + 0.4
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(folder, vectors, *, centre):
    index = VectorIndex(folder, vectors.shape[1], vectors.mean(axis=0) if centre else None)
    ids = np.arange(1, len(vectors) + 1, dtype=np.uint32)
    index.add(ids, (ids % 25).astype(np.uint32), vectors)
    return index


def share_found(index, vectors, questions, **narrowed):
    found = 0
    allowed = np.ones(len(vectors), bool)
    if "spaces" in narrowed:
        allowed = np.isin((np.arange(1, len(vectors) + 1) % 25), narrowed["spaces"])
    for question in questions:
        scores = np.where(allowed, vectors @ question, -2)
        exact = set((np.argsort(-scores)[:10] + 1).tolist())
        near = index.near(question, 10, **narrowed)
        assert allowed[near - 1].all()
        found += len(exact & set(near.tolist()))
    return found / (10 * len(questions))


def test_bits_find_what_whole_vectors_find(tmp_path) -> None:
    vectors, questions = np.split(clustered(30_020), [30_000])
    assert share_found(filled(tmp_path, vectors, centre=True), vectors, questions) >= 0.97
    assert share_found(filled(tmp_path, vectors, centre=True), vectors, questions, spaces=[3]) >= 0.99
    assert share_found(filled(tmp_path, vectors, centre=False), vectors, questions) >= 0.99


def test_spreading_turns_and_does_not_bend() -> None:
    for dims in (8, 64, 384):
        assert np.allclose(spread(dims) @ spread(dims).T, np.eye(dims), atol=1e-5)


def test_without_the_centre_taken_away_bits_find_less(tmp_path) -> None:
    """The twin: vectors all lean one way, and the sign of a leaning number says little."""
    lean = 0.2 * np.random.default_rng(1).standard_normal(384).astype(np.float32)
    vectors, questions = np.split(clustered(30_020) + lean, [30_000])
    centred = filled(tmp_path, vectors, centre=True)
    bare = VectorIndex(tmp_path, 384, np.zeros(384, np.float32))
    ids = np.arange(1, len(vectors) + 1, dtype=np.uint32)
    bare.add(ids, ids, vectors)
    assert share_found(bare, vectors, questions) < share_found(centred, vectors, questions)


def test_the_order_in_which_records_come_changes_nothing(tmp_path) -> None:
    vectors = np.sign(clustered(5_000, dims=64))  # many ties
    centre = np.zeros(64, np.float32)
    one, other = VectorIndex(tmp_path, 64, centre), VectorIndex(tmp_path, 64, centre)
    ids = np.arange(1, 5_001, dtype=np.uint32)
    one.add(ids, ids, vectors)
    for part in np.random.default_rng(3).permutation(10):
        where = slice(part * 500, part * 500 + 500)
        other.add(ids[where][::-1], ids[where][::-1], vectors[where][::-1])
    for row in range(20):
        assert one.near(vectors[row], 10).tolist() == other.near(vectors[row], 10).tolist()
    assert len(one.near(vectors[0], 10)) == CANDIDATES
    other.drop(range(1, 5_001, 2))
    assert set(other.near(vectors[0], 10) % 2) == {0}


def test_a_record_has_the_same_bits_alone_and_among_others() -> None:
    """Rows that lie just on the border, where the last digit of a product decides."""
    rng = np.random.default_rng(9)
    vectors = np.sign(rng.standard_normal((4_000, 64))).astype(np.float32)
    many = bits(vectors, np.zeros(64, np.float32))
    for size in (1, 3, 7, 16, 61, 500):
        few = np.concatenate([bits(vectors[n : n + size], np.zeros(64, np.float32)) for n in range(0, 4_000, size)])
        assert (few == many).all(), size
    # The twin: of these rows a plain product tells hundreds of signs by its last digit alone.
    doubtful = np.abs(vectors.astype(np.float64) @ spread(64).astype(np.float64)) < 1e-6
    assert doubtful.sum() > 100


def stamp_of(index, count):
    return Stamp("paper-1", index.dims, count, count, 0, 0, ())


def test_a_generation_comes_back_as_it_was_and_a_torn_one_does_not(tmp_path) -> None:
    vectors = clustered(3_000)
    index = filled(tmp_path, vectors, centre=True)
    before = index.near(vectors[5], 10).tolist()
    index.seal(stamp_of(index, 3_000), index.joined())
    assert (len(index.tail), len(index.sealed)) == (0, 3_000)
    again = VectorIndex(tmp_path, 384, index.centre)
    assert again.load(lambda _: "").count == 3_000
    assert again.near(vectors[5], 10).tolist() == before
    with pytest.raises(TornIndexError, match="another store"):
        again.load(lambda _: "it was made from another store")
    (path,) = generations(tmp_path)
    with path.open("rb+") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"\x00\xff\x00\xff\x00")
    with pytest.raises(TornIndexError, match="damaged"):
        again.load(lambda _: "")


def test_bits_take_a_sixteenth_of_half_precision() -> None:
    vectors = clustered(10)
    assert bits(vectors, vectors.mean(axis=0)).nbytes * 16 == vectors.astype(np.float16).nbytes


# ── killed at every step ──────────────────────────────────────────────────────────────────────────────────────────

DOOMED = "Xanthippewort"
COUNT = 70


def records(start, count):
    return [
        Record(
            f"note {row} about {DOOMED if row % 10 == 3 else 'invoices'} and paper",
            client=f"c{row % 3}",
            source=str(row),
        )
        for row in range(start, start + count)
    ]


def live_a_day(home, say, step) -> None:
    """Add in bulk and one by one, grow into generations, forget, rebuild; say what was promised as it is promised."""
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", PaperEmbedder(dims=64), exact_max=30, step=step, wait=True)
        texts = [record.text for record in records(0, 40)]
        memory.remember(records(0, 40), PaperEmbedder(dims=64).embed(texts))
        say("kept 40")
        for row in range(40, COUNT):
            memory.remember(records(row, 1))
            say(f"kept {row + 1}")
        memory.forget([6])
        say("forgot 5")
        memory.forget(person=DOOMED)
        say(f"forgot {DOOMED}")
        memory.rebuild()
        say("rebuilt")


def steps_of_a_day(home):
    seen = []
    live_a_day(home, lambda _: None, seen.append)
    return seen


def killed_at(home, turn):
    """Run the day in a child that is killed before its ``turn``-th step; return what it had promised."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        left = [turn]

        def step(_) -> None:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        try:
            live_a_day(home, lambda promise: os.write(writing, promise.encode() + b"\n"), step)
        finally:
            os._exit(3)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        promises = pipe.read().splitlines()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    return promises


def everything_on_disk(home):
    return b"\n".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


def state(memory):
    scopes = (Scope(), Scope(client="c1"))
    return [
        [(h.record.source, h.score) for h in memory.recall(f"note {n} {DOOMED} paper", s)]
        for n in (3, 40, 66)
        for s in scopes
    ]


def test_nothing_is_lost_and_nothing_comes_back_whatever_step_is_the_last(tmp_path) -> None:
    steps = steps_of_a_day(tmp_path / "whole")
    assert {"add: write", "add: committed", "queue: embedded", "queue: committed", "seal: centre", "write", "rename", "swap",
            "sweep", "forget: list", "forget: rows", "forget: index", "scrub: merge", "scrub: checkpoint", "scrub: done",
            "rebuild: built"} == set(steps)  # fmt: skip
    # The adds are alike: of each kind of step the first, the last and one in the middle.
    turns = set()
    for name in set(steps):
        places = [turn for turn, step in enumerate(steps) if step == name]
        turns |= {places[0], places[len(places) // 2], places[-1]}
    for turn in sorted(turns):
        home = tmp_path / f"killed-{turn}"
        promises = killed_at(home, turn)
        kept = max((int(promise.split()[1]) for promise in promises if promise.startswith("kept")), default=0)
        listed = (home / "memory" / "forgotten").read_bytes().count(b"\n") > 1
        with Database.open(home) as database:
            memory = Memory.open(database, home / "memory", PaperEmbedder(dims=64), exact_max=30, wait=True)
            memory.drain()
            alive = memory.get(range(1, COUNT + 1))
            there = {int(record.source) for record in alive}
            index = memory._vectors.index
            held = [*index.sealed.ids.tolist(), *index.tail.ids.tolist()]
            assert sorted(held) == sorted(record.id for record in alive), (steps[turn], turn)
            gone = set()
            if "forgot 5" in promises or (listed and kept == COUNT):
                gone |= {5}
            if f"forgot {DOOMED}" in promises:
                gone |= set(range(3, COUNT, 10))
                assert DOOMED.lower().encode() not in everything_on_disk(home).lower()
            assert there <= set(range(COUNT)) - gone, (steps[turn], turn)
            may_be_gone = gone | {5, *range(3, COUNT, 10)} if listed else set()
            assert there >= set(range(kept)) - may_be_gone, (steps[turn], turn)
            if not any(row % 10 == 3 for row in there) and listed:
                assert DOOMED.lower().encode() not in everything_on_disk(home).lower(), (steps[turn], turn)
            assert memory.recall("note paper").pending == 0
            found = state(memory)
            memory.rebuild()
            assert state(memory) == found, (steps[turn], turn)

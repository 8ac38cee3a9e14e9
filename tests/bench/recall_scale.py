"""How recall behaves as memory grows: 1,000, 100,000 and 1,000,000 records, with the bars at a million.

    python -m tests.bench.recall_scale --model FOLDER
    python -m tests.bench.recall_scale --model FOLDER --sizes 100000 --peers PYTHON --mem0 PYTHON

Texts are sentences of the pretend company in pairs with words of a Zipf vocabulary; vectors are the model's own vectors
of 12,000 such texts, mixed in pairs with a little noise, because embedding a million texts would take hours. Questions are real
and are embedded by the model. ``--peers`` is a Python that has sqlite-vec, apsw and lancedb, ``--mem0`` one that has mem0ai
and faiss-cpu, for the same vectors at the first size named. Everything is on one thread. On a busy machine the CPU figures say more than the others.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from memory import embed, recollections
from memory.database import Database
from memory.index import Stamp, VectorIndex
from memory.recall import Memory, Record, Scope
from memory.recollection import space_number
from tests.bench.company import talk

BATCH = 50_000
BASE = 12_000  # texts that the model really embeds, half a minute
HALF_PRECISION = np.float16
BARS = {  # at 1,000,000
    "vector part, of exact": (">=", 0.99), "vector part in 1 %": (">=", 0.99), "recall p99 ms": ("<=", 150),
    "in 4 % p99 ms": ("<=", 60), "index MB": ("<=", 60), "process MB": ("<=", 350), "ready s": ("<=", 0.5),
    "rebuild s": ("<=", 25), "bulk records/s": (">=", 20_000), "durable write p99 ms": ("<=", 10),
}  # fmt: skip


def client_of(row: int) -> str:
    """Return a namespace: one of 4 %, one of 1 %, one of .1 %, the rest in tenths."""
    place = row % 1000
    return "four" if place < 40 else "one" if place < 50 else "tenth" if place < 51 else f"rest-{place % 10}"


def vocabulary() -> tuple[np.ndarray, np.ndarray]:
    """Return words that nobody says and how often they come, after Zipf."""
    first, middle = (
        ("ba", "ke", "lo", "mi", "nu", "pra", "sto", "tri"),
        ("rin", "lat", "mos", "ned", "pik", "sul", "tam"),
    )
    words = np.array(
        [f"{a}{b}{c}{d}" for c in middle for d in ("a", "e", "o", "ish", "um") for a in first for b in middle]
    )
    weights = 1 / np.arange(2, len(words) + 2)
    return words, weights / weights.sum()


def material(model: Path) -> tuple[list[str], np.ndarray]:
    """Return texts and the model's own vectors of them: two sentences each, so that no two are near copies."""
    sentences = sorted({record.text for record in talk()[0]})
    rng = np.random.default_rng(5)
    pairs = rng.integers(0, len(sentences), (BASE, 2))
    words, weights = vocabulary()
    texts = [f"{sentences[a]} {sentences[b]} {' '.join(rng.choice(words, 3, p=weights))}" for a, b in pairs]
    kept = model / f"bench-{BASE}.npy"
    if not kept.exists():
        np.save(kept, embed.load(model).embed(texts))
    return texts, np.load(kept)


def batches(count: int, texts: list[str], base: np.ndarray) -> Iterator[tuple[list[Record], np.ndarray]]:
    rng = np.random.default_rng(11)
    words, weights = vocabulary()
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        first, second = rng.integers(0, len(texts), size), rng.integers(0, len(texts), size)
        share = rng.uniform(0.5, 0.95, (size, 1))
        noise = rng.standard_normal((size, base.shape[1])) * (0.2 / np.sqrt(base.shape[1]))
        rows = share * base[first] + (1 - share) * base[second] + noise
        extra = rng.choice(words, (size, 6), p=weights)
        records = [
            Record(f"{texts[first[n]]} {' '.join(extra[n])}", client=client_of(start + n), source=str(start + n))
            for n in range(size)
        ]
        yield records, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(HALF_PRECISION)


def spent(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentiles(times: list[float]) -> tuple[float, float]:
    return round(1e3 * float(np.percentile(times, 50)), 1), round(1e3 * float(np.percentile(times, 99)), 1)


def resident() -> float:
    """MB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 0)


def on_disk(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 0)


def fill(home: Path, model: Path, count: int) -> dict[str, float]:
    """Write the records; its own process, so that what follows starts cold."""
    texts, base = material(model)
    took = busy = 0.0
    with Database.open(home) as database:
        memory = Memory.open(database, home / "memory", embed.load(model))
        for records, rows in batches(count, texts, base):
            begun = time.process_time()
            took += spent(lambda records=records, rows=rows: memory.remember(records, rows))
            busy += time.process_time() - begun
        took += spent(memory.drain)  # nothing waits for a vector: the index is put in order
    return {"bulk records/s": round(count / took), "bulk records a CPU second": round(count / busy)}


def use(home: Path, model: Path, count: int) -> dict[str, float]:
    """Start on the filled store and measure everything else."""
    found: dict[str, float] = {}
    embedder = embed.load(model)
    _, questions = talk()
    asked = [question.text for question in questions][: 150 if count >= 1_000_000 else 300]
    with Database.open(home) as database:
        start = time.perf_counter()
        memory = Memory.open(database, home / "memory", embedder)
        assert memory.ready, "the index was not there"
        memory._vectors.index.near(embedder.embed(["ready?"])[0], 10)
        found["ready s"] = round(time.perf_counter() - start, 2)
        gc.collect()
        gc.freeze()  # as `python -m bot run` does
        for label, scope in (("recall", Scope()), ("in 4 %", Scope(client="four")), ("in .1 %", Scope(client="tenth"))):
            times, busy = [], []
            for question in asked:
                begun = time.process_time()
                times.append(spent(lambda q=question, s=scope: memory.recall(q, s)))
                busy.append(time.process_time() - begun)
            found[f"{label} p50 ms"], found[f"{label} p99 ms"] = percentiles(times)
            found[f"{label} CPU p50 ms"], found[f"{label} CPU p99 ms"] = percentiles(busy)
        found["process MB"], found["index MB"] = resident(), round(memory.index_bytes / 1e6, 1)
        found |= exactness(memory, embedder, asked[:40])
        times = [
            spent(
                lambda n=n: memory.remember(
                    [Record(f"One more thing, {n}", source=f"+{n}")], np.ones((1, 384)) / 384**0.5
                )
            )
            for n in range(200)
        ]
        found["durable write p50 ms"], found["durable write p99 ms"] = percentiles(times)
        times = [spent(lambda n=n: memory.remember([Record(f"And another, {n}", source=f"-{n}")])) for n in range(50)]
        found["add with embedding p50 ms"], found["add with embedding p99 ms"] = percentiles(times)
        found["forget one s"] = round(spent(lambda: memory.forget([count // 2])), 2)
        found["forget next s"] = round(spent(lambda: memory.forget([count // 3])), 2)
        begun = time.process_time()
        found["rebuild s"] = round(spent(memory.rebuild), 1)
        found["rebuild CPU s"] = round(time.process_time() - begun, 1)
        found["disk MB"] = on_disk(home)
    return found


def exactness(memory: Memory, embedder: embed.OnnxEmbedder, asked: list[str]) -> dict[str, float]:
    """Return which share of the exact ten nearest the index finds, over all and in a scope of one percent."""
    vectors = embedder.embed(asked)
    best: dict[str, list[list[tuple[float, int]]]] = {"all": [[] for _ in asked], "one": [[] for _ in asked]}
    with memory.database.read() as tx:
        result = tx.exec_driver_sql(
            "SELECT v.id, r.client = 'one', v.vector FROM recollection_vectors v JOIN recollections r ON r.id = v.id"
        )
        while rows := result.fetchmany(BATCH):
            ids = np.array([row[0] for row in rows])
            inside = np.array([row[1] for row in rows], bool)
            data = np.frombuffer(b"".join(row[2] for row in rows), HALF_PRECISION).reshape(len(rows), -1)
            scores = data.astype(np.float32) @ vectors.T
            for name, mask in (("all", slice(None)), ("one", inside)):
                for n in range(len(asked)):
                    some, places = scores[mask, n], ids[mask]
                    top = np.argsort(-some)[:10]
                    merged = best[name][n] + list(zip(some[top].tolist(), places[top].tolist(), strict=True))
                    best[name][n] = sorted(merged, reverse=True)[:10]
        shares = {}
        for name, spaces in (("all", None), ("one", [space_number("one")])):
            hits = 0
            for n in range(len(asked)):
                near = memory._vectors.index.near(vectors[n], 300, spaces=spaces)
                ids, data = recollections.vectors_of(tx, near.tolist(), 384)
                again = np.array(ids)[np.argsort(-(data @ vectors[n]))[:10]]
                # Ties of equal score at the tenth place are equally right.
                worst = best[name][n][-1][0] - 1e-4
                hits += sum(float(data[ids.index(id_)] @ vectors[n]) >= worst for id_ in again.tolist())
            shares[name] = round(hits / sum(len(several) for several in best[name]), 4)
    return {"vector part, of exact": shares["all"], "vector part in 1 %": shares["one"]}


PEERS = """
import json, sys, time, sqlite3, shutil
import numpy as np
vectors, queries, folder = np.load(sys.argv[1]).astype("float32"), np.load(sys.argv[2]), sys.argv[3]
exact = [set(np.argsort(-(vectors @ q))[:10].tolist()) for q in queries]
def report(name, build, ask):
    times, right = [], 0
    for q, best in zip(queries, exact):
        t = time.perf_counter(); found = ask(q); times.append(1e3 * (time.perf_counter() - t)); right += len(best & set(found))
    print(json.dumps({"peer": name, "build s": round(build, 1), "p50 ms": round(float(np.percentile(times, 50)), 1),
                      "p99 ms": round(float(np.percentile(times, 99)), 1), "of exact": right / (10 * len(queries))}), flush=True)
import apsw, sqlite_vec
db = apsw.Connection(folder + "/vec.db"); db.enable_load_extension(True); db.load_extension(sqlite_vec.loadable_path())
db.execute("create virtual table v using vec0(e float[384] distance_metric=cosine)")
t = time.perf_counter()
with db: db.executemany("insert into v(rowid, e) values (?, ?)", [(n, row.tobytes()) for n, row in enumerate(vectors)])
report("sqlite-vec", time.perf_counter() - t,
       lambda q: [r[0] for r in db.execute("select rowid from v where e match ? and k = 10", (q.tobytes(),))])
import lancedb, pyarrow as pa
t = time.perf_counter()
flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384)
table = lancedb.connect(folder + "/lance").create_table("v", pa.table({"id": np.arange(len(vectors)), "vector": flat}))
table.create_index(metric="cosine", vector_column_name="vector", num_partitions=256, num_sub_vectors=96)
report("LanceDB, IVF-PQ refined", time.perf_counter() - t,
       lambda q: [r["id"] for r in table.search(q).distance_type("cosine").nprobes(30).refine_factor(20).limit(10).select(["id"]).to_list()])
"""

MEM0 = """
import json, sys, time
import numpy as np
from mem0.vector_stores.faiss import FAISS
vectors, queries, folder, limit = np.load(sys.argv[1]).astype("float32"), np.load(sys.argv[2]), sys.argv[3], float(sys.argv[4])
def opened(name):
    return FAISS(collection_name=name, path=f"{folder}/{name}", embedding_model_dims=vectors.shape[1], distance_strategy="cosine")
found = {"peer": "mem0, its FAISS store"}
whole, began = opened("whole"), time.perf_counter()
whole.insert([row.tolist() for row in vectors], [{"n": n} for n in range(len(vectors))], [str(n) for n in range(len(vectors))])
found["build s, in one call"] = round(time.perf_counter() - began, 1)
times, right = [], 0
for q in queries:
    exact = set(np.argsort(-(vectors @ q))[:10].tolist())
    t = time.perf_counter(); hits = whole.search("", q.tolist(), 10); times.append(1e3 * (time.perf_counter() - t))
    right += len(exact & {int(hit.id) for hit in hits})
found |= {"p50 ms": round(float(np.percentile(times, 50)), 1), "p99 ms": round(float(np.percentile(times, 99)), 1),
          "of exact": right / (10 * len(queries))}
t = time.perf_counter(); whole.insert([vectors[0].tolist()], [{}], ["one more"]); found["one more, ms"] = round(1e3 * (time.perf_counter() - t))
alone, began, count = opened("alone"), time.perf_counter(), 0
while count < len(vectors) and time.perf_counter() - began < limit:
    alone.insert([vectors[count].tolist()], [{"n": count}], [str(count)]); count += 1
found["one by one"] = "finished" if count == len(vectors) else f"did not finish: {count} in {limit:.0f} s"
print(json.dumps(found), flush=True)
"""
MEM0_S = 60.0  # for adding one by one, as its own add() does


def mem0(python: str, folder: Path) -> None:
    """Run mem0's own FAISS store on the vectors that `peers` wrote; it writes all of itself at every insert."""
    environment = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": str(folder / "mem0"), "OMP_NUM_THREADS": "1"}
    command = [python, "-c", MEM0, folder / "vectors.npy", folder / "queries.npy", folder, str(MEM0_S)]
    try:
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=environment, timeout=10 * MEM0_S)
    except subprocess.TimeoutExpired:
        print(json.dumps({"peer": "mem0, its FAISS store", "result": f"did not finish in {10 * MEM0_S:.0f} s"}))


def vectors_on_disk(model: Path, count: int, folder: Path) -> None:
    """Write the vectors and questions for those who are compared on them."""
    texts, base = material(model)
    np.save(folder / "vectors.npy", np.concatenate([rows for _, rows in batches(count, texts, base)]))
    _, questions = talk()
    np.save(folder / "queries.npy", embed.load(model).embed([question.text for question in questions[:100]]))


def peers(python: str, folder: Path) -> None:
    """Run sqlite-vec and LanceDB on the same vectors, vector part only."""
    command = [python, "-c", PEERS, folder / "vectors.npy", folder / "queries.npy", folder]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # LanceDB warns at every question


def own(folder: Path) -> None:
    """Measure our vector part on the same arrays: bits, then half precision read from disk."""
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    start = time.perf_counter()
    index = VectorIndex(folder / "ours", vectors.shape[1], vectors.mean(axis=0, dtype=np.float32))
    numbers = np.arange(1, len(vectors) + 1, dtype=np.uint32)
    index.add(numbers, numbers % 25, vectors.astype(np.float32))
    index.seal(Stamp("bench", vectors.shape[1], len(vectors), len(vectors), 0, 0, ()), index.joined())
    took, times, right = time.perf_counter() - start, [], 0
    on_disk_rows = np.load(folder / "vectors.npy", mmap_mode="r")
    for query in queries:
        exact = set(np.argsort(-(vectors.astype(np.float32) @ query))[:10].tolist())
        begun = time.perf_counter()
        near = np.sort(index.near(query, 10)) - 1
        found = near[np.argsort(-(on_disk_rows[near].astype(np.float32) @ query))[:10]]
        times.append(time.perf_counter() - begun)
        right += len(exact & set(found.tolist()))
    half, most = percentiles(times)
    print(
        json.dumps(
            {
                "peer": "Soloist, vector part",
                "build s": round(took, 1),
                "p50 ms": half,
                "p99 ms": most,
                "of exact": right / (10 * len(queries)),
            }
        ),
        flush=True,
    )


def child(part: str, home: Path, model: Path, count: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.recall_scale",
        "--model",
        str(model),
        "--part",
        part,
        "--home",
        str(home),
        "--sizes",
        str(count),
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recall_scale", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder written by python -m memory.embed")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--peers", help="a Python with sqlite-vec, apsw, lancedb and numpy")
    parser.add_argument("--mem0", help="a Python with mem0ai, faiss-cpu and numpy")
    parser.add_argument("--part", choices=("fill", "use"), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        work = fill if options.part == "fill" else use
        print(json.dumps(work(options.home, options.model, options.sizes[0])))
        return 0
    failed = 0
    for count in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            found = child("fill", home, options.model, count) | child("use", home, options.model, count)
        print(f"\n{count:,} records")
        for name, value in found.items():
            sign, bar = BARS.get(name, ("", 0)) if count == 1_000_000 else ("", 0)
            missed = (sign == ">=" and value < bar) or (sign == "<=" and value > bar)
            failed += missed
            print(
                f"  {name:28}{value:>12}" + (f"   bar {sign} {bar}{'   MISSED' if missed else ''}" if sign else ""),
                flush=True,
            )
    if options.peers or options.mem0:
        with tempfile.TemporaryDirectory() as folder:
            vectors_on_disk(options.model, options.sizes[0], Path(folder))
            own(Path(folder))
            if options.peers:
                peers(options.peers, Path(folder))
            if options.mem0:
                mem0(options.mem0, Path(folder))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

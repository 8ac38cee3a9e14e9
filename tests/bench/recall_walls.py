"""Ten thousand random stores, and never another client's record in a scope; the same question gives the same answer.

python -m tests.bench.recall_walls --stores 10000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from memory.database import Database
from memory.events import Origin
from memory.recall import Memory, Record, Scope
from tests.memory.paper_embedder import PaperEmbedder

WORDS = ("rate", "invoice", "logo", "budget", "friday", "paper", "dana", "acme", "globex", "harbour", "late", "tea")
CLIENTS = ("", "acme", "globex", "initech", "Acme", "acme ", "globex' OR 1=1 --", '"acme"')
TABLES = ("recollections", "recollection_vectors", "recollection_sources", "recollection_tombstones")


def store(dice: random.Random) -> list[Record]:
    """Return a few records that share words, threads, keys and speakers across clients."""
    return [
        Record(
            " ".join(dice.choices(WORDS, k=dice.randrange(1, 5))),
            client=dice.choice(CLIENTS), project=dice.choice(("", "p")), speaker=dice.choice(("", "Dana", "acme")),
            thread=dice.choice(("", "t", "u")), position=row, key=dice.choice(("", "", "terms")),
            origin=dice.choice(tuple(Origin)), at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(90)),
        )
        for row in range(dice.randrange(2, 16))
    ]  # fmt: skip


def empty(tx: Connection) -> None:
    for table in TABLES:
        tx.exec_driver_sql(f"DELETE FROM {table}")


def check(memory: Memory, clients: list[str], dice: random.Random) -> int:
    """Ask one store; return how many hits were checked."""
    client, shared = dice.choice((dice.choice(CLIENTS), dice.choice(clients))), dice.random() < 0.3
    scope = Scope(
        client=client, shared=shared, project=dice.choice((None, None, "p")), thread=dice.choice((None, None, "t"))
    )
    at = datetime(2026, 2, 1, tzinfo=UTC) if dice.random() < 0.3 else None
    question = " ".join(dice.choices(WORDS, k=3)) + dice.choice(("?", " in March?", " of Dana", ' "globex"'))
    hits = memory.recall(question, scope, at=at, k=50)
    allowed = {client, ""} if shared and client else {client}
    strangers = [hit.record for hit in hits if hit.record.client not in allowed]
    assert not strangers, (scope, question, strangers)
    assert all(
        scope.thread in (None, hit.record.thread) and scope.project in (None, hit.record.project) for hit in hits
    )
    assert [(hit.record, hit.score) for hit in memory.recall(question, scope, at=at, k=50)] == [
        (h.record, h.score) for h in hits
    ]
    return len(hits)


def run(stores: int, seed: int, folder: Path) -> tuple[int, int]:
    """Return how many stores and hits were checked."""
    dice, hits, embedder = random.Random(seed), 0, PaperEmbedder(dims=64)
    with Database.open(folder) as database:
        for _ in range(stores):
            memory = Memory.open(
                database,
                folder / "memory",
                embedder if dice.random() < 0.8 else None,
                exact_max=dice.choice((4, 10_000)),
            )
            records = store(dice)
            memory.remember(records)
            clients = [record.client for record in records]
            hits += check(memory, clients, dice) + check(memory, clients, dice)
            memory.wait_ready()
            database.write_now(empty)
            for path in (folder / "memory" / "index").glob("*"):
                path.unlink()
            database.write_now(
                lambda tx: tx.exec_driver_sql("DELETE FROM recollection_settings WHERE name IN ('centre', 'embedder')")
            )
    return stores, hits


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recall_walls", description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stores, hits = run(options.stores, options.seed, Path(folder))
    print(
        f"{stores} stores, {2 * stores} questions, {hits} hits, no leak, seed {options.seed}, {time.perf_counter() - start:.0f} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

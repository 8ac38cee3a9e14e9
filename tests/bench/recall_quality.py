"""How well is the right record found? Ours beside five formulas on the same embeddings and the same talk.

    python -m tests.bench.recall_quality --model FOLDER          # the table, on the topics that were not tuned on
    python -m tests.bench.recall_quality --model FOLDER --tune   # how the default weights were chosen

Each formula ranks all records for each question; recall@k is the share of evidence records among the first k. The
others are given each record twice, as it stands and with client and speaker written before it, and their better
figure counts: they have no columns to look into. mem0 and OpenClaw are their published ranking formulas, on our store.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from memory import embed, recollections
from memory.database import Database
from memory.ranking import DEFAULT, STOP_WORDS, Weights
from memory.recall import EVERYWHERE, Memory, Record
from tests.bench.company import Question, talk

Ranker = Callable[[str, np.ndarray], list[int]]  # question, its vector → places of records, best first
DEEP = 200  # how far the others' candidate lists reach


def words_of(text: str) -> list[str]:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return [word for word in dict.fromkeys(words) if word not in STOP_WORDS]


class Peers:
    """The other formulas over one text a record."""

    def __init__(self, texts: Sequence[str], embedder: embed.OnnxEmbedder, folder: Path) -> None:
        self.vectors = embedder.embed(texts)
        self.texts = [text.lower() for text in texts]
        self.database = Database.open(folder)
        self.memory = Memory.open(self.database, folder / "memory", None)
        self.memory.remember([Record(text, source=str(n)) for n, text in enumerate(texts)])

    def lexical(self, question: str) -> dict[int, float]:
        with self.database.read() as tx:
            found = recollections.lexical(tx, words_of(question), EVERYWHERE, DEEP)
        return {id_ - 1: score for id_, score in found.items()}

    def bm25(self, question: str, _: np.ndarray) -> list[int]:
        return list(self.lexical(question))

    def dense(self, _: str, vector: np.ndarray) -> list[int]:
        return np.argsort(-(self.vectors @ vector), kind="stable")[:DEEP].tolist()

    def fusion(self, question: str, vector: np.ndarray) -> list[int]:
        """Reciprocal rank fusion, k = 60 (Cormack, Clarke and Büttcher, 2009)."""
        scores: dict[int, float] = {}
        for ranking in (self.bm25(question, vector), self.dense(question, vector)):
            for rank, place in enumerate(ranking):
                scores[place] = scores.get(place, 0.0) + 1 / (60 + rank + 1)
        return sorted(scores, key=lambda place: (-scores[place], place))

    def mem0(self, question: str, vector: np.ndarray) -> list[int]:
        """Candidates by vector only; the keyword score, squashed to 0..1, is added to what is among them."""
        cosine, lexical = self.vectors @ vector, self.lexical(question)
        middle = statistics.median(lexical.values()) if lexical else 1.0
        near = np.argsort(-cosine, kind="stable")[: max(60, DEEP // 2)].tolist()
        bonus = {
            p: 1 / (1 + math.exp(-(lexical[p] - middle) / max(middle, 1e-6))) if p in lexical else 0.0 for p in near
        }
        return sorted(near, key=lambda place: (-(float(cosine[place]) + bonus[place]) / 2, place))

    def openclaw(self, question: str, vector: np.ndarray) -> list[int]:
        """0.7 cosine + 0.3 keyword, where the keyword side wants every word of the question."""
        cosine, lexical = self.vectors @ vector, self.lexical(question)
        words = words_of(question)
        whole = {p: s for p, s in lexical.items() if all(word in self.texts[p] for word in words)}
        top = max(whole.values(), default=1.0)
        scores = 0.7 * cosine
        for place, score in whole.items():
            scores[place] += 0.3 * score / top
        return np.argsort(-scores, kind="stable")[:DEEP].tolist()


def measure(questions: Sequence[Question], vectors: np.ndarray, rank: Ranker) -> dict[str, float]:
    """Return recall@5, recall@10, nDCG@10 and milliseconds."""
    five, ten, gains, took = [], [], [], []
    for question, vector in zip(questions, vectors, strict=True):
        start = time.perf_counter()
        found = rank(question.text, vector)
        took.append(1e3 * (time.perf_counter() - start))
        hits = [place in question.evidence for place in found[:10]]
        five.append(sum(hits[:5]) / len(question.evidence))
        ten.append(sum(hits) / len(question.evidence))
        best = sum(1 / math.log2(n + 2) for n in range(min(10, len(question.evidence))))
        gains.append(sum(hit / math.log2(n + 2) for n, hit in enumerate(hits)) / best)
    return {
        "R@5": statistics.fmean(five), "R@10": statistics.fmean(ten), "nDCG": statistics.fmean(gains),
        "p50 ms": float(np.percentile(took, 50)), "p99 ms": float(np.percentile(took, 99)),
    }  # fmt: skip


def ours(memory: Memory) -> Ranker:
    return lambda question, _: [hit.record.id - 1 for hit in memory.recall(question, k=10)]


def kinds(questions: Sequence[Question], vectors: np.ndarray, rank: Ranker) -> dict[str, float]:
    several = sorted({question.kind for question in questions})
    chosen = {kind: [n for n, question in enumerate(questions) if question.kind == kind] for kind in several}
    return {k: measure([questions[n] for n in some], vectors[some], rank)["R@10"] for k, some in chosen.items()}


def tune(memory: Memory, questions: Sequence[Question], vectors: np.ndarray) -> Weights:
    """Climb one weight at a time on the tuning half, by nDCG and recall@10 together."""
    steps = {
        "who": (0.3, 0.5, 0.8), "whose": (0.7, 1.0, 1.4, 1.8), "when": (0.4, 0.7, 1.0), "neighbour": (0.3, 0.45, 0.6),
        "question": (0.15, 0.3, 0.5), "lexical": (0.7, 1.0), "window": (0.0, 0.3, 0.6), "named": (0.0, 0.25),
    }  # fmt: skip
    best, value = DEFAULT, -1.0
    for _ in range(2):
        for name, several in steps.items():
            for step in several:
                memory.weights = replace(best, **{name: step})
                found = measure(questions, vectors, ours(memory))
                score = found["R@10"] + found["nDCG"]
                if score > value + 1e-4:
                    best, value = memory.weights, score
            print(f"{name:14} → {getattr(best, name)}   recall@10 + nDCG {value:.3f}", flush=True)
    return best


def table(rows: dict[str, dict[str, float]]) -> str:
    heads = list(next(iter(rows.values())))
    lines = ["| ranking | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        lines.append(
            f"| {name} | " + " | ".join(f"{row[h]:.1f}" if "ms" in h else f"{row[h]:.3f}" for h in heads) + " |"
        )
    return "\n".join(lines)


def compare(model: Path, folder: Path, *, retune: bool) -> dict[str, dict[str, float]]:
    """Measure all rankings and print the table; return its rows."""
    records, every = talk()
    embedder = embed.load(model)
    with Database.open(folder / "ours") as database:
        memory = Memory.open(database, folder / "ours" / "memory", embedder)
        start = time.perf_counter()
        ids = memory.remember(records)
        assert ids == list(range(1, len(records) + 1))
        print(f"{len(records)} records in {time.perf_counter() - start:.0f} s, {len(every)} questions", flush=True)
        if retune:
            half = [question for question in every if question.tuning][::2]
            memory.weights = tune(memory, half, embedder.embed([question.text for question in half]))
            print(memory.weights)
        asked = [question for question in every if not question.tuning]
        vectors = embedder.embed([question.text for question in asked])
        rows: dict[str, dict[str, float]] = {"Soloist": measure(asked, vectors, ours(memory))}
        print("Soloist, recall@10 by kind:", {k: round(v, 3) for k, v in kinds(asked, vectors, ours(memory)).items()})
    for label, texts in (
        ("", [record.text for record in records]),
        (", names before the text", [f"{r.client}, {r.speaker}: {r.text}" for r in records]),
    ):
        peers = Peers(texts, embedder, folder / f"peers{len(rows)}")
        for name, rank in (
            ("BM25", peers.bm25), ("dense", peers.dense), ("reciprocal rank fusion", peers.fusion),
            ("mem0's formula", peers.mem0), ("OpenClaw's formula", peers.openclaw),
        ):  # fmt: skip
            rows[name + label] = measure(asked, vectors, rank)
        peers.database.close()
    print(f"\n{len(asked)} questions that were not tuned on; ours with embedding the question, theirs without\n")
    print(table(rows))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recall_quality", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder written by python -m memory.embed")
    parser.add_argument("--tune", action="store_true", help="choose the weights on the tuning half first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(options.model, Path(folder), retune=options.tune)
    ten = {name: row["R@10"] for name, row in rows.items()}
    words = max(value for name, value in ten.items() if name.startswith("BM25"))
    fusion = max(value for name, value in ten.items() if name.startswith("reciprocal"))
    print(
        f"\nrecall@10 above BM25 {ten['Soloist'] - words:+.3f} (bar +0.150), above fusion {ten['Soloist'] - fusion:+.3f} (bar +0.100)"
    )
    return 0 if ten["Soloist"] >= words + 0.15 and ten["Soloist"] >= fusion + 0.10 else 1


if __name__ == "__main__":
    raise SystemExit(main())

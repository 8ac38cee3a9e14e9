"""One recall: candidates from words and from vectors, their neighbours, what may be seen, and the scores.

Every row that is shown passed `memory.recollections.fetch` with the scope: that is the wall between clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row

from memory import recollections as rows_of
from memory.events import Origin
from memory.index import VectorIndex
from memory.ranking import Evidence, Question, Weights, score
from memory.recollection import Known, Scope, micros, moment, space_number

Mode = Literal["auto", "current", "history"]

CANDIDATES = 300  # from words and from vectors each; below that nothing came among the first ten
NEIGHBOURS_OF = 100  # the best of them bring their neighbours along


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


@dataclass(slots=True)
class Search:
    """One recall: what is asked, and what is gathered before it is scored."""

    tx: Connection
    weights: Weights
    question: Question
    index: VectorIndex | None
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
    told: dict[int, tuple[bool, bool, bool, bool, bool, bool]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def best(self, k: int) -> list[Hit]:
        """Return the best hits, each with its terms. The same store and question give the same ones."""
        question = self.question
        self.asked = question.asked
        words = question.words or tuple(word.lower() for name in question.names for word in name.split())
        self.bm25 = rows_of.lexical(self.tx, [word for word in words if word.isalnum()], self.scope, CANDIDATES)
        self._by_meaning()
        self._see({*self.bm25, *self.cosine})
        evidence = {id_: self._evidence(id_) for id_ in sorted(self.rows)}
        alone = score(evidence, {}, question, self.weights)
        best = sorted(alone, key=lambda id_: (-round(sum(alone[id_].values()), 9), id_))[:NEIGHBOURS_OF]
        self._with_neighbours(best)
        known_of = {} if self.weights.window else evidence
        whole = {id_: known_of.get(id_) or self._evidence(id_) for id_ in sorted({*best, *self.beside})}
        terms = score(whole, self.beside, question, self.weights)
        ranked = sorted(((round(sum(t.values()), 9), id_) for id_, t in terms.items()), key=lambda s: (-s[0], s[1]))
        return [Hit(rows_of.known(self.rows[id_]), value, terms[id_]) for value, id_ in ranked[:k]]

    def _see(self, ids: set[int]) -> None:
        rows = rows_of.fetch(self.tx, sorted(ids - set(self.rows)), self.scope)
        self.rows |= {id_: row for id_, row in rows.items() if visible(row, self.question, self.at, self.mode)}

    def _by_meaning(self) -> None:
        index, vector = self.index, self.vector
        if index is None or vector is None:
            return
        clients = self.scope.clients
        spaces = None if clients is None else [space_number(client) for client in clients]
        near = index.near(vector, CANDIDATES, spaces=spaces, among=self.among)
        ids, vectors = rows_of.vectors_of(self.tx, sorted({*near.tolist(), *self.bm25}), index.dims)
        cosines = np.round((vectors @ vector).astype(float), 6)
        best = np.lexsort((np.array(ids, np.int64), -cosines))[:CANDIDATES]
        keep = {ids[n] for n in best.tolist()} | set(self.bm25)
        self.cosine = {id_: float(value) for id_, value in zip(ids, cosines, strict=True) if id_ in keep}

    def _with_neighbours(self, best: Sequence[int]) -> None:
        """Bring the neighbours of the best along: they may be the answer, and they lend each other their score."""
        if not (threaded := self._threaded(best)):
            return
        pairs = rows_of.neighbours(self.tx, threaded, self.weights.neighbour_reach, self.scope)
        self._see({other for _, other, _ in pairs})
        seen: set[tuple[int, int, int]] = set()
        for id_, other, distance in pairs:
            if other in self.rows:
                seen |= {(id_, other, distance), (other, id_, distance)}
        for id_, other, _ in sorted(seen):
            self.beside.setdefault(id_, []).append(other)
        if self.vector is not None:
            self._windows(self.vector, sorted({*best, *self.beside}), sorted(seen))

    def _windows(
        self,
        vector: npt.NDArray[np.float32],
        wanted: Sequence[int],
        pairs: Sequence[tuple[int, int, int]],
    ) -> None:
        """Score the newcomers, and each turn together with the turns at its side.

        The vector of a window is the sum of its turns' vectors, made here and kept nowhere: forgetting one turn leaves
        nothing of it in the others' vectors.
        """
        ids, vectors = rows_of.vectors_of(self.tx, wanted, len(vector))
        place = {id_: n for n, id_ in enumerate(ids)}
        cosines = np.round((vectors @ vector).astype(float), 6)
        self.cosine |= {id_: float(cosines[n]) for id_, n in place.items()}
        if not self.weights.window:
            return
        sums = vectors.copy()
        for id_, other, distance in pairs:
            if distance == 1 and id_ in place and other in place:
                sums[place[id_]] += self.weights.window_share * vectors[place[other]]
        lengths = np.linalg.norm(sums, axis=1)
        close = np.round((sums @ vector) / np.where(lengths > 0, lengths, 1), 6)
        self.window = {id_: float(close[n]) for id_, n in place.items()}

    def _evidence(self, id_: int) -> Evidence:
        if (told := self.told.get(id_)) is None:
            told = self.told[id_] = self._tells(self.rows[id_])
        cosine = self.cosine.get(id_, 0.0)
        return Evidence(cosine, self.bm25.get(id_, 0.0), self.window.get(id_, cosine), *told)

    def _tells(self, row: Row[Any]) -> tuple[bool, bool, bool, bool, bool, bool]:
        """Return what a row says by itself: speaker, client, named, timely, asks, operator, as in `Evidence`."""
        question, asked = self.question, self.asked
        lowered = row.text.lower() if asked else ""
        timely = bool(question.times) and (question.holds(moment(row.at)) or question.holds(moment(row.valid_from)))
        return (
            bool(asked) and (row.speaker.lower() in asked or row.author.lower() in asked),
            bool(asked) and row.client.lower() in asked,
            any(name in lowered for name in asked),
            timely,
            row.text.rstrip().endswith("?"),
            row.origin == Origin.OPERATOR,
        )

    def _threaded(self, ids: Sequence[int]) -> list[int]:
        return [id_ for id_ in ids if self.rows[id_].thread and self.rows[id_].position is not None]


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

"""The classifier: logistic regression on embeddings and on TF-IDF, fused late, calibrated on what it had not seen.

Measured best of what was tried (see `tests/bench/intents_bench.py`): the embedding knows that "bill" is "invoice", the
letters know that "invocie" is "invoice", masks make every client and amount the same, flags say which values are there.
One extra class is *nobody's*: what no agent can do. Without an embedding model the letters alone decide, less surely.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NOBODY = ""  # the class of what no agent can do
SHARE = 0.4  # of the embedding's half in the fused log-probabilities
STRENGTHS = (10.0, 15.0)  # inverse regularisation of the letters' and of the embedding's half
TOLERANCE = 5e-3  # over the number of classes: the mean gradient shrinks with it, and a fixed one never starts at 150
FLAG_WEIGHTS = (0.5, 0.15)  # of a flag beside words of length 1, and beside a vector of length 1
STEEPNESS = 8.0  # of the step from "more like nobody's" to "more like somebody's", in cosine
LEAN = 0.2  # how much the winner's own probability weighs in the score
SAFETY = 1.25  # real messages are further from the examples than these are from each other
WORD = r"(?u)\b\w+\b"  # one letter is a word too: "a month"
FOLDS = 5
FOLDED_ROWS_MAX = 4000  # a bigger training holds out one fifth once: five trainings would take minutes
REFUSED_SHARE = 0.05  # of one's own sentences: the price of catching what is nobody's
VERSION = 6  # of what is kept on disk


class Embedder(Protocol):
    """Texts to unit vectors; `memory.embed.load` serves."""

    @property
    def stamp(self) -> str:
        """Names the vector space."""
        ...

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one row a text."""
        ...


@dataclass(frozen=True)
class Sample:
    """A sentence as the classifier sees it."""

    words: str  # masked
    plain: str  # with stand-ins, for the embedding
    flags: tuple[float, ...] = ()


@dataclass(frozen=True)
class Guess:
    """What the classifier makes of a sentence.

    Attributes:
        ranked: (intent, probability), the likeliest first, without nobody's class; probabilities are calibrated.
        nobody: The probability that it is nobody's.
        score: How much it is somebody's, 0 to 1; see `_score`.
        known: Whether `score` is one that 95 of 100 sentences reach which are somebody's.
    """

    ranked: tuple[tuple[str, float], ...]
    nobody: float
    score: float
    known: bool


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


@dataclass
class _Half:
    """One linear model: logits = x W + b over the classes."""

    weights: Floats
    bias: Floats

    def logits(self, rows: Any) -> Floats:
        return np.asarray(rows @ self.weights + self.bias)


def _fit_half(rows: Any, labels: npt.NDArray[np.int64], classes: int, strength: float) -> _Half:
    from sklearn.linear_model import LogisticRegression  # imported where used: it costs a second

    model = LogisticRegression(C=strength, max_iter=300, class_weight="balanced", tol=TOLERANCE / classes)
    model.fit(rows, labels)
    weights = np.full((rows.shape[1], classes), 0.0)
    bias = np.full(classes, -30.0)  # a class that this fold never saw
    if len(model.classes_) == 2:  # noqa: PLR2004 - sklearn keeps one row for two classes
        weights[:, model.classes_] = np.vstack([-model.coef_[0], model.coef_[0]]).T / 2
        bias[model.classes_] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        weights[:, model.classes_] = model.coef_.T
        bias[model.classes_] = model.intercept_
    return _Half(weights.astype(np.float32), bias)  # what is kept on disk, so that a reload says the same


def _vectorizers() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2)
    return words, letters


@dataclass
class Router:
    """A trained classifier. Build one with `train`, or `load` what `save` kept."""

    intents: tuple[str, ...]  # the classes, NOBODY among them
    letters: Any
    words: Any
    lexical: _Half
    dense: _Half | None
    vectors: npt.NDArray[np.float32] | None  # the examples' embeddings
    owners: npt.NDArray[np.int64]  # whose example each row is
    temperature: float
    share: float  # of the embedding's logits in the fused ones
    threshold: float  # of the score
    embedder: Embedder | None = None
    way: str = "near"  # how `score` is made

    @classmethod
    def train(
        cls, samples: Sequence[Sample], labels: Sequence[str], embedder: Embedder | None, *, calibrated: bool = True
    ) -> Router:
        """Learn from labelled samples; ``NOBODY`` labels what is nobody's.

        Args:
            samples: What to learn from.
            labels: One intent for each.
            embedder: None: words alone.
            calibrated: False leaves out the held-out folds: ranks are the same, probabilities are not to be believed.

        Raises:
            ValueError: Fewer than two classes.
        """
        intents = tuple(sorted(set(labels)))
        if len(intents) < 2:  # noqa: PLR2004 - one class is no choice
            raise ValueError("A classifier needs examples of two intents or more; declare examples with the intents.")
        owners = np.array([intents.index(label) for label in labels])
        words, letters = _vectorizers()
        lexical_rows = _lexical(samples, words, letters, fit=True)
        vectors = embedder.embed([sample.plain for sample in samples]) if embedder is not None else None
        dense_rows = None if vectors is None else _dense(vectors, samples)
        router = cls(
            intents, letters, words, _fit_half(lexical_rows, owners, len(intents), STRENGTHS[0]),
            None if dense_rows is None else _fit_half(dense_rows, owners, len(intents), STRENGTHS[1]),
            vectors, owners, 1.0, SHARE if dense_rows is not None else 0.0, 0.0, embedder,
        )  # fmt: skip
        if calibrated:
            router._calibrate(lexical_rows, dense_rows)
        return router

    def guess(self, sample: Sample) -> Guess:
        """Return what a sentence is likely to be. About 4 ms with an embedding, 1 without."""
        return self.guesses([sample])[0]

    def guesses(self, samples: Sequence[Sample]) -> list[Guess]:
        """Return the same for many at once."""
        lexical = self.lexical.logits(_lexical(samples, self.words, self.letters))
        dense, likeness = None, None
        if self.dense is not None and self.embedder is not None and self.vectors is not None:
            vectors = self.embedder.embed([sample.plain for sample in samples])
            dense = self.dense.logits(_dense(vectors, samples))
            likeness = vectors @ self.vectors.T
        chances = _softmax(self._fused(lexical, dense) / self.temperature)
        return [self._guess(row, None if likeness is None else likeness[i]) for i, row in enumerate(chances)]

    def _guess(self, chances: Floats, likeness: Any) -> Guess:
        order = [int(i) for i in np.argsort(-chances) if self.intents[i] != NOBODY]
        nobody = float(chances[self.intents.index(NOBODY)]) if NOBODY in self.intents else 0.0
        winner = order[0]
        score = _score(self.way, chances, self._nobody, likeness, self.owners)
        ranked = tuple((self.intents[i], float(chances[i])) for i in order[:5])
        return Guess(ranked, nobody, score, bool(score >= self.threshold and nobody < chances[winner]))

    def _fused(self, lexical: Floats, dense: Floats | None) -> Floats:
        """Log-probabilities, mixed: late fusion."""
        own = np.log(_softmax(lexical) + 1e-9)
        if dense is None:
            return np.asarray(own)
        return np.asarray((1 - self.share) * own + self.share * np.log(_softmax(dense) + 1e-9))

    def _calibrate(self, lexical_rows: Any, dense_rows: Any) -> None:
        """One temperature, the way to score and its threshold, from predictions on what was held out."""
        parts = self._held_out()
        if not parts:
            return
        rows = np.concatenate([outside for _, outside in parts])
        fused = np.zeros((len(self.owners), len(self.intents)))
        scores: dict[str, list[float]] = {"near": [], "ahead": []}
        for inside, outside in parts:
            own = _fit_half(lexical_rows[inside], self.owners[inside], len(self.intents), STRENGTHS[0])
            other = None
            if dense_rows is not None:
                half = _fit_half(dense_rows[inside], self.owners[inside], len(self.intents), STRENGTHS[1])
                other = half.logits(dense_rows[outside])
            fused[outside] = self._fused(own.logits(lexical_rows[outside]), other)
        self.temperature = SAFETY * _temperature(fused[rows], self.owners[rows])
        for inside, outside in parts:
            chances = _softmax(fused[outside] / self.temperature)
            for row, each in zip(outside, chances, strict=True):
                likeness = None if self.vectors is None else self.vectors[inside] @ self.vectors[row]
                for way, found in scores.items():
                    found.append(_score(way, each, self._nobody, likeness, self.owners[inside]))
        somebody = self.owners[rows] != self._nobody
        self.way, self.threshold = _best_way({way: np.array(found) for way, found in scores.items()}, somebody)

    def _held_out(self) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Return (inside, outside) row numbers: five folds, or for a big set one fifth, which says enough."""
        from sklearn.model_selection import StratifiedKFold

        folds = int(min(FOLDS, np.bincount(self.owners).min()))
        if folds < 2:  # noqa: PLR2004 - a class with one sentence cannot be held out
            return []
        cut = StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(self.owners)), self.owners)
        return list(cut)[: 1 if len(self.owners) > FOLDED_ROWS_MAX else folds]

    @property
    def _nobody(self) -> int:
        return self.intents.index(NOBODY) if NOBODY in self.intents else -1

    # ── on disk ───────────────────────────────────────────────────────────────────────────────────────────────────

    def save(self, path: Path) -> None:
        """Keep everything learned in one file: arrays and vocabularies, nothing that runs when it is read."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "owners": self.owners,
            "lexical_w": self.lexical.weights,
            "lexical_b": self.lexical.bias,
        }
        if self.dense is not None and self.vectors is not None:
            arrays |= {"dense_w": self.dense.weights, "dense_b": self.dense.bias, "vectors": self.vectors}
        for name, vectorizer in (("words", self.words), ("letters", self.letters)):
            arrays[f"{name}_idf"] = vectorizer.idf_
        told = {
            "intents": self.intents, "temperature": self.temperature, "share": self.share, "threshold": self.threshold, "way": self.way,
            "words": _terms(self.words), "letters": _terms(self.letters),
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, told=np.array(json.dumps(told)), **arrays)
        Path(temporary).replace(path)

    @classmethod
    def load(cls, path: Path, embedder: Embedder | None) -> Router | None:
        """Return what `save` kept, or None when there is nothing whole."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
                told = json.loads(str(kept["told"]))
                words, letters = _vectorizers()
                for name, vectorizer in (("words", words), ("letters", letters)):
                    vectorizer.vocabulary = {term: i for i, term in enumerate(told[name])}
                    vectorizer._validate_vocabulary()  # noqa: SLF001 - sklearn has no other way to give both terms and idf
                    vectorizer.idf_ = kept[f"{name}_idf"]
                dense = _Half(kept["dense_w"], kept["dense_b"]) if "dense_w" in kept else None
                return cls(
                    tuple(told["intents"]), letters, words, _Half(kept["lexical_w"], kept["lexical_b"]), dense,
                    kept["vectors"] if dense else None, kept["owners"], told["temperature"], told["share"],
                    told["threshold"], embedder, told["way"],
                )  # fmt: skip
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None


def stamp(samples: Sequence[Sample], labels: Sequence[str], embedder: Embedder | None) -> str:
    """Name a training: the same declarations and the same embedder give the same name."""
    told = [[sample.words, sample.plain, label] for sample, label in zip(samples, labels, strict=True)]
    space = embedder.stamp if embedder is not None else "words"
    return hashlib.sha256(json.dumps([VERSION, space, told]).encode()).hexdigest()[:24]


def _terms(vectorizer: Any) -> list[str]:
    return [str(term) for term, _ in sorted(vectorizer.vocabulary_.items(), key=lambda pair: pair[1])]


def _lexical(samples: Sequence[Sample], words: Any, letters: Any, *, fit: bool = False) -> Any:
    from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped, unused-ignore]

    texts = [sample.words for sample in samples]
    how = "fit_transform" if fit else "transform"
    flags = csr_matrix(
        np.array([sample.flags for sample in samples], dtype=np.float64).reshape(len(samples), -1) * FLAG_WEIGHTS[0]
    )
    return hstack([getattr(words, how)(texts), getattr(letters, how)(texts), flags]).tocsr()


def _dense(vectors: Any, samples: Sequence[Sample]) -> Floats:
    flags = np.array([sample.flags for sample in samples], dtype=np.float64).reshape(len(samples), -1)
    return np.hstack([vectors, FLAG_WEIGHTS[1] * flags])


def _score(way: str, chances: Floats, nobody: int, likeness: Any, owners: npt.NDArray[np.int64]) -> float:
    """How much a sentence is somebody's, 0 to 1.

    ``"near"``: √(probability x likeness to the winner's nearest example), the only one without a nobody's class.
    ``"ahead"``: not nobody's, a winner, and more like somebody's examples than like nobody's.
    Which one is used is decided on held-out folds, see `Router._calibrate`.
    """
    own = np.delete(chances, nobody) if nobody >= 0 else chances
    if way == "near" or nobody < 0:
        nearest = (
            1.0
            if likeness is None
            else likeness[owners == int(np.flatnonzero(chances == own.max())[0])].max(initial=0.0)
        )
        return float(np.sqrt(own.max() * max(float(nearest), 0.0)))
    score = float((1 - chances[nobody]) * own.max() ** LEAN)
    if likeness is None:
        return score
    ahead = float(likeness[owners != nobody].max(initial=0.0) - likeness[owners == nobody].max(initial=0.0))
    return score / (1 + float(np.exp(-STEEPNESS * ahead)))


def _best_way(scores: dict[str, Floats], somebody: npt.NDArray[np.bool_]) -> tuple[str, float]:
    """Return the way that catches most of nobody's when 5 % of somebody's are refused, and its threshold."""
    found = []
    for way, values in scores.items():
        threshold = float(np.quantile(values[somebody], REFUSED_SHARE))
        caught = float((values[~somebody] < threshold).mean()) if (~somebody).any() else 0.0
        found.append((caught, way, threshold))
    _, way, threshold = max(found, key=lambda each: each[0])
    return way, threshold


def _temperature(fused: Floats, owners: npt.NDArray[np.int64]) -> float:
    """The one divisor of the logits under which held-out sentences are least surprising."""
    rows = np.arange(len(owners))

    def surprise(temperature: float) -> float:
        return float(-np.log(_softmax(fused / temperature)[rows, owners] + 1e-12).mean())

    return float(min(np.geomspace(0.1, 3.0, 60), key=surprise))

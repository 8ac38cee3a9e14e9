"""The classifier: logistic regression on embeddings and on TF-IDF, fused late, calibrated on what it had not seen.

Measured best of what was tried (see `tests/bench/intents_bench.py`): the embedding knows that "bill" is "invoice", the
letters know that "invocie" is "invoice", masks make every client and amount the same, flags say which values are there.
One extra class is *nobody's*: what no agent can do. Without an embedding model the letters alone decide, less surely.

How much each half counts depends on how much alike a set's sentences are: words say everything of a set that was typed
from a few forms, and little where everybody says it differently. `HOUSE` is tuned to what operators write; `ANY`
chooses on held-out folds of the set it is given.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bot.reading.linear import Floats, Half, Owners, Setting, fit_half, is_big, softmax
from bot.reading.score import WAYS, best_way, score, thresholds

NOBODY = ""  # the class of what no agent can do
FLAG_WEIGHTS = (0.5, 0.15)  # of a flag beside words of length 1, and beside a vector of length 1
WORD = r"(?u)\b\w+\b"  # one letter is a word too: "a month"
RARE_ROWS_MIN = 200  # from here letters that stand in one sentence alone are left out
FOLDS = 5
SMALL, MIDDLE = 60_000, 200_000  # rows x classes: up to here all settings are tried, up to here all folds are held out
VERSION = 9  # of what is kept on disk


@dataclass(frozen=True)
class Recipe:
    """How to train. Where several are named, held-out folds choose.

    Attributes:
        lexical: Settings of the letters' half; the first is taken for sets too big to try more.
        dense: The same for the embedding's half.
        shares: Of the embedding's half in the fused log-probabilities.
        safety: On the temperature: over 1 where real messages are further from the examples than these from each other,
            under 1 because what learns from all of them knows more than what learned from four fifths.
        folds: How many of five folds are held out, one after the other: each is a training.
    """

    lexical: tuple[Setting, ...]
    dense: tuple[Setting, ...]
    shares: tuple[float, ...]
    safety: float
    folds: int


HOUSE = Recipe((Setting(30.0, balanced=False),), (Setting(40.0, balanced=False),), (0.45,), 1.0, 2)
ANY = Recipe(
    (Setting(10.0), Setting(30.0), Setting(10.0, balanced=False)),
    (Setting(15.0), Setting(5.0), Setting(50.0), Setting(15.0, balanced=False)),
    tuple(tenth / 10 for tenth in range(11)),
    1.0,
    FOLDS,
)


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
        score: How much it is somebody's, 0 to 1; see `bot.reading.score`.
        known: Whether every way to score it finds what 95 of 100 sentences reach that are somebody's.
    """

    ranked: tuple[tuple[str, float], ...]
    nobody: float
    score: float
    known: bool


def _vectorizers(rows: int = RARE_ROWS_MIN) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    rare = 2 if rows >= RARE_ROWS_MIN else 1
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=rare)
    return words, letters


@dataclass
class Router:
    """A trained classifier. Build one with `train`, or `load` what `save` kept."""

    intents: tuple[str, ...]  # the classes, NOBODY among them
    letters: Any
    words: Any
    lexical: Half
    dense: Half | None
    vectors: npt.NDArray[np.float32] | None  # the examples' embeddings
    owners: Owners  # whose example each row is
    temperature: float
    share: float  # of the embedding's logits in the fused ones
    thresholds: dict[str, float]  # of each way to score; to act on a reading it must reach all of them
    embedder: Embedder | None = None
    way: str = WAYS[0]  # how `score` is made

    @classmethod
    def train(
        cls,
        samples: Sequence[Sample],
        labels: Sequence[str],
        embedder: Embedder | None,
        *,
        recipe: Recipe = HOUSE,
        calibrated: bool = True,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Router:
        """Learn from labelled samples; ``NOBODY`` labels what is nobody's.

        Args:
            samples: What to learn from.
            labels: One intent for each.
            embedder: None: words alone.
            recipe: What is fixed, and what is chosen on held-out folds.
            calibrated: False leaves out the held-out folds: ranks are the same, probabilities are not to be believed.
            tell: Called with each stage of a training that takes long.

        Raises:
            ValueError: Fewer than two classes.
        """
        intents = tuple(sorted(set(labels)))
        if len(intents) < 2:  # noqa: PLR2004 - one class is no choice
            raise ValueError("A classifier needs examples of two intents or more; declare examples with the intents.")
        owners = np.array([intents.index(label) for label in labels])
        tell(f"words and letters of {len(samples)} sentences")
        words, letters = _vectorizers(len(samples))
        rows: list[Any] = [_lexical(samples, words, letters, fit=True)]
        vectors = None
        if embedder is not None:
            tell(f"vectors of {len(samples)} sentences")
            vectors = embedder.embed([sample.plain for sample in samples])
            dense = _dense(vectors, samples)
            rows.append(dense.astype(np.float32) if is_big(len(samples), len(intents)) else dense)
        parts = _held_out(owners, len(intents), recipe.folds) if calibrated else []
        nobody = intents.index(NOBODY) if NOBODY in intents else -1
        chosen = _chosen(rows, owners, len(intents), parts, recipe, tell)
        tell("the whole set")
        halves = [fit_half(each, owners, len(intents), how) for each, how in zip(rows, chosen.settings, strict=True)]
        way, reached = _way(chosen, owners, nobody, vectors, parts)
        return cls(
            intents, letters, words, halves[0], halves[1] if len(halves) > 1 else None, vectors, owners,
            chosen.temperature, chosen.share, reached, embedder, way,
        )  # fmt: skip

    def guess(self, sample: Sample) -> Guess:
        """Return what a sentence is likely to be. About 4 ms with an embedding, 1 without."""
        return self.guesses([sample])[0]

    def guesses(self, samples: Sequence[Sample]) -> list[Guess]:
        """Return the same for many at once."""
        chances, likeness = self._measured(samples)
        return [self._guess(row, None if likeness is None else likeness[i]) for i, row in enumerate(chances)]

    def chances(self, samples: Sequence[Sample]) -> Floats:
        """Return a row a sample: the probability of each of `intents`."""
        return self._measured(samples)[0]

    def _measured(self, samples: Sequence[Sample]) -> tuple[Floats, Any]:
        lexical = self.lexical.logits(_lexical(samples, self.words, self.letters))
        dense, likeness = None, None
        if self.dense is not None and self.embedder is not None and self.vectors is not None:
            vectors = self.embedder.embed([sample.plain for sample in samples])
            dense = self.dense.logits(_dense(vectors, samples))
            likeness = vectors @ self.vectors.T
        halves = [lexical] if dense is None else [lexical, dense]
        return softmax(_fused(halves, self.share) / self.temperature), likeness

    def _guess(self, chances: Floats, likeness: Any) -> Guess:
        order = [int(i) for i in np.argsort(-chances) if self.intents[i] != NOBODY]
        nobody = float(chances[self._nobody]) if self._nobody >= 0 else 0.0
        scores = {way: score(way, chances, self._nobody, likeness, self.owners) for way in WAYS}
        known = all(scores[way] >= threshold for way, threshold in self.thresholds.items())
        ranked = tuple((self.intents[i], float(chances[i])) for i in order[:5])
        return Guess(ranked, nobody, scores[self.way], known and nobody < float(chances[order[0]]))

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
            "intents": self.intents, "temperature": self.temperature, "share": self.share, "thresholds": self.thresholds, "way": self.way,
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
                dense = Half(kept["dense_w"], kept["dense_b"]) if "dense_w" in kept else None
                return cls(
                    tuple(told["intents"]), letters, words, Half(kept["lexical_w"], kept["lexical_b"]), dense,
                    kept["vectors"] if dense else None, kept["owners"], told["temperature"], told["share"],
                    told["thresholds"], embedder, told["way"],
                )  # fmt: skip
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None


def stamp(samples: Sequence[Sample], labels: Sequence[str], embedder: Embedder | None) -> str:
    """Name a training: the same declarations, seen in the same way, and the same embedder give the same name."""
    told = [[sample.words, sample.plain, sample.flags, label] for sample, label in zip(samples, labels, strict=True)]
    space = embedder.stamp if embedder is not None else "words"
    return hashlib.sha256(json.dumps([VERSION, repr(HOUSE), space, told]).encode()).hexdigest()[:24]


def _terms(vectorizer: Any) -> list[str]:
    return [str(term) for term, _ in sorted(vectorizer.vocabulary_.items(), key=lambda pair: pair[1])]


def _lexical(samples: Sequence[Sample], words: Any, letters: Any, *, fit: bool = False) -> Any:
    from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped, unused-ignore]

    texts = [sample.words for sample in samples]
    if fit:
        _learn_terms(words, texts)
        _learn_terms(letters, texts)
    flags = csr_matrix(
        np.array([sample.flags for sample in samples], dtype=np.float64).reshape(len(samples), -1) * FLAG_WEIGHTS[0]
    )
    return hstack([words.transform(texts), letters.transform(texts), flags]).tocsr()


def _learn_terms(vectorizer: Any, texts: Sequence[str]) -> None:
    """Learn the vocabulary; a set in which nothing is a word, or nothing comes twice, still has a beginning."""
    try:
        vectorizer.fit(texts)
    except ValueError:
        vectorizer.fit([*texts, "a a", "a a"])


def _dense(vectors: Any, samples: Sequence[Sample]) -> Floats:
    flags = np.array([sample.flags for sample in samples], dtype=np.float64).reshape(len(samples), -1)
    return np.hstack([vectors, FLAG_WEIGHTS[1] * flags])


def _fused(halves: Sequence[Floats], share: float) -> Floats:
    """Log-probabilities, mixed: late fusion."""
    mixed = [np.log(softmax(logits) + 1e-9) for logits in halves]
    return mixed[0] if len(mixed) == 1 else np.asarray((1 - share) * mixed[0] + share * mixed[1])


# ── what is chosen on held-out folds ──────────────────────────────────────────────────────────────────────────────

Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # row numbers: to learn from, and held out


@dataclass(frozen=True)
class _Chosen:
    """Settings of the halves, how they are mixed, and the mixed log-probabilities of what was held out."""

    settings: tuple[Setting, ...]
    share: float
    temperature: float
    fused: Floats


def _held_out(owners: Owners, classes: int, folds: int) -> list[Part]:
    """Return folds, or for a big set one fifth, which says enough. A class with one row is never held out."""
    random = np.random.default_rng(0)
    fold = np.full(len(owners), -1)
    for owner in range(classes):
        mine = random.permutation(np.flatnonzero(owners == owner))
        if len(mine) > 1:
            fold[mine] = (np.arange(len(mine)) + owner) % FOLDS
    parts = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]
    found = [(inside, outside) for inside, outside in parts if len(outside)]
    return found[: 1 if len(owners) * classes > MIDDLE else folds]


def _chosen(
    rows: Sequence[Any],
    owners: Owners,
    classes: int,
    parts: Sequence[Part],
    recipe: Recipe,
    tell: Callable[[str], None],
) -> _Chosen:
    """Choose the settings of each half by itself, then the mix: what surprises least on what was held out."""
    options = [recipe.lexical, recipe.dense][: len(rows)]
    if not parts:
        return _Chosen(
            tuple(each[0] for each in options), _middle(recipe.shares) if len(rows) > 1 else 0.0, 1.0, np.empty(0)
        )
    held = np.concatenate([outside for _, outside in parts])
    settings, logits = [], []
    for number, (each, tried) in enumerate(zip(rows, options, strict=True)):
        found: list[tuple[float, int, Setting, Floats]] = []
        for setting in _worth_trying(tried, owners, classes):
            outside = []
            for fold, (inside, out) in enumerate(parts, 1):
                tell(f"{('words', 'vectors')[number]}, {setting}, held out {fold} of {len(parts)}")
                outside.append(fit_half(each[inside], owners[inside], classes, setting).logits(each[out]))
            whole = np.vstack(outside)
            found.append((_temperature(_fused([whole], 0.0), owners[held])[1], len(found), setting, whole))
        _, _, best, whole = min(found)  # the second is a number of its own, so nothing else is compared
        settings.append(best)
        logits.append(whole)
    mixes = []
    for share in recipe.shares if len(rows) > 1 else (0.0,):
        fused = _fused(logits, share)
        temperature, surprise = _temperature(fused, owners[held])
        mixes.append((surprise, share, temperature))
    _, share, temperature = min(mixes)
    return _Chosen(tuple(settings), share, recipe.safety * temperature, _fused(logits, share))


def _middle(shares: Sequence[float]) -> float:
    return shares[len(shares) // 2]


def _worth_trying(tried: Sequence[Setting], owners: Owners, classes: int) -> list[Setting]:
    """All settings on a small set, one on a big one; another weight of rare classes only where some are rare."""
    counts = np.bincount(owners, minlength=classes)
    even = counts.max() < 2 * max(counts.min(), 1)
    found = [setting for setting in tried if setting.balanced or not even] or list(tried)
    if len(owners) * classes <= SMALL:
        return found
    same = [setting for setting in found if setting.strength == tried[0].strength]
    return same[:1] if is_big(len(owners), classes) and even else same


def _way(
    chosen: _Chosen, owners: Owners, nobody: int, vectors: npt.NDArray[np.float32] | None, parts: Sequence[Part]
) -> tuple[str, dict[str, float]]:
    """Return the way to score, and the threshold of each."""
    if not parts:
        return WAYS[0], {}
    held = np.concatenate([outside for _, outside in parts])
    chances = softmax(chosen.fused / chosen.temperature)
    scores: dict[str, list[float]] = {way: [] for way in WAYS}
    each = iter(chances)
    for inside, outside in parts:
        learned, of = (None if vectors is None else vectors[inside].T), owners[inside]
        for row in outside:
            likeness = None if learned is None or vectors is None else vectors[row] @ learned
            mine = next(each)
            for way, found in scores.items():
                found.append(score(way, mine, nobody, likeness, of))
    found_by = {way: np.array(found) for way, found in scores.items()}
    somebody = owners[held] != nobody
    return best_way(found_by, somebody), thresholds(found_by, somebody)


def _temperature(fused: Floats, owners: Owners) -> tuple[float, float]:
    """Return the one divisor of the logits under which held-out sentences are least surprising, and how much that is."""
    rows = np.arange(len(owners))

    def surprise(temperature: float) -> float:
        return float(-np.log(softmax(fused / temperature)[rows, owners] + 1e-12).mean())

    rough = min(np.geomspace(0.1, 3.0, 30), key=surprise)
    best = min(
        np.clip(rough * np.geomspace(0.9, 1.1, 21), 0.1, 3.0), key=surprise
    )  # a step of the first is worth five points of coverage
    return float(best), surprise(best)

"""``python -m bot intents eval --train F --test F``: the classifier on any labelled set.

Both files hold JSON lines ``{"text": ..., "intent": ...}``; the intent ``oos`` is out of scope, in training too where
there are such lines. Printed: accuracy on what is in scope, how much out of scope is caught at 5 % false refusals,
AUROC of the score, latency. What is the house's own (masks of clients and amounts, its tuned weights) stays out of it:
weights are chosen on held-out folds of the training file. ``--compare`` measures two plain classifiers beside it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.reading.linear import Floats
from bot.reading.router import ANY, NOBODY, Embedder, Guess, Router, Sample
from bot.reading.score import REFUSED_SHARE, auroc

OUT_OF_SCOPE = "oos"
OUTSIDE = frozenset({"oos", "oos_oos", "ood", "out_of_scope", "out-of-scope"})
"""What sets call it that belongs to none of their intents."""
TOP = 3
TIMED_MAX = 500  # sentences that are timed one by one; the others go in batches
BATCH = 128
TEXT_MAX = 2000  # characters read of a sentence; the embedding model reads fewer

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Figures:
    """What an evaluation found; shares are 0 to 1, None where the test set has nothing out of scope."""

    examples: int
    intents: int
    tested: int
    accuracy: float
    top_three: float
    oos_recall: float | None
    auroc: float | None
    cpu_ms_p50: float
    cpu_ms_p99: float
    training_s: float
    share: float = 0.0
    others: tuple[tuple[str, Measured], ...] = ()

    def lines(self) -> list[str]:
        """Return the figures for a person and for a script: one ``name: value`` a line."""
        oos = "nothing out of scope in the test set" if self.oos_recall is None else f"{self.oos_recall:.4f}"
        return [
            f"trained on: {self.examples} sentences, {self.intents} intents, {self.training_s:.1f} s",
            f"tested on: {self.tested} sentences",
            f"accuracy: {self.accuracy:.4f}",
            f"top three: {self.top_three:.4f}",
            f"oos recall at 5 % false refusals: {oos}",
            f"auroc: {'-' if self.auroc is None else f'{self.auroc:.4f}'}",
            f"latency: {self.cpu_ms_p50:.2f} ms p50, {self.cpu_ms_p99:.2f} ms p99 (CPU, one at a time)",
            f"weight of the vectors beside the words: {self.share:.1f}",
            *(f"{name}: {found}" for name, found in self.others),
        ]


@dataclass(frozen=True)
class Measured:
    """What a plain classifier reaches on the same sentences."""

    accuracy: float
    oos_recall: float | None
    auroc: float | None

    def __str__(self) -> str:
        rest = "" if self.auroc is None else f", oos recall {self.oos_recall:.4f}, auroc {self.auroc:.4f}"
        return f"accuracy {self.accuracy:.4f}{rest}"


class LabelledFileError(Exception):
    """A file of labelled sentences cannot be read; the message says which line."""


def labelled(path: Path, tell: Tell = lambda _: None) -> list[tuple[str, str]]:
    """Return (text, intent) of a file of JSON lines; a mark at its beginning is no line.

    Lines without anything, and lines whose text is empty, are left out; how many is told.

    Raises:
        LabelledFileError: The file is missing, empty, or a line is not ``{"text", "intent"}``.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelledFileError(f"{path} cannot be read: {error}. Give a UTF-8 file of JSON lines.") from error
    pairs, silent = [], 0
    for number, line in enumerate(content.split("\n"), 1):  # a line separator inside of a text ends no line
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, intent = row["text"], row["intent"]
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            told = "it is a whole JSON array; write one object a line" if line.lstrip().startswith("[") else error
            raise LabelledFileError(f'{path}, line {number}: not {{"text": ..., "intent": ...}} ({told}).') from error
        intent = str(intent) if isinstance(intent, int) and not isinstance(intent, bool) else intent
        intent = OUT_OF_SCOPE if isinstance(intent, str) and intent.strip().casefold() in OUTSIDE else intent
        if not isinstance(text, str) or not isinstance(intent, str) or not intent.strip():
            raise LabelledFileError(f"{path}, line {number}: text and intent must be words, and intent not empty.")
        if text.strip():
            pairs.append((text, intent.strip()))
        else:
            silent += 1
    if silent:
        tell(f"{path}: {silent} {'line' if silent == 1 else 'lines'} without a text left out")
    if not pairs:
        raise LabelledFileError(f"{path} holds no sentence.")
    return pairs


def evaluate(
    train: Sequence[tuple[str, str]],
    test: Sequence[tuple[str, str]],
    embedder: Embedder | None,
    *,
    compare: bool = False,
    tell: Tell = lambda _: None,
) -> Figures:
    """Train on one set and measure on the other.

    Args:
        train: (text, intent) to learn from.
        test: (text, intent) to measure on.
        embedder: None: words alone.
        compare: Also measure a nearest neighbour and a plain logistic regression on the same vectors.
        tell: Called with each stage.

    Raises:
        ValueError: The training set has fewer than two classes, or the test set nothing in scope.
    """
    if all(intent == OUT_OF_SCOPE for _, intent in test):
        raise ValueError("The test set holds nothing in scope: there is no accuracy of it.")
    start = time.perf_counter()
    labels = [NOBODY if intent == OUT_OF_SCOPE else intent for _, intent in train]
    router = Router.train([seen(text) for text, _ in train], labels, embedder, recipe=ANY, tell=tell)
    training_s = time.perf_counter() - start
    texts, intents = [text for text, _ in test], [intent for _, intent in test]
    guesses, cpu = _timed(router, texts, tell)
    found = _measured([guess.ranked[0][0] for guess in guesses], np.array([guess.score for guess in guesses]), intents)
    inside = [(guess, intent) for guess, intent in zip(guesses, intents, strict=True) if intent != OUT_OF_SCOPE]
    return Figures(
        examples=len(train),
        intents=len(set(labels) - {NOBODY}),
        tested=len(test),
        accuracy=found.accuracy,
        top_three=sum(intent in [name for name, _ in guess.ranked[:TOP]] for guess, intent in inside) / len(inside),
        oos_recall=found.oos_recall,
        auroc=found.auroc,
        cpu_ms_p50=float(np.quantile(cpu, 0.5)),
        cpu_ms_p99=float(np.quantile(cpu, 0.99)),
        training_s=training_s,
        share=router.share,
        others=tuple(_others(router, labels, texts, intents)) if compare else (),
    )


def seen(text: str) -> Sample:
    """Return a sentence as it is: in a set from elsewhere "PIN", "Apple Pay" and "12" may be what tells intents apart."""
    line = re.sub(r"\s+", " ", text[:TEXT_MAX]).strip()
    return Sample(line, line)


def _timed(router: Router, texts: Sequence[str], tell: Tell) -> tuple[list[Guess], list[float]]:
    tell(f"testing on {len(texts)} sentences")
    router.guess(seen("warm up"))
    guesses, cpu = [], []
    for text in texts[:TIMED_MAX]:
        start = time.thread_time()
        guesses.append(router.guess(seen(text)))
        cpu.append(1000 * (time.thread_time() - start))
    for first in range(TIMED_MAX, len(texts), BATCH):
        guesses += router.guesses([seen(text) for text in texts[first : first + BATCH]])
    return guesses, cpu


def _measured(named: Sequence[str], scores: Floats, intents: Sequence[str]) -> Measured:
    inside = np.array([intent != OUT_OF_SCOPE for intent in intents])
    right = sum(name == intent for name, intent in zip(named, intents, strict=True))
    own, outside = scores[inside], scores[~inside]
    if not len(outside):
        return Measured(right / len(own), None, None)
    caught = float((outside < np.quantile(own, REFUSED_SHARE)).mean())
    return Measured(right / len(own), caught, auroc(own, outside))


def _others(
    router: Router, labels: Sequence[str], texts: Sequence[str], intents: Sequence[str]
) -> list[tuple[str, Measured]]:
    """What most routers do, on the same vectors: the nearest example's intent; one plain logistic regression."""
    if router.vectors is None or router.embedder is None or router.dense is None:
        return []
    from sklearn.linear_model import LogisticRegression

    own = np.array([label != NOBODY for label in labels])
    mine, names = router.vectors[own], np.array(labels)[own]
    vectors = router.embedder.embed([seen(text).plain for text in texts])
    nearest = [(vectors[at : at + BATCH] @ mine.T) for at in range(0, len(texts), BATCH)]
    likest = np.concatenate([part.argmax(axis=1) for part in nearest])
    found = [
        ("nearest neighbour", _measured(list(names[likest]), np.concatenate([p.max(axis=1) for p in nearest]), intents))
    ]
    if len(set(names)) > 1:
        plain = LogisticRegression(max_iter=BASELINE_STEPS).fit(mine, names)
        chances = plain.predict_proba(vectors)
        best = list(plain.classes_[chances.argmax(axis=1)])
        found.append(("logistic regression", _measured(best, chances.max(axis=1), intents)))
    return found


BASELINE_STEPS = 1000


def main(argv: Sequence[str] | None = None, *, model: Path | None = None) -> int:
    """Run the command; returns the exit code.

    Args:
        argv: Arguments after ``intents eval``.
        model: Where the house keeps its embedding model; ``--model`` wins.
    """
    parser = argparse.ArgumentParser(prog="python -m bot intents eval", description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="JSON lines to learn from")
    parser.add_argument("--test", type=Path, required=True, help="JSON lines to measure on")
    parser.add_argument("--model", type=Path, default=model, help="folder of the embedding model; without: words alone")
    parser.add_argument("--compare", action="store_true", help="also measure two plain classifiers")
    parser.add_argument("--quiet", action="store_true", help="no progress on the error stream")
    args = parser.parse_args(argv)
    try:
        tell = (lambda _: None) if args.quiet else _progress()
        train, test = labelled(args.train, tell), labelled(args.test, tell)
        figures = evaluate(train, test, _embedder(args.model), compare=args.compare, tell=tell)
    except (LabelledFileError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(figures.lines()) + "\n")
    return 0


def _progress() -> Tell:
    start = time.perf_counter()
    return lambda stage: print(f"{time.perf_counter() - start:6.1f} s  {stage}", file=sys.stderr, flush=True)  # noqa: T201


def _embedder(folder: Path | None) -> Embedder | None:
    from memory import embed

    if folder is None:
        sys.stderr.write("No embedding model given: measuring words alone. --model FOLDER uses one.\n")
        return None
    try:
        return embed.load(folder)
    except embed.ModelMissingError as error:
        sys.stderr.write(f"{error}\nMeasuring words alone.\n")
        return None


if __name__ == "__main__":
    sys.exit(main())

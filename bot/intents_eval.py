"""``python -m bot intents eval --train F --test F``: the classifier on any labelled set.

Both files hold JSON lines ``{"text": ..., "intent": ...}``; the intent ``oos`` is out of scope. Printed: accuracy on
what is in scope, how much out of scope is caught at 5 % false refusals, AUROC of the score, latency.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.intents import sample_of
from bot.reading.router import NOBODY, REFUSED_SHARE, Embedder, Guess, Router, Sample

OUT_OF_SCOPE = "oos"
TOP = 3


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
        ]


class LabelledFileError(Exception):
    """A file of labelled sentences cannot be read; the message says which line."""


def labelled(path: Path) -> list[tuple[str, str]]:
    """Return (text, intent) of a file of JSON lines; empty lines are skipped.

    Raises:
        LabelledFileError: The file is missing, empty, or a line is not ``{"text", "intent"}``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelledFileError(f"{path} cannot be read: {error}. Give a UTF-8 file of JSON lines.") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, intent = row["text"], row["intent"]
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            raise LabelledFileError(f'{path}, line {number}: not {{"text": ..., "intent": ...}} ({error}).') from error
        if not isinstance(text, str) or not isinstance(intent, str) or not text.strip() or not intent:
            raise LabelledFileError(f"{path}, line {number}: text and intent must be words, not empty.")
        pairs.append((text, intent))
    if not pairs:
        raise LabelledFileError(f"{path} holds no sentence.")
    return pairs


def evaluate(train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], embedder: Embedder | None) -> Figures:
    """Train on one set and measure on the other.

    Raises:
        ValueError: The training set has fewer than two classes, or the test set nothing in scope.
    """
    start = time.perf_counter()
    samples = [sample_of(text) for text, _ in train]
    router = Router.train(samples, [NOBODY if intent == OUT_OF_SCOPE else intent for _, intent in train], embedder)
    training_s = time.perf_counter() - start
    guesses, cpu = _timed(router, [text for text, _ in test])
    inside = [(guess, intent) for guess, (_, intent) in zip(guesses, test, strict=True) if intent != OUT_OF_SCOPE]
    if not inside:
        raise ValueError("The test set holds nothing in scope: there is no accuracy of it.")
    outside = np.array(
        [guess.score for guess, (_, intent) in zip(guesses, test, strict=True) if intent == OUT_OF_SCOPE]
    )
    own = np.array([guess.score for guess, _ in inside])
    return Figures(
        examples=len(train),
        intents=len({intent for _, intent in train} - {OUT_OF_SCOPE}),
        tested=len(test),
        accuracy=sum(guess.ranked[0][0] == intent for guess, intent in inside) / len(inside),
        top_three=sum(intent in [name for name, _ in guess.ranked[:TOP]] for guess, intent in inside) / len(inside),
        oos_recall=float((outside < np.quantile(own, REFUSED_SHARE)).mean()) if len(outside) else None,
        auroc=_auroc(own, outside) if len(outside) else None,
        cpu_ms_p50=float(np.quantile(cpu, 0.5)),
        cpu_ms_p99=float(np.quantile(cpu, 0.99)),
        training_s=training_s,
    )


def _timed(router: Router, texts: Sequence[str]) -> tuple[list[Guess], list[float]]:
    router.guess(Sample("warm up", "warm up", sample_of("warm up").flags))
    guesses, cpu = [], []
    for text in texts:
        start = time.thread_time()
        guesses.append(router.guess(sample_of(text)))
        cpu.append(1000 * (time.thread_time() - start))
    return guesses, cpu


def _auroc(own: np.ndarray, outside: np.ndarray) -> float:
    """The chance that something in scope scores above something out of scope; ties count half."""
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, own, side="left")
    level = np.searchsorted(ordered, own, side="right") - below
    return float((below + level / 2).sum() / (len(own) * len(outside)))


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
    args = parser.parse_args(argv)
    try:
        figures = evaluate(labelled(args.train), labelled(args.test), _embedder(args.model))
    except (LabelledFileError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(figures.lines()) + "\n")
    return 0


def _embedder(folder: Path | None) -> Embedder | None:
    from memory import embed

    if folder is None:
        sys.stderr.write("No embedding model given: measuring words alone. --model FOLDER uses one.\n")
        return None
    try:
        return embed.load(folder, int8=True)
    except embed.ModelMissingError as error:
        sys.stderr.write(f"{error}\nMeasuring words alone.\n")
        return None


if __name__ == "__main__":
    sys.exit(main())

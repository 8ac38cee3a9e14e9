"""The classifier on toy vectors: what it learns, refuses and keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.reading.linear import Setting, fit_half
from bot.reading.router import ANY, HOUSE, NOBODY, Router, Sample, stamp

COLOURS = {"red": 0, "crimson": 0, "blue": 1, "navy": 1, "green": 2, "lime": 2}


class Colours:
    """An embedder that knows which words mean the same colour."""

    stamp = "colours"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(texts), 4), 0.05, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                rows[row, COLOURS.get(word, 3)] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def sample(text: str) -> Sample:
    return Sample(text, text, (0.0,))


SAMPLES = [sample(f"{word} {n}") for word in ("red", "blue", "green") for n in ("one", "two", "three", "four", "five")]
LABELS = [name for name in ("warm", "cold", NOBODY) for _ in range(5)]


def test_the_embedding_knows_words_the_letters_never_saw() -> None:
    with_meaning = Router.train(SAMPLES, LABELS, Colours())

    assert with_meaning.guess(sample("crimson")).ranked[0][0] == "warm"
    assert with_meaning.guess(sample("navy")).ranked[0][0] == "cold"


def test_nobodys_class_is_never_a_reading() -> None:
    guess = Router.train(SAMPLES, LABELS, Colours()).guess(sample("lime lime"))

    assert NOBODY not in [name for name, _ in guess.ranked]
    assert guess.nobody > guess.ranked[0][1]
    assert not guess.known


def test_without_an_embedder_the_words_decide() -> None:
    router = Router.train(SAMPLES, LABELS, None)

    assert router.guess(sample("red six")).ranked[0][0] == "warm"


def test_probabilities_are_between_nothing_and_one() -> None:
    guess = Router.train(SAMPLES, LABELS, Colours()).guess(sample("red blue green"))

    assert 0 <= guess.nobody <= 1
    assert sum(chance for _, chance in guess.ranked) + guess.nobody == pytest.approx(1.0)


@pytest.mark.parametrize("embedder", [None, Colours()])
def test_what_is_kept_says_the_same(tmp_path: Path, embedder: Colours | None) -> None:
    router = Router.train(SAMPLES, LABELS, embedder)
    router.save(tmp_path / "kept.npz")

    again = Router.load(tmp_path / "kept.npz", embedder)

    assert again is not None
    for text in ("red six", "crimson", "lime", ""):
        assert again.guess(sample(text)) == router.guess(sample(text))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_a_file_that_is_not_whole_is_no_router(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn.npz").write_bytes(content)

    assert Router.load(tmp_path / "torn.npz", None) is None
    assert Router.load(tmp_path / "missing.npz", None) is None


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="two intents"):
        Router.train(SAMPLES[:5], LABELS[:5], None)


def test_a_training_is_named_by_what_it_learned_from() -> None:
    name = stamp(SAMPLES, LABELS, None)

    assert name == stamp(list(SAMPLES), list(LABELS), None)
    assert name != stamp(SAMPLES, LABELS, Colours())
    assert name != stamp(SAMPLES[1:], LABELS[1:], None)
    flagged = [replace(sample, flags=(*sample.flags, 0.0)) for sample in SAMPLES]
    assert name != stamp(flagged, LABELS, None), (
        "what sentences are looked at for has changed, and its weights would not fit"
    )


def many(classes: int) -> tuple[list[Sample], list[str]]:
    samples = [
        sample(f"{verb} topic{n} {end}")
        for n in range(classes)
        for verb in ("do", "see", "ask")
        for end in ("now", "soon")
    ]
    return samples, [f"i{n}" for n in range(classes) for _ in range(6)]


def share_right(router: Router, classes: int) -> float:
    guesses = router.guesses([sample(f"please topic{n}") for n in range(classes)])
    return sum(guess.ranked[0][0] == f"i{n}" for n, guess in enumerate(guesses)) / classes


def test_a_hundred_and_fifty_intents_are_learned_as_well_as_three() -> None:
    samples, labels = many(150)

    assert share_right(Router.train(samples, labels, None, calibrated=False), 150) > 0.95


def test_with_one_tolerance_for_any_number_of_classes_nothing_would_be_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reading.linear.TOLERANCE", 5.0)
    samples, labels = many(150)

    assert share_right(Router.train(samples, labels, None, calibrated=False), 150) < 0.95


# ── what is chosen on held-out folds ──────────────────────────────────────────────────────────────────────────────


def said_differently() -> tuple[list[Sample], list[str]]:
    """Sentences of which only the embedding knows what they have in common."""
    words = {"warm": ("red", "crimson"), "cold": ("blue", "navy"), "fresh": ("green", "lime")}
    samples = [
        sample(f"{word} {end}{n}") for both in words.values() for word in both for n, end in enumerate("abcd" * 2)
    ]
    return samples, [name for name in words for _ in range(16)]


def test_vectors_decide_where_everybody_says_it_differently() -> None:
    samples, labels = said_differently()

    assert Router.train(samples, labels, Colours(), recipe=ANY).share > HOUSE.shares[0]


def test_words_decide_where_the_vectors_say_nothing() -> None:
    class Blind(Colours):
        def embed(self, texts: Sequence[str]) -> np.ndarray:
            return np.full((len(texts), 4), 0.5, dtype=np.float32)

    samples, labels = said_differently()

    router = Router.train(samples, labels, Blind(), recipe=ANY)
    assert router.share < HOUSE.shares[0]
    assert router.guess(sample("crimson")).ranked[0][0] == "warm"


def test_an_intent_with_one_example_is_learned_and_never_held_out() -> None:
    router = Router.train([*SAMPLES, sample("violet")], [*LABELS, "rare"], Colours(), recipe=ANY)

    assert router.thresholds
    assert router.guess(sample("violet")).ranked[0][0] == "rare"


@pytest.mark.parametrize(
    "texts", [("🙂", "🙁", "🚀", "🐟"), ("開く", "閉じる", "開けて", "閉めて"), ("a", "b", "a", "b")]
)
def test_any_script_is_learned_even_where_nothing_is_a_word(texts: tuple[str, ...]) -> None:
    router = Router.train([sample(text) for text in texts], ["one", "two", "one", "two"], None, recipe=ANY)

    assert router.guess(sample(texts[0])).ranked[0][0] == "one"


def test_a_big_set_is_learned_the_quick_way_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reading.linear.BIG", 100)
    samples, labels = many(40)

    assert share_right(Router.train(samples, labels, None, recipe=ANY), 40) > 0.95


def test_a_class_that_no_row_has_is_never_chosen() -> None:
    half = fit_half(np.eye(4), np.array([0, 0, 2, 2]), 3, Setting(10.0))

    assert set(half.logits(np.eye(4)).argmax(axis=1)) == {0, 2}


def test_a_reading_that_one_way_to_score_refuses_is_not_known() -> None:
    router = Router.train(SAMPLES, LABELS, Colours())
    assert router.guess(sample("red one")).known

    for way in tuple(router.thresholds):
        router.thresholds = {**dict.fromkeys(router.thresholds, 0.0), way: 1.1}
        assert not router.guess(sample("red one")).known, way

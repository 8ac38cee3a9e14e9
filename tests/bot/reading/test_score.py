"""What tells in scope from out of scope: each way, and which one is taken."""

from __future__ import annotations

import numpy as np
import pytest

from bot.reading.score import NEGATIVES_MIN, WAYS, auroc, best_way, score, thresholds

OWNERS = np.array([0, 0, 1, 2])  # 2 is nobody's
LIKE_ITS_OWN = np.array([0.9, 0.5, 0.2, 0.1])
LIKE_NOBODYS = np.array([0.3, 0.2, 0.2, 0.9])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("likeness", [None, LIKE_ITS_OWN])
def test_every_way_is_between_nothing_and_one_and_grows_with_the_winner(way: str, likeness: np.ndarray | None) -> None:
    sure = score(way, np.array([0.9, 0.05, 0.05]), 2, likeness, OWNERS)
    unsure = score(way, np.array([0.4, 0.3, 0.3]), 2, likeness, OWNERS)

    assert 0 <= unsure < sure <= 1


@pytest.mark.parametrize("way", ["odds", "ahead"])
def test_nearness_to_what_is_nobodys_counts_against(way: str) -> None:
    chances = np.array([0.5, 0.3, 0.2])

    assert score(way, chances, 2, LIKE_NOBODYS, OWNERS) < score(way, chances, 2, LIKE_ITS_OWN, OWNERS)


def test_without_nobodys_examples_nearness_to_ones_own_still_tells() -> None:
    chances, owners = np.array([0.6, 0.4]), np.array([0, 0, 1])

    far = score("odds", chances, -1, np.array([0.2, 0.1, 0.1]), owners)
    assert far < score("odds", chances, -1, np.array([0.8, 0.1, 0.1]), owners)


def test_the_way_that_tells_best_is_taken_and_few_negatives_choose_nothing() -> None:
    somebody = np.array([True] * 40 + [False] * NEGATIVES_MIN)
    good, bad = np.where(somebody, 0.8, 0.2), np.full(len(somebody), 0.5)
    scores = {"odds": bad, "ahead": bad, "near": good}

    assert best_way(scores, somebody) == "near"
    few = slice(0, 40 + NEGATIVES_MIN - 1)
    assert best_way({way: found[few] for way, found in scores.items()}, somebody[few]) == "odds"


def test_auroc_counts_ties_as_half() -> None:
    assert auroc(np.array([1.0, 1.0]), np.array([0.0, 1.0])) == 0.75
    assert auroc(np.array([0.2]), np.array([0.1])) == 1.0


def test_a_threshold_is_what_95_of_100_of_somebodys_reach() -> None:
    found = np.arange(200) / 200

    assert thresholds({"near": found}, np.arange(200) >= 100)["near"] == pytest.approx(0.525, abs=0.01)

"""How much a sentence is somebody's: one number from probabilities and nearness, low for what is out of scope.

Three ways, and which one is used is decided on held-out folds (`best_way`). Measured on five sets of our own beside
eleven other scores, `odds` is first or second on all; `near` is what most systems use.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.reading.linear import Floats, Owners

WAYS = ("odds", "ahead", "near")
NEAR_WEIGHT = 6.0  # of a cosine beside half a log-odds
STEEPNESS = 8.0  # of the step from "more like nobody's" to "more like somebody's", in cosine
LEAN = 0.2  # how much the winner's own probability weighs
REFUSED_SHARE = 0.05  # of one's own sentences: the price of catching what is nobody's
NEGATIVES_MIN = 25  # of nobody's, held out; fewer cannot choose between ways


def score(way: str, chances: Floats, nobody: int, likeness: Floats | None, owners: Owners) -> float:
    """Return how much one sentence is somebody's, 0 to 1.

    ``"odds"``: the winner's odds and its nearest example, against those of nobody's.
    ``"ahead"``: not nobody's, a winner, and more like somebody's examples than like nobody's.
    ``"near"``: √(probability x likeness to the winner's nearest example).

    Args:
        way: One of `WAYS`.
        chances: A probability for each class.
        nobody: The number of nobody's class; -1 when there is none.
        likeness: Cosine to each example; None without an embedding.
        owners: The class of each example.
    """
    own = np.delete(chances, nobody) if nobody >= 0 else chances
    winner = int(np.flatnonzero(chances == own.max())[0])
    near = _nearest(likeness, owners == winner)
    if way == "near":
        return float(np.sqrt(own.max() * (1.0 if likeness is None else max(near, 0.0))))
    if way == "ahead" and nobody >= 0:
        ahead = _nearest(likeness, owners != nobody) - _nearest(likeness, owners == nobody)
        step = 1.0 if likeness is None else 1 / (1 + float(np.exp(-STEEPNESS * ahead)))
        return float((1 - chances[nobody]) * own.max() ** LEAN) * step
    against = _odds(chances[nobody]) + 2 * NEAR_WEIGHT * _nearest(likeness, owners == nobody) if nobody >= 0 else 0.0
    return 1 / (1 + float(np.exp(-(_odds(own.max()) + 2 * NEAR_WEIGHT * near - against) / 2)))


def _odds(chance: float) -> float:
    return float(np.log((chance + 1e-6) / (1 - chance + 1e-6)))


def _nearest(likeness: Floats | None, whose: npt.NDArray[np.bool_]) -> float:
    return 0.0 if likeness is None else float(likeness[whose].max(initial=0.0))


def auroc(own: Floats, outside: Floats) -> float:
    """Return the chance that something in scope scores above something out of scope; ties count half."""
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, own, side="left")
    level = np.searchsorted(ordered, own, side="right") - below
    return float((below + level / 2).sum() / (len(own) * len(outside)))


def best_way(scores: dict[str, Floats], somebody: npt.NDArray[np.bool_]) -> str:
    """Return the way that tells best what is nobody's."""
    if (~somebody).sum() < NEGATIVES_MIN:
        return WAYS[0]
    return max(WAYS, key=lambda each: auroc(scores[each][somebody], scores[each][~somebody]))


def thresholds(scores: dict[str, Floats], somebody: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return for each way the score that 95 of 100 of somebody's reach."""
    return {way: float(np.quantile(found[somebody], REFUSED_SHARE)) for way, found in scores.items()}

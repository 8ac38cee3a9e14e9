"""One linear model of the two that are fused: multinomial logistic regression, and how big sets are learned in time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]

TOLERANCE = 5e-3  # over the number of classes: the mean gradient shrinks with it, and a fixed one never starts at 150
STEPS_MAX = 300
BIG = 500_000  # rows x classes; from here a solver takes minutes where less exact ones lose a tenth of a point
BIG_STEPS_MAX = 40  # of the solver for vectors; on 10,500 x 150 no better after 90
BIG_PASSES = 8  # over the words, one at a time
UNSEEN = -30.0  # the bias of a class that a fold never saw


@dataclass(frozen=True)
class Setting:
    """How one half is fitted."""

    strength: float  # inverse regularisation
    balanced: bool = True  # rare classes count as much as frequent ones


@dataclass
class Half:
    """One linear model: logits = x W + b over the classes."""

    weights: npt.NDArray[np.float32]
    bias: Floats

    def logits(self, rows: Any) -> Floats:
        """Return one row of logits for each row of features."""
        return np.asarray(rows @ self.weights + self.bias)


def softmax(logits: Floats) -> Floats:
    """Return probabilities, row by row."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def is_big(rows: int, classes: int) -> bool:
    """Whether a set is learned by the quicker, less exact way."""
    return rows * classes > BIG


def fit_half(rows: Any, owners: Owners, classes: int, setting: Setting) -> Half:
    """Fit one half; classes that no row has are never chosen."""
    model = _solved(rows, owners, classes, setting)
    weights = np.zeros((rows.shape[1], classes), np.float32)  # as on disk, so that a reload says the same
    bias = np.full(classes, UNSEEN)
    if len(model.classes_) == 2:  # noqa: PLR2004 - sklearn keeps one row for two classes
        weights[:, model.classes_] = np.vstack([-model.coef_[0], model.coef_[0]]).T / 2
        bias[model.classes_] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        weights[:, model.classes_] = model.coef_.T
        bias[model.classes_] = model.intercept_
    return Half(weights, bias)


def _solved(rows: Any, owners: Owners, classes: int, setting: Setting) -> Any:
    from sklearn.linear_model import LogisticRegression, SGDClassifier  # imported where used: it costs a second

    weight = "balanced" if setting.balanced else None
    big = is_big(len(owners), classes)
    if big and not isinstance(rows, np.ndarray):
        # One class against the others, a row at a time: exact enough for words, and a quarter of the time.
        model = SGDClassifier(
            loss="log_loss", alpha=1 / (setting.strength * len(owners)), max_iter=BIG_PASSES, tol=None, average=True,
            class_weight=weight, random_state=0,
        )  # fmt: skip
    else:
        model = LogisticRegression(
            C=setting.strength,
            max_iter=BIG_STEPS_MAX if big else STEPS_MAX,
            class_weight=weight,
            tol=TOLERANCE / classes,
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")  # one example an intent is what was given
        if big:  # it is stopped early on purpose
            warnings.simplefilter("ignore")
        return model.fit(rows, owners)

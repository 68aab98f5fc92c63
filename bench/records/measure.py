"""Measures of a prediction: what each is called, its unit and digits, which direction is better, and its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal["classification", "regression"]
"""What is predicted: one of a few classes, or a number."""

TARGET = "the target's unit"
"""The unit of a measure that is in that of the numbers predicted."""

Scores: TypeAlias = NDArray[np.float64]
Floats = TypeVar("Floats", float, NDArray[np.float64])


@dataclass(frozen=True)
class Measure:
    """A measure of predictions ``scores`` (m, width) of a test part against its ``truth`` (m,).

    ``scores`` are (m, n_classes) in classification, the largest wins, and (m, 1) in regression. :meth:`value` is in
    :attr:`unit`.
    """

    key: str
    """The name of its column, and what ``--select`` calls it."""
    title: str
    kind: Kind
    compute: Callable[[Scores, NDArray[Any]], float]
    meaning: str
    unit: str = ""
    digits: int = 3
    larger_is_better: bool = True
    of_shares: bool = False
    """Whether it is defined only for scores that are class probabilities."""

    @property
    def scale(self) -> float:
        """What a share is multiplied with to be in :attr:`unit`."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """:attr:`title` where a line begins."""
        return self.title[0].upper() + self.title[1:]

    @property
    def in_unit(self) -> str:
        """What follows the name of a figure: ``, percent``, or nothing where there is no unit."""
        return {"%": ", percent", "": ""}.get(self.unit, f", in {self.unit}")

    @property
    def points(self) -> str:
        """What follows a difference of two values."""
        return "pp" if self.unit == "%" else f"in {self.title}"

    def value(self, scores: Scores, truth: NDArray[Any]) -> float:
        """The measure in its unit."""
        return self.scale * self.compute(scores, truth)

    def in_words(self, value: float) -> str:
        """``81.34 %``, ``R2 0.834``: ``value`` where nothing else says what it is."""
        return f"{value:.{self.digits}f} %" if self.unit == "%" else f"{self.title} {value:.{self.digits}f}"

    def merit(self, scores: Scores, truth: NDArray[Any]) -> float:
        """The measure as something to be maximised, without unit."""
        return self.compute(scores, truth) if self.larger_is_better else -self.compute(scores, truth)

    def from_merit(self, merit: Floats) -> Floats:
        """What :meth:`merit` is in the measure's unit."""
        return self.scale * merit if self.larger_is_better else -self.scale * merit


def accuracy(scores: Scores, truth: NDArray[Any]) -> float:
    """Share of rows whose largest score is that of their class."""
    return float(np.mean(scores.argmax(axis=1) == truth))


def squared_error(scores: Scores, truth: NDArray[Any]) -> float:
    """Mean over rows of the squared distance to the one-hot label (the Brier score), or to the number."""
    target = np.eye(scores.shape[1])[truth] if truth.dtype.kind == "i" else truth[:, None]
    return float(np.mean(((scores - target) ** 2).sum(axis=1)))


def balanced_accuracy(scores: Scores, truth: NDArray[Any]) -> float:
    """Mean over the classes that occur in ``truth`` of the share of their samples classified correctly."""
    right = scores.argmax(axis=1) == truth
    return float(np.mean([right[truth == code].mean() for code in np.unique(truth)]))


def log_loss(scores: Scores, truth: NDArray[Any]) -> float:
    """Mean negative logarithm (base e) of the class's share; shares below float64's step count as that step."""
    shares = scores[np.arange(len(truth)), truth] / scores.sum(axis=1)
    return float(-np.log(np.clip(shares, np.finfo(np.float64).eps, 1.0)).mean())


def auc(scores: Scores, truth: NDArray[Any]) -> float:
    """Area under the ROC curve, each class against the rest, mean over the classes that occur; .5 if only one does."""
    present = np.unique(truth)
    if len(present) < 2:
        return 0.5
    return float(np.mean([_auc(scores[:, code], truth == code) for code in present]))


def _auc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Share of (positive, negative) pairs in which the positive row has the larger score, ties counted half."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    p = int(positive.sum())
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * (len(score) - p)))


def r2(scores: Scores, truth: NDArray[Any]) -> float:
    """1 less the squared error over that of the mean of ``truth``; of a constant ``truth`` 1 if met exactly, else 0."""
    residual = float(((scores[:, 0] - truth) ** 2).sum())
    total = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - residual / total if total > 0 else float(residual == 0)


def rmse(scores: Scores, truth: NDArray[Any]) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(squared_error(scores, truth)))


def mae(scores: Scores, truth: NDArray[Any]) -> float:
    """Mean absolute error."""
    return float(np.abs(scores[:, 0] - truth).mean())


def r2_cut(scores: Scores, truth: NDArray[Any]) -> float:
    """R2, 0 where it is negative."""
    return max(0.0, r2(scores, truth))


MEASURES: dict[str, Measure] = {
    measure.key: measure
    for measure in (
        Measure("accuracy", "accuracy", "classification", accuracy, "share of samples classified correctly", "%", 2),
        Measure(
            "balanced_accuracy",
            "balanced accuracy",
            "classification",
            balanced_accuracy,
            "mean over classes of the share of samples classified correctly",
            "%",
            2,
        ),
        Measure("auc", "AUC", "classification", auc, "area under the ROC curve, each class against the rest"),
        Measure(
            "brier",
            "Brier score",
            "classification",
            squared_error,
            "mean squared distance of the class scores to the one-hot label",
            larger_is_better=False,
        ),
        Measure(
            "log_loss",
            "log loss",
            "classification",
            log_loss,
            "mean negative natural logarithm of the class's probability",
            larger_is_better=False,
            of_shares=True,
        ),
        Measure("r2", "R2", "regression", r2, "share of the variance explained; below 0 if worse than the mean"),
        Measure(
            "r2_cut",
            "R2 (cut at 0)",
            "regression",
            r2_cut,
            "R2, with 0 where it is negative, so that it can be averaged",
        ),
        Measure(
            "rmse",
            "RMSE",
            "regression",
            rmse,
            "root of the mean squared error",
            TARGET,
            4,
            larger_is_better=False,
        ),
        Measure(
            "mae",
            "MAE",
            "regression",
            mae,
            "mean absolute error",
            TARGET,
            4,
            larger_is_better=False,
        ),
    )
}
"""All measures by key; those of one kind in the order of the columns."""

SELECTING: dict[Kind, Measure] = {"classification": MEASURES["accuracy"], "regression": MEASURES["r2"]}
"""What selects, and is reported first for a test fold, unless something else is asked for."""

COMPARED: dict[Kind, Measure] = {"classification": MEASURES["accuracy"], "regression": MEASURES["r2_cut"]}
"""What methods are compared on over datasets."""


def measures_of(kind: Kind, *, shares: bool = True) -> tuple[Measure, ...]:
    """The measures of a kind, without those of class probabilities if there are none (``shares``)."""
    return tuple(m for m in MEASURES.values() if m.kind == kind and (shares or not m.of_shares))

"""RFM and the Laplace kernel on images, iteration by iteration, with what the metric M names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.factored import FactoredMatrix
from rfm.kernels import Laplace
from rfm.rows import Metric
from rfm.sweep import Sweep

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BANDWIDTH, RIDGE = 10.0, 1e-3
"""The published scripts': L of the Laplace kernel, and what is added to the diagonal of its matrix."""
NAMED = 0.05
"""Coordinates of M's diagonal, min-max scaled, above this are those that M names (the published scripts' threshold)."""


@dataclass(frozen=True, eq=False)
class Step:
    """The predictor after ``iteration`` updates of M; none is the Laplace kernel.

    ``fitted`` (n, c) are its scores of the training rows, ``scores`` those of every set of test rows (m, c); ``metric``
    is the M that it was fitted in, None for the identity.
    """

    iteration: int
    fitted: FloatArray
    scores: Mapping[str, FloatArray]
    metric: FactoredMatrix | None

    @property
    def title(self) -> str:
        """What a study calls it."""
        return f"RFM {self.iteration}" if self.iteration else "Laplace"

    def predicted(self, name: str) -> IntArray:
        """The classes (m,) of the test rows called ``name``."""
        classes: IntArray = self.scores[name].argmax(axis=1)
        return classes

    def diagonal(self) -> FloatArray:
        """M's diagonal (d,)."""
        if self.metric is None:
            raise ValueError("the metric of iteration 0 is the identity: it names nothing")
        found: FloatArray = self.metric.diagonal().clamp_min(0.0).numpy()  # rounding may leave less than nothing
        return found


def rfm_path(
    X: FloatArray,
    labels: IntArray,
    tests: Mapping[str, FloatArray],
    iterations: int,
    classes: int,
    *,
    device: str = "cpu",
) -> Iterator[Step]:
    """RFM on the rows of ``X`` (n, d) after 0, 1, ... ``iterations`` updates.

    One-hot targets of ``labels`` (n,), 0 to ``classes`` - 1; ``tests`` are named rows (m, d) to classify. A step's
    metric may be overwritten by the next step.
    """
    if len(np.unique(labels)) < 2:
        raise ValueError(f"all {len(labels)} training rows are of class {labels[0]}: two classes at least are needed")
    n = len(X)
    table = np.concatenate([X, *tests.values()])
    targets = np.zeros((len(table), classes))
    targets[:n] = np.eye(classes)[labels]
    sweep = Sweep(table, targets, kernel=Laplace(BANDWIDTH), device=device)
    train, others = np.arange(n), np.arange(n, len(table))
    ends = np.cumsum([len(test) for test in tests.values()])
    for point in sweep.points(train, others, ridges=(RIDGE,), unit_norms=(False,), iterations=iterations):
        # K alpha + ridge alpha = Y: what the predictor gives the rows that it was fitted to.
        fitted = targets[:n] - RIDGE * point.alpha.cpu().double().numpy()
        scores = dict(zip(tests, np.split(point.scores, ends[:-1]), strict=True))
        yield Step(point.iteration, fitted, scores, _factored(point.metric))


def _factored(metric: Metric | None) -> FactoredMatrix | None:
    """A metric of few features, which is an array, as the other kind."""
    if metric is None or isinstance(metric, FactoredMatrix):
        return metric
    return FactoredMatrix(torch.eye(len(metric), dtype=torch.float64, device=metric.device), metric.double())


def laplace(X: FloatArray, labels: IntArray, tests: Mapping[str, FloatArray], classes: int) -> Step:
    """Kernel ridge regression with the Laplace kernel: RFM without an update of M."""
    return next(rfm_path(X, labels, tests, 0, classes))


def named_coordinates(diagonal: FloatArray, threshold: float = NAMED) -> BoolArray:
    """The coordinates (d,) that M names: those above ``threshold`` once its diagonal is scaled to 0 to 1.

    None where the diagonal is constant.
    """
    low, high = float(diagonal.min()), float(diagonal.max())
    if high <= low:
        return np.zeros(diagonal.shape, dtype=bool)
    named: BoolArray = (diagonal - low) / (high - low) > threshold
    return named


def random_mask(rng: np.random.Generator, count: int, size: int) -> BoolArray:
    """``size`` of ``count`` coordinates, at random."""
    mask = np.zeros(count, dtype=bool)
    mask[rng.choice(count, size, replace=False)] = True
    return mask


def accuracy(predicted: IntArray, labels: IntArray) -> float:
    """The share of rows whose class is right."""
    return float(np.mean(predicted == labels))


def class_accuracies(predicted: IntArray, labels: IntArray, classes: int) -> list[float]:
    """The same among the rows of each class."""
    return [accuracy(predicted[labels == k], labels[labels == k]) for k in range(classes)]


def share_within(diagonal: FloatArray, coordinates: BoolArray) -> float:
    """The part of the trace that ``coordinates`` (d,) have; 0 if there is no trace."""
    total = float(diagonal.sum())
    return float(diagonal[coordinates].sum()) / total if total > 0 else 0.0

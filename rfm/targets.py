"""Labels and targets in scikit-learn's form, turned into the scores that kernel machines are fitted to, and back.

Mixins for an estimator that has ``_fit_machine(X, Y, validation)`` and ``_scores(X)``.
"""

from __future__ import annotations

from math import isnan
from numbers import Number
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d, validate_data

from rfm.machine import FloatArray
from rfm.refit import all_or_nothing

Validation = tuple[ArrayLike, ArrayLike]
"""Held-out rows and their targets, (Xv, yv), as for ``fit``."""


class ClassTargets(ClassifierMixin):
    """One-hot regression: the class of the largest score wins."""

    @all_or_nothing
    def _fit_classes(self, X: ArrayLike, y: ArrayLike, validation: Validation | None = None) -> Self:
        features, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        labels = column_or_1d(labels, warn=True)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            (only,) = self.classes_.tolist()
            raise ValueError(f"{type(self).__name__} needs rows of at least 2 classes; y has 1 class only: {only!r}")
        held_out = None
        if validation is not None:
            rows, truth = _validation_parts(self, validation)
            truth = _known_labels(column_or_1d(truth), self.classes_)
            held_out = rows, lambda scores: float(np.mean(self.classes_[scores.argmax(axis=1)] == truth))
        self._fit_machine(features, np.eye(len(self.classes_))[codes], held_out)
        return self

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """One-hot regression scores (m, c); for two classes (m,), the second's score minus the first's."""
        scores: FloatArray = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class (m,) of the largest score; the first of equals."""
        scores = self._scores(X)
        labels: NDArray[Any] = self.classes_[scores.argmax(axis=1)]
        return labels

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """The probability vectors (m, c) nearest to the scores in Euclidean distance.

        Regression on one-hot targets estimates class probabilities, but its scores may leave the simplex. Projected
        onto it they keep their order, and no Brier score gets worse; they can be exactly 0 or 1, and are not
        calibrated.
        """
        return nearest_distribution(self._scores(X))


class NumericTargets(MultiOutputMixin, RegressorMixin):
    """Targets (n,) or (n, t), taken as they are."""

    @all_or_nothing
    def _fit_targets(self, X: ArrayLike, y: ArrayLike, validation: Validation | None = None) -> Self:
        features, targets = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        targets = np.array(targets, dtype=np.float64)
        self._single_target = targets.ndim == 1
        held_out = None
        if validation is not None:
            rows, truth = _validation_parts(self, validation)
            truth = check_array(
                truth, dtype=np.float64, ensure_2d=False, ensure_min_samples=2, input_name="validation y"
            )
            if truth.shape[1:] != targets.shape[1:]:
                raise ValueError(f"validation y has shape {truth.shape}, y has shape {targets.shape}")
            held_out = rows, lambda scores: float(r2_score(truth, scores))
        self._fit_machine(features, targets.reshape(len(targets), -1), held_out)
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Predictions (m,), or (m, t) if the targets had two dimensions."""
        scores: FloatArray = self._scores(X)
        return scores[:, 0] if self._single_target else scores


def nearest_distribution(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point of the probability simplex nearest to each row of ``scores`` (m, c), in Euclidean distance.

    It is max(s - tau, 0) with the tau that makes the row sum to 1 (Held, Wolfe & Crowder 1974). As the simplex is
    convex and contains every one-hot label, no row moves away from any label.
    """
    descending = -np.sort(-scores, axis=1)
    ranks = np.arange(1, scores.shape[1] + 1)
    thresholds = (np.cumsum(descending, axis=1) - 1.0) / ranks
    kept = np.count_nonzero(descending > thresholds, axis=1)
    tau = np.take_along_axis(thresholds, kept[:, None] - 1, axis=1)
    projected: NDArray[np.float64] = np.maximum(scores - tau, 0.0)
    return projected / projected.sum(axis=1, keepdims=True)


def _known_labels(truth: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """Validation labels (m,) that can be compared with ``classes``, some of them known; otherwise ``ValueError``.

    Without a known label among them every number of updates would be equally good.
    """
    if any(isinstance(label, float) and isnan(label) for label in truth.tolist()):
        raise ValueError("validation y contains NaN: leave out the rows without a label")
    kinds, known = value_kinds(truth), value_kinds(classes)
    if not kinds <= known:
        raise ValueError(
            f"validation y has labels of kind {', '.join(sorted(kinds))} and y of kind {', '.join(sorted(known))}: "
            "they cannot be compared; give both the same kind"
        )
    if not np.isin(truth, classes).any():
        raise ValueError(
            f"none of the labels of validation y ({truth[0]!r}, ...) is a class of y ({classes[0]!r}, ...): "
            "encode both alike"
        )
    return truth


def value_kinds(values: NDArray[Any]) -> set[str]:
    """What sort of things labels or categories are; numbers of all types, truth values included, are of one sort."""
    if values.dtype.kind in "biuf":
        return {"number"}
    names = {type(value) for value in values.tolist()}
    return {"number" if issubclass(name, Number | np.number | np.bool_) else name.__name__ for name in names}


def _validation_parts(estimator: BaseEstimator, validation: Validation) -> tuple[FloatArray, NDArray[Any]]:
    try:
        rows, truth = validation
    except (TypeError, ValueError):
        raise ValueError(f"validation must be a pair (X, y), got {type(validation).__name__}") from None
    checked = validate_data(estimator, rows, dtype=np.float64, reset=False)
    truth = np.asarray(truth)
    check_consistent_length(checked, truth)
    return checked, truth

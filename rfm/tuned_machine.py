"""Kernel machines that tune themselves: columns are prepared, hyperparameters selected by cross-validation, scores
calibrated.

In each fold columns are prepared and a grid of machines is fitted on its rows (all points of a chain of metric updates,
and all ridges, in one sweep); the scores of the rows left out select the point, or the mean of points, that is then
fitted on all rows, and, of classes, calibrate it. No label of a row has a part in its own score.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d

from rfm import parameters
from rfm.calibration import fit_inverse_temperature, probabilities
from rfm.estimators import RADIAL_KERNELS
from rfm.factored import FactoredMatrix
from rfm.greedy import greedy_counts
from rfm.kernels import make_kernel
from rfm.machine import FloatArray, Machine, Recipe, fit_machine
from rfm.parameters import DTYPES
from rfm.preparation import Categories, checked_table
from rfm.refit import all_or_nothing
from rfm.selection import (
    CLASS_SCORES,
    NUMBER_SCORES,
    Candidate,
    Grid,
    Rows,
    Sample,
    Validated,
    best_candidate,
    class_folds,
    given_folds,
    judge,
    leave_one_out,
    number_folds,
    parameters_of,
    results,
    squared_errors,
    tuning_rows,
    validate_grid,
)
from rfm.targets import ClassTargets, NumericTargets
from rfm.threads import few_threads
from rfm.weighted import refuse_many

KERNELS = tuple(name for name in RADIAL_KERNELS if name != "generalised_laplace")  # the grid has no exponent
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
SMALLEST_BANDWIDTH = 1e-15
"""Prepared rows are about as far apart as the root of their features: in units of less, squares exceed float32."""
_DOUBLE = 1000
"""Up to so many rows the chosen machine is fitted in float64, which costs little there."""


class _Tuned(BaseEstimator):
    """What all four have in common: from a checked table to fitted machines, and their scores."""

    kernels: Iterable[str]
    bandwidths: Iterable[float]
    ridges: Iterable[float]
    unit_norms: Iterable[bool]
    iterations: int
    categorical_features: Any
    cv: Any
    scoring: str
    ensemble: bool
    max_tuning_samples: int
    random_state: Any
    device: str
    _updates: bool

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _grid(self) -> Grid:
        owner = type(self).__name__
        updates = parameters.count(owner, "iterations", self.iterations, at_least=0) if self._updates else 0
        return Grid(
            tuple(parameters.one_of(owner, "kernels", name, KERNELS) for name in _values(owner, self, "kernels")),
            tuple(_bandwidth(owner, value) for value in _values(owner, self, "bandwidths")),
            tuple(parameters.flag(owner, "unit_norms", value) for value in _values(owner, self, "unit_norms")),
            tuple(parameters.positive(owner, "ridges", value) for value in _values(owner, self, "ridges")),
            updates,
        )

    def _fit_tuned(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, classes: bool) -> Any:
        """Select and fit; of the cross-validation (rows validated, their scores, their weights)."""
        owner = type(self).__name__
        if classes and self.scoring == "neg_log_loss":
            raise ValueError(
                f"The 'scoring' parameter of {owner} cannot be 'neg_log_loss': scores become probabilities only after "
                "selection, by a temperature that the selected point's scores decide; 'neg_brier_score' takes the "
                "scores as they are."
            )
        scoring = parameters.one_of(owner, "scoring", self.scoring, tuple(CLASS_SCORES if classes else NUMBER_SCORES))
        grid, ensemble = self._grid(), parameters.flag(owner, "ensemble", self.ensemble)
        most = parameters.count(owner, "max_tuning_samples", self.max_tuning_samples, at_least=2)
        device = parameters.fitting_device(owner, self.device)
        categories = Categories.of(X, self.categorical_features)
        table, target = checked_table(self, X, categories, y, numeric=not classes)
        given = np.ones(len(table))
        if sample_weight is not None:
            given = _check_sample_weight(sample_weight, table, dtype=np.float64, ensure_non_negative=True)
            if not given.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        kept = np.flatnonzero(given)  # a row of weight 0 is not there
        weights = given[kept]
        Y = self._targets(target, kept)
        if len(kept) < 2:
            raise ValueError(f"{owner} needs at least 2 rows of a weight above 0, got {len(kept)}")
        even = bool(np.ptp(weights) == 0)
        if not even:
            refuse_many(len(kept))
        sample = Sample(
            table[kept],
            Y,
            categories.columns,
            None if even else weights,
            float(weights[0]) if even else 1.0,
            not classes,
            device,
        )
        if isinstance(self.cv, str) and self.cv == "loo" and not self._updates:
            drawn = sample.at(self._tuning_rows(Y, most, classes))
            with few_threads(len(drawn.X), device):
                validated = leave_one_out(grid, drawn)
            self.n_splits_ = len(drawn.X)
        else:
            tuning, folds = self._folds(table, target, kept, Y, most, classes)
            drawn = sample.at(tuning)
            with few_threads(len(drawn.X), device):
                validated = validate_grid(grid, drawn, folds)
            self.n_splits_ = len(folds)
        scores, G = judge(validated, drawn, scoring), squared_errors(validated, drawn)
        if np.isnan(scores).any():
            raise ValueError(
                f"scoring {scoring!r} is no number on some folds: they have too few rows for it (choose a smaller cv), "
                "or targets are so large that their squares overflow (standardise them)"
            )
        best = best_candidate(scores, G.diagonal())
        self.cv_results_ = results(validated, scores, G.diagonal(), self._updates)
        self.best_index_ = best
        self.best_params_ = self.cv_results_["params"][best]
        self.best_score_ = float(scores[best].mean())
        counts = greedy_counts(G) if ensemble else np.eye(len(G))[best]
        self.weights_: FloatArray = counts / counts.sum()
        self._categories = categories
        self._fit_members(sample, validated)
        return drawn, validated

    def _targets(self, target: Any, kept: Rows) -> FloatArray:
        """Targets (n, c) of the rows ``kept``."""
        raise NotImplementedError

    def _folds(
        self, table: FloatArray, target: Any, kept: Rows, Y: FloatArray, most: int, classes: bool
    ) -> tuple[Rows, list[tuple[Rows, Rows]]]:
        """The rows among ``kept`` that select, and the folds as places among these."""
        if isinstance(self.cv, int | np.integer) and not isinstance(self.cv, bool):
            k = parameters.count(type(self).__name__, "cv", self.cv, at_least=2)
            tuning, seed = self._tuning_rows(Y, most, classes), self._seed()
            if classes:
                return tuning, class_folds(Y[tuning].argmax(axis=1), k, seed)
            return tuning, number_folds(len(tuning), k, seed)
        if isinstance(self.cv, str):
            raise ValueError(self._wrong_cv)
        try:
            folds = given_folds(self.cv, table, target, kept, classes)
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(f"{self._wrong_cv}: {error}") from error
        folds = [(fit, held) for fit, held in folds if len(fit) and len(held)]
        if not folds:
            raise ValueError("cv gives no fold with rows to fit and rows to validate")
        return np.arange(len(kept)), folds

    @property
    def _wrong_cv(self) -> str:
        """What ``cv`` must be, and what it is."""
        loo = ", or 'loo'"
        if self._updates:
            loo = " ('loo' only without metric updates: a metric has seen the label of the row left out)"
        return (
            f"The 'cv' parameter of {type(self).__name__} must be an integer >= 2, a splitter of scikit-learn, "
            f"pairs of row numbers{loo}. Got {self.cv!r} instead"
        )

    def _tuning_rows(self, Y: FloatArray, most: int, classes: bool) -> Rows:
        """All rows or, of more than twice as many, ``most`` of them."""
        if len(Y) <= 2 * most:
            return np.arange(len(Y))
        return tuning_rows(Y.argmax(axis=1) if classes else None, len(Y), most, self._seed())

    def _seed(self) -> int | None:
        seed = self.random_state
        return seed if seed is None or isinstance(seed, int) else int(check_random_state(seed).randint(2**31 - 1))

    def _fit_members(self, sample: Sample, validated: Validated) -> None:
        self._preparation = sample.preparation()
        self._shift, self._scale = sample.target_scale()
        rows = self._preparation(sample.X)
        targets = (sample.Y - self._shift) / self._scale
        self._members: list[tuple[float, Machine]] = []
        self.members_: list[tuple[float, dict[str, Any]]] = []
        for k in np.flatnonzero(self.weights_):
            weight, candidate = float(self.weights_[k]), validated.candidates[k]
            with few_threads(len(rows), sample.device):
                machine = fit_machine(_recipe(candidate, sample), rows, targets, weights=sample.weights)
            self._members.append((weight, machine))
            self.members_.append((weight, parameters_of(candidate, self._updates)))

    def _scores(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        rows = self._preparation(checked_table(self, X, self._categories))
        device = parameters.predicting_device(self.device)
        with few_threads(len(self._members[0][1].rows), device):
            total = sum(weight * machine.scores(rows, device) for weight, machine in self._members)
        return np.asarray(self._shift + self._scale * total)


def _recipe(candidate: Candidate, sample: Sample) -> Recipe:
    return Recipe(
        kernel=make_kernel(candidate.kernel, candidate.bandwidth),
        ridge=candidate.ridge / sample.weight,
        unit_norm=candidate.unit_norm,
        iterations=candidate.iterations,
        dtype=DTYPES["float64" if len(sample.X) <= _DOUBLE else "float32"],
        device=sample.device,
    )


def _bandwidth(owner: str, value: Any) -> float:
    bandwidth = parameters.positive(owner, "bandwidths", value)
    if bandwidth < SMALLEST_BANDWIDTH:
        raise ValueError(
            f"The 'bandwidths' parameter of {owner} must be finite numbers >= {SMALLEST_BANDWIDTH:g}. "
            f"Got {value!r} instead."
        )
    return bandwidth


def _values(owner: str, estimator: Any, name: str) -> list[Any]:
    """The values of a parameter that is a list, each once."""
    given = getattr(estimator, name)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(f"The {name!r} parameter of {owner} must be a list of values. Got {given!r} instead.")
    values = list(dict.fromkeys(given))
    if not values:
        raise ValueError(f"The {name!r} parameter of {owner} must have at least one value. Got {given!r} instead.")
    return values


class TunedClassifier(ClassTargets, _Tuned):
    @all_or_nothing
    def _fit_labels(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        drawn, validated = self._fit_tuned(X, y, sample_weight, classes=True)
        scores = np.tensordot(self.weights_, validated.scores, 1)
        weights = np.full(len(drawn.X), drawn.weight) if drawn.weights is None else drawn.weights
        codes = drawn.Y.argmax(axis=1)[validated.rows]
        self.inverse_temperature_ = fit_inverse_temperature(scores, codes, weights[validated.rows])
        return self

    def _targets(self, target: Any, kept: Rows) -> FloatArray:
        check_classification_targets(target)
        labels = column_or_1d(target, warn=True)[kept]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            (only,) = self.classes_.tolist()
            raise ValueError(f"{type(self).__name__} needs rows of at least 2 classes; y has 1 class only: {only!r}")
        return np.eye(len(self.classes_))[codes]

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Class probabilities (m, c): softmax of the scores over a temperature, calibrated by cross-validation.

        The class of the largest probability is the one that ``predict`` gives.
        """
        return probabilities(self._scores(X), self.inverse_temperature_)


class TunedRegressor(NumericTargets, _Tuned):
    @all_or_nothing
    def _fit_numbers(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        self._fit_tuned(X, y, sample_weight, classes=False)
        return self

    def _targets(self, target: Any, kept: Rows) -> FloatArray:
        numbers = np.array(target, dtype=np.float64)
        self._single_target = numbers.ndim == 1
        return numbers.reshape(len(numbers), -1)[kept]


class LearnedMetric(_Tuned):
    """``feature_importances_`` of machines that learn a metric."""

    @property
    def feature_importances_(self) -> FloatArray:
        """The diagonal of M over its sum (d,), summed over what each column of the table was made into.

        Of an ensemble the mean of its members'; a member without metric updates weighs all prepared columns alike.
        """
        check_is_fitted(self)
        preparation = self._preparation
        sources = preparation.sources
        total = np.zeros(self.n_features_in_)
        for weight, machine in self._members:
            M = machine.metric
            if M is None:
                diagonal = np.ones(len(sources))
            elif isinstance(M, FactoredMatrix):
                diagonal = M.diagonal().clamp_min(0.0).numpy()
            else:
                diagonal = M if M.ndim == 1 else np.diagonal(M)
            if diagonal.sum() > 0:
                np.add.at(total, sources, weight * diagonal / diagonal.sum())
        return total

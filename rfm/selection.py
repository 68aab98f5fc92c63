"""What cross-validation says of a grid: scores of every point on rows that its fits did not see, and what to choose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, mean_absolute_error, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from rfm.greedy import first_of_least
from rfm.kernels import kernel_matrix, make_kernel
from rfm.large import chains_of
from rfm.leave_one_out import leave_one_out_scores
from rfm.preparation import Preparation
from rfm.problem import Chains, Problem, unit_rows
from rfm.weighted import WeightedSweep, weighted_chains

FloatArray = NDArray[np.float64]
Rows = NDArray[np.int64]
Folds = Sequence[tuple[Rows, Rows]]
"""Pairs (fitted rows, validation rows)."""


@dataclass(frozen=True)
class Candidate:
    """One point of a grid; the fields are parameters of :class:`rfm.RFMClassifier`."""

    kernel: str
    bandwidth: float
    unit_norm: bool
    ridge: float
    iterations: int


@dataclass(frozen=True)
class Grid:
    """All combinations of the values; up to ``iterations`` updates of the metric."""

    kernels: tuple[str, ...]
    bandwidths: tuple[float, ...]
    unit_norms: tuple[bool, ...]
    ridges: tuple[float, ...]
    iterations: int

    def candidates(self) -> list[Candidate]:
        """All points: the strongest regularisation and the fewest updates first, which equals are decided for."""
        return [
            Candidate(kernel, bandwidth, unit_norm, ridge, iteration)
            for kernel in self.kernels
            for bandwidth in self.bandwidths
            for unit_norm in self.unit_norms
            for ridge in sorted(self.ridges, reverse=True)
            for iteration in range(self.iterations + 1)
        ]


@dataclass(frozen=True)
class Sample:
    """Rows to learn from: ``X`` (n, d) as :mod:`rfm.preparation` has it, targets ``Y`` (n, c), which ``categories``
    columns hold, ``weights`` (n,) > 0 of the rows (None: all have ``weight``), and whether targets are ``scaled``.
    """

    X: FloatArray
    Y: FloatArray
    categories: tuple[int, ...]
    weights: FloatArray | None
    weight: float
    scaled: bool
    device: str

    def at(self, rows: Rows) -> Sample:
        """The ``rows`` alone."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, X=self.X[rows], Y=self.Y[rows], weights=weights)

    def target_scale(self) -> tuple[FloatArray, FloatArray]:
        """Shift and scale (c,) of the targets: their mean and, if ``scaled``, their standard deviation (else 1)."""
        mean = np.average(self.Y, axis=0, weights=self.weights)
        if not self.scaled:
            return mean, np.ones_like(mean)
        deviation = np.sqrt(np.average((self.Y - mean) ** 2, axis=0, weights=self.weights))
        return mean, np.where(deviation > 0, deviation, 1.0)

    def preparation(self) -> Preparation:
        """Scales and columns learned from all rows."""
        return Preparation.of(self.X, self.categories, self.weights)


@dataclass(frozen=True)
class Validated:
    """``scores`` (p, m, c) of the candidates on ``rows`` (m,), each fitted without those of its ``fold`` (m,)."""

    candidates: list[Candidate]
    scores: FloatArray
    rows: Rows
    fold: Rows


def validate_grid(grid: Grid, sample: Sample, folds: Folds) -> Validated:
    """Scores of all points of ``grid`` on the validation rows of the ``folds``; all that is learned, is in each."""
    candidates = grid.candidates()
    places = {candidate: k for k, candidate in enumerate(candidates)}
    ends = np.cumsum([0, *(len(held) for _, held in folds)])
    scores = np.empty((len(candidates), ends[-1], sample.Y.shape[1]))
    asked = {ridge / sample.weight: ridge for ridge in grid.ridges}
    for start, stop, (fit, held) in zip(ends, ends[1:], folds, strict=False):
        fitted = sample.at(fit)
        prepare = fitted.preparation()
        shift, scale = fitted.target_scale()
        n, m = len(fit), len(held)
        table = prepare(np.concatenate([fitted.X, sample.X[held]]))
        targets = np.concatenate([(fitted.Y - shift) / scale, np.zeros((m, len(shift)))])
        for kernel in grid.kernels:
            for bandwidth in grid.bandwidths:
                problem = Problem(
                    table,
                    targets,
                    make_kernel(kernel, bandwidth),
                    device=sample.device,
                )
                chains: Chains | WeightedSweep
                chains = chains_of(problem, n) if fitted.weights is None else weighted_chains(problem, fitted.weights)
                points = chains.points(
                    np.arange(n),
                    np.arange(n, n + m),
                    ridges=tuple(asked),
                    unit_norms=grid.unit_norms,
                    iterations=grid.iterations,
                )
                for point in points:
                    place = places[Candidate(kernel, bandwidth, point.unit_norm, asked[point.ridge], point.iteration)]
                    scores[place, start:stop] = shift + scale * point.scores
    fold = np.repeat(np.arange(len(folds)), np.diff(ends))
    return Validated(candidates, scores, np.concatenate([held for _, held in folds]), fold)


def leave_one_out(grid: Grid, sample: Sample) -> Validated:
    """Scores of each row by the fits without it, of a ``grid`` without updates, all in one fold.

    Columns are prepared once, on all rows: that looks at no label. The targets' mean is that of the other rows, as in
    any fold: with it targets change by a constant, and so scores by as much of the scores of constant targets.
    """
    candidates = grid.candidates()
    n, c = sample.Y.shape
    weights = np.ones(n) if sample.weights is None else sample.weights
    mean, _ = sample.target_scale()
    rest = (weights / (weights.sum() - weights))[:, None] * (mean - sample.Y)  # mean of the others, minus that of all
    rows = sample.preparation()(sample.X)
    targets = np.column_stack([sample.Y - mean, np.ones(n)])
    ridges = sorted(grid.ridges, reverse=True)
    found = []
    for name in grid.kernels:
        for bandwidth in grid.bandwidths:
            for unit_norm in grid.unit_norms:
                seen = unit_rows(rows) if unit_norm else rows
                seen = seen - np.median(seen, axis=0)  # distances do not change, and keep their digits
                K = kernel_matrix(make_kernel(name, bandwidth), torch.as_tensor(seen)).numpy()
                asked = [ridge / sample.weight for ridge in ridges]
                scores = leave_one_out_scores(K, targets, asked, sample_weight=sample.weights)
                found.append(mean + rest + scores[..., :c] - rest * scores[..., c:])
    return Validated(candidates, np.concatenate(found), np.arange(n), np.zeros(n, dtype=np.int64))


def judge(validated: Validated, sample: Sample, scoring: str) -> FloatArray:
    """The score (p, k) of each candidate in each fold; the larger, the better."""
    truth = sample.Y[validated.rows]
    weights = None if sample.weights is None else sample.weights[validated.rows]
    folds = [np.flatnonzero(validated.fold == k) for k in range(validated.fold[-1] + 1)]
    score = SCORES[scoring]
    return np.array(
        [
            [score(truth[rows], scores[rows], None if weights is None else weights[rows]) for rows in folds]
            for scores in validated.scores
        ]
    )


def squared_errors(validated: Validated, sample: Sample) -> FloatArray:
    """G (p, p), whose quadratic form w'Gw is the mean squared error of the candidates' mean with weights ``w`` (p,).

    Of one-hot targets that is the Brier score. Outputs are summed, each in the scale that it is fitted in.
    """
    _, scale = sample.target_scale()
    errors = (validated.scores - sample.Y[validated.rows]) / scale
    if sample.weights is None:
        errors /= np.sqrt(len(validated.rows))
    else:
        weights = sample.weights[validated.rows]
        errors *= np.sqrt(weights / weights.sum())[:, None]
    flat = errors.reshape(len(errors), -1)
    return np.asarray(flat @ flat.T)


def results(validated: Validated, scores: FloatArray, errors: FloatArray, updates: bool) -> dict[str, Any]:
    """What ``cv_results_`` holds: as scikit-learn's grid search has it, and ``mean_squared_error``, which decides ties.

    Without ``updates`` iterations are no parameter.
    """
    params = [parameters_of(candidate, updates) for candidate in validated.candidates]
    mean = scores.mean(axis=1)
    return {
        "params": params,
        **{f"param_{name}": np.array([point[name] for point in params]) for name in params[0]},
        **{f"split{k}_test_score": scores[:, k] for k in range(scores.shape[1])},
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=1),
        "rank_test_score": rankdata(-mean, method="min").astype(np.int32),
        "mean_squared_error": errors,
    }


def parameters_of(candidate: Candidate, updates: bool) -> dict[str, Any]:
    """The candidate as parameters of an estimator that has metric ``updates`` or has not."""
    values = asdict(candidate)
    if not updates:
        del values["iterations"]
    return values


def best_candidate(scores: FloatArray, errors: FloatArray) -> int:
    """The place of the largest mean score; of equals that of the smallest squared error, the first of those."""
    mean = scores.mean(axis=1)
    tied = np.flatnonzero(np.isclose(mean, mean.max(), rtol=1e-12, atol=0.0))
    return int(tied[first_of_least(errors[tied])])


def class_folds(codes: NDArray[np.int64], k: int, seed: int | None) -> list[tuple[Rows, Rows]]:
    """``k`` stratified folds of the rows of classes ``codes`` (n,), fewer if no class has so many rows.

    A class of one row stays in every fit: without it nothing could learn the class. Raises ``ValueError`` if all
    classes are such.
    """
    counts = np.bincount(codes)
    dealt, single = np.flatnonzero(counts[codes] > 1), np.flatnonzero(counts[codes] == 1)
    if len(dealt) == 0:
        raise ValueError("every class of y has 1 row only: cross-validation needs a class with at least 2 rows")
    splitter = StratifiedKFold(min(k, int(counts.max())), shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of fewer rows than folds is validated in some of them, as it should be
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [
            (np.sort(np.concatenate([dealt[fit], single])), dealt[held])
            for fit, held in splitter.split(dealt[:, None], codes[dealt])
        ]


def number_folds(n: int, k: int, seed: int | None) -> list[tuple[Rows, Rows]]:
    """``k`` folds of ``n`` rows, fewer if there are fewer rows."""
    return list(KFold(min(k, n), shuffle=True, random_state=seed).split(np.empty((n, 1))))


def given_folds(cv: Any, X: Any, y: Any, kept: Rows, classes: bool) -> list[tuple[Rows, Rows]]:
    """The folds of a splitter over the rows ``kept``, or of a list of pairs over all rows, as places in ``kept``."""
    if hasattr(cv, "split"):
        found = [(np.asarray(fit), np.asarray(held)) for fit, held in cv.split(X[kept], y[kept])]
        beyond = [rows for pair in found for rows in pair if rows.size and (rows.max() >= len(kept) or rows.min() < 0)]
        if beyond:
            raise ValueError(f"it names rows beyond the {len(kept)} that it was given, those of positive weight")
        return found
    place = np.full(len(X), -1)
    place[kept] = np.arange(len(kept))
    found = []
    for fit, held in check_cv(cv, y, classifier=classes).split(X, y):
        parts = place[fit], place[held]
        found.append((parts[0][parts[0] >= 0], parts[1][parts[1] >= 0]))
    return found


def tuning_rows(codes: NDArray[Any] | None, n: int, count: int, seed: int | None) -> Rows:
    """``count`` of ``n`` rows, ascending, drawn at random, from each class of ``codes`` (n,) its share."""
    order = np.random.default_rng(seed).permutation(n)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    return np.sort(order[((np.arange(count) + 0.5) * (n / count)).astype(np.int64)])


def _accuracy(truth: FloatArray, scores: FloatArray, weights: FloatArray | None) -> float:
    return float(np.average(truth.argmax(axis=1) == scores.argmax(axis=1), weights=weights))


def _balanced_accuracy(truth: FloatArray, scores: FloatArray, weights: FloatArray | None) -> float:
    with warnings.catch_warnings():  # of a class that the fold does not have
        warnings.simplefilter("ignore", UserWarning)
        return float(balanced_accuracy_score(truth.argmax(axis=1), scores.argmax(axis=1), sample_weight=weights))


def _neg_squared_error(truth: FloatArray, scores: FloatArray, weights: FloatArray | None) -> float:
    return -float(np.average(((truth - scores) ** 2).sum(axis=1), weights=weights))


def _neg_mean_squared_error(truth: FloatArray, scores: FloatArray, weights: FloatArray | None) -> float:
    return _neg_squared_error(truth, scores, weights) / truth.shape[1]


Score = Callable[[FloatArray, FloatArray, FloatArray | None], float]
"""The worth of scores (m, c) of rows with targets (m, c) and weights (m,); the larger, the better."""

CLASS_SCORES: dict[str, Score] = {
    "neg_brier_score": _neg_squared_error,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
}
NUMBER_SCORES: dict[str, Score] = {
    "neg_mean_squared_error": _neg_mean_squared_error,
    "neg_mean_absolute_error": lambda truth, scores, weights: (
        -float(mean_absolute_error(truth, scores, sample_weight=weights))
    ),
    "r2": lambda truth, scores, weights: float(r2_score(truth, scores, sample_weight=weights)),
}
SCORES = CLASS_SCORES | NUMBER_SCORES

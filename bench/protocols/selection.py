"""Carrying out a protocol: selection of a configuration and an iteration, the refit, the test.

Targets of a regression are standardised over the training part, and predictions put back into the target's unit before
they are measured. Where a division has a validation part of its own, that selects; the training part alone is fitted.

Where the splits give ``tuning_rows``, every protocol selects on a stratified sample of at most so many rows, or on one
of either tuning half; what was selected is fitted and tested on all rows all the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.errors import DataInvalid, MethodError
from bench.protocols.record import Protocol, Ties
from bench.protocols.rows import fill_missing, inner_folds, inner_split, standardise, stratified_sample
from bench.records.dataset import Dataset, FloatArray, Holdout, IntArray, Splits
from bench.records.measure import SELECTING, Measure, measures_of
from bench.records.method import CPU, HIDDEN, Choice, Fold, HoldoutResult, Method, Path, Prediction, Session, Task
from bench.seeds import derive_seed


@dataclass(frozen=True)
class Predicted:
    """What was predicted on one test fold: scores (m, width) and truth (m,) of its test ``rows`` (m,)."""

    holdout: int
    rows: IntArray
    truth: IntArray | FloatArray
    scores: FloatArray


def carry_out(
    method: Method,
    dataset: Dataset,
    splits: Splits,
    protocol: Protocol,
    seed: int,
    *,
    select: Measure | None = None,
    keep: Callable[[Predicted], None] = lambda predicted: None,
    device: str = CPU,
) -> list[HoldoutResult]:
    """Run ``method`` on every test fold of ``splits`` under ``protocol``; missing numbers are filled on the way.

    ``select`` selects instead of accuracy or R2; ``keep`` is given what was predicted on each fold; ``device`` is where
    the method computes. Raises :class:`MethodError` when the method gives scores that are not finite,
    :class:`DataInvalid` if the targets of a training part are all the same number.
    """
    carried = _Carried(method, dataset, splits, protocol, select, keep, device)
    if protocol.selected_on == "tuning halves":
        return carried.selected_once(derive_seed(seed, dataset.name))
    return [carried.selected_inside(k, derive_seed(seed, dataset.name, k)) for k in range(len(splits.holdouts))]


@dataclass(frozen=True)
class _Carried:
    """A method under a protocol on a table."""

    method: Method
    dataset: Dataset
    splits: Splits
    protocol: Protocol
    select: Measure | None
    keep: Callable[[Predicted], None]
    device: str

    def selected_inside(self, index: int, seed: int) -> HoldoutResult:
        """Select inside the training part, refit on all of it, test once; the session never receives a test label."""
        started = time.process_time()
        dataset, holdout = self.dataset, self.splits.holdouts[index]
        between = [] if holdout.validation is None else [holdout.validation]
        rows = np.concatenate([holdout.train, *between, holdout.test])
        train, test = np.arange(len(holdout.train)), np.arange(len(rows) - len(holdout.test), len(rows))
        unit = _Unit(dataset, holdout.train)
        y = unit.standardised[rows]
        y[test] = unit.hidden
        session = self.method.session(
            Task(
                X=standardise(fill_missing(dataset.X[rows], train), train),
                y=y,
                n_classes=dataset.n_classes,
                seed=derive_seed(seed, self.method.name),
                select=self.select,
                device=self.device,
            )
        )
        folds = self._folds(holdout, dataset.strata[rows], seed)
        paths = session.tune(folds)
        choice, merit = choose(paths, folds, ties=self.protocol.ties, counts=session.task.counts)
        selected = _Selected(choice, merit, paths, folds)
        return self._tested(session, selected, Holdout(train, test), unit, index, started)

    def _folds(self, holdout: Holdout, strata: IntArray, seed: int) -> list[Fold]:
        """What is fitted and judged to select, in positions of training part, own validation part and test part."""
        train, size = np.arange(len(holdout.train)), self.splits.tuning_rows
        sample = _sample(train, strata, size, derive_seed(seed, "sample"))
        if holdout.validation is not None:
            own = len(train) + np.arange(len(holdout.validation))
            return [Fold(fit=sample, validation=_sample(own, strata, size, derive_seed(seed, "validation")))]
        if self.protocol.inner_folds == 1:
            divisions = [inner_split(strata[sample], derive_seed(seed, "inner"))]
        else:
            divisions = list(inner_folds(strata[sample], self.protocol.inner_folds, derive_seed(seed, "inner")))
        return [Fold(fit=sample[fit], validation=sample[part]) for fit, part in divisions]

    def selected_once(self, seed: int) -> list[HoldoutResult]:
        """Select on the tuning halves; features are filled and standardised over all rows, as in the archive."""
        started = time.process_time()
        dataset, splits = self.dataset, self.splits
        everything = np.arange(len(dataset.X))
        X = fill_missing(dataset.X, everything)
        X = X if dataset.standardised else standardise(X, everything)
        session = self.method.session(
            Task(
                X,
                dataset.y,
                dataset.n_classes,
                derive_seed(seed, "tuning", self.method.name),
                self.select,
                self.device,
            )
        )
        halves = splits.tuning
        folds = [
            Fold(
                fit=_sample(halves.train, dataset.strata, splits.tuning_rows, derive_seed(seed, "fit")),
                validation=_sample(halves.test, dataset.strata, splits.tuning_rows, derive_seed(seed, "validation")),
            )
        ]
        paths = session.tune(folds)
        candidates = _published_candidates(paths, X)
        choice, merit = choose(candidates, folds, ties=self.protocol.ties, counts=session.task.counts)
        unit = _Unit(dataset, everything)
        results = []
        for index, holdout in enumerate(splits.holdouts):
            kept = paths if index == 0 else []  # one choice, one path: stored once
            selected = _Selected(choice, merit, kept, folds)
            results.append(self._tested(session, selected, holdout, unit, index, started))
            started = time.process_time()
        return results

    def _tested(
        self, session: Session, selected: _Selected, own: Holdout, unit: _Unit, index: int, started: float
    ) -> HoldoutResult:
        """Predict the test rows and measure; ``own`` are the test fold's rows as the session counts them."""
        task, rows = session.task, self.splits.holdouts[index].test
        prediction = session.predict(selected.choice, own.train, own.test, transfer=self.protocol.reuses_metric)
        expected = (len(rows), task.width)
        if prediction.scores.shape != expected or not np.isfinite(prediction.scores).all():
            raise MethodError(
                f"test fold {index}: scores of shape {prediction.scores.shape} or not finite, "
                f"expected finite {expected}"
            )
        scores, truth = unit.restored(prediction.scores), unit.y[rows]
        self.keep(Predicted(index, rows, truth, scores))
        measures = {m.key: m.value(scores, truth) for m in measures_of(task.kind, shares=self.method.probabilities)}
        seconds = time.process_time() - started
        return HoldoutResult(
            holdout=index,
            score=measures[SELECTING[task.kind].key],
            config=dict(selected.choice.config),
            iteration=selected.choice.iteration,
            validation_score=task.selecting.from_merit(selected.merit),
            fit_seconds=seconds,
            path=[_path_row(path, selected.folds, task.selecting) for path in selected.paths],
            details=dict(prediction.details) | ({} if self.device == CPU else {"device": self.device}),
            measures=measures,
            predict_seconds=_scoring_seconds(prediction, index, seconds),
            train_samples=len(own.train),
            test_samples=len(own.test),
        )


def _scoring_seconds(prediction: Prediction, index: int, total: float) -> float | None:
    """What the method says scoring took, which must be part of the ``total`` of test fold ``index``."""
    seconds = prediction.predict_seconds
    if seconds is None:
        return None
    if not (math.isfinite(seconds) and 0 <= seconds <= total):
        raise MethodError(
            f"test fold {index}: predict_seconds is {seconds:g}, expected 0 to {total:g}, the CPU seconds of "
            "selecting, fitting and predicting together; leave it None where scoring cannot be timed separately"
        )
    return float(seconds)


@dataclass(frozen=True)
class _Selected:
    """A choice with its merit, and the paths and folds that it was made from."""

    choice: Choice
    merit: float
    paths: Sequence[Path]
    folds: Sequence[Fold]


class _Unit:
    """The targets of a table on their way to a method and back: numbers are standardised over the ``train`` rows."""

    def __init__(self, dataset: Dataset, train: IntArray) -> None:
        self.y = dataset.y
        self.mean, self.deviation = 0.0, 1.0
        self.hidden: float = HIDDEN
        self.standardised = dataset.y
        if dataset.kind == "regression":
            part: FloatArray = dataset.y[train].astype(np.float64)
            self.mean, self.deviation = float(part.mean()), float(part.std())
            if len(part) < 2 or not self.deviation > 1e-12 * abs(self.mean):
                raise DataInvalid(
                    f"{dataset.name}: the target is {self.mean:g} in all {len(part)} rows of a training part: there is "
                    "nothing to learn"
                )
            self.hidden = np.nan
            self.standardised = (dataset.y.astype(np.float64) - self.mean) / self.deviation

    def restored(self, scores: FloatArray) -> FloatArray:
        """Scores in the target's own unit."""
        return scores if self.standardised is self.y else scores * self.deviation + self.mean


def choose(paths: Sequence[Path], folds: Sequence[Fold], *, ties: Ties, counts: bool = True) -> tuple[Choice, float]:
    """The configuration and path point with the largest merit over all validation rows, and that merit.

    If the merit ``counts`` right rows, these are compared, not floating-point shares. Ties go to the smaller squared
    error if ``ties`` is ``"brier"``; what is still tied goes to the earlier configuration, then to the shorter path.
    Raises :class:`MethodError` if there is nothing to choose from or a figure is not finite.
    """
    sizes = _sizes(folds)
    best: tuple[float, float] | None = None
    choice: Choice | None = None
    for path in paths:
        if not (np.isfinite(path.merit).all() and np.isfinite(path.squared_error).all()):
            raise MethodError(f"validation figures of {dict(path.config)} are not finite")
        right = np.rint(path.merit * sizes[:, None])
        merit = right.sum(axis=0) / sizes.sum() if counts else _pooled(path.merit, sizes)
        error = _pooled(path.squared_error, sizes)
        for point, iteration in enumerate(path.iterations):
            key = (float(merit[point]), -float(error[point]) if ties == "brier" else 0.0)
            if best is None or key > best:
                best, choice = key, Choice(path.config, iteration)
    if best is None or choice is None:
        raise MethodError("the method returned no configuration to select from")
    return choice, best[0]


def _published_candidates(paths: Sequence[Path], X: FloatArray) -> Sequence[Path]:
    """The configurations that the published code can choose.

    It divides rows by their norms; an all-zero row (balance-scale has one) becomes NaN there and takes all unit-norm
    configurations with it. Its printed outcome on that table is the one without them.
    """
    if np.abs(X).sum(axis=1).all():
        return paths
    return [path for path in paths if not path.config.get("unit_norm")]


def _sample(rows: IntArray, strata: IntArray, size: int | None, seed: int) -> IntArray:
    return rows if size is None else rows[stratified_sample(strata[rows], size, seed)]


def _sizes(folds: Sequence[Fold]) -> FloatArray:
    return np.array([len(fold.validation) for fold in folds], dtype=np.float64)


def _pooled(values: FloatArray, sizes: FloatArray) -> FloatArray:
    pooled: FloatArray = (values * sizes[:, None]).sum(axis=0) / sizes.sum()
    return pooled


def _path_row(path: Path, folds: Sequence[Fold], select: Measure) -> dict[str, Any]:
    sizes, digits = _sizes(folds), 4 if select.unit == "%" else 6
    scores: FloatArray = select.from_merit(_pooled(path.merit, sizes))
    return {
        "config": dict(path.config),
        "iterations": list(path.iterations),
        "score": [round(v, digits) for v in scores.tolist()],
        "squared_error": [round(v, 6) for v in _pooled(path.squared_error, sizes).tolist()],
    }

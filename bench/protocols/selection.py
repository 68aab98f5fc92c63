"""Carrying out a protocol: selection of a configuration and an iteration, the refit, the test.

Where the splits give ``tuning_rows``, every protocol selects on a stratified sample of at most so many rows, or on one
of either tuning half; what was selected is fitted and tested on all rows all the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import MethodError
from bench.protocols.record import Protocol, Ties
from bench.protocols.rows import fill_missing, inner_folds, inner_split, standardise, stratified_sample
from bench.records.dataset import Dataset, FloatArray, Holdout, IntArray, Splits
from bench.records.method import HIDDEN, Choice, Fold, HoldoutResult, Method, Path, Session, Task
from bench.seeds import derive_seed


def carry_out(method: Method, dataset: Dataset, splits: Splits, protocol: Protocol, seed: int) -> list[HoldoutResult]:
    """Run ``method`` on every test fold of ``splits`` under ``protocol``; missing numbers are filled on the way.

    Raises :class:`MethodError` when the method gives scores that are not finite.
    """
    if protocol.selected_on == "tuning halves":
        return _selected_once(method, dataset, splits, protocol, derive_seed(seed, dataset.name))
    return [
        _selected_inside(
            method, dataset, holdout, protocol, derive_seed(seed, dataset.name, index), index, splits.tuning_rows
        )
        for index, holdout in enumerate(splits.holdouts)
    ]


def _selected_inside(
    method: Method,
    dataset: Dataset,
    holdout: Holdout,
    protocol: Protocol,
    seed: int,
    index: int,
    tuning_rows: int | None,
) -> HoldoutResult:
    """Select inside the training part, refit on all of it, test once; the session never receives a test label."""
    started = time.process_time()
    rows = np.concatenate([holdout.train, holdout.test])
    train = np.arange(len(holdout.train))
    test = np.arange(len(holdout.train), len(rows))
    y = dataset.y[rows].copy()
    y[test] = HIDDEN
    session = method.session(
        Task(
            X=standardise(fill_missing(dataset.X[rows], train), train),
            y=y,
            n_classes=dataset.n_classes,
            seed=derive_seed(seed, method.name),
        )
    )
    sample = _sample(train, y, tuning_rows, derive_seed(seed, "sample"))
    if protocol.inner_folds == 1:
        divisions = [inner_split(y[sample], derive_seed(seed, "inner"))]
    else:
        divisions = list(inner_folds(y[sample], protocol.inner_folds, derive_seed(seed, "inner")))
    folds = [Fold(fit=sample[fit], validation=sample[validation]) for fit, validation in divisions]
    paths = session.tune(folds)
    choice, accuracy = choose(paths, folds, ties=protocol.ties)
    return _test(session, choice, accuracy, paths, folds, Holdout(train, test), dataset.y[holdout.test], index, started)


def _selected_once(
    method: Method, dataset: Dataset, splits: Splits, protocol: Protocol, seed: int
) -> list[HoldoutResult]:
    """Select on the tuning halves; features are filled and standardised over all rows, as the archive's tables are."""
    started = time.process_time()
    everything = np.arange(len(dataset.X))
    X = fill_missing(dataset.X, everything)
    X = X if dataset.standardised else standardise(X, everything)
    session = method.session(
        Task(X=X, y=dataset.y, n_classes=dataset.n_classes, seed=derive_seed(seed, "tuning", method.name))
    )
    halves = splits.tuning
    folds = [
        Fold(
            fit=_sample(halves.train, dataset.y, splits.tuning_rows, derive_seed(seed, "fit")),
            validation=_sample(halves.test, dataset.y, splits.tuning_rows, derive_seed(seed, "validation")),
        )
    ]
    paths = session.tune(folds)
    choice, accuracy = choose(_published_candidates(paths, X), folds, ties=protocol.ties)
    results = []
    for index, holdout in enumerate(splits.holdouts):
        labels = dataset.y[holdout.test]
        kept = paths if index == 0 else []  # one choice, one path: stored once
        results.append(
            _test(
                session, choice, accuracy, kept, folds, holdout, labels, index, started, transfer=protocol.reuses_metric
            )
        )
        started = time.process_time()
    return results


def _test(
    session: Session,
    choice: Choice,
    validation_accuracy: float,
    paths: Sequence[Path],
    folds: Sequence[Fold],
    holdout: Holdout,
    labels: IntArray,
    index: int,
    started: float,
    *,
    transfer: bool = False,
) -> HoldoutResult:
    prediction = session.predict(choice, holdout.train, holdout.test, transfer=transfer)
    if prediction.scores.shape != (len(labels), session.task.n_classes) or not np.isfinite(prediction.scores).all():
        raise MethodError(
            f"hold-out {index}: scores of shape {prediction.scores.shape} or not finite, "
            f"expected finite ({len(labels)}, {session.task.n_classes})"
        )
    return HoldoutResult(
        holdout=index,
        accuracy=100.0 * float(np.mean(prediction.scores.argmax(axis=1) == labels)),
        config=dict(choice.config),
        iteration=choice.iteration,
        validation_accuracy=100.0 * validation_accuracy,
        fit_seconds=time.process_time() - started,
        path=[_path_row(path, folds) for path in paths],
        details=dict(prediction.details),
    )


def choose(paths: Sequence[Path], folds: Sequence[Fold], *, ties: Ties) -> tuple[Choice, float]:
    """The configuration and path point with the best accuracy over all validation rows, and that accuracy.

    Counts of right rows are compared, not floating-point shares. Ties go to the smaller Brier score if ``ties`` is
    ``"brier"``; what is still tied goes to the earlier configuration, then to the shorter path. Raises
    :class:`MethodError` if there is nothing to choose from or a figure is not finite.
    """
    sizes = _sizes(folds)
    best: tuple[int, float] | None = None
    choice: Choice | None = None
    for path in paths:
        if not (np.isfinite(path.accuracy).all() and np.isfinite(path.squared_error).all()):
            raise MethodError(f"validation figures of {dict(path.config)} are not finite")
        right = np.rint(path.accuracy * sizes[:, None]).sum(axis=0).astype(int)
        error = _pooled(path.squared_error, sizes)
        for point, iteration in enumerate(path.iterations):
            key = (int(right[point]), -float(error[point]) if ties == "brier" else 0.0)
            if best is None or key > best:
                best, choice = key, Choice(path.config, iteration)
    if best is None or choice is None:
        raise MethodError("the method returned no configuration to choose from")
    return choice, best[0] / float(sizes.sum())


def _published_candidates(paths: Sequence[Path], X: FloatArray) -> Sequence[Path]:
    """The configurations that the published code can choose.

    It divides rows by their norms; an all-zero row (balance-scale has one) becomes NaN there and takes all unit-norm
    configurations with it. Its printed outcome on that table is the one without them.
    """
    if np.abs(X).sum(axis=1).all():
        return paths
    return [path for path in paths if not path.config.get("unit_norm")]


def _sample(rows: IntArray, y: IntArray, size: int | None, seed: int) -> IntArray:
    return rows if size is None else rows[stratified_sample(y[rows], size, seed)]


def _sizes(folds: Sequence[Fold]) -> FloatArray:
    return np.array([len(fold.validation) for fold in folds], dtype=np.float64)


def _pooled(values: FloatArray, sizes: FloatArray) -> FloatArray:
    pooled: FloatArray = (values * sizes[:, None]).sum(axis=0) / sizes.sum()
    return pooled


def _path_row(path: Path, folds: Sequence[Fold]) -> dict[str, Any]:
    sizes = _sizes(folds)
    return {
        "config": dict(path.config),
        "iterations": list(path.iterations),
        "accuracy": [round(100.0 * v, 4) for v in _pooled(path.accuracy, sizes).tolist()],
        "squared_error": [round(v, 6) for v in _pooled(path.squared_error, sizes).tolist()],
    }

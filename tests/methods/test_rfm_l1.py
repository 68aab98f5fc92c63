"""The l1 grid is chains of the product kernel; the pool is both grids, configuration by configuration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from bench.methods.rfm import RFM
from bench.methods.rfm_l1 import RFML1
from bench.methods.rfm_pool import RFMPool
from bench.records.method import Choice, Fold, Task
from rfm.large import SWEEP_ROWS
from rfm.product_sweep import ProductSweep

FOLDS = [Fold(np.arange(60), np.arange(60, 90)), Fold(np.arange(30, 90), np.arange(30))]


@pytest.fixture
def task() -> Task:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=(120, 2)), rng.integers(3, size=120)])
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)
    y[100:] = -1
    return Task(X=X, y=y, n_classes=3, seed=0, keep_scores=True)


def test_the_grids() -> None:
    l1 = RFML1().configurations()
    assert l1 == RFM().configurations()
    pool = RFMPool().configurations()
    expected = [{"kernel": "l2", **config} for config in RFM().configurations()]
    assert pool == expected + [{"kernel": "l1", **config} for config in l1]


def test_before_any_update_it_is_kernel_ridge_regression_in_l1(task: Task) -> None:
    train, test = np.arange(100), np.arange(100, 120)
    K = np.exp(-cdist(task.X, task.X[train], "cityblock") / 10.0)
    expected = K[test] @ np.linalg.solve(K[train] + 0.1 * np.eye(100), task.targets[train])
    prediction = RFML1().session(task).predict(Choice({"ridge": 0.1, "unit_norm": False}, 0), train, test)
    np.testing.assert_allclose(prediction.scores, expected, atol=1e-6)


def test_paths_are_those_of_the_sweep(task: Task) -> None:
    paths = RFML1().session(task).tune(FOLDS)
    assert [dict(path.config) for path in paths] == RFML1().configurations()
    sweep = ProductSweep(task.X, task.targets)
    for number, fold in enumerate(FOLDS):
        points = sweep.points(fold.fit, fold.validation, ridges=RFML1.ridges, unit_norms=[True, False], iterations=4)
        for point in points:
            (path,) = [p for p in paths if p.config == {"ridge": point.ridge, "unit_norm": point.unit_norm}]
            merit, error = task.judge(point.scores, task.y[fold.validation])
            assert path.merit[number, point.iteration] == merit
            assert path.squared_error[number, point.iteration] == pytest.approx(error, abs=1e-12)
            assert path.scores is not None
            np.testing.assert_allclose(path.scores[number][point.iteration], point.scores, atol=1e-6)


def test_the_metric_is_a_weight_for_each_feature_and_can_be_transferred(task: Task) -> None:
    session = RFML1().session(task)
    session.tune(FOLDS)
    choice = Choice({"ridge": 0.1, "unit_norm": False}, 2)
    train, test = np.arange(40, 100), np.arange(100, 120)
    anew = session.predict(choice, train, test)
    assert np.mean(anew.details["metric_diagonal"]) == pytest.approx(1.0, abs=1e-3)
    sweep = ProductSweep(task.X, task.targets)
    metric = sweep.learn(FOLDS[0].fit, ridge=0.1, unit_norm=False, iterations=2)
    expected = sweep.fit(train, test, ridge=0.1, unit_norm=False, metric=metric).scores
    np.testing.assert_allclose(session.predict(choice, train, test, transfer=True).scores, expected, atol=1e-9)
    assert np.abs(anew.scores - expected).max() > 1e-4


def test_the_pool_is_both_grids(task: Task) -> None:
    session = RFMPool().session(task)
    paths = session.tune(FOLDS)
    assert [dict(path.config) for path in paths] == RFMPool().configurations()
    parts = {"l2": RFM().session(task), "l1": RFML1().session(task)}
    own = [path for part in parts.values() for path in part.tune(FOLDS)]
    train, test = np.arange(100), np.arange(100, 120)
    for pooled, alone in zip(paths, own, strict=True):
        np.testing.assert_array_equal(pooled.merit, alone.merit)
        for ours, theirs in zip(pooled.scores or (), alone.scores or (None,), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        found = session.predict(Choice(pooled.config, 1), train, test).scores
        part = parts[pooled.config["kernel"]]
        np.testing.assert_array_equal(found, part.predict(Choice(alone.config, 1), train, test).scores)


def test_beyond_what_fits_it_is_not_run() -> None:
    for method in (RFML1(), RFMPool()):
        assert method.limitation(SWEEP_ROWS, 5, 2) is None
        assert "kernel matrix" in (method.limitation(4 * SWEEP_ROWS, 5, 2) or "")

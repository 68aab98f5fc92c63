"""RFM's further grids: their machines are chains on mapped features or of the product kernel; the pool is two grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from bench.methods.rfm import RFM, ChainSession
from bench.methods.rfm_fork import RFMFork, RFMForkRaw, quantile_normal
from bench.methods.rfm_l1 import RFML1
from bench.methods.rfm_pool import RFMPool
from bench.records.dataset import IntArray
from bench.records.method import Choice, Config, Fold, Task
from rfm.kernels import Laplace
from rfm.large import SWEEP_ROWS
from rfm.product_sweep import ProductSweep
from rfm.sweep import Sweep

FOLDS = [Fold(np.arange(60), np.arange(60, 90)), Fold(np.arange(30, 90), np.arange(30))]
TRAIN, TEST = np.arange(40, 100), np.arange(100, 120)
FORK = {"diagonal": True, "bandwidth": 20, "ridge": 0.1, "unit_norm": False}
L1 = {"ridge": 0.1, "unit_norm": False}


@pytest.fixture
def numbers() -> Task:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.exponential(size=120), rng.normal(size=120), rng.integers(2, size=120)])
    y = np.log(X[:, 0]) * X[:, 1] + X[:, 2]
    return Task(X=X, y=(y - y.mean()) / y.std(), n_classes=0, seed=0, keep_scores=True)


@pytest.fixture
def classes() -> Task:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=(120, 2)), rng.integers(3, size=120)])
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)
    y[100:] = -1
    return Task(X=X, y=y, n_classes=3, seed=0, keep_scores=True)


def sweep_of(method: RFMFork | RFML1, task: Task, fit: IntArray, config: Config) -> Sweep | ProductSweep:
    """The machines of a configuration, whose features are mapped as those of the rows ``fit`` are."""
    if isinstance(method, RFML1):
        return ProductSweep(task.X, task.targets)
    X = quantile_normal(task.X, fit) if method.quantile_normal else task.X
    return Sweep(X, task.targets, kernel=Laplace(config["bandwidth"]), diagonal=config["diagonal"])


def test_the_grids() -> None:
    fork, rfm = RFMFork().configurations(), RFM().configurations()
    assert len(fork) == 2 * 2 * 4
    assert {key: {config[key] for config in fork} for key in fork[0]} == {
        "diagonal": {False, True},
        "bandwidth": {10, 20},
        "ridge": {1.0, 0.1, 0.01, 0.001},
        "unit_norm": {False},
    }
    assert RFML1().configurations() == rfm
    assert RFMPool().configurations() == [{"kernel": kernel, **config} for kernel in ("l2", "l1") for config in rfm]


def test_a_column_becomes_normal_and_one_of_two_values_stays(numbers: Task) -> None:
    fit = np.arange(80)
    mapped = quantile_normal(numbers.X, fit)
    ranks = stats.rankdata(numbers.X[fit, 0]) - 1
    inside = (ranks > 0) & (ranks < 79)
    np.testing.assert_allclose(mapped[fit, 0][inside], stats.norm.ppf(ranks[inside] / 79), atol=1e-9)
    np.testing.assert_array_equal(mapped[:, 2], numbers.X[:, 2])
    assert np.abs(mapped[:, :2]).max() < 5.3
    other = numbers.X.copy()
    other[80:] *= 1e3
    np.testing.assert_array_equal(quantile_normal(other, fit)[fit], mapped[fit])  # of fitted rows alone


def test_before_any_update_it_is_kernel_ridge_regression_in_l1(classes: Task) -> None:
    train = np.arange(100)
    K = np.exp(-cdist(classes.X, classes.X[train], "cityblock") / 10.0)
    expected = K[TEST] @ np.linalg.solve(K[train] + 0.1 * np.eye(100), classes.targets[train])
    prediction = RFML1().session(classes).predict(Choice(L1, 0), train, TEST)
    np.testing.assert_allclose(prediction.scores, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "table", "updates", "every", "atol"),
    [
        (RFMFork(), "numbers", 5, 5, 1e-6),
        (RFMForkRaw(), "numbers", 5, 5, 1e-6),
        (RFML1(), "classes", 4, 1, 1e-12),
    ],
    ids=["fork", "fork, raw", "l1"],
)
def test_paths_are_those_of_the_machines_one_by_one(
    method: RFMFork | RFML1, table: str, updates: int, every: int, atol: float, request: pytest.FixtureRequest
) -> None:
    task = request.getfixturevalue(table)
    paths = method.session(task).tune(FOLDS)
    assert [dict(path.config) for path in paths] == method.configurations()
    for path in paths[::every]:
        for number, fold in enumerate(FOLDS):
            sweep = sweep_of(method, task, fold.fit, path.config)
            grid = {"ridges": [path.config["ridge"]], "unit_norms": [path.config["unit_norm"]], "iterations": updates}
            for point in sweep.points(fold.fit, fold.validation, **grid):
                merit, error = task.judge(point.scores, task.y[fold.validation])
                assert path.merit[number, point.iteration] == pytest.approx(merit, abs=atol, rel=0)
                assert path.squared_error[number, point.iteration] == pytest.approx(error, abs=atol)
                assert path.scores is not None
                np.testing.assert_allclose(path.scores[number][point.iteration], point.scores, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "table", "config"), [(RFMFork(), "numbers", FORK), (RFML1(), "classes", L1)], ids=["fork", "l1"]
)
def test_the_transferred_metric_is_learned_on_the_tuning_rows_features(
    method: RFMFork | RFML1, table: str, config: Config, request: pytest.FixtureRequest
) -> None:
    task = request.getfixturevalue(table)
    session = method.session(task)
    session.tune(FOLDS)
    sweep = sweep_of(method, task, FOLDS[0].fit, config)
    metric = sweep.learn(FOLDS[0].fit, **L1, iterations=2)
    expected = sweep.fit(TRAIN, TEST, **L1, metric=metric).scores
    transferred = session.predict(Choice(config, 2), TRAIN, TEST, transfer=True)
    np.testing.assert_allclose(transferred.scores, expected, atol=1e-9)
    assert np.abs(session.predict(Choice(config, 2), TRAIN, TEST).scores - expected).max() > 1e-4


def test_a_metric_that_is_learned_anew_is_that_of_the_training_rows(numbers: Task, classes: Task) -> None:
    anew = RFMFork().session(numbers).predict(Choice(FORK, 2), TRAIN, TEST)
    mapped = replace(numbers, X=quantile_normal(numbers.X, TRAIN))
    chains = ChainSession(mapped, RFMFork(), bandwidth=20, diagonal=True)
    np.testing.assert_array_equal(anew.scores, chains.predict(Choice(FORK, 2), TRAIN, TEST).scores)
    assert len(anew.details["metric_diagonal"]) == 3
    weights = RFML1().session(classes).predict(Choice(L1, 2), TRAIN, TEST).details["metric_diagonal"]
    assert np.mean(weights) == pytest.approx(1.0, abs=1e-3)


def test_the_pool_is_both_grids(classes: Task) -> None:
    session = RFMPool().session(classes)
    paths = session.tune(FOLDS)
    assert [dict(path.config) for path in paths] == RFMPool().configurations()
    parts = {"l2": RFM().session(classes), "l1": RFML1().session(classes)}
    own = [path for part in parts.values() for path in part.tune(FOLDS)]
    train = np.arange(100)
    for pooled, alone in zip(paths, own, strict=True):
        np.testing.assert_array_equal(pooled.merit, alone.merit)
        for ours, theirs in zip(pooled.scores or (), alone.scores or (None,), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        found = session.predict(Choice(pooled.config, 1), train, TEST).scores
        part = parts[pooled.config["kernel"]]
        np.testing.assert_array_equal(found, part.predict(Choice(alone.config, 1), train, TEST).scores)


def test_beyond_what_fits_it_is_not_run() -> None:
    for method in (RFML1(), RFMPool()):
        assert method.limitation(SWEEP_ROWS, 5, 2) is None
        assert "kernel matrix" in (method.limitation(4 * SWEEP_ROWS, 5, 2) or "")

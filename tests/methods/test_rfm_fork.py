"""The fork's grid: its machines are RFM's chains on mapped features, and the mapping learns from fitted rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.methods.rfm import ChainSession
from bench.methods.rfm_fork import RFMFork, RFMForkRaw, quantile_normal
from bench.records.method import Choice, Fold, Task
from rfm.kernels import Laplace
from rfm.sweep import Sweep


def test_the_grid() -> None:
    grid = RFMFork().configurations()
    assert len(grid) == 2 * 2 * 4
    assert {key: {config[key] for config in grid} for key in grid[0]} == {
        "diagonal": {False, True},
        "bandwidth": {10, 20},
        "ridge": {1.0, 0.1, 0.01, 0.001},
        "unit_norm": {False},
    }


@pytest.fixture
def task() -> Task:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.exponential(size=120), rng.normal(size=120), rng.integers(2, size=120)])
    y = np.log(X[:, 0]) * X[:, 1] + X[:, 2]
    return Task(X=X, y=(y - y.mean()) / y.std(), n_classes=0, seed=0)


FOLDS = [Fold(np.arange(60), np.arange(60, 90)), Fold(np.arange(30, 90), np.arange(30))]


def test_a_column_becomes_normal_and_one_of_two_values_stays(task: Task) -> None:
    fit = np.arange(80)
    mapped = quantile_normal(task.X, fit)
    ranks = stats.rankdata(task.X[fit, 0]) - 1
    inside = (ranks > 0) & (ranks < 79)
    np.testing.assert_allclose(mapped[fit, 0][inside], stats.norm.ppf(ranks[inside] / 79), atol=1e-9)
    np.testing.assert_array_equal(mapped[:, 2], task.X[:, 2])
    assert np.abs(mapped[:, :2]).max() < 5.3


def test_the_mapping_learns_from_fitted_rows_alone(task: Task) -> None:
    fit = np.arange(80)
    other = task.X.copy()
    other[80:] *= 1e3
    np.testing.assert_array_equal(quantile_normal(task.X, fit)[fit], quantile_normal(other, fit)[fit])


@pytest.mark.parametrize("method", [RFMFork(), RFMForkRaw()], ids=lambda method: method.name)
def test_paths_are_those_of_the_machines_one_by_one(method: RFMFork, task: Task) -> None:
    paths = method.session(task).tune(FOLDS)
    assert [dict(path.config) for path in paths] == method.configurations()
    for path in paths[::5]:
        for number, fold in enumerate(FOLDS):
            X = quantile_normal(task.X, fold.fit) if method.quantile_normal else task.X
            kernel = Laplace(path.config["bandwidth"])
            sweep = Sweep(X, task.targets, kernel=kernel, diagonal=path.config["diagonal"])
            for point in sweep.points(
                fold.fit,
                fold.validation,
                ridges=[path.config["ridge"]],
                unit_norms=[path.config["unit_norm"]],
                iterations=5,
            ):
                merit, error = task.judge(point.scores, task.y[fold.validation])
                assert path.merit[number, point.iteration] == pytest.approx(merit, abs=1e-6)
                assert path.squared_error[number, point.iteration] == pytest.approx(error, abs=1e-6)


def test_the_transferred_metric_is_learned_on_the_tuning_rows_features(task: Task) -> None:
    method = RFMFork()
    session = method.session(task)
    session.tune(FOLDS)
    choice = Choice({"diagonal": True, "bandwidth": 20, "ridge": 0.1, "unit_norm": False}, 2)
    train, test = np.arange(50, 100), np.arange(100, 120)
    mapped = replace(task, X=quantile_normal(task.X, FOLDS[0].fit))
    sweep = Sweep(mapped.X, task.targets, kernel=Laplace(20), diagonal=True)
    metric = sweep.learn(FOLDS[0].fit, ridge=0.1, unit_norm=False, iterations=2)
    expected = sweep.fit(train, test, ridge=0.1, unit_norm=False, metric=metric).scores
    np.testing.assert_allclose(session.predict(choice, train, test, transfer=True).scores, expected, atol=1e-9)
    anew = session.predict(choice, train, test)
    chains = ChainSession(replace(task, X=quantile_normal(task.X, train)), method, bandwidth=20, diagonal=True)
    np.testing.assert_array_equal(anew.scores, chains.predict(choice, train, test).scores)
    assert len(anew.details["metric_diagonal"]) == 3

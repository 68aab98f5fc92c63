"""What scoring takes is timed by itself: by every built-in method, and of estimators their prediction alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor

from bench.data.splits import draw_splits
from bench.methods import built_in_methods, get_method, mlp, random_forest
from bench.methods.plugin import EstimatorMethod
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset
from bench.records.method import CpuClock, Method


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(random_forest, "TREES", 20)
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:2])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def table(kind: str, n: int = 40) -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.normal(size=n) if kind == "regression" else np.arange(n) % 3
    return Dataset("table", rng.normal(size=(n, 3)) + y[:, None], y, 0 if kind == "regression" else 3, "tiny")


def told(method: Method, protocol: str = "clean", kind: str = "classification", folds: int = 4) -> list[float | None]:
    """What ``method`` tells of each test fold, checked against sizes and the seconds of the whole fold."""
    dataset = table(kind)
    splits = draw_splits(dataset.name, dataset.strata, 0)
    splits = replace(splits, holdouts=splits.holdouts[:folds])
    results = carry_out(method, dataset, splits, PROTOCOLS[protocol], 0)
    for result, holdout in zip(results, splits.holdouts, strict=True):
        assert (result.train_samples, result.test_samples) == (len(holdout.train), len(holdout.test))
        assert result.predict_seconds is None or 0 < result.predict_seconds < result.fit_seconds
    return [result.predict_seconds for result in results]


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("name", built_in_methods())
def test_every_built_in_method_tells_what_scoring_took(name: str, kind: str) -> None:
    if kind not in get_method(name).kinds:
        pytest.skip(f"{name} does no {kind}")
    assert None not in told(get_method(name), kind=kind, folds=1)


@pytest.mark.parametrize("name", ["rfm", "ntk", "svm_rbf"])
@pytest.mark.parametrize("protocol", ["relearn", "published"])
def test_it_is_told_of_every_test_fold_that_one_session_serves(name: str, protocol: str) -> None:
    assert None not in told(get_method(name), protocol)


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


FIT, SCORE = 0.02, 0.01


class SlowClassifier(DummyClassifier):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SlowClassifier:
        burn(FIT)
        return super().fit(X, y)

    def predict_proba(self, X: Any) -> Any:
        burn(SCORE)
        return super().predict_proba(X)


class SlowRegressor(DummyRegressor):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SlowRegressor:
        burn(FIT)
        return super().fit(X, y)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        burn(SCORE)
        return super().predict(X)


class Slow(EstimatorMethod):
    name = "slow"
    title = "Slow"
    grid: ClassVar = {"strategy": ["prior"]}
    regression_grid: ClassVar = {"strategy": ["mean"]}

    def classifier(self, config: Any, fitting: Any) -> Any:
        return SlowClassifier(**config)

    def regressor(self, config: Any, fitting: Any) -> Any:
        return SlowRegressor(**config)


class Staged(Slow):
    """A path, the scores of which come from a function of its own."""

    grid: ClassVar = {"strategy": ["prior"], "constant": [None]}
    iterations = (1, 2)
    iteration_parameter = "random_state"

    def staged_scores(self, estimator: Any, X: Any, iterations: Any) -> Iterator[Any]:
        for _ in iterations:
            yield estimator.predict_proba(X)


@pytest.mark.parametrize(("make", "kind"), [(Slow, "classification"), (Slow, "regression"), (Staged, "classification")])
def test_of_an_estimator_it_is_the_prediction_alone(make: Callable[[], Method], kind: str) -> None:
    for seconds in told(make(), kind=kind):
        assert seconds is not None
        assert SCORE <= seconds < FIT


def test_a_clock_adds_up_the_processs_own_seconds() -> None:
    clock = CpuClock()
    started = time.process_time()
    for _ in range(2):
        with clock:
            burn(0.01)
    burn(0.01)
    with clock:
        time.sleep(0.05)  # no work
    assert 0.02 <= clock.seconds < time.process_time() - started - 0.009

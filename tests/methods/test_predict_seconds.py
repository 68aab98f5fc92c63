"""What scoring takes is timed by itself: of estimators their prediction alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from bench.data.splits import draw_splits
from bench.methods.plugin import EstimatorMethod
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset, FloatArray
from bench.records.method import CpuClock

FIT, SCORE = 0.02, 0.01


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class SlowEstimator(BaseEstimator):
    """Says 0 of every row."""

    def __init__(self, n_estimators: int = 1) -> None:
        self.n_estimators = n_estimators

    def fit(self, X: FloatArray, y: Any) -> SlowEstimator:
        burn(FIT)
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        burn(SCORE)
        return np.zeros(len(X))


class Slow(EstimatorMethod):
    name = "slow"
    title = "Slow"

    def classifier(self, config: Any, fitting: Any) -> Any:
        return SlowEstimator()

    regressor = classifier


class Staged(Slow):
    """A path, the scores of which come from a function of its own."""

    iterations = (1, 2)

    def staged_scores(self, estimator: Any, X: FloatArray, iterations: Sequence[int]) -> Iterator[FloatArray]:
        for _ in iterations:
            yield np.eye(3)[estimator.predict(X).astype(int)]


@pytest.mark.parametrize(("method", "n_classes"), [(Slow, 3), (Slow, 0), (Staged, 3)])
def test_of_an_estimator_it_is_the_prediction_alone(method: type[Slow], n_classes: int) -> None:
    y = np.arange(40) % n_classes if n_classes else np.arange(40.0)
    dataset = Dataset("table", np.random.default_rng(0).normal(size=(40, 3)), y, n_classes, "tiny")
    results = carry_out(method(), dataset, draw_splits("table", dataset.strata, 0), PROTOCOLS["clean"], 0)
    assert len(results) == 4
    for result in results:
        assert result.predict_seconds is not None
        assert SCORE <= result.predict_seconds < FIT


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

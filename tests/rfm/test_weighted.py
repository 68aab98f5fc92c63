"""Weights of rows: an integer weight is that many rows; what other ones do is test_leave_one_out's and test_tuned's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from grids import by_place, dense
from numpy.typing import NDArray

from rfm.kernels import Gaussian
from rfm.large import chains_of
from rfm.machine import NeuralTangent, Recipe, fit_machine
from rfm.problem import Problem
from rfm.weighted import LARGEST_WEIGHTED, WeightedSweep, weighted_chains

Array = NDArray[np.float64]
GRID: dict[str, Any] = {"ridges": (1.0, 0.01), "unit_norms": (False, True), "iterations": 3}


def drawn(d: int) -> tuple[Array, Array, Array]:
    """30 rows to fit, with weights 1 to 3, and 20 more."""
    rng = np.random.default_rng(d)
    return rng.normal(size=(50, d)) + 5.0, rng.normal(size=(50, 2)), rng.integers(1, 4, size=30).astype(float)


@pytest.mark.parametrize("d", [4, 100])
@pytest.mark.parametrize(
    "options",
    [{}, {"kernel": Gaussian(3.0), "metric_scaling": "trace"}, {"diagonal": True, "metric_scaling": "max"}],
)
def test_integer_weights_are_repeated_rows(d: int, options: dict[str, Any]) -> None:
    X, Y, weights = drawn(d)
    copies = np.repeat(np.arange(30), weights.astype(int))
    n = len(copies)
    repeated = Problem(np.r_[X[copies], X[30:]], np.r_[Y[copies], Y[30:]], dtype=torch.float64, **options)
    expected = by_place(chains_of(repeated, n).points(np.arange(n), np.arange(n, n + 20), **GRID))
    chains = weighted_chains(Problem(X, Y, **options), weights)
    points = list(chains.points(np.arange(30), np.arange(30, 50), **GRID))
    assert len(points) == len(expected) == 16
    for point in points:
        other = expected[point.unit_norm, point.ridge, point.iteration]
        assert np.allclose(point.scores, other.scores, rtol=1e-8, atol=1e-10)
        if point.iteration:
            assert torch.allclose(dense(point.metric), dense(other.metric), rtol=1e-8, atol=1e-12)
    last = chains.fit(np.arange(30), np.arange(30, 50), ridge=0.01, unit_norm=True, iterations=3)
    assert np.array_equal(last.scores, points[-1].scores)


def test_what_is_not_weighted_is_refused() -> None:
    X, Y, weights = drawn(4)
    with pytest.raises(ValueError, match="neural tangent kernel"):
        fit_machine(Recipe(NeuralTangent(), 0.1), X[:30], Y[:30], weights=weights)
    centred = weighted_chains(Problem(X, Y, center_gradients=True), weights)
    with pytest.raises(ValueError, match="gradients of weighted rows"):
        centred.fit(np.arange(30), np.arange(30, 50), ridge=0.1, unit_norm=False)
    many = np.zeros((LARGEST_WEIGHTED + 1, 1))
    sweep = WeightedSweep(many, many, weights=np.ones(len(many)))
    with pytest.raises(ValueError, match=r"at most 15,000 rows, got 15,001"):
        sweep.fit(np.arange(len(many)), np.arange(0), ridge=0.1, unit_norm=False)

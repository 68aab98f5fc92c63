"""Grids of chains, their points by place, and how two of them compare; the native library and its instruction sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from rfm.factored import FactoredMatrix
from rfm.native import Library, library
from rfm.problem import Point
from rfm.rows import Metric
from rfm.sweep import Sweep

Array = NDArray[np.float64]
Points = dict[tuple[bool, float, int], Point]
"""By unit-norm, ridge and iteration."""

FOUND = library()
SETS = FOUND.instruction_sets if isinstance(FOUND, Library) else ()
needs_library = pytest.mark.skipif(not SETS, reason=str(FOUND))


def table(n: int, d: int, c: int, kind: str = "spread", seed: int = 0) -> tuple[Array, Array]:
    """Rows (n, d) of a ``kind``, and one-hot labels (n, c) by two of the features, one in ten at random."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    drawn = X[rng.integers(0, max(1, n // 2), size=n)]
    if kind == "duplicates":
        X = np.round(drawn)  # zero rows among them where there are few features
    elif kind == "coincident":
        X = drawn
    elif kind == "close":
        X = drawn + 1e-6 * rng.normal(size=(n, d))
    elif kind == "constant":
        X[:, ::2] = 1.0
    elif kind == "parallel":
        X = drawn * rng.uniform(0.2, 5.0, size=(n, 1))
    elif kind == "antipodal":
        X = drawn * rng.choice([-1.0, 1.0], size=(n, 1))
    elif kind == "zero":
        X[:: max(1, n // 5)] = 0.0
    labels = ((X[:, 0] > 0) + (X[:, -1] > 0.3) + (rng.random(n) < 0.1) * rng.integers(0, c, size=n)) % c
    return X, np.eye(c)[labels]


def by_place(points: Iterable[Point]) -> Points:
    return {(point.unit_norm, point.ridge, point.iteration): point for point in points}


def grid(
    X: Array,
    Y: Array,
    n: int,
    *,
    ridges: tuple[float, ...] = (1.0, 1e-2),
    unit_norms: tuple[bool, ...] = (True, False),
    iterations: int = 3,
    **options: Any,
) -> Points:
    """The points of a grid fitted on the first ``n`` rows, with the scores of the others."""
    rows = np.arange(len(X))
    points = Sweep(X, Y, **options).points(
        rows[:n], rows[n:], ridges=ridges, unit_norms=unit_norms, iterations=iterations
    )
    found = by_place(points)
    assert len(found) == len(ridges) * len(unit_norms) * (iterations + 1)
    return found


def dense(metric: Metric | None) -> torch.Tensor:
    assert metric is not None
    return metric.dense() if isinstance(metric, FactoredMatrix) else metric.double()


def assert_same_metric(found: Metric | None, expected: Metric | None, tolerance: float, rtol: float = 0.0) -> None:
    """``tolerance`` is relative to the largest entry, ``rtol`` to each."""
    if expected is None:
        assert found is None
        return
    M = dense(expected)
    assert_allclose(dense(found), M, rtol=rtol, atol=tolerance * float(M.abs().max()))


def assert_same_points(
    found: Points, expected: Points, scores: float, metrics: float | None = None, rtol: float = 0.0
) -> None:
    """Solved alike, scores by the absolute tolerance ``scores`` and metrics by :func:`assert_same_metric`'s."""
    assert {key: point.solver for key, point in found.items()} == {key: p.solver for key, p in expected.items()}
    for key, point in expected.items():
        assert_allclose(found[key].scores, point.scores, rtol=0, atol=scores, err_msg=str(key))
        if metrics is not None:
            assert_same_metric(found[key].metric, point.metric, metrics, rtol)

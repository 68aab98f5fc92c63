"""Projection onto the probability simplex."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from rfm.targets import nearest_distribution

scores = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e3, 1e3))


@given(scores)
def test_it_is_the_nearest_distribution(s: NDArray[np.float64]) -> None:
    """Optimality (variational inequality): (s - p)'(q - p) <= 0 for every vertex q of the simplex."""
    p = nearest_distribution(s)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    towards_vertices = (s - p) - ((s - p) * p).sum(axis=1, keepdims=True)
    assert (towards_vertices <= 1e-9 * (1 + np.abs(s).max())).all()


@given(scores)
def test_order_is_kept_and_no_brier_score_gets_worse(s: NDArray[np.float64]) -> None:
    p = nearest_distribution(s)
    best = np.take_along_axis(s, p.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(best, s.max(axis=1), atol=1e-9)
    for label in np.eye(s.shape[1]):
        before, after = ((s - label) ** 2).sum(axis=1), ((p - label) ** 2).sum(axis=1)
        assert (after <= before + 1e-9 * (1 + before)).all()


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ([0.2, 0.8], [0.2, 0.8]),
        ([2.0, 0.0], [1.0, 0.0]),
        ([-5.0, -5.0], [0.5, 0.5]),
        ([0.9, 0.4, -0.5], [0.75, 0.25, 0.0]),
        ([0.0], [1.0]),
    ],
)
def test_by_hand(score: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(nearest_distribution(np.array([score])), [expected])


def test_no_rows() -> None:
    assert nearest_distribution(np.empty((0, 3))).shape == (0, 3)

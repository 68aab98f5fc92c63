"""Projection onto the probability simplex."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from rfm.targets import nearest_distribution

scores = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e3, 1e3))


@given(scores)
def test_it_is_the_nearest_distribution(s: NDArray[np.float64]) -> None:
    """Optimality (variational inequality): (s - p)'(q - p) <= 0 for every vertex q of the simplex.

    So the order of scores is kept, and no label's Brier score gets worse.
    """
    p = nearest_distribution(s)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    towards_vertices = (s - p) - ((s - p) * p).sum(axis=1, keepdims=True)
    assert (towards_vertices <= 1e-9 * (1 + np.abs(s).max())).all()


def test_no_rows() -> None:
    assert nearest_distribution(np.empty((0, 3))).shape == (0, 3)

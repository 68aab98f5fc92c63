"""Labels to divide, and what any division of them into two parts must be."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from bench.records.dataset import IntArray

class_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) >= 2)
seeds = st.integers(0, 2**32 - 1)


def labels(sizes: list[int], seed: int = 0) -> IntArray:
    """Shuffled labels with ``sizes[c]`` rows of class c."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int64)


def assert_partition(parts: tuple[IntArray, IntArray], n: int) -> None:
    """Two non-empty lists, disjoint, that cover 0..n-1, ascending and of the right type."""
    for part in parts:
        assert part.dtype == np.int64
        assert len(part) > 0
        assert (np.diff(part) > 0).all()
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))

"""The low-rank factor explains what so many columns of a kernel matrix can."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rfm.kernels import Gaussian, Laplace
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.pivoted import pivoted_cholesky
from rfm.solvers.tangent import TangentBlocks


def rows(n: int, d: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(8).standard_normal((n, d))).to(dtype)


def test_of_full_rank_it_is_a_cholesky_factor_up_to_the_order_of_rows() -> None:
    blocks = RadialBlocks(Laplace(3.0), rows(300, 4))
    F = pivoted_cholesky(blocks, 280, 280, np.random.default_rng(1))
    assert F.shape == (280, 280)
    assert_allclose(F @ F.T, blocks.block(slice(0, 280), slice(0, 280)), atol=1e-10)
    first, again, other = (pivoted_cholesky(blocks, 200, 20, np.random.default_rng(s)).numpy() for s in (1, 1, 2))
    assert_array_equal(first, again)  # the draws determine it
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_left_is_positive_and_near_the_best_of_that_rank(dtype: torch.dtype) -> None:
    """The trace of the rest against the sum of the smaller eigenvalues."""
    n, k = 700, 300  # more than one block of proposals
    blocks = RadialBlocks(Laplace(3.0), rows(n, 4, dtype))
    F = pivoted_cholesky(blocks, n, k, np.random.default_rng(1)).double()
    assert F.shape == (n, k)
    K = blocks.block(slice(0, n), slice(0, n)).double()
    rest = K - F @ F.T
    assert float(torch.linalg.eigvalsh(rest)[0]) > (-1e-10 if dtype == torch.float64 else -1e-5)
    values = torch.linalg.eigvalsh(K)
    assert float(rest.trace()) < 2.5 * float(values[: n - k].sum())


@pytest.mark.parametrize("kind", ["copies", "smooth"])
def test_the_rank_is_no_larger_than_the_kernels(kind: str) -> None:
    """Few distinct rows; a kernel whose eigenvalues vanish in float32."""
    X = rows(40, 3, torch.float32).repeat(10, 1) if kind == "copies" else rows(400, 1, torch.float32)
    blocks = RadialBlocks(Laplace(3.0) if kind == "copies" else Gaussian(3.0), X)
    F = pivoted_cholesky(blocks, 400, 200, np.random.default_rng(1))
    assert F.shape[1] <= 40
    assert_allclose(F @ F.T, blocks.block(slice(0, 400), slice(0, 400)), atol=1e-5)


def test_rows_with_large_diagonals_are_drawn() -> None:
    X = rows(500, 3)
    X[:490] *= 1e-2
    blocks = TangentBlocks(X, 2)
    F = pivoted_cholesky(blocks, 500, 30, np.random.default_rng(1))
    assert_allclose((F @ F.T).diagonal()[490:], blocks.diagonal(slice(490, 500)), rtol=1e-3)


def test_pivots_drawn_in_blocks_have_the_law_of_pivots_drawn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean trace of what two pivots leave of the kernel of five rows, against the sum over all pairs."""
    X = torch.tensor([[0.0], [0.1], [0.15], [2.0], [9.0]], dtype=torch.float64)
    blocks = RadialBlocks(Laplace(2.0), X)
    K = blocks.block(slice(0, 5), slice(0, 5)).numpy()
    expected = 0.0
    for i in range(5):
        left = K - np.outer(K[:, i], K[i]) / K[i, i]
        for j in range(5):
            if j != i:
                rest = left - np.outer(left[:, j], left[j]) / left[j, j]
                expected += 0.2 * left[j, j] / np.trace(left) * np.trace(rest)
    draws = np.random.default_rng(3)
    traces = []
    for _ in range(4000):
        F = pivoted_cholesky(blocks, 5, 2, draws).numpy()
        traces.append(np.trace(K - F @ F.T))
    error = np.std(traces) / np.sqrt(len(traces))
    assert abs(np.mean(traces) - expected) < 4 * error

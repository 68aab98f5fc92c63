"""Conjugate gradients give the solution in few iterations; their factor explains what so many columns can."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rfm.kernels import Gaussian, Laplace
from rfm.solvers.blocks import Cache, RadialBlocks, SymmetricKernel
from rfm.solvers.conjugate import Preconditioner, conjugate_gradients
from rfm.solvers.pivoted import pivoted_cholesky

N = 1100


def problem(classes: int = 3, dtype: torch.dtype = torch.float32) -> tuple[RadialBlocks, torch.Tensor]:
    draws = np.random.default_rng(4)
    X = torch.as_tensor(draws.standard_normal((N, 5))).to(dtype)
    X[900:1000] = X[:100]
    labels = draws.integers(0, classes, N)
    return RadialBlocks(Laplace(10.0), X), torch.as_tensor(np.eye(classes)[labels])


@pytest.mark.parametrize("ridge", [10.0, 0.1, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_inverse_of_the_preconditioner_is_that_of_low_rank_plus_ridge(ridge: float, dtype: torch.dtype) -> None:
    blocks, Y = problem(dtype=dtype)
    F = pivoted_cholesky(blocks, N, 100, np.random.default_rng(0))
    exact = F.double() @ F.double().T + ridge * torch.eye(N)
    precondition = Preconditioner(F, ridge)
    assert precondition.rank == 100
    found = precondition(Y)
    assert_allclose(exact @ found, Y, atol=1e-7)
    assert_allclose(Preconditioner(F[:, :0], ridge)(Y), Y / ridge)


@pytest.mark.parametrize(("ridge", "classes"), [(10.0, 3), (0.1, 3), (1e-3, 3), (0.1, 2), (1e-3, 15)])
def test_the_residual_is_the_one_that_is_told(ridge: float, classes: int) -> None:
    blocks, Y = problem(classes)
    F = pivoted_cholesky(blocks, N, 300, np.random.default_rng(0))
    kernel = SymmetricKernel(blocks, N, Cache(0))
    # K among all rows by K times the identity: the float32 matrix itself, not the kernel it rounds.
    K = kernel.product(torch.eye(N, dtype=torch.float64))
    spread = (Y - Y.mean(dim=0)).norm(dim=0)
    told = []
    for state in conjugate_gradients(kernel, Y, ridge, Preconditioner(F, ridge), tolerance=1e-6):
        left = (Y - K @ state.alpha - ridge * state.alpha).norm(dim=0) / spread
        assert state.residual == pytest.approx(float(left.max()), rel=1e-3, abs=1e-9)
        told.append(state.residual)
    assert told[-1] <= 1e-6
    assert len(told) < 80
    assert_allclose(state.alpha, torch.linalg.solve(K + ridge * torch.eye(N), Y), atol=1e-4 * state.alpha.abs().max())


def test_columns_are_solved_to_their_own_spread() -> None:
    """A constant, nothing, the same labels at a scale of 1e8 around 1e9, and noise: each as if it were alone."""
    blocks, Y = problem(2)
    noise = torch.as_tensor(np.random.default_rng(1).standard_normal(N))
    mixed = torch.stack([torch.ones(N), torch.zeros(N), 1e9 + 1e8 * Y[:, 0], noise], dim=1).double()
    F = pivoted_cholesky(blocks, N, 200, np.random.default_rng(0))
    kernel = SymmetricKernel(blocks, N, Cache(0))
    *_, last = conjugate_gradients(kernel, mixed, 0.1, Preconditioner(F, 0.1), tolerance=1e-4)
    assert last.residual <= 1e-4
    left = (mixed - kernel.product(last.alpha) - 0.1 * last.alpha).norm(dim=0)
    assert not last.alpha[:, 1].any()
    assert float(left[0]) <= 1.1e-4 * N**0.5
    assert float(left[2]) <= 1.1e-4 * float(mixed[:, 2].std()) * N**0.5
    assert float(left[3]) <= 1.1e-4 * N**0.5


class _Negative(SymmetricKernel):
    """A matrix whose eigenvalues are all -1."""

    def product(self, B: torch.Tensor) -> torch.Tensor:
        return -B


def test_a_matrix_that_is_not_positive_definite_ends_them() -> None:
    """No error, and the residual tells: what was reached before is kept."""
    blocks, Y = problem()
    kernel = _Negative(blocks, N, Cache(0))
    precondition = Preconditioner(torch.empty((N, 0)), 0.1)
    states = list(conjugate_gradients(kernel, Y, 0.1, precondition, tolerance=1e-3))
    assert [state.number for state in states] == [0]
    assert states[0].residual > 1.0
    assert not states[0].alpha.any()


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

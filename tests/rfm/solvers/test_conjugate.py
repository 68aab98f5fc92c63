"""Conjugate gradients give the solution of linear algebra, in few iterations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from rfm.kernels import Laplace
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


def test_the_factor_saves_iterations() -> None:
    blocks, Y = problem()
    kernel = SymmetricKernel(blocks, N, Cache(10**8))
    numbers = []
    for rank in (0, 30, 300):
        F = pivoted_cholesky(blocks, N, rank, np.random.default_rng(0))
        *_, last = conjugate_gradients(kernel, Y, 0.01, Preconditioner(F, 0.01), tolerance=1e-3)
        assert last.residual <= 1e-3
        numbers.append(last.number)
    assert numbers[2] < numbers[1] / 1.5
    assert numbers[1] < numbers[0] / 1.5


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

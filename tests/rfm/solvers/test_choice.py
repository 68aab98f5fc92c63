"""The rule of solvers, and what is recorded."""

from __future__ import annotations

import numpy as np
import torch
from numpy.testing import assert_allclose

from rfm.kernels import Laplace
from rfm.linalg import solve_ridge
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.choice import JOINT_EPOCHS, MOST_EPOCHS, VALIDATION_ROWS, VALIDATION_SHARE, solve_blocks


def problem(n: int) -> tuple[RadialBlocks, torch.Tensor]:
    draws = np.random.default_rng(4)
    X = torch.as_tensor(draws.standard_normal((n, 4))).float()
    return RadialBlocks(Laplace(5.0), X), torch.as_tensor(np.eye(2)[(X[:, 0] * X[:, 1] > 0).int().numpy()])


def test_up_to_the_limit_the_system_is_solved_directly() -> None:
    blocks, Y = problem(1500)  # more than one stripe
    solution = solve_blocks(blocks, Y, 0.1, seed=0, direct_rows=1500)
    K = blocks.block(slice(0, 1500), slice(0, 1500))
    assert (solution.solver, solution.account) == ("cholesky", {})
    assert_allclose(solution.alpha, solve_ridge(K, 0.1, Y.float()).alpha, rtol=1e-6, atol=1e-8)


def test_beyond_it_the_best_epoch_on_held_out_rows_is_taken() -> None:
    n = 900
    blocks, Y = problem(n)
    solution = solve_blocks(blocks, Y, 0.5, seed=0, direct_rows=n - 1)
    account = solution.account
    held = min(VALIDATION_ROWS, round(VALIDATION_SHARE * n))
    assert solution.solver == "eigenpro"
    assert account["held_out_rows"] == held == 18
    assert 1 <= account["epoch"] <= account["epochs"] <= MOST_EPOCHS - JOINT_EPOCHS
    K = blocks.block(slice(0, n), slice(0, n)).double()
    left = (K @ solution.alpha + 0.5 * solution.alpha - Y).norm(dim=1)
    assert float(left[:-held].mean()) < 0.03
    # The rows held out took part in the end: a solution of the others leaves more than twice as much there.
    others = torch.linalg.solve(K[:-held, :-held] + 0.5 * torch.eye(n - held), Y[:-held])
    unseen = (K[-held:, :-held] @ others - Y[-held:]).norm(dim=1)
    assert float(left[-held:].mean()) < float(unseen.mean()) / 2


def test_labels_that_are_noise_stop_the_iteration_early() -> None:
    """Nothing can be learned from them, so an early epoch is the best and the iteration gives up soon."""
    blocks, _ = problem(900)
    Y = torch.as_tensor(np.eye(2)[np.random.default_rng(1).integers(0, 2, 900)])
    account = solve_blocks(blocks, Y, 1e-4, seed=0, direct_rows=0).account
    assert account["epoch"] <= 3
    assert account["epochs"] < 20


def test_where_single_precision_fails_the_iteration_takes_over() -> None:
    """Rows in pairs and hardly any ridge: the float32 matrix has no Cholesky factor."""
    half, _ = problem(400)
    X = half.rows.coordinates.repeat(2, 1)
    Y = torch.as_tensor(np.eye(2)[(X[:, 0] > 0).int().numpy()])
    solution = solve_blocks(RadialBlocks(Laplace(5.0), X), Y, 1e-9, seed=0, direct_rows=10_000)
    assert solution.solver == "eigenpro"
    assert bool(torch.isfinite(solution.alpha).all())

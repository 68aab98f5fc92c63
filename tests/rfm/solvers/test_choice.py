"""The rule of solvers, and what is recorded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from rfm.estimators import KernelRidgeRegressor
from rfm.kernels import Laplace
from rfm.large import LargeSweep
from rfm.linalg import solve_ridge
from rfm.solvers import choice
from rfm.solvers.blocks import Cache, RadialBlocks, SymmetricKernel
from rfm.solvers.choice import JOINT_EPOCHS, MOST_EPOCHS, VALIDATION_ROWS, VALIDATION_SHARE, solve_blocks


def problem(n: int) -> tuple[RadialBlocks, torch.Tensor]:
    draws = np.random.default_rng(4)
    X = torch.as_tensor(draws.standard_normal((n, 4))).float()
    return RadialBlocks(Laplace(5.0), X), torch.as_tensor(np.eye(2)[(X[:, 0] * X[:, 1] > 0).int().numpy()])


def test_up_to_the_limit_the_system_is_solved_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, Y = problem(1500)  # more than one stripe
    K = blocks.block(slice(0, 1500), slice(0, 1500))
    expected = solve_ridge(K, 0.1, Y.float()).alpha
    for solver in ("auto", "cholesky"):
        solution = solve_blocks(blocks, Y, 0.1, seed=0, solver=solver)
        assert (solution.solver, solution.account) == ("cholesky", {})
        assert_allclose(solution.alpha, expected, rtol=1e-6, atol=1e-8)
    monkeypatch.setattr(choice, "DIRECT_ROWS", 1499)
    assert solve_blocks(blocks, Y, 0.1, seed=0).solver == "cg"


def test_where_gradients_do_not_converge_the_epochs_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, Y = problem(900)
    monkeypatch.setattr(choice, "MOST_ITERATIONS", 1)
    monkeypatch.setattr(choice, "ACCEPTED", 1e-9)
    direct = solve_blocks(blocks, Y, 0.1, seed=0, solver="cg")
    assert (direct.solver, direct.unsolved) == ("cholesky", "")
    assert direct.account["conjugate_gradients"]["iterations"] == 1
    monkeypatch.setattr(choice, "DIRECT_ROWS", 100)
    solution = solve_blocks(blocks, Y, 0.1, seed=0, solver="cg")
    assert solution.solver == "eigenpro"
    assert 'solver="cg"' not in solution.unsolved
    assert 'solver="cholesky"' in solution.unsolved
    assert solution.account["conjugate_gradients"]["iterations"] == 1
    assert solution.account["epochs"] >= 1
    monkeypatch.setattr(choice, "ACCEPTED", 1.0)
    near = solve_blocks(blocks, Y, 0.1, seed=0, solver="cg")
    assert near.solver == "cg"
    assert near.account["residual"] > choice.CONVERGED


@pytest.mark.parametrize("ridge", [1e-12, 1e-3, 1.0])
@pytest.mark.parametrize("solver", ["cg", "eigenpro"])
def test_what_is_off_on_repeated_rows_says_so(solver: str, ridge: float) -> None:
    """Rows three times over, with other targets each time: scores within 2 % of the solution's, or it is unsolved."""
    draws = np.random.default_rng(0)
    rows, others = draws.standard_normal((300, 5)), draws.standard_normal((200, 5))
    X = torch.as_tensor(np.concatenate([np.repeat(rows, 3, axis=0), others]))
    order = torch.as_tensor(draws.permutation(900))
    X[:900] = X[order]
    Y = X[:900, :1].sin() + 0.3 * torch.as_tensor(draws.standard_normal((900, 1)))
    exact, blocks = RadialBlocks(Laplace(3.0), X), RadialBlocks(Laplace(3.0), X.float())
    K = exact.block(slice(0, 1100), slice(0, 900)).double()
    values, vectors = torch.linalg.eigh((K[:900] + K[:900].T) / 2)
    parts = torch.where(values > 1e-13 * values[-1], 1 / (values + ridge), 0.0)
    expected = K[900:] @ (vectors @ (parts[:, None] * (vectors.T @ Y)))
    solution = solve_blocks(blocks, Y, ridge, seed=0, solver=solver)
    found = blocks.product(slice(900, 1100), slice(0, 900), solution.alpha)
    close = float((found - expected).norm() / (expected - expected.mean()).norm()) < 0.02
    assert close or solution.unsolved
    left = SymmetricKernel(blocks, 900, Cache(0)).product(solution.alpha) + ridge * solution.alpha - Y
    # With hardly any ridge the recursion of conjugate gradients has another residual: it is worked out anew.
    assert_allclose(solution.account["residual"], float(left.norm() / (Y - Y.mean()).norm()), rtol=0.01)
    assert (solution.unsolved == "") == (solution.account["residual"] <= choice.ACCEPTED)
    if solver == "eigenpro":
        assert bool(solution.unsolved) == (ridge < 1.0)
        told = f"residual of {solution.account['residual']:.2g}", f"ridge {ridge:.3g} on 900 rows", "larger ridge"
        assert all(words in solution.unsolved for words in told) == (ridge < 1.0)


def test_a_chain_warns_once() -> None:
    draws = np.random.default_rng(0)
    X = np.repeat(draws.standard_normal((100, 3)), 3, axis=0)
    Y = draws.standard_normal((300, 1))
    rows = np.arange(300)
    with pytest.warns(RuntimeWarning, match="larger ridge") as told:
        LargeSweep(X, Y, solver="eigenpro").fit(rows, rows[:5], ridge=1e-12, unit_norm=False, iterations=2)
    assert len(told) == 1
    with pytest.warns(RuntimeWarning, match="larger ridge") as told:
        KernelRidgeRegressor("ntk", ridge=1e-12, solver="eigenpro").fit(X, Y[:, 0])
    assert len(told) == 1


@pytest.mark.parametrize("solver", ["cg", "eigenpro"])
def test_a_column_that_is_constant_but_for_rounding_is_not_called_unsolved(solver: str) -> None:
    X = torch.as_tensor(np.random.default_rng(0).standard_normal((300, 3))).float()
    Y = torch.full((300, 1), 1 / 3, dtype=torch.float64)
    Y[::2] += 6e-17  # the next number is 5.6e-17 away
    assert float((Y - Y.mean()).norm()) > 0
    solution = solve_blocks(RadialBlocks(Laplace(10.0), X), Y, 1.0, seed=0, solver=solver)
    assert solution.unsolved == ""
    assert solution.account["residual"] <= choice.ACCEPTED


@pytest.mark.parametrize("solver", choice.SOLVERS)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 9])
def test_a_handful_of_rows_is_solved_whatever_is_asked_for(n: int, solver: str) -> None:
    blocks, Y = problem(9)
    solution = solve_blocks(blocks, Y[:n], 1.0, seed=0, solver=solver)
    K = blocks.block(slice(0, n), slice(0, n)).double()
    assert_allclose(solution.alpha, torch.linalg.solve(K + torch.eye(n), Y[:n]), atol=0.1)


def test_the_best_epoch_on_held_out_rows_is_taken() -> None:
    n = 900
    blocks, Y = problem(n)
    solution = solve_blocks(blocks, Y, 0.5, seed=0, solver="eigenpro")
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
    account = solve_blocks(blocks, Y, 1e-4, seed=0, solver="eigenpro").account
    assert account["epoch"] <= 3
    assert account["epochs"] < 20


@pytest.mark.parametrize("solver", choice.SOLVERS)
def test_where_single_precision_fails_there_is_a_solution_all_the_same(solver: str) -> None:
    """Rows in pairs and hardly any ridge: the float32 matrix has no Cholesky factor, or hardly one."""
    half, _ = problem(400)
    X = half.rows.coordinates.repeat(2, 1)
    Y = torch.as_tensor(np.eye(2)[(X[:, 0] > 0).int().numpy()])
    blocks = RadialBlocks(Laplace(5.0), X)
    solution = solve_blocks(blocks, Y, 1e-9, seed=0, solver=solver)
    assert solution.solver in ("cg", "eigenpro")
    fitted = blocks.product(slice(0, 800), slice(0, 800), solution.alpha)
    assert float((fitted - Y).norm() / Y.norm()) < 0.1

"""EigenPro goes where the direct solution is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rfm.kernels import Laplace
from rfm.linalg import solve_ridge
from rfm.solvers.blocks import KernelBlocks, RadialBlocks, RowsAt
from rfm.solvers.eigenpro import EigenPro
from rfm.solvers.tangent import TangentBlocks


def problem(n: int, others: int, d: int = 6, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (n + others, d) float32 in clusters, and one-hot targets (n, classes) of noisy labels."""
    draws = np.random.default_rng(8)
    X = draws.standard_normal((n + others, d)) + 2.0 * draws.integers(0, 2, (n + others, d))
    labels = (np.sin(X[:n, 0] * 2) + X[:n, 1] > 1).astype(int) + (X[:n, 2] > 2)
    labels = np.where(draws.random(n) < 0.1, draws.integers(0, classes, n), labels)
    return torch.as_tensor(X - X.mean(axis=0)).float(), torch.as_tensor(np.eye(classes)[labels])


def residual_norm(blocks: KernelBlocks, ridge: float, Y: torch.Tensor, alpha: torch.Tensor) -> float:
    K = blocks.block(slice(0, len(Y)), slice(0, len(Y))).double()
    return float((K @ alpha + ridge * alpha - Y).norm() / Y.norm())


@pytest.mark.slow
def test_on_2500_rows_predictions_reach_the_direct_ones_and_residuals_fall() -> None:
    """Within 1e-3 everywhere, in at most 20 epochs. Both the Frobenius norm of the regularised residual and the norm
    of the error in the function space, (a - a*)' (K + ridge I) (a - a*), fall from epoch to epoch."""
    n, ridge = 2500, 1.0
    X, Y = problem(n, 300)
    blocks = RadialBlocks(Laplace(10.0), X)
    K = blocks.block(slice(0, n), slice(0, n))
    direct = solve_ridge(K, ridge, Y.float()).alpha
    A = K.double()
    A.diagonal().add_(ridge)
    expected = blocks.product(slice(n, n + 300), slice(0, n), direct)
    residuals, errors, reported = [1.0], [np.inf], []
    for epoch in EigenPro(blocks, Y, ridge, seed=1, subsample=500).epochs(20, slice(n, n + 300)):
        error = epoch.alpha - direct
        residuals.append(float((A @ epoch.alpha - Y).norm() / Y.norm()))
        errors.append(float((error * (A @ error)).sum()))
        reported.append(epoch.residual)
        if residuals[-1] < 3e-4:
            break
    assert_allclose(epoch.scores, expected, atol=1e-3)
    assert np.all(np.diff(residuals) < 0)
    assert np.all(np.diff(errors) < 0)
    # What an epoch reports was found on the way from one state to the next.
    assert np.all(np.diff(reported) < 0)
    assert all(after <= found for found, after in zip(reported, residuals[1:], strict=True))


@pytest.mark.parametrize("ridge", [0.0, 0.01, 10.0])
def test_small_problems_are_solved_whatever_the_ridge(ridge: float) -> None:
    n = 300
    X, Y = problem(n, 50)
    blocks = RadialBlocks(Laplace(1.0), X.double())  # a short bandwidth: no eigenvalue is small
    K = blocks.block(slice(0, n), slice(0, n))
    exact = torch.linalg.solve(K + ridge * torch.eye(n), Y)
    *_, last = EigenPro(blocks, Y, ridge, seed=2, subsample=100, batch=32).epochs(80, slice(n, n + 50))
    assert_allclose(last.scores, blocks.product(slice(n, n + 50), slice(0, n), exact), atol=1e-4)


def test_rows_of_very_different_size_do_not_slow_each_other_down() -> None:
    """The neural tangent kernel's diagonal is |x|^2: rows are scaled to a diagonal of ones."""
    X, Y = problem(400, 0)
    X[::40] *= 50.0
    blocks = TangentBlocks(X, 2)
    *_, last = EigenPro(blocks, Y, 20.0, seed=2, subsample=200, batch=64).epochs(40)
    assert residual_norm(blocks, 20.0, Y, last.alpha) < 0.02


def test_the_seed_determines_the_path() -> None:
    X, Y = problem(400, 20)
    blocks = RadialBlocks(Laplace(5.0), X)

    def path(seed: int) -> np.ndarray:
        epochs = EigenPro(blocks, Y, 0.1, seed=seed, subsample=100, batch=64).epochs(3, slice(400, 420))
        return np.stack([epoch.scores.numpy() for epoch in epochs])

    assert_array_equal(path(5), path(5))
    assert np.abs(path(5) - path(6)).max() > 1e-6


def test_one_column_at_a_time_is_the_same_path() -> None:
    """Steps depend on the kernel alone, so outputs do not touch each other."""
    X, Y = problem(300, 0)
    blocks = RadialBlocks(Laplace(5.0), X.double())
    (*_, together), *columns = (
        EigenPro(blocks, targets, 0.1, seed=5, subsample=100, batch=64).epochs(4) for targets in (Y, *Y.split(1, dim=1))
    )
    assert_allclose(together.alpha, torch.cat([list(path)[-1].alpha for path in columns], dim=1), atol=1e-12)


def test_rows_may_join_later() -> None:
    """The iteration then goes on to the solution of them all, however many came first."""
    X, Y = problem(400, 0)
    blocks = RadialBlocks(Laplace(3.0), X.double())
    iteration = EigenPro(blocks, Y[:250], 0.5, seed=5, subsample=100, batch=64)
    *_, first = iteration.epochs(3)
    iteration.admit(Y[250:])
    start = torch.cat([first.alpha, torch.zeros_like(Y[250:])])
    path = [start, *(epoch.alpha for epoch in iteration.epochs(30, start=start))]
    residuals = [residual_norm(blocks, 0.5, Y, alpha) for alpha in path]
    assert np.all(np.diff(residuals) < 0)
    assert residuals[-1] < 1e-6


def test_a_step_that_diverges_is_taken_back_and_halved() -> None:
    X, Y = problem(500, 0)
    blocks = RadialBlocks(Laplace(10.0), X)
    iteration = EigenPro(blocks, Y, 0.5, seed=1, subsample=100, batch=64)
    iteration.step *= 8
    epochs = list(iteration.epochs(30))
    assert residual_norm(blocks, 0.5, Y, epochs[-1].alpha) < 0.05
    assert all(bool(torch.isfinite(epoch.alpha).all()) for epoch in epochs)


class _Watched(RadialBlocks):
    """Notes the largest kernel block that is asked for."""

    largest = 0

    def fill_(self, rows: RowsAt, columns: RowsAt, K: torch.Tensor) -> None:
        self.largest = max(self.largest, K.numel())
        super().fill_(rows, columns, K)

    def block(self, rows: RowsAt, columns: RowsAt) -> torch.Tensor:
        K = super().block(rows, columns)
        self.largest = max(self.largest, K.numel())
        return K


def test_no_block_grows_with_the_square_of_the_rows() -> None:
    X, Y = problem(6000, 0)
    blocks = _Watched(Laplace(10.0), X)
    list(EigenPro(blocks, Y, 1.0, seed=1, subsample=200, batch=256).epochs(1))
    assert 0 < blocks.largest <= 2048 * 200


@pytest.mark.parametrize(
    ("targets", "ridge", "words"),
    [
        (torch.ones(1, 1), 0.1, "2 to 20 rows"),
        (torch.ones(21, 1), 0.1, "2 to 20 rows"),
        (torch.ones(10, 1), -0.1, "ridge must not be negative"),
        (torch.ones(10, 1), float("nan"), "ridge must not be negative"),
        (torch.full((10, 1), float("nan")), 0.1, "not finite"),
    ],
)
def test_what_cannot_be_solved_is_refused(targets: torch.Tensor, ridge: float, words: str) -> None:
    blocks = RadialBlocks(Laplace(10.0), torch.zeros(20, 2))
    with pytest.raises(ValueError, match=words):
        EigenPro(blocks, targets, ridge, seed=0)


def test_equal_rows_and_targets_of_zero_are_no_obstacle() -> None:
    """A kernel of rank one, all but one eigenvalue of which is the ridge's; and nothing to learn."""
    blocks = RadialBlocks(Laplace(10.0), torch.ones(40, 3))
    Y = torch.arange(40, dtype=torch.float64)[:, None]
    *_, last = EigenPro(blocks, Y, 0.5, seed=0, subsample=20, batch=8).epochs(60, slice(0, 40))
    assert_allclose(last.scores, np.full((40, 1), Y.sum() / 40.5), rtol=1e-3)
    blocks = RadialBlocks(Laplace(10.0), problem(200, 10)[0])
    zero = torch.zeros(200, 2, dtype=torch.float64)
    *_, last = EigenPro(blocks, zero, 0.1, seed=1, subsample=50).epochs(2, slice(200, 210))
    assert last.residual == 0.0
    assert not last.scores.any()

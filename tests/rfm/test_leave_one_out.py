"""Leave-one-out scores in closed form against refits without each row."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfm import leave_one_out
from rfm.kernels import Laplace, kernel_matrix
from rfm.leave_one_out import leave_one_out_scores
from rfm.ntk import ntk_matrix
from rfm.product import product_kernel

Floats = NDArray[np.float64]
RIDGES = (10.0, 0.1, 1e-3, 1e-8)


def refitted(K: Floats, Y: Floats, ridge: float, weights: Floats | None = None) -> Floats:
    """Row by row: (K + ridge diag(weights)^-1) alpha = Y among the others."""
    weights = np.ones(len(Y)) if weights is None else weights
    scores = np.empty_like(Y)
    for i in range(len(Y)):
        rest = np.flatnonzero((weights > 0) & (np.arange(len(Y)) != i))
        scores[i] = K[i, rest] @ np.linalg.solve(K[np.ix_(rest, rest)] + np.diag(ridge / weights[rest]), Y[rest])
    return scores


@pytest.fixture
def X() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(40, 3)))


@pytest.fixture
def Y() -> Floats:
    return np.eye(3)[np.random.default_rng(1).integers(3, size=40)]


KERNELS = {
    "laplace": lambda X: kernel_matrix(Laplace(), X),
    "product": lambda X: product_kernel(X / 10.0),
    "ntk": lambda X: ntk_matrix(X, X, 3),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_are_those_of_refits(kernel: str, X: torch.Tensor, Y: Floats) -> None:
    K = KERNELS[kernel](X).numpy()
    scores = leave_one_out_scores(K, Y, RIDGES)
    assert scores.shape == (len(RIDGES), 40, 3)
    for found, ridge in zip(scores, RIDGES, strict=True):
        np.testing.assert_allclose(found, refitted(K, Y, ridge), atol=1e-7)


def test_weights_are_those_of_the_squared_errors(X: torch.Tensor, Y: Floats) -> None:
    K = kernel_matrix(Laplace(), X).numpy()
    weights = np.random.default_rng(2).exponential(size=40)
    weights[[3, 17]] = 0.0
    for found, ridge in zip(leave_one_out_scores(K, Y, RIDGES, sample_weight=weights), RIDGES, strict=True):
        np.testing.assert_allclose(found, refitted(K, Y, ridge, weights), atol=1e-7)
    np.testing.assert_allclose(
        leave_one_out_scores(K, Y, RIDGES, sample_weight=np.full(40, 1.0)), leave_one_out_scores(K, Y, RIDGES)
    )


def test_rows_that_occur_twice(X: torch.Tensor, Y: Floats) -> None:
    X[20:] = X[:20]
    K = kernel_matrix(Laplace(), X).numpy()
    for found, ridge in zip(leave_one_out_scores(K, Y, (1.0, 1e-6)), (1.0, 1e-6), strict=True):
        np.testing.assert_allclose(found, refitted(K, Y, ridge), atol=1e-6)
    assert np.isfinite(leave_one_out_scores(K, Y, [1e-15])).all()


def test_a_matrix_that_rounding_left_indefinite(Y: Floats) -> None:
    Z = np.random.default_rng(3).normal(size=(40, 4))
    K = Z @ Z.T - 1e-9 * np.eye(40)
    scores = leave_one_out_scores(K, Y, [1e-10])
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(leave_one_out_scores(K, Y, [0.1])[0], refitted(K, Y, 0.1), atol=1e-6)


def test_few_rows() -> None:
    assert leave_one_out_scores(np.ones((1, 1)), np.array([[5.0]]), [1.0]).tolist() == [[[0.0]]]
    assert leave_one_out_scores(np.empty((0, 0)), np.empty((0, 2)), [1.0]).shape == (1, 0, 2)
    alone = leave_one_out_scores(np.ones((2, 2)), np.array([[1.0], [3.0]]), [1.0], sample_weight=np.zeros(2))
    assert alone.tolist() == [[[0.0], [0.0]]]


def test_faults(Y: Floats) -> None:
    K = np.eye(40)
    for matrix, targets, ridges, words in (
        (K, Y, [1.0, 0.0], "ridges must be positive"),
        (K[:3], Y, [1.0], "K must be"),
        (K, Y * np.nan, [1.0], "not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            leave_one_out_scores(matrix, targets, ridges)
    for weights in (np.full(40, -1.0), np.ones(3), np.full(40, np.inf)):
        with pytest.raises(ValueError, match="sample_weight must be"):
            leave_one_out_scores(K, Y, [1.0], sample_weight=weights)


def test_the_example() -> None:
    assert doctest.testmod(leave_one_out).failed == 0

"""Leave-one-out scores in closed form against refits without each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfm.kernels import Laplace, kernel_matrix
from rfm.leave_one_out import leave_one_out_scores
from rfm.ntk import ntk_matrix
from rfm.product import product_kernel

Floats = NDArray[np.float64]


def refitted(K: Floats, Y: Floats, ridge: float, weights: Floats | None = None) -> Floats:
    """Row by row: (K + ridge diag(weights)^-1) alpha = Y among the others."""
    weights = np.ones(len(Y)) if weights is None else weights
    scores = np.empty_like(Y)
    for i in range(len(Y)):
        rest = np.flatnonzero((weights > 0) & (np.arange(len(Y)) != i))
        scores[i] = K[i, rest] @ np.linalg.solve(K[np.ix_(rest, rest)] + np.diag(ridge / weights[rest]), Y[rest])
    return scores


@pytest.fixture
def Y() -> Floats:
    return np.eye(3)[np.random.default_rng(1).integers(3, size=40)]


ROWS = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 3)))
TWICE = ROWS[:20].repeat(2, 1)
WEIGHTS = np.where(np.isin(np.arange(40), [3, 17]), 0.0, np.random.default_rng(2).exponential(size=40))


@pytest.mark.parametrize("weights", [None, WEIGHTS, np.ones(40)], ids=["none", "some of them 0", "equal"])
@pytest.mark.parametrize(
    ("K", "ridges"),
    [
        (kernel_matrix(Laplace(), ROWS), (10.0, 0.1, 1e-3, 1e-8)),
        (product_kernel(ROWS / 10.0), (10.0, 0.1, 1e-3, 1e-8)),
        (ntk_matrix(ROWS, ROWS, 3), (10.0, 0.1, 1e-3, 1e-8)),
        (kernel_matrix(Laplace(), TWICE), (1.0, 1e-6)),
    ],
    ids=["laplace", "product", "ntk", "rows that occur twice"],
)
def test_scores_are_those_of_refits(
    K: torch.Tensor, ridges: tuple[float, ...], weights: Floats | None, Y: Floats
) -> None:
    """Weights are those of the squared errors."""
    scores = leave_one_out_scores(K.numpy(), Y, ridges, sample_weight=weights)
    assert scores.shape == (len(ridges), 40, 3)
    for found, ridge in zip(scores, ridges, strict=True):
        np.testing.assert_allclose(
            found, refitted(K.numpy(), Y, ridge, weights), atol=1e-6 if len(ridges) == 2 else 1e-7
        )
    assert np.isfinite(leave_one_out_scores(K.numpy(), Y, [1e-15])).all()


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


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ridges": [1.0, 0.0]}, "ridges must be positive"),
        ({"K": np.eye(40)[:3]}, "K must be"),
        ({"Y": np.full((40, 3), np.nan)}, "not finite"),
        *(
            ({"sample_weight": w}, "sample_weight must be")
            for w in (np.full(40, -1.0), np.ones(3), np.full(40, np.inf))
        ),
    ],
)
def test_faults(changed: dict[str, Any], words: str, Y: Floats) -> None:
    with pytest.raises(ValueError, match=words):
        leave_one_out_scores(**{"K": np.eye(40), "Y": Y, "ridges": [1.0]} | changed)

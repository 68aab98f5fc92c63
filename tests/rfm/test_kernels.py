"""Radial kernels against SciPy's distances; their gradients are test_agop's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from rfm.arrays import row_blocks
from rfm.kernels import (
    Gaussian,
    GeneralisedLaplace,
    Laplace,
    RadialKernel,
    kernel_between_,
    kernel_lower_,
    kernel_matrix,
    make_kernel,
)
from rfm.rows import equal_rows, euclidean_rows, metric_rows

Array = NDArray[np.float64]

KERNELS = [
    Laplace(10.0),
    Laplace(0.7),
    Gaussian(2.0),
    GeneralisedLaplace(3.0, 0.5),
    GeneralisedLaplace(3.0, 1.5),
    GeneralisedLaplace(3.0, 2.0),
]
METRICS = ["identity", "diagonal", "full", "singular"]


def textbook(kernel: RadialKernel, distance: Array) -> Array:
    """The kernels' formulas as their docstrings state them."""
    scaled = distance / kernel.bandwidth
    if isinstance(kernel, Gaussian):
        return np.exp(-(scaled**2) / 2)
    return np.exp(-(scaled ** getattr(kernel, "exponent", 1.0)))


def random_metric(kind: str, d: int, rng: np.random.Generator) -> Array | None:
    if kind == "identity":
        return None
    if kind == "diagonal":
        return rng.uniform(0.1, 2.0, size=d)
    root = rng.normal(size=(d, d if kind == "full" else d - 1))
    return root @ root.T / d


def metric_distance(X: Array, Z: Array, M: Array | None) -> Array:
    if M is None:
        return cdist(X, Z)
    values, vectors = np.linalg.eigh(np.diag(M) if M.ndim == 1 else M)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return cdist(X @ root, Z @ root)


def lower(kernel: RadialKernel, X: torch.Tensor, M: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """K and L^2 W (n, n), of which the lower triangles are written."""
    K, W = X.new_zeros((2, len(X), len(X)))
    kernel_lower_(kernel, metric_rows(X, M, kernel.bandwidth), K, W)
    return K, W


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-4)])
def test_kernel_matrix_is_the_textbook_formula(
    kernel: RadialKernel, kind: str, dtype: torch.dtype, tolerance: float
) -> None:
    rng = np.random.default_rng(5)
    X, Z = rng.normal(size=(37, 6)), rng.normal(size=(23, 6))
    M = random_metric(kind, 6, rng)
    given = [torch.as_tensor(a, dtype=dtype) for a in (X, Z)]
    metric = None if M is None else torch.as_tensor(M, dtype=dtype)
    within = kernel_matrix(kernel, given[0], M=metric).numpy()
    across = kernel_matrix(kernel, given[0], given[1], M=metric).numpy()
    np.testing.assert_allclose(within, textbook(kernel, metric_distance(X, X, M)), atol=tolerance)
    np.testing.assert_allclose(across, textbook(kernel, metric_distance(X, Z, M)), atol=tolerance)
    assert (np.diag(within) == 1.0).all()
    assert (within == within.T).all()
    assert within.max() <= 1.0


@pytest.mark.parametrize("n", [1, 2, 16, 17, 513])
def test_blocks_of_rows_leave_nothing_out(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm.kernels.row_blocks", partial(row_blocks, budget=1))
    X = torch.as_tensor(np.random.default_rng(n).normal(size=(n, 3)))
    expected = textbook(Laplace(2.0), cdist(X.numpy(), X.numpy()))
    np.testing.assert_allclose(kernel_matrix(Laplace(2.0), X).numpy(), expected, atol=1e-10)
    np.testing.assert_allclose(kernel_matrix(Laplace(2.0), X, X.clone()).numpy(), expected, atol=1e-10)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_coincident_rows_have_kernel_one_and_no_gradient(kernel: RadialKernel, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(2)
    distinct = rng.normal(size=(5, 30)) * 3.0
    X = torch.as_tensor(np.repeat(distinct, 4, axis=0), dtype=dtype)
    same = np.repeat(np.arange(5), 4)
    pairs = same[:, None] == same[None, :]
    K, W = (A.numpy() for A in lower(kernel, X))
    below = np.tril(np.ones((20, 20), dtype=bool))
    assert (K[pairs & below] == 1.0).all()
    assert (W[pairs & below] == 0.0).all()
    assert np.isfinite(W[below]).all()
    assert (W[~pairs & below] > 0.0).all()
    assert (kernel_matrix(kernel, X, X.clone()).numpy()[pairs] == 1.0).all()


def close_pairs(gap: float, n: int = 60) -> Array:
    """Rows far from the origin: the second half lies at the distance ``gap`` times its norm from the first."""
    rng = np.random.default_rng(7)
    X, steps = rng.normal(size=(2, n // 2, 8))
    X += 3.0
    steps *= gap * np.linalg.norm(X, axis=1, keepdims=True) / np.linalg.norm(steps, axis=1, keepdims=True)
    return np.concatenate([X, X + steps])


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
def test_float32_tells_close_rows_apart(kind: str, gap: float) -> None:
    """A Gram matrix in float32 would have these pairs' distances from the rounding of their norms alone."""
    X = torch.as_tensor(close_pairs(gap)).float()
    M = random_metric(kind, 8, np.random.default_rng(1))
    exact = metric_distance(X.double().numpy(), X.double().numpy(), M)
    kernel = Laplace(1.0)
    metric = None if M is None else torch.as_tensor(M)
    pairs = np.arange(30), np.arange(30, 60)
    for K in (kernel_matrix(kernel, X, M=metric), kernel_matrix(kernel, X, X.clone(), metric)):
        distance = -np.log(K.double().numpy()[pairs])
        np.testing.assert_allclose(distance, exact[pairs], rtol=2e-2, atol=3e-7)
    weights = lower(kernel, X, metric)[1].numpy()[pairs[1], pairs[0]]
    np.testing.assert_allclose(weights, np.exp(-exact[pairs]) / exact[pairs], rtol=2e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_apart_by_their_rounding_coincide(dtype: torch.dtype) -> None:
    X = torch.as_tensor(close_pairs(0.0), dtype=dtype)
    X[30:] *= 1.0 + 2.0 * torch.finfo(dtype).eps
    assert (lower(Laplace(1.0), X)[1].numpy()[np.arange(30, 60), np.arange(30)] == 0.0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_knowing_equal_rows_changes_nothing(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    X = torch.as_tensor(rng.normal(size=(6, 3))[rng.integers(0, 6, size=90)], dtype=dtype)
    X[-1] = X[0] * (1.0 + 1000.0 * torch.finfo(dtype).eps)
    groups = equal_rows(X)
    assert groups is not None
    equal = (X[:, None] == X[None]).all(dim=2)
    assert torch.equal(groups[:, None] == groups[None], equal)
    results = []
    for known in (None, groups):
        K, W = torch.zeros((2, 90, 90), dtype=dtype)
        rows = euclidean_rows(X, 2.0, groups=known)
        kernel_lower_(Laplace(2.0), rows, K, W)
        between = torch.empty((40, 50), dtype=dtype)
        kernel_between_(Laplace(2.0), *rows.split(40), between)
        results.append((K.tril(), W.tril(), between))
    for without, with_groups in zip(*results, strict=True):
        assert torch.equal(without, with_groups)
    assert (results[1][1][equal.tril()] == 0.0).all()
    assert float(results[1][1][-1].max()) > 100.0  # a close row is none of the equal ones


def test_rows_that_differ_only_where_the_metric_is_zero_coincide() -> None:
    X = torch.tensor([[1.0, 5.0], [1.0, -3.0], [2.0, 0.0]], dtype=torch.float64)
    M = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    K, W = lower(Laplace(1.0), X, M)
    assert (float(K[1, 0]), float(W[1, 0])) == (1.0, 0.0)
    assert float(K[2, 0]) == pytest.approx(np.exp(-1.0))


def test_make_kernel_makes_what_was_asked_for_or_refuses() -> None:
    assert make_kernel("laplace", 2.0) == Laplace(2.0)
    assert make_kernel("gaussian", 2.0) == Gaussian(2.0)
    assert make_kernel("generalised_laplace", 2.0, 0.5) == GeneralisedLaplace(2.0, 0.5)
    for name, bandwidth, exponent, message in (
        ("laplace", 0.0, 1.0, "bandwidth must be positive"),
        ("gaussian", float("nan"), 1.0, "bandwidth must be positive"),
        ("generalised_laplace", 1.0, 2.5, r"exponent must be in \(0, 2\]"),
        ("generalised_laplace", 1.0, 0.0, r"exponent must be in \(0, 2\]"),
        ("no-such", 1.0, 1.0, "unknown kernel 'no-such'"),
    ):
        with pytest.raises(ValueError, match=message):
            make_kernel(name, bandwidth, exponent)


def test_no_rows_on_one_side() -> None:
    rows = metric_rows(torch.ones((3, 2)), None, 1.0)
    K = torch.empty((0, 3))
    kernel_between_(Laplace(1.0), metric_rows(torch.ones((0, 2)), None, 1.0), rows, K)
    assert K.shape == (0, 3)

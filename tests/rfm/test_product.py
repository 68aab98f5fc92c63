"""The product Laplace kernel: values and gradients against plain loops and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfm import product
from rfm.product import ColumnOrder, agop_diagonals, product_kernel, product_scores


def mixed_table(n: int = 40, seed: int = 0) -> NDArray[np.float64]:
    """Columns of numbers, of ties among them, of two values and of one; rows that occur twice."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n), np.round(rng.normal(size=n), 1), rng.integers(2, size=n), np.full(n, 0.3)]
    X = np.column_stack(columns)
    X[n // 2 : n // 2 + 5] = X[:5]
    return X


WEIGHTS = np.array([0.5, 2.0, 1.3, 0.2])
BANDWIDTH = 3.0


def prepared(X: NDArray[np.float64], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(X * WEIGHTS / BANDWIDTH).to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 3e-7)])
def test_the_kernel_is_that_of_a_plain_loop(dtype: torch.dtype, tolerance: float) -> None:
    X = mixed_table()
    expected = [[np.exp(-sum(WEIGHTS * np.abs(x - z)) / BANDWIDTH) for z in X] for x in X]
    K = product_kernel(prepared(X, dtype)).numpy()
    np.testing.assert_allclose(K, expected, atol=tolerance, rtol=0)
    np.testing.assert_array_equal(K, K.T)
    assert (K[:5, 20:25].diagonal() == 1).all()


def test_many_rows_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm.arrays.BLOCK_BYTES", 1 << 12)
    rows = torch.randn(700, 3, dtype=torch.float64)
    alpha = torch.randn(500, 2, dtype=torch.float64)
    K = torch.exp(-torch.cdist(rows, rows, p=1.0))
    torch.testing.assert_close(product_kernel(rows), K, atol=1e-14, rtol=0)
    scores = product_scores(rows[500:], rows[:500], alpha)
    np.testing.assert_allclose(scores, (K[500:, :500] @ alpha).numpy(), atol=1e-12)


def gradients(X: NDArray[np.float64], alpha: torch.Tensor, K: torch.Tensor) -> NDArray[np.float64]:
    """Gradients (n, c, d) of f at the rows of ``X`` from :class:`ColumnOrder`."""
    found = np.zeros((len(X), alpha.shape[1], X.shape[1]))
    for columns, part in ColumnOrder.of(X).gradients(K, alpha):
        for j, of_column in zip(columns, part, strict=True):
            found[:, :, j] = -WEIGHTS[j] / BANDWIDTH * of_column.double().numpy()
    return found


@pytest.mark.parametrize("few", [(0, 0), (10**6, 0), (24, 3)], ids=["by signs", "by values", "both"])
@pytest.mark.parametrize("outputs", [1, 3, 7])
def test_gradients_are_autograd_s(monkeypatch: pytest.MonkeyPatch, few: tuple[int, int], outputs: int) -> None:
    monkeypatch.setattr(product, "_FEW", few)
    X = mixed_table()
    alpha = torch.from_numpy(np.random.default_rng(1).normal(size=(len(X), outputs)))
    at = torch.from_numpy(X.copy()).requires_grad_()
    scaled = torch.from_numpy(WEIGHTS / BANDWIDTH)
    f = torch.exp(-((at[:, None] - torch.from_numpy(X)[None]).abs() * scaled).sum(dim=2)) @ alpha
    expected = np.stack(
        [torch.autograd.grad(f[:, o].sum(), at, retain_graph=True)[0].numpy() for o in range(outputs)], axis=1
    )
    found = gradients(X, alpha, product_kernel(prepared(X)))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found[:, :, 3] == 0).all()  # the constant column
    rounded = gradients(X, alpha, product_kernel(prepared(X, torch.float32)))
    np.testing.assert_allclose(rounded, expected, atol=3e-6)


def test_signs_are_those_of_float64() -> None:
    """Values that are one number in float32 still have an order."""
    X = 1.0 + np.arange(20)[:, None] * 1e-12
    alpha = torch.ones((20, 1), dtype=torch.float64)
    K = product_kernel(torch.from_numpy(X).float())
    assert (K == 1).all()
    (_, found), *rest = ColumnOrder.of(X).gradients(K, alpha)
    assert not rest
    np.testing.assert_array_equal(found[0, :, 0].numpy(), np.arange(20) - np.arange(20)[::-1])


def test_columns_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(size=(30, 5)), rng.integers(3, size=(30, 9))], axis=1)
    K, alpha = product_kernel(torch.from_numpy(X)), torch.from_numpy(rng.normal(size=(30, 2)))
    whole = {
        int(j): part
        for columns, found in ColumnOrder.of(X).gradients(K, alpha)
        for j, part in zip(columns, found, strict=True)
    }
    monkeypatch.setattr(product, "_CHUNK_BYTES", 2000)
    chunks = list(ColumnOrder.of(X).gradients(K, alpha))
    assert len(chunks) > 5
    parts = {int(j): part for columns, found in chunks for j, part in zip(columns, found, strict=True)}
    assert parts.keys() == whole.keys() == set(range(14))
    for j, part in parts.items():
        torch.testing.assert_close(part, whole[j])


def test_the_diagonal_is_that_of_the_mean_outer_product() -> None:
    X = mixed_table()
    K = product_kernel(prepared(X))
    alphas = torch.from_numpy(np.random.default_rng(4).normal(size=(2, len(X), 3)))
    found = agop_diagonals(ColumnOrder.of(X), K, alphas, torch.from_numpy(WEIGHTS), BANDWIDTH)
    for diagonal, alpha in zip(found, alphas, strict=True):
        slopes = gradients(X, alpha, K)
        outer = np.einsum("ncj,nck->jk", slopes, slopes) / len(X)
        np.testing.assert_allclose(diagonal.numpy(), outer.diagonal(), atol=1e-12)


def test_no_rows_and_one_row() -> None:
    empty = ColumnOrder.of(np.empty((0, 3)))
    assert list(empty.gradients(torch.empty((0, 0)), torch.empty((0, 2)))) == []
    assert list(ColumnOrder.of(np.ones((1, 3))).gradients(torch.ones((1, 1)), torch.ones((1, 2)))) == []

"""The product Laplace kernel: gradients against autograd, chains against a plain implementation, faults."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from rfm.problem import Point, unit_rows
from rfm.product import ColumnOrder, agop_diagonals, product_kernel, product_scores
from rfm.product_sweep import ProductSweep

Array = NDArray[np.float64]


def mixed_table(n: int = 40, seed: int = 0) -> Array:
    """Columns of numbers, of ties among them, of two values and of one; rows that occur twice."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n), np.round(rng.normal(size=n), 1), rng.integers(2, size=n), np.full(n, 0.3)]
    X = np.column_stack(columns)
    X[n // 2 : n // 2 + 5] = X[:5]
    return X


WEIGHTS = np.array([0.5, 2.0, 1.3, 0.2])
BANDWIDTH = 3.0


def test_many_rows_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm.arrays.BLOCK_BYTES", 1 << 12)
    rows = torch.randn(700, 3, dtype=torch.float64)
    alpha = torch.randn(500, 2, dtype=torch.float64)
    K = torch.exp(-torch.cdist(rows, rows, p=1.0))
    torch.testing.assert_close(product_kernel(rows), K, atol=1e-14, rtol=0)
    scores = product_scores(rows[500:], rows[:500], alpha)
    np.testing.assert_allclose(scores, (K[500:, :500] @ alpha).numpy(), atol=1e-12)


def gradients(X: Array, alpha: torch.Tensor, K: torch.Tensor) -> Array:
    """Gradients (n, c, d) of f at the rows of ``X`` from :class:`ColumnOrder`."""
    found = np.zeros((len(X), alpha.shape[1], X.shape[1]))
    for columns, part in ColumnOrder.of(X).gradients(K, alpha):
        for j, of_column in zip(columns, part, strict=True):
            found[:, :, j] = -WEIGHTS[j] / BANDWIDTH * of_column.double().numpy()
    return found


@pytest.mark.parametrize(
    ("few", "chunk"),
    [((0, 0), 1 << 20), ((10**6, 0), 1 << 20), ((24, 3), 1 << 20), ((24, 3), 1)],
    ids=["by signs", "by values", "both", "in chunks"],
)
@pytest.mark.parametrize("outputs", [1, 3, 7])
def test_gradients_are_autograd_s(
    monkeypatch: pytest.MonkeyPatch, few: tuple[int, int], chunk: int, outputs: int
) -> None:
    monkeypatch.setattr("rfm.product._FEW", few)
    monkeypatch.setattr("rfm.product._CHUNK_BYTES", chunk)
    X = mixed_table()
    alpha = torch.from_numpy(np.random.default_rng(1).normal(size=(len(X), outputs)))
    at = torch.from_numpy(X.copy()).requires_grad_()
    scaled = torch.from_numpy(WEIGHTS / BANDWIDTH)
    f = torch.exp(-((at[:, None] - torch.from_numpy(X)[None]).abs() * scaled).sum(dim=2)) @ alpha
    expected = [torch.autograd.grad(f[:, o].sum(), at, retain_graph=True)[0].numpy() for o in range(outputs)]
    for dtype, atol in ((torch.float64, 1e-12), (torch.float32, 3e-6)):
        found = gradients(X, alpha, product_kernel((torch.from_numpy(X) * scaled).to(dtype)))
        np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=atol)
        assert (found[:, :, 3] == 0).all()  # the constant column


def test_the_diagonal_is_that_of_the_mean_outer_product() -> None:
    X = mixed_table()
    K = product_kernel(torch.from_numpy(X * WEIGHTS / BANDWIDTH))
    alphas = torch.from_numpy(np.random.default_rng(4).normal(size=(2, len(X), 3)))
    found = agop_diagonals(ColumnOrder.of(X), K, alphas, torch.from_numpy(WEIGHTS), BANDWIDTH)
    for diagonal, alpha in zip(found, alphas, strict=True):
        squares = (gradients(X, alpha, K) ** 2).sum(axis=1)
        np.testing.assert_allclose(diagonal.numpy(), squares.mean(axis=0), atol=1e-12)


def test_signs_are_those_of_float64() -> None:
    """Values that are one number in float32 still have an order."""
    X = 1.0 + np.arange(20)[:, None] * 1e-12
    alpha = torch.ones((20, 1), dtype=torch.float64)
    K = product_kernel(torch.from_numpy(X).float())
    assert (K == 1).all()
    (_, found), *rest = ColumnOrder.of(X).gradients(K, alpha)
    assert not rest
    np.testing.assert_array_equal(found[0, :, 0].numpy(), np.arange(20) - np.arange(20)[::-1])


def test_no_rows_and_one_row() -> None:
    empty = ColumnOrder.of(np.empty((0, 3)))
    assert list(empty.gradients(torch.empty((0, 0)), torch.empty((0, 2)))) == []
    assert list(ColumnOrder.of(np.ones((1, 3))).gradients(torch.ones((1, 1)), torch.ones((1, 2)))) == []


RIDGES = (1.0, 0.01)


def table(n: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, 3)), rng.integers(3, size=n), np.full(n, 2.0)])
    labels = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 3] > 1)
    return X, np.eye(3)[labels]


def plain_chain(
    X: Array, Y: Array, at: Array, ridge: float, iterations: int, bandwidth: float = 10.0
) -> list[tuple[Array, Array]]:
    """Weights and scores after each update, from the formulas."""
    w, found = np.ones(X.shape[1]), []
    for _ in range(iterations + 1):
        K = np.exp(-cdist(X * w, X * w, "cityblock") / bandwidth)
        alpha = np.linalg.solve(K + ridge * np.eye(len(X)), Y)
        found.append((w, np.exp(-cdist(at * w, X * w, "cityblock") / bandwidth) @ alpha))
        signs = np.sign(X[:, None] - X[None])
        slopes = -w / bandwidth * np.einsum("ikj,ik,kc->icj", signs, K, alpha)
        diagonal = (slopes**2).sum(axis=1).mean(axis=0)
        w = 0.95 * diagonal / diagonal.mean() + 0.05
    return found


@pytest.mark.parametrize("unit_norm", [False, True])
@pytest.mark.parametrize(("n", "tolerance"), [(60, 1e-9), (240, 2e-4)], ids=["float64", "float32"])
def test_points_are_those_of_the_formulas(n: int, tolerance: float, unit_norm: bool) -> None:
    X, Y = table(n + 30)
    Z = unit_rows(X) if unit_norm else X
    fit, rest = np.arange(n), np.arange(n, n + 30)
    points = list(ProductSweep(X, Y).points(fit, rest, ridges=RIDGES, unit_norms=[unit_norm], iterations=3))
    assert {(point.ridge, point.iteration) for point in points} == set(product(RIDGES, range(4)))
    for point in points:
        w, scores = plain_chain(Z[fit], Y[fit], Z[rest], point.ridge, 3)[point.iteration]
        np.testing.assert_allclose(point.scores, scores, atol=tolerance)
        assert point.unit_norm is unit_norm
        if point.iteration:
            np.testing.assert_allclose(point.metric.numpy(), w, rtol=100 * tolerance, atol=tolerance)
            assert float(point.metric.mean()) == pytest.approx(1.0)
        else:
            assert point.metric is None


@pytest.mark.parametrize("n", [60, 240])
def test_fit_and_learn_are_points(n: int) -> None:
    X, Y = table(n + 30)
    sweep, fit, rest = ProductSweep(X, Y), np.arange(n), np.arange(n, n + 30)
    for point in sweep.points(fit, rest, ridges=RIDGES, unit_norms=[True], iterations=2):
        alone = sweep.fit(fit, rest, ridge=point.ridge, unit_norm=True, iterations=point.iteration)
        np.testing.assert_allclose(alone.scores, point.scores, atol=1e-9 if n == 60 else 1e-4)
        torch.testing.assert_close(alone.alpha, point.alpha, atol=1e-2, rtol=1e-2)
        assert alone.score_seconds > 0
        learned = sweep.learn(fit, ridge=point.ridge, unit_norm=True, iterations=point.iteration)
        assert (learned is None) == (point.metric is None) == (point.iteration == 0)
        again = sweep.fit(fit, rest, ridge=point.ridge, unit_norm=True, metric=learned)
        np.testing.assert_array_equal(again.scores, alone.scores)


def after_two(X: Array, Y: Array, bandwidth: float = 10.0) -> Point:
    sweep = ProductSweep(X, Y, bandwidth)
    return sweep.fit(np.arange(90), np.arange(90, 110), ridge=0.1, unit_norm=False, iterations=2)


@pytest.mark.parametrize(
    ("features", "shift", "targets", "bandwidth"),
    [
        (1.0, 0.0, 1e9, 10.0),
        (1.0, 0.0, 1e-200, 10.0),
        (1e3, 0.0, 1.0, 1e4),
        (1.0, 1e4, 1.0, 10.0),
        (-1.0, 0.0, 1.0, 10.0),
    ],
    ids=["larger targets", "smaller targets", "features and bandwidth", "shifted features", "mirrored features"],
)
def test_what_changes_nothing(features: float, shift: float, targets: float, bandwidth: float) -> None:
    X, Y = table(110)
    plain, changed = after_two(X, Y), after_two(features * X + shift, targets * Y, bandwidth)
    torch.testing.assert_close(changed.metric, plain.metric, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(changed.scores / targets, plain.scores, atol=1e-6)


def test_permuted_features_permute_the_weights_and_a_constant_one_keeps_the_share() -> None:
    """On another scale it is another problem: the bandwidth belongs to the features' scale."""
    X, Y = table(110)
    order = np.array([3, 0, 4, 2, 1])
    plain, permuted = after_two(X, Y), after_two(X[:, order], Y)
    torch.testing.assert_close(permuted.metric, plain.metric[order])
    np.testing.assert_allclose(permuted.scores, plain.scores, atol=1e-9)
    assert float(plain.metric[4]) == pytest.approx(0.05)
    assert np.abs(after_two(3.0 * X, Y).scores - plain.scores).max() > 1e-3


def test_constant_targets_leave_all_weights_1_where_the_predictor_is_constant() -> None:
    X, _ = table(60)
    zero = ProductSweep(X, np.zeros((60, 1))).learn(np.arange(60), ridge=0.1, unit_norm=False, iterations=2)
    assert zero.tolist() == [1.0] * 5


def test_rows_that_occur_twice_and_a_tiny_ridge() -> None:
    X, Y = table(150)
    X[75:] = X[:75]  # with other labels
    point = ProductSweep(X, Y).fit(np.arange(150), np.arange(20), ridge=1e-9, unit_norm=False, iterations=1)
    assert np.isfinite(point.scores).all()
    np.testing.assert_allclose(point.scores, ((Y[:75] + Y[75:]) / 2)[:20], atol=1e-4)


def test_no_ridges_no_rows_to_score_and_rows_that_are_not_fitted() -> None:
    X, Y = table(60)
    Y[40:] = np.nan
    sweep, fit = ProductSweep(X, Y), np.arange(40)
    assert list(sweep.points(fit, fit[:0], ridges=[], unit_norms=[True], iterations=1)) == []
    assert sweep.fit(fit, fit[:0], ridge=0.1, unit_norm=False).scores.shape == (0, 3)
    assert np.isfinite(sweep.fit(fit, np.arange(40, 60), ridge=0.1, unit_norm=False, iterations=1).scores).all()


@pytest.mark.parametrize(
    ("options", "metric", "damage", "message"),
    [
        ({"bandwidth": 0.0}, None, 0.0, "bandwidth must be positive"),
        ({"share": 1.5}, None, 0.0, "share must be in"),
        ({}, torch.eye(5), 0.0, r"its weights \(5,\)"),
        ({}, None, np.nan, "not finite"),
    ],
    ids=["bandwidth", "share", "metric", "features"],
)
def test_faults(options: dict[str, float], metric: torch.Tensor | None, damage: float, message: str) -> None:
    X, Y = table(60)
    rows = np.arange(60)
    with pytest.raises(ValueError, match=message):
        ProductSweep(np.where(X > 1, X + damage, X), Y, **options).fit(
            rows, rows, ridge=0.1, unit_norm=False, metric=metric
        )

"""Sweeps against a plain implementation of the published loop, and the identities that tie their parts together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel
from rfm.problem import Point, scale_metric, unit_rows
from rfm.sweep import Sweep

Array = NDArray[np.float64]
RIDGES = (1.0, 1e-2)


def plain_chain(
    X: Array, Y: Array, Z: Array, *, ridge: float, iterations: int, L: float = 10.0, diagonal: bool = False
) -> Iterator[tuple[Array, Array]]:
    """(scores of Z, metric) after 0, 1, ... updates, written from the published procedure without any shortcut."""
    n, d = X.shape
    M = np.eye(d)
    for _ in range(iterations + 1):
        distance = metric_distance(X, X, M)
        K = np.exp(-distance / L)
        alpha = np.linalg.solve(K + ridge * np.eye(n), Y)
        yield np.exp(-metric_distance(Z, X, M) / L) @ alpha, M
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(distance > 1e-9, K / (L * distance), 0.0)
        gradients = np.einsum("ic,ji,jid->jcd", alpha, weight, X[None, :, :] - X[:, None, :]) @ M
        M = np.einsum("jck,jcl->kl", gradients, gradients) / n
        M = np.diag(np.diag(M)) if diagonal else M


def metric_distance(X: Array, Z: Array, M: Array) -> Array:
    difference = X[:, None, :] - Z[None, :, :]
    return np.sqrt(np.maximum(np.einsum("ijk,kl,ijl->ij", difference, M, difference), 0.0))


def classification(n: int, d: int, c: int, seed: int = 0, *, duplicates: bool = False) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if duplicates:
        X = np.round(X[rng.integers(0, n // 2, size=n)])
    labels = (X[:, 0] > 0) * 1 + (X[:, -1] > 0.5) * 1
    return X, np.eye(c)[(labels + (rng.random(n) < 0.1)) % c]


def by_point(points: Iterator[Point]) -> dict[tuple[bool, float, int], Point]:
    return {(point.unit_norm, point.ridge, point.iteration): point for point in points}


@pytest.mark.parametrize(("diagonal", "c"), [(False, 2), (False, 12), (True, 3)])
@pytest.mark.parametrize("duplicates", [False, True])
@pytest.mark.parametrize("n", [60, 420], ids=["stacked", "one by one"])
def test_the_grid_is_the_published_loop_run_chain_by_chain(diagonal: bool, duplicates: bool, c: int, n: int) -> None:
    X, Y = classification(n, 5, c, duplicates=duplicates)
    fit, validation = np.arange(0, n, 2), np.arange(1, n, 2)
    sweep = Sweep(X, Y, dtype=torch.float64, diagonal=diagonal)
    points = by_point(sweep.points(fit, validation, ridges=RIDGES, unit_norms=(True, False), iterations=3))
    assert len(points) == 2 * len(RIDGES) * 4
    for unit_norm in (True, False):
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        table = X / np.where(norms == 0, 1.0, norms) if unit_norm else X
        for ridge in RIDGES:
            chain = plain_chain(table[fit], Y[fit], table[validation], ridge=ridge, iterations=3, diagonal=diagonal)
            for iteration, (scores, M) in enumerate(chain):
                point = points[unit_norm, ridge, iteration]
                np.testing.assert_allclose(point.scores, scores, rtol=0, atol=1e-6)
                assert point.solver == "cholesky"
                if iteration == 0:
                    assert point.metric is None
                    continue
                assert point.metric is not None
                metric = torch.diag(point.metric) if diagonal else point.metric
                np.testing.assert_allclose(metric.numpy(), M, rtol=1e-6, atol=1e-7 * np.abs(M).max())


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (Laplace(5.0), {}),
        (Gaussian(3.0), {}),
        (GeneralisedLaplace(5.0, 1.4), {}),
        (Laplace(5.0), {"diagonal": True}),
        (Laplace(5.0), {"center_gradients": True, "metric_scaling": "max"}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("duplicates", [False, True])
def test_stacked_chains_are_those_followed_one_by_one(
    kernel: RadialKernel, options: dict[str, bool | str], duplicates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, Y = classification(80, 4, 3, duplicates=duplicates)
    X[0] = 0.0
    sweep = Sweep(X, Y, kernel=kernel, dtype=torch.float64, **options)  # type: ignore[arg-type]

    def grid() -> dict[tuple[bool, float, int], Point]:
        rows = np.arange(50), np.arange(50, 80)
        return by_point(sweep.points(*rows, ridges=RIDGES, unit_norms=(True, False), iterations=3))

    together = grid()
    monkeypatch.setattr("rfm.sweep._SMALL", 0)
    for key, point in grid().items():
        np.testing.assert_allclose(together[key].scores, point.scores, rtol=0, atol=1e-7)
        assert together[key].solver == point.solver
        if point.metric is not None:
            size = float(point.metric.abs().max())
            torch.testing.assert_close(together[key].metric, point.metric, rtol=1e-6, atol=1e-8 * size)


@pytest.mark.parametrize(("gap", "c"), [(1e-3, 2), (1e-5, 2), (1e-7, 2), (1e-9, 2), (1e-3, 20), (1e-7, 20)])
def test_small_tables_with_close_rows_are_not_stacked(gap: float, c: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the largest gap rows are not close, or become so in a later metric."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 8))
    X = np.concatenate([X, X + gap * rng.normal(size=(50, 8)), rng.normal(size=(20, 8))])
    Y = np.eye(c)[rng.integers(0, c, size=120)]
    sweep = Sweep(X, Y, dtype=torch.float64)

    def grid() -> dict[tuple[bool, float, int], Point]:
        rows = np.arange(100), np.arange(100, 120)
        return by_point(sweep.points(*rows, ridges=(0.1, 1.0), unit_norms=(True, False), iterations=3))

    together = grid()
    monkeypatch.setattr("rfm.sweep._SMALL", 0)
    for key, point in grid().items():
        np.testing.assert_allclose(together[key].scores, point.scores, rtol=0, atol=1e-7)
        if point.metric is not None:
            size = float(point.metric.abs().max())
            torch.testing.assert_close(together[key].metric, point.metric, rtol=1e-5, atol=1e-7 * size)


@pytest.mark.parametrize("copies", [1, 25])
@pytest.mark.parametrize("ridge", [1e-3, 1e-6, 1e-8])
def test_a_metric_learned_with_little_ridge_is_that_of_float64(copies: int, ridge: float) -> None:
    """Coefficients of 1e8 that cancel among equal rows: float32 would learn noise from them."""
    X, Y = classification(400, 4, 2)
    X = np.repeat(X[: 400 // copies], copies, axis=0)
    learned = [
        Sweep(X, Y, dtype=dtype).learn(np.arange(400), ridge=ridge, unit_norm=False, iterations=2)
        for dtype in (torch.float32, torch.float64)
    ]
    assert learned[0] is not None
    assert learned[1] is not None
    error = float((learned[0].double() - learned[1]).norm() / learned[1].norm())
    assert error < 0.02


@pytest.mark.parametrize("duplicates", [False, True])
def test_the_default_precision_stays_close_to_float64(duplicates: bool) -> None:
    X, Y = classification(420, 6, 3, duplicates=duplicates)
    rows = np.arange(320), np.arange(320, 420)
    grids = [
        by_point(Sweep(X, Y, dtype=dtype).points(*rows, ridges=RIDGES, unit_norms=(True, False), iterations=4))
        for dtype in (torch.float32, torch.float64)
    ]
    for key, exact in grids[1].items():
        np.testing.assert_allclose(grids[0][key].scores, exact.scores, atol=2e-3)


@pytest.mark.parametrize("kernel", [Laplace(10.0), Gaussian(3.0), GeneralisedLaplace(5.0, 0.8)], ids=repr)
@pytest.mark.parametrize("unit_norm", [False, True])
def test_point_zero_is_scikit_learns_kernel_ridge(kernel: RadialKernel, unit_norm: bool) -> None:
    X, Y = classification(80, 5, 3)
    train, test = np.arange(60), np.arange(60, 80)
    table = X / np.linalg.norm(X, axis=1, keepdims=True) if unit_norm else X
    scaled = cdist(table, table[train]) / kernel.bandwidth
    exponent = {Laplace: 1.0, Gaussian: 2.0, GeneralisedLaplace: getattr(kernel, "exponent", 0.0)}[type(kernel)]
    K = np.exp(-(scaled**exponent) * (0.5 if isinstance(kernel, Gaussian) else 1.0))
    sweep = Sweep(X, Y, kernel=kernel, dtype=torch.float64)
    for point in sweep.points(train, test, ridges=(1.0, 0.1, 1e-3), unit_norms=(unit_norm,), iterations=0):
        reference = KernelRidge(alpha=point.ridge, kernel="precomputed").fit(K[train], Y[train])
        np.testing.assert_allclose(point.scores, reference.predict(K[test]), rtol=0, atol=1e-8)
        np.testing.assert_allclose(point.alpha.numpy(), reference.dual_coef_, rtol=1e-8, atol=1e-8 / point.ridge)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"diagonal": True}, {"center_gradients": True, "metric_scaling": "trace"}])
def test_learning_then_fitting_is_the_chain(dtype: torch.dtype, options: dict[str, bool | str]) -> None:
    X, Y = classification(600, 4, 2)
    train, test = np.arange(0, 600, 2), np.arange(1, 600, 6)
    sweep = Sweep(X, Y, dtype=dtype, **options)  # type: ignore[arg-type]
    chain = list(sweep.points(train, test, ridges=(0.1,), unit_norms=(True,), iterations=3))
    for point in chain:
        metric = sweep.learn(train, ridge=0.1, unit_norm=True, iterations=point.iteration)
        fit = sweep.fit(train, test, ridge=0.1, unit_norm=True, metric=metric)
        assert (metric is None) == (point.iteration == 0)
        np.testing.assert_allclose(fit.scores, point.scores, rtol=0, atol=1e-12)


def test_a_row_of_the_table_that_is_not_asked_for_does_not_matter() -> None:
    """The common shift of all rows leaves distances alone: neither others' features nor their targets come in."""
    X, Y = classification(50, 4, 2)
    train, test = np.arange(30), np.arange(30, 40)
    other_X, other_Y = X.copy(), Y.copy()
    other_X[40:] = 7.0
    other_Y[30:] = -1.0
    scores = []
    for features, targets in ((X, Y), (other_X, other_Y)):
        sweep = Sweep(features, targets, dtype=torch.float64)
        metric = sweep.learn(train, ridge=0.01, unit_norm=False, iterations=2)
        scores.append(sweep.fit(train, test, ridge=0.01, unit_norm=False, metric=metric).scores)
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [60, 300], ids=["stacked", "one by one"])
def test_few_rows_none_to_score_and_an_empty_grid(n: int, dtype: torch.dtype) -> None:
    X, Y = classification(n, 4, 2)
    sweep, rows, none = Sweep(X, Y, dtype=dtype), np.arange(n), np.arange(0)
    for few in (1, 2):
        points = sweep.points(rows[:few], rows[:6], ridges=(0.1,), unit_norms=(True, False), iterations=3)
        assert all(np.isfinite(point.scores).all() for point in points)
    chain = list(sweep.points(rows, none, ridges=(0.1,), unit_norms=(True,), iterations=2))
    assert [point.scores.shape for point in chain] == [(0, 2)] * 3
    for ridges, unit_norms in (((), (True,)), ((0.1,), ())):
        assert list(sweep.points(rows, rows, ridges=ridges, unit_norms=unit_norms, iterations=2)) == []


def test_float32_with_a_tiny_ridge_and_coincident_rows_falls_back_and_says_so() -> None:
    """Twelve distinct rows, each 25 times: float32 cannot factor a matrix of rank 12 with so little ridge."""
    X, Y = classification(300, 3, 3)
    X = np.repeat(X[:12], 25, axis=0)
    rows = np.arange(300)
    points = list(Sweep(X, Y).points(rows, rows, ridges=(1e-8,), unit_norms=(False,), iterations=3))
    assert {point.solver for point in points} & {"cholesky-float64", "eigenvalues"}
    # Equal rows share the mean of their targets: that is what a ridge near zero must predict.
    means = np.repeat(Y.reshape(12, 25, -1).mean(axis=1), 25, axis=0)
    for point in points:
        np.testing.assert_allclose(point.scores, means, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 30),
    d=st.integers(1, 5),
    duplicates=st.booleans(),
    unit_norm=st.booleans(),
    diagonal=st.booleans(),
)
def test_symmetries_of_the_whole_procedure(
    seed: int, n: int, d: int, duplicates: bool, unit_norm: bool, diagonal: bool
) -> None:
    """Permuted features and rows change no score; nor does a rotation, unless only the diagonal of M is learned."""
    X, Y = classification(n, d, 3, seed, duplicates=duplicates)
    rng = np.random.default_rng(seed)
    train, test = np.arange(n // 2), np.arange(n // 2, n)

    def scores(table: Array, rows: NDArray[np.int64]) -> Array:
        sweep = Sweep(table, Y, dtype=torch.float64, diagonal=diagonal)
        metric = sweep.learn(rows, ridge=0.1, unit_norm=unit_norm, iterations=2)
        return sweep.fit(rows, test, ridge=0.1, unit_norm=unit_norm, metric=metric).scores

    expected = scores(X, train)
    np.testing.assert_allclose(scores(X[:, rng.permutation(d)], train), expected, atol=1e-6)
    np.testing.assert_allclose(scores(X, rng.permutation(train)), expected, atol=1e-6)
    if not diagonal:
        rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
        np.testing.assert_allclose(scores(X @ rotation, train), expected, atol=1e-6)


def test_scale_metric() -> None:
    M = torch.tensor([[4.0, 1.0], [1.0, 2.0]])
    assert scale_metric(M, "none") is M
    torch.testing.assert_close(scale_metric(M, "trace"), M / 3.0)
    torch.testing.assert_close(scale_metric(M, "max"), M / 4.0)
    torch.testing.assert_close(scale_metric(M.diagonal(), "trace"), torch.tensor([4.0, 2.0]) / 3.0)
    for scaling in ("none", "trace", "max"):
        assert torch.equal(scale_metric(torch.zeros(2, 2), scaling), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="metric_scaling must be one of"):
        Sweep(np.ones((2, 1)), np.ones((2, 1)), metric_scaling="median")


def test_a_scaled_metric_forgets_the_size_of_what_it_was_learned_from() -> None:
    M = torch.tensor([[4.0, 1.0], [1.0, 2.0]])
    torch.testing.assert_close(scale_metric(M, "none", 1e3), M * 1e6)
    for scaling in ("trace", "max"):
        torch.testing.assert_close(scale_metric(M, scaling, 1e30), scale_metric(M, scaling))


@pytest.mark.parametrize("n", [60, 300], ids=["stacked", "one by one"])
@pytest.mark.parametrize(
    ("options", "factor"),
    [
        *(({"metric_scaling": "trace"}, factor) for factor in (1e-300, 1e-25, 1e3, 1e16, 1e37)),
        *(({"metric_scaling": "max", "diagonal": True}, factor) for factor in (1e-300, 1e37)),
    ],
)
def test_with_a_scaled_metric_the_size_of_the_targets_is_that_of_the_scores(
    n: int, options: dict[str, bool | str], factor: float
) -> None:
    """Squares of such targets and coefficients are beyond float32, and the largest beyond float64."""
    X, Y = classification(n + 20, 4, 2)
    rows = np.arange(n), np.arange(n, n + 20)

    def grid(targets: Array) -> dict[tuple[bool, float, int], Point]:
        sweep = Sweep(X, targets, **options)  # type: ignore[arg-type]
        return by_point(sweep.points(*rows, ridges=RIDGES, unit_norms=(False,), iterations=3))

    expected = grid(Y)
    for key, point in grid(factor * Y).items():
        np.testing.assert_allclose(point.scores / factor, expected[key].scores, rtol=0, atol=2e-4)
        if point.iteration:
            torch.testing.assert_close(point.metric, expected[key].metric, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n", [60, 300], ids=["stacked", "one by one"])
def test_without_scaling_the_first_metric_grows_with_the_square_of_the_targets(n: int) -> None:
    X, Y = classification(n, 4, 2)
    metrics = [
        Sweep(X, factor * Y).learn(np.arange(n), ridge=0.1, unit_norm=False, iterations=1) for factor in (1.0, 2.0**30)
    ]
    assert metrics[0] is not None
    torch.testing.assert_close(metrics[1], metrics[0] * 2.0**60)


@pytest.mark.parametrize("gap", [0.3, 0.1, 0.03])
def test_collinear_features_and_duplicates_cost_float32_no_accuracy(gap: float) -> None:
    rng = np.random.default_rng(0)
    z, e = np.round(rng.normal(size=280)), rng.integers(0, 4, size=280) - 1.5
    X = np.column_stack([z + e * gap / 2, z - e * gap / 2, rng.integers(0, 2, 280)])
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    labels = (e > 0).astype(int)
    fit, rest = np.arange(220), np.arange(220, 280)
    accuracy = {}
    for dtype in (torch.float32, torch.float64):
        sweep = Sweep(X, np.eye(2)[labels], dtype=dtype)
        points = sweep.points(fit, rest, ridges=(1e-3,), unit_norms=(False,), iterations=4)
        accuracy[dtype] = [float(np.mean(p.scores.argmax(axis=1) == labels[rest])) for p in points]
    np.testing.assert_allclose(accuracy[torch.float32], accuracy[torch.float64], atol=0.06)


@pytest.mark.parametrize("evaluated", [False, True])
def test_an_outlier_that_is_not_fitted_changes_nothing_for_the_others(evaluated: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(260, 4))
    Y = np.eye(2)[(X[:, 0] * X[:, 1] > 0).astype(int)]
    fit, rest = np.arange(220), np.arange(220, 260 if evaluated else 259)

    def scores(far: float) -> np.ndarray:
        table = X.copy()
        table[259] = far
        sweep = Sweep(table, Y)
        return np.stack(
            [p.scores[:39] for p in sweep.points(fit, rest, ridges=(0.1,), unit_norms=(False,), iterations=3)]
        )

    np.testing.assert_array_equal(scores(1e6), scores(0.0))


def test_unit_rows_neither_overflow_nor_vanish() -> None:
    X = np.array([[3.0, 4.0], [0.0, 0.0]])
    for scale in (1e-170, 1.0, 1e160):
        np.testing.assert_allclose(unit_rows(X * scale), [[0.6, 0.8], [0.0, 0.0]])

"""Sweeps against a plain implementation of the published loop, and the identities that tie their parts together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from grids import Array, Points, assert_same_points, by_place, grid, table
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace, RadialKernel
from rfm.problem import scale_metric, unit_rows
from rfm.sweep import Sweep

RIDGES = (1.0, 1e-2)
SIZES = pytest.mark.parametrize("n", [60, 300], ids=["stacked", "one by one"])
FLOATS = torch.float32, torch.float64


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


@pytest.mark.parametrize(("diagonal", "c"), [(False, 2), (False, 12), (True, 3)])
@pytest.mark.parametrize("kind", ["spread", "duplicates"])
@pytest.mark.parametrize("n", [60, 420], ids=["stacked", "one by one"])
def test_the_grid_is_the_published_loop_run_chain_by_chain(diagonal: bool, kind: str, c: int, n: int) -> None:
    X, Y = table(n, 5, c, kind)
    fit, validation = np.arange(0, n, 2), np.arange(1, n, 2)
    sweep = Sweep(X, Y, dtype=torch.float64, diagonal=diagonal)
    points = by_place(sweep.points(fit, validation, ridges=RIDGES, unit_norms=(True, False), iterations=3))
    assert len(points) == 2 * len(RIDGES) * 4
    assert {point.solver for point in points.values()} == {"cholesky"}
    for unit_norm in (True, False):
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        Z = X / np.where(norms == 0, 1.0, norms) if unit_norm else X
        for ridge in RIDGES:
            chain = plain_chain(Z[fit], Y[fit], Z[validation], ridge=ridge, iterations=3, diagonal=diagonal)
            for iteration, (scores, M) in enumerate(chain):
                point = points[unit_norm, ridge, iteration]
                assert_allclose(point.scores, scores, rtol=0, atol=1e-6)
                assert (point.metric is None) == (iteration == 0)
                if point.metric is not None:
                    metric = torch.diag(point.metric) if diagonal else point.metric
                    assert_allclose(metric, M, rtol=1e-6, atol=1e-7 * np.abs(M).max())


def stacked_and_one_by_one(
    monkeypatch: pytest.MonkeyPatch, X: Array, Y: Array, n: int, **options: Any
) -> tuple[Points, Points]:
    together = grid(X, Y, n, dtype=torch.float64, **options)
    monkeypatch.setattr("rfm.sweep._SMALL", 0)
    return together, grid(X, Y, n, dtype=torch.float64, **options)


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
@pytest.mark.parametrize("kind", ["spread", "duplicates"])
def test_stacked_chains_are_those_followed_one_by_one(
    kernel: RadialKernel, options: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, Y = table(80, 4, 3, kind)
    X[0] = 0.0
    both = stacked_and_one_by_one(monkeypatch, X, Y, 50, kernel=kernel, **options)
    assert_same_points(*both, scores=1e-7, metrics=1e-8, rtol=1e-6)


@pytest.mark.parametrize(("gap", "c"), [(1e-3, 2), (1e-4, 2), (1e-5, 2), (1e-7, 2), (1e-9, 2), (1e-3, 20), (1e-7, 20)])
def test_small_tables_with_close_rows_are_not_stacked(gap: float, c: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the largest gap rows are not close, at the next they become so in the metric of the first update."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 8))
    X = np.concatenate([X, X + gap * rng.normal(size=(50, 8)), rng.normal(size=(20, 8))])
    Y = np.eye(c)[rng.integers(0, c, size=120)]
    both = stacked_and_one_by_one(monkeypatch, X, Y, 100, ridges=(0.1, 1.0))
    assert_same_points(*both, scores=1e-7, metrics=1e-7, rtol=1e-5)


@pytest.mark.parametrize("copies", [1, 25])
@pytest.mark.parametrize("ridge", [1e-3, 1e-6, 1e-8])
def test_a_metric_learned_with_little_ridge_is_that_of_float64(copies: int, ridge: float) -> None:
    """Coefficients of 1e8 that cancel among equal rows: float32 would learn noise from them."""
    X, Y = table(400, 4, 2)
    X = np.repeat(X[: 400 // copies], copies, axis=0)
    single, double = (
        Sweep(X, Y, dtype=dtype).learn(np.arange(400), ridge=ridge, unit_norm=False, iterations=2) for dtype in FLOATS
    )
    assert float((single.double() - double).norm() / double.norm()) < 0.02


@pytest.mark.parametrize("kind", ["spread", "duplicates"])
def test_the_default_precision_stays_close_to_float64(kind: str) -> None:
    X, Y = table(420, 6, 3, kind)
    single, double = (grid(X, Y, 320, iterations=4, dtype=dtype) for dtype in FLOATS)
    assert_same_points(single, double, scores=2e-3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("options", [{}, {"diagonal": True}, {"center_gradients": True, "metric_scaling": "trace"}])
def test_learning_then_fitting_is_the_chain(dtype: torch.dtype, options: dict[str, Any]) -> None:
    X, Y = table(600, 4, 2)
    train, test = np.arange(0, 600, 2), np.arange(1, 600, 6)
    sweep = Sweep(X, Y, dtype=dtype, **options)
    chain = list(sweep.points(train, test, ridges=(0.1,), unit_norms=(True,), iterations=3))
    for point in chain:
        metric = sweep.learn(train, ridge=0.1, unit_norm=True, iterations=point.iteration)
        fit = sweep.fit(train, test, ridge=0.1, unit_norm=True, metric=metric)
        assert (metric is None) == (point.iteration == 0)
        assert_allclose(fit.scores, point.scores, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [30, 220], ids=["stacked", "one by one"])
@pytest.mark.parametrize("scored", [False, True])
def test_rows_that_are_not_fitted_change_nothing_for_the_others(scored: bool, n: int) -> None:
    """Neither their targets nor the features of one of them, however far it lies, scored or not."""
    X, Y = table(n + 40, 4, 2)
    fit, others = np.arange(n), np.arange(n, n + 40 if scored else n + 39)

    def scores(far: float, target: float) -> Array:
        moved, targets = X.copy(), Y.copy()
        moved[-1], targets[n:] = far, target
        sweep = Sweep(moved, targets)
        points = [*sweep.points(fit, others, ridges=(0.1,), unit_norms=(False,), iterations=3)]
        points.append(sweep.fit(fit, others, ridge=0.01, unit_norm=False, iterations=2))
        return np.stack([point.scores[:39] for point in points])

    assert_array_equal(scores(1e6, -1.0), scores(0.0, 1.0))


@pytest.mark.parametrize("dtype", FLOATS)
@SIZES
def test_few_rows_none_to_score_and_an_empty_grid(n: int, dtype: torch.dtype) -> None:
    X, Y = table(n, 4, 2)
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
    X, Y = table(300, 3, 3)
    X = np.repeat(X[:12], 25, axis=0)
    rows = np.arange(300)
    points = list(Sweep(X, Y).points(rows, rows, ridges=(1e-8,), unit_norms=(False,), iterations=3))
    assert {point.solver for point in points} & {"cholesky-float64", "eigenvalues"}
    # Equal rows share the mean of their targets: that is what a ridge near zero must predict.
    means = np.repeat(Y.reshape(12, 25, -1).mean(axis=1), 25, axis=0)
    for point in points:
        assert_allclose(point.scores, means, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 30),
    d=st.integers(1, 5),
    kind=st.sampled_from(["spread", "duplicates"]),
    unit_norm=st.booleans(),
    diagonal=st.booleans(),
)
def test_symmetries_of_the_whole_procedure(
    seed: int, n: int, d: int, kind: str, unit_norm: bool, diagonal: bool
) -> None:
    """Permuted features and rows change no score; nor does a rotation, unless only the diagonal of M is learned."""
    X, Y = table(n, d, 3, kind, seed)
    rng = np.random.default_rng(seed)
    train, test = np.arange(n // 2), np.arange(n // 2, n)

    def scores(features: Array, rows: NDArray[np.int64]) -> Array:
        sweep = Sweep(features, Y, dtype=torch.float64, diagonal=diagonal)
        metric = sweep.learn(rows, ridge=0.1, unit_norm=unit_norm, iterations=2)
        return sweep.fit(rows, test, ridge=0.1, unit_norm=unit_norm, metric=metric).scores

    expected = scores(X, train)
    assert_allclose(scores(X[:, rng.permutation(d)], train), expected, atol=1e-6)
    assert_allclose(scores(X, rng.permutation(train)), expected, atol=1e-6)
    if not diagonal:
        rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
        assert_allclose(scores(X @ rotation, train), expected, atol=1e-6)


def test_scale_metric() -> None:
    """A scaled metric forgets the size of the coefficients that it was learned from."""
    M = torch.tensor([[4.0, 1.0], [1.0, 2.0]])
    assert scale_metric(M, "none") is M
    torch.testing.assert_close(scale_metric(M, "none", 1e3), M * 1e6)
    torch.testing.assert_close(scale_metric(M.diagonal(), "trace"), torch.tensor([4.0, 2.0]) / 3.0)
    for scaling, size in (("trace", 3.0), ("max", 4.0)):
        for gain in (1.0, 1e30):
            torch.testing.assert_close(scale_metric(M, scaling, gain), M / size)
    for scaling in ("none", "trace", "max"):
        assert torch.equal(scale_metric(torch.zeros(2, 2), scaling), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="metric_scaling must be one of"):
        Sweep(np.ones((2, 1)), np.ones((2, 1)), metric_scaling="median")


@SIZES
@pytest.mark.parametrize(
    ("options", "factor"),
    [
        *(({"metric_scaling": "trace"}, factor) for factor in (1e-300, 1e-25, 1e3, 1e16, 1e37)),
        *(({"metric_scaling": "max", "diagonal": True}, factor) for factor in (1e-300, 1e37)),
    ],
)
def test_with_a_scaled_metric_the_size_of_the_targets_is_that_of_the_scores(
    n: int, options: dict[str, Any], factor: float
) -> None:
    """Squares of such targets and coefficients are beyond float32, and the largest beyond float64."""
    X, Y = table(n + 20, 4, 2)
    expected = grid(X, Y, n, unit_norms=(False,), **options)
    for key, point in grid(X, factor * Y, n, unit_norms=(False,), **options).items():
        assert_allclose(point.scores / factor, expected[key].scores, rtol=0, atol=2e-4)
        if point.iteration:
            torch.testing.assert_close(point.metric, expected[key].metric, rtol=1e-3, atol=1e-4)


@SIZES
def test_without_scaling_the_first_metric_grows_with_the_square_of_the_targets(n: int) -> None:
    X, Y = table(n, 4, 2)
    plain, large = (
        Sweep(X, factor * Y).learn(np.arange(n), ridge=0.1, unit_norm=False, iterations=1) for factor in (1.0, 2.0**30)
    )
    torch.testing.assert_close(large, plain * 2.0**60)


def test_unit_rows_neither_overflow_nor_vanish() -> None:
    X = np.array([[3.0, 4.0], [0.0, 0.0]])
    for scale in (1e-170, 1.0, 1e160):
        assert_allclose(unit_rows(X * scale), [[0.6, 0.8], [0.0, 0.0]])

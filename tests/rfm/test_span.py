"""Chains among coordinates of the rows' span against the same chains among the features, and what must not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from grids import Array, Points, assert_same_metric, assert_same_points, by_place, grid
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from rfm.factored import FactoredMatrix
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace
from rfm.large import LargeSweep
from rfm.span import Span, first_equals
from rfm.sweep import Sweep

RIDGES = (1.0, 1e-2)
DTYPES = {"float32": (torch.float32, 2e-3, 1e-2), "float64": (torch.float64, 1e-7, 1e-7)}
"""Tolerances of scores (targets are 0 and 1) and of metrics, relative to their largest entry."""
SIZES = {"stacked": (40, 70), "one by one": (130, 170)}


def table(n: int, d: int, others: int = 20, rank: int | None = None) -> tuple[Array, Array]:
    """Normal rows off the origin, three classes; a fitted row stands twice, and once more among the others.

    They may lie in a subspace of few dimensions.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + others, rank or d))
    X = (X @ rng.normal(size=(rank, d)) if rank else X) + 0.5
    X[n // 2] = X[0]
    X[n + 1] = X[0]
    X[n + 2] = X[n + 3]
    labels = (X[:, 0] > 0.5) * 1 + (X[:, 1] > 1.0) * 1
    return X, np.eye(3)[labels]


@pytest.fixture
def directly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Calls a function with the rule switched off."""

    def call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with monkeypatch.context() as patch:
            for module in ("rfm.sweep", "rfm.large"):
                patch.setattr(f"{module}.is_wide", lambda n, d: False)
            return function(*args, **options)

    return call


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    more=st.integers(0, 20),
    rank=st.integers(0, 12),
    copies=st.booleans(),
    scale=st.sampled_from([1e-100, 1e-5, 1.0, 1e9]),
)
def test_distances_among_coordinates_are_those_among_features(
    seed: int, n: int, more: int, rank: int, copies: bool, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    d = n + more
    fitted = rng.normal(size=(n, min(rank, d))) @ rng.normal(size=(min(rank, d), d))
    others = rng.normal(size=(6, d))
    if copies:
        fitted[-1], others[1], others[3] = fitted[0], fitted[0], others[2]
    rows = scale * np.concatenate([fitted, others])
    span = Span.of(rows[:n], "cpu")
    P = span.coordinates(rows, n)
    assert P.shape == (n + 6, n + 1)
    assert_allclose(span.basis.T @ span.basis, np.eye(n), rtol=0, atol=1e-13)
    assert (P[:n, n] == 0.0).all()
    size = np.linalg.norm(rows, axis=1).max()
    assert_allclose(cdist(P[:n], P), cdist(rows[:n], rows), rtol=0, atol=1e-13 * size)
    if copies:
        for row, same in ((n - 1, 0), (n + 1, 0), (n + 3, n + 2)):
            assert_array_equal(P[row], P[same])
    core = torch.as_tensor(rng.normal(size=(n, n)))
    core = torch.block_diag(core @ core.T, torch.zeros(1, 1, dtype=torch.float64))
    M = span.factored(core).dense()
    assert float(span.mean_diagonal(core)) == pytest.approx(float(M.diagonal().mean()))
    assert float(span.largest(core)) == pytest.approx(float(M.abs().max()))
    elsewhere = Span(2.0 * span.basis, outside=False)  # a basis need not be orthonormal to be given
    assert float(elsewhere.mean_diagonal(core[:n, :n])) == pytest.approx(4.0 * float(M.diagonal().mean()))


def test_first_equals() -> None:
    rows = np.array([[0.0, 1.0], [2.0, 2.0], [-0.0, 1.0], [2.0, 2.0], [1.0, 0.0]])
    numbers = first_equals(rows)
    assert numbers is not None
    assert numbers.tolist() == [0, 1, 0, 1, 4]
    assert first_equals(rows[[0, 1, 4]]) is None


KERNELS: list[dict[str, Any]] = [{"kernel": k} for k in (Laplace(10.0), Gaussian(5.0), GeneralisedLaplace(8.0, 1.4))]
FORMS: list[dict[str, Any]] = [{"center_gradients": True}, {"metric_scaling": "trace"}, {"metric_scaling": "max"}]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("dtype", "options"),
    [*(("float64", o) for o in (*KERNELS, *FORMS)), *(("float32", o) for o in (*KERNELS[::2], *FORMS[:2]))],
    ids=str,
)
def test_grids_are_those_of_the_features(
    size: str, dtype: str, options: dict[str, Any], directly: Callable[..., Any]
) -> None:
    """As in float64: by every kernel; of targets three times as large with centred gradients and scaled metrics."""
    n, d = SIZES[size]
    working, of_scores, of_metrics = DTYPES[dtype]
    times, looser = (1.0, 1) if "kernel" in options else (3.0, 10 if dtype == "float64" else 3)
    X, Y = table(n, d)
    expected = directly(grid, X, times * Y, n, dtype=torch.float64, **options)
    found = grid(X, times * Y, n, dtype=working, **options)
    assert_same_points(found, expected, looser * of_scores, of_metrics)
    for (_, _, iteration), point in found.items():
        assert point.solver == "cholesky"
        assert isinstance(point.metric, FactoredMatrix) == (iteration > 0)
        if iteration and "metric_scaling" in options:
            diagonal = point.metric.diagonal()
            size_of_it = diagonal.mean() if options["metric_scaling"] == "trace" else diagonal.max()
            assert float(size_of_it) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit_norm", [True, False])
@pytest.mark.parametrize("rank", [None, 4])
def test_a_learned_metric_serves_any_rows(
    size: str, dtype: str, unit_norm: bool, rank: int | None, directly: Callable[..., Any]
) -> None:
    """On fewer and on more rows than features, on the rows that it was learned from and on others."""
    n, d = SIZES[size]
    working, of_scores, of_metrics = DTYPES[dtype]
    X, Y = table(n, d, d + 60, rank)
    sweep = Sweep(X, Y, dtype=working)
    learning = {"ridge": 0.1, "unit_norm": unit_norm, "iterations": 2}
    M = directly(sweep.learn, np.arange(n), **learning)
    factors = sweep.learn(np.arange(n), **learning)
    assert isinstance(factors, FactoredMatrix)
    assert factors.shape == (d, d)
    assert_same_metric(factors, M, of_metrics)
    test = np.arange(10, 50)
    for train in (np.arange(n), np.arange(n, n + 40), np.arange(n, n + d + 30)):
        found, expected = (
            sweep.fit(train, test, ridge=0.1, unit_norm=unit_norm, metric=metric) for metric in (factors, M)
        )
        assert_allclose(found.scores, expected.scores, rtol=0, atol=of_scores)
        assert_same_metric(found.metric, M, of_metrics)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_close_rows_cost_no_more_than_a_rotation_of_the_features(gap: float, directly: Callable[..., Any]) -> None:
    """Close rows end the stack. What they leave undetermined in float64, the direct way does not know better."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 80))
    X = np.concatenate([X, X + gap * rng.normal(size=X.shape), rng.normal(size=(10, 80))])
    Y = np.eye(2)[rng.integers(0, 2, size=70)]
    turned = X @ np.linalg.qr(rng.normal(size=(80, 80)))[0]
    expected, rotated = (directly(grid, rows, Y, 60, dtype=torch.float64) for rows in (X, turned))
    found = grid(X, Y, 60, dtype=torch.float64)
    for ridge in RIDGES:
        own, apart = (
            max(float(np.abs(other[key].scores - expected[key].scores).max()) for key in expected if key[1] == ridge)
            for other in (rotated, found)
        )
        assert apart <= 10 * own


@pytest.mark.parametrize(("d", "factored"), [(29, False), (30, False), (31, True), (60, True)])
def test_more_features_than_fitted_rows_is_the_rule(d: int, factored: bool, directly: Callable[..., Any]) -> None:
    X, Y = table(30, d)
    found = grid(X, Y, 30)
    for key, point in found.items():
        assert isinstance(point.metric, FactoredMatrix) == (factored and key[2] > 0)
    assert_same_points(found, directly(grid, X, Y, 30), scores=1e-7 if factored else 0.0)


def test_neither_a_diagonal_nor_no_update_is_worth_a_change_of_coordinates(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a span was formed")

    monkeypatch.setattr(Span, "of", forbidden)
    X, Y = table(20, 30)
    rows, still = np.arange(20), {"ridges": RIDGES, "unit_norms": (True,), "iterations": 0}
    assert len(list(Sweep(X, Y).points(rows, rows, **still))) == 2
    for key, point in grid(X, Y, 20, diagonal=True).items():
        assert point.metric is None if key[2] == 0 else point.metric.shape == (30,)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("value", [None, 0.0, 3.0], ids=["normal", "zeros", "constant"])
def test_one_and_two_rows_and_nothing_to_learn_from(n: int, value: float | None) -> None:
    X, Y = table(8, 12)
    if value is not None:
        X[:] = value
    points = Sweep(X, Y).points(np.arange(n), np.arange(8), ridges=(0.1,), unit_norms=(True, False), iterations=3)
    for point in points:
        assert np.isfinite(point.scores).all()
        if point.metric is not None:
            largest = float(point.metric.diagonal().abs().max())
            assert largest == 0.0 if n == 1 or value is not None else np.isfinite(largest)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_outlier_costs_the_other_rows_no_digits(dtype: str, directly: Callable[..., Any]) -> None:
    """Fitted, it takes part in the basis; not fitted, it takes part in nothing."""
    n, d = 130, 170
    X, Y = table(n, d)
    X[5] = 1e6
    working, of_scores, _ = DTYPES[dtype]
    found = grid(X, Y, n, dtype=working)
    assert_same_points(found, directly(grid, X, Y, n, dtype=torch.float64), max(1e-5, of_scores))
    X[-1] = 1e9
    for key, point in grid(X, Y, n, dtype=working).items():
        assert_array_equal(point.scores[:-1], found[key].scores[:-1])


@pytest.mark.parametrize("options", [{}, {"center_gradients": True}, {"metric_scaling": "trace"}], ids=repr)
@pytest.mark.parametrize("unit_norm", [True, False])
def test_the_machine_for_large_tables_does_so_too(
    unit_norm: bool, options: dict[str, Any], directly: Callable[..., Any]
) -> None:
    n, d = 130, 170
    X, Y = table(n, d)
    train, test = np.arange(n), np.arange(n, n + 20)
    sweep, large = Sweep(X, Y, **options), LargeSweep(X, Y, seed=3, solver="cholesky", **options)

    def points() -> Points:
        return by_place(large.points(train, test, ridges=(0.1,), unit_norms=(unit_norm,), iterations=2))

    found, expected = points(), directly(points)
    assert_same_points(found, expected, scores=2e-3, metrics=1e-2)
    for key, point in found.items():
        assert isinstance(point.metric, FactoredMatrix) == (key[2] > 0)
        assert_allclose(point.alpha, expected[key].alpha, rtol=0, atol=2e-2)
    learned = sweep.learn(train, ridge=0.1, unit_norm=unit_norm, iterations=2)
    assert_same_metric(found[unit_norm, 0.1, 2].metric, learned, 1e-2)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("scaling", ["none", "trace", "max"])
def test_updates_may_begin_from_factors(diagonal: bool, scaling: str) -> None:
    """Of any basis: that of another network's features, say, is not orthonormal."""
    X, Y = table(60, 80)
    rng = np.random.default_rng(1)
    basis, root = torch.as_tensor(rng.normal(size=(80, 6))), torch.as_tensor(rng.normal(size=(6, 6)))
    factors = FactoredMatrix(basis, root @ root.T / 100)
    large = LargeSweep(X, Y, dtype=torch.float64, diagonal=diagonal, metric_scaling=scaling)
    fits = [
        large.fit(np.arange(60), np.arange(60, 80), ridge=0.1, unit_norm=False, iterations=2, metric=metric)
        for metric in (factors, factors.dense())
    ]
    assert_allclose(fits[0].scores, fits[1].scores, rtol=0, atol=1e-7)
    assert_same_metric(fits[0].metric, fits[1].metric, 1e-7)

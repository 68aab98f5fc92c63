"""LinearRFM against iteratively reweighted least squares, and what it must refuse."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from rfm import LinearRFM


def sparse_problem(n: int, d: int, nonzeros: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) / np.sqrt(n)
    w = np.zeros(d)
    w[rng.choice(d, nonzeros, replace=False)] = rng.standard_normal(nonzeros) + 2.0
    return X, X @ w, w


def irls(X: np.ndarray, y: np.ndarray, p: float, smoothing: float, steps: int) -> np.ndarray:
    """The textbook's IRLS-p: min sum_i w_i^2 / (v_i^2 + s)^(1 - p/2) subject to X w = y, v the last w."""
    w = np.linalg.pinv(X) @ y
    unit = np.max(w**2)
    for _ in range(steps):
        root = np.diag((w**2 + smoothing * unit) ** (0.5 - p / 4))
        w = root @ np.linalg.pinv(X @ root) @ y
    return w


@pytest.mark.parametrize(("p", "steps"), [(-1.0, 5), (0.0, 5), (0.5, 0), (0.5, 1), (0.5, 2), (0.5, 5), (1.0, 5)])
def test_every_step_is_a_step_of_irls(p: float, steps: int) -> None:
    X, y, _ = sparse_problem(20, 50, 4)
    model = LinearRFM(0.5 - p / 4, smoothing=1e-2, smoothing_end=1e-2, iterations=steps, fit_intercept=False, tol=1e-15)
    with pytest.warns(ConvergenceWarning, match=f"not converge in {steps} iterations") if steps else nullcontext():
        model.fit(X, y)
    assert not model.converged_
    np.testing.assert_allclose(model.coef_, irls(X, y, p, 1e-2, steps), atol=1e-7)


@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
def test_without_updates_it_is_ridge_regression_on_either_side(n: int, d: int) -> None:
    X, y, _ = sparse_problem(n, d, 3)
    ours, theirs = (model.fit(X + 1.0, y - 2.0) for model in (LinearRFM(iterations=0, ridge=0.3), Ridge(alpha=0.3)))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
    assert ours.intercept_ == pytest.approx(theirs.intercept_)


@pytest.mark.parametrize("alpha", [0.25, 0.375, 0.5, 0.75])
def test_recovers_sparse_coefficients_exactly(alpha: float) -> None:
    X, y, w = sparse_problem(60, 150, 6)
    model = LinearRFM(alpha, fit_intercept=False).fit(X, y)
    assert model.converged_
    np.testing.assert_allclose(model.coef_, w, atol=1e-5)
    assert set(np.argsort(model.M_)[-6:]) == set(np.flatnonzero(w))


draws = np.random.default_rng(0)
INTEGERS = draws.integers(0, 3, (150, 400)) * 100.0
ONE_HOT = np.concatenate([np.eye(8)[draws.integers(0, 8, 120)] for _ in range(3)], axis=1) * 100.0
LOW_RANK = (draws.integers(-3, 4, (80, 6)) @ draws.integers(-3, 4, (6, 60))).astype(float)
"""Features of size 10 to 255, of less than full rank once centred."""


@pytest.mark.parametrize(
    ("X", "unique"), [(INTEGERS, True), (ONE_HOT, True), (LOW_RANK, False)], ids=["integers", "one-hot", "low rank"]
)
@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_features_of_less_than_full_rank_are_fitted(X: np.ndarray, unique: bool, alpha: float) -> None:
    y = 3.0 * X[:, 2] - 2.0 * X[:, 10]
    model = LinearRFM(alpha).fit(X, y)
    assert model.converged_
    np.testing.assert_allclose(model.predict(X), y, atol=1e-6 * np.abs(y).max())
    kept = np.flatnonzero(np.abs(model.coef_) > 1e-6)
    if unique:
        np.testing.assert_allclose(model.coef_[kept], [3.0, -2.0], atol=1e-6)
    else:  # any columns that span as much will do
        assert len(kept) <= 6


def test_ridge_regression_of_repeated_and_dependent_features_has_the_least_norm() -> None:
    """Also with different targets for equal rows, whose difference no feature explains."""
    rng = np.random.default_rng(0)
    for X in (np.repeat(rng.standard_normal((20, 50)), 2, axis=0), ONE_HOT, np.zeros((5, 3))):
        y = rng.standard_normal(len(X))
        least = np.linalg.pinv(X - X.mean(axis=0), rcond=1e-10) @ (y - y.mean())
        model = LinearRFM(iterations=0).fit(X, y)
        np.testing.assert_allclose(model.coef_, least, atol=1e-9 * max(1.0, np.abs(least).max()))


@pytest.mark.parametrize("alpha", [3.0, 5.0])
def test_large_powers_on_noisy_targets_end_without_an_error(alpha: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 100))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LinearRFM(alpha).fit(X, X[:, 0] + 0.5 * rng.standard_normal(60))
    assert np.isfinite(model.coef_).all()
    # Whether it converges is decided by rounding, and so by the processor; that it says so is not.
    assert [w.category for w in caught] == ([] if model.converged_ else [ConvergenceWarning])


@pytest.mark.parametrize("factor", [1e-6, 1e-9])
def test_a_ridge_that_is_not_small_against_the_features_is_said(factor: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 400))
    with pytest.warns(UserWarning, match="ridge 1e-10 is not small against the features"):
        LinearRFM(iterations=0).fit(X * factor, X[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearRFM(iterations=0).fit(X * 1e-4, X[:, 0])
        LinearRFM(iterations=0, ridge=10.0).fit(X, X[:, 0])
        LinearRFM(iterations=0, ridge=1e-20).fit(X * factor, X[:, 0])


def test_at_one_quarter_it_minimises_the_l1_norm() -> None:
    """With more nonzeros than basis pursuit recovers: the linear program's minimum all the same."""
    X, y, _ = sparse_problem(30, 50, 18)
    model = LinearRFM(0.25, fit_intercept=False, iterations=5000, tol=1e-8).fit(X, y)
    positive = linprog(np.ones(100), A_eq=np.hstack([X, -X]), b_eq=y)
    assert np.abs(model.coef_).sum() == pytest.approx(positive.fun, rel=1e-5)


@pytest.mark.parametrize(
    ("alpha", "factor"),
    [*((alpha, k) for alpha in (0.25, 0.5, 0.75) for k in (1e-200, 1e150)), *((0.5, k) for k in (1e-6, 1e-4, 1e6))],
)
def test_the_scale_of_the_targets_does_not_matter(alpha: float, factor: float) -> None:
    X, y, w = sparse_problem(60, 150, 6)
    one = LinearRFM(alpha).fit(X[:50], y[:50], (X[50:], y[50:]))
    other = LinearRFM(alpha).fit(X[:50], y[:50] * factor, (X[50:], y[50:] * factor))
    np.testing.assert_allclose(one.coef_, w, atol=1e-4)
    np.testing.assert_allclose(other.coef_ / factor, one.coef_, atol=1e-6)
    np.testing.assert_allclose(other.intercept_ / factor, one.intercept_, atol=1e-6)
    assert other.converged_


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75])
def test_the_ridge_is_in_units_of_squared_features(alpha: float) -> None:
    X, y, _ = sparse_problem(60, 150, 6)
    one = LinearRFM(alpha, ridge=1e-8).fit(X, y)
    other = LinearRFM(alpha, ridge=1e-2).fit(X * 1e3, y)
    np.testing.assert_allclose(other.coef_ * 1e3, one.coef_, atol=1e-8)
    np.testing.assert_allclose(other.M_, one.M_, atol=1e-8)


def test_validation_selects_the_best_iteration_and_ends_the_search_after_the_patience() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 400))
    y = X[:, 0] - X[:, 5] + 0.5 * rng.standard_normal(150)
    halves = (X[:100], y[:100], (X[100:], y[100:]))
    model = LinearRFM(ridge=0.1, patience=7).fit(*halves)
    assert (model.stopped_, model.converged_, model.n_iter_) == ("validation", True, model.best_iteration_ + 7)
    assert model.path_.shape == (model.n_iter_ + 1,)
    assert model.best_iteration_ == model.path_.argmax() > 0
    assert model.score(*halves[2]) == pytest.approx(model.path_.max())
    longer = LinearRFM(ridge=0.1, patience=1000).fit(*halves)
    assert longer.stopped_ == "change"
    assert longer.n_iter_ > model.n_iter_
    np.testing.assert_array_equal(longer.path_[: model.n_iter_ + 1], model.path_)


def test_constant_targets_need_no_features() -> None:
    X, _, _ = sparse_problem(10, 4, 2)
    model = LinearRFM().fit(X, np.full(10, 3.0))
    assert model.intercept_ == pytest.approx(3.0)
    assert not model.coef_.any()


def test_bad_validation_is_refused() -> None:
    X, y, _ = sparse_problem(10, 4, 2)
    for validation, words in ((3, "pair"), ((X[:, :2], y), "features"), ((X, y[:3]), "inconsistent")):
        with pytest.raises(ValueError, match=words):
            LinearRFM().fit(X, y, validation)

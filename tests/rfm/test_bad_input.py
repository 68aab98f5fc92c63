"""Bad or extreme input: an error that says what to do, or a finite answer that makes sense.

What scikit-learn's own checks give every estimator (no rows, no features, NaN, text, sparse) is test_estimator_checks'.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.base import clone

from rfm import (
    KernelRidgeClassifier,
    KernelRidgeRegressor,
    LinearRFM,
    MatrixCompletion,
    RFMClassifier,
    RFMClassifierCV,
    RFMRegressor,
)
from rfm.large import LargeSweep
from rfm.product_sweep import ProductSweep
from rfm.sweep import Sweep

Array = NDArray[np.float64]

ESTIMATORS = [
    RFMClassifier(),
    RFMClassifier(dtype="float64", unit_norm=True),
    RFMRegressor(),
    RFMRegressor(kernel="gaussian", diagonal=True),
    KernelRidgeClassifier(),
    KernelRidgeClassifier("ntk", depth=2),
    KernelRidgeRegressor("generalised_laplace", exponent=0.5),
    KernelRidgeRegressor("ntk"),
]
every = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def table(n: int = 300, d: int = 4) -> tuple[Array, NDArray[np.int64]]:
    X = np.random.default_rng(0).normal(size=(n, d))
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def finite_scores(estimator: Any, X: Array, y: NDArray[Any], new: Array | None = None) -> Array:
    fitted = clone(estimator).fit(X, y)
    scores: Array = fitted._scores(X if new is None else new)
    assert np.isfinite(scores).all()
    if hasattr(fitted, "M_"):
        assert np.isfinite(fitted.M_).all()
        assert np.isfinite(fitted.feature_importances_).all()
    return scores


@every
def test_zero_rows_under_unit_norm(estimator: Any) -> None:
    X, y = table()
    X[::10] = 0.0
    scores = finite_scores(clone(estimator).set_params(unit_norm=True), X, y, np.zeros((2, 4)))
    assert_allclose(scores[0], scores[1], rtol=1e-10)


@every
@pytest.mark.parametrize("ridge", [1.0, 1e-3, 1e-8])
def test_duplicate_rows_share_the_mean_of_their_targets(estimator: Any, ridge: float) -> None:
    rng = np.random.default_rng(1)
    X = np.repeat(rng.normal(size=(6, 4)), 50, axis=0)
    y = rng.integers(0, 2, size=300)
    scores = finite_scores(clone(estimator).set_params(ridge=ridge), X, y)
    for row in range(6):
        block = scores[50 * row : 50 * (row + 1)]
        assert_allclose(block, np.broadcast_to(block[:1], block.shape), atol=1e-6)
    if ridge == 1e-8:  # six distinct rows: nothing keeps the predictor from their means
        assert_allclose(scores[::50, -1], y.reshape(6, 50).mean(axis=1), atol=1e-3)


@every
def test_constant_features_carry_nothing(estimator: Any) -> None:
    """Some, which have no weight, or all: every prediction is then (nearly) the mean of the targets."""
    X, y = table()
    X[:, 2] = 7.0
    finite_scores(estimator, X, y)
    if hasattr(estimator, "iterations") and not estimator.unit_norm:  # division by the norm makes it vary
        assert clone(estimator).fit(X, y).feature_importances_[2] == pytest.approx(0.0, abs=1e-10)
    X, y = np.ones((300, 3)), np.r_[np.zeros(90, dtype=int), np.ones(210, dtype=int)]
    assert_allclose(finite_scores(estimator, X, y, np.ones((5, 3)))[:, -1], 0.7, atol=1e-3)


def test_few_rows() -> None:
    two, y = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([0, 1])
    for estimator in ESTIMATORS:
        finite_scores(estimator, two, y, np.array([[1.0, 1.0]]))
        assert_array_equal(clone(estimator).set_params(ridge=1e-3).fit(two, y).predict(two).round(), y)
    for regressor in (RFMRegressor(), KernelRidgeRegressor(), KernelRidgeRegressor("ntk")):
        finite_scores(regressor, np.array([[1.0, 2.0]]), np.array([3.0]), np.array([[0.0, 5.0]]))


NUMBERS = [0.0, -1.0, np.nan, np.inf, "1", None, True]
COUNTS = [-1, 2.0, "4", None, True]
FLAGS = [1, "yes", None]
WORDS = ["", "float16", None, 3, np.float32]
RFM, RIDGE = (RFMClassifier, RFMRegressor), (KernelRidgeClassifier, KernelRidgeRegressor)
TUNED, LINEAR, COMPLETION = (RFMClassifierCV,), (LinearRFM,), (MatrixCompletion,)
WRONG: list[tuple[tuple[Any, ...], str, list[Any]]] = [
    (RFM + RIDGE, "ridge bandwidth exponent cache_size", NUMBERS),
    (RFM + RIDGE, "exponent", [2.1]),
    (RFM + RIDGE, "unit_norm", FLAGS),
    (RFM + RIDGE, "kernel device dtype solver", WORDS),
    (RFM, "kernel", ["ntk"]),  # of which no metric is learned
    (RFM, "iterations", COUNTS),
    (RFM, "diagonal center_gradients", FLAGS),
    (RFM, "metric_scaling", WORDS),
    (RIDGE, "depth", [0, *COUNTS]),
    (TUNED, "kernels", [("no-such",), "laplace"]),
    (TUNED, "bandwidths", [(0.0,), (10.0, 1e-300)]),
    (TUNED, "ridges", [(), 0.1]),
    (TUNED, "unit_norms", [(1,)]),
    (TUNED, "iterations", COUNTS),
    (TUNED, "max_tuning_samples", [1, *COUNTS]),
    (TUNED, "cv", [1, "five", True]),
    (TUNED, "ensemble", FLAGS),
    (TUNED, "scoring device", ["r2", *WORDS]),
    (LINEAR, "alpha ridge smoothing smoothing_end tol", NUMBERS),
    (LINEAR, "smoothing_end", [1e9]),  # more than where it begins
    (LINEAR, "iterations", COUNTS),
    (LINEAR, "patience", [0, *COUNTS]),
    (LINEAR, "fit_intercept", FLAGS),
    (COMPLETION, "alpha ridge ridge_decay ridge_end tol", NUMBERS),
    (COMPLETION, "ridge_decay ridge_end", [2.0]),
    (COMPLETION, "max_rank", [0, -1, 2.0, "4", True]),
    (COMPLETION, "iterations patience", [0, *COUNTS]),
    (COMPLETION, "sides dtype", WORDS),
]


@pytest.mark.parametrize(
    ("kind", "parameter", "values"),
    [(kind, name, values) for kinds, names, values in WRONG for kind in kinds for name in names.split()],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
def test_parameters_out_of_range(kind: Any, parameter: str, values: list[Any]) -> None:
    data = (np.ones((9, 7)),) if kind is MatrixCompletion else table(20)
    for value in values:
        with pytest.raises(ValueError, match=f"{parameter!r} parameter of {kind.__name__} must (be|have)"):
            kind(**{parameter: value}).fit(*data)


def test_numpy_numbers_are_numbers() -> None:
    settings: dict[str, Any] = {"ridge": np.float32(0.5), "bandwidth": np.int64(3), "unit_norm": np.bool_(True)}
    RFMClassifier(**settings, iterations=np.int64(1)).fit(*table(20))
    KernelRidgeRegressor("ntk", depth=np.int64(2), **settings).fit(*table(20))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("estimator", [RFMClassifier(), KernelRidgeRegressor("ntk")], ids=repr)
def test_a_gpu_that_is_not_there(estimator: Any) -> None:
    with pytest.raises(ValueError, match="'cuda', but PyTorch sees no GPU here: use 'cpu' or 'auto'"):
        clone(estimator).set_params(device="cuda").fit(*table(20))
    clone(estimator).set_params(device="auto").fit(*table(20))


@pytest.mark.parametrize("kernel", ["laplace", "gaussian", "generalised_laplace"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_bandwidth_so_small_that_the_kernel_is_the_identity(kernel: str, dtype: str) -> None:
    """Kernel ridge regression knows its training rows and nothing else; RFM, without a gradient, learns M = 0."""
    X, y = table()
    plain = KernelRidgeRegressor(kernel, bandwidth=1e-5, ridge=1.0, dtype=dtype).fit(X, y)
    assert_allclose(plain.predict(X), y / 2, atol=1e-6)
    assert_allclose(plain.predict(X + 1.0), 0.0, atol=1e-6)
    moved = RFMClassifier(kernel, bandwidth=1e-5, dtype=dtype).fit(X, y)
    assert (moved.M_ == 0.0).all()
    assert (moved.feature_importances_ == 0.0).all()
    shares = np.bincount(y) / len(y)  # with M = 0 all rows are the same row
    assert_allclose(moved.decision_function(X[:3]), shares[1] - shares[0], atol=1e-3)


@pytest.mark.parametrize("estimator", [RFMClassifier(), RFMRegressor(), KernelRidgeClassifier("gaussian")], ids=repr)
def test_distances_beyond_the_working_precision(estimator: Any) -> None:
    X, y = table()
    for bandwidth, scale in ((1e-40, 1.0), (10.0, 1e25), (1e-200, 1e-3)):
        with pytest.raises(ValueError, match="exceed float32; standardise the features or take a larger bandwidth"):
            clone(estimator).set_params(bandwidth=bandwidth).fit(X * scale, y)


@cache
def fitted_to_the_table(estimator: Any) -> Any:
    return clone(estimator).fit(*table())


@pytest.mark.parametrize("scale", [1e30, 1e39, 1e100, 1e160, 1e300, 1.7e308])
@every
def test_new_rows_of_extreme_scale(estimator: Any, scale: float) -> None:
    """One huge row: a score of its own that is right, or an error that names it; the others keep theirs."""
    fitted, new = fitted_to_the_table(estimator), table()[0][:5]
    new[3] = [scale, -scale, 0.0, 1.0]
    try:
        scores = fitted._scores(new)
    except ValueError as error:
        assert scale > 1e150
        assert re.search("row 3 of X.*standardise the features", str(error))  # noqa: PT017
        return
    kept = [0, 1, 2, 4]
    assert_allclose(scores[kept], fitted._scores(new[kept]), rtol=0, atol=1e-7)
    shorter = fitted._scores(np.array([[1.0, -1.0, 0.0, 1.0 / scale]]))[0]
    if fitted.unit_norm:
        assert_allclose(scores[3], shorter, atol=1e-6)
    elif fitted.kernel == "ntk":  # homogeneous: as if the row were shorter
        assert_allclose(scores[3] / scale, shorter, atol=1e-6)
    else:  # far from all training rows
        assert_array_equal(scores[3], 0.0)


def test_rows_beyond_the_working_precision() -> None:
    """A new one in the metric, in float64; and validation rows, in float32."""
    X, y = table()
    fitted = RFMRegressor(iterations=1, metric_scaling="none").fit(X, y * 1e15)
    with pytest.raises(ValueError, match=r"row 1 of X, of norm 1e\+150, is too large"):
        fitted.predict(np.array([[0.0, 0.0, 0.0, 0.0], [1e150, 0.0, 0.0, 0.0]]))
    held_out = X[:5].copy()
    held_out[2, 0] = 1e39
    for estimator in (RFMClassifier(), RFMRegressor()):
        with pytest.raises(ValueError, match=r"row 2 of validation X .* exceed float32; standardise the features"):
            estimator.fit(X, y, validation=(held_out, y[:5]))


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
@every
def test_features_of_extreme_scale(estimator: Any, scale: float) -> None:
    """A finite answer, or an error that says what to do."""
    X, y = table()
    try:
        finite_scores(estimator, X * scale, y)
    except ValueError as error:
        assert "standardise the features" in str(error)  # noqa: PT017
        assert scale in (1e-12, 1e12)


@every
def test_a_bandwidth_so_large_that_all_rows_are_one(estimator: Any) -> None:
    X, y = table()
    scores = finite_scores(clone(estimator).set_params(bandwidth=1e30), X, y)
    if estimator.kernel == "ntk":  # it has no bandwidth
        assert_array_equal(scores, finite_scores(estimator, X, y))
    else:
        assert_allclose(scores[:, -1], y.mean(), atol=1e-2)


ROWS, CODES = table(20)
LETTERS = np.array(["a", "b"])[CODES]
OTHER_KIND = "validation y has labels of kind {} and y of kind {}: they cannot be compared"


def of_the_rows(zero: Any, one: Any, dtype: Any = None) -> Any:
    """Validation of the same rows, with labels ``zero`` and ``one``."""
    return ROWS, np.array([zero, one], dtype=dtype)[CODES]


@pytest.mark.parametrize(
    ("estimator", "y", "validation", "message"),
    [
        *(
            (estimator, np.ones(20), None, "needs rows of at least 2 classes; y has 1 class only")
            for estimator in (RFMClassifier(), KernelRidgeClassifier("ntk"))
        ),
        *((estimator, np.ones((20, 0)), None, r"0 feature\(s\)") for estimator in ESTIMATORS),
        *(
            (estimator, CODES, (np.ones((3, 4)), [0, 1]), "inconsistent numbers of samples")
            for estimator in (RFMClassifier(), RFMRegressor())
        ),
        (RFMClassifier(), CODES, (np.ones((3, 3)), [0, 1, 1]), "X has 3 features"),
        (RFMClassifier(), CODES, (np.full((3, 4), np.nan), [0, 1, 1]), "NaN"),
        (RFMClassifier(), CODES, np.ones((3, 4)), "validation must be a pair"),
        (RFMRegressor(), CODES, 5, "validation must be a pair"),
        (RFMClassifier(), CODES, (np.ones((0, 4)), []), "0 sample"),
        (RFMRegressor(), CODES, (ROWS, np.ones((20, 1))), r"validation y .* \(20, 1\), y has shape \(20,\)"),
        (RFMRegressor(), CODES, (np.ones((1, 4)), [0]), "minimum of 2 is required"),
        (RFMClassifier(), CODES, of_the_rows("a", "b"), OTHER_KIND.format("str", "number")),
        (RFMClassifier(), LETTERS, of_the_rows(0, 1), OTHER_KIND.format("number", "str")),
        (RFMClassifier(), LETTERS, of_the_rows(b"a", b"b"), "validation y .* kind bytes and y of kind str"),
        (RFMClassifier(), LETTERS, of_the_rows("a", None, object), "validation y .* kind NoneType, str"),
        (RFMClassifier(), CODES, of_the_rows(0.0, np.nan), "validation y contains NaN"),
        (RFMClassifier(), LETTERS, of_the_rows("a", np.nan, object), "validation y contains NaN"),
        (RFMClassifier(), CODES, of_the_rows(7, 8), r"none of the labels of validation y .*7.* is a class of y"),
        (RFMClassifier(), LETTERS, of_the_rows("A", "B"), "none of the labels of validation y"),
    ],
)
def test_targets_and_validation_that_do_not_fit(estimator: Any, y: Any, validation: Any, message: str) -> None:
    given = {} if validation is None else {"validation": validation}
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(ROWS, y, **given)


@pytest.mark.parametrize(
    ("labels", "same"),
    [
        ([0, 1], [0.0, 1.0]),
        ([0, 1], [False, True]),
        ([0, 1], np.array([0, 1], dtype=object)),
        (["a", "b"], np.array(["a", "b"], dtype=object)),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
    ],
)
def test_validation_labels_of_another_type_but_one_kind(labels: Any, same: Any) -> None:
    X, y = table(60)
    names = np.array(labels)[y]
    plain = RFMClassifier().fit(X[:40], names[:40], validation=(X[40:], names[40:]))
    fitted = RFMClassifier().fit(X[:40], names[:40], validation=(X[40:], np.array(same)[y][40:]))
    assert_array_equal(fitted.path_, plain.path_)
    assert fitted.path_.max() > 0.6


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.zeros((5, 0)), np.ones((5, 1)), r"X must be \(n, d\) with at least one feature, got shape \(5, 0\)"),
        (np.ones(5), np.ones((5, 1)), r"X must be \(n, d\) with at least one feature, got shape \(5,\)"),
        (np.ones((5, 2)), np.ones((5, 0)), r"Y must be \(5, c\) with at least one column.* got shape \(5, 0\)"),
        (np.ones((5, 2)), np.ones((4, 1)), r"Y must be \(5, c\) with at least one column.* got shape \(4, 1\)"),
    ],
    ids=["no features", "one axis", "no targets", "other rows"],
)
def test_a_problem_without_features_or_targets(X: Array, Y: Array, message: str) -> None:
    for kind in (Sweep, LargeSweep, ProductSweep):
        with pytest.raises(ValueError, match=message):
            kind(X, Y)

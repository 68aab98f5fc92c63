"""Bad or extreme input: scikit-learn's kind of error, or a finite answer that makes sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from rfm import KernelRidgeClassifier, KernelRidgeRegressor, RFMClassifier, RFMRegressor
from rfm.large import LargeSweep
from rfm.ntk_ridge import ntk_points
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
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite(estimator: Any, value: float) -> None:
    X, y = table()
    broken = X.copy()
    broken[3, 1] = value
    with pytest.raises(ValueError, match="NaN" if np.isnan(value) else "infinity"):
        clone(estimator).fit(broken, y)
    fitted = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match="NaN" if np.isnan(value) else "infinity"):
        fitted.predict(broken)


@pytest.mark.parametrize("estimator", [RFMRegressor(), KernelRidgeRegressor()], ids=repr)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_targets_that_are_not_finite(estimator: Any, value: float) -> None:
    X, y = table()
    targets = y.astype(float)
    targets[0] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        clone(estimator).fit(X, targets)


@pytest.mark.parametrize("estimator", [RFMClassifier(), KernelRidgeClassifier("ntk")], ids=repr)
def test_one_class(estimator: Any) -> None:
    X, _ = table()
    with pytest.raises(ValueError, match="needs rows of at least 2 classes; y has 1 class only"):
        clone(estimator).fit(X, np.ones(len(X)))


def test_a_continuous_target_is_no_class() -> None:
    X, _ = table()
    with pytest.raises(ValueError, match="Unknown label type"):
        RFMClassifier().fit(X, X[:, 0])


@every
def test_zero_rows_under_unit_norm(estimator: Any) -> None:
    X, y = table()
    X[::10] = 0.0
    scores = finite_scores(clone(estimator).set_params(unit_norm=True), X, y, np.zeros((2, 4)))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-10)


@every
@pytest.mark.parametrize("ridge", [1.0, 1e-3, 1e-8])
def test_duplicate_rows_share_the_mean_of_their_targets(estimator: Any, ridge: float) -> None:
    rng = np.random.default_rng(1)
    X = np.repeat(rng.normal(size=(6, 4)), 50, axis=0)
    y = rng.integers(0, 2, size=300)
    scores = finite_scores(clone(estimator).set_params(ridge=ridge), X, y)
    for row in range(6):
        block = scores[50 * row : 50 * (row + 1)]
        np.testing.assert_allclose(block, np.broadcast_to(block[:1], block.shape), atol=1e-6)
    if ridge == 1e-8:  # six distinct rows: nothing keeps the predictor from their means
        np.testing.assert_allclose(scores[::50, -1], y.reshape(6, 50).mean(axis=1), atol=1e-3)


@every
def test_constant_features_carry_nothing(estimator: Any) -> None:
    X, y = table()
    X[:, 2] = 7.0
    finite_scores(estimator, X, y)
    if hasattr(estimator, "iterations"):
        fitted = clone(estimator).fit(X, y)
        if not fitted.unit_norm:  # division by the norm makes it vary
            assert fitted.feature_importances_[2] == pytest.approx(0.0, abs=1e-10)


@every
def test_nothing_but_constant_features(estimator: Any) -> None:
    """No row can be told from another: every prediction is (nearly) the mean of the targets."""
    X, y = np.ones((300, 3)), np.r_[np.zeros(90, dtype=int), np.ones(210, dtype=int)]
    scores = finite_scores(estimator, X, y, np.ones((5, 3)))
    np.testing.assert_allclose(scores[:, -1], 0.7, atol=1e-3)


@every
def test_two_rows(estimator: Any) -> None:
    X, y = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([0, 1])
    finite_scores(estimator, X, y, np.array([[1.0, 1.0]]))
    np.testing.assert_array_equal(clone(estimator).set_params(ridge=1e-3).fit(X, y).predict(X).round(), y)


@pytest.mark.parametrize("estimator", [RFMRegressor(), KernelRidgeRegressor(), KernelRidgeRegressor("ntk")], ids=repr)
def test_one_row(estimator: Any) -> None:
    fitted = clone(estimator).fit(np.array([[1.0, 2.0]]), [3.0])
    assert np.isfinite(fitted.predict(np.array([[0.0, 5.0]]))).all()


@every
@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("ridge", [0.0, -1.0, np.nan, np.inf, "1", None, True]),
        ("bandwidth", [0.0, -10.0, np.nan, np.inf, "10"]),
        ("exponent", [0.0, 2.1, -1.0, np.nan]),
        ("kernel", ["cauchy", "", None, 3]),
        ("unit_norm", [2, "yes", None]),
        ("device", ["tpu", None, 0]),
        ("dtype", ["float16", np.float32, None]),
        ("depth", [0, -1, 1.5, True, None]),
        ("iterations", [-1, 2.0, "4", True, None]),
        ("diagonal", [1, None]),
        ("center_gradients", ["no", None]),
        ("metric_scaling", ["median", None]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parameters_out_of_range(estimator: Any, parameter: str, values: list[Any]) -> None:
    if parameter not in estimator.get_params():
        assert parameter in {"depth", "iterations", "diagonal", "center_gradients", "metric_scaling"}
        return
    X, y = table(20)
    for value in values:
        with pytest.raises(ValueError, match=f"{parameter!r} parameter of {type(estimator).__name__} must be"):
            clone(estimator).set_params(**{parameter: value}).fit(X, y)


@pytest.mark.parametrize("estimator", [RFMClassifier(kernel="ntk"), RFMRegressor(kernel="ntk")], ids=repr)
def test_rfm_does_not_learn_the_metric_of_a_tangent_kernel(estimator: Any) -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match=r"'kernel' parameter of RFM.* must be one of laplace, gaussian"):
        estimator.fit(X, y)


@every
def test_numpy_numbers_are_numbers(estimator: Any) -> None:
    X, y = table(20)
    settings: dict[str, Any] = {"ridge": np.float32(0.5), "bandwidth": np.int64(3), "unit_norm": np.bool_(True)}
    if hasattr(estimator, "iterations"):
        settings["iterations"] = np.int64(1)
    clone(estimator).set_params(**settings).fit(X, y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@every
def test_a_gpu_that_is_not_there(estimator: Any) -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match="'cuda', but PyTorch sees no GPU here: use 'cpu' or 'auto'"):
        clone(estimator).set_params(device="cuda").fit(X, y)
    clone(estimator).set_params(device="auto").fit(X, y)


@every
def test_wrong_number_of_features_at_predict(estimator: Any) -> None:
    X, y = table()
    fitted = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4 features"):
        fitted.predict(X[:, :3])


@every
def test_sparse_input(estimator: Any) -> None:
    X, y = table()
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        clone(estimator).fit(csr_matrix(X), y)


@every
def test_objects(estimator: Any) -> None:
    """Numbers kept as objects are numbers; words are an error."""
    X, y = table(40)
    as_numbers = clone(estimator).fit(X.astype(object), y)._scores(X)
    np.testing.assert_allclose(as_numbers, clone(estimator).fit(X, y)._scores(X), atol=1e-6)
    words = X.astype(object)
    words[0, 0] = "red"
    with pytest.raises(ValueError, match="could not convert string to float"):
        clone(estimator).fit(words, y)


@every
def test_not_fitted_and_no_rows(estimator: Any) -> None:
    X, y = table(20)
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)
    with pytest.raises(ValueError, match="0 sample"):
        clone(estimator).fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(estimator).fit(X, y[:-1])


@pytest.mark.parametrize("kernel", ["laplace", "gaussian", "generalised_laplace"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_bandwidth_so_small_that_the_kernel_is_the_identity(kernel: str, dtype: str) -> None:
    """Kernel ridge regression knows its training rows and nothing else; RFM, without a gradient, learns M = 0."""
    X, y = table()
    plain = KernelRidgeRegressor(kernel, bandwidth=1e-5, ridge=1.0, dtype=dtype).fit(X, y)
    np.testing.assert_allclose(plain.predict(X), y / 2, atol=1e-6)
    np.testing.assert_allclose(plain.predict(X + 1.0), 0.0, atol=1e-6)
    moved = RFMClassifier(kernel, bandwidth=1e-5, dtype=dtype).fit(X, y)
    assert (moved.M_ == 0.0).all()
    assert (moved.feature_importances_ == 0.0).all()
    shares = np.bincount(y) / len(y)  # with M = 0 all rows are the same row
    np.testing.assert_allclose(moved.decision_function(X[:3]), shares[1] - shares[0], atol=1e-3)


@pytest.mark.parametrize("estimator", [RFMClassifier(), RFMRegressor(), KernelRidgeClassifier("gaussian")], ids=repr)
@pytest.mark.parametrize(("bandwidth", "scale"), [(1e-40, 1.0), (10.0, 1e25), (1e-200, 1e-3)])
def test_distances_beyond_the_working_precision(estimator: Any, bandwidth: float, scale: float) -> None:
    X, y = table()
    with pytest.raises(ValueError, match="exceed float32; standardise the features or take a larger bandwidth"):
        clone(estimator).set_params(bandwidth=bandwidth).fit(X * scale, y)


@pytest.mark.parametrize("scale", [1e30, 1e39, 1e100, 1e160, 1e300, 1.7e308])
@every
def test_new_rows_of_extreme_scale(estimator: Any, scale: float) -> None:
    """One huge row: a score of its own that is right, or an error that names it; the others keep theirs."""
    X, y = table()
    fitted = clone(estimator).fit(X, y)
    new = X[:5].copy()
    new[3] = [scale, -scale, 0.0, 1.0]
    try:
        scores = fitted._scores(new)
    except ValueError as error:
        assert scale > 1e150
        assert "row 3 of X" in str(error)  # noqa: PT017
        assert "standardise the features" in str(error)  # noqa: PT017
        return
    kept = [0, 1, 2, 4]
    np.testing.assert_allclose(scores[kept], fitted._scores(X[kept]), rtol=0, atol=1e-7)
    if fitted.unit_norm:
        np.testing.assert_allclose(scores[3], fitted._scores(np.array([[1.0, -1.0, 0.0, 1.0 / scale]]))[0], atol=1e-6)
    elif "ntk" in repr(estimator):  # homogeneous: as if the row were shorter
        np.testing.assert_allclose(
            scores[3] / scale, fitted._scores(np.array([[1.0, -1.0, 0.0, 1.0 / scale]]))[0], atol=1e-6
        )
    else:  # far from all training rows
        np.testing.assert_array_equal(scores[3], 0.0)


def test_a_new_row_beyond_float64_in_the_metric() -> None:
    X, y = table()
    fitted = RFMRegressor(iterations=1, metric_scaling="none").fit(X, y * 1e15)
    with pytest.raises(ValueError, match=r"row 1 of X, of norm 1e\+150, is too large"):
        fitted.predict(np.array([[0.0, 0.0, 0.0, 0.0], [1e150, 0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("estimator", [RFMClassifier(), RFMRegressor()], ids=repr)
def test_validation_rows_beyond_the_working_precision(estimator: Any) -> None:
    X, y = table()
    held_out = X[:5].copy()
    held_out[2, 0] = 1e39
    with pytest.raises(ValueError, match=r"row 2 of validation X .* exceed float32; standardise the features"):
        clone(estimator).fit(X, y, validation=(held_out, y[:5]))


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
    if "ntk" in repr(estimator):
        np.testing.assert_array_equal(  # it has no bandwidth
            finite_scores(clone(estimator).set_params(bandwidth=1e30), X, y), finite_scores(estimator, X, y)
        )
        return
    scores = finite_scores(clone(estimator).set_params(bandwidth=1e30), X, y)
    np.testing.assert_allclose(scores[:, -1], y.mean(), atol=1e-2)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ((np.ones((3, 4)), [0, 1]), "inconsistent numbers of samples"),
        ((np.ones((3, 3)), [0, 1, 1]), "X has 3 features"),
        ((np.full((3, 4), np.nan), [0, 1, 1]), "NaN"),
        (np.ones((3, 4)), "validation must be a pair"),
        (5, "validation must be a pair"),
        ((np.ones((0, 4)), []), "0 sample"),
    ],
)
@pytest.mark.parametrize("estimator", [RFMClassifier(), RFMRegressor()], ids=repr)
def test_validation_that_does_not_fit(estimator: Any, validation: Any, message: str) -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, y, validation=validation)


def test_validation_targets_of_another_width() -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match=r"validation y has shape \(20, 1\), y has shape \(20,\)"):
        RFMRegressor().fit(X, y, validation=(X, y[:, None]))


def test_one_validation_row_says_nothing_about_variance() -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        RFMRegressor().fit(X, y, validation=(X[:1], y[:1]))


@pytest.mark.parametrize(
    ("labels", "validation", "message"),
    [
        ([0, 1], ["a", "b"], "validation y has labels of kind str and y of kind number: they cannot be compared"),
        (["a", "b"], [0, 1], "validation y has labels of kind number and y of kind str: they cannot be compared"),
        (["a", "b"], [b"a", b"b"], "validation y has labels of kind bytes and y of kind str"),
        (["a", "b"], np.array(["a", None], dtype=object), "validation y has labels of kind NoneType, str"),
        ([0, 1], [0.0, np.nan], "validation y contains NaN"),
        (["a", "b"], np.array(["a", np.nan], dtype=object), "validation y contains NaN"),
        ([0, 1], [7, 8], r"none of the labels of validation y .*7.* is a class of y"),
        (["a", "b"], ["A", "B"], "none of the labels of validation y"),
    ],
)
def test_validation_labels_that_are_no_classes(labels: Any, validation: Any, message: str) -> None:
    X, y = table(20)
    with pytest.raises(ValueError, match=message):
        RFMClassifier().fit(X, np.array(labels)[y], validation=(X, np.array(validation)[y]))


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
    np.testing.assert_array_equal(fitted.path_, plain.path_)
    assert fitted.path_.max() > 0.6


@pytest.mark.parametrize("engine", ["native", "python", None])
@pytest.mark.parametrize("kind", [Sweep, LargeSweep])
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
def test_a_problem_without_features_or_targets(kind: Any, engine: str | None, X: Array, Y: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(X, Y, engine=engine)
    with pytest.raises(ValueError, match=message):
        ProductSweep(X, Y)


@pytest.mark.parametrize("engine", ["native", "python"])
def test_a_neural_tangent_regression_without_targets(engine: str) -> None:
    with pytest.raises(ValueError, match="at least one column of targets"):
        list(ntk_points(np.ones((5, 2)), np.ones((5, 0)), np.ones((1, 2)), depths=[1], ridges=[1.0], choice=engine))


@every
def test_no_features_or_no_targets(estimator: Any) -> None:
    X, y = table(30)
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        clone(estimator).fit(X[:, :0], y)
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        clone(estimator).fit(X, np.ones((30, 0)))

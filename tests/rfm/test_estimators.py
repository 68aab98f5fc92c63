"""What the estimators promise beyond scikit-learn's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge

import rfm
from rfm import KernelRidgeClassifier, KernelRidgeRegressor, RFMClassifier, RFMRegressor, ntk_matrix
from rfm.problem import unit_rows
from rfm.targets import nearest_distribution

Array = NDArray[np.float64]

CLASSIFIERS = [
    RFMClassifier(),
    RFMClassifier(unit_norm=True, diagonal=True, metric_scaling="max"),
    RFMClassifier(kernel="gaussian", bandwidth=3.0, dtype="float64"),
    KernelRidgeClassifier(),
    KernelRidgeClassifier("generalised_laplace", exponent=0.7),
    KernelRidgeClassifier("ntk", depth=3),
]
REGRESSORS = [
    RFMRegressor(),
    RFMRegressor(center_gradients=True, dtype="float64"),
    RFMRegressor(kernel="generalised_laplace", exponent=1.3, unit_norm=True),
    KernelRidgeRegressor(),
    KernelRidgeRegressor("ntk", depth=2),
]
DTYPES = ["float32", "float64"]
WIDE = 500
"""More rows than are worked out in float64 whatever the precision asked for."""


def problem(n: int = 120, d: int = 6, seed: int = 0) -> tuple[Array, NDArray[np.str_], Array]:
    """Features far from the origin, three classes by two of the features, one target per class's side."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 20.0
    centred = X - 20.0
    labels = np.array(["a", "b", "c"])[(centred[:, 0] > 0) * 1 + (centred[:, 0] * centred[:, 1] > 0.3) * 1]
    return X, labels, np.stack([np.sin(centred[:, 0]), centred[:, 1] ** 2], axis=1)


@pytest.mark.parametrize(
    ("kernel", "exponent", "factor"),
    [
        ("laplace", 1.0, 1.0),
        ("gaussian", 2.0, 0.5),
        ("generalised_laplace", 0.8, 1.0),
        ("generalised_laplace", 2.0, 1.0),
        ("ntk", 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("unit_norm", [False, True])
@pytest.mark.parametrize("ridge", [1.0, 1e-3])
def test_kernel_ridge_is_scikit_learns(
    kernel: str, exponent: float, factor: float, unit_norm: bool, ridge: float
) -> None:
    X, _, y = problem()
    table = unit_rows(X) if unit_norm else X
    K = np.exp(-factor * (cdist(table, table) / 4.0) ** exponent)
    digits, own = 1e-8, {"bandwidth": 4.0, "exponent": exponent}
    if kernel == "ntk":
        K = ntk_matrix(torch.as_tensor(table), depth=3).numpy()
        digits, own = 1e-5, {"depth": 3}
    reference = KernelRidge(alpha=ridge, kernel="precomputed").fit(K[:80, :80], y[:80])
    ours = KernelRidgeRegressor(kernel, ridge=ridge, unit_norm=unit_norm, dtype="float64", **own).fit(X[:80], y[:80])
    # Rows 20 standard deviations off the origin: their distances have 1e-13 of rounding, the kernel its square root.
    assert_allclose(ours.predict(X[80:]), reference.predict(K[80:, :80]), rtol=0, atol=digits)
    assert_allclose(ours.dual_coef_, reference.dual_coef_, rtol=0, atol=digits / ridge)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rfm_without_updates_is_kernel_ridge(dtype: str) -> None:
    X, labels, _ = problem(WIDE)
    still = RFMClassifier(iterations=0, dtype=dtype, ridge=0.01).fit(X[:400], labels[:400])
    plain = KernelRidgeClassifier(dtype=dtype, ridge=0.01).fit(X[:400], labels[:400])
    assert_array_equal(still.decision_function(X[400:]), plain.decision_function(X[400:]))
    assert_array_equal(still.M_, np.eye(6))
    assert_allclose(still.feature_importances_, np.full(6, 1 / 6))


@pytest.mark.parametrize("estimator", [RFMClassifier(ridge=0.01), RFMRegressor(ridge=0.01)], ids=repr)
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_metric_finds_the_features_that_matter(estimator: Any, diagonal: bool) -> None:
    X, labels, y = problem(WIDE)
    fitted = clone(estimator).set_params(diagonal=diagonal).fit(X, y if "Reg" in repr(estimator) else labels)
    assert fitted.M_.shape == ((6,) if diagonal else (6, 6))
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert fitted.feature_importances_[:2].sum() > 0.8
    assert (fitted.best_iteration_, fitted.path_) == (4, None)
    if not diagonal:
        assert_array_equal(fitted.M_, fitted.M_.T)
        values = np.linalg.eigvalsh(fitted.M_)
        assert values.min() >= -1e-6 * values.max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_validation_rows_choose_the_number_of_updates(dtype: str) -> None:
    X, labels, y = problem(WIDE)
    for estimator, targets in ((RFMClassifier(ridge=0.01, dtype=dtype), labels), (RFMRegressor(dtype=dtype), y)):
        held_out = X[400:], targets[400:]
        fitted = estimator.fit(X[:400], targets[:400], validation=held_out)
        assert fitted.path_.shape == (5,)
        assert fitted.best_iteration_ == int(np.argmax(fitted.path_)) > 0
        assert fitted.score(*held_out) == pytest.approx(fitted.path_.max(), abs=1e-4)
        alone = clone(estimator).set_params(iterations=fitted.best_iteration_).fit(X[:400], targets[:400])
        assert_allclose(fitted.M_, alone.M_, rtol=1e-3, atol=1e-4 * np.abs(alone.M_).max())
        assert_allclose(fitted._scores(X[400:]), alone._scores(X[400:]), atol=1e-3)


def test_equal_validation_scores_keep_the_fewest_updates() -> None:
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]] * 5)
    y = (X[:, 0] > 0).astype(int)
    fitted = RFMClassifier().fit(X, y, validation=(X, y))
    assert (fitted.path_ == 1.0).all()
    assert fitted.best_iteration_ == 0


def test_validation_labels_that_were_never_fitted_are_wrong_ones() -> None:
    X, labels, _ = problem()
    truth = labels[80:].copy()
    truth[:10] = "z"
    assert RFMClassifier().fit(X[:80], labels[:80], validation=(X[80:], truth)).path_.max() <= 0.75


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_what_was_fitted_on_a_gpu_predicts_without_one(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels, _ = problem()
    fitted = RFMClassifier().fit(X, labels).set_params(device=device)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert_array_equal(fitted.predict(X), RFMClassifier().fit(X, labels).predict(X))


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_follow_the_scores(classifier: Any, classes: int) -> None:
    X, labels, _ = problem()
    kept = np.isin(labels, ["a", "b", "c"][:classes])
    X, labels = X[kept], labels[kept]
    fitted = clone(classifier).set_params(ridge=1e-3).fit(X[::2], labels[::2])
    probabilities, decision = fitted.predict_proba(X), fitted.decision_function(X)
    assert probabilities.shape == (len(X), classes)
    assert decision.shape == ((len(X),) if classes == 2 else (len(X), classes))
    assert (probabilities >= 0).all()
    assert_allclose(probabilities.sum(axis=1), 1.0)
    assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(X))
    assert fitted.score(X[::2], labels[::2]) > 0.85
    if classes == 2:
        assert_array_equal(fitted.classes_[(decision > 0).astype(int)], fitted.predict(X))


@pytest.mark.parametrize("regressor", REGRESSORS, ids=repr)
def test_many_targets_have_the_shape_they_came_in(regressor: Any) -> None:
    X, _, y = problem()
    for targets, shape in ((y, (7, 2)), (y[:, :1], (7, 1)), (y[:, 0], (7,))):
        assert clone(regressor).fit(X, targets).predict(X[:7]).shape == shape


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_scaled_targets_scale_the_predictions(factor: float) -> None:
    X, _, y = problem(WIDE)
    plain, scaled = RFMRegressor().fit(X, y), RFMRegressor().fit(X, factor * y)
    assert_allclose(scaled.predict(X) / factor, plain.predict(X), atol=1e-3)


@pytest.mark.parametrize("n", [80, 400])
@pytest.mark.parametrize("estimator", [RFMRegressor(iterations=1), KernelRidgeRegressor()], ids=repr)
def test_an_outlier_costs_the_other_rows_no_digits(estimator: Any, n: int) -> None:
    X, _, y = problem(WIDE)
    X[0] = 1e9
    single, double = (clone(estimator).set_params(dtype=dtype).fit(X[:n], y[:n]) for dtype in DTYPES)
    assert_allclose(single.predict(X[n:]), double.predict(X[n:]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("estimator", [RFMRegressor(), KernelRidgeRegressor("ntk")], ids=repr)
def test_prediction_in_blocks(estimator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, _, y = problem()
    fitted = clone(estimator).fit(X, y)
    at_once = fitted.predict(X)
    monkeypatch.setattr("rfm.machine._PREDICTION_BYTES", 1)
    assert_allclose(fitted.predict(X), at_once, atol=1e-10)


def test_the_public_surface() -> None:
    for name in rfm.__all__:
        assert getattr(rfm, name).__module__.startswith("rfm.")
    assert set(rfm.__all__) <= set(dir(rfm))
    with pytest.raises(AttributeError, match="no attribute 'RFMTransformer'"):
        rfm.RFMTransformer  # noqa: B018


@pytest.mark.parametrize(
    ("estimator", "n", "atol"),
    [
        *((RFMRegressor(dtype="float64"), n, 1e-9) for n in (60, 320)),
        *((RFMRegressor(unit_norm=unit_norm), n, 1e-4) for n in (60, 320) for unit_norm in (False, True)),
        *((KernelRidgeRegressor("gaussian", bandwidth=3.0, ridge=ridge), 60, 1e-6) for ridge in (1e-6, 1e-9)),
    ],
    ids=str,
)
def test_training_rows_are_predicted_as_they_were_fitted(estimator: Any, n: int, atol: float) -> None:
    """K alpha = Y - ridge alpha, however small the ridge: prediction must see rows and metric as the fit did.

    The same division by norms, the same shift and the same rounding, though rows are kept in float32.
    """
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 8)) + 5.0  # a metric of rank 4 at most
    y = np.sin(X[:, 0]) + rng.normal(size=n)
    model = clone(estimator).fit(X, y)
    fitted = y - model.ridge * model.dual_coef_[:, 0]
    assert_allclose(model.predict(X), fitted, rtol=0, atol=atol)
    assert_allclose(model.predict(X[:1]), model.predict(X)[:1], atol=1e-10)


@pytest.mark.filterwarnings("ignore:EigenPro's epochs ended")
@pytest.mark.parametrize(
    ("estimator", "solver", "tolerance"),
    [
        *((estimator, "auto", 1e-3) for estimator in (*CLASSIFIERS, *REGRESSORS)),
        *((estimator, "cg", 0.01) for estimator in (*CLASSIFIERS[1:3], *REGRESSORS[1:])),
        *((estimator, "eigenpro", 0.05) for estimator in (CLASSIFIERS[1], REGRESSORS[1], REGRESSORS[4])),
    ],
    ids=str,
)
def test_large_tables_give_what_small_ones_give(
    estimator: Any, solver: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same table taken as a large one: block by block, solved directly or iteratively."""
    X, labels, y = problem(WIDE)
    X = X - 20.0
    targets = labels if estimator in CLASSIFIERS else y
    radial = estimator.kernel != "ntk"
    settings = {"ridge": 1.0} | ({"iterations": 2} if hasattr(estimator, "iterations") else {})
    small = clone(estimator).set_params(**settings).fit(X[:400], targets[:400])
    if solver == "auto":
        monkeypatch.setattr("rfm.machine.SWEEP_ROWS", 100)
        monkeypatch.setattr("rfm.large.SWEEP_ROWS", 100)
    monkeypatch.setattr("rfm.solvers.choice.LEARNED", 1e-5)
    monkeypatch.setattr("rfm.solvers.choice.PATIENCE", 50)
    large = clone(estimator).set_params(**settings, solver=solver).fit(X[:400], targets[:400])
    assert large.solver_ == ("cholesky" if solver == "auto" else solver)
    expected, found = small._scores(X[400:]), large._scores(X[400:])
    assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)
    if radial and hasattr(small, "M_"):
        assert_allclose(large.M_, small.M_, atol=2 * tolerance * np.abs(small.M_).max())
    if radial and hasattr(small, "path_"):
        validated = clone(estimator).set_params(**settings, solver=solver)
        path = validated.fit(X[:400], targets[:400], validation=(X[400:], targets[400:])).path_
        assert path.shape == (3,)
        assert path[-1] == pytest.approx(large.score(X[400:], targets[400:]), abs=1e-6)


SCORES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e3, 1e3))


@given(SCORES)
def test_probabilities_are_the_nearest_distribution(s: Array) -> None:
    """Optimality (variational inequality): (s - p)'(q - p) <= 0 for every vertex q of the simplex.

    So the order of scores is kept, and no label's Brier score gets worse.
    """
    p = nearest_distribution(s)
    assert (p >= 0).all()
    assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    towards_vertices = (s - p) - ((s - p) * p).sum(axis=1, keepdims=True)
    assert (towards_vertices <= 1e-9 * (1 + np.abs(s).max())).all()


def test_no_rows_have_no_distribution() -> None:
    assert nearest_distribution(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [60, 8], ids=["narrow", "wide"])
def test_a_model_in_mapped_memory_predicts_alike_without_a_warning(tmp_path: Path, dtype: str, samples: int) -> None:
    """joblib gives arrays that may not be written to, of which PyTorch warns once a process."""
    X = np.random.default_rng(0).normal(size=(samples, 20))
    model = RFMRegressor(iterations=1, dtype=dtype).fit(X, X[:, 0])
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_array_equal(mapped.predict(X), model.predict(X))

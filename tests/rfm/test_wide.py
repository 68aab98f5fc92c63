"""Estimators on tables of more features than rows: the machine of the features, without an array of d x d."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.base import clone

from rfm import RFMClassifier, RFMRegressor
from rfm.factored import FactoredMatrix

Array = NDArray[np.float64]
ESTIMATORS = [
    RFMClassifier(ridge=0.01),
    RFMClassifier(ridge=0.1, unit_norm=True, center_gradients=True, dtype="float64"),
    RFMRegressor(ridge=0.1),
    RFMRegressor(ridge=0.1, unit_norm=True, metric_scaling="max", kernel="gaussian", dtype="float64"),
]
D = 180


def problem(n: int) -> tuple[Array, NDArray[np.str_], Array]:
    """Two of the features matter; ``n`` rows and 30 more far from the origin, one of them twice."""
    X = np.random.default_rng(n).normal(size=(n + 30, D)) + 3.0
    X[:, :2] = 3.0 + 5.0 * (X[:, :2] - 3.0)
    X[1] = X[0]
    labels = np.array(["a", "b", "c"])[(X[:, 0] > 3.0) * 1 + (X[:, 1] > 5.0) * 1]
    return X, labels, np.stack([np.sin(X[:, 0]), X[:, 1] / 5.0], axis=1)


def fitted(estimator: Any, n: int, *, validated: bool = False) -> Any:
    X, labels, y = problem(n)
    targets = labels if isinstance(estimator, RFMClassifier) else y
    held = (X[n:], targets[n:]) if validated else None
    return clone(estimator).fit(X[:n], targets[:n], validation=held)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize(
    ("n", "validated"), [(40, False), (130, False), (130, True)], ids=["stacked", "one by one", "with validation"]
)
def test_the_machine_is_that_of_the_features(
    estimator: Any, n: int, validated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, labels, y = problem(n)
    model = fitted(estimator, n, validated=validated)
    close = 1e-9 if estimator.dtype == "float64" else 1e-3
    Y = labels[:n, None] == model.classes_ if isinstance(estimator, RFMClassifier) else y[:n]
    assert_allclose(model._scores(X[:n]), Y - model.ridge * model.dual_coef_, rtol=0, atol=close)  # K alpha
    monkeypatch.setattr("rfm.sweep.is_wide", lambda n, d: False)
    direct = fitted(estimator, n, validated=validated)
    double = estimator.dtype == "float64" or n == 40
    if validated:
        assert_allclose(model.path_, direct.path_, rtol=0, atol=1e-6 if double else 0.01)
        if model.best_iteration_ != direct.best_iteration_:
            pytest.skip("validation scores tie to within rounding")
    if model.best_iteration_ == 0:
        assert model.metric_ is None
        assert_array_equal(model.M_, np.eye(D))
        return
    assert isinstance(model.metric_, FactoredMatrix)
    assert isinstance(direct.metric_, np.ndarray)
    assert direct.M_ is direct.metric_
    assert_allclose(model._scores(X), direct._scores(X), rtol=0, atol=1e-6 if double else 5e-3)
    assert_allclose(model.M_, direct.M_, rtol=0, atol=(1e-6 if double else 1e-2) * np.abs(direct.M_).max())
    found, expected = model.feature_importances_, direct.feature_importances_
    assert_allclose(found, expected, rtol=0, atol=(1e-7 if double else 1e-2) * expected.max())
    assert_array_equal(model.M_, model.M_.T)
    assert_array_equal(model.M_, model.metric_.dense())
    assert_allclose(model.metric_ @ X[0], model.M_ @ X[0], rtol=1e-9, atol=1e-9 * np.abs(model.M_ @ X[0]).max())
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0.0).all()


def test_pickled_and_refitted() -> None:
    X, labels, _ = problem(40)
    model = fitted(ESTIMATORS[0], 40)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    assert_array_equal(restored.M_, model.M_)
    narrow = model.fit(X[:60, :5], labels[:60])
    assert isinstance(narrow.metric_, np.ndarray)
    assert narrow.M_.shape == (5, 5)


def test_no_array_is_formed_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttributeError, match="RFMClassifier has no M_ before fit"):
        _ = RFMClassifier().M_
    model = fitted(ESTIMATORS[0], 40)
    still = fitted(RFMClassifier(iterations=0), 40)
    assert still.metric_ is None
    assert_array_equal(still.M_, np.eye(D))
    assert_array_equal(fitted(RFMClassifier(iterations=0, diagonal=True), 40).M_, np.ones(D))
    monkeypatch.setattr("rfm.estimators.LARGEST_ARRAY", 8 * D * D - 1)
    with pytest.raises(AttributeError, match=rf"array of {D} x {D}.*metric_ keeps it as factors"):
        _ = model.M_
    with pytest.raises(AttributeError, match="the identity"):
        _ = still.M_
    assert fitted(RFMClassifier(diagonal=True), 40).M_.shape == (D,)
    assert model.feature_importances_.shape == still.feature_importances_.shape == (D,)


PIXELS = """
import resource
import numpy as np
from rfm import RFMClassifier

def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

n, d = 60, 27_648
rng = np.random.default_rng(0)
X, y = rng.normal(size=(n + 10, d)), rng.integers(0, 2, n + 10)
X[:, :75] += 3.0 * (2 * y[:, None] - 1)
RFMClassifier().fit(X[:, :100], y)  # libraries take their memory at the first call
start = resident_mb()
with open("/proc/self/statm") as status:
    taken = int(status.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30),) * 2)
for options in ({"ridge": 1e-3}, {"diagonal": True}, {"iterations": 0}, {"metric_scaling": "max", "unit_norm": True}):
    model = RFMClassifier(**options).fit(X[:n], y[:n], validation=(X[n:], y[n:]) if len(options) == 2 else None)
    assert model.predict(X[n:]).shape == (10,)
    assert model.feature_importances_.shape == (d,)
    if options.get("ridge"):
        assert set(np.argsort(model.feature_importances_)[-75:]) == set(range(75))
print(resident_mb() - start)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and limits the address space")
def test_images_of_96_by_96_in_three_colours() -> None:
    """An array of d x d would take 6 GB: the process may not take more than 1, and needs a fraction of it."""
    done = subprocess.run([sys.executable, "-c", PIXELS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 600.0

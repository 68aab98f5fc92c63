"""The estimators keep scikit-learn's own contract."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from rfm import KernelRidgeClassifier, KernelRidgeRegressor, LinearRFM, RFMClassifier, RFMRegressor

ESTIMATORS = [
    RFMClassifier(),
    RFMClassifier(dtype="float64", unit_norm=True, diagonal=True),
    RFMRegressor(),
    RFMRegressor(kernel="gaussian", center_gradients=True, dtype="float64"),
    KernelRidgeClassifier(),
    KernelRidgeClassifier(kernel="ntk", depth=2),
    KernelRidgeRegressor(kernel="generalised_laplace", exponent=1.5),
    KernelRidgeRegressor(kernel="ntk"),
    LinearRFM(ridge=0.1, smoothing_end=0.01),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)

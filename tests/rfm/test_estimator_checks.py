"""The estimators keep scikit-learn's own contract; those that tune themselves, that of sample weights too.

Each class once: what its parameters change lies behind the same validation, and is tested by values elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import rfm

ESTIMATORS = [
    rfm.RFMClassifier(dtype="float64", unit_norm=True, diagonal=True),
    rfm.RFMRegressor(center_gradients=True),
    rfm.KernelRidgeClassifier(kernel="ntk", depth=2),
    rfm.KernelRidgeRegressor(kernel="generalised_laplace", exponent=1.5),
    rfm.LinearRFM(ridge=0.1, smoothing_end=0.01),
    rfm.RFMClassifierCV(ridges=(1.0, 0.01), unit_norms=(False,), iterations=1, ensemble=True, scoring="accuracy"),
    rfm.RFMRegressorCV(kernels=("laplace", "gaussian"), ridges=(0.01,), iterations=1, ensemble=True),
    rfm.KernelRidgeClassifierCV(cv="loo"),
    rfm.KernelRidgeRegressorCV(),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)

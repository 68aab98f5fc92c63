"""The estimators that tune themselves keep scikit-learn's own contract, that of sample weights included."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from rfm import KernelRidgeClassifierCV, KernelRidgeRegressorCV, RFMClassifierCV, RFMRegressorCV

ESTIMATORS = [
    RFMClassifierCV(),
    RFMClassifierCV(ensemble=True, scoring="accuracy"),
    RFMRegressorCV(),
    RFMRegressorCV(kernels=("laplace", "gaussian"), bandwidths=(1.0, 10.0), ensemble=True),
    KernelRidgeClassifierCV(),
    KernelRidgeClassifierCV(cv="loo"),
    KernelRidgeRegressorCV(),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)

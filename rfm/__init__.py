"""Recursive Feature Machines: kernels, average gradient outer products, solvers and estimators.

The estimators are imported when first asked for: those who need the kernels alone need not wait for scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfm.completion import MatrixCompletion
    from rfm.engines import engine
    from rfm.estimators import KernelRidgeClassifier, KernelRidgeRegressor, RFMClassifier, RFMRegressor
    from rfm.kernels import kernel_matrix, make_kernel
    from rfm.linalg import solve_ridge
    from rfm.linear import LinearRFM
    from rfm.ntk import ntk_matrix
    from rfm.sweep import Sweep
    from rfm.tuned import KernelRidgeClassifierCV, KernelRidgeRegressorCV, RFMClassifierCV, RFMRegressorCV

__all__ = [
    "KernelRidgeClassifier",
    "KernelRidgeClassifierCV",
    "KernelRidgeRegressor",
    "KernelRidgeRegressorCV",
    "LinearRFM",
    "MatrixCompletion",
    "RFMClassifier",
    "RFMClassifierCV",
    "RFMRegressor",
    "RFMRegressorCV",
    "Sweep",
    "engine",
    "kernel_matrix",
    "make_kernel",
    "ntk_matrix",
    "solve_ridge",
]

_HOMES = {
    "KernelRidgeClassifier": "rfm.estimators",
    "KernelRidgeClassifierCV": "rfm.tuned",
    "KernelRidgeRegressor": "rfm.estimators",
    "KernelRidgeRegressorCV": "rfm.tuned",
    "LinearRFM": "rfm.linear",
    "MatrixCompletion": "rfm.completion",
    "RFMClassifier": "rfm.estimators",
    "RFMClassifierCV": "rfm.tuned",
    "RFMRegressor": "rfm.estimators",
    "RFMRegressorCV": "rfm.tuned",
    "Sweep": "rfm.sweep",
    "engine": "rfm.engines",
    "kernel_matrix": "rfm.kernels",
    "make_kernel": "rfm.kernels",
    "ntk_matrix": "rfm.ntk",
    "solve_ridge": "rfm.linalg",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

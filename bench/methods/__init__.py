"""The registered methods: one small module each, its grid beside it."""

from __future__ import annotations

import importlib

from bench.errors import unknown_name
from bench.methods.base import Method

_MODULES = {
    "rfm": "bench.methods.rfm:RFM",
    "laplace": "bench.methods.laplace:Laplace",
    "ntk": "bench.methods.ntk:NTK",
    "mlp": "bench.methods.mlp:MLP",
    "xgboost": "bench.methods.xgboost:XGBoost",
    "random_forest": "bench.methods.random_forest:RandomForest",
    "svm_rbf": "bench.methods.svm_rbf:SVMRBF",
}


def method_names() -> tuple[str, ...]:
    """All registered names, in the order reports show them."""
    return tuple(_MODULES)


def get_method(name: str) -> Method:
    """The method registered under ``name``; imported only now. Raises :class:`UsageError` for an unknown name."""
    if name not in _MODULES:
        raise unknown_name("method", name, _MODULES)
    module, _, attribute = _MODULES[name].partition(":")
    method: Method = getattr(importlib.import_module(module), attribute)()
    return method

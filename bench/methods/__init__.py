"""The methods by name: built-in ones (modules with their grids), those of plug-in files and of packages."""

from __future__ import annotations

import importlib
from pathlib import Path

from bench.errors import UsageError, unknown_name
from bench.methods.plugin_file import SPEC_PREFIX, installed_method, installed_names, method_from_spec, methods_in_file
from bench.records.method import Method

_DEFAULT = {
    "rfm": ("RFM", "bench.methods.rfm:RFM"),
    "laplace": ("Laplace kernel", "bench.methods.laplace:Laplace"),
    "ntk": ("NTK", "bench.methods.ntk:NTK"),
    "mlp": ("MLP", "bench.methods.mlp:MLP"),
    "xgboost": ("XGBoost", "bench.methods.xgboost:XGBoost"),
    "random_forest": ("Random forest", "bench.methods.random_forest:RandomForest"),
    "svm_rbf": ("Gaussian SVM", "bench.methods.svm_rbf:SVMRBF"),
    "extra_trees": ("Extra trees", "bench.methods.extra_trees:ExtraTrees"),
    "logistic_regression": (
        "Logistic / ridge regression",
        "bench.methods.logistic_regression:LogisticRegression",
    ),
}
"""Title and place of the methods that run where none is named, in the order of reports. The title is the class's own:
reports need it without importing the class, and its libraries with it."""
_FURTHER = {
    "rfm_l1": "bench.methods.rfm_l1:RFML1",
    "rfm_pool": "bench.methods.rfm_pool:RFMPool",
    "rfm_fork": "bench.methods.rfm_fork:RFMFork",
    "rfm_fork_raw": "bench.methods.rfm_fork:RFMForkRaw",
}
"""Built in too, but run only where they are named; their titles are recorded with the run."""
_BUILT_IN = {name: place for name, (_, place) in _DEFAULT.items()} | _FURTHER

TITLES = {name: title for name, (title, _) in _DEFAULT.items()}
"""Of the methods of :func:`method_names`, as reports call them."""


def method_names() -> tuple[str, ...]:
    """The names that are run where none is given, in the order reports show them."""
    return tuple(_DEFAULT)


def built_in_methods() -> tuple[str, ...]:
    """Every name that comes with the harness: no plug-in can have it."""
    return tuple(_BUILT_IN)


def known_methods() -> tuple[str, ...]:
    """Every name that :func:`get_method` knows here: the built-in ones, then those that installed packages offer."""
    return (*_BUILT_IN, *(name for name in installed_names() if name not in _BUILT_IN))


def get_method(name: str) -> Method:
    """The method called ``name``, imported only now.

    ``name`` is built-in, or offered by an installed package's entry point, or a spec: ``package.module:Class``, or that
    of a plug-in file (:mod:`bench.methods.plugin_file`). Raises :class:`UsageError` for an unknown name and for a spec
    that leads to no method, whatever goes wrong on the way: the code behind a spec is the user's own.
    """
    if spec := _BUILT_IN.get(name):
        return _imported(name, spec)
    if name.startswith(SPEC_PREFIX):
        return _not_built_in(method_from_spec(name), "plug-in")
    if ":" in name:
        return _imported(name, name)
    if name not in known_methods():
        raise unknown_name("method", name, known_methods())
    return installed_method(name)


def plugin_methods(path: str | Path) -> dict[str, Method]:
    """The methods in the plug-in file at ``path`` by spec, in the file's order. Raises :class:`UsageError`."""
    return {spec: _not_built_in(method, f"plug-in {path}") for spec, method in methods_in_file(path).items()}


def _not_built_in(method: Method, where: str) -> Method:
    if method.name in _BUILT_IN:
        kind = type(method).__name__
        raise UsageError(f"{where}: {method.name!r} is the name of a built-in method; give {kind} another")
    return method


def _imported(name: str, spec: str) -> Method:
    module, _, attribute = spec.partition(":")
    if not module or not attribute or module.startswith("."):
        raise UsageError(f"method {name!r} is neither a registered name nor of the form package.module:Class")
    try:
        method = getattr(importlib.import_module(module), attribute)()
    except Exception as error:
        raise UsageError(f"method {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(method, Method):
        raise UsageError(f"method {name!r} is a {type(method).__name__}, not a bench.records.method.Method")
    return method

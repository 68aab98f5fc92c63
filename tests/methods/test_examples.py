"""The optional extras: each keeps the contract, and its file works as a plug-in, which is what it is an example of."""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import bench.examples
from bench.data.splits import splits_for
from bench.methods import plugin_methods
from bench.methods.contract import check_method
from bench.methods.plugin_file import ENTRY_POINTS
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset
from bench.records.method import Method

FOLDER = Path(bench.examples.__file__).parent
EXAMPLES = {
    "lightgbm": ("lightgbm", "lightgbm_method.py"),
    "xrfm": ("xrfm", "xrfm_method.py"),
    "catboost": ("catboost", "catboost_method.py"),
    "realmlp": ("pytabkit", "pytabkit_method.py"),
    "tabm": ("pytabkit", "pytabkit_method.py"),
}
"""Library and file of each; what is not installed is skipped. Large ones are no part of the extra `dev`."""
WEIGHTS = {"tabpfn": "tabpfn_method.py", "tabicl": "tabicl_method.py"}
"""Those that need weights of the user's: tests/methods/test_weights.py."""


def example(name: str) -> Method:
    library, file = EXAMPLES[name]
    pytest.importorskip(library)
    (method,) = (method for method in plugin_methods(FOLDER / file).values() if method.name == name)
    return method


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_keeps_the_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = example(name)
    monkeypatch.setattr(type(method), "iterations", method.iterations[:2])  # a short path keeps the same promises
    assert check_method(method) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_learns_real_tables(name: str, wine: Dataset) -> None:
    method = example(name)
    diabetes = Dataset("diabetes", *load_diabetes(return_X_y=True), 0, "scikit-learn")
    for table, least in ((wine, 90), (diabetes, 0.35)):  # of diabetes, random forest and SVM: 0.42 to 0.49
        splits = splits_for(table, 0)
        some = replace(splits, holdouts=splits.holdouts[:2])
        results = carry_out(method, table, some, PROTOCOLS["clean"], seed=0)
        assert np.mean([r.score for r in results]) > least
    assert method.probabilities
    assert method.kinds == ("classification", "regression")


def test_the_package_offers_exactly_these() -> None:
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["project"]
    offered = project["entry-points"][ENTRY_POINTS]
    files = {name: file for name, (_, file) in EXAMPLES.items()} | WEIGHTS
    assert set(offered) == set(files)
    assert set(files.values()) == {path.name for path in FOLDER.glob("*_method.py")}
    for name, target in offered.items():
        assert name in project["optional-dependencies"]
        module, _, attribute = target.partition(":")
        assert f"{module.rpartition('.')[2]}.py" == files[name]
        if name in WEIGHTS or importlib.util.find_spec(EXAMPLES[name][0]):
            assert getattr(importlib.import_module(module), attribute).name == name

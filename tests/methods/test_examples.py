"""The optional extras: each keeps the contract, and its file works as a plug-in, which is what it is an example of."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

import bench.examples
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.data.splits import splits_for
from bench.methods import plugin_methods
from bench.methods.contract import CLAUSES, Clause, Exercise, breaches
from bench.methods.plugin_file import ENTRY_POINTS
from bench.protocols import PROTOCOLS, carry_out

FOLDER = Path(bench.examples.__file__).parent
EXAMPLES = {"lightgbm": "lightgbm_method.py", "xrfm": "xrfm_method.py"}


@pytest.fixture(scope="module", params=EXAMPLES)
def exercise(request: pytest.FixtureRequest) -> Exercise:
    pytest.importorskip(request.param)
    (method,) = plugin_methods(FOLDER / EXAMPLES[request.param]).values()
    assert method.name == request.param
    return Exercise(method)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name.replace(" ", "-"))
def test_it_keeps(clause: Clause, exercise: Exercise) -> None:
    assert breaches(clause, exercise) == []


def test_it_learns_a_real_table(exercise: Exercise) -> None:
    wine = EmbeddedSource().load(load_registry().entry("wine"))
    results = carry_out(exercise.method, wine, splits_for(wine, 0), PROTOCOLS["clean"], seed=0)
    assert np.mean([r.score for r in results]) > 90


def test_the_package_offers_exactly_these() -> None:
    project = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["project"]
    offered = project["entry-points"][ENTRY_POINTS]
    assert set(offered) == set(EXAMPLES) == {p.stem.removesuffix("_method") for p in FOLDER.glob("*_method.py")}
    for name, target in offered.items():
        assert name in project["optional-dependencies"]
        pytest.importorskip(name)
        module, _, attribute = target.partition(":")
        assert getattr(importlib.import_module(module), attribute).name == name

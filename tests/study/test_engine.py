"""A study's cells are computed once, whatever happens to some of them, and the same command goes on."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import StoreError, UsageError
from bench.study.cell import Cell, Outcome, Study
from bench.study.code import source_modules, source_version
from bench.study.engine import run_study
from bench.study.store import StudyStore, read_study

CELLS = """
import os
from bench.study.cell import Skip

def good(parameters, seed):
    return {"value": parameters["a"] + seed, "pid": os.getpid()}

def bad(parameters, seed):
    raise ValueError("no such thing in /somewhere/else/file.txt")

def absent(parameters, seed):
    raise Skip("the data are not here")

def killed(parameters, seed):
    os._exit(9)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of computations that workers can import."""
    (tmp_path / "cells_of_a_test.py").write_text(CELLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    source_version.__globals__["_tree"].cache_clear()
    source_version.__globals__["_file"].cache_clear()
    yield "cells_of_a_test"
    sys.modules.pop("cells_of_a_test", None)


def study(module: str, *cells: Cell) -> Study:
    kinds = {name: f"{module}:{name}" for name in ("good", "bad", "absent", "killed")}
    return Study("test", "A test", kinds, lambda quick: cells)


def run(chosen: Study, folder: Path) -> tuple[bool, str, list[Outcome]]:
    screen = io.StringIO()
    ok = run_study(chosen, folder, quick=False, jobs=1, arguments=["study", "test"], screen=screen)
    return ok, screen.getvalue(), read_study(folder)[1]


def test_failures_cost_their_own_cell_only_and_are_tried_again(module: str, tmp_path: Path) -> None:
    cells = (
        Cell("good", {"a": 1}),
        Cell("bad", {}),
        Cell("absent", {}),
        Cell("killed", {}, alone=True),
        Cell("good", {"a": 5}, 2, alone=True),
    )
    ok, screen, outcomes = run(study(module, *cells), tmp_path / "run")
    assert not ok
    assert [o.status for o in outcomes] == ["ok", "error", "skipped", "error", "ok"]
    assert [o.values.get("value") for o in outcomes] == [1, None, None, None, 7]
    assert outcomes[1].reason.startswith("ValueError: no such thing in file.txt (cells_of_a_test.py, line")
    assert outcomes[2].reason == "the data are not here"
    assert "killed" in outcomes[3].reason
    assert "5/5 cells" in screen
    again, screen, second = run(study(module, *cells), tmp_path / "run")
    assert not again
    assert "2 of 5 cells have results already" in screen
    assert second[0].values == outcomes[0].values  # the process that computed it is noted in it


def test_only_what_is_new_is_computed(module: str, tmp_path: Path) -> None:
    _, _, first = run(study(module, Cell("good", {"a": 1})), tmp_path / "run")
    _, screen, both = run(study(module, Cell("good", {"a": 1}), Cell("good", {"a": 2})), tmp_path / "run")
    assert "1 of 2 cells have results already" in screen
    assert both[0].values == first[0].values
    ok, screen, fewer = run(study(module, Cell("good", {"a": 2})), tmp_path / "run")
    assert ok
    assert [o.values["value"] for o in fewer] == [2]  # a report shows the latest plan only
    assert "cells," not in screen


def test_identity_is_parameters_seed_threads_and_code() -> None:
    one = Cell("good", {"a": 1, "b": 2})
    assert one.identity("x") == Cell("good", {"b": 2, "a": 1}, cost=7.0).identity("x")
    others = [
        Cell("bad", {"a": 1, "b": 2}),
        Cell("good", {"a": 1, "b": 3}),
        Cell("good", {"a": 1, "b": 2}, 1),
        Cell("good", {"a": 1, "b": 2}, threads=2),
    ]
    assert len({one.identity("x"), one.identity("y"), *(o.identity("x") for o in others)}) == 6
    with pytest.raises(ValueError, match="JSON"):
        Cell("good", {"a": float("nan")}).identity("x")


def test_code_version_follows_imports_and_ignores_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(text: str) -> str:
        (tmp_path / "a_module_of_a_test.py").write_text(text)
        source_version.__globals__["_tree"].cache_clear()
        return source_version("a_module_of_a_test")

    monkeypatch.syspath_prepend(str(tmp_path))
    first = version("from rfm.linear import LinearRFM\nx = 1\n")
    assert version("from rfm.linear import LinearRFM  # a comment\n\nx = 1\n") == first
    assert version("from rfm.linear import LinearRFM\nx = 2\n") != first
    assert version("x = 1\n") != first
    with pytest.raises(UsageError, match="not to be found"):
        source_version("no_such_module_of_a_test")


LOADED = """
import json, sys
from bench.study.cell import Cell
from bench.study.{study}.cells import STUDY
for kind, parameters in json.loads(sys.argv[1]):
    STUDY.compute(kind)(parameters, 0)
print(json.dumps([name for name in sys.modules if name.startswith(("rfm.", "bench.study."))]))
"""
REGRESSION = {"target": "rotated", "d": 4, "train": 60, "test": 20, "noise": 0.1, "quick": True}
COMPUTED = {
    "low_rank": [("regression", {**REGRESSION, "method": m}) for m in ("RFM", "diagonal RFM", "Laplace", "NTK", "MLP")],
    "lin_rfm": [
        ("sparse", {"n": 12, "d": 20, "nonzeros": 2, "problems": 1, "steps": 5}),
        *(
            ("published", {"size": 12, "rank": 1, "count": 90, "method": m, "steps": 5})
            for m in ("as published 1/2", "lin-RFM alternating", "lin-RFM factored", "IRLS-1", "ALS", "network 2")
        ),
        ("timing", {"size": 12}),
        ("scale", {"rows": 20, "cols": 15, "rank": 1, "count": 200, "max_rank": 3}),
    ],
}


@pytest.mark.parametrize("study", COMPUTED)
def test_the_code_version_has_every_module_that_a_study_computes_with(study: str) -> None:
    """Those of a process that has computed: what is imported when first asked for is among them."""
    command = [sys.executable, "-c", LOADED.format(study=study), json.dumps(COMPUTED[study])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    kinds = importlib.import_module(f"bench.study.{study}.cells").STUDY.kinds
    followed = set().union(*(source_modules(kinds[kind].partition(":")[0]) for kind, _ in COMPUTED[study]))
    assert loaded - followed <= {"bench.study.cell", f"bench.study.{study}.cells"}  # they name what is computed


def test_names_that_a_package_imports_when_asked_are_followed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lazy_of_a_test.py").write_text("from rfm import LinearRFM\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = source_modules("lazy_of_a_test")
    assert "rfm.linear" in found
    assert "rfm.completion" not in found


def test_one_writer_at_a_time_and_readable_meanwhile(tmp_path: Path) -> None:
    store = StudyStore(tmp_path)
    cell = Cell("good", {"a": 1})
    store.plan("test", {"k": cell}, {"quick": True})
    with pytest.raises(StoreError, match="in use"):
        StudyStore(tmp_path)
    assert read_study(tmp_path) == ("test", [], 1, {"quick": True})
    store.record("k", Outcome(cell, "ok", {"value": float("inf")}, seconds=1.5))
    name, outcomes, left, _ = read_study(tmp_path)
    assert (name, left, outcomes[0].values, outcomes[0].seconds) == ("test", 0, {"value": float("inf")}, 1.5)
    with pytest.raises(StoreError, match="cannot be stored"):
        store.record("k", Outcome(cell, "ok", {"value": object()}))
    store.close()
    StudyStore(tmp_path).close()


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no study in"):
        read_study(tmp_path)
    (tmp_path / "study.sqlite").write_text("something else, long enough to be looked at " * 40)
    with pytest.raises(StoreError, match="cannot be read"):
        read_study(tmp_path)
    with pytest.raises(StoreError, match="cannot be used"):
        StudyStore(tmp_path)

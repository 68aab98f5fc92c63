"""A study's cells are jobs: each fails alone, is computed once, and again when what it depends on has changed."""

from __future__ import annotations

import ast
import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import Command

from bench.cli import study as cli_study
from bench.records.result import JobResult
from bench.run import identity
from bench.run.progress import describe
from bench.run.runner import Outcome as RunOutcome
from bench.run.runner import execute, open_executor
from bench.store import Store, read_run
from bench.study.ansatz.datasets import READS
from bench.study.cell import Cell, Outcome, Study
from bench.study.lin_rfm.cells import STUDY as LIN_RFM
from bench.study.low_rank.cells import STUDY as LOW_RANK
from bench.study.plan import CellWork, study_plan
from bench.study.report import outcomes_of

ROOT = Path(__file__).parents[2]
COMPUTATIONS = """
import os
from bench.errors import JobSkipped

def good(parameters, seed):
    return {"value": parameters["a"] + seed, "pid": os.getpid()}

def number(parameters, seed):
    return {"value": float(parameters["a"]) + seed}

def bad(parameters, seed):
    raise ValueError("no such thing in /somewhere/else/file.txt")

def absent(parameters, seed):
    raise JobSkipped("the data are not here")

def killed(parameters, seed):
    os._exit(9)

def nothing(parameters, seed):
    return {"value": object()}
"""
OTHERS = """
def other(parameters, seed):
    return {"value": 1}
"""


@pytest.fixture
def computations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with two modules of computations that jobs can import."""
    folder = tmp_path / "computations"
    folder.mkdir()
    (folder / "cells_of_a_test.py").write_text(COMPUTATIONS)
    (folder / "more_cells_of_a_test.py").write_text(OTHERS)
    monkeypatch.syspath_prepend(str(folder))
    forget_sources()
    yield folder
    forget_sources()


def forget_sources() -> None:
    """Have modules of the same names found where they are now."""
    identity._origin.cache_clear()


def study(*cells: Cell) -> Study:
    functions = [node.name for node in ast.parse(COMPUTATIONS).body if isinstance(node, ast.FunctionDef)]
    kinds = {name: f"cells_of_a_test:{name}" for name in functions}
    return Study("test", {**kinds, "other": "more_cells_of_a_test:other"}, lambda quick: cells)


def run(
    chosen: Study, folder: Path, *, retry_failed: bool = False, engine: str = "local"
) -> tuple[RunOutcome, list[Outcome]]:
    plan = study_plan(chosen, False)
    with Store(folder) as store, open_executor(engine, None, folder, 2, 4 << 30) as executor:
        done = execute(plan, store, executor, {"quick": False}, retry_failed=retry_failed)
    return done, outcomes_of(chosen, read_run(folder))


def values(outcomes: list[Outcome], key: str = "value") -> list[Any]:
    return [o.values.get(key) for o in outcomes]


@pytest.mark.usefixtures("computations")
def test_failures_cost_their_own_cell_only(tmp_path: Path) -> None:
    cells = (
        Cell("good", {"a": 1}),
        Cell("bad", {}),
        Cell("absent", {}),
        Cell("killed", {}, alone=True),
        Cell("nothing", {}),
        Cell("good", {"a": 5}, 2, alone=True),
        *(Cell("number", {"a": text}) for text in ("inf", "nan")),  # values without a number are kept
    )
    done, outcomes = run(study(*cells), tmp_path / "run")
    assert done.statuses == {"ok": 4, "error": 3, "skipped": 1}
    assert [o.status for o in outcomes] == ["ok", "error", "skipped", "error", "error", "ok", "ok", "ok"]
    assert [o.failed for o in outcomes] == [o.status == "error" for o in outcomes]
    assert values(outcomes)[:-1] == [1, None, None, None, None, 7, math.inf]
    assert math.isnan(values(outcomes)[-1])
    assert [o.reason for o in outcomes[1:4]] == [
        "ValueError: no such thing in file.txt",
        "the data are not here",
        "its process ended with exit code 9 in the middle of the job",
    ]
    assert "cannot be stored" in outcomes[4].reason
    again, second = run(study(*cells), tmp_path / "run")
    assert again.already == 7  # what was skipped is looked at anew
    assert values(second, "pid") == values(outcomes, "pid")
    assert run(study(*cells), tmp_path / "run", retry_failed=True)[0].already == 4


def test_only_what_is_new_or_has_other_code_is_computed(tmp_path: Path, computations: Path) -> None:
    one, other = Cell("good", {"a": 1}), Cell("other", {})
    _, first = run(study(one, other), tmp_path / "run")
    file = computations / "more_cells_of_a_test.py"
    file.write_text(f"# A comment.\n{OTHERS}")
    forget_sources()
    assert run(study(one, other), tmp_path / "run")[0].already == 2
    file.write_text(OTHERS.replace('"value": 1', '"value": 1 + 1'))  # of another size: bytecode of this second is out
    forget_sources()
    done, second = run(study(one, other), tmp_path / "run")
    assert (done.already, values(second)) == (1, [1, 2])
    assert second[0].values == first[0].values  # the process that computed it is noted in it
    done, third = run(study(one, Cell("good", {"a": 2})), tmp_path / "run")
    assert (done.already, done.all_ok, values(third)) == (1, True, [1, 2])  # a report shows the latest plan only
    assert third[0].values == first[0].values


@pytest.mark.usefixtures("computations")
def test_identity_is_parameters_seed_surroundings_and_code() -> None:
    def identities(*cells: Cell, **kinds: str) -> set[str]:
        chosen = study(*cells)
        return {job.id for job in study_plan(replace(chosen, kinds={**chosen.kinds, **kinds}), False).jobs}

    one = Cell("good", {"a": 1, "b": 2})
    assert identities(one) == identities(Cell("good", {"b": 2, "a": 1}, cost=7.0, memory_mb=9.0))
    others = [
        Cell("number", {"a": 1, "b": 2}),
        Cell("good", {"a": 1, "b": 3}),
        Cell("good", {"a": 1, "b": 2}, 1),
        Cell("good", {"a": 1, "b": 2}, alone=True),
        Cell("good", {"a": 1, "b": 2}, all_cores=True),
    ]
    elsewhere = identities(one, good="cells_of_a_test:number") | identities(one, good="more_cells_of_a_test:other")
    assert len(identities(one, *others) | elsewhere) == 8
    with pytest.raises(ValueError, match="JSON"):
        identities(Cell("good", {"a": float("nan")}))


@pytest.mark.usefixtures("computations")
def test_jobs_are_what_their_cells_say() -> None:
    chosen = study(
        Cell("good", {"b": 1, "a": 2}, 3, cost=2.0, memory_mb=7.0),
        Cell("good", {"a": 1}, alone=True, all_cores=True, cost=500.0),
        Cell("good", {"a": 0}, cost=5.0),
    )
    assert [
        (t.job.dataset, t.estimated_bytes, t.expected_seconds, t.timeout_seconds, t.alone, t.all_cores)
        for t in study_plan(chosen, False).tasks
    ] == [
        ("a=0 #0", 500_000_000, 5.0, 3600.0, False, False),
        ("b=1 a=2 #3", 7_000_000, 2.0, 3600.0, False, False),
        ("a=1 #0", 500_000_000, 500.0, 10_000.0, True, True),
    ]
    job = study_plan(chosen, False).tasks[1].job
    assert (job.method, job.protocol, job.source, job.seed) == ("good", "test", "study", 3)
    assert json.loads(job.parameters) == {"a": 2, "b": 1}
    assert study_plan(chosen, False, timeout=4.0).tasks[0].timeout_seconds == 4.0


STUDIES = tuple(importlib.import_module(f"{module}.cells").STUDY for module, _ in cli_study.STUDIES.values())


@pytest.mark.parametrize("chosen", STUDIES, ids=lambda chosen: chosen.name)
@pytest.mark.parametrize("quick", [True, False])
def test_cells_are_distinct_and_computable(chosen: Study, quick: bool) -> None:
    jobs = study_plan(chosen, quick).jobs
    assert len({job.id for job in jobs}) == len({(job.dataset, job.method) for job in jobs}) == len(jobs)
    for target in chosen.kinds.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


OF_FACES = {"faces": {"olivetti-glasses"}, "celeba": {"celeba"}}
"""What cells read that name no image set."""


@pytest.mark.parametrize("chosen", STUDIES, ids=lambda chosen: chosen.name)
@pytest.mark.parametrize("quick", [True, False])
def test_cells_declare_the_image_sets_that_they_read(chosen: Study, quick: bool) -> None:
    for cell in chosen.cells(quick):
        p = cell.parameters
        named = {p.get("images"), p.get("photos"), *p.get("halves", ()), *READS.get(p.get("data"), ())} - {None}
        assert set(cell.images) == OF_FACES.get(cell.kind, named)
        assert not quick or named <= {"digits"}


@pytest.mark.usefixtures("computations")
def test_a_folder_of_cells_is_seen_and_told_from_a_benchmark(tmp_path: Path, command: Command) -> None:
    good, bad = study_plan(study(Cell("good", {"a": 1}), Cell("bad", {})), False).jobs
    results = (
        JobResult(good, "ok", values={"value": 1}, job_seconds=0.5),
        JobResult(bad, "error", "ValueError: no such thing"),
    )
    with Store(tmp_path) as store:
        store.begin([good, bad], {"quick": False})
        for result in results:
            store.record(result)
    assert describe(results[0]) == "ok a=1 #0/good (test): in 0.50 s"  # a cell in the log has no accuracy
    shown = command("status", tmp_path).out
    assert "2 of 2 jobs done, 1 error, 1 ok" in shown
    assert "error: #0/bad: ValueError" in shown
    for word in ("report", "export"):
        printed = command.refuses(f"`python -m bench study test --report-only --run {tmp_path}`", word, tmp_path)
        assert printed.err.count("\n") == 1


@pytest.mark.dask
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_on_dask_the_same_values(tmp_path: Path, computations: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(computations), str(ROOT)]))
    cells = (*(Cell("number", {"a": a}, a) for a in (1, 2)), Cell("killed", {}), Cell("number", {"a": 7}, alone=True))
    done, outcomes = run(study(*cells), tmp_path / "run", engine="dask")
    assert done.statuses == {"ok": 3, "error": 1}
    assert values(outcomes) == [2, 4, None, 7]


LOADED = """
import importlib, json, sys
for target, parameters in json.loads(sys.argv[1]):
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(parameters, 0)
print(json.dumps([name for name in sys.modules if name.startswith(("rfm", "bench"))]))
"""
REGRESSION = {"target": "rotated", "d": 4, "train": 60, "test": 20, "noise": 0.1, "quick": True}
PUBLISHED = ("as published 1/2", "lin-RFM alternating", "lin-RFM factored", "IRLS-1", "ALS")
COMPUTED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "low-rank": [("regression", {**REGRESSION, "method": m}) for m in ("RFM", "diagonal RFM", "Laplace", "NTK", "MLP")],
    "lin-rfm": [
        ("sparse", {"n": 12, "d": 20, "nonzeros": 2, "problems": 1}),
        *(("published", {"size": 12, "rank": 1, "count": 120, "method": m}) for m in PUBLISHED),
        ("completion", {"size": 12, "rank": 1, "density": 0.9, "steps": 5}),
        ("timing", {"size": 12, "repeats": 1}),
        ("scale", {"rows": 20, "cols": 15, "rank": 1, "count": 200, "max_rank": 3}),
    ],
}


@pytest.mark.parametrize("chosen", [LOW_RANK, LIN_RFM], ids=lambda chosen: chosen.name)
def test_the_fingerprint_has_every_module_that_a_study_computes_with(chosen: Study) -> None:
    """Those of a process that has computed: what is imported when first asked for is among them."""
    targets = [(chosen.kinds[kind], parameters) for kind, parameters in COMPUTED[chosen.name]]
    command = [sys.executable, "-c", LOADED, json.dumps(targets)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {module for module in json.loads(done.stdout.splitlines()[-1]) if not only_passes_names_on(module)}
    # Of what finds and reads images, a cell's identity has the one reader that it uses: test_image_study.py.
    loaded = {module for module in loaded if not module.startswith("bench.study.images.")}
    # The compiled module is in an identity as the version of the engine: the hash of its sources.
    loaded -= {"rfm.native._chain"} if "rfm.engines" in loaded else set()
    words, names = "bench.errors", {"bench", "bench.run"}  # these import a function when it is asked for, no more
    assert loaded - set().union(*(closure(target) for target, _ in targets)) <= {words, *names}


@pytest.mark.parametrize("target", sorted({target for chosen in STUDIES for target in chosen.kinds.values()}))
def test_the_fingerprint_has_nothing_of_the_harness(target: str) -> None:
    """The runner may change without a study being computed again."""
    harness = {name for name in closure(target) if name.startswith("bench.")} - {"bench.run.processes"}
    own = target.partition(":")[0].rpartition(".")[0]
    shared = ("adam", "baselines.", "images.", "machines", "networks", "feature_matrices", "matrices")
    assert all(name.startswith((f"{own}.", *(f"bench.study.{part}" for part in shared))) for name in harness)
    assert not any(name.endswith((".cells", ".findings")) for name in harness)


def closure(target: str) -> set[str]:
    """The project's modules that :meth:`CellWork.fingerprint` hashes."""
    read: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "_module_hash", lambda name: read.add(name) or "")
        CellWork(target, {}, 0).fingerprint()
    return read


def only_passes_names_on(module: str) -> bool:
    """Whether it is a package that computes nothing: there are imports and words in it, and how these are found."""
    file = Path(identity._origin(module) or "")
    if file.name != "__init__.py":
        return False
    if module in ("rfm", "bench", "bench.run"):  # import names when they are first asked for, and compute nothing
        return True
    tree = identity._without_docstrings(ast.parse(file.read_text()))
    own = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return all(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("__") for node in own)

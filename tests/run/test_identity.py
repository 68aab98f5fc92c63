"""A job's id changes with what its outcome depends on, and with nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faulty_methods
import numpy as np
import pytest
from refusals import refused
from tiny_benchmark import TinyBenchmark, TinyEntry, generate, planned

from bench.data.splits import draw_splits
from bench.errors import UsageError
from bench.methods import get_method, method_names
from bench.protocols import PROTOCOLS, Protocol
from bench.records.dataset import Dataset, Holdout, Splits
from bench.records.measure import MEASURES
from bench.records.result import JobResult, RunRecord
from bench.run import identity
from bench.run.identity import Fingerprint, fingerprint, fold_hashes, imported_modules, job_ids, splits_hash
from bench.run.plan import Plan, keep_versions, outdated_versions
from bench.run.work import method_fingerprint

ROOT = Path(__file__).parents[2]
FOUND = Fingerprint("c", {"numpy": "2.4", "torch": "2.13"})
BASE: dict[str, Any] = {"method": "m", "configurations": [{"ridge": 0.1, "depth": 2}], "seed": 0}


def test_each_part_changes_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the order of keys; versions of libraries change the id and not what says which work it is."""
    other: dict[str, Any] = {"method": "n", "configurations": [{"ridge": 0.2, "depth": 2}], "seed": 1}
    ids = [job_ids(FOUND, **BASE), *(job_ids(FOUND, **{**BASE, key: other[key]}) for key in BASE)]
    ids.append(job_ids(replace(FOUND, code="d"), **BASE))
    of_versions = job_ids(replace(FOUND, versions={"numpy": "2.5"}), **BASE)
    assert job_ids(FOUND, **{**BASE, "configurations": [{"depth": 2, "ridge": 0.1}]}) == ids[0]
    monkeypatch.setattr(identity, "IDENTITY_FORMAT", identity.IDENTITY_FORMAT + 1)
    ids.append(job_ids(FOUND, **BASE))
    assert len({job for job, _ in ids}) == len({work for _, work in ids}) == len(BASE) + 3
    assert (of_versions[0] != ids[0][0], of_versions[1]) == (True, ids[0][1])


def test_every_rule_of_a_protocol_counts_and_no_word_of_it() -> None:
    base = Protocol("p", "tuning halves")
    ruled = [
        replace(base, name="q"), Protocol("p"), Protocol("p", inner_folds=5), replace(base, ties="order"),
        replace(base, reuses_metric=True), Protocol("p", ensemble="top5"), Protocol("p", ensemble="greedy"),
        Protocol("p", inputs="nominal"), Protocol("p", ensemble="greedy", inputs="nominal"),
    ]  # fmt: skip
    spoken = replace(base, order=3, meaning="Other words.", tag="tag", caution="Careful. ", variant_of="q")
    ids = {job_ids(FOUND, **{**BASE, "protocol": p.rules}) for p in (base, *ruled)}
    assert len(ids) == 10
    assert job_ids(FOUND, **{**BASE, "protocol": spoken.rules}) in ids
    assert PROTOCOLS["clean-cv"].rules == {
        "name": "clean-cv", "selected_on": "training part", "inner_folds": 5, "ties": "brier", "reuses_metric": False,
    }, "there being variants makes no job of a plain protocol new"  # fmt: skip


ON_THE_WAY = (
    "bench/protocols/selection.py",  # selection and test
    "bench/protocols/choosing.py",
    "bench/protocols/ensemble.py",
    "bench/protocols/rows.py",  # stratified division, sampling, filling, standardising
    "bench/protocols/record.py",
    "bench/records/dataset.py",
    "bench/records/method.py",
    "bench/seeds.py",
)
ELSEWHERE = (
    "bench/errors.py",
    "bench/protocols/registry.py",
    "bench/records/result.py",
    "bench/methods/__init__.py",
    "bench/run/isolated.py",
    "bench/run/worker.py",
    "bench/store/writer.py",
)
OF_METHODS = {
    "rfm/agop.py": {"rfm", "laplace"},
    "rfm/ntk.py": {"ntk"},
    "rfm/ntk_ridge.py": {"ntk"},
    "bench/methods/rfm.py": {"rfm", "laplace"},
    "bench/methods/laplace.py": {"laplace"},
    "bench/methods/classes.py": set(method_names()),
    "bench/methods/svm_rbf.py": {"svm_rbf"},
    "bench/methods/xgboost.py": {"xgboost"},
}
IDS = """
import json, sys
from pathlib import Path
from bench.methods import method_names
from tiny_benchmark import TinyEntry, planned

def ids():
    return {job.method: job.id for job in planned([TinyEntry("t")], method_names()).jobs}

found = {"": ids()}
for names, addition in json.loads(sys.argv[1]):
    texts = {name: Path(name).read_text() for name in names}
    for name, text in texts.items():
        Path(name).write_text(text + addition)
    found[" ".join(names) + addition] = ids()
    for name, text in texts.items():
        Path(name).write_text(text)
print(json.dumps(found))
"""
EDIT = "\n\nEDITED_BY_A_TEST = 1\n"
COMMENT = "\n'Said of what is above.'  # a comment\n"


def test_an_edit_on_the_way_of_rows_and_labels_changes_the_ids_of_the_right_methods(tmp_path: Path) -> None:
    """Each module is edited in a copy of the project; comments and docstrings change nothing, nor
    do modules that are elsewhere."""
    for package in ("bench", "rfm"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "embedded"))
    every = set(method_names())
    expected = dict.fromkeys(ON_THE_WAY, every) | OF_METHODS
    edits = [*(((name,), EDIT) for name in expected), (ELSEWHERE, EDIT), (ON_THE_WAY, COMMENT)]
    done = subprocess.run(
        [sys.executable, "-c", IDS, json.dumps(edits)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parent)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    before = found[""]
    assert set(before) == every
    for name, methods in expected.items():
        assert {method for method, job in found[name + EDIT].items() if job != before[method]} == methods, name
    assert found[" ".join(ELSEWHERE) + EDIT] == found[" ".join(ON_THE_WAY) + COMMENT] == before


LIBRARIES = {
    "numpy": set(method_names()),
    "scipy": set(method_names()),
    "torch": {"rfm", "laplace", "ntk", "mlp"},
    "scikit-learn": {"svm_rbf", "random_forest", "extra_trees", "logistic_regression"},
    "xgboost": {"xgboost"},
    "pandas": set(),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_librarys_version_changes_the_ids_of_the_methods_that_compute_with_it(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    def versions() -> dict[str, tuple[str, dict[str, str]]]:
        found = {name: method_fingerprint(get_method(name)) for name in method_names()}
        return {name: (each.code, each.versions) for name, each in found.items()}

    before, version = versions(), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.1.2" if name == library else version(name))
    after = versions()
    assert {name for name in before if before[name] != after[name]} == LIBRARIES[library]
    assert all(after[name][1][library] == "99.1" for name in LIBRARIES[library])
    patch = ".".join([*version(library).split(".")[:2], "999"])
    monkeypatch.setattr(importlib.metadata, "version", lambda name: patch if name == library else version(name))
    assert versions() == before, "the third number does not count"


def test_the_engine_changes_the_ids_of_the_methods_that_compute_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def versions(name: str) -> dict[str, str]:
        return method_fingerprint(get_method(name)).versions

    monkeypatch.setenv("RFM_ENGINE", "python")
    assert {versions(name)["rfm engine"] for name in ("rfm", "laplace", "ntk")} == {"python"}
    assert "rfm engine" not in versions("xgboost")
    python = method_fingerprint(get_method("rfm"))
    monkeypatch.setattr("rfm.engines.engine", lambda device: SimpleNamespace(version="native-0123abcd"))
    native = method_fingerprint(get_method("rfm"))
    assert job_ids(native, **BASE)[0] != job_ids(python, **BASE)[0]
    monkeypatch.undo()
    monkeypatch.setenv("RFM_ENGINE", "fortran")
    with pytest.raises(UsageError, match="RFM_ENGINE must be one of native, python"):
        versions("rfm")


TABLE = Dataset("t", np.arange(80.0).reshape(40, 2) % 6, np.arange(40) % 2, 2, "tiny")
ENCODED = Protocol("clean", inputs="nominal")


def plan_of(table: Dataset, protocol: str | Protocol) -> Plan:
    return planned([TinyEntry("t")], ["svm_rbf"], protocol, load=lambda entry: table)


def ids_of(protocol: str | Protocol, **changes: tuple[Any, ...]) -> list[set[str]]:
    """Of :data:`TABLE` with each of several values of a field."""
    ((field, values),) = changes.items()
    return [{job.id for job in plan_of(replace(TABLE, **{field: value}), protocol).jobs} for value in values]


def test_what_is_known_of_the_columns_is_part_of_the_id_where_it_counts() -> None:
    """Whether a table came standardised decides what the protocols of the tuning halves do to it; which columns are
    nominal, what is encoded."""
    assert len(set.union(*ids_of("published", standardised=(False, True)))) == 2
    plain, encoded = (set.union(*ids_of(one, nominal=((), (0,), (1,)))) for one in ("clean", ENCODED))
    assert (len(plain), len(encoded), len(plain | encoded)) == (1, 3, 4)


def test_the_estimates_of_a_job_count_the_columns_that_its_method_gets() -> None:
    table = replace(TABLE, X=np.arange(80.0).reshape(40, 2), nominal=(0,))
    narrow, wide = (plan_of(table, protocol).tasks[0] for protocol in ("clean", ENCODED))
    assert wide.estimated_bytes > narrow.estimated_bytes
    assert wide.job.features == narrow.job.features == 2


def test_results_of_other_versions_are_named_and_can_be_kept(tiny: TinyBenchmark) -> None:
    plan = tiny.plan("Centroid", "Shrunken")
    first, *others = plan.tasks
    before = replace(first.job, id="before", versions=first.job.versions.replace("numpy 2", "numpy 1"))
    failed = replace(others[0].job, id="failed", versions="numpy 1.0")
    record = RunRecord("r", (JobResult(before, "ok"), JobResult(failed, "error"), JobResult(others[1].job, "ok")))
    changed = outdated_versions(plan, record)
    assert set(changed) == {first.job.id}
    number = importlib.metadata.version("numpy").split(".")
    assert changed[first.job.id] == f"numpy 1.{number[1]} -> {number[0]}.{number[1]}"
    engines = "numpy 1.0, rfm engine python", "numpy 1.0, rfm engine native-0123abcd"
    old, new = (replace(first.job, id=words, versions=words) for words in engines)
    switched = Plan((replace(first, job=new),), ())
    told = outdated_versions(switched, RunRecord("r", (JobResult(old, "ok"),)))
    assert told == {new.id: "rfm engine python -> native-0123abcd"}
    kept = [task.job for task in keep_versions(plan, record).tasks]
    assert kept == [before, *(task.job for task in others)]


def test_a_module_named_by_the_method_counts_with_all_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_package_of_code"
    (package / "deep").mkdir(parents=True)
    for folder in (package, package / "deep"):
        (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    versions = []
    for text in ("x = 1\n", "x = 2\n", "x = 1  # again\n"):
        (package / "deep" / "inner.py").write_text(text)
        versions.append(fingerprint("faulty_methods", ("some_package_of_code",)).code)
    assert versions[0] == versions[2] != versions[1]
    refused(UsageError, "no_such_package_anywhere", fingerprint, "faulty_methods", ("no_such_package_anywhere",))


def test_imports_inside_functions_are_seen_and_names_that_a_package_passes_on_followed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = "import numpy\n\ndef f():\n    import ctypes\n    from rfm import LinearRFM\n"
    (tmp_path / "imports_late.py").write_text(late)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = set(imported_modules("imports_late"))
    assert {"numpy", "ctypes", "rfm"} <= found
    closure = identity._closure({"imports_late"})
    assert "rfm.linear" in closure
    assert "rfm.completion" not in closure


def fold(train: list[int], test: list[int], *validation: int) -> Holdout:
    parts = [np.array(rows, dtype=np.int64) for rows in (train, test, validation)]
    return Holdout(*parts[: 2 + bool(validation)])


def test_every_row_number_of_every_division_counts() -> None:
    base = Splits("seed-0", fold([0, 1], [2, 3]), (fold([0, 2], [1, 3]),))
    variants = [
        base, *(replace(base, tuning=other) for other in (fold([1, 0], [2, 3]), fold([0, 1], [2]))),
        *(replace(base, holdouts=(other,)) for other in (fold([0, 3], [1, 3]), fold([0, 2], [1, 3, 2]))),
        *(replace(base, holdouts=(fold([0, 2], [1, 3], row),)) for row in (0, 1)),
        replace(base, tuning_rows=2), replace(base, name="seed-1"),
        # A row that moves from one list to the next changes the hash although the concatenation is the same.
        replace(base, tuning=fold([0], [1, 2, 3])),
    ]  # fmt: skip
    assert len({splits_hash(each) for each in variants}) == len(variants)


def test_a_folds_checksum_is_of_its_rows_and_of_what_selects_whatever_the_divisions_are_called() -> None:
    two = (fold([0, 1], [2, 3]), fold([0, 2], [1, 3]))
    splits = Splits("seed-0", fold([0, 1], [2, 3]), two)
    first, second = fold_hashes(splits)
    assert first != second
    assert fold_hashes(replace(splits, name="published", holdouts=two[:1])) == (first,)
    for other in (
        replace(splits, tuning=fold([0, 2], [1, 3])),
        replace(splits, tuning_rows=2),
        replace(splits, holdouts=(fold([0], [1, 2, 3]), two[1])),
        replace(splits, holdouts=(fold([0, 1], [2], 3), two[1])),
    ):
        assert fold_hashes(other)[0] != first


def test_all_that_an_outcome_depends_on_makes_another_job(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone: the archive's published folds, for one, are the same for all seeds."""

    def ids(
        method: str = "Centroid",
        protocol: str = "clean",
        seed: int = 0,
        scale: float = 1.0,
        drawn: int = 0,
        select: str = "accuracy",
    ) -> set[str]:
        plan = planned(
            tiny.entries,
            [f"faulty_methods:{method}"],
            protocol,
            seeds=(seed,),
            load=lambda entry: replace(generate(entry), X=scale * generate(entry).X),
            divide=lambda dataset, _: draw_splits("published", dataset.y, drawn),
            select=None if select == "accuracy" else {"classification": MEASURES[select]},
        )
        return {job.id for job in plan.jobs}

    assert ids() == ids()
    others = [ids("Shrunken"), ids(protocol="relearn"), ids(seed=1), ids(scale=2.0), ids(drawn=1)]
    found = set.union(ids(), *others, ids(select="log_loss"), ids(select="auc"))
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    assert len(found | ids()) == 9 * 2

"""A job's id changes with what its outcome depends on, and with nothing else."""

from __future__ import annotations

import ast
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_benchmark import TinyBenchmark

from bench.errors import UsageError
from bench.methods import get_method
from bench.records.dataset import Holdout, Splits
from bench.run import identity
from bench.run.identity import code_version, imported_modules, job_id, splits_hash

BASE = {
    "method": "m",
    "configurations": [{"ridge": 0.1}],
    "code": "c",
    "protocol": "clean",
    "seed": 0,
    "splits": "s",
    "table": "t",
}
OTHER = {
    "method": "n",
    "configurations": [{"ridge": 0.2}],
    "code": "d",
    "protocol": "relearn",
    "seed": 1,
    "splits": "r",
    "table": "u",
}


def test_each_part_changes_the_id() -> None:
    ids = [job_id(**BASE), *(job_id(**{**BASE, key: OTHER[key]}) for key in BASE)]  # type: ignore[arg-type]
    assert len(set(ids)) == len(BASE) + 1


def test_the_order_of_keys_does_not_matter() -> None:
    one = job_id(**{**BASE, "configurations": [{"a": 1, "b": 2}]})  # type: ignore[arg-type]
    two = job_id(**{**BASE, "configurations": [{"b": 2, "a": 1}]})  # type: ignore[arg-type]
    assert one == two


PLAIN = 'class C:\n    "doc"\n    def f(self):\n        return 1\n'
SAME = '''"""Module."""

# a comment
class C:
    """Another doc."""

    def f(self):
        """Doc."""
        return (1)
'''
DIFFERENT = "class C:\n    def f(self):\n        return 2\n"


@pytest.mark.parametrize(("text", "equal"), [(SAME, True), (DIFFERENT, False)])
def test_layout_comments_and_docstrings_are_not_code(tmp_path: Path, text: str, equal: bool) -> None:
    trees = [ast.dump(identity._without_docstrings(ast.parse(source))) for source in (PLAIN, text)]
    assert (trees[0] == trees[1]) is equal


def test_the_code_version_covers_the_method_the_harness_and_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    method = get_method("faulty_methods:Centroid")
    read: list[str] = []

    def module_hash(name: str) -> str:
        read.append(name)
        return name

    monkeypatch.setattr(identity, "_module_hash", module_hash)
    monkeypatch.setattr(type(method), "code", ("rfm",))
    code_version(method)
    assert read == sorted({"faulty_methods", "rfm", *identity.HARNESS_CODE})


def test_a_package_counts_with_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_package_of_code"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "inner.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    method = get_method("faulty_methods:Centroid")
    monkeypatch.setattr(type(method), "code", ("some_package_of_code",))
    versions = []
    for text in ("x = 1\n", "x = 2\n", "x = 1  # again\n"):
        (package / "deep" / "inner.py").write_text(text)
        identity._module_hash.cache_clear()
        versions.append(code_version(method))
    assert versions[0] == versions[2] != versions[1]


def test_code_that_cannot_be_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    method = get_method("faulty_methods:Centroid")
    monkeypatch.setattr(type(method), "code", ("no_such_package_anywhere",))
    with pytest.raises(UsageError, match="no_such_package_anywhere"):
        code_version(method)


def test_imports_inside_functions_are_seen() -> None:
    assert {"numpy", "bench.records.method", "ctypes"} <= set(imported_modules(get_method("faulty_methods:Centroid")))


def test_every_row_number_of_every_division_counts() -> None:
    def splits(**changed: list[int]) -> Splits:
        rows = {"a": [0, 1], "b": [2, 3], "c": [0, 2], "d": [1, 3], **changed}
        a, b, c, d = (np.array(rows[k], dtype=np.int64) for k in "abcd")
        return Splits("seed-0", Holdout(a, b), (Holdout(c, d),))

    variants = [splits(), splits(a=[1, 0]), splits(b=[2]), splits(c=[0, 3]), splits(d=[1, 3, 2])]
    assert len({splits_hash(v) for v in variants}) == len(variants)
    assert splits_hash(replace(splits(), tuning_rows=2)) not in {splits_hash(v) for v in variants}
    # A row that moves from one list to the next changes the hash although the concatenation is the same.
    assert splits_hash(splits(a=[0], b=[1, 2, 3])) != splits_hash(splits(a=[0, 1], b=[2, 3]))


def test_ids_of_a_plan_are_distinct_and_repeatable(tiny: TinyBenchmark) -> None:
    plans = [tiny.plan("Centroid", "Shrunken", protocol=p, seed=s) for p in ("clean", "relearn") for s in (0, 1)]
    ids = [[job.id for job in plan.jobs] for plan in plans]
    flat = list(itertools.chain(*ids))
    assert len(set(flat)) == len(flat) == 16
    again = tiny.plan("Centroid", "Shrunken")
    assert [job.id for job in again.jobs] == ids[0]
    for plan in (*plans, again):
    

@pytest.mark.parametrize(("module", "counts"), [("rfm.linalg", True), ("bench.methods.rfm", True), ("rfm.ntk", False)])
def test_what_a_method_imports_from_the_project_is_its_code(
    monkeypatch: pytest.MonkeyPatch, module: str, counts: bool
) -> None:
    method = get_method("laplace")
    before = code_version(method)
    original = identity._module_hash
    monkeypatch.setattr(identity, "_module_hash", lambda name: "changed" if name == module else original(name))
    assert (code_version(method) != before) == counts

"""One more protocol is one more record: it is run, stored, listed, explained and compared without another edit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import Command
from synthetic_runs import make_run

from bench.protocols import PROTOCOLS, Protocol, get_protocol, register
from bench.protocols.registry import plain_names, what_changes
from bench.report.build import ReportFiles, write_report
from bench.report.evidence import Evidence
from bench.report.merge import merge_runs
from bench.report.sections.protocol import UNKNOWN
from bench.stats.frame import protocols_in, scores_frame
from bench.stats.protocols import leak_decomposition, noise_pair
from bench.store import read_run

pytestmark = pytest.mark.usefixtures("undrawn")
BENCH = Path(__file__).parents[2] / "bench"
FIFTH = Protocol("clean-3", inner_folds=3, order=9, meaning="Three folds inside the training part.")
TABLES = ("t0", "t1", "t2", "t3")
HALVES = {"selected_on": "tuning halves"}


@pytest.fixture
def fifth(registry: dict[str, Protocol]) -> Protocol:
    return register(FIFTH)


def evidence(*protocols: str) -> Evidence:
    return Evidence(merge_runs([make_run(TABLES, ["rfm", "laplace"], protocols)]))


def report(folder: Path, *protocols: str) -> ReportFiles:
    return write_report(evidence(*protocols), folder / "out")


def headings(page: str) -> list[str]:
    """The protocols that have a section, in the order of the page, Markdown or HTML."""
    return re.findall(r"^(?:## |.*<h2[^>]*>)Results under ([\w-]+)", page, flags=re.MULTILINE)


def part(page: str, protocol: str) -> str:
    """The section of ``protocol``, up to the next protocol's or to the end."""
    return page.split(f"Results under {protocol}")[-1].split("Results under")[0]


@pytest.mark.usefixtures("in_process", "elsewhere")
def test_it_runs_and_is_stored_exported_and_explained_and_another_rule_under_its_name_is_another_job(
    fifth: Protocol, registry: dict[str, Protocol], command: Command
) -> None:
    run = ["run", "--subset", "iris", "--methods", "svm_rbf,laplace", "--protocol", "clean-3", "--run", "r"]
    command(*run)
    results = read_run("r").results
    assert {(r.job.protocol, r.status) for r in results} == {("clean-3", "ok")}
    assert all(len(h.path[0]["score"]) >= 1 for r in results for h in r.holdouts)
    assert set(pd.read_csv("r/scores.csv")["protocol"]) == {"clean-3"}
    command("report", "r", "--out", "o")
    assert fifth.meaning in Path("o/report.md").read_text(encoding="utf-8")
    assert "0 jobs to run, 2 done before" in command(*run, "--dry-run").out
    registry["clean-3"] = Protocol("clean-3", inner_folds=4, meaning="One more.")
    assert "2 jobs to run, 0 done before" in command(*run, "--dry-run").out


def test_the_report_explains_it_in_its_place(fifth: Protocol, tmp_path: Path) -> None:
    register(Protocol("between", inner_folds=3, order=1))  # "between" < "clean-cv": equal orders go by name
    files = report(tmp_path, *plain_names(PROTOCOLS))
    listed = ["clean", "between", "clean-cv", "clean-3", "relearn", "published"]
    for page in (files.markdown.read_text(encoding="utf-8"), files.html.read_text(encoding="utf-8")):
        assert headings(page) == listed, "first those without labels"
        assert fifth.meaning in part(page, "clean-3")
        assert page.count(fifth.meaning) == 1
        assert "clean-cv → clean-3" in page
        assert what_changes(get_protocol("clean-cv"), fifth) in page
    results = files.markdown.read_text(encoding="utf-8").split("## How to read")[0]
    assert re.findall(r"Under `([\w-]+)`", results) == listed, "each answers in its section"


def test_selection_noise_is_measured_with_it_where_it_is_the_extreme(fifth: Protocol, tmp_path: Path) -> None:
    page = report(tmp_path, "clean", "clean-3").markdown.read_text(encoding="utf-8")
    assert "clean-3 − clean" in page
    assert "**3 folds minus one 80/20 split**" in page
    pairs = [noise_pair(names) for names in (PROTOCOLS, ["clean", "clean-3"], ["clean-3", "clean-cv"], ["clean-3"])]
    named = [[p.name for p in pair] if pair else None for pair in pairs]
    assert named == [["clean", "clean-cv"], ["clean", "clean-3"], ["clean-3", "clean-cv"], None]


def test_the_statistics_order_it(fifth: Protocol) -> None:
    scores = scores_frame(make_run(TABLES, ["rfm", "laplace"], ["unknown", *reversed(PROTOCOLS)]).results)
    variants = [name for name in PROTOCOLS if PROTOCOLS[name].variant_of]
    assert protocols_in(scores) == ["clean", "clean-cv", "relearn", "published", "clean-3", *variants, "unknown"]
    found = leak_decomposition(scores, TABLES, {})
    assert found is not None
    assert found.path == ["published", "relearn", "clean", "clean-cv", "clean-3"]
    steps = [(s.first, s.second) for s in found.steps]
    assert steps == [*pairwise(found.path), *(("published", name) for name in ("clean", "clean-cv", "clean-3"))]


def test_a_second_protocol_with_labels_in_m_is_warned_of_too(registry: dict[str, Protocol], tmp_path: Path) -> None:
    halves = Protocol("as-printed", "tuning halves", reuses_metric=True, order=9, tag="leaks", caution="Beware. ")
    register(halves)
    page = report(tmp_path, "clean", "as-printed").markdown.read_text(encoding="utf-8")
    assert "Beware. Under `as-printed`" in page
    assert "Results under as-printed (leaks)" in page
    assert "Carries test labels into M" in part(page, "as-printed")
    assert "`as-printed` carries test labels into RFM's metric M" in page
    assert "The paper's procedure is as-printed. No test label is seen under clean." in page


def test_results_of_a_protocol_that_is_not_registered_are_reported_without_its_meaning(tmp_path: Path) -> None:
    files = report(tmp_path, "clean", "elsewhere", "published")
    page = files.markdown.read_text(encoding="utf-8")
    assert headings(page) == ["clean", "published", "elsewhere"]
    assert "not registered here" in part(page, "elsewhere")
    assert f"{UNKNOWN}Under `elsewhere`" in page
    assert "elsewhere →" not in page
    assert "→ elsewhere" not in page
    assert headings(files.html.read_text(encoding="utf-8")) == ["clean", "published", "elsewhere"]


STEPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "less noisy selection, on 5 folds instead of one 80/20 split": ({}, {"inner_folds": 5}),
    "noisier selection, on one 80/20 split instead of 5 folds": ({"inner_folds": 5}, {}),
    "selection, on 3 folds instead of 5 folds": ({"inner_folds": 5}, {"inner_folds": 3}),
    "ties to the smaller Brier score": ({"ties": "order"}, {}),
    "ties to the earlier grid entry": ({}, {"ties": "order"}),
    "selection and scaling without test samples, on 3 folds instead of the halves": (HALVES, {"inner_folds": 3}),
    "without the leak into M and without selection on test samples": (
        {**HALVES, "reuses_metric": True},
        {"inner_folds": 3},
    ),
    "": ({}, {}),
}
"""What changes from one record to another, by their fields."""


@pytest.mark.parametrize("words", STEPS)
def test_a_step_is_told_from_the_two_records(words: str) -> None:
    first, second = STEPS[words]
    assert what_changes(Protocol("a", **first), Protocol("b", **second)) == words


RECORDS = "bench.protocols.registry"
OTHER_MEANINGS = {
    ("bench.cli.run", "clean"): "the default of --protocol",
    ("bench.data", "published"): "the name of the archive's splits",
    ("bench.study.lin_rfm", "published"): "the published setting of matrix completion",
    ("bench.study.phenomena", "clean"): "images without marks",
}
"""Strings equal to a protocol's name that mean something else: by package and string, with what they are."""


def strings(*trees: ast.AST) -> Iterator[str]:
    """The string literals below ``trees``, parts of f-strings included, without docstrings."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def compares(node: ast.AST) -> bool:
    """Whether it is a comparison: ``==``, ``in``, ``match``, ``startswith`` or ``endswith``."""
    method = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    return isinstance(node, ast.Compare | ast.MatchValue) or method in {"startswith", "endswith"}


def test_no_module_goes_by_a_protocols_name() -> None:
    for path in sorted(BENCH.rglob("*.py")):
        name = ".".join(path.relative_to(BENCH.parent).with_suffix("").parts)
        text = path.read_text(encoding="utf-8")
        if name == RECORDS or not re.search("clean|publ|relearn", text):
            continue
        tree = ast.parse(text, filename=str(path))
        found = set(strings(tree))
        assert not [word for word in found if re.search("clean-cv|relearn", word)], f"{name}: read it from the record"
        allowed = {word for (package, word) in OTHER_MEANINGS if f"{name}.".startswith(f"{package}.")}
        unexplained = found & {"clean", "published"} - allowed
        assert not unexplained, f"{name}: read it from the record, or say in OTHER_MEANINGS what else it means"
        asked = [word for word in strings(*filter(compares, ast.walk(tree))) if re.match("clean|publ", word)]
        assert not asked, f"{name}: a name is compared: ask the record"

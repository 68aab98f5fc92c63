"""What may be reported together, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refused
from synthetic_runs import PROVENANCE, make_regression_run, make_run, store_run, with_jobs

from bench.errors import ReportError, UsageError
from bench.records.result import RunRecord
from bench.report.merge import ALLOWABLE, merge_runs
from bench.store import Store, read_run

NAMES = ["iris", "wine", "zoo"]
RFM = make_run(NAMES, ["rfm"], folder="results/a")


def two(**changes: object) -> list[RunRecord]:
    """``rfm`` in one run, ``laplace`` in another that differs by ``changes``."""
    return [RFM, make_run(NAMES, ["laplace"], folder="results/b", **changes)]  # type: ignore[arg-type]


def of_seeds(*seeds: int) -> list[RunRecord]:
    """With folds drawn from the seed."""
    of = {"source": "embedded"}
    return [make_run(NAMES, ["rfm"], folder=f"results/{s}", seed=s, split=f"seed-{s}", **of) for s in seeds]


def with_torch(run: RunRecord, version: str) -> RunRecord:
    versions = {"versions": {"torch": version}}
    return replace(run, provenance=versions, results=tuple(replace(r, provenance=versions) for r in run.results))


def grown() -> RunRecord:
    """One run of two invocations, with a library of another version each."""
    first = {**RFM.provenance, "started": "Monday", "results": 2}
    second = {**first, "versions": {"torch": "2.14.0"}, "started": "Tuesday", "results": 1}
    return replace(RFM, provenance=second, invocations=(first, second))


OTHER_JOBS = tuple(replace(r, job=replace(r.job, id=r.job.id + "'")) for r in RFM.results)


REFUSED = {
    "another source": (two(source="embedded"), "sources", r"iris from archive .* and embedded .*iris, wine, zoo"),
    "a reduction": (two(reduction="one hold-out"), "sources", r"classes; in full\) and archive .*; one hold-out\)"),
    "another split": (two(split="seed-0"), "sources", r"drawn from its seed; .*\) and archive \(test folds published"),
    "drawn folds and published ones": ([*of_seeds(1, 0), two(seed=1)[1]], "sources", r"archive \(test folds published"),
    "a table that was changed": (
        [with_jobs(run, table_sha256=sha) for run, sha in zip(two(), "ab", strict=True)],
        "sources",
        "tables that were changed between runs: iris, wine, zoo",
    ),
    "another measure that selected": (
        [make_regression_run(["a"], ["rfm"]), make_regression_run(["b"], ["rfm"], folder="b", selected_by="mae")],
        "selection",
        "regression selected by mae in b, r2 in results/regression",
    ),
    "another version": (
        [RFM, with_torch(two()[1], "2.2.0")],
        "versions",
        "torch 2.13.0 in results/a, 2.2.0 in results/b",
    ),
    "another version within a run": (
        [grown()],
        "versions",
        r"torch 2.13.0 in results/a \(started Monday\), 2.14.0 in results/a \(started Tuesday\)",
    ),
    "another job in its place": (
        [RFM, replace(RFM, folder="results/b", results=OTHER_JOBS)],
        "duplicates",
        r"different results of the same job: iris/rfm \(clean\)",
    ),
}


@pytest.mark.parametrize(("runs", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_differences_are_refused_by_name_and_let_pass_on_request(
    runs: list[RunRecord], kind: str, message: str
) -> None:
    said = rf"{message}.* \(--allow {kind}\)"
    refused(ReportError, said, merge_runs, runs)
    refused(ReportError, said, merge_runs, runs, [k for k in ALLOWABLE if k != kind])
    merged = merge_runs(runs, [kind])
    jobs = {(r.job.dataset, r.job.method, r.job.seed): r for run in runs for r in run.results}
    assert {(r.job.dataset, r.job.method, r.job.seed): r for r in merged.results} == jobs  # of duplicates the later
    assert len(merged.results) == len(jobs)
    assert len(merged.allowed) == 1


UNREAD = {(name, "laplace"): ("skipped", "not there") for name in NAMES}
TOGETHER = {
    "two methods": two(),
    "two seeds": of_seeds(1, 0),
    "the same job twice": [RFM, RFM],
    "a table that could not be read, which is of no source": two(source="embedded", split="", failures=UNREAD),
    "the same table": [with_jobs(run, table_sha256="a") for run in two()],
    "a result of before checksums were recorded": [with_jobs(RFM, table_sha256="a"), two()[1]],
}


@pytest.mark.parametrize("runs", TOGETHER.values(), ids=TOGETHER)
def test_runs_that_belong_together_are_one_body_of_results_in_order(runs: list[RunRecord]) -> None:
    merged = merge_runs(runs)
    found = [(r.job.dataset, r.job.method, r.job.seed) for r in merged.results]
    assert found == sorted({(r.job.dataset, r.job.method, r.job.seed) for run in runs for r in run.results})
    assert (merged.allowed, merged.undone) == ((), ())


@pytest.mark.parametrize("later", [{"torch": "2.14.0"}, {}])
def test_an_invocation_that_did_nothing_says_nothing_of_versions(tmp_path: Path, later: dict[str, str]) -> None:
    folder = store_run(tmp_path / "a", RFM)
    with Store(folder) as store:
        store.begin(RFM.planned, {**PROVENANCE, "versions": later})
    assert merge_runs([read_run(folder), two()[1]]).allowed == ()


def test_a_success_elsewhere_replaces_a_failure() -> None:
    failed = make_run(NAMES, ["rfm"], failures={("iris", "rfm"): ("oom", "killed")})
    for order in ([failed, RFM], [RFM, failed]):
        assert all(r.status == "ok" for r in merge_runs(order).results)


def test_planned_jobs_without_a_result_are_kept_as_undone() -> None:
    one, other = of_seeds(1, 0)
    merged = merge_runs([replace(one, results=one.results[:1]), other])
    assert [(job.dataset, job.seed) for job in merged.undone] == [("wine", 1), ("zoo", 1)]


def test_empty_runs_and_unknown_words_are_refused() -> None:
    refused(ReportError, "no run folder", merge_runs, [])
    empty = RunRecord("results/empty", ())
    refused(ReportError, "nothing to report: no results in results/empty", merge_runs, [empty])
    refused(UsageError, "did you mean 'sources'", merge_runs, two(), ["source"])

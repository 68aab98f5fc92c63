"""What may be reported together, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_runs import PROVENANCE, make_regression_run, make_run, store_run, with_jobs

from bench.errors import ReportError, UsageError
from bench.records.result import RunRecord
from bench.report.merge import merge_runs
from bench.store import Store, read_run

NAMES = ["iris", "wine", "zoo"]


def two(**changes: object) -> list[RunRecord]:
    """``rfm`` in one run, ``laplace`` in another that differs by ``changes``."""
    first = make_run(NAMES, ["rfm"], folder="results/a")
    return [first, make_run(NAMES, ["laplace"], folder="results/b", **changes)]  # type: ignore[arg-type]


def test_runs_that_belong_together_are_one_body_of_results() -> None:
    merged = merge_runs(two())
    assert len(merged.results) == 6
    assert merged.allowed == ()
    assert [r.job.dataset for r in merged.results] == sorted(r.job.dataset for r in merged.results)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"source": "embedded"}, "sources", r"iris from archive .* and embedded .*iris, wine, zoo"),
        ({"reduction": "one hold-out"}, "sources", r"classes; in full\) and archive .*; one hold-out\)"),
        ({"split": "seed-0"}, "sources", r"test folds drawn from its seed; .*\) and archive \(test folds published"),
    ],
)
def test_differences_are_refused_by_name_and_let_pass_on_request(
    changes: dict[str, object], kind: str, message: str
) -> None:
    runs = two(**changes)
    with pytest.raises(ReportError, match=message):
        merge_runs(runs)
    with pytest.raises(ReportError, match=f"--allow {kind}"):
        merge_runs(runs, [k for k in ("versions", "sources", "duplicates") if k != kind])
    merged = merge_runs(runs, [kind])
    assert len(merged.results) == 6
    assert len(merged.allowed) == 1


def test_runs_of_several_seeds_are_one_body_of_results() -> None:
    runs = [
        make_run(NAMES, ["rfm"], folder=f"results/{s}", seed=s, source="embedded", split=f"seed-{s}") for s in (1, 0)
    ]
    merged = merge_runs(runs)
    assert merged.allowed == ()
    assert [(r.job.dataset, r.job.seed) for r in merged.results] == [(name, s) for name in NAMES for s in (0, 1)]
    unfinished = replace(runs[0], results=runs[0].results[:1])
    assert [(job.dataset, job.seed) for job in merge_runs([unfinished, runs[1]]).undone] == [("wine", 1), ("zoo", 1)]
    other = make_run(NAMES, ["laplace"], folder="results/b", seed=1)  # the published folds, not drawn ones
    with pytest.raises(ReportError, match=r"iris from archive \(test folds published"):
        merge_runs([*runs, other])


def test_runs_selected_by_several_measures_are_refused() -> None:
    runs = [make_regression_run(["a"], ["rfm"]), make_regression_run(["b"], ["rfm"], folder="other", selected_by="mae")]
    with pytest.raises(
        ReportError, match=r"regression selected by mae in other, r2 in results/regression \(--allow sel"
    ):
        merge_runs(runs)
    assert len(merge_runs(runs, ["selection"]).results) == 2


def test_a_table_that_could_not_be_read_is_of_no_other_source() -> None:
    failures = {(name, "laplace"): ("skipped", "not in the archive") for name in NAMES}
    unread = make_run(NAMES, ["laplace"], folder="results/b", source="embedded", split="", failures=failures)
    assert merge_runs([make_run(NAMES, ["rfm"], folder="results/a"), unread]).allowed == ()


def test_a_table_that_was_changed_between_runs_is_refused() -> None:
    rfm, mlp = make_run(["iris", "wine"], ["rfm"]), make_run(["iris", "wine"], ["mlp"])
    rfm = with_jobs(rfm, table_sha256="a")
    merge_runs([rfm, with_jobs(mlp, table_sha256="a")])
    merge_runs([rfm, mlp])  # of before checksums were recorded
    words = r"tables that were changed between runs: iris, wine \(--allow sources\)"
    with pytest.raises(ReportError, match=words):
        merge_runs([rfm, with_jobs(mlp, table_sha256="b")])


def test_versions_of_one_library_must_agree() -> None:
    first, second = two()
    other = tuple(replace(r, provenance={"versions": {"torch": "2.2.0"}}) for r in second.results)
    second = replace(second, results=other, provenance={"versions": {"torch": "2.2.0"}})
    with pytest.raises(ReportError, match=r"torch 2.13.0 in results/a, 2.2.0 in results/b"):
        merge_runs([first, second])
    assert len(merge_runs([first, second], ["versions"]).results) == 6


def test_versions_are_compared_between_the_invocations_of_one_run() -> None:
    run = make_run(NAMES, ["rfm"], folder="results/a")
    first = {**run.provenance, "started": "Monday", "results": 2}
    second = {**first, "versions": {"torch": "2.14.0"}, "started": "Tuesday", "results": 1}
    grown = replace(run, provenance=second, invocations=(first, second))
    with pytest.raises(
        ReportError, match=r"torch 2.13.0 in results/a \(started Monday\), 2.14.0 in results/a \(started Tuesday\)"
    ):
        merge_runs([grown])


@pytest.mark.parametrize("later", [{"torch": "2.14.0"}, {}])
def test_an_invocation_that_did_nothing_says_nothing_of_versions(tmp_path: Path, later: dict[str, str]) -> None:
    folder = store_run(tmp_path / "a", make_run(NAMES, ["rfm"]))
    with Store(folder) as store:
        store.begin(make_run(NAMES, ["rfm"]).planned, {**PROVENANCE, "versions": later})
    assert merge_runs([read_run(folder), make_run(NAMES, ["laplace"], folder="results/b")]).allowed == ()


def test_the_same_job_twice_counts_once_and_another_job_in_its_place_is_refused() -> None:
    run = make_run(NAMES, ["rfm"], folder="results/a")
    assert len(merge_runs([run, run]).results) == 3
    jobs = tuple(replace(r, job=replace(r.job, id=r.job.id + "'")) for r in run.results)
    changed = replace(run, folder="results/b", results=jobs)
    with pytest.raises(ReportError, match=r"different results of the same job: iris/rfm \(clean\)"):
        merge_runs([run, changed])
    merged = merge_runs([run, changed], ["duplicates"])
    assert all(r.job.id.endswith("'") for r in merged.results)


def test_a_success_elsewhere_replaces_a_failure() -> None:
    failed = make_run(NAMES, ["rfm"], failures={("iris", "rfm"): ("oom", "killed")})
    done = make_run(NAMES, ["rfm"])
    for order in ([failed, done], [done, failed]):
        assert all(r.status == "ok" for r in merge_runs(order).results)


def test_planned_jobs_without_a_result_are_kept_as_undone() -> None:
    run = make_run(NAMES, ["rfm"])
    merged = merge_runs([replace(run, results=run.results[:1])])
    assert [job.dataset for job in merged.undone] == ["wine", "zoo"]


def test_empty_runs_and_unknown_words_are_refused() -> None:
    with pytest.raises(ReportError, match="no run folder"):
        merge_runs([])
    with pytest.raises(ReportError, match="nothing to report: no results in results/empty"):
        merge_runs([RunRecord("results/empty", ())])
    with pytest.raises(UsageError, match="did you mean 'sources'"):
        merge_runs(two(), ["source"])

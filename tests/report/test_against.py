"""``report --against``: others' results on the same table and test folds, what was left out; the kept ones."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from refusals import refused
from synthetic_runs import PROVENANCE, make_run, store_run, with_jobs

from bench.cli.export import export_runs
from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.errors import ReportError, StoreError, UsageError
from bench.methods import method_names
from bench.records.result import Job, RunRecord
from bench.report.against import join
from bench.report.build import compose, gather
from bench.report.kept import kept_records
from bench.report.markdown import render_markdown
from bench.report.merge import merge_runs
from bench.stats.frame import scores_frame
from bench.store import read_results

NAMES = [f"t{i}" for i in range(6)]
OTHERS = ("rfm", "laplace", "mlp")


def checked(run: RunRecord, *, folds: str = "abcd", **tables: str) -> RunRecord:
    """``run`` with checksums: of each table its name or what ``tables`` say, of each fold a letter."""

    def of(job: Job) -> Job:
        return replace(job, table_sha256=tables.get(job.dataset, job.dataset), fold_sha256=" ".join(folds))

    results = tuple(replace(r, job=of(r.job), holdouts=r.holdouts[: len(folds)]) for r in run.results)
    return replace(run, results=results, planned=tuple(r.job for r in results))


def mine(names: list[str] = NAMES, **changes: object) -> RunRecord:
    run = make_run(names, ["mine"], folder="results/mine", details=False, **changes)  # type: ignore[arg-type]
    about = {"mine": {"title": "My method", "origin": "mine.py"}}
    return replace(run, provenance={**PROVENANCE, "cpu": "My CPU", "methods": about})


def others(*methods: str, protocols: tuple[str, ...] = ("clean", "relearn")) -> RunRecord:
    return make_run(NAMES, methods or OTHERS, protocols, folder="elsewhere/others", details=False)


def test_what_is_of_the_same_table_and_folds_is_joined() -> None:
    merged, joined = join(merge_runs([checked(mine())]), "kept", [checked(others())])
    assert len(merged.results) == 6 * 4
    assert {r.job.protocol for r in merged.results} == {"clean"}  # no protocol but one's own
    assert (joined.methods, joined.datasets) == (set(OTHERS), set(NAMES))
    assert [len(record.results) for record in joined.records] == [18]
    assert [Path(record.folder).name for record in merged.records] == ["mine"]
    assert (joined.left_out, joined.replaced) == ({}, ())
    told = " ".join([*joined.sentences(), *joined.origins()])
    assert told.startswith("Compared with the kept comparison (--against), 3 methods, on 6 of 6 datasets")
    assert (
        "others: computed 2026-01-01T00:00:00Z; at commit 0123abc; on Example CPU @ 2.0 GHz; with numpy 2.4.0" in told
    )


def test_what_has_no_counterpart_is_left_out_with_the_reason() -> None:
    run = checked(mine([*NAMES, "u", "v"]), t1="changed", u="u")
    run = with_jobs(run, ["t2"], fold_sha256="a b c e")
    run = with_jobs(with_jobs(run, ["t3"], table_sha256=""), ["v"], split="", table_sha256="")
    merged, joined = join(merge_runs([run]), "kept", [with_jobs(checked(others()), ["t4"], table_sha256="")])
    assert joined.left_out == {
        "under clean, of that name there are only other data": ["t1"],
        "other test folds there": ["t2"],
        "no checksums recorded with your results (run the same command again)": ["t3"],
        "no checksums recorded there": ["t4"],
        "not there under clean": ["u"],
        "could not be read": ["v"],
    }
    assert {r.job.dataset for r in merged.results} == {"t0", "t5"}
    told = " ".join([*joined.sentences(), *joined.origins()])
    assert "on 2 of 8 datasets" in told
    assert "Left out: could not be read: v; no checksums recorded there: t4; no checksums recorded with your" in told


@pytest.mark.parametrize(
    ("folds", "own", "theirs", "words"),
    [
        ("wxyz", {}, {}, r"kept: nothing to compare with: other test folds there: 6 datasets \(t0, t1"),
        ("abcd", {"selected_by": "log_loss"}, {}, "selected by another measure: 6 datasets"),
        # Folds that are drawn differ from seed to seed: the reason says which seed there is.
        ("wxyz", {"split": "seed-5", "seed": 5}, {"split": "seed-0"}, "seed 5, there only seed 0: 6 datasets"),
    ],
)
def test_nothing_to_compare_with_is_refused_with_the_reason(
    folds: str, own: dict[str, object], theirs: dict[str, object], words: str
) -> None:
    merged = merge_runs([checked(with_jobs(mine(), **own), folds=folds)])
    refused(ReportError, f"--against .*{words}", join, merged, "kept", [checked(with_jobs(others(), **theirs))])


def test_of_fewer_test_folds_these_alone_are_compared() -> None:
    own = mine(reduction="tested on the first 2 of 4 hold-outs only")
    merged, joined = join(merge_runs([checked(own, folds="ab")]), "kept", [checked(others())])
    assert {len(r.holdouts) for r in merged.results} == {2}
    whole = {(r.job.dataset, r.job.method): r for r in others().results if r.job.protocol == "clean"}
    for result in joined.records[0].results:
        full = whole[result.job.dataset, result.job.method]
        assert result.holdouts == full.holdouts[:2]
        assert result.job_seconds != result.job_seconds  # of a job with four
        assert result.job.reduction == own.results[0].job.reduction
    fewer = [checked(others(), folds="ab")]
    refused(ReportError, "other test folds there", join, merge_runs([checked(mine())]), "kept", fewer)


def test_ones_own_result_of_a_method_counts_and_failures_come_along() -> None:
    own = make_run(NAMES, ["mine", "mlp"], folder="results/mine", details=False)
    failures = {("t0", "rfm"): ("oom", "killed")}
    there = make_run(NAMES, OTHERS, failures=failures, folder="elsewhere/others", details=False)
    merged, joined = join(merge_runs([checked(own)]), "kept", [checked(there)])
    assert joined.replaced == ("mlp",)
    assert joined.methods == {"rfm", "laplace"}
    assert "Of mlp your own results count where there are both." in list(joined.sentences())
    assert [r.job.dataset for r in merged.results if r.status == "oom"] == ["t0"]
    said = r"your results have all its methods \(laplace, mlp, rfm\)"
    refused(ReportError, said, join, merge_runs([checked(there)]), "kept", [checked(there)])


def test_of_several_bodies_the_one_that_matches_is_taken() -> None:
    archive = replace(checked(others(), folds="wxyz"), folder="archive")
    _, joined = join(merge_runs([checked(mine())]), "kept", [archive, checked(others())])
    assert [record.folder for record in joined.records] == ["elsewhere/others"]


def test_on_folds_that_no_seed_moves_results_of_another_seed_stand_next_to_ones_own() -> None:
    own = [checked(mine(seed=seed)) for seed in (0, 3)]
    merged, joined = join(merge_runs(own), "kept", [checked(others())])
    assert {(r.job.method, r.job.seed) for r in merged.results} == {(m, s) for m in (*OTHERS, "mine") for s in (0, 3)}
    assert joined.seeds == ((0, 3),)
    assert "On the same folds, there are results of seed 0 next to your seed 3." in list(joined.sentences())
    drawn = [checked(mine(seed=0)), checked(mine(seed=3), folds="wxyz")]
    merged, joined = join(merge_runs(drawn), "kept", [checked(others())])
    assert ({r.job.seed for r in merged.results}, joined.seeds) == ({0}, ())
    assert joined.left_out == {"other test folds there": NAMES}


@pytest.mark.parametrize("format", ["store", "parquet"])
def test_a_run_folder_or_a_file_of_scores_can_be_named(undrawn: None, tmp_path: Path, format: str) -> None:
    run = checked(others("rfm", "laplace", "yours", protocols=("clean",)))
    place = store_run(tmp_path / "others", run)
    if format != "store":
        place = export_runs([place], format, tmp_path / f"theirs.{format}")[0]  # type: ignore[arg-type]
    evidence = gather([checked(mine())], against=str(place))
    assert evidence.reference == "mine"  # not the plug-in of somebody else
    assert evidence.methods == ["rfm", "laplace", "mine", "yours"]
    told = render_markdown(compose(evidence))
    assert f"Compared with {place.name} (--against), 3 methods, on 6 of 6 datasets" in told
    assert "Seconds of RFM, Laplace kernel, yours were measured in another run, on Example CPU @ 2.0 GHz" in told
    assert "My method averages" in told
    assert list(evidence.commits) == ["0123abc"]  # one's own


def test_a_name_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    refused(UsageError, "is empty", gather, [checked(mine())], against=" ")
    refused(StoreError, "there is no such folder or file", gather, [checked(mine())], against=none)


ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench" / "report" / "kept"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "kept_scores.py"))


@pytest.fixture(scope="module")
def bodies() -> dict[str, RunRecord]:
    return {record.folder: record for record in kept_records()}


def test_all_methods_are_there_and_the_files_are_small(bodies: dict[str, RunRecord]) -> None:
    embedded, archive = bodies["kept (embedded)"], bodies["kept (archive)"]
    names = {entry.name for entry in load_registry().select("embedded")}
    assert {(r.job.dataset, r.job.method) for r in embedded.results} == {(d, m) for d in names for m in method_names()}
    assert {(r.job.protocol, r.job.seed, r.job.split) for r in embedded.results} == {("clean", 0, "seed-0")}
    assert {r.status for r in embedded.results} == {"ok"}
    assert {r.job.split for r in archive.results if r.status == "ok"} == {"published"}
    estimates = {"clean", "clean-greedy", "clean-cv", "clean-cv-greedy"}
    assert {r.job.protocol for r in archive.results} == {*estimates, "relearn", "published"}
    assert sum(path.stat().st_size for path in KEPT.iterdir() if path.is_file()) < 1_500_000
    for record in bodies.values():
        (made,) = record.invocations
        assert {"commit", "started", "versions", "cpu"} <= set(made)
        assert made["results"] == len(record.results)
        sums = [(r.job.table_sha256, *r.job.folds) for r in record.results if r.status == "ok"]
        assert {len(value) for values in sums for value in values} == {64}


def test_the_checksums_are_those_of_the_packages_tables_and_seeds(
    tool: dict[str, Any], bodies: dict[str, RunRecord]
) -> None:
    record = bodies["kept (embedded)"]
    assert tool["with_checksums"](record, EmbeddedSource()).results == record.results
    one = replace(record, results=record.results[:1])
    three = replace(one.results[0], holdouts=one.results[0].holdouts[:3])
    for changed, message in (
        (with_jobs(one, table_sha256="0" * 64), "000 in the scores is not the checksum"),
        (with_jobs(one, fold_sha256=" ".join(["0" * 64] * 4)), "000 in the scores is not the checksum"),
        (with_jobs(one, rows=7), "sizes"),
        (replace(one, results=(three,)), "3 test folds; the table has 4"),
    ):
        refused(ReportError, message, tool["with_checksums"], changed, EmbeddedSource())


@pytest.mark.archive
def test_the_checksums_are_those_of_the_archive(
    tool: dict[str, Any], bodies: dict[str, RunRecord], archive_path: str
) -> None:
    names = {"iris", "trains", "letter", "hayes-roth"}  # one is reduced, one has a test file
    record = bodies["kept (archive)"]
    part = replace(record, results=tuple(r for r in record.results if r.job.dataset in names))
    source = ArchiveSource(archive_path, load_registry(), offline=True)
    assert tool["with_checksums"](part, source).results == part.results
    assert {r.job.dataset for r in part.results if r.job.reduction} == {"letter"}


def test_the_archives_scores_are_those_of_the_kept_comparison(bodies: dict[str, RunRecord]) -> None:
    kept, whole = (
        scores_frame(r.results) for r in (bodies["kept (archive)"], read_results(ROOT / "results/kept/comparison"))
    )
    keys = ["dataset", "method", "protocol", "holdout", "status"]
    for column in ("accuracy", "config", "iteration"):
        assert kept[[*keys, column]].equals(whole[[*keys, column]])

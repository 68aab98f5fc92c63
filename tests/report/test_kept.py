"""What `report --against kept` compares with: checksums of today's tables and folds, all methods, small."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from refusals import refused
from synthetic_runs import with_jobs

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.errors import ReportError
from bench.methods import method_names
from bench.records.result import RunRecord
from bench.report.kept import kept_records
from bench.stats.frame import scores_frame
from bench.store import read_results

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

"""Make what `report --against kept` compares with: `bench/report/kept`, two bodies of scores with their checksums.

    python tools/kept_scores.py --embedded results/embedded-clean
    python tools/kept_scores.py --archive results/kept/comparison --copy ARCHIVE

``--embedded`` is a run of all methods on the package's tables (`bench run --subset embedded`), ``--archive`` scores on
the study's archive, of which ``--copy`` names a copy. The checksums of tables and folds are computed from the tables;
where the scores have some already these must be the same.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.data.sources import Source
from bench.data.splits import splits_for, taken
from bench.errors import BenchError, DataUnavailable, ReportError, UsageError
from bench.files import replacing, write_atomically
from bench.protocols.reduction import reduced
from bench.records.dataset import Dataset
from bench.records.result import JobResult, RunRecord
from bench.report.merge import invocations_of, older_ties
from bench.run.identity import fold_hashes
from bench.stats.frame import scores_frame
from bench.store import read_results

KEPT = Path(__file__).resolve().parents[1] / "bench" / "report" / "kept"
ROUNDED = {"fit_seconds": 4, "predict_seconds": 6, "job_seconds": 3, "cpu_seconds": 3, "peak_rss_mb": 1}
"""Decimals of what is measured to no more; scores keep all of theirs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedded", metavar="RUN", type=Path)
    parser.add_argument("--archive", metavar="SCORES", type=Path)
    parser.add_argument("--copy", metavar="ARCHIVE", help="of the study's archive")
    args = parser.parse_args()
    account = KEPT / "kept.json"
    accounts = json.loads(account.read_text(encoding="utf-8")) if account.exists() else {}
    try:
        if args.embedded:
            record = with_checksums(read_results(args.embedded), EmbeddedSource())
            accounts["embedded"] = write("embedded", record)
        if args.archive:
            if args.copy is None:
                raise UsageError("--archive needs --copy: the archive that the checksums are computed from")
            source = ArchiveSource(args.copy, load_registry(), offline=True)
            accounts["archive"] = write("archive", with_checksums(read_results(args.archive), source))
    except BenchError as error:
        raise SystemExit(f"kept_scores: {error}") from error
    write_atomically(account, json.dumps(dict(sorted(accounts.items())), indent=1) + "\n")


def write(body: str, record: RunRecord) -> dict[str, Any]:
    """Write the scores of ``body``; returns the account of where they come from."""
    lacking = [r.job.name for r in record.results if r.status == "ok" and not (r.job.table_sha256 and r.job.folds)]
    if lacking:
        raise ReportError(
            f"{record.folder}: no checksums of table and folds with {len(lacking)} jobs: {lacking[0]}, ..."
        )
    scores = scores_frame(record.results).round(ROUNDED)
    path = KEPT / f"{body}.csv.gz"
    with replacing(path) as temporary:
        text = scores.to_csv(index=False, lineterminator="\n")
        temporary.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{path}: {len(record.results)} jobs, {path.stat().st_size / 1000:.0f} kB")
    ties = {protocol: rule for rules in older_ties(record) for protocol, rule in rules.items()}
    return account_of(invocations_of(record)) | ({"ties": ties} if ties else {})


def account_of(invocations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One record of all ``invocations``: commits by their jobs, first and last day, versions, processors."""
    commits: Counter[str] = Counter()
    for made in invocations:
        commits[str(made.get("commit", ""))[:10]] += int(made["results"])
    days = sorted(str(made["started"])[:10] for made in invocations)
    versions = {name: {made["versions"][name] for made in invocations} for name in invocations[0]["versions"]}
    return {
        "commit": ", ".join(commit for commit, _ in commits.most_common()),
        "started": " to ".join(dict.fromkeys((days[0], days[-1]))),
        "versions": {name: " or ".join(sorted(several)) for name, several in versions.items()},
        "cpu": " or ".join(sorted({made["cpu"] for made in invocations})),
    }


def with_checksums(record: RunRecord, source: Source) -> RunRecord:
    """``record`` with the checksums of the tables that ``source`` has and of the folds that its results are of."""
    registry = load_registry()
    tables: dict[str, Dataset] = {}
    for name in sorted({r.job.dataset for r in record.results}):
        try:
            tables[name] = source.load(registry.entry(name))
        except DataUnavailable as error:
            print(f"left without checksums: {error}")
    results = (_checked(r, tables[r.job.dataset]) if r.job.dataset in tables else r for r in record.results)
    return replace(record, results=tuple(results))


def _checked(result: JobResult, table: Dataset) -> JobResult:
    job = result.job
    sizes = (job.rows, job.features, job.classes), (*table.X.shape, table.n_classes)
    if sizes[0] != sizes[1]:
        raise ReportError(f"{job.name}: sizes {sizes[0]} in the scores, {sizes[1]} in the table")
    found = replace(job, table_sha256=table.sha256)
    if result.holdouts:  # a failed job has no folds
        splits = splits_for(table, job.seed)
        ways = (reduced(splits, len(table.y)), splits)
        fitting = [way for way in ways if len(way.holdouts) == len(result.holdouts)]
        if not fitting:
            raise ReportError(f"{job.name}: {len(result.holdouts)} test folds; the table has {len(splits.holdouts)}")
        found = replace(found, fold_sha256=" ".join(fold_hashes(fitting[0])), reduction=taken(fitting[0]))
    for held, computed in ((job.table_sha256, found.table_sha256), (job.fold_sha256, found.fold_sha256)):
        if held not in ("", computed):
            raise ReportError(f"{job.name}: {held} in the scores is not the checksum: {computed}")
    return replace(result, job=found)


if __name__ == "__main__":
    main()

"""Make what `report --against kept` compares with: `bench/report/kept`, two bodies of scores with their checksums.

    python tools/kept_scores.py --embedded results/embedded-clean --archive results/kept/comparison --copy ARCHIVE

``--embedded`` is a run of all methods on the package's tables (`bench run --subset embedded`), ``--archive`` scores on
the study's archive, of which ``--copy`` names a copy: the checksums of its tables and published folds are computed
from it. Where the scores have checksums already these must be the same. Each body can be made alone.
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
from bench.data.registry import Registry, load_registry
from bench.data.splits import splits_for, taken
from bench.errors import BenchError, DataUnavailable, ReportError
from bench.files import replacing, write_atomically
from bench.protocols.reduction import LARGE_ROWS, reduced
from bench.records.result import JobResult, RunRecord
from bench.report.merge import invocations_of
from bench.run.identity import fold_hashes
from bench.stats.frame import scores_frame
from bench.store import read_results

KEPT = Path(__file__).resolve().parents[1] / "bench" / "report" / "kept"
ROUNDED = {"fit_seconds": 4, "job_seconds": 3, "cpu_seconds": 3, "peak_rss_mb": 1}
"""Decimals of what is measured to no more; scores keep all of theirs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedded", metavar="RUN", type=Path)
    parser.add_argument("--archive", metavar="SCORES", type=Path)
    parser.add_argument("--copy", metavar="ARCHIVE", help="of the study's archive")
    parser.add_argument("--note", metavar="TEXT", default="", help="what a reader must know of the scores given")
    args = parser.parse_args()
    account = KEPT / "kept.json"
    accounts = json.loads(account.read_text(encoding="utf-8")) if account.exists() else {}
    try:
        if args.embedded:
            accounts["embedded"] = write("embedded", read_results(args.embedded), args.note)
        if args.archive:
            record = read_results(args.archive)
            accounts["archive"] = write("archive", with_checksums(record, load_registry(), args.copy), args.note)
    except BenchError as error:
        raise SystemExit(f"kept_scores: {error}") from error
    write_atomically(account, json.dumps(dict(sorted(accounts.items())), indent=1) + "\n")


def write(body: str, record: RunRecord, note: str) -> dict[str, Any]:
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
    return account_of(invocations_of(record)) | ({"note": note} if note else {})


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


def with_checksums(record: RunRecord, registry: Registry, copy: str | None) -> RunRecord:
    """``record`` with the checksums of the archive's tables and of the folds that its results are of."""
    if copy is None:
        raise ReportError("--archive needs --copy: the archive that the checksums are computed from")
    source = ArchiveSource(copy, registry, offline=True)
    known: dict[str, tuple[str, dict[int, tuple[str, str | None]]]] = {}
    for name in sorted({r.job.dataset for r in record.results}):
        try:
            table = source.load(registry.entry(name))
        except DataUnavailable as error:
            print(f"left without checksums: {error}")
            continue
        splits = splits_for(table, 0)
        small = reduced(splits, len(table.y))
        ways = {len(s.holdouts): (" ".join(fold_hashes(s)), taken(s)) for s in (splits, small)}
        size = {(r.job.rows, r.job.features, r.job.classes) for r in record.results if r.job.dataset == name}
        if size != {(*table.X.shape, table.n_classes)}:
            raise ReportError(f"{name}: sizes {size} in the scores, {(*table.X.shape, table.n_classes)} in {copy}")
        known[name] = table.sha256, ways
    return replace(record, results=tuple(_checked(result, known) for result in record.results))


def _checked(result: JobResult, known: dict[str, tuple[str, dict[int, tuple[str, str | None]]]]) -> JobResult:
    job = result.job
    if job.dataset not in known:
        return result
    table, ways = known[job.dataset]
    if not result.holdouts:  # a failed job has no folds, and its table was the same
        return replace(result, job=replace(job, table_sha256=table))
    if len(result.holdouts) not in ways:
        raise ReportError(
            f"{job.name}: {len(result.holdouts)} test folds; {LARGE_ROWS:,} rows or fewer have {max(ways)}"
        )
    folds, reduction = ways[len(result.holdouts)]
    for held, computed in ((job.table_sha256, table), (job.fold_sha256, folds)):
        if held and held != computed:
            raise ReportError(f"{job.name}: another checksum in the scores than of the archive's copy: {held}")
    return replace(result, job=replace(job, table_sha256=table, fold_sha256=folds, reduction=reduction))


if __name__ == "__main__":
    main()

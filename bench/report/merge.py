"""Several runs as one body of results, or the reason why they are not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from bench.errors import ReportError, unknown_name
from bench.protocols.record import Ties
from bench.records.measure import SELECTING
from bench.records.result import Job, JobResult, RunRecord, job_name
from bench.report.wording import listing

ALLOWABLE = ("versions", "sources", "selection", "duplicates")
"""What ``--allow`` takes: differences that are refused unless named."""


@dataclass(frozen=True)
class Merged:
    """One current result per (dataset, method, protocol, seed), the planned jobs that have none, and what was let
    pass."""

    results: tuple[JobResult, ...]
    undone: tuple[Job, ...]
    records: tuple[RunRecord, ...]
    allowed: tuple[str, ...]


def older_ties(record: RunRecord) -> Iterator[dict[str, Ties]]:
    """By protocol, the rule for ties of results of before the protocol had its own, as recorded with them."""
    recorded = (i.get("ties") for i in invocations_of(record))
    for found in recorded:
        if isinstance(found, dict):
            yield {str(protocol): rule for protocol, rule in found.items() if rule in get_args(Ties)}


def merge_runs(records: Iterable[RunRecord], allow: Collection[str] = ()) -> Merged:
    """The runs together. Raises :class:`ReportError` naming each difference that ``allow`` does not let pass.

    Refused: several versions of one library; one table from two sources or on two divisions; several measures that
    selected; two different results of one (dataset, method, protocol, seed). Of allowed duplicates the later run's
    counts.
    """
    records = tuple(records)
    for word in allow:
        if word not in ALLOWABLE:
            raise unknown_name("difference to allow", word, ALLOWABLE)
    if not records:
        raise ReportError("no run folder given")
    everything = [result for record in records for result in record.results]
    if not everything:
        folders = ", ".join(record.folder for record in records)
        raise ReportError(f"nothing to report: no results in {folders}; run `python -m bench run --run DIR` first")
    found = {
        "versions": _versions(records),
        "sources": _sources(everything),
        "selection": _selection(records),
        "duplicates": _duplicates(records),
    }
    refused = [f"{text} (--allow {kind})" for kind, text in found.items() if text and kind not in allow]
    if refused:
        raise ReportError("these results do not belong in one report: " + "; ".join(refused))
    current: dict[Key, JobResult] = {}
    for result in everything:
        key = _key(result.job)
        if key not in current or result.status == "ok" or current[key].status != "ok":
            current[key] = result
    undone = {_key(job): job for record in records for job in record.planned if _key(job) not in current}
    ordered = tuple(current[key] for key in sorted(current))
    return Merged(ordered, tuple(undone[key] for key in sorted(undone)), records, tuple(t for t in found.values() if t))


Key: TypeAlias = tuple[str, str, str, int]
"""What has one result."""


def _key(job: Job) -> Key:
    return job.dataset, job.method, job.protocol, job.seed


def _differing(found: Iterable[tuple[str, Any, str]]) -> list[str]:
    """Of (what, value, where): everything with several values, each with all places where it is."""
    places: dict[str, dict[Any, set[str]]] = {}
    for what, value, where in found:
        places.setdefault(what, {}).setdefault(value, set()).add(where)
    return [
        what + ", ".join(f"{value} in {', '.join(sorted(values[value]))}" for value in sorted(values))
        for what, values in sorted(places.items())
        if len(values) > 1
    ]


def _selection(records: tuple[RunRecord, ...]) -> str:
    found = [(result.job, r.folder) for r in records for result in r.results]
    measured = ((f"{job.kind} selected by ", job.selected_by or SELECTING[job.kind].key, at) for job, at in found)
    return "; ".join(_differing(measured))


def invocations_of(record: RunRecord) -> tuple[dict[str, Any], ...]:
    """The provenance of every invocation that produced current results, oldest first, each with their number.

    A record that names none (made without a store, or without any result) has its one provenance.
    """
    if record.invocations or not record.provenance:
        return record.invocations
    return ({**record.provenance, "results": len(record.results)},)


def _recorded(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f"{library} ", str(version)) for library, version in dict(provenance.get("versions") or {}).items()]


def _versions(records: tuple[RunRecord, ...]) -> str:
    """Of the libraries that computed the results: an invocation that found all done does not count."""
    found: list[tuple[str, str, str]] = []
    for record in (record for record in records if record.results):
        recorded = invocations_of(record)
        for invocation in recorded:
            where = f"{record.folder} (started {invocation.get('started')})" if len(recorded) > 1 else record.folder
            found += [(*pair, where) for pair in _recorded(invocation)]
        of_invocations = {pair for invocation in recorded for pair in _recorded(invocation)}
        of_workers = {pair for result in record.results for pair in _recorded(result.provenance)}
        # a cluster's machines can have others than the scheduler
        found += [(*pair, record.folder) for pair in of_workers - of_invocations]
    parts = _differing(found)
    return "versions differ: " + "; ".join(parts) if parts else ""


def _sources(results: list[JobResult]) -> str:
    origins: dict[str, set[tuple[str, str, str, str]]] = {}
    for result in results:
        job = result.job
        if not (job.split and job.rows):  # the table could not be read: nothing of it is in these results
            continue
        size = f"{job.rows} x {job.features}, {job.classes} classes"
        split = "drawn from its seed" if job.split == f"seed-{job.seed}" else job.split
        origins.setdefault(job.dataset, set()).add((job.source, split, size, job.reduction or "in full"))
    mixed = {name: kinds for name, kinds in origins.items() if len(kinds) > 1}
    if not mixed:
        return _contents(results)
    first = min(mixed)
    shown = " and ".join(f"{o[0]} (test folds {o[1]}; {o[2]}; {o[3]})" for o in sorted(mixed[first]))
    found = f"datasets from several sources or splits: {first} from {shown}; in all {listing(sorted(mixed), 5)}"
    folds = any("test folds only" in o[3] for o in mixed[first])
    return f"{found} (some tested on the first folds only, --folds: compare them with --against)" if folds else found


def _contents(results: list[JobResult]) -> str:
    """Tables of one name, source and size that are not the same: a file was changed between two runs."""
    contents: dict[str, set[str]] = {}
    for job in (result.job for result in results if result.job.table_sha256):
        contents.setdefault(job.dataset, set()).add(job.table_sha256)
    changed = sorted(name for name, sums in contents.items() if len(sums) > 1)
    return f"tables that were changed between runs: {listing(changed, 5)}" if changed else ""


def _duplicates(records: tuple[RunRecord, ...]) -> str:
    """Two different jobs, both ``ok``, for one (dataset, method, protocol, seed): other grids, code or tables."""
    jobs: dict[Key, set[str]] = {}
    for record in records:
        for result in record.results:
            if result.status == "ok":
                jobs.setdefault(_key(result.job), set()).add(result.job.id)
    twice = sorted(key for key, ids in jobs.items() if len(ids) > 1)
    if not twice:
        return ""
    shown = listing([job_name(*key) for key in twice], 3)
    return f"different results of the same job: {shown}; the later folder's would count"

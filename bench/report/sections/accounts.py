"""What a careful reader asks last: what failed, what it cost, where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import plural
from bench.records.measure import COMPARED, Kind
from bench.records.result import JobResult
from bench.report import wording
from bench.report.blocks import Block, Cell, Code, Column, Section, Table, cells, table, text
from bench.report.evidence import Evidence
from bench.report.sections.cells import dataset_cell, method_cell, seconds_cell
from bench.report.view import kind_aside, view_key


def failures_section(evidence: Evidence) -> Section:
    """Every job that is not ``ok``, with its reason, and how many planned jobs of each method have no result."""
    failed = [r for r in evidence.merged.results if r.status != "ok"]
    if not failed and not evidence.merged.undone:
        return Section("failures", "Failures", (text(f"None: all {len(evidence.merged.results):,} jobs are ok."),))
    columns = (
        (Column("Dataset", "text"), lambda r: dataset_cell(evidence, r.job.dataset)),
        (Column("Method", "text"), lambda r: method_cell(evidence, r.job.method)),
        (Column("Protocol", "text"), lambda r: r.job.protocol),
        *(((Column("Seed", lower_first=True), lambda r: r.job.seed),) if len(evidence.seeds) > 1 else ()),
        (Column("Status", "text"), lambda r: r.status),
        (Column("Reason", "text"), lambda r: Cell(r.reason or "no reason recorded", hint=r.output[-600:])),
        (Column("Seconds", hint="wall seconds of the job"), lambda r: seconds_cell(r.job_seconds)),
    )
    caption = f"{plural(len(failed), 'job')} failed or skipped"
    shown = [table("failures", caption, failed, columns, filterable=len(failed) > 8)] if failed else []
    return Section("failures", "Failures", (*shown, *_undone(evidence)), fold=True)


def _undone(evidence: Evidence) -> list[Table]:
    """The planned jobs without a result, counted by method and protocol; none if all were run."""
    datasets: dict[tuple[str, str], list[str]] = {}
    for job in evidence.merged.undone:
        datasets.setdefault((job.method, job.protocol), []).append(job.dataset)
    if not datasets:
        return []
    columns = (
        (Column("Method", "text"), lambda x: method_cell(evidence, x[0])),
        (Column("Protocol", "text"), lambda x: x[1]),
        (Column("Jobs"), lambda x: len(datasets[x])),
        (Column("Datasets", "text"), lambda x: wording.listing(sorted(set(datasets[x])))),
    )
    caption = f"{plural(len(evidence.merged.undone), 'job')} planned and not run"
    note = "The run ended before; the same command resumes it."
    return [table("undone", caption, sorted(datasets), columns, note=note)]


def cost_section(evidence: Evidence) -> Section:
    """Seconds and memory by kind, method and protocol; measured peaks against the methods' own estimates."""
    costs = (_costs(evidence, kind) for kind in COMPARED)
    blocks = (*(table for table in costs if table), *_solvers(evidence))
    return Section("cost", "Time and memory", blocks, fold=True)


def _costs(evidence: Evidence, kind: Kind) -> Table | None:
    """What the tables of a kind cost; None if there are none."""
    if not evidence.of_kind(kind):
        return None
    costs = []
    ok = [r for r in evidence.merged.results if r.status == "ok" and r.job.kind == kind]
    for method in evidence.methods:
        whole = [r for r in ok if r.job.method == method]
        parts = {p: done for p in evidence.protocols if (done := [r for r in whole if r.job.protocol == p])}
        costs += [_Cost(method, protocol, done) for protocol, done in parts.items()]
        costs += [_Cost(method, "all", whole)] * (len(parts) > 1)
    aside = kind_aside(kind)
    ratio = "largest measured peak over the method's own estimate, both beyond the idle process"
    resident = "largest resident size of a worker, its loaded libraries included"
    columns = (
        (Column("Method", "text"), lambda c: method_cell(evidence, c.method)),
        (Column("Protocol", "text"), lambda c: c.protocol),
        (Column("Jobs ok"), lambda c: len(c.done)),
        (Column("CPU s", hint="of the jobs, loading included"), lambda c: seconds_cell(c.total("cpu_seconds"))),
        (
            Column("Wall s", hint="sum over jobs, not the run's duration"),
            lambda c: seconds_cell(c.total("job_seconds")),
        ),
        (Column("Slowest, s"), lambda c: seconds_cell(c.slowest[0])),
        (Column("On", "text"), lambda c: dataset_cell(evidence, c.slowest[1])),
        (Column("Peak RSS, MB", hint=resident), lambda c: wording.num(c.peak_mb, 0)),
        (Column("Peak / estimate", hint=ratio), lambda c: wording.num(c.memory[0], 2)),
        (Column("On", "text"), lambda c: dataset_cell(evidence, c.memory[1])),
    )
    return table(
        view_key("cost", kind), f"What it cost{aside}", costs, columns, note=wording.prose("cost") + evidence.timings
    )


@dataclass(frozen=True)
class _Cost:
    """What the jobs of one method took under one protocol, or under all."""

    method: str
    protocol: str
    done: list[JobResult]

    def total(self, what: str) -> float:
        return float(np.sum([getattr(r, what) for r in self.done]))

    @property
    def slowest(self) -> tuple[float, str]:
        """The most wall seconds of a job, and the dataset; NaN if none is known."""
        return _largest((r.job_seconds, r.job.dataset) for r in self.done)

    @property
    def peak_mb(self) -> float:
        """The largest resident size of a job; NaN if none is known."""
        return _largest((r.peak_rss_mb, r.job.dataset) for r in self.done)[0]

    @property
    def memory(self) -> tuple[float, str]:
        """The largest ratio of a measured peak to its estimate, and the dataset; NaN if none is known."""
        return _largest((_memory_ratio(r.provenance), r.job.dataset) for r in self.done)


def _largest(found: Iterable[tuple[float, str]]) -> tuple[float, str]:
    """The largest number and its dataset; those that are not known, NaN, do not count, and are all if none is."""
    return max((item for item in found if item[0] == item[0]), default=(float("nan"), ""))


def _solvers(evidence: Evidence) -> list[Table]:
    """How many fits of tested predictors each solver made, the more frequent one first, and on which datasets."""
    fits: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for r in evidence.merged.results:
        for h in r.holdouts:
            if h.details.get("solver"):
                by_solver = fits.setdefault((r.job.method, r.job.protocol), {})
                by_solver.setdefault(str(h.details["solver"]), Counter())[r.job.dataset] += 1
    if not fits:
        return []
    rows = [
        (method, protocol, solver, where)
        for method in evidence.methods
        for protocol in evidence.protocols
        for solver, where in sorted(fits.get((method, protocol), {}).items(), key=lambda item: -item[1].total())
    ]
    columns = (
        (Column("Method", "text"), lambda row: method_cell(evidence, row[0])),
        (Column("Protocol", "text"), lambda row: row[1]),
        (Column("Solver", "text"), lambda row: row[2]),
        (Column("Fits", hint="of tested predictors, one a test fold"), lambda row: row[3].total()),
        (Column("On", "text"), lambda row: _some(row[3])),
    )
    note = "By the number of fitted rows: Cholesky's method up to 25,000, EigenPro beyond or where float32 breaks down."
    return [table("solvers", "How kernel systems were solved", rows, columns, note=note)]


def _some(datasets: Collection[str]) -> str:
    return ", ".join(sorted(datasets)) if len(datasets) <= 10 else plural(len(datasets), "dataset")


LEAST_MB = 50.0
"""A smaller peak says little about its estimate."""


def _memory_ratio(provenance: dict[str, Any]) -> float:
    """A job's measured peak over its estimate; NaN if one is not recorded, or the peak is too small to say much."""
    measured, estimate = provenance.get("memory_peak_mb"), provenance.get("memory_estimate_mb")
    if not measured or not estimate or float(measured) < LEAST_MB:
        return float("nan")
    return float(measured) / float(estimate)


def provenance_section(evidence: Evidence) -> Section:
    """Where every run's results came from, as the run recorded it."""
    blocks: list[Block] = []
    seen: Counter[str] = Counter()
    for folder, invocations in evidence.invocations:
        name = Path(folder).name or folder  # where the folder lies on this machine is nobody's business
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        if invocations:
            blocks += [_invocations(name, invocations), _circumstances(name, invocations)]
        else:
            blocks.append(text("Run ", Code(name), " recorded no provenance."))
    if evidence.against:
        blocks.append(text(" ".join([*evidence.against.sentences(), *evidence.against.origins()])))
    blocks.append(_sources(evidence))
    return Section("provenance", "Provenance", tuple(blocks), fold=True)


def _invocations(name: str, invocations: tuple[dict[str, Any], ...]) -> Table:
    """One row per invocation that results come from."""
    produced = "jobs whose current result this invocation produced, failures included"
    columns = (
        (Column("Started", "text"), lambda i: str(i.get("started") or wording.DASH)),
        (Column("Results", hint=produced), lambda i: int(i.get("results", 0))),
        (
            Column("Commit", "text", hint="of the harness; +dirty: tracked files differed from it"),
            lambda i: str(i.get("commit") or wording.DASH),
        ),
        (Column("Command", "text"), lambda i: str(i.get("command") or wording.DASH)),
    )
    note = "Only invocations that produced a result which still stands: one that found all done is not listed."
    caption = f"Run {name}: what produced its results"
    return table(f"invocations-{wording.slug(name)}", caption, invocations, columns, note=note, sortable=False)


def _circumstances(name: str, invocations: tuple[dict[str, Any], ...]) -> Table:
    """All else that was recorded, the data's source included; where invocations differ, which had what."""
    own = ("started", "results", "commit", "command", "tables")  # the tables have sections of their own
    records = [
        (str(i.get("started") or wording.DASH), dict(flat({k: v for k, v in i.items() if k not in own})))
        for i in invocations
    ]
    rows = []
    for key in dict.fromkeys(key for _, record in records for key in record):
        started: dict[str, list[str]] = {}
        for start, record in records:
            started.setdefault(record.get(key, "not recorded"), []).append(start)
        shown = "; ".join(f"{value} (started {', '.join(starts)})" for value, starts in started.items())
        rows.append(cells(key, shown if len(started) > 1 else next(iter(started))))
    heads = (Column("What", "text"), Column("Recorded", "text"))
    return Table(f"provenance-{wording.slug(name)}", heads, tuple(rows), f"Run {name}: with what", sortable=False)


def _sources(evidence: Evidence) -> Table:
    """Datasets by source and hold-outs. Of a table that could not be read only the source it was sought in is known."""
    read = evidence.scores[evidence.scores["split"] != ""]
    sought = evidence.scores[~evidence.scores["dataset"].isin(read["dataset"])]
    counts = read.groupby(["source", "split"])["dataset"].nunique()
    lines = [(str(source), str(split), int(counts[source, split])) for source, split in counts.index]
    lines += [
        (str(source), "none: the table could not be read", int(count))
        for source, count in sought.groupby("source")["dataset"].nunique().items()
    ]
    heads = (Column("Source", "text"), Column("Test folds", "text"), Column("Datasets"))
    return Table("sources", heads, tuple(cells(*line) for line in lines), "Where the tables came from")


def flat(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Nested keys joined by a space, lists by commas, a dash for what is empty; in the record's order."""
    rows: list[tuple[str, str]] = []
    for key, value in record.items():
        if isinstance(value, dict):
            rows += [(f"{key} {inner}", shown) for inner, shown in flat(value)]
        elif isinstance(value, list | tuple):
            rows.append((str(key), ", ".join(str(v) for v in value)))
        else:
            rows.append((str(key), wording.DASH if value in (None, "") else str(value)))
    return rows

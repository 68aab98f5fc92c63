"""What a careful reader asks last: what failed, what it cost, where it came from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.records.result import JobResult
from bench.report import wording
from bench.report.blocks import Block, Cell, Code, Column, Section, Table, text
from bench.report.evidence import Evidence
from bench.report.sections.tables import method_cell


def failures_section(evidence: Evidence) -> Section:
    """Every job that is not ``ok``, with its reason, and every planned job without a result."""
    failed = [r for r in evidence.merged.results if r.status != "ok"]
    undone = evidence.merged.undone
    if not failed and not undone:
        return Section("failures", "Failures", (text(f"None: all {len(evidence.merged.results):,} jobs are ok."),))
    rows = [
        (
            Cell(r.job.dataset, href=f"#{evidence.anchors[r.job.dataset]}"),
            method_cell(r.job.method, evidence.methods),
            Cell(r.job.protocol),
            Cell(r.status),
            Cell(r.reason or "no reason recorded", hint=r.output[-600:]),
            Cell(wording.seconds(r.job_seconds), r.job_seconds),
        )
        for r in failed
    ]
    rows += [
        (
            Cell(job.dataset),
            method_cell(job.method, evidence.methods),
            Cell(job.protocol),
            Cell("not run"),
            Cell("planned, but the run ended before it; the same command resumes"),
            Cell(wording.DASH),
        )
        for job in undone
    ]
    columns = (
        Column("Dataset", "text"),
        Column("Method", "text"),
        Column("Protocol", "text"),
        Column("Status", "text"),
        Column("Reason", "text"),
        Column("Seconds", hint="wall seconds of the job"),
    )
    caption = f"{wording.plural(len(rows), 'job')} without a result"
    table = Table("failures", columns, tuple(rows), caption, filterable=len(rows) > 8)
    return Section("failures", "Failures", (table,))


def cost_section(evidence: Evidence) -> Section:
    """Seconds and memory by method and protocol; measured peaks against the methods' own estimates."""
    columns = (
        Column("Method", "text"),
        Column("Protocol", "text"),
        Column("Jobs ok"),
        Column("CPU s", hint="of the jobs, loading included"),
        Column("Wall s", hint="sum over jobs, not the run's duration"),
        Column("Slowest, s"),
        Column("On", "text"),
        Column("Peak RSS, MB", hint="largest resident size of a worker, its loaded libraries included"),
        Column(
            "Peak / estimate", hint="largest measured peak over the method's own estimate, both beyond the idle process"
        ),
        Column("On", "text"),
    )
    rows = []
    ok = [r for r in evidence.merged.results if r.status == "ok"]
    for method in evidence.methods:
        whole = [r for r in ok if r.job.method == method]
        parts = {p: done for p in evidence.protocols if (done := [r for r in whole if r.job.protocol == p])}
        rows += [_cost_row(evidence, method, protocol, done) for protocol, done in parts.items()]
        if len(parts) > 1:
            rows.append(_cost_row(evidence, method, "all", whole))
    note = (
        "The estimate is the method's own; a job may use half as much again and 268 MB before it is stopped. Below 1 "
        "the estimate held. Jobs whose measured peak is under 50 MB are left out of the ratio: there it is mostly the "
        "libraries' own buffers."
    )
    blocks: list[Block] = [Table("cost", columns, tuple(rows), "What it cost", note=note)]
    solvers = _solvers(evidence)
    if solvers is not None:
        blocks.append(solvers)
    return Section("cost", "Time and memory", tuple(blocks))


def _solvers(evidence: Evidence) -> Table | None:
    """How many fits of tested predictors each solver made, the more frequent one first, and on which datasets."""
    fits: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for r in evidence.merged.results:
        for h in r.holdouts:
            if h.details.get("solver"):
                by_solver = fits.setdefault((r.job.method, r.job.protocol), {})
                by_solver.setdefault(str(h.details["solver"]), Counter())[r.job.dataset] += 1
    if not fits:
        return None
    rows = [
        (
            method_cell(method, evidence.methods),
            Cell(protocol),
            Cell(solver),
            Cell(f"{where.total():,}", float(where.total())),
            Cell(", ".join(sorted(where)) if len(where) <= 10 else wording.plural(len(where), "dataset")),
        )
        for method in evidence.methods
        for protocol in evidence.protocols
        for solver, where in sorted(fits.get((method, protocol), {}).items(), key=lambda item: -item[1].total())
    ]
    columns = (
        Column("Method", "text"),
        Column("Protocol", "text"),
        Column("Solver", "text"),
        Column("Fits", hint="of tested predictors, one a hold-out"),
        Column("On", "text"),
    )
    note = "By the number of fitted rows: Cholesky's method up to 25,000, EigenPro beyond or where float32 breaks down."
    return Table("solvers", columns, tuple(rows), "How kernel systems were solved", note=note)


def _cost_row(evidence: Evidence, method: str, protocol: str, done: list[JobResult]) -> tuple[Cell, ...]:
    slowest = max(done, key=lambda r: r.job_seconds)
    cpu, wall = float(np.sum([r.cpu_seconds for r in done])), float(np.sum([r.job_seconds for r in done]))
    peak = max(r.peak_rss_mb for r in done)
    ratios = [(ratio, r.job.dataset) for r in done if (ratio := _memory_ratio(r.provenance)) is not None]
    worst, where = max(ratios) if ratios else (float("nan"), "")
    return (
        method_cell(method, evidence.methods),
        Cell(protocol),
        Cell(f"{len(done):,}", float(len(done))),
        Cell(wording.seconds(cpu), cpu),
        Cell(wording.seconds(wall), wall),
        Cell(wording.seconds(slowest.job_seconds), slowest.job_seconds),
        Cell(slowest.job.dataset, href=f"#{evidence.anchors[slowest.job.dataset]}"),
        wording.num(peak, 0),
        wording.num(worst, 2),
        Cell(where, href=f"#{evidence.anchors[where]}" if where else ""),
    )


def _memory_ratio(provenance: dict[str, Any], least_mb: float = 50.0) -> float | None:
    measured, estimate = provenance.get("memory_peak_mb"), provenance.get("memory_estimate_mb")
    if not measured or not estimate or float(measured) < least_mb:
        return None
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
    blocks.append(_sources(evidence))
    return Section("provenance", "Provenance", tuple(blocks))


def _invocations(name: str, invocations: tuple[dict[str, Any], ...]) -> Table:
    """One row per invocation that results come from."""
    rows = tuple(
        (
            Cell(str(i.get("started") or wording.DASH)),
            Cell(f"{i.get('results', 0):,}", float(i.get("results", 0))),
            Cell(str(i.get("commit") or wording.DASH)),
            Cell(str(i.get("command") or wording.DASH)),
        )
        for i in invocations
    )
    columns = (
        Column("Started", "text"),
        Column("Results", hint="jobs whose current result this invocation produced, failures included"),
        Column("Commit", "text", hint="of the harness; +dirty: tracked files differed from it"),
        Column("Command", "text"),
    )
    note = "Only invocations that produced a result which still stands: one that found all done is not listed."
    caption = f"Run {name}: what produced its results"
    return Table(f"invocations-{wording.slug(name)}", columns, rows, caption, note=note, sortable=False)


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
        rows.append((Cell(key), Cell(shown if len(started) > 1 else next(iter(started)))))
    columns = (Column("What", "text"), Column("Recorded", "text"))
    return Table(f"provenance-{wording.slug(name)}", columns, tuple(rows), f"Run {name}: with what", sortable=False)


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
    rows = tuple((Cell(source), Cell(split), Cell(f"{count:,}", float(count))) for source, split, count in lines)
    heads = (Column("Source", "text"), Column("Hold-outs", "text"), Column("Datasets"))
    return Table("sources", heads, rows, "Where the tables came from")


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

"""A study's folder in, its report out: the page, its Markdown twin, figures, and the results as a table."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import StoreError, plural
from bench.files import write_atomically
from bench.records.result import JobResult, RunRecord
from bench.report import wording
from bench.report.blocks import Block, Code, Document, Items, Link, Notice, Section, Span, text
from bench.report.build import write_document
from bench.store import read_run
from bench.study.cell import Cell, Outcome, Study, without_device
from bench.study.claims import Claim
from bench.study.summary import grouped

RESULTS = "cells.csv"
_ACCOUNT = "account"


@dataclass(frozen=True)
class StudyFiles:
    """Where the report is, and what it says first."""

    html: Path
    markdown: Path
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """What a study's own report module makes of its outcomes."""

    question: str
    kicker: str
    claims: Sequence[Claim]
    sections: Sequence[Section]


def write_study(study: Study, folder: Path, out: Path) -> StudyFiles:
    """Write the report on what ``folder`` holds into ``out``, and the results as :data:`RESULTS` beside the store."""
    record = read_run(folder)
    refuse_other(study, record)
    outcomes = outcomes_of(study, record)
    left = len(record.planned) - len(outcomes)
    package = study.kinds[next(iter(study.kinds))].rpartition(":")[0].rpartition(".")[0]
    find: Callable[[Sequence[Outcome]], Findings] = importlib.import_module(f"{package}.findings").find
    findings = find([replace(outcome, cell=without_device(outcome.cell)) for outcome in outcomes])
    head = findings.sections[0]
    warnings = tuple(_warnings(outcomes, left, quick=bool(record.planned_by.get("quick"))))
    opening = Section(head.anchor, head.title, (*warnings, *head.blocks), head.children)
    done = sum(outcome.status == "ok" for outcome in outcomes)
    facts = (
        (f"{done:,} of {len(outcomes) + left:,}", "cells"),
        (_duration(sum(o.cpu_seconds for o in outcomes)), "of processor time"),
        (f"{sum(c.verdict == 'holds' for c in findings.claims)} of {len(findings.claims)}", "claims hold"),
    )
    sections = (opening, *findings.sections[1:], _account(outcomes, record))
    document = Document(findings.question, findings.kicker, facts, sections, f"python -m bench study {study.name}")
    files = write_document(document, out)
    write_atomically(folder / RESULTS, results_csv(outcomes))
    return StudyFiles(files.html, files.markdown, tuple(claim.line for claim in findings.claims))


def refuse_other(study: Study, record: RunRecord) -> None:
    """Raise :class:`StoreError` unless the folder's latest jobs are cells of ``study``."""
    if not record.planned:
        raise StoreError(f"no study in {record.folder}: nothing has been planned there")
    job = record.planned[0]
    if job.protocol != study.name or not job.parameters:
        held = f"the study {job.protocol!r}" if job.parameters else "results of `python -m bench run`"
        raise StoreError(f"{record.folder} holds {held}, not {study.name!r}: choose another folder with --run")


def outcomes_of(study: Study, record: RunRecord) -> list[Outcome]:
    """What became of the cells that were planned last, as far as they have a result, in the study's order."""
    listed = study.cells(bool(record.planned_by.get("quick")))
    order = {(cell.kind, cell.name): number for number, cell in enumerate(listed)}
    planned = {job.id for job in record.planned}
    outcomes = [_outcome(result) for result in record.results if result.job.id in planned]
    return sorted(outcomes, key=lambda o: order.get((o.cell.kind, without_device(o.cell).name), len(order)))


def _outcome(result: JobResult) -> Outcome:
    cell = Cell(result.job.method, json.loads(result.job.parameters), result.job.seed)
    return Outcome(cell, result.status, result.values, result.reason, result.job_seconds, result.cpu_seconds)


def _duration(seconds: float) -> str:
    """In minutes; in seconds where those would be too few to say."""
    if seconds < 120:
        return plural(round(seconds), "second")
    return plural(round(seconds / 60), "minute")


def _warnings(outcomes: Sequence[Outcome], left: int, *, quick: bool) -> Iterable[Block]:
    if quick:
        yield Notice(("A small version, to see that everything works: its figures say little.",), "warning")
    if left:
        yield Notice((f"{plural(left, 'cell')} still without a result.",), "warning")
    if failed := sum(o.failed for o in outcomes):
        yield Notice((f"{plural(failed, 'cell')} failed; see ", Link("what ran", f"#{_ACCOUNT}"), "."), "warning")
    reasons = Counter(o.reason for o in outcomes if o.status == "skipped")
    for reason, count in reasons.most_common():
        yield Notice((f"{plural(count, 'cell')} skipped. {reason.rstrip('.')}.",))


def _account(outcomes: Sequence[Outcome], record: RunRecord) -> Section:
    """What ran, on what, and what did not; the runs whose results are shown, with how many."""
    provenance = record.planned_by
    versions = ", ".join(f"{k} {v}" for k, v in provenance.get("versions", {}).items())
    device = f"; device {provenance['device']}" if "device" in provenance else ""
    lines: list[tuple[Span, ...]] = [
        ("Command: ", Code(str(provenance.get("command", ""))), f"; last begun {provenance.get('started', '')}."),
        (f"Processor: {provenance.get('cpu', '')}, {provenance.get('cores', '')} cores; {versions}{device}.",),
    ]
    lines += [
        (f"Images: {name}, from {found['source']} (SHA-256 ", Code(str(found["sha256"])[:16]), " ...).")
        for name, found in provenance.get("images", {}).items()
    ]
    lines += [
        (
            f"{plural(run['results'], 'cell')} in the run begun {run.get('started', '')}, commit ",
            Code(str(run.get("commit", "")) or "none"),
            ".",
        )
        for run in record.invocations
    ]
    for kind, some in grouped(outcomes, lambda o: o.cell.kind).items():
        seconds = sum(o.cpu_seconds for o in some)
        lines.append((Code(kind), f": {plural(len(some), 'cell')}, {wording.seconds(seconds)} processor seconds."))
    lines += _without_values(outcomes)
    note = text(
        "Each cell is computed once and stored with the hash of its parameters and of the code behind it; "
        "the same command computes what is missing or has changed."
    )
    return Section(_ACCOUNT, "What ran", (note, Items(tuple(lines))))


def _without_values(outcomes: Sequence[Outcome]) -> Iterator[tuple[Span, ...]]:
    """A line for each reason for which cells of one kind have no values, however many these are."""
    without = (o for o in outcomes if o.status != "ok")
    for (status, kind, reason), (first, *others) in grouped(
        without, lambda o: (o.status, o.cell.kind, o.reason)
    ).items():
        more = f" and {plural(len(others), 'other')} of the kind" if others else ""
        yield f"{status}: ", Code(f"{kind} {first.cell.name}"), f"{more}: {reason}"


def results_csv(outcomes: Sequence[Outcome]) -> str:
    """One row a cell: kind, seed, status, parameters and values as JSON, seconds."""
    rows = [
        (
            o.cell.kind,
            o.cell.seed,
            o.status,
            json.dumps(dict(o.cell.parameters)),
            json.dumps(_rounded(o.values)),
            o.reason,
            f"{o.seconds:.3f}",
            f"{o.cpu_seconds:.3f}",
        )
        for o in outcomes
    ]
    columns = ["kind", "seed", "status", "parameters", "values", "reason", "seconds", "cpu_seconds"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n")


def _rounded(value: Any) -> Any:
    """Numbers to six digits: the last ones are noise of the machine."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value

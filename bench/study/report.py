"""A study's folder in, its report out: the page, its Markdown twin, figures, and the results as a table."""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.files import write_atomically
from bench.report import wording
from bench.report.blocks import Block, Code, Document, Items, Notice, Section, Span, text
from bench.report.build import write_document
from bench.study.cell import Outcome, Study
from bench.study.claims import Claim
from bench.study.store import read_runs, read_study

RESULTS = "cells.csv"


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
    name, outcomes, left, provenance = read_study(folder)
    if name != study.name:
        raise StoreError(f"{folder} holds the study {name!r}, not {study.name!r}: choose another folder with --run")
    package = study.kinds[next(iter(study.kinds))].rpartition(":")[0].rpartition(".")[0]
    find: Callable[[Sequence[Outcome]], Findings] = importlib.import_module(f"{package}.findings").find
    findings = find(outcomes)
    head = findings.sections[0]
    warnings = tuple(_warnings(outcomes, left, provenance))
    opening = Section(head.anchor, head.title, (*warnings, *head.blocks), head.children)
    done = sum(outcome.status == "ok" for outcome in outcomes)
    facts = (
        (f"{done:,} of {len(outcomes) + left:,}", "cells"),
        (_duration(sum(o.cpu_seconds for o in outcomes)), "of processor time"),
        (f"{sum(c.verdict == 'holds' for c in findings.claims)} of {len(findings.claims)}", "claims hold"),
    )
    sections = (opening, *findings.sections[1:], _account(outcomes, provenance, read_runs(folder)))
    document = Document(findings.question, findings.kicker, facts, sections, f"python -m bench study {study.name}")
    files = write_document(document, out)
    write_atomically(folder / RESULTS, results_csv(outcomes))
    return StudyFiles(files.html, files.markdown, tuple(claim.line for claim in findings.claims))


def _duration(seconds: float) -> str:
    """In minutes; in seconds where those would be too few to say."""
    if seconds < 120:
        return wording.plural(round(seconds), "second")
    return wording.plural(round(seconds / 60), "minute")


def _warnings(outcomes: Sequence[Outcome], left: int, provenance: Mapping[str, Any]) -> Iterable[Block]:
    if provenance.get("quick"):
        yield Notice(("A small version, to see that everything works: its figures say little.",), "warning")
    if left:
        yield Notice((f"{wording.plural(left, 'cell')} still without a result.",), "warning")
    failed = [o for o in outcomes if o.status == "error"]
    if failed:
        yield Notice((f"{wording.plural(len(failed), 'cell')} failed; see the account below.",), "warning")


def _account(
    outcomes: Sequence[Outcome], provenance: Mapping[str, Any], runs: Sequence[tuple[Mapping[str, Any], int]]
) -> Section:
    """What ran, on what, and what did not; ``runs`` are those whose results are shown, with how many."""
    versions = ", ".join(f"{k} {v}" for k, v in provenance.get("versions", {}).items())
    lines: list[tuple[Span, ...]] = [
        ("Command: ", Code(str(provenance.get("command", ""))), f"; last begun {provenance.get('started', '')}."),
        (f"Processor: {provenance.get('cpu', '')}, {provenance.get('cores', '')} cores; {versions}.",),
    ]
    lines += [
        (
            f"{wording.plural(count, 'cell')} in the run begun {run.get('started', '')}, commit ",
            Code(str(run.get("commit", "")) or "none"),
            ".",
        )
        for run, count in runs
    ]
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.cell.kind, []).append(outcome)
    for kind, some in kinds.items():
        seconds = sum(o.cpu_seconds for o in some)
        lines.append(
            (Code(kind), f": {wording.plural(len(some), 'cell')}, {wording.seconds(seconds)} processor seconds.")
        )
    lines += [(f"{o.status}: ", Code(o.cell.words), f": {o.reason}") for o in outcomes if o.status != "ok"]
    note = text(
        "Each cell is computed once and stored with the hash of its parameters and of the code behind it; "
        "the same command computes what is missing or has changed."
    )
    return Section("account", "What ran", (note, Items(tuple(lines))))


def results_csv(outcomes: Sequence[Outcome]) -> str:
    """One row a cell: kind, seed, status, parameters and values as JSON, seconds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("kind", "seed", "status", "parameters", "values", "reason", "seconds", "cpu_seconds"))
    for o in outcomes:
        writer.writerow(
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
        )
    return buffer.getvalue()


def _rounded(value: Any) -> Any:
    """Numbers to six digits: the last ones are noise of the machine."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value

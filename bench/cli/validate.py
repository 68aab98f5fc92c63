"""``bench validate``: problems of a dataset, and what they mean for a kernel method."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from bench.cli.tables import add_data_arguments, add_source_arguments, recorded_by, say
from bench.data.validate import Examined, Finding, examine, unnamed
from bench.errors import BenchError, UsageError, one_line

EXIT_FINE, EXIT_WARNINGS, EXIT_UNREADABLE = 0, 1, 2
WIDTH = 110
SHOWN_CLASSES = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench validate``."""
    parser.add_argument(
        "tables", metavar="FILE|NAME", nargs="*", help="your files (my.csv, my.yaml), datasets of the registry, subsets"
    )
    add_data_arguments(parser)
    parser.add_argument(
        "--archive", metavar="PATH_OR_URL", help="take datasets of the registry from this copy of the archive"
    )
    add_source_arguments(parser, "where datasets of the registry are taken from, as in `python -m bench run`")
    parser.add_argument("--json", action="store_true", help="all findings as JSON")


Read: TypeAlias = tuple[Examined, Sequence[str], Sequence[Finding]]
"""A table, what was done to it, and what was found in it."""


@dataclass(frozen=True)
class Candidate:
    """A table to be examined: its name, where it comes from, and how to read and examine it."""

    name: str
    source: str
    read: Callable[[], Read]


def run(args: argparse.Namespace) -> int:
    """0 without a warning, 1 with one or more, 2 if a table cannot be read."""
    code, reports = EXIT_FINE, []
    for candidate in candidates(args):
        try:
            table, notes, findings = candidate.read()
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            code = EXIT_UNREADABLE
            continue
        findings = sorted(findings, key=lambda finding: finding.severity != "warning")
        if any(finding.severity == "warning" for finding in findings):
            code = max(code, EXIT_WARNINGS)
        if args.json:
            reports.append(_as_data(candidate, table, notes, findings))
        else:
            print("\n".join([*_lines(candidate, table, notes, findings), ""]), flush=True)
    if args.json:
        print(json.dumps(reports, indent=1))
    return code


def candidates(args: argparse.Namespace) -> Iterator[Candidate]:
    """The tables that the arguments stand for: those described first, then the registry's.

    Raises :class:`UsageError` if there are none, and for a table of which nobody says what is to be predicted.
    """
    from bench.data.location import is_url
    from bench.data.registry import load_registry
    from bench.data.selection import AnyEntry, Source, by_source, select_tables
    from bench.data.user_table import DESCRIPTIONS, UserSource, UserTable, read_tables

    own_words = [word for word in args.tables if word.lower().endswith(DESCRIPTIONS) or is_url(word) or _is_file(word)]
    files = [*args.data, *own_words]
    names = [word for word in args.tables if word not in own_words]
    if not files and not names:
        raise UsageError(
            "nothing to validate: name a file (my.csv --target COLUMN, my.yaml) or a dataset of the registry"
        )
    registry = load_registry()
    own = UserSource(read_tables(files, registry, args.target, args.task), offline=args.offline, say=say)

    def read_own(table: UserTable) -> Read:
        coded = own.coded(table)
        examined = Examined(coded.X, coded.y, coded.features, coded.classes, coded.inputs)
        return examined, coded.notes, coded.findings

    for table in own.tables:
        yield Candidate(table.name, own.name, partial(read_own, table))
    if not names:
        return
    entries, source = select_tables(
        registry, ",".join(names), archive=args.archive, source=args.source, offline=args.offline, say=say
    )

    def read_known(source: Source, entry: AnyEntry) -> Read:
        dataset = source.load(entry)
        table = unnamed(dataset.X, dataset.y, dataset.n_classes)
        warnings = recorded_by(source).get(entry.name, {}).get("warnings", ())
        warned = [Finding("as read", "warning", warning, "") for warning in warnings]
        return table, (*dataset.notes, *getattr(entry, "faults", ())), [*warned, *examine(table)]

    for part, giver in by_source(entries, source):
        for entry in part:
            yield Candidate(entry.name, giver.name, partial(read_known, giver, entry))


def _is_file(word: str) -> bool:
    """Whether a word means a file rather than a table of the registry: one that is there, or has a folder or ending."""
    return Path(word).is_file() or "/" in word or word.lower().endswith((".csv", ".tsv", ".arff", ".parquet"))


def _lines(candidate: Candidate, table: Examined, notes: Sequence[str], findings: Sequence[Finding]) -> Iterator[str]:
    n, d = table.X.shape
    size = f"{candidate.name} ({candidate.source}): {n:,} rows, {d:,} features"
    if table.classes:
        yield f"{size}, {len(table.classes)} classes"
        counts = [f"{label} {count:,}" for label, count in zip(table.classes, table.counts.tolist(), strict=True)]
        more = [f"and {len(counts) - SHOWN_CLASSES} more"] if len(counts) > SHOWN_CLASSES else []
        yield from _wrapped(f"classes: {', '.join([*counts[:SHOWN_CLASSES], *more])}", 2)
    else:
        yield f"{size}, a number to predict"
        shown = ", ".join(f"{name} {value:,.6g}" for name, value in _quantiles(table).items())
        yield from _wrapped(f"target: {shown}", 2)
    for note in notes:
        yield from _wrapped(f"info: {note}", 2)
    for finding in findings:
        yield from _wrapped(f"{finding.severity}: {finding.check}: {finding.what}", 2)
        yield from _wrapped(finding.means, 6)
    if not findings:
        yield "  no problems found"


def _quantiles(table: Examined) -> dict[str, float]:
    """Where the numbers to predict lie."""
    names = ("min", "5 %", "25 %", "median", "75 %", "95 %", "max")
    values = np.quantile(table.y, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)).tolist()
    return dict(zip(names, values, strict=True)) | {"mean": float(table.y.mean()), "sd": float(table.y.std())}


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        one_line(text, limit=4000), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2)
    )


def _as_data(
    candidate: Candidate, table: Examined, notes: Sequence[str], findings: Sequence[Finding]
) -> dict[str, object]:
    n, d = table.X.shape
    return {
        "table": candidate.name,
        "source": candidate.source,
        "rows": n,
        "features": d,
        "task": table.kind,
        "classes": dict(zip(table.classes, table.counts.tolist(), strict=True)),
        "target": {} if table.classes else _quantiles(table),
        "notes": list(notes),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }

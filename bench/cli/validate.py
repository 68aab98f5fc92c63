"""``bench validate``: what is odd about a table, and what it means for a kernel method."""

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

from bench.cli.tables import add_source_arguments, say
from bench.data.validate import Examined, Finding, examine, unnamed
from bench.errors import BenchError, UsageError

EXIT_FINE, EXIT_WARNINGS, EXIT_UNREADABLE = 0, 1, 2
WIDTH = 110
DESCRIPTIONS = (".yaml", ".yml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench validate``."""
    parser.add_argument(
        "tables", metavar="FILE|NAME", nargs="*", help="descriptions of your tables (my.yaml), registry tables, subsets"
    )
    parser.add_argument(
        "--data", metavar="FILE", action="append", default=[], help="a description of your tables, as in bench run"
    )
    parser.add_argument("--archive", metavar="PATH_OR_URL", help="take registry tables from this copy of the archive")
    add_source_arguments(parser, "where registry tables are taken from, as in bench run")
    parser.add_argument("--json", action="store_true", help="all findings as JSON")


@dataclass(frozen=True)
class Candidate:
    """A table to be examined: its name, where it comes from, and how to get it with what was done to it."""

    name: str
    source: str
    read: Callable[[], tuple[Examined, tuple[str, ...]]]


def run(args: argparse.Namespace) -> int:
    """0 if nothing calls for a warning, 1 if something does, 2 if a table cannot be read."""
    code, told = EXIT_FINE, []
    for candidate in candidates(args):
        try:
            table, notes = candidate.read()
        except BenchError as error:
            print(f"bench: {error}", file=sys.stderr)
            code = EXIT_UNREADABLE
            continue
        findings = examine(table)
        if any(finding.severity == "warning" for finding in findings):
            code = max(code, EXIT_WARNINGS)
        if args.json:
            told.append(_as_data(candidate, table, notes, findings))
        else:
            print("\n".join([*_lines(candidate, table, notes, findings), ""]), flush=True)
    if args.json:
        print(json.dumps(told, indent=1))
    return code


def candidates(args: argparse.Namespace) -> Iterator[Candidate]:
    """The tables that the arguments stand for: those described first, then the registry's.

    Raises :class:`UsageError` if there are none, and for a table without a description.
    """
    from bench.data.registry import load_registry
    from bench.data.selection import AnyEntry, select_tables
    from bench.data.user_table import UserSource, UserTable, read_descriptions

    files = [*args.data, *(word for word in args.tables if word.lower().endswith(DESCRIPTIONS))]
    names = [word for word in args.tables if not word.lower().endswith(DESCRIPTIONS)]
    if not files and not names:
        raise UsageError("nothing to validate: name a description (my.yaml) or tables of the registry")
    for name in names:
        if Path(name).is_file():
            raise UsageError(f"{name}: a table of your own needs a description, a YAML file with its target column")
    registry = load_registry()
    own = UserSource(read_descriptions(files, registry), offline=args.offline, say=say)

    def read_own(table: UserTable) -> tuple[Examined, tuple[str, ...]]:
        coded = own.coded(table)
        return Examined(coded.X, coded.y, coded.features, coded.classes, coded.inputs), coded.notes

    for table in own.tables:
        yield Candidate(table.name, own.name, partial(read_own, table))
    if not names:
        return
    entries, source = select_tables(
        registry, ",".join(names), archive=args.archive, source=args.source, offline=args.offline, say=say
    )

    def read_known(entry: AnyEntry) -> tuple[Examined, tuple[str, ...]]:
        dataset = source.load(entry)
        return unnamed(dataset.X, dataset.y, dataset.n_classes), (*dataset.notes, *getattr(entry, "faults", ()))

    for entry in entries:
        yield Candidate(entry.name, source.name, partial(read_known, entry))


def _lines(candidate: Candidate, table: Examined, notes: Sequence[str], findings: Sequence[Finding]) -> Iterator[str]:
    n, d = table.X.shape
    yield f"{candidate.name} ({candidate.source}): {n:,} rows, {d:,} features, {len(table.classes)} classes"
    for note in notes:
        yield from _wrapped(f"known: {note}", 2)
    for finding in findings:
        yield from _wrapped(f"{finding.severity}: {finding.check}: {finding.what}", 2)
        yield from _wrapped(finding.means, 6)
    if not findings:
        yield "  nothing odd found"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))


def _as_data(
    candidate: Candidate, table: Examined, notes: Sequence[str], findings: Sequence[Finding]
) -> dict[str, object]:
    n, d = table.X.shape
    return {
        "table": candidate.name,
        "source": candidate.source,
        "rows": n,
        "features": d,
        "classes": dict(zip(table.classes, table.counts.tolist(), strict=True)),
        "notes": list(notes),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }

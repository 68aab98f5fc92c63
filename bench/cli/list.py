"""``bench list``: the datasets of the registry, and which sources are available here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bench.cli.tables import add_cache_argument
from bench.data.copies import links
from bench.data.registry import Entry, Registry, load_registry
from bench.data.sources import SERVICES, Source
from bench.errors import BenchError, SourceError
from bench.protocols.registry import PROTOCOLS
from bench.run.provenance import rfm_engine

if TYPE_CHECKING:
    from bench.data.openml_records import TaskEntry

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench list``."""
    parser.add_argument(
        "--subset", default="all121", help="a subset's name, dataset names separated by commas, or openml-suite:N"
    )
    add_cache_argument(parser)
    parser.add_argument("--json", action="store_true", help="everything the registry says, as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the datasets of the subset; 0, or an error for an unknown name."""
    from bench.data.openml_records import TaskEntry
    from bench.data.selection import needs_openml, select_tables

    registry = load_registry()
    if needs_openml(args.subset):
        try:
            tasks, source = select_tables(registry, args.subset, offline=True)
        except SourceError as error:
            words = f"not all of it is in the cache; `python -m bench fetch --subset {args.subset}` gets it"
            raise SourceError(f"{args.subset}: {words}") from error
        if args.json:
            print(json.dumps([dataclasses.asdict(task) | {"here": source.has(task)} for task in tasks], indent=1))
        else:
            print("\n".join(_tasks([task for task in tasks if isinstance(task, TaskEntry)], source)))
        return 0
    entries = registry.select(args.subset)
    sources, remarks = available_sources(registry)
    if args.json:
        print(json.dumps(_as_data(registry, entries, sources), indent=1))
    else:
        print("\n".join([*_table(entries, sources), "", *_footer(registry, entries, sources, remarks)]))
    return 0


def available_sources(registry: Registry) -> tuple[list[Source], list[str]]:
    """The sources that can be used without a download, and a line on each that cannot."""
    from bench.data.archive import ArchiveSource
    from bench.data.embedded import EmbeddedSource

    sources: list[Source] = [EmbeddedSource()]
    remarks: list[str] = []
    location = os.environ.get("BENCH_ARCHIVE")
    try:
        archive = (
            ArchiveSource(location, registry, offline=True).open() if location else ArchiveSource.fetched(registry)
        )
    except BenchError as error:
        remarks.append(f"archive: cannot be used: {error}")
    else:
        if archive is None:
            remarks.append(
                "archive: not available here; `python -m bench fetch` downloads it, or BENCH_ARCHIVE names a copy"
            )
        else:
            sources.append(archive)
    for service in (kind(offline=True) for kind in SERVICES.values()):
        if any(service.has(entry) for entry in registry.entries.values()):
            sources.append(service)
        else:
            remarks.append(
                f"{service.name}: nothing of it in the cache; `python -m bench fetch --source {service.name}` gets it"
            )
    return sources, remarks


def _table(entries: Sequence[Entry], sources: Sequence[Source]) -> list[str]:
    header = ("dataset", "rows", "features", "classes", "group", "licence", "sources")
    rows = [
        (
            entry.name + ("*" if entry.faults else ""),
            f"{entry.rows}",
            f"{entry.features}",
            f"{entry.classes or '-'}",
            entry.group or "-",
            entry.licence,
            " ".join(source.name for source in sources if source.has(entry)) or "-",
        )
        for entry in entries
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    numbers = (1, 2, 3)
    lines = [
        "  ".join(
            cell.rjust(widths[i]) if i in numbers else cell.ljust(widths[i]) for i, cell in enumerate(row)
        ).rstrip()
        for row in [header, *rows]
    ]
    if any(entry.kind == "regression" for entry in entries):
        lines += ["", "classes -: a number is predicted (regression)"]
    faulty = [entry for entry in entries if entry.faults]
    if faulty:
        lines += ["", "* known faults"]
        for entry in faulty:
            text = f"{entry.name}: {'; '.join(entry.faults)}"
            lines += _wrapped(text)
    return lines + _copies(entries)


def _copies(entries: Sequence[Entry]) -> list[str]:
    """How the copies that services host are known to differ from the registry's datasets, and which may be others."""
    lines: list[str] = []
    unsure: list[str] = []
    for entry in entries:
        for source, link in links(entry).items():
            name = f"{SERVICES[source].title} {link.id}" if link.id else SERVICES[source].title
            if link.note:
                lines += _wrapped(f"{entry.name}, {name}: {link.note}")
            if link.confidence == "likely":
                unsure.append(f"{entry.name} ({name})")
    if unsure:
        lines += _wrapped(f"not certain to be the same dataset: {', '.join(unsure)}")
    return ["", "copies in other sources, and how they differ from the registry's dataset", *lines] if lines else []


def _tasks(tasks: Sequence[TaskEntry], source: Source) -> list[str]:
    """The tasks of suites; sizes are known of tables that are here, and classes only where there are some."""
    lines = [f"{'task':>7}  {'data set':>8}  {'rows':>7}  {'inputs':>6}  {'classes':>7}  name"]
    for task in tasks:
        known = (task.dataset, task.rows, task.features, task.classes)
        dataset, *sizes = [f"{number}" if number else "-" for number in known]
        here = "" if source.has(task) else f"  ({task.problem or 'not here'})"
        lines.append(f"{task.id:>7}  {dataset:>8}  {sizes[0]:>7}  {sizes[1]:>6}  {sizes[2]:>7}  {task.name}{here}")
    there = sum(source.has(task) for task in tasks)
    return [*lines, "", f"{there} of {len(tasks)} datasets are available, from {source.location}"]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _footer(
    registry: Registry, entries: Sequence[Entry], sources: Sequence[Source], remarks: Sequence[str]
) -> list[str]:
    kinds = {entry.kind for entry in entries}
    known = [entry for entry in registry.entries.values() if entry.kind in kinds]
    lines = ["sources available here"]
    for source in sources:
        there = sum(source.has(entry) for entry in known)
        lines.append(f"  {source.name}: {there} of {len(known)} datasets, in {source.location}")
    subsets = ", ".join(f"{name} ({len(names)})" for name, names in registry.subsets.items())
    from bench.data.selection import PARTS

    further = ", ".join(["openml-suite:N", *PARTS])
    return [*lines, *(f"  {remark}" for remark in remarks), *textwrap.wrap(f"subsets: {subsets}, {further}", WIDTH)]


def _as_data(registry: Registry, entries: Sequence[Entry], sources: Sequence[Source]) -> dict[str, object]:
    return {
        "registry": str(registry.path),
        "engine": rfm_engine(),
        "protocols": [
            {
                "name": p.name,
                "variant_of": p.variant_of,
                "ensemble": p.ensemble,
                "inputs": p.inputs,
                "meaning": p.meaning,
            }
            for p in PROTOCOLS.values()
        ],
        "subsets": {name: list(names) for name, names in registry.subsets.items()},
        "sources": {source.name: source.location for source in sources},
        "datasets": [
            {**msgspec.to_builtins(entry), "sources": [source.name for source in sources if source.has(entry)]}
            for entry in entries
        ],
    }

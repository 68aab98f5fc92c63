"""``bench list``: the registry as a table, and which sources are available here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import textwrap
from collections.abc import Sequence

from bench.data.registry import Entry, Registry, load_registry
from bench.data.sources import Source
from bench.errors import BenchError

WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench list``."""
    parser.add_argument("--subset", default="all121", help="a subset's name, or dataset names separated by commas")
    parser.add_argument("--json", action="store_true", help="everything the registry says, as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables of the subset; 0, or an error for an unknown name."""
    registry = load_registry()
    entries = registry.select(args.subset)
    sources, remarks = available_sources(registry)
    if args.json:
        print(json.dumps(_as_data(registry, entries, sources), indent=1))
    else:
        print("\n".join([*_table(entries, sources), "", *_footer(registry, sources, remarks)]))
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
            remarks.append("archive: not here; `python -m bench fetch` gets it, or BENCH_ARCHIVE names a copy")
        else:
            sources.append(archive)
    return sources, remarks


def _table(entries: Sequence[Entry], sources: Sequence[Source]) -> list[str]:
    header = ("dataset", "rows", "features", "classes", "group", "licence", "sources")
    rows = [
        (
            entry.name + ("*" if entry.faults else ""),
            f"{entry.rows}",
            f"{entry.features}",
            f"{entry.classes}",
            entry.group,
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
    faulty = [entry for entry in entries if entry.faults]
    if faulty:
        lines += ["", "* known faults"]
        for entry in faulty:
            text = f"{entry.name}: {'; '.join(entry.faults)}"
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return lines


def _footer(registry: Registry, sources: Sequence[Source], remarks: Sequence[str]) -> list[str]:
    lines = ["sources available here"]
    for source in sources:
        there = sum(source.has(entry) for entry in registry.entries.values())
        lines.append(f"  {source.name}: {there} of {len(registry.entries)} tables, in {source.location}")
    subsets = ", ".join(f"{name} ({len(names)})" for name, names in registry.subsets.items())
    return [*lines, *(f"  {remark}" for remark in remarks), *textwrap.wrap(f"subsets: {subsets}", WIDTH)]


def _as_data(registry: Registry, entries: Sequence[Entry], sources: Sequence[Source]) -> dict[str, object]:
    return {
        "registry": str(registry.path),
        "subsets": {name: list(names) for name, names in registry.subsets.items()},
        "sources": {source.name: source.location for source in sources},
        "datasets": [
            {**dataclasses.asdict(entry), "sources": [source.name for source in sources if source.has(entry)]}
            for entry in entries
        ],
    }

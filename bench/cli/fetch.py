"""``bench fetch``: bring the study's archive into the cache and check every table in it."""

from __future__ import annotations

import argparse
import os
import sys

from bench.data.registry import load_registry
from bench.errors import DataInvalid, DataUnavailable, SourceError, UsageError

SOURCES = ("archive",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench fetch``."""
    parser.add_argument("--subset", default="all121", help="tables to check (default: all121)")
    parser.add_argument("--source", default="archive", help="archive, the 2014 study's (default and only one)")
    parser.add_argument(
        "--archive",
        metavar="PATH_OR_URL",
        help="a copy of the archive (default: BENCH_ARCHIVE, else the study's own address)",
    )
    parser.add_argument("--offline", action="store_true", help="download nothing: check what is in the cache")


def run(args: argparse.Namespace) -> int:
    """0 if every table asked for is there and sound, 1 if some are not; errors if the archive cannot be had."""
    from bench.data.archive import ArchiveSource

    if args.source not in SOURCES:
        raise UsageError(f"--source {args.source}: tables can be fetched from {', '.join(SOURCES)} only")
    registry = load_registry()
    entries = registry.select(args.subset)
    location = args.archive or os.environ.get("BENCH_ARCHIVE")
    source = None
    if args.offline and not location:
        source = ArchiveSource.fetched(registry)
    if source is None:
        source = ArchiveSource(location or registry.study.archive_url, registry, offline=args.offline)
    print(f"archive: {source.location}", flush=True)
    try:
        folder = source.open().keep()
    except SourceError:
        source.forget()
        raise
    sound, problems, invalid = 0, [], False
    for entry in entries:
        try:
            notes = source.load(entry).notes
        except (DataInvalid, DataUnavailable) as error:
            problems.append(str(error))
            invalid = invalid or isinstance(error, DataInvalid)
        else:
            sound += 1
            for note in notes:
                print(f"note: {entry.name}: {note}")
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    if invalid:
        source.forget()  # a broken download is not to be used again
    print(f"{sound} of {len(entries)} tables are there and sound, in {folder}")
    return 1 if problems else 0

"""``bench fetch``: download datasets, or the study's results, into the cache and check each of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.cli.tables import add_source_arguments, say
from bench.data.registry import Registry, load_registry
from bench.errors import ReportError, UsageError, plural, unknown_name

if TYPE_CHECKING:
    from bench.data.archive import ArchiveSource
    from bench.data.selection import AnyEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench fetch``."""
    parser.add_argument(
        "--subset", default="all121", help="datasets to download and check, or openml-suite:N (default: all121)"
    )
    add_source_arguments(parser, "archive, the 2014 study's (default), or openml or uci: single datasets by their ids")
    parser.add_argument(
        "--archive",
        metavar="PATH_OR_URL",
        help="a copy of the archive (default: BENCH_ARCHIVE, else the study's own address)",
    )
    parser.add_argument(
        "--mirror",
        metavar="PATH_OR_URL",
        action="append",
        default=[],
        help="another copy, used if that one is not available or not valid; may be repeated (also: BENCH_MIRRORS)",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="instead of datasets, the study's own results of its 179 classifiers, for "
        "`python -m bench report --published`",
    )
    parser.add_argument(
        "--published-grinsztajn",
        action="store_true",
        help="instead of datasets, all runs that Grinsztajn et al. publish of their benchmark",
    )


def run(args: argparse.Namespace) -> int:
    """0 if every dataset asked for is available and valid, 1 if some are not; an error if the source cannot be used."""
    if args.published:
        return _fetch_published(offline=args.offline)
    if args.published_grinsztajn:
        return _fetch_runs(offline=args.offline)
    from bench.data.cache import cache_folder
    from bench.data.fetching import fetch_archive, look_through
    from bench.data.selection import needs_openml, select_tables
    from bench.data.sources import SERVICES

    suite = needs_openml(args.subset)
    name = args.source or ("openml" if suite else "archive")
    if name != "archive" and name not in SERVICES:
        raise unknown_name("source to fetch from", name, ("archive", *SERVICES))
    if name != "archive" and args.mirror:
        raise UsageError("--mirror is for the archive")
    registry = load_registry()
    if name == "archive" and not suite:
        entries: Sequence[AnyEntry] = registry.select(args.subset)
        sources = archive_sources(registry, args.archive, args.mirror, offline=args.offline)
        place, findings = fetch_archive(sources, entries, say)
    else:
        entries, source = select_tables(
            registry, args.subset, archive=args.archive, source=name, offline=args.offline, say=say
        )
        say(f"{name}: {source.location}")
        findings = look_through(source, entries)
        place = cache_folder() / name
    for table, note in findings.notes:
        print(f"note: {table}: {note}")
    for _, problem in findings.problems:
        print(f"missing: {problem}", file=sys.stderr)
    print(f"{findings.sound} of {plural(len(entries), 'dataset is', 'datasets are')} available and valid, in {place}")
    return 1 if findings.problems else 0


def _fetch_published(*, offline: bool) -> int:
    from bench.data.fetching import drop_results, fetch_results
    from bench.stats.published import SIZE, read_published

    path, known = fetch_results(load_registry().study, offline=offline, say=say)
    try:
        datasets, classifiers = read_published(path).accuracy.shape
    except ReportError:
        drop_results()
        raise
    print(f"{classifiers} classifiers on {datasets} datasets, in {path}")
    if (datasets, classifiers) != SIZE:
        print(f"missing: the study's file has {SIZE[1]} classifiers on {SIZE[0]} datasets", file=sys.stderr)
        return 1
    if not known:
        print("note: not exactly the file that the figures in the repository were computed with")
    return 0


def _fetch_runs(*, offline: bool) -> int:
    from bench.data.fetching import fetch_runs
    from bench.stats.grinsztajn import read_runs

    path = fetch_runs(offline=offline, say=say)
    runs = read_runs(path).runs
    models, benchmarks = runs["model_name"].nunique(), runs["benchmark"].nunique()
    counts = f"{plural(len(runs), 'run')} of {plural(models, 'model')} in {plural(benchmarks, 'benchmark')}"
    print(f"{counts}, in {path}")
    return 0


def archive_sources(
    registry: Registry, given: str | None, mirrors: list[str], *, offline: bool
) -> Iterator[ArchiveSource]:
    """Where to look for the archive, best first: what was named, or else (``offline``) what was fetched before or the
    study's own address; then the mirrors of the command line, of ``BENCH_MIRRORS`` and of the registry."""
    from bench.data.archive import ArchiveSource

    first = given or os.environ.get("BENCH_ARCHIVE")
    fetched = ArchiveSource.fetched(registry) if offline and first is None else None
    if fetched is not None:
        yield fetched
    further = [*mirrors, *os.environ.get("BENCH_MIRRORS", "").split(), *registry.study.mirrors]
    for location in dict.fromkeys([first or registry.study.archive_url, *further]):
        yield ArchiveSource(location, registry, offline=offline, say=say)

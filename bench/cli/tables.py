"""The flags that say where datasets come from, the same in every command that has them, and what they select."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from bench.errors import UsageError, plural
from bench.records.measure import Kind


def add_source_arguments(parser: argparse.ArgumentParser, source_help: str) -> None:
    """``--source``, ``--cache`` and ``--offline``."""
    parser.add_argument("--source", metavar="NAME", help=source_help)
    add_cache_argument(parser)
    parser.add_argument("--offline", action="store_true", help="download nothing: use what is in the cache")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """``--data``, ``--target`` and ``--task``."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        action="append",
        default=[],
        help="a file of your own (.csv, .tsv, .arff, .parquet, compressed or not), or a YAML file that describes such",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict in files given without a description")
    parser.add_argument(
        "--task", choices=get_args(Kind), help="whether their target is a class (default) or a number: regression"
    )


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """``--cache``; :func:`bench.command_line.main` reads it."""
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="where downloads are kept (default: BENCH_CACHE, else the platform's cache folder)",
    )


def say(line: str) -> None:
    """Messages of a download in progress."""
    print(f"bench: {line}", file=sys.stderr, flush=True)


def recorded_by(source: Any) -> Mapping[str, dict[str, Any]]:
    """What ``source`` records of the tables it has loaded, by name; the archive and the embedded tables need none."""
    found: Mapping[str, dict[str, Any]] = source.provenance() if hasattr(source, "provenance") else {}
    return found


@dataclass(frozen=True)
class SelectedDatasets:
    """The tables of a run: ``parts`` are entries with the source that gives them, ``label`` what they are called
    together (for the default run folder)."""

    parts: Sequence[tuple[Sequence[Any], Any]]
    label: str

    def origins(self) -> str:
        """How many tables come from where: ``3 datasets from the package (embedded)``."""
        from bench.data.sources import in_words

        counts = ((len(entries), in_words(source)) for entries, source in self.parts)
        return "; ".join(f"{plural(count, 'dataset')} from {words}" for count, words in counts)

    def recorded(self) -> dict[str, Any]:
        """What is recorded of where the tables come from, once they are loaded."""
        from bench.data.sources import origin
        from bench.data.user_table import UserSource

        record: dict[str, Any] = {}
        for _, source in self.parts:
            record = ({"source": source.name} if isinstance(source, UserSource) else origin(source)) | record
        tables = self.tables()
        return record | ({"tables": tables} if tables else {})

    def tables(self) -> dict[str, Any]:
        """What the sources tell of the tables loaded so far that are not the archive's, by name."""
        return {name: about for _, source in self.parts for name, about in recorded_by(source).items()}

    def warn(self) -> None:
        """Print the warnings about the datasets, once they are loaded: what ``bench validate`` warns of."""
        for name, about in self.tables().items():
            for warning in about["warnings"]:
                say(f"{name}: warning: {warning}")


def selected_datasets(args: argparse.Namespace) -> SelectedDatasets:
    """The tables of ``--subset`` and of ``--data``. Raises :class:`UsageError` if neither is given."""
    from bench.data.registry import load_registry
    from bench.data.selection import by_source, select_tables
    from bench.data.user_table import UserSource, read_tables

    registry = load_registry()
    own = UserSource(read_tables(args.data, registry, args.target, args.task), offline=args.offline, say=say)
    parts: list[tuple[Sequence[Any], Any]] = []
    if args.subset is not None:
        parts += by_source(
            *select_tables(
                registry, args.subset, archive=args.archive, source=args.source, offline=args.offline, say=say
            )
        )
    elif not own.tables:
        raise UsageError(
            "no dataset to run on: give --subset (known ones: `python -m bench list`), or --data FILE --target COLUMN"
        )
    if args.subset is None and (args.source or args.archive):
        raise UsageError(
            f"--{'source' if args.source else 'archive'} is for the datasets of --subset, which is not given"
        )
    if own.tables:
        known = {entry.name for entries, _ in parts for entry in entries}
        twice = [table.name for table in own.tables if table.name in known]
        if twice:
            raise UsageError(f"--data: {twice[0]!r} is also a dataset of --subset; give yours another name")
        parts.append((own.tables, own))
    words = [args.subset] if args.subset is not None else []
    return SelectedDatasets(parts, ",".join([*words, *(table.name for table in own.tables)]))

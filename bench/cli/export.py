"""``bench export``: the tables of a run folder as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.export import export_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="DIR", type=Path, help="run folder")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="default: csv")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="file for the scores; the summary goes beside it (default: into DIR)"
    )


def run(args: argparse.Namespace) -> int:
    for path in export_run(args.run, args.format, args.out):
        print(path)
    return 0

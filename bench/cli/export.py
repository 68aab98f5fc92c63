"""``bench export``: the results of run folders as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cli.merging import add_run_arguments, allowed
from bench.export import export_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, "exported")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="default: csv")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="file for the scores, or a folder; summary and provenance go beside (default: into DIR)",
    )


def run(args: argparse.Namespace) -> int:
    for path in export_runs(args.runs, args.format, args.out, allowed(args)):
        print(path)
    return 0

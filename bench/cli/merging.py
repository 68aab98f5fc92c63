"""The arguments of commands that take several runs together."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.report.merge import ALLOWABLE


def add_run_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """``DIR...`` and ``--allow``."""
    parser.add_argument(
        "runs",
        metavar="DIR",
        type=Path,
        nargs="+",
        help=f"run folders, or exported scores (scores.csv, .csv.gz, .parquet), {what} together",
    )
    parser.add_argument(
        "--allow",
        metavar="WHAT",
        action="append",
        default=[],
        help=f"differences between the runs to accept, comma-separated: {', '.join(ALLOWABLE)}",
    )


def allowed(args: argparse.Namespace) -> list[str]:
    """The differences that ``--allow`` lets pass."""
    return [word.strip() for words in args.allow for word in words.split(",") if word.strip()]

"""``bench study``: the seeds' other experiments, computed, stored as they come, and reported."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from bench.errors import UsageError, unknown_name
from bench.run.resources import available_cores
from bench.study.cell import Study

STUDIES = {
    "lin-rfm": ("bench.study.lin_rfm", "linear RFM: sparse regression and matrix completion"),
    "low-rank": ("bench.study.low_rank", "RFM on regression functions of a few directions"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench study``."""
    listed = "; ".join(f"{name}: {words}" for name, (_, words) in STUDIES.items())
    parser.add_argument("name", metavar="NAME", help=listed)
    parser.add_argument("--run", metavar="DIR", type=Path, help="folder of the results (default: results/NAME)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder of the report (default: reports/<run name>)")
    parser.add_argument("--jobs", metavar="N", type=int, help="cells at a time (default: one a core)")
    parser.add_argument("--quick", action="store_true", help="a small version, in a minute or two")
    parser.add_argument("--report-only", action="store_true", help="report what the folder holds; compute nothing")


def run(args: argparse.Namespace) -> int:
    """Compute what is missing and write the report; 1 if a cell failed."""
    if args.name not in STUDIES:
        raise unknown_name("study", args.name, STUDIES)
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs must be at least 1, got {args.jobs}")
    package = STUDIES[args.name][0]
    study: Study = importlib.import_module(f"{package}.cells").STUDY
    folder = args.run or Path("results") / (f"{args.name}-quick" if args.quick else args.name)
    complete = True
    if not args.report_only:
        from bench.study.engine import run_study

        complete = run_study(
            study,
            folder,
            quick=args.quick,
            jobs=args.jobs or available_cores(),
            arguments=args.arguments,
            screen=sys.stderr,
        )
    from bench.study.report import write_study

    files = write_study(study, folder, args.out or Path("reports") / folder.resolve().name)
    for line in files.claims:
        print(line)
    print(f"\n{files.html}\n{files.markdown}")
    return 0 if complete else 1

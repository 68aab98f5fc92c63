"""``bench study``: companion experiments, whose cells run and are stored as jobs, and their reports."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import TextIO

from bench.cli.running import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    Running,
    add_job_arguments,
    list_plan,
    run_plan,
    running,
    tell_engine,
    with_kept_versions,
)
from bench.errors import UsageError, unknown_name
from bench.records.method import CPU
from bench.run.devices import refuse_missing
from bench.study.cell import Study
from bench.study.images import find_images, images_folder

STUDIES = {
    "lin-rfm": ("bench.study.lin_rfm", "linear RFM: sparse regression and matrix completion"),
    "low-rank": ("bench.study.low_rank", "RFM on regression functions of a few directions"),
    "ansatz": (
        "bench.study.ansatz",
        "the neural feature ansatz: what layers learn and the average gradient outer product",
    ),
    "phenomena": ("bench.study.phenomena", "grokking, lottery tickets, simplicity bias, spurious features"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench study``."""
    listed = "; ".join(f"{name}: {words}" for name, (_, words) in STUDIES.items())
    parser.add_argument("name", metavar="NAME", help=listed)
    parser.add_argument("--run", metavar="DIR", help="folder of the results (default: results/NAME)")
    parser.add_argument("--out", metavar="DIR", help="folder of the report (default: reports/<run name>)")
    parser.add_argument("--quick", action="store_true", help="a small version, in a minute or two")
    parser.add_argument("--report-only", action="store_true", help="report what the folder holds; compute nothing")
    parser.add_argument(
        "--images",
        metavar="DIR",
        help="folder with image sets, laid out as docs/images.md says (default: BENCH_IMAGES)",
    )
    add_job_arguments(parser, "networks and kernels on images")


def run(args: argparse.Namespace) -> int:
    """Compute what is missing and write the report; 1 if a cell failed, which one that was skipped did not."""
    from bench.study.report import write_study

    if args.name not in STUDIES:
        raise unknown_name("study", args.name, STUDIES)
    how = running(args)
    study: Study = importlib.import_module(f"{STUDIES[args.name][0]}.cells").STUDY
    folder = Path(args.run or f"results/{args.name}" + ("-quick" if args.quick else ""))
    code = EXIT_OK
    if not args.report_only:
        code = _compute(study, folder, args, how)
        if how.dry_run or code == EXIT_INTERRUPTED:
            return code
    files = write_study(study, folder, Path(args.out or Path("reports") / folder.resolve().name))
    print(*files.claims, "", files.html, files.markdown, sep="\n", file=_words_to(how))
    return code


def _compute(study: Study, folder: Path, args: argparse.Namespace, how: Running) -> int:
    """Run the cells that have no result; the exit code that says what became of all of them."""
    from bench.cli.headline import counted, what_next
    from bench.run.provenance import invocation
    from bench.store import STORE_NAME, read_run
    from bench.study.plan import image_sets, study_plan
    from bench.study.report import refuse_other

    if (folder / STORE_NAME).exists() and (record := read_run(folder)).planned:
        refuse_other(study, record)
    _refuse_device(study, args.quick, how)
    found = find_images(images_folder(args.images), image_sets(study, args.quick))
    plan = study_plan(study, args.quick, how.timeout, found, how.device)
    tell_engine(plan, how)
    plan = with_kept_versions(plan, folder, how)
    if how.dry_run:
        list_plan(plan, folder, how)
        return EXIT_OK
    read = {name: {"source": place.source, "sha256": place.sha256} for name, place in found.located.items()}
    more = {"images": read} if read else {}
    provenance = {**invocation((0,), how.size, args.arguments, device=how.device), "quick": args.quick, **more}
    outcome = run_plan(plan, folder, provenance, how)
    record = read_run(folder)
    print(*counted(record, outcome), *what_next(record, outcome), sep="\n", file=_words_to(how))
    if outcome.undone:
        return EXIT_INTERRUPTED if outcome.interrupted else EXIT_FAILED
    return EXIT_OK if set(outcome.statuses) <= {"ok", "skipped"} else EXIT_FAILED


def _refuse_device(study: Study, quick: bool, how: Running) -> None:
    """Raise :class:`UsageError` for a device that is not there or not for this study."""
    if how.device != CPU and not any(cell.any_device for cell in study.cells(quick)):
        raise UsageError(f"--device {how.device}: the study {study.name!r} is computed on the processor; leave it out")
    if how.engine == "local":
        refuse_missing(how.device)


def _words_to(how: Running) -> TextIO:
    return sys.stderr if how.json else sys.stdout

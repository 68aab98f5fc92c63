"""``bench run``: run methods on tables under a protocol, into a folder that resumes."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import sys
from pathlib import Path
from typing import Any

from bench.cli.tables import add_source_arguments, chosen_tables
from bench.errors import UsageError, unknown_name
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced
from bench.protocols.registry import PROTOCOLS, get_protocol, reduction_in_words
from bench.run.jobs import Plan
from bench.run.resources import available_cores, default_memory_budget

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130
ENGINES = ("local", "dask")
DEFAULT_FOLDER = "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench run``."""
    parser.add_argument("--subset", help="a subset's name, or dataset names separated by commas")
    parser.add_argument(
        "--data", metavar="FILE", action="append", default=[], help="run on the tables described in this YAML file too"
    )
    parser.add_argument("--methods", help="method names separated by commas (default: all built-in ones)")
    parser.add_argument(
        "--plugin", metavar="FILE", action="append", default=[], help="run the methods in this Python file too"
    )
    parser.add_argument("--protocol", default="clean", help=f"one of {', '.join(PROTOCOLS)} (default: %(default)s)")
    parser.add_argument(
        "--archive", metavar="PATH_OR_URL", help="take all tables from this copy of the study's archive"
    )
    add_source_arguments(
        parser, "embedded, archive, openml or uci (default: an archive that is named or was fetched, or embedded)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"tables above {LARGE_ROWS:,} rows too: choose on all training rows, test all hold-outs "
        f"(default: choose on {TUNING_ROWS:,} rows, test one)",
    )
    parser.add_argument("--run", metavar="DIR", help="run folder (default: results/<subset>-<protocol>)")
    parser.add_argument("--jobs", metavar="N", help="jobs at a time (default: one per core)")
    parser.add_argument(
        "--memory-gb",
        metavar="G",
        help="memory for all jobs together, or of each Dask worker (default: 80 %% of what is free)",
    )
    parser.add_argument("--timeout", metavar="SECONDS", help="per job (default: an hour, or 20 x the expected time)")
    parser.add_argument("--engine", default="local", help="local (default) or dask")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler (default: a local cluster)")
    parser.add_argument("--seed", default="0", help="of everything that is drawn (default: 0)")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="run the I-th of N parts, as in a job array; export and report take all together",
    )
    parser.add_argument("--retry-failed", action="store_true", help="run failed jobs again")
    parser.add_argument(
        "--keep-versions",
        action="store_true",
        help="keep results that were computed with other versions of the libraries and are otherwise up to date",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the jobs with memory and time estimates, run none")
    parser.add_argument("--json", action="store_true", help="one JSON event a line on standard output")


def run(args: argparse.Namespace) -> int:
    """Carry out ``bench run``; see :func:`bench.command_line.main` for the exit codes (130 if interrupted)."""
    from bench.data.splits import splits_for
    from bench.run.jobs import expand_jobs, joined, keep_versions, shard
    from bench.run.provenance import invocation
    from bench.run.selection import additions, named_methods
    from bench.store import STORE_NAME, Store, read_run

    protocol = get_protocol(args.protocol)
    if args.engine not in ENGINES:
        raise unknown_name("engine", args.engine, ENGINES)
    if args.scheduler and args.engine != "dask":
        raise UsageError("--scheduler is for --engine dask")
    for flag, value in (("--run", args.run), ("--archive", args.archive), ("--cache", args.cache)):
        if value is not None and not value.strip():
            raise UsageError(f"{flag} is empty (an unset shell variable?): give it a value or leave it out")
    size = _whole("--jobs", args.jobs, at_least=1, default=available_cores())
    seed = _whole("--seed", args.seed, at_least=0, default=0)
    timeout = _positive("--timeout", args.timeout)
    memory_gb = _positive("--memory-gb", args.memory_gb)
    memory_bytes = None if memory_gb is None else int(memory_gb * 1e9)
    part = _shard(args.shard)
    methods = named_methods(args.methods, args.plugin)
    chosen = chosen_tables(args)
    folder = default_folder(chosen.label, args.protocol, seed, part) if args.run is None else Path(args.run)
    if not args.dry_run:
        Store(folder).close()  # an unusable folder is better found before the tables are read
    divide = splits_for if args.full else lambda table, seed: reduced(splits_for(table, seed), len(table.y))
    plan = joined(
        expand_jobs(
            entries,
            methods,
            protocol,
            seed,
            source=source.name,
            load=source.load,
            splits_for=divide,
            timeout=timeout,
        )
        for entries, source in chosen.parts
    )
    if part is not None:
        plan = shard(plan, *part)
    if args.keep_versions and (folder / STORE_NAME).exists():
        plan = keep_versions(plan, read_run(folder))
    if args.dry_run:
        budget = memory_bytes or default_memory_budget()
        return _dry_run(plan, folder, size, budget, retry_failed=args.retry_failed)
    about = invocation(seed, size, args.arguments, chosen.recorded(), additions(methods))
    return carry_through(args, plan, folder, about, size=size, memory_bytes=memory_bytes)


def carry_through(
    args: argparse.Namespace,
    plan: Plan,
    folder: Path,
    provenance: dict[str, Any],
    *,
    size: int,
    memory_bytes: int | None,
) -> int:
    from bench.cli.export import export_runs
    from bench.cli.headline import headline
    from bench.run.executors import open_executor
    from bench.run.runlog import observers
    from bench.run.runner import execute
    from bench.store import Store, read_run

    with Store(folder) as store:
        watching = observers(folder, json_events=args.json)
        try:
            with open_executor(args.engine, args.scheduler, folder, size, memory_bytes) as executor:
                outcome = execute(plan, store, executor, provenance, watching, retry_failed=args.retry_failed)
        finally:
            for observer in watching:
                observer.close()
        export_runs([folder])
        print(headline(read_run(folder), outcome, folder), file=sys.stderr if args.json else sys.stdout)
    if outcome.interrupted and outcome.undone:
        return EXIT_INTERRUPTED
    return EXIT_OK if outcome.all_ok else EXIT_FAILED


def default_folder(subset: str, protocol: str, seed: int, part: tuple[int, int] | None = None) -> Path:
    """``results/<subset>-<protocol>``; a list of names is shortened, another seed than 0 and a shard are named."""
    names = [word.strip() for word in subset.split(",") if word.strip()]
    label = names[0] if names else "none"
    if len(names) > 1:
        digest = hashlib.sha256(",".join(names).encode()).hexdigest()[:8]
        label = f"{label}+{len(names) - 1}-{digest}"
    label = re.sub(r"[^A-Za-z0-9_.+-]", "_", label)
    name = f"{label}-{protocol}" + (f"-seed{seed}" if seed else "")
    return Path(DEFAULT_FOLDER) / (name + (f"-shard{part[0]}of{part[1]}" if part else ""))


def _dry_run(plan: Plan, folder: Path, size: int, memory_bytes: int, *, retry_failed: bool) -> int:
    from bench.run.jobs import outdated_versions
    from bench.run.progress import clock
    from bench.run.runner import left_to_do
    from bench.store import STORE_NAME, read_run

    record = read_run(folder) if (folder / STORE_NAME).exists() else None
    known = {r.job.id: r.status for r in record.results} if record else {}
    changed = outdated_versions(plan, record) if record else {}
    todo = left_to_do(plan.tasks, known, retry_failed=retry_failed)
    print(f"{'dataset':<32} {'method':<14} {'rows':>7} {'memory MB':>10} {'seconds':>9}  note")
    for task in todo:
        job = task.job
        notes = ["too large: will be skipped"] if task.estimated_bytes > memory_bytes else []
        notes += ["all cores"] if task.all_cores else []
        notes += [reduction_in_words(job.reduction, (job.protocol,))] if job.reduction else []
        notes += [f"again for other versions: {changed[job.id]}"] if job.id in changed else []
        print(
            f"{job.dataset:<32} {job.method:<14} {job.rows:>7} {task.estimated_bytes / 1e6:>10,.0f} "
            f"{task.expected_seconds:>9,.1f}  {'; '.join(notes)}".rstrip()
        )
    for result in plan.settled:
        print(f"{result.job.dataset:<32} {result.job.method:<14} {'':>7} {'':>10} {'':>9}  {result.reason}")
    again = sum(task.job.id in changed for task in todo)
    if again:
        print(f"{again} of these jobs have results of other versions of the libraries: --keep-versions keeps them")
    seconds = sum(t.expected_seconds for t in todo)
    longest = max((t.expected_seconds for t in todo), default=0.0)
    print(
        f"{len(todo)} jobs to run, {len(plan.tasks) - len(todo)} done before, {len(plan.settled)} cannot be tried; "
        f"about {clock(seconds)} of CPU time, {clock(max(longest, seconds / size))} with {size} at a time; "
        f"memory budget {memory_bytes / 1e6:,.0f} MB; nothing was run"
    )
    return EXIT_OK


def _shard(text: str | None) -> tuple[int, int] | None:
    """(I, N) of ``I/N``."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: must be I/N with I from 1 to N, such as 2/8")
    return int(found[1]), int(found[2])


def _whole(flag: str, text: str | None, *, at_least: int, default: int) -> int:
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = at_least - 1
    if value < at_least:
        raise UsageError(f"{flag} {text}: must be a whole number of at least {at_least}")
    return value


def _positive(flag: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{flag} {text}: must be a number above 0")
    return value

"""The flags that say how jobs are run, alike for `bench run` and `bench study`, and the running of a plan by them."""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.tables import say
from bench.errors import UsageError, plural, unknown_name
from bench.records.method import CPU
from bench.run.devices import named_device
from bench.run.resources import available_cores, default_memory_budget

if TYPE_CHECKING:
    from bench.run.plan import Plan, Task
    from bench.run.progress import Observer
    from bench.run.runner import Outcome

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130
ENGINES = ("local", "dask")


def add_job_arguments(parser: argparse.ArgumentParser, computed: str) -> None:
    """``--device`` to ``--json``; ``computed`` are what can be computed on another device."""
    parser.add_argument(
        "--device",
        default=CPU,
        help=f"where {computed} are computed: cpu (default) or cuda, where one job runs at a time unless --jobs says "
        "otherwise",
    )
    parser.add_argument("--jobs", metavar="N", help="jobs at a time (default: one per core)")
    parser.add_argument(
        "--memory-gb",
        metavar="G",
        help="memory for all jobs together, or of each Dask worker (default: 80 %% of what is free)",
    )
    parser.add_argument("--timeout", metavar="SECONDS", help="per job (default: an hour, or 20 x the expected time)")
    parser.add_argument("--engine", default="local", help="local (default) or dask")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler (default: a local cluster)")
    parser.add_argument("--retry-failed", action="store_true", help="run failed jobs again")
    parser.add_argument(
        "--keep-versions",
        action="store_true",
        help="keep results that were computed with other versions of the libraries and are otherwise up to date",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the jobs with memory and time estimates, run none")
    parser.add_argument("--json", action="store_true", help="one JSON event a line on standard output")


@dataclass(frozen=True)
class Running:
    """What the flags of :func:`add_job_arguments` say, checked."""

    device: str
    """Where what can be computed there is; whether it is there was not looked at."""
    size: int
    """Jobs at a time."""
    memory_bytes: int | None
    timeout: float | None
    engine: str
    scheduler: str | None
    retry_failed: bool
    keep_versions: bool
    dry_run: bool
    json: bool


def running(args: argparse.Namespace) -> Running:
    """How the user wants jobs to be run. Raises :class:`UsageError` naming the flag that cannot be."""
    if args.engine not in ENGINES:
        raise unknown_name("engine", args.engine, ENGINES)
    if args.scheduler and args.engine != "dask":
        raise UsageError("--scheduler is for --engine dask")
    memory_gb = positive_number("--memory-gb", args.memory_gb)
    device = named_device(args.device)
    return Running(
        device=device,
        # Several jobs on one card would each see all of its memory as their own.
        size=whole_number("--jobs", args.jobs, at_least=1, default=available_cores() if device == CPU else 1),
        memory_bytes=None if memory_gb is None else int(memory_gb * 1e9),
        timeout=positive_number("--timeout", args.timeout),
        engine=args.engine,
        scheduler=args.scheduler,
        retry_failed=args.retry_failed,
        keep_versions=args.keep_versions,
        dry_run=args.dry_run,
        json=args.json,
    )


def run_plan(
    plan: Plan, folder: Path, provenance: dict[str, Any], how: Running, *, keep_predictions: bool = False
) -> Outcome:
    """Run what ``plan`` holds and the store in ``folder`` does not, watched as the user reads along.

    With ``keep_predictions`` what was predicted is written next to the store, and a job without it is run again.
    """
    from bench.run.predictions import PredictionFiles
    from bench.run.runlog import watched
    from bench.run.runner import execute, open_executor
    from bench.store import Store

    with (
        Store(folder) as store,
        watched(folder, json_events=how.json) as observers,
        open_executor(how.engine, how.scheduler, folder, how.size, how.memory_bytes) as executor,
    ):
        if not keep_predictions:
            return execute(plan, store, executor, provenance, observers, retry_failed=how.retry_failed)
        files = PredictionFiles(folder)
        watching: list[Observer] = [*observers, files]
        return execute(plan, store, executor, provenance, watching, retry_failed=how.retry_failed, lacks=files.lacks)


def tell_engine(plan: Plan, how: Running) -> None:
    """Say that RFM's chains run in Python, and why, if jobs of ``plan`` have some and nobody asked for it."""
    from rfm.engines import engine

    if os.environ.get("RFM_ENGINE") or how.device != CPU:
        return
    if not any("rfm engine python" in task.job.versions.split(", ") for task in plan.tasks):
        return
    why = engine().why
    remedy = "" if "build_native" in why else "; install rfm again, or run `python tools/build_native.py`"
    say(f"kernel machines run in Python instead of compiled code, which is slower: {why}{remedy}")


def with_kept_versions(plan: Plan, folder: Path, how: Running) -> Plan:
    """``plan``, under ``--keep-versions`` with the jobs that ``folder`` has results of under other versions."""
    from bench.run.plan import keep_versions
    from bench.store import STORE_NAME, read_run

    return keep_versions(plan, read_run(folder)) if how.keep_versions and (folder / STORE_NAME).exists() else plan


def list_plan(plan: Plan, folder: Path, how: Running, *, keep_predictions: bool = False) -> Outcome:
    """Print what ``--dry-run`` shows: the jobs that :func:`run_plan` would run, and what they would take.

    Returns what was done before, and how much is left.
    """
    from bench.run.plan import outdated_versions, together
    from bench.run.predictions import PredictionFiles
    from bench.run.runner import Outcome, left_to_do
    from bench.store import STORE_NAME, read_run

    memory_bytes = how.memory_bytes or default_memory_budget()
    record = read_run(folder) if (folder / STORE_NAME).exists() else None
    known = {r.job.id: r.status for r in record.results} if record else {}
    changed = outdated_versions(plan, record) if record else {}
    lacks = PredictionFiles(folder).lacks if keep_predictions else lambda job: False
    todo = left_to_do(plan.tasks, known, retry_failed=how.retry_failed, lacks=lacks)
    width = max([32, *(len(job.dataset) for job in plan.jobs)])
    several = len({job.seed for job in plan.jobs}) > 1
    print(f"{'dataset':<{width}} {'method':<14} {'rows':>7} {'memory MB':>10} {'seconds':>9}  note")
    tried = together(todo)
    for task in tried:
        job, note = task.job, "; ".join(_notes(task, memory_bytes, changed.get(task.job.id), seed=several))
        print(
            f"{job.dataset:<{width}} {job.method:<14} {job.rows or '':>7} {task.estimated_bytes / 1e6:>10,.0f} "
            f"{task.expected_seconds:>9,.1f}  {note}".rstrip()
        )
    for result in plan.settled:
        job, note = result.job, (f"seed {result.job.seed}; " if several else "") + result.reason
        print(f"{job.dataset:<{width}} {job.method:<14} {'':>7} {'':>10} {'':>9}  {note}")
    again = sum(task.job.id in changed for task in todo)
    if again:
        print(f"{again} of these jobs have results of other versions of the libraries: --keep-versions keeps them")
    print(_totals(plan, len(todo), tried, how.size, memory_bytes))
    outstanding = {task.job.id for task in todo}
    before = Counter(known[job.id] for job in plan.jobs if job.id in known and job.id not in outstanding)
    return Outcome(before, before.total(), len(plan.jobs) - before.total())


def _notes(task: Task, memory_bytes: int, outdated: str | None, *, seed: bool) -> list[str]:
    from bench.protocols.registry import reduction_in_words

    notes = [f"seed {task.job.seed}"] if seed else []
    notes += [f"one fit of the grid for {plural(1 + len(task.further), 'job')}"] if task.further else []
    notes += ["too large: will be skipped"] if task.estimated_bytes > memory_bytes else []
    notes += ["all cores"] if task.all_cores else []
    notes += [reduction_in_words(task.job.reduction, (task.job.protocol,))] if task.job.reduction else []
    return notes + ([f"to run again, library versions differ: {outdated}"] if outdated is not None else [])


def _totals(plan: Plan, jobs: int, tried: Sequence[Task], size: int, memory_bytes: int) -> str:
    from bench.run.progress import clock

    seconds = sum(t.expected_seconds for t in tried)
    longest = max((t.expected_seconds for t in tried), default=0.0)
    failing = sum(result.status == "error" for result in plan.settled)
    return (
        f"{plural(jobs, 'job')} to run, {len(plan.tasks) - jobs} done before, "
        f"{len(plan.settled) - failing} will be skipped{f', {failing} will fail' if failing else ''}; "
        f"about {clock(seconds)} of CPU time, {clock(max(longest, seconds / size))} with {size} at a time; "
        f"memory budget {memory_bytes / 1e6:,.0f} MB; nothing was run"
    )


def whole_number(flag: str, text: str | None, *, at_least: int, default: int) -> int:
    """The value of ``flag``. Raises :class:`UsageError` for what is no whole number, or too small."""
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = at_least - 1
    if value < at_least:
        raise UsageError(f"{flag} {text}: must be a whole number of at least {at_least}")
    return value


def positive_number(flag: str, text: str | None) -> float | None:
    """The value of ``flag``. Raises :class:`UsageError` for what is no number above 0, or is beyond all sense."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise UsageError(f"{flag} {text}: must be a number above 0, at most 1e9")
    return value

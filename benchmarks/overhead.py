"""What the harness itself costs: per trivial job, in memory over a long run, and against the bare engine.

    python benchmarks/overhead.py [--count 2000] [--workers 2] [--archive PATH]

Prints Markdown. Harness CPU of a job is everything that the harness, the fork server and the jobs' processes use,
start-up, log, live file and progress lines included, less the CPU time spent inside the job's own protocol (splitting,
fitting, predicting). With ``--archive`` (or BENCH_ARCHIVE) the 90 small tables under ``laplace`` are run through the
harness and, for comparison, in this process without it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import threadpoolctl

from bench.data.registry import load_registry
from bench.data.sources import resolve_source
from bench.data.splits import splits_for
from bench.methods import get_method
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset, IntArray
from bench.records.method import Choice, Fold, Method, Prediction, Session
from bench.records.method import Path as Figures
from bench.records.result import JobResult
from bench.run.events import Event
from bench.run.jobs import NamedMethod, expand_jobs
from bench.run.local import LocalExecutor
from bench.run.plan import Plan
from bench.run.progress import Progress
from bench.run.runlog import watched
from bench.run.runner import execute
from bench.store import Store

TABLES = 100
WARM_JOBS = 1000
"""The parent's memory is compared from here on: before, caches fill."""


class TrivialSession(Session):
    """Answers without looking."""

    def tune(self, folds: Sequence[Fold]) -> list[Figures]:
        return [Figures({}, (0,), np.full((len(folds), 1), 0.5), np.full((len(folds), 1), 0.5))]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return Prediction(np.zeros((len(test), self.task.n_classes)))


class Trivial(Method):
    """One of many methods that do nothing; they differ in name."""

    name: ClassVar[str] = "trivial"
    title: ClassVar[str] = "Trivial"

    def configurations(self) -> list[dict[str, Any]]:
        return [{}]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return 1 << 20

    def work(self, n: int, d: int, c: int) -> float:
        return 0.001

    def session(self, task: Any) -> Session:
        return TrivialSession(task)


def trivial(number: int) -> NamedMethod:
    """The same method under another name, so that every (table, method) is a job of its own."""
    method = type(f"Trivial{number}", (Trivial,), {"name": f"trivial-{number}"})()
    return NamedMethod("overhead:Trivial", method)


@dataclass(frozen=True)
class Generated:
    """A registry entry of a table drawn from its name."""

    name: str
    rows: int = 100
    features: int = 5
    classes: int = 2


def generate(entry: Generated) -> Dataset:
    """The table of an entry."""
    rng = np.random.default_rng(list(entry.name.encode()))
    labels = (np.arange(entry.rows) % entry.classes).astype(np.int64)
    return Dataset(entry.name, rng.normal(size=(entry.rows, entry.features)), labels, entry.classes, "generated")


@dataclass
class Memory:
    """Observer: the parent's resident memory after each thousand jobs, and the jobs' own CPU seconds."""

    job_cpu_seconds: float = 0.0
    resident_mb: list[float] = field(default_factory=list)
    _finished: int = 0

    def __call__(self, progress: Progress, event: Event) -> None:
        if not isinstance(event, JobResult):
            return
        self.job_cpu_seconds += event.cpu_seconds
        self._finished += 1
        if self._finished % 1000 == 0:
            self.resident_mb.append(psutil.Process().memory_info().rss / 1e6)


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a run by where they were spent, and its wall time."""

    parent: float
    workers: float
    jobs: float
    wall: float
    memory: Memory

    @property
    def harness(self) -> float:
        return self.parent + self.workers - self.jobs


def run(plan: Plan, workers: int) -> Cost:
    """Run a plan in a temporary folder through the whole harness."""
    memory = Memory()
    cpu, children, wall = cpu_of(resource.RUSAGE_SELF), cpu_of(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder)) as store,
        watched(Path(folder), json_events=False) as observers,
    ):
        executor = LocalExecutor(Path(folder), workers, 4 << 30, cores=1)
        outcome = execute(plan, store, executor, {}, [*observers, memory])
    if not outcome.all_ok:
        raise SystemExit(f"not all jobs were ok, so nothing was measured: {outcome}")
    return Cost(
        parent=cpu_of(resource.RUSAGE_SELF) - cpu,
        workers=cpu_of(resource.RUSAGE_CHILDREN) - children,
        jobs=memory.job_cpu_seconds,
        wall=time.perf_counter() - wall,
        memory=memory,
    )


def cpu_of(who: int) -> float:
    """User and system seconds so far."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def trivial_jobs(count: int, workers: int) -> None:
    """Many jobs that do nothing."""
    methods = [trivial(number) for number in range(max(1, count // TABLES))]
    began = time.process_time()
    plan = expand_jobs(
        [Generated(f"table-{k}") for k in range(TABLES)],
        methods,
        [PROTOCOLS["clean"]],
        [0],
        source="generated",
        load=generate,
        splits_for=splits_for,
    )
    planning = time.process_time() - began
    cost = run(plan, workers)
    jobs = len(plan.tasks)
    resident = cost.memory.resident_mb
    print(f"\n## {jobs:,} trivial jobs, {workers} at a time\n")
    print("| | CPU ms per job |\n|---|---:|")
    rows = {
        "planning": planning,
        "parent": cost.parent,
        "fork server and processes, less the jobs": cost.workers - cost.jobs,
        "**harness** (target: about 40)": planning + cost.harness,
    }
    for label, seconds in rows.items():
        print(f"| {label} | {1e3 * seconds / jobs:.2f} |")
    print(f"| the jobs themselves | {1e3 * cost.jobs / jobs:.2f} |")
    print(f"\nWall {cost.wall:.1f} s, {1e3 * cost.wall / jobs:.2f} ms per job.")
    if len(resident) > 1:
        print(
            f"Parent's resident memory: {resident[0]:.1f} MB after {WARM_JOBS:,} jobs, {resident[-1]:.1f} MB after "
            f"{1000 * len(resident):,} (largest {max(resident):.1f})."
        )


def against_bare_engine(archive: str | None, workers: int, subset: str, method_name: str) -> None:
    """Real tables through the harness and without it."""
    registry = load_registry()
    entries = registry.select(subset)
    source = resolve_source(registry, entries, archive)
    named = NamedMethod(method_name, get_method(method_name))
    loaded = [(dataset, splits_for(dataset, 0)) for dataset in map(source.load, entries)]
    carry_out(named.method, *loaded[0], PROTOCOLS["clean"], 0)  # imports and first-use set-up are not the engine's time
    with one_thread():
        cpu, wall = time.process_time(), time.perf_counter()
        for dataset, splits in loaded:
            carry_out(named.method, dataset, splits, PROTOCOLS["clean"], 0)
        bare_cpu, bare_wall = time.process_time() - cpu, time.perf_counter() - wall
    plan = expand_jobs(
        entries,
        [named],
        [PROTOCOLS["clean"]],
        [0],
        source=source.name,
        load=source.load,
        splits_for=splits_for,
        timeout=3600.0,
    )
    cost = run(plan, workers)
    total = cost.parent + cost.workers
    print(f"\n## {subset} x {method_name}, {len(loaded)} tables from {source.name}\n")
    print("| | CPU s | wall s |\n|---|---:|---:|")
    print(f"| bare engine, one process, one thread | {bare_cpu:.2f} | {bare_wall:.2f} |")
    print(f"| harness, {workers} jobs at a time | {total:.2f} | {cost.wall:.2f} |")
    print(f"| of it inside the jobs | {cost.jobs:.2f} | |")
    print(f"| ratio (target: within 1.3 in CPU) | {total / bare_cpu:.2f} | {cost.wall / bare_wall:.2f} |")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra with one thread in this process too, as in the jobs."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    with threadpoolctl.threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        yield
    if torch:
        torch.set_num_threads(before)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--archive", default=os.environ.get("BENCH_ARCHIVE"))
    parser.add_argument("--subset", default=None, help="default: small90 with an archive, else embedded")
    parser.add_argument("--method", default="laplace")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))  # jobs import the trivial method from here
    print(f"# Overhead of the harness\n\nLoad average at the start: {os.getloadavg()[0]:.1f}.")
    trivial_jobs(args.count, args.workers)
    against_bare_engine(
        args.archive, args.workers, args.subset or ("small90" if args.archive else "embedded"), args.method
    )


if __name__ == "__main__":
    main()

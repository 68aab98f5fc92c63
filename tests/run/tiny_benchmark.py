"""A benchmark of generated tables and plug-in methods, small enough to run end to end in a second.

As a script, ``python tiny_benchmark.py FOLDER TABLES WORKERS METHOD...``, it starts the run in a process of its own, to
be killed, for each line that it reads; it prints that process's id, and how it has ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.splits import splits_for
from bench.errors import DataInvalid, DataUnavailable
from bench.methods import get_method
from bench.protocols import Protocol, get_protocol
from bench.records.dataset import Dataset, Splits
from bench.records.measure import Kind
from bench.records.result import JobResult, RunRecord
from bench.run.events import Event, Note, Started, Tick
from bench.run.jobs import NamedMethod, expand_jobs
from bench.run.local import LocalExecutor
from bench.run.plan import Plan, Task
from bench.run.progress import Observer, Progress
from bench.run.runlog import log_file
from bench.run.runner import Outcome, execute
from bench.store import Store, read_run


@dataclass(frozen=True)
class TinyEntry:
    name: str
    rows: int = 60
    features: int = 3
    classes: int = 2
    present: bool = True
    sound: bool = True
    kind: Kind = "classification"


def generate(entry: TinyEntry) -> Dataset:
    """Gaussian classes, drawn from a seed that is the table's name."""
    if not entry.present:
        raise DataUnavailable(f"{entry.name}: no such file in the tiny source")
    if not entry.sound:
        raise DataInvalid(f"{entry.name}: not the study's file")
    rng = np.random.default_rng(list(entry.name.encode()))
    y = np.arange(entry.rows) % entry.classes
    X = rng.normal(size=(entry.rows, entry.features)) + y[:, None]
    return Dataset(entry.name, X, y.astype(np.int64), entry.classes, source="tiny")


def planned(
    entries: Sequence[TinyEntry],
    methods: Sequence[str],
    *protocols: str | Protocol,
    seeds: Sequence[int] = (0,),
    load: Callable[[TinyEntry], Dataset] = generate,
    divide: Callable[[Dataset, int], Splits] = splits_for,
    **how: Any,
) -> Plan:
    """The plan for generated tables, under `clean` or other ``protocols``."""
    named = [NamedMethod(name, get_method(name)) for name in methods]
    wanted = [get_protocol(one) if isinstance(one, str) else one for one in protocols or ("clean",)]
    return expand_jobs(entries, named, wanted, seeds, source="tiny", load=load, splits_for=divide, **how)


@dataclass
class TinyBenchmark:
    """Two tables, methods by spec, and a run folder."""

    folder: Path
    entries: tuple[TinyEntry, ...] = (TinyEntry("alpha"), TinyEntry("beta", rows=80, classes=3))

    def plan(self, *methods: str, protocol: str = "clean", **how: Any) -> Plan:
        """For methods of ``faulty_methods``, or of the module that their name begins with."""
        specs = [name if ":" in name else f"faulty_methods:{name}" for name in methods]
        return planned(self.entries, specs, *protocol.split(","), **how)

    def run(
        self,
        *methods: str,
        jobs: int = 2,
        memory_bytes: int = 2 << 30,
        retry_failed: bool = False,
        plan: Plan | None = None,
        observers: Sequence[Observer] = (),
        **how: Any,
    ) -> tuple[Outcome, RunRecord]:
        plan = plan or self.plan(*methods, **how)
        executor = LocalExecutor(self.folder, jobs, memory_bytes, cores=2)
        with Store(self.folder) as store:
            outcome = execute(plan, store, executor, {"seed": 0}, observers, retry_failed=retry_failed)
        return outcome, read_run(self.folder)


class Recorder:
    """An observer that remembers; those made of it may act."""

    def __init__(self, on_finish: Callable[[int], object] = lambda count: None) -> None:
        self.started_jobs: list[str] = []
        self.finished_jobs: list[str] = []
        self.notes: list[str] = []
        self.lines: list[str] = []
        self._on_finish = on_finish

    def __call__(self, progress: Progress, event: Event) -> None:
        match event:
            case Started(task):
                self.started(progress, task)
            case JobResult():
                self.finished(progress, event)
            case Note(text):
                self.note(text)
            case Tick():
                self.tick(progress)

    def started(self, progress: Progress, task: Task) -> None:
        self.started_jobs.append(f"{task.job.dataset}/{task.job.method}")
        self.lines.append(progress.line())

    def finished(self, progress: Progress, result: JobResult) -> None:
        self.finished_jobs.append(f"{result.job.dataset}/{result.job.method}")
        self.lines.append(progress.line())
        self._on_finish(len(self.finished_jobs))

    def tick(self, progress: Progress) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def scores(record: RunRecord) -> dict[tuple[str, str, int], tuple[float, str]]:
    """Everything deterministic about the ``ok`` results, to the last bit."""
    return {
        (r.job.dataset, r.job.method, h.holdout): (h.score, repr((h.config, h.iteration, h.path, h.details)))
        for r in record.results
        if r.status == "ok"
        for h in r.holdouts
    }


def by_method(record: RunRecord) -> dict[str, list[JobResult]]:
    found: dict[str, list[JobResult]] = {}
    for result in record.results:
        found.setdefault(result.job.method, []).append(result)
    return found


def tables(count: int) -> tuple[TinyEntry, ...]:
    """Small tables of one shape with different content."""
    return tuple(TinyEntry(f"table-{number}", rows=40) for number in range(count))


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(exist_ok=True)
    benchmark = TinyBenchmark(Path(sys.argv[1]), tables(int(sys.argv[2])))
    plan = benchmark.plan(*sys.argv[4:])
    for _ in sys.stdin:
        if (harness := os.fork()) == 0:
            with log_file(benchmark.folder):
                benchmark.run(plan=plan, jobs=int(sys.argv[3]))
            os._exit(0)
        print(harness, flush=True)
        print(os.waitpid(harness, 0)[1], flush=True)

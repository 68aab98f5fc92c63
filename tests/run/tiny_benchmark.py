"""A benchmark of generated tables and plug-in methods, small enough to run end to end in a second.

Run as a script it is a run to be killed: ``python tiny_benchmark.py FOLDER TABLES WORKERS METHOD...``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.splits import splits_for
from bench.errors import DataInvalid, DataUnavailable
from bench.methods import get_method
from bench.protocols import get_protocol
from bench.records.dataset import Dataset
from bench.records.measure import Kind
from bench.records.result import JobResult, RunRecord
from bench.run.events import Event, Note, Started, Tick
from bench.run.jobs import NamedMethod, expand_jobs
from bench.run.local import LocalExecutor
from bench.run.plan import Plan
from bench.run.progress import Progress
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


@dataclass
class TinyBenchmark:
    """Two tables, methods by spec, and a run folder."""

    folder: Path
    entries: tuple[TinyEntry, ...] = (TinyEntry("alpha"), TinyEntry("beta", rows=80, classes=3))

    def plan(
        self,
        *methods: str,
        protocol: str = "clean",
        seeds: Sequence[int] = (0,),
        timeout: float | None = None,
        memory: int = 2 << 30,
    ) -> Plan:
        specs = [name if ":" in name else f"faulty_methods:{name}" for name in methods]
        named = [NamedMethod(spec, get_method(spec)) for spec in specs]
        return expand_jobs(
            self.entries,
            named,
            [get_protocol(name) for name in protocol.split(",")],
            seeds,
            source="tiny",
            load=generate,
            splits_for=splits_for,
            timeout=timeout,
        )

    def run(
        self,
        *methods: str,
        jobs: int = 2,
        memory_bytes: int = 2 << 30,
        retry_failed: bool = False,
        timeout: float | None = None,
        protocol: str = "clean",
        seeds: Sequence[int] = (0,),
        plan: Plan | None = None,
        observers: Sequence[object] = (),
    ) -> tuple[Outcome, RunRecord]:
        plan = plan or self.plan(*methods, timeout=timeout, protocol=protocol, seeds=seeds)
        executor = LocalExecutor(self.folder, jobs, memory_bytes, cores=2)
        with Store(self.folder) as store:
            outcome = execute(
                plan,
                store,
                executor,
                {"seeds": list(seeds)},
                observers,  # type: ignore[arg-type]
                retry_failed=retry_failed,
            )
        return outcome, read_run(self.folder)


class Recorder:
    """An observer that remembers, and may act."""

    def __init__(self, on_finish: Any = None) -> None:
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

    def started(self, progress: Progress, task: Any) -> None:
        self.started_jobs.append(f"{task.job.dataset}/{task.job.method}")
        self.lines.append(progress.line())

    def finished(self, progress: Progress, result: JobResult) -> None:
        self.finished_jobs.append(f"{result.job.dataset}/{result.job.method}")
        self.lines.append(progress.line())
        if self._on_finish:
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
    with log_file(benchmark.folder):
        done, _ = benchmark.run(*sys.argv[4:], jobs=int(sys.argv[3]))
    print(done)

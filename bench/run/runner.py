"""A run: what is planned, minus what is done, goes through an executor into the store."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from bench.errors import plural
from bench.records.result import Job, JobResult, Status
from bench.run.events import Event, Interrupt, Note, Started, StopFlag, Tick
from bench.run.plan import Plan, Task, together
from bench.run.progress import Observer, Progress
from bench.run.resources import available_cores, default_memory_budget
from bench.run.retry_queue import RetryQueue
from bench.run.runlog import log_event
from bench.store import Store


class Executor(Protocol):
    """What runs tasks and streams events: this machine, or a cluster."""

    size: int
    """How many jobs it runs at once, as far as is known."""

    def stream(self, tasks: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
        """Run ``tasks``; yield what happens. See :meth:`bench.run.local.LocalExecutor.stream`."""


@contextlib.contextmanager
def open_executor(
    name: str, scheduler: str | None, folder: Path, size: int, memory_bytes: int | None
) -> Iterator[Executor]:
    """The executor called ``name`` (``local`` or ``dask``) for the run in ``folder``, closed at the end.

    ``memory_bytes`` None means the default budget of whatever machine the jobs run on.
    """
    if name == "dask":
        from bench.run.dask import DaskExecutor

        with contextlib.closing(DaskExecutor(scheduler, size, memory_bytes)) as cluster:
            yield cluster
    else:
        from bench.run.local import LocalExecutor

        yield LocalExecutor(folder, size, memory_bytes or default_memory_budget(), available_cores())


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to. ``statuses`` counts all planned jobs, those done before included.

    ``unread`` are the jobs whose table could not be read; of them, ``kept`` had an ``ok`` result from before, which
    stays in the store.
    """

    statuses: Counter[Status] = field(default_factory=Counter)
    already: int = 0
    undone: int = 0
    interrupted: bool = False
    seconds: float = 0.0
    unread: tuple[JobResult, ...] = ()
    kept: tuple[JobResult, ...] = ()

    @property
    def all_ok(self) -> bool:
        """Whether every planned job has an ``ok`` result."""
        return not self.undone and set(self.statuses) <= {"ok"}


def left_to_do(
    tasks: Sequence[Task],
    known: dict[str, Status],
    *,
    retry_failed: bool,
    lacks: Callable[[Job], bool] = lambda job: False,
) -> list[Task]:
    """The tasks without a result that counts: ``skipped`` is decided anew, failures are if ``retry_failed``.

    An ``ok`` result that ``lacks`` something does not count.
    """
    counts = {"ok"} if retry_failed else {"ok", "error", "timeout", "oom"}
    return [t for t in tasks if (s := known.get(t.job.id)) not in counts or (s == "ok" and lacks(t.job))]


def execute(
    plan: Plan,
    store: Store,
    executor: Executor,
    provenance: dict[str, Any],
    observers: Sequence[Observer] = (),
    *,
    retry_failed: bool = False,
    lacks: Callable[[Job], bool] = lambda job: False,
) -> Outcome:
    """Run what ``plan`` holds and ``store`` does not; every result is on disk before the next event is looked at.

    But for a store that another program holds: then results wait in memory (:mod:`bench.run.retry_queue`). Raises
    :class:`StoreError` if the store cannot be written to: what it held stays whole, jobs in flight are lost.
    """
    began = time.monotonic()
    unread = tuple(r for r in plan.settled if not r.job.split)
    planned = [job for job in plan.jobs if job.split]
    known = store.begin(planned, provenance, unread=[r.job for r in unread])
    kept = tuple(r for r in unread if not store.is_current(r.job))
    todo = left_to_do(plan.tasks, known, retry_failed=retry_failed, lacks=lacks)
    outstanding = {t.job.id for t in todo}
    todo = together(todo)
    further = {t.job.id: t.further for t in todo if t.further}
    anew = outstanding | {r.job.id for r in plan.settled}
    statuses = Counter(known[job.id] for job in plan.jobs if job.id in known and job.id not in anew)
    already = statuses.total()
    failed = already - statuses["ok"] - statuses["skipped"]
    progress = Progress(todo, executor.size, total=len(plan.jobs), done=already, failed=failed)

    def tell(event: Event) -> None:
        for observer in observers:
            observer(progress, event)
        log_event(event)

    def finish(results: Iterable[JobResult]) -> None:
        for result in results:
            progress.finish(result)
            statuses[result.status] += 1
            tell(result)

    waiting = RetryQueue(store, lambda text: tell(Note(text)))
    with Interrupt() as interrupt:
        try:
            for event in _events(plan.settled, executor, todo, interrupt):
                match event:
                    case JobResult():
                        for result in _each(event, further.get(event.job.id, ())):
                            finish([result] if result in kept else waiting.add(result))
                    case Started(task):
                        progress.start(task)
                        tell(event)
                    case Tick():
                        finish(waiting.flush())
                        tell(event)
                    case Note():
                        tell(event)
                if interrupt.draining and not progress.stopping:
                    progress.stopping = True
                    tell(Note(_stopping(len(progress.running), interrupt)))
        finally:
            finish(waiting.settle(lambda: interrupt.now))
    undone = len(plan.jobs) - statuses.total()
    return Outcome(
        statuses=statuses,
        already=already,
        undone=undone,
        interrupted=interrupt.draining,
        seconds=time.monotonic() - began,
        unread=unread,
        kept=kept,
    )


def _each(result: JobResult, further: Sequence[Job]) -> list[JobResult]:
    """The result of a task's job and those of its ``further`` ones, which share what became of its process."""
    others = result.further or [replace(result, job=job) for job in further]
    return [replace(result, further=()), *others] if further else [result]


def _events(settled: Sequence[JobResult], executor: Executor, todo: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
    yield from settled
    if todo:
        yield from executor.stream(todo, stop)


def _stopping(in_flight: int, stop: StopFlag) -> str:
    if stop.now:
        return "stopping now"
    return f"stopping: {plural(in_flight, 'job')} in flight will finish and be stored (Ctrl-C again to stop now)"

"""Which job may start next: longest first, within the memory budget and the number of workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from bench.records.result import JobResult
from bench.run.jobs import Task

_ALLOWANCE_FACTOR = 1.5
_ALLOWANCE_EXTRA_BYTES = 256 << 20
_MB = 1e6


class Admission:
    """The jobs not yet started.

    A job *reserves* its allowance, half as much again as its method's estimate and 256 MiB, and is killed if it grows
    beyond: so the reservations of the jobs in flight never exceed the budget, and an estimate may be a little short.
    """

    def __init__(self, tasks: Sequence[Task], size: int, memory_bytes: int) -> None:
        self._size = size
        self._memory_bytes = memory_bytes
        self._refused = [t for t in tasks if t.estimated_bytes > memory_bytes]
        self._queue = deque(t for t in tasks if t.estimated_bytes <= memory_bytes)
        self._backfilled: set[str] = set()
        self._alone: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether every job has been admitted."""
        return not self._queue

    def refused(self) -> list[JobResult]:
        """The jobs that cannot fit even alone, as results; they are never tried."""
        return [
            JobResult(
                t.job,
                "skipped",
                f"needs about {t.estimated_bytes / _MB:,.0f} MB, more than the memory budget of "
                f"{self._memory_bytes / _MB:,.0f} MB (--memory-gb)",
                provenance={"memory_estimate_mb": t.estimated_bytes / _MB},
            )
            for t in self._refused
        ]

    def allowance(self, task: Task) -> int:
        """Bytes beyond the idle worker that ``task`` may use; never more than the whole budget."""
        return min(self._memory_bytes, int(_ALLOWANCE_FACTOR * task.estimated_bytes) + _ALLOWANCE_EXTRA_BYTES)

    def admit(self, running: Collection[Task]) -> Task | None:
        """The job to start now beside those ``running``, taken off the queue; ``None`` if it must wait.

        While the longest job waits for memory, shorter ones may overtake it, but only with memory that it does not
        need: it starts as soon as the jobs that were there before it end. A large job, or one that was put back
        to be run alone, waits for an empty machine and is not overtaken.
        """
        if not self._queue or len(running) >= self._size or any(map(self._is_alone, running)):
            return None
        head = self._queue[0]
        if not running:
            return self._take(0)
        if self._is_alone(head):
            return None
        used = sum(self.allowance(t) for t in running)
        if used + self.allowance(head) <= self._memory_bytes:
            return self._take(0)
        overtaking = sum(self.allowance(t) for t in running if t.job.id in self._backfilled)
        free = min(self._memory_bytes - used, self._memory_bytes - self.allowance(head) - overtaking)
        for position, task in enumerate(self._queue):
            if position and not self._is_alone(task) and self.allowance(task) <= free:
                self._backfilled.add(task.job.id)
                return self._take(position)
        return None

    def put_back(self, task: Task, *, alone: bool = False) -> None:
        """Queue a job again that was interrupted; ``alone``: nothing shall run beside it."""
        self._queue.appendleft(task)
        if alone:
            self._alone.add(task.job.id)

    def _is_alone(self, task: Task) -> bool:
        return task.large or task.job.id in self._alone

    def _take(self, position: int) -> Task:
        task = self._queue[position]
        del self._queue[position]
        if position == 0:
            self._backfilled.clear()
        return task

"""Where a run stands, how long it may take, and what a person or a program sees of that."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from tqdm import tqdm

from bench.records.measure import SELECTING
from bench.records.result import JobResult
from bench.run.events import Event, Note, Started
from bench.run.plan import Task

_LEAST_LEFT = 0.1
_PLAIN_SECONDS = 30.0
_PLAIN_PAUSE_SECONDS = 2.0


class Progress:
    """Where a run stands, and when it may end: what methods expect of their jobs, scaled by what jobs took so far."""

    def __init__(self, todo: Sequence[Task], workers: int, *, total: int, done: int = 0, failed: int = 0) -> None:
        self.total = total
        self.done, self.failed, self.skipped = done, failed, 0
        """Jobs with a result, of any status and of these two; at first those of earlier invocations."""
        self.stopping = False
        """No further jobs are started."""
        self.running: dict[str, tuple[Task, float]] = {}
        """Job id: the job and the monotonic time it started."""
        self._workers = max(1, min(workers, len(todo)))
        self._todo = {task.job.id: task for task in todo}
        # Seconds by method: expected of the jobs without a result; expected and measured of those that were tried.
        self._left, self._expected, self._measured = (defaultdict[str, float](float) for _ in range(3))
        for task in todo:
            self._left[task.job.method] += task.expected_seconds

    def start(self, task: Task) -> None:
        """A job has begun."""
        self.running[task.job.id] = (task, time.monotonic())

    def finish(self, result: JobResult) -> None:
        """A job has its result."""
        self.running.pop(result.job.id, None)
        self.done += 1
        self.failed += result.status not in ("ok", "skipped")
        self.skipped += result.status == "skipped"
        if task := self._todo.pop(result.job.id, None):
            self._left[task.job.method] -= task.expected_seconds
            if result.status not in ("skipped", "error"):
                self._expected[task.job.method] += task.expected_seconds
                self._measured[task.job.method] += result.job_seconds

    def elapsed(self) -> list[tuple[Task, float]]:
        """The jobs that run, each with the seconds since it started."""
        now = time.monotonic()
        return [(task, now - at) for task, at in self.running.values()]

    def remaining_seconds(self) -> float:
        """Wall seconds until the last job ends (the last of those that run, if no others are started).

        The workers are taken to stay busy, a job that runs to need at least a tenth of its time so far.
        """
        running, pace = self.elapsed(), self._paces()
        pace = self._paces(
            [(t, seconds) for t, seconds in running if seconds > t.expected_seconds * pace[t.job.method]]
        )
        whole = [task.expected_seconds * pace[task.job.method] for task, _ in running]
        rest = [max(all_of_it - ran, _LEAST_LEFT * ran) for all_of_it, (_, ran) in zip(whole, running, strict=True)]
        longest = max(rest, default=0.0)
        if self.stopping:
            return longest
        waiting = sum(expected * pace[method] for method, expected in self._left.items()) - sum(whole)
        return max((max(0.0, waiting) + sum(rest)) / self._workers, longest)

    def _paces(self, late: Sequence[tuple[Task, float]] = ()) -> dict[str, float]:
        """Measured over expected seconds by method; of all methods where it has none, else 1.

        The ``late`` jobs, which have run longer than expected, are to their own method as if they ended now.
        """
        expected, measured = self._expected.copy(), self._measured.copy()
        overall = sum(measured.values()) / sum(expected.values()) if any(expected.values()) else 1.0
        for task, seconds in late:
            expected[task.job.method] += task.expected_seconds
            measured[task.job.method] += seconds
        return {method: measured[method] / expected[method] if expected[method] else overall for method in self._left}

    def line(self) -> str:
        """``12/90 done, 1 failed; running: letter/rfm 2:10, wine/mlp 0:03; about 4:10 left``."""
        parts = [", ".join([f"{self.done}/{self.total} done", *self._without_score()])]
        if self.running:
            parts.append(f"running: {self._names()}")
        if self.done < self.total:
            parts.append(f"about {clock(self.remaining_seconds())} left")
        return "; ".join(parts)

    def next_to_bar(self) -> str:
        """``1 failed, 2 running, 4:10 left  letter/rfm 2:10, wine/mlp 0:03``, the names last: they may be cut."""
        parts = self._without_score()
        if self.stopping:
            parts.insert(0, f"stopping: {len(self.running)} in flight")
        elif self.running:
            parts.append(f"{len(self.running)} running")
        if self.done < self.total:
            parts.append(f"{clock(self.remaining_seconds())} left")
        return f"{', '.join(parts)}  {self._names()}".rstrip()

    def _without_score(self) -> list[str]:
        return [f"{count} {word}" for count, word in ((self.failed, "failed"), (self.skipped, "skipped")) if count]

    def _names(self) -> str:
        return ", ".join(f"{t.job.dataset}/{t.job.method} {clock(seconds)}" for t, seconds in self.elapsed())


Observer = Callable[[Progress, Event], None]
"""Is told of everything that happens in a run; a result is stored by then."""


class TerminalBar(tqdm):
    """A bar on a terminal, redrawn in place, without tqdm's thread and its lock between processes."""

    monitor_interval = 0
    _lock = threading.RLock()

    def __init__(self, stream: TextIO) -> None:
        # miniters: time alone decides when it is drawn again; delay: not before the first event.
        how = {"leave": False, "mininterval": 0.2, "miniters": 0, "delay": 1e-3}
        super().__init__(file=stream, ascii=" #", bar_format="{n_fmt}/{total_fmt} [{bar:10}] {desc}", **how)

    def __call__(self, progress: Progress, event: Event) -> None:
        self.total, self.desc = progress.total, progress.next_to_bar()
        self.ncols = shutil.get_terminal_size().columns - 1
        with contextlib.suppress(OSError):  # a terminal that was hung up: the run goes on unwatched
            self.update(progress.done - self.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        with contextlib.suppress(OSError):
            self.clear()  # tqdm itself leaves one that stood for less than its delay
            super().close()


class PlainLines:
    """For a pipe or a batch log: a line of progress every half minute and at each tenth."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._said = time.monotonic()
        self._tenth = 0

    def __call__(self, progress: Progress, event: Event) -> None:
        tenth = 10 * progress.done // max(1, progress.total)
        now = time.monotonic()
        silence = now - self._said
        if silence >= _PLAIN_SECONDS or (tenth > self._tenth and silence >= _PLAIN_PAUSE_SECONDS):
            self._tenth, self._said = tenth, now
            self._write(progress.line())


class JsonEvents:
    """One JSON object a line, for programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, progress: Progress, event: Event) -> None:
        match event:
            case Started(task):
                self._emit(event="started", job=dataclasses.asdict(task.job))
            case JobResult():
                self._emit(
                    event="finished",
                    job=dataclasses.asdict(event.job),
                    status=event.status,
                    reason=event.reason,
                    accuracy=mean_score(event) if event.job.kind == "classification" else None,
                    score=mean_score(event),
                    job_seconds=event.job_seconds,
                    cpu_seconds=event.cpu_seconds,
                    done=progress.done,
                    failed=progress.failed,
                    skipped=progress.skipped,
                    total=progress.total,
                    eta_seconds=progress.remaining_seconds(),
                )
            case Note(text):
                self._emit(event="note", text=text)

    def _emit(self, **event: Any) -> None:
        print(json.dumps(event), file=self._stream, flush=True)


def mean_score(result: JobResult) -> float | None:
    """Mean accuracy in percent, or R2, over the test folds; None without any (a failed job, a study's cell)."""
    scores = [h.score for h in result.holdouts]
    return sum(scores) / len(scores) if scores else None


def describe(result: JobResult) -> str:
    """One line on a finished job."""
    if result.status == "ok":
        score = mean_score(result)
        words = "" if score is None else f"{SELECTING[result.job.kind].in_words(score)} "
        return f"ok {result.job.name}: {words}in {result.job_seconds:.2f} s"
    return f"{result.status} {result.job.name}: {result.reason}"


def clock(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

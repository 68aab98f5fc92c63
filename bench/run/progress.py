"""What a person, a log file or a program sees of a run while it goes on."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from bench.records.measure import SELECTING
from bench.records.result import JobResult
from bench.run.eta import Eta
from bench.run.jobs import Task

_REDRAW_SECONDS = 0.2
_PLAIN_SECONDS = 30.0
_PLAIN_PAUSE_SECONDS = 2.0


@dataclass
class Progress:
    """Where a run stands. ``finished`` counts this invocation's jobs of any status, ``already`` those found done."""

    total: int
    already: int
    eta: Eta
    finished: int = 0
    failed: int = 0
    skipped: int = 0
    running: dict[str, tuple[Task, float]] = field(default_factory=dict)
    """Job id: the job and the monotonic time it started."""

    def start(self, task: Task) -> None:
        """A job has begun."""
        self.running[task.job.id] = (task, time.monotonic())

    def finish(self, result: JobResult) -> None:
        """A job has its result."""
        self.running.pop(result.job.id, None)
        self.eta.finished(
            result.job.id, result.job.method, result.job_seconds, tried=result.status not in ("skipped", "error")
        )
        self.finished += 1
        self.failed += result.status not in ("ok", "skipped")
        self.skipped += result.status == "skipped"

    @property
    def done(self) -> int:
        """Jobs with a result, in this invocation or before."""
        return self.already + self.finished

    def line(self) -> str:
        """``12/90 done, 1 failed; running: letter/rfm 2:10, wine/mlp 0:03; about 4:10 left``."""
        parts = [f"{self.done}/{self.total} done"]
        for count, word in ((self.failed, "failed"), (self.skipped, "skipped")):
            if count:
                parts[0] += f", {count} {word}"
        now = time.monotonic()
        if self.running:
            names = [f"{t.job.dataset}/{t.job.method} {clock(now - at)}" for t, at in self.running.values()]
            parts.append("running: " + ", ".join(names))
        if self.done < self.total:
            parts.append(f"about {clock(self.eta.remaining_seconds())} left")
        return "; ".join(parts)


class Observer(Protocol):
    """Is told of everything that happens in a run."""

    def started(self, progress: Progress, task: Task) -> None:
        """A job has begun."""

    def finished(self, progress: Progress, result: JobResult) -> None:
        """A job has its result, and the result is stored."""

    def tick(self, progress: Progress) -> None:
        """Time has passed."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def close(self) -> None:
        """The run is over."""


class _Screen:
    """Where a person reads along; once that is gone (a terminal hung up), nothing is written, and the run goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def write(self, text: str) -> None:
        """Show ``text`` at once, if there is anything to show it on."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None


class LiveLine:
    """One line on a terminal, redrawn in place; failures stay above it."""

    def __init__(self, stream: TextIO) -> None:
        self._screen = _Screen(stream)
        self._drawn = -_REDRAW_SECONDS

    def started(self, progress: Progress, task: Task) -> None:
        self.tick(progress)

    def finished(self, progress: Progress, result: JobResult) -> None:
        if result.status != "ok":
            self.note(describe(result))
        self.tick(progress)

    def tick(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        width = shutil.get_terminal_size().columns - 1
        line = progress.line()
        self._screen.write("\r\x1b[K" + (line if len(line) <= width else line[: width - 1] + "…"))

    def note(self, text: str) -> None:
        self._screen.write(f"\r\x1b[K{text}\n")
        self._drawn = -_REDRAW_SECONDS

    def close(self) -> None:
        self._screen.write("\r\x1b[K")


class PlainLines:
    """For a pipe or a batch log: failures at once, and a line of progress every half minute and at each tenth."""

    def __init__(self, stream: TextIO) -> None:
        self._screen = _Screen(stream)
        self._said = time.monotonic()
        self._tenth = 0

    def started(self, progress: Progress, task: Task) -> None:
        self.tick(progress)

    def finished(self, progress: Progress, result: JobResult) -> None:
        if result.status != "ok":
            self.note(describe(result))

    def tick(self, progress: Progress) -> None:
        tenth = 10 * progress.done // max(1, progress.total)
        now = time.monotonic()
        silence = now - self._said
        if silence >= _PLAIN_SECONDS or (tenth > self._tenth and silence >= _PLAIN_PAUSE_SECONDS):
            self._tenth, self._said = tenth, now
            self.note(progress.line())

    def note(self, text: str) -> None:
        self._screen.write(f"{text}\n")

    def close(self) -> None:
        pass


class JsonEvents:
    """One JSON object a line, for programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def started(self, progress: Progress, task: Task) -> None:
        self._emit(event="started", job=dataclasses.asdict(task.job))

    def finished(self, progress: Progress, result: JobResult) -> None:
        score = mean_score(result)
        self._emit(
            event="finished",
            job=dataclasses.asdict(result.job),
            status=result.status,
            reason=result.reason,
            accuracy=score if result.job.kind == "classification" else None,
            score=score,
            job_seconds=result.job_seconds,
            cpu_seconds=result.cpu_seconds,
            done=progress.done,
            failed=progress.failed,
            skipped=progress.skipped,
            total=progress.total,
            eta_seconds=progress.eta.remaining_seconds(),
        )

    def tick(self, progress: Progress) -> None:
        pass

    def note(self, text: str) -> None:
        self._emit(event="note", text=text)

    def close(self) -> None:
        pass

    def _emit(self, **event: Any) -> None:
        print(json.dumps(event), file=self._stream, flush=True)


def name(job: Any) -> str:
    """``dataset/method (protocol)``."""
    return f"{job.dataset}/{job.method} ({job.protocol})"


def mean_score(result: JobResult) -> float | None:
    """Mean accuracy in percent, or R2, over the test folds; None without any (a failed job, a study's cell)."""
    scores = [h.score for h in result.holdouts]
    return sum(scores) / len(scores) if scores else None


def describe(result: JobResult) -> str:
    """One line on a finished job."""
    if result.status == "ok":
        score = mean_score(result)
        measure = SELECTING[result.job.kind]
        words = "" if score is None else f"{measure.in_words(score)} "
        return f"ok {name(result.job)}: {words}in {result.job_seconds:.2f} s"
    return f"{result.status} {name(result.job)}: {result.reason}"


def clock(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

"""What a run leaves in its folder beside the store: a log, and while it lasts the file that `bench status` reads."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from bench.files import open_unlinked, refuse_link, write_atomically
from bench.protocols.registry import reduction_in_words
from bench.records.result import JobResult
from bench.run.jobs import Task
from bench.run.progress import JsonEvents, LiveLine, Observer, PlainLines, Progress, describe, name
from bench.run.provenance import printable

LIVE_NAME = "live.json"


class RunLog:
    """``logs/<start>.log`` in the run folder: every start and end with its time, failures with their last output."""

    def __init__(self, folder: Path) -> None:
        refuse_link(folder / "logs")
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        self._file: TextIO | None = None
        try:
            (folder / "logs").mkdir(exist_ok=True)
            log = open_unlinked(folder / "logs" / f"{stamp}.log", os.O_WRONLY | os.O_APPEND)
            self._file = os.fdopen(log, "a", encoding="utf-8")
        except OSError as error:
            print(f"bench: no log is written: {error}", file=sys.stderr)

    def started(self, progress: Progress, task: Task) -> None:
        details = ["with all cores"] if task.all_cores else []
        details += [reduction_in_words(task.job.reduction, (task.job.protocol,))] if task.job.reduction else []
        self.note(f"start {name(task.job)}" + (f": {'; '.join(details)}" if details else ""))

    def finished(self, progress: Progress, result: JobResult) -> None:
        self.note(describe(result))
        if result.output:
            self.note("\n".join(f"    | {line}" for line in result.output.splitlines()))

    def tick(self, progress: Progress) -> None:
        pass

    def note(self, text: str) -> None:
        if self._file is None:
            return
        try:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            self._file.write(f"{now} {printable(text)}\n")
            self._file.flush()
        except OSError:  # a full disk must not end the run here: the store will say it
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class LiveFile:
    """``live.json`` in the run folder: what `bench status` in another terminal shows as running."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LIVE_NAME
        self._written = -1.0

    def started(self, progress: Progress, task: Task) -> None:
        self.tick(progress)

    def finished(self, progress: Progress, result: JobResult) -> None:
        self.tick(progress)

    def tick(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._written >= 0 and now - self._written < 1.0:
            return
        self._written = now
        running = [
            {"dataset": t.job.dataset, "method": t.job.method, "seconds": round(now - at, 1)}
            for t, at in progress.running.values()
        ]
        live = {"running": running, "eta_seconds": progress.eta.remaining_seconds()}
        try:
            write_atomically(self._path, json.dumps(live))
        except OSError:
            return  # it is a convenience; the store decides whether the run can go on

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def observers(folder: Path, *, json_events: bool) -> Sequence[Observer]:
    """Those of a command-line run: the log, the live file, and one for whoever reads the output."""
    front: Observer
    if json_events:
        front = JsonEvents(sys.stdout)
    elif sys.stderr.isatty():
        front = LiveLine(sys.stderr)
    else:
        front = PlainLines(sys.stderr)
    return (RunLog(folder), LiveFile(folder), front)

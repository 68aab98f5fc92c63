"""What a run leaves in its folder next to the store: a log, and while it lasts the file that `bench status` reads."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from bench.files import open_unlinked, refuse_link, write_atomically
from bench.protocols.registry import reduction_in_words
from bench.records.result import JobResult
from bench.run.events import Event, Note, Started
from bench.run.progress import JsonEvents, Observer, PlainLines, Progress, TerminalBar, describe
from bench.run.provenance import printable

LIVE_NAME = "live.json"

LOG = logging.getLogger("bench.run")
"""At level DEBUG everything that happens in a run, at INFO and above what whoever started it should see."""

LOG.setLevel(logging.DEBUG)
LOG.propagate = False  # a plug-in that configures the root logger would have each line shown a second time
LOG.addHandler(logging.NullHandler())


def log_event(event: Event) -> None:
    """Log a job's start, its end with what it printed last, or a note."""
    match event:
        case Started(task):
            details = ["with all cores"] if task.all_cores else []
            details += [reduction_in_words(task.job.reduction, (task.job.protocol,))] if task.job.reduction else []
            LOG.debug(f"start {task.job.name}" + (f": {'; '.join(details)}" if details else ""))
        case JobResult():
            LOG.log(logging.DEBUG if event.status == "ok" else logging.WARNING, describe(event))
            if event.output:
                LOG.debug("\n".join(f"    | {line}" for line in event.output.splitlines()))
        case Note(text):
            LOG.info(text)


class _Printable(logging.Formatter):
    """Text without what would move a terminal's cursor; times in UTC."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes above the bar, where there is one; neither a full disk nor a terminal that hangs up ends the run."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError), TerminalBar.external_write_mode(file=self.stream):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextlib.contextmanager
def logged_to(stream: TextIO, level: int = logging.INFO, form: str = "%(message)s") -> Iterator[None]:
    """While active, what is logged at ``level`` or above is written to ``stream``."""
    handler = _Handler(stream)
    handler.setLevel(level)
    handler.setFormatter(_Printable(form, "%Y-%m-%dT%H:%M:%S"))
    LOG.addHandler(handler)
    LOG.disabled = False  # as it is where a plug-in has configured logging without naming this logger
    try:
        yield
    finally:
        LOG.removeHandler(handler)


@contextlib.contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """While active, everything is logged to ``logs/<start>.log`` in the run folder, with its time."""
    refuse_link(folder / "logs")
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        (folder / "logs").mkdir(exist_ok=True)
        descriptor = open_unlinked(folder / "logs" / f"{stamp}.log", os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        print(f"bench: no log is written: {error}", file=sys.stderr)
        yield
        return
    stream = os.fdopen(descriptor, "a", encoding="utf-8")
    try:
        with logged_to(stream, logging.DEBUG, "%(asctime)s.%(msecs)03d+00:00 %(message)s"):
            yield
    finally:
        with contextlib.suppress(OSError):
            stream.close()


class LiveFile:
    """``live.json`` in the run folder: what `bench status` in another terminal shows as running."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LIVE_NAME
        self._written = -math.inf

    def __call__(self, progress: Progress, event: Event) -> None:
        now = time.monotonic()
        if now - self._written < 1.0:
            return
        self._written = now
        running = [
            {"dataset": task.job.dataset, "method": task.job.method, "seconds": round(seconds, 1)}
            for task, seconds in progress.elapsed()
        ]
        with contextlib.suppress(OSError):  # it is a convenience; the store decides whether the run can go on
            write_atomically(self._path, json.dumps({"running": running, "eta_seconds": progress.remaining_seconds()}))

    def close(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def watched(folder: Path, *, json_events: bool) -> Iterator[Sequence[Observer]]:
    """The observers of a command-line run, which is logged: the live file, and one for whoever reads the output."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(log_file(folder))
        live = stack.enter_context(contextlib.closing(LiveFile(folder)))
        if json_events:
            yield live, JsonEvents(sys.stdout)
            return
        stack.enter_context(logged_to(sys.stderr))
        terminal = sys.stderr.isatty()
        yield live, stack.enter_context(TerminalBar(sys.stderr)) if terminal else PlainLines(LOG.info)

"""What an executor reports while it runs jobs, and how it is told to stop."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Protocol

from bench.records.result import JobResult
from bench.run.plan import Task


class StopFlag(Protocol):
    """What the user wants of a run under way."""

    @property
    def draining(self) -> bool:
        """Start no further job."""

    @property
    def now(self) -> bool:
        """Give up the jobs in flight too."""


@dataclass(frozen=True)
class Started:
    """A job has been started."""

    task: Task


@dataclass(frozen=True)
class Tick:
    """Nothing happened for a moment; a chance to redraw."""


@dataclass(frozen=True)
class Note:
    """Something worth a line in the log."""

    text: str


Event = Started | JobResult | Note | Tick


class Interrupt:
    """While active, turns SIGINT and SIGTERM into the two flags of a :class:`StopFlag`."""

    def __init__(self) -> None:
        self.draining = False
        self.now = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A scheduler that sends SIGTERM follows it with SIGKILL soon: no time to let jobs finish.
        self.now = self.now or self.draining or number == signal.SIGTERM
        self.draining = True

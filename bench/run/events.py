"""What an engine tells while it runs jobs, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.records.result import JobResult
from bench.run.jobs import Task


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
    """A job has been handed to a worker."""

    task: Task


@dataclass(frozen=True)
class Tick:
    """Nothing happened for a moment; a chance to redraw."""


@dataclass(frozen=True)
class Note:
    """Something worth a line in the log."""

    text: str


Event = Started | JobResult | Note | Tick

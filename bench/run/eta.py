"""How long the rest will take, learned from what has finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.run.jobs import Task


@dataclass
class _Tally:
    expected_left: float = 0.0
    expected_done: float = 0.0
    measured_done: float = 0.0


class Eta:
    """Scales the methods' own expectations by how they fared so far."""

    def __init__(self, tasks: Sequence[Task], workers: int) -> None:
        self._workers = max(1, workers)
        self._tallies: dict[str, _Tally] = {}
        self._expected = {t.job.id: t.expected_seconds for t in tasks}
        for task in tasks:
            self._tallies.setdefault(task.job.method, _Tally()).expected_left += task.expected_seconds

    def finished(self, job_id: str, method: str, seconds: float, *, tried: bool) -> None:
        """Take a job off the list; its wall ``seconds`` count if it was ``tried``."""
        expected = self._expected.pop(job_id, None)
        if expected is None:
            return
        tally = self._tallies[method]
        tally.expected_left -= expected
        if tried:
            tally.expected_done += expected
            tally.measured_done += seconds

    def remaining_seconds(self) -> float:
        """Wall seconds until the last job ends, if the workers stay busy."""
        expected = sum(t.expected_done for t in self._tallies.values())
        overall = sum(t.measured_done for t in self._tallies.values()) / expected if expected > 0 else 1.0
        left = 0.0
        for tally in self._tallies.values():
            pace = tally.measured_done / tally.expected_done if tally.expected_done > 0 else overall
            left += max(0.0, tally.expected_left) * pace
        return left / self._workers

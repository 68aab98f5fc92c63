"""A worker as the harness sees it: its channel, its output, the job it has, what it uses."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from bench.records.result import HoldoutResult, JobResult, Status
from bench.run.jobs import Task
from bench.run.messages import BrokenMessage, MessageReader, encode
from bench.run.processes import anonymous_bytes, descendants, proportional_bytes
from bench.run.provenance import machine
from bench.run.tables import anonymous_file
from bench.run.verdict import output_tail, printable

_CHUNK = 1 << 16
_FURTHER_READINGS = 2
_STEADY_BYTES = 8 << 20
_MB = 1e6


@dataclass(eq=False)
class Worker:
    """One worker process. ``task`` is the job it is at, if any."""

    number: int
    channel: socket.socket
    output: int
    """Descriptor of the anonymous file that the worker's standard output and error go to."""
    pid: int = 0
    forked_from: int = 0
    """Process id of the nursery, with which it shares what it has not written to."""
    forked_bytes: int = 0
    """What the nursery held when it forked this process."""
    idle_bytes: int = 0
    """What the process held before its job."""
    tables: set[str] = field(default_factory=set)
    task: Task | None = None
    threads: int = 1
    started: float = 0.0
    allowance: int = 0
    peak_bytes: int = 0
    """Largest use beyond ``idle_bytes`` seen from outside, children included."""
    retired: bool = False
    verdict: tuple[Status, str] | None = None
    """Status and reason that the harness has killed it for."""
    silent_since: float | None = None
    """When its channel closed."""
    reader: MessageReader = field(default_factory=MessageReader)

    @classmethod
    def create(cls, number: int) -> tuple[Worker, socket.socket]:
        """A worker without a process yet, and the end of its channel that the process shall have."""
        ours, theirs = socket.socketpair()
        output = anonymous_file("bench-output")
        # Appending: after the harness empties the file for the next job, writing begins at its start.
        fcntl.fcntl(output, fcntl.F_SETFL, fcntl.fcntl(output, fcntl.F_GETFL) | os.O_APPEND)
        return cls(number, ours, output), theirs

    @property
    def fit(self) -> bool:
        """Whether it can be given a job: it is at none, and nothing says that it has ended or is about to."""
        return self.task is None and not self.retired and self.verdict is None and self.silent_since is None

    def give(self, task: Task, allowance: int, threads: int) -> bool:
        """Hand over a job; the table travels along the first time only. False if nobody is there to take it."""
        self.task, self.allowance, self.threads = task, allowance, threads
        self.started, self.peak_bytes = time.monotonic(), 0
        if self.pid:
            self.idle_bytes = anonymous_bytes(self.pid)
        os.ftruncate(self.output, 0)
        message = encode(
            {
                "job": task.job.id,
                "spec": task.spec,
                "protocol": task.job.protocol,
                "seed": task.job.seed,
                "table": task.table.key,
                "memory_bytes": allowance,
                "threads": threads,
            }
        )
        descriptors = [] if task.table.key in self.tables else [task.table.descriptor]
        self.tables.add(task.table.key)
        try:
            socket.send_fds(self.channel, [message], descriptors)
        except ConnectionError:  # it has just died, which the nursery will report
            self.silent_since = time.monotonic()
            return False
        return True

    def receive(self) -> list[dict[str, Any]]:
        """Messages that have arrived, without waiting. Raises :class:`BrokenMessage`."""
        messages: list[dict[str, Any]] = []
        while self.silent_since is None:
            try:
                chunk = self.channel.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                chunk = b""
            if not chunk:
                self.silent_since = time.monotonic()
            messages += self.reader.feed(chunk)
        return messages

    def measure(self) -> int:
        """Bytes used now beyond the idle worker, by it and what it forked."""
        if not self.pid:
            return 0
        family = descendants(self.pid)
        # The exact reading costs a millisecond or more: only where pages are shared within the job.
        use = self._family_bytes((self.pid, *family)) if family else anonymous_bytes(self.pid) - self.idle_bytes
        self.peak_bytes = max(self.peak_bytes, use)
        return max(0, use)

    def _family_bytes(self, family: tuple[int, ...]) -> int:
        """As :meth:`measure`, of the worker and what it forked: pages that they share with each other count once.

        A page that k processes have in common counts as 1/k in each one's proportional figure, so the sum over the
        family counts its own pages once. The libraries' pages are shared with the nursery too: each member's part of
        them is as large as the nursery's, and is not of the job's making.
        """
        kept = max(0, self.idle_bytes - self.forked_bytes)

        def reading() -> int:
            inherited = proportional_bytes(self.forked_from) if self.forked_from else 0
            return sum(proportional_bytes(pid) - inherited for pid in family) - kept

        # One that ends between two lines of a reading leaves its parts to the others, which then count twice.
        before, now = reading(), reading()
        for _ in range(_FURTHER_READINGS):
            if abs(now - before) < _STEADY_BYTES:
                break
            before, now = now, reading()
        return min(before, now)

    def fail(self, status: Status, reason: str) -> JobResult:
        """The result of its job when the worker itself can give none. The worker has no job afterwards."""
        task = self.task
        assert task is not None
        self.task = None
        return JobResult(
            job=task.job,
            status=status,
            reason=printable(reason),
            job_seconds=time.monotonic() - self.started,
            peak_rss_mb=(self.idle_bytes + self.peak_bytes) / _MB,
            provenance=self.provenance(task, self.peak_bytes),
            output=output_tail(self.output),
        )

    def provenance(self, task: Task, peak_bytes: int) -> dict[str, Any]:
        """Machine and memory figures that go with the result of ``task``."""
        return {
            **machine(self.threads),
            "memory_estimate_mb": round(task.estimated_bytes / _MB, 1),
            "memory_allowed_mb": round(self.allowance / _MB, 1),
            "memory_peak_mb": round(peak_bytes / _MB, 1),
        }

    def close(self) -> None:
        """Release the descriptors; the process is the nursery's business."""
        self.channel.close()
        os.close(self.output)


def read_answer(worker: Worker, message: dict[str, Any]) -> JobResult:
    """A worker's answer as the result of its job. Raises :class:`BrokenMessage` if it is not that."""
    task = worker.task
    if task is None or message.get("job") != task.job.id:
        raise BrokenMessage("an answer to a job it does not have")
    try:
        status: Status = message["status"]
        if status not in ("ok", "error", "oom"):
            raise BrokenMessage(f"the status {status!r}")
        peak_bytes = max(int(message["peak_growth_bytes"]), worker.peak_bytes)
        return JobResult(
            job=task.job,
            status=status,
            reason=printable(str(message["reason"])),
            holdouts=tuple(HoldoutResult(**holdout) for holdout in message["holdouts"]),
            job_seconds=float(message["job_seconds"]),
            cpu_seconds=float(message["cpu_seconds"]),
            peak_rss_mb=int(message["peak_rss_bytes"]) / _MB,
            provenance=worker.provenance(task, peak_bytes),
            output="" if status == "ok" else output_tail(worker.output),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenMessage(f"an incomplete answer ({type(error).__name__}: {error})") from None

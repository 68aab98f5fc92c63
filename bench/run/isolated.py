"""One job in a process of its own, watched from outside: for its end, the clock, memory and the output it prints."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any

from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult, Status
from bench.run.forkserver import ForkServer, Inherited, ServerLost
from bench.run.plan import Task
from bench.run.processes import (
    KernelKills,
    SharedSegments,
    anonymous_bytes,
    anonymous_file,
    descendants,
    proportional_bytes,
    shared_bytes,
)
from bench.run.provenance import machine, printable
from bench.run.worker import work_process

TICK_SECONDS = 0.1
"""How often clock and memory are looked at; an allocation at 4 GB/s overshoots its allowance by 0.4 GB at most."""

OUTPUT_LIMIT_BYTES = 64 << 20
TAIL_BYTES = 4000
TAIL_LINES = 30
_LINE_CHARACTERS = 240
_FURTHER_READINGS = 2
_STEADY_BYTES = 8 << 20
_ANSWER_LIMIT_BYTES = 256 << 20
_MB = 1e6


class Cancelled(Exception):
    """Nobody waits for the job any more; it was stopped and has no result."""


def isolated(
    task: Task,
    server: ForkServer,
    kills: KernelKills,
    *,
    memory_bytes: int,
    threads: int,
    unwanted: Callable[[], bool] = lambda: False,
) -> JobResult:
    """Run ``task`` to its end in a process forked from ``server``; blocks, and never raises for the job's sake.

    The job may use ``memory_bytes`` beyond what every job begins with, and has ``threads`` of linear algebra. One that
    is killed from outside is run once more before that counts as its failure. Raises
    :class:`~bench.run.forkserver.ServerLost` if the fork server died under it, :class:`Cancelled` once ``unwanted()``.
    """
    for last in (False, True):
        if unwanted():
            raise Cancelled
        result = _Attempt(task, server, kills, memory_bytes, threads).run(unwanted, last=last)
        if result is not None:
            return result
    raise AssertionError("the last attempt has a result")


class _Attempt:
    """A job's process, the files it writes to, and what it was seen to use."""

    def __init__(self, task: Task, server: ForkServer, kills: KernelKills, memory_bytes: int, threads: int) -> None:
        self._task, self._server, self._kills = task, server, kills
        self._allowance, self._threads = memory_bytes, threads
        self._began = time.monotonic()
        self._segments = SharedSegments()
        self._peak_bytes = 0

    def run(self, unwanted: Callable[[], bool], *, last: bool) -> JobResult | None:
        """The result; None if the process was killed from outside and this was not the ``last`` attempt."""
        with ExitStack() as stack:
            try:
                self._answer, self._output = (_file_until(stack) for _ in range(2))
            except OSError as error:  # too many are open, say
                reason = printable(f"its process could not be started: {error}")
                return JobResult(self._task.job, "error", reason)
            stack.callback(self._segments.remove)
            # Appending: what several processes of the job print does not overwrite each other.
            fcntl.fcntl(self._output, fcntl.F_SETFL, fcntl.fcntl(self._output, fcntl.F_GETFL) | os.O_APPEND)
            files = Inherited(self._answer), Inherited(self._output)
            process = self._server.start(
                work_process, (self._task.job.id, self._task.work, self._allowance, self._threads, *files)
            )
            pid, self._began = process.pid or 0, time.monotonic()
            verdict: tuple[Status, str] | None = None
            cancelled = False
            try:
                while verdict is None and not cancelled and not wait([process.sentinel], TICK_SECONDS):
                    verdict = self._judged(pid)
                    cancelled = unwanted()
            finally:
                self._segments.look((pid, *descendants(pid)))  # what it has made since, if it still lives
                code = self._server.end(process)
            result = self._answered()
            if result is not None:  # it counts even if the process was about to be killed, or the server died since
                return result
            if cancelled:
                raise Cancelled
            if verdict is None:
                if code is None:
                    raise ServerLost
                verdict = self._too_much() or self._death(code)
                if verdict is None and not last:
                    return None
            return self._failure(*(verdict or ("error", "its process was killed from outside (SIGKILL), twice")))

    def _judged(self, pid: int) -> tuple[Status, str] | None:
        """Status and reason if the process has run too long, grown too large or printed too much."""
        task = self._task
        if time.monotonic() - self._began > task.timeout_seconds:
            return "timeout", f"stopped after {task.timeout_seconds:,.0f} seconds (--timeout)"
        if self._used_bytes(pid) > self._allowance:
            return "oom", (
                f"stopped at {self._peak_bytes / _MB:,.0f} MB beyond the idle process: allowed "
                f"{self._allowance / _MB:,.0f} MB, its method estimated {task.estimated_bytes / _MB:,.0f} MB"
            )
        if os.fstat(self._output).st_size > OUTPUT_LIMIT_BYTES:
            return "error", f"stopped: it printed more than {OUTPUT_LIMIT_BYTES >> 20} MiB"
        return None

    def _too_much(self) -> tuple[Status, str] | None:
        """What is said of an answer that is there and is not read for its size."""
        size = os.fstat(self._answer).st_size
        if size <= _ANSWER_LIMIT_BYTES:
            return None
        return "error", (
            f"its result has {size >> 20} MiB, more than the {_ANSWER_LIMIT_BYTES >> 20} that are read; with "
            "--keep-predictions the predictions of all test samples are in it"
        )

    def _death(self, code: int) -> tuple[Status, str] | None:
        """What a process that ended by itself without an answer died of; None if somebody killed it."""
        if code == -signal.SIGKILL:
            if not self._kills.explains_one():
                return None
            return "oom", f"killed by the kernel: out of memory (last seen at {self._peak_bytes / _MB:,.0f} MB)"
        if code < 0:
            return "error", f"its process crashed: {signal_name(-code)}"
        return "error", f"its process ended with exit code {code} in the middle of the job"

    def _used_bytes(self, pid: int) -> int:
        """Bytes used now beyond what the job began with, by it and what it forked, shared memory included."""
        family = (pid, *descendants(pid))
        if len(family) == 1:
            used = anonymous_bytes(pid) - self._server.idle_bytes + shared_bytes(pid)
        else:  # the exact reading costs a millisecond or more: only where pages are shared within the job
            used = self._family_bytes(family)
        used = max(0, used) + self._segments.look(family)
        self._peak_bytes = max(self._peak_bytes, used)
        return used

    def _family_bytes(self, family: tuple[int, ...]) -> int:
        """As :meth:`_used_bytes`: pages that the processes share with each other count once.

        A page that k processes have in common counts as 1/k in each one's proportional figure, so the sum over the
        family counts its own pages once. The libraries' pages are shared with the fork server too: each member's part
        of them is as large as the fork server's, and is not of the job's making.
        """

        def reading() -> int:
            inherited, _ = proportional_bytes(self._server.pid)
            return sum(sum(proportional_bytes(pid)) - inherited for pid in family)

        # One that ends between two lines of a reading leaves its parts to the others, which then count twice.
        before, now = reading(), reading()
        for _ in range(_FURTHER_READINGS):
            if abs(now - before) < _STEADY_BYTES:
                break
            before, now = now, reading()
        return min(before, now)

    def _answered(self) -> JobResult | None:
        """The result that the process has written; None if it has not, or something else stands there."""
        size = os.fstat(self._answer).st_size
        if not 0 < size <= _ANSWER_LIMIT_BYTES:
            return None
        try:
            answer = json.loads(os.pread(self._answer, size, 0))
            status: Status = answer["status"]
            if answer["job"] != self._task.job.id or status not in ("ok", "error", "oom", "skipped"):
                return None
            further = zip(self._task.further, answer["further"], strict=True) if "further" in answer else ()
            return replace(
                self._result(self._task.job, answer, answer),
                further=tuple(self._result(job, {"status": "ok", "reason": "", **own}, answer) for job, own in further),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def _result(self, job: Job, own: dict[str, Any], whole: dict[str, Any]) -> JobResult:
        """The result of ``job``: its ``own`` outcome in a process whose figures ``whole`` has."""
        peak = max(int(whole["peak_growth_bytes"]), self._peak_bytes)
        return JobResult(
            job=job,
            status=own["status"],
            reason=printable(str(own["reason"])),
            holdouts=tuple(HoldoutResult(**holdout) for holdout in own.get("holdouts", ())),
            values=dict(own.get("values", {})),
            predictions=tuple(own.get("predictions", ())),
            job_seconds=float(whole["job_seconds"]),
            cpu_seconds=max(0.0, float(whole["cpu_seconds"]) - float(own.get("spared_seconds", 0.0))),
            peak_rss_mb=int(whole["peak_rss_bytes"]) / _MB,
            provenance=self._provenance(peak) | dict(whole.get("device", {})),
            output="" if own["status"] == "ok" else output_tail(self._output),
        )

    def _failure(self, status: Status, reason: str) -> JobResult:
        """The result when the process itself has given none."""
        return JobResult(
            job=self._task.job,
            status=status,
            reason=printable(reason),
            job_seconds=time.monotonic() - self._began,
            peak_rss_mb=(self._server.idle_bytes + self._peak_bytes) / _MB,
            provenance=self._provenance(self._peak_bytes),
            output=output_tail(self._output),
        )

    def _provenance(self, peak_bytes: int) -> dict[str, Any]:
        """Machine and memory figures that go with the result."""
        return {
            **machine(self._threads, self._task.work.device),
            "memory_estimate_mb": round(self._task.estimated_bytes / _MB, 1),
            "memory_allowed_mb": round(self._allowance / _MB, 1),
            "memory_peak_mb": round(peak_bytes / _MB, 1),
        }


def _file_until(stack: ExitStack) -> int:
    """A nameless file that is closed at the end of ``stack``."""
    descriptor = anonymous_file()
    stack.callback(os.close, descriptor)
    return descriptor


def output_tail(descriptor: int) -> str:
    """The last lines in an output file, whatever bytes they are made of, as printable text."""
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode(errors="replace")
    lines = [printable(line)[:_LINE_CHARACTERS] for line in re.split(r"\r\n|\r|\n", text)]
    return "\n".join(lines[-TAIL_LINES:]).strip()


def signal_name(number: int) -> str:
    """``SIGSEGV (segmentation fault)`` for 11."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    description = signal.strsignal(number)
    return f"{name} ({description.lower()})" if description else name

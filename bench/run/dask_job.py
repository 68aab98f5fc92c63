"""What runs inside a Dask worker: the same supervised pool as on one machine, for one job at a time and thread.

A job that crashes, hangs or grows therefore costs neither the Dask worker nor the jobs beside it; and what is lost when
a Dask worker is killed is given to another. A job that nobody waits for any more is stopped.
"""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.methods import get_method
from bench.records.result import Job, JobResult
from bench.run.identity import code_version
from bench.run.jobs import SharedTable, Task
from bench.run.pool import Pool
from bench.run.resources import available_cores, default_memory_budget
from bench.run.tables import share
from bench.run.verdict import printable

_TABLES_HELD = 256
"""Descriptors of shared tables a Dask worker keeps; beyond, the one used least recently is given up."""


class _Unwanted:
    """Whether Dask wants the task that this thread is at no more: cancelled, its client gone, its worker closing."""

    draining = False

    def __init__(self) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._key = self._worker.get_current_task()

    @property
    def now(self) -> bool:
        task = self._worker.state.tasks.get(self._key)
        closing = self._worker.status.name not in ("init", "running", "paused")
        return closing or task is None or task.state == "cancelled"


class _Site:
    """The pools and shared tables of this process, one pool per thread that runs jobs at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Pool] = []
        self._tables: OrderedDict[str, int] = OrderedDict()

    def take(self, memory_bytes: int, cores: int, preload: list[str]) -> Pool:
        with self._lock:
            pool = self._idle.pop() if self._idle else Pool(1, memory_bytes, cores, preload)
        pool.memory_bytes, pool.cores = memory_bytes, cores
        return pool

    def give_back(self, pool: Pool) -> None:
        with self._lock:
            self._idle.append(pool)

    def descriptor(self, key: str, block: bytes | None) -> int | None:
        with self._lock:
            if key not in self._tables:
                if block is None:
                    return None
                self._tables[key] = share(block)
            self._tables.move_to_end(key)
            # Not closed when given up: a job in another thread may be about to send it. It goes with the process.
            while len(self._tables) > _TABLES_HELD:
                self._tables.popitem(last=False)
            return self._tables[key]


_site = _Site()


def offer() -> dict[str, Any]:
    """What this Dask worker has for jobs: the fields of :class:`bench.run.placement.Offer`."""
    host = socket.gethostname()
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        machine = host
    return {
        "machine": machine,
        "host": host,
        "cores": available_cores(),
        "memory_bytes": default_memory_budget(),
    }


def run_job(message: dict[str, Any], block: bytes | None) -> dict[str, Any] | None:
    """Run the job of ``message`` on the packed table ``block``; the :class:`JobResult` as plain data.

    ``message`` is ``{"job", "spec", "code", "estimated_bytes", "expected_seconds", "timeout_seconds", "table",
    "memory_bytes", "cores", "preload"}``. A table that this worker has been sent before is not sent again: ``block`` is
    None then, and so is what is returned if the table is not here any more.
    """
    job = Job(**message["job"])
    try:
        code = code_version(get_method(message["spec"]))
    except UsageError as error:
        reason = f"this Dask worker has not what {job.method} needs: {error}"
        return dataclasses.asdict(JobResult(job, "error", printable(reason)))
    if code != message["code"]:
        reason = f"this Dask worker has other code of {job.method} than where the run was started: install the same"
        return dataclasses.asdict(JobResult(job, "error", reason))
    descriptor = _site.descriptor(message["table"], block)
    if descriptor is None:
        return None
    task = Task(
        job=job,
        spec=message["spec"],
        table=SharedTable(message["table"], descriptor),
        estimated_bytes=message["estimated_bytes"],
        expected_seconds=message["expected_seconds"],
        timeout_seconds=message["timeout_seconds"],
    )
    pool = _site.take(message["memory_bytes"], message["cores"], message["preload"])
    try:
        results = [event for event in pool.stream([task], _Unwanted()) if isinstance(event, JobResult)]
    except BaseException:
        pool.close()
        raise
    _site.give_back(pool)
    if not results:  # nobody waits for it; should Dask change its mind, it has to be run anew
        from distributed import Reschedule

        raise Reschedule
    return dataclasses.asdict(results[0])

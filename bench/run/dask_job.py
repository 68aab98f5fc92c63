"""What runs inside a Dask worker: the same supervised pool as on one machine, for one job at a time and thread.

A job that crashes, hangs or grows therefore costs neither the Dask worker nor the jobs beside it; and what the Dask
worker loses when it is killed, Dask hands to another.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from typing import Any

from bench.methods import get_method
from bench.run.identity import code_version
from bench.run.jobs import SharedTable, Task
from bench.run.pool import Pool
from bench.run.resources import default_memory_budget
from bench.run.result import Job, JobResult
from bench.run.tables import share

_TABLES_HELD = 256
"""Descriptors of shared tables a Dask worker keeps; beyond, the one used least recently is given up."""


class _Unstoppable:
    """Dask cancels jobs that have not begun; one that has begun ends or is killed with its Dask worker."""

    draining = False
    now = False


class _Site:
    """The pools and shared tables of this process, one pool per thread that runs jobs at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Pool] = []
        self._tables: OrderedDict[str, int] = OrderedDict()

    def take(self, memory_bytes: int, preload: list[str]) -> Pool:
        with self._lock:
            pool = self._idle.pop() if self._idle else Pool(1, memory_bytes, cores=1, preload=preload)
        pool.memory_bytes = memory_bytes
        return pool

    def give_back(self, pool: Pool) -> None:
        with self._lock:
            self._idle.append(pool)

    def descriptor(self, key: str, block: bytes) -> int:
        with self._lock:
            if key not in self._tables:
                self._tables[key] = share(block)
            self._tables.move_to_end(key)
            # Not closed when given up: a job in another thread may be about to send it. It goes with the process.
            while len(self._tables) > _TABLES_HELD:
                self._tables.popitem(last=False)
            return self._tables[key]


_site = _Site()


def run_job(message: dict[str, Any], block: bytes) -> dict[str, Any]:
    """Run the job of ``message`` on the packed table ``block``; the :class:`JobResult` as plain data.

    ``message`` is ``{"job", "spec", "code", "estimated_bytes", "expected_seconds", "timeout_seconds", "table",
    "memory_bytes", "slots", "preload"}``; ``memory_bytes`` None means this machine's default budget.
    """
    job = Job(**message["job"])
    code = code_version(get_method(message["spec"]))
    if code != message["code"]:
        reason = f"this Dask worker has other code of {job.method} than where the run was started: install the same"
        return dataclasses.asdict(JobResult(job, "error", reason))
    budget = message["memory_bytes"] or default_memory_budget()
    task = Task(
        job=job,
        spec=message["spec"],
        table=SharedTable(message["table"], _site.descriptor(message["table"], block)),
        estimated_bytes=message["estimated_bytes"],
        expected_seconds=message["expected_seconds"],
        timeout_seconds=message["timeout_seconds"],
    )
    pool = _site.take(budget // message["slots"], message["preload"])
    results = [event for event in pool.stream([task], _Unstoppable()) if isinstance(event, JobResult)]
    _site.give_back(pool)
    return dataclasses.asdict(results[0])

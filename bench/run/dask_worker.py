"""What runs inside a Dask worker: the same isolated process a job as on one machine.

A job that crashes, hangs or grows therefore harms neither the Dask worker nor other jobs. If a Dask worker is killed,
its jobs are given to another. A job that nobody waits for any more is stopped.
"""

from __future__ import annotations

import atexit
import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.records.result import JobResult
from bench.run.forkserver import ForkServer, ServerLost, sweep_leftovers
from bench.run.identity import Fingerprint
from bench.run.isolated import Cancelled, isolated
from bench.run.plan import Task, refused
from bench.run.processes import KernelKills
from bench.run.provenance import printable
from bench.run.resources import available_cores, default_memory_budget
from bench.run.work import Work

_DEATHS_ALLOWED = 4
_HOME = "the fork server of a Dask worker"
_kills = KernelKills()


@dataclass(frozen=True)
class Offer:
    """What a Dask worker says of itself and of the machine it is on."""

    machine: str
    """The same for all workers of one machine, containers included."""
    host: str
    """Its name, for the log."""
    cores: int
    memory_bytes: int
    """Default budget of all jobs together, as this worker sees it."""
    differences: tuple[str, ...] = ()
    """What it would compute with other code or other libraries than where the run was started."""


def offer(wanted: Sequence[tuple[str, Work, Fingerprint]]) -> Offer:
    """What this worker has, and how it differs from what is ``wanted``: (name, work without data, fingerprint)."""
    host = socket.gethostname()
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        machine = host
    found = tuple(dict.fromkeys(text for item in wanted if (text := _difference(*item))))
    return Offer(machine, host, available_cores(), default_memory_budget(), found)


def _difference(name: str, work: Work, wanted: Fingerprint) -> str:
    try:
        here = work.fingerprint()
    except BenchError as error:
        return f"it does not have what {name} needs: {error}"
    if here.versions != wanted.versions:
        return f"{name}: {here.words or 'no library'} there, {wanted.words} where the run was started"
    return "" if here.code == wanted.code else f"other code of {name}"


def run_job(task: Task, data: Any, preload: tuple[str, ...], memory_bytes: int, cores: int) -> JobResult:
    """The result of ``task``, whose ``data`` was sent apart, within ``memory_bytes``."""
    from distributed import Reschedule

    if task.estimated_bytes > memory_bytes:
        return refused(task, memory_bytes)
    task = replace(task, work=replace(task.work, data=data)) if data is not None else task  # type: ignore[type-var]
    unwanted = _Unwanted()
    deaths = 0
    while deaths < _DEATHS_ALLOWED:
        try:
            # After a death of the fork server this job runs alone: only then is it the cause of another one.
            with _server.using(preload, alone=deaths > 0) as server:
                return isolated(
                    task,
                    server,
                    _kills,
                    memory_bytes=memory_bytes,
                    threads=cores if task.all_cores else 1,
                    unwanted=unwanted,
                )
        except ServerLost:
            deaths += 1
        except Cancelled:
            raise Reschedule from None  # should Dask change its mind, it has to be run anew
    reason = f"the fork server died {deaths - 1} times while only this job ran"
    return JobResult(task.job, "error", printable(reason))


class _Server:
    """This process's fork server, for all its threads and runs; started anew while idle if modules are to be added."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._server: ForkServer | None = None
        self._loaded: frozenset[str] = frozenset()
        self._users = 0
        self._alone = False

    @contextlib.contextmanager
    def using(self, preload: tuple[str, ...], *, alone: bool) -> Iterator[ForkServer]:
        """The fork server, with ``preload`` loaded if that can be had without stopping a job; ``alone`` with it."""
        with self._free:
            self._free.wait_for(lambda: not self._alone and not (alone and self._users))
            if self._server is None or (not self._users and not self._loaded.issuperset(preload)):
                self.stop()
                self._loaded |= frozenset(preload)
                sweep_leftovers(_HOME)
                self._server = ForkServer(_HOME, self._loaded)
            server = self._server
            self._users += 1
            self._alone = alone
        try:
            yield server
        finally:
            with self._free:
                self._users -= 1
                self._alone = False
                self._free.notify_all()

    def stop(self) -> None:
        """End it, and its jobs."""
        if self._server is not None:
            self._server.stop()
            self._server = None


_server = _Server()
atexit.register(_server.stop)


class _Unwanted:
    """Whether Dask wants the task that this thread is at no more: cancelled, its client gone, its worker closing."""

    def __init__(self) -> None:
        from distributed import get_worker

        self._worker = get_worker()
        self._key = self._worker.get_current_task()

    def __call__(self) -> bool:
        task = self._worker.state.tasks.get(self._key)
        closing = self._worker.status.name not in ("init", "running", "paused")
        return closing or task is None or task.state == "cancelled"

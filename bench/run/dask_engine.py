"""Jobs on a Dask cluster, results streamed back to the one store.

At most as many jobs as the cluster has threads are out at any time: so stopping is prompt, and workers that join later
are used. A table is sent to the cluster when its first job is, and Dask keeps it on each worker that needed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import queue
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from bench.errors import EngineError, UsageError
from bench.run.dask_job import run_job
from bench.run.events import Event, Started, StopFlag, Tick
from bench.run.identity import code_version
from bench.run.jobs import NamedMethod, Task
from bench.run.result import HoldoutResult, Job, JobResult
from bench.run.verdict import printable

CONNECT_SECONDS = 15
PATIENCE_SECONDS = 60.0
"""How long a run waits without any connected worker, or with a scheduler that does not answer, before it ends."""

_TICK_SECONDS = 0.2
_LOSSES_ALLOWED = 5
_CONNECTION_ERRORS = (OSError, TimeoutError, CancelledError, asyncio.CancelledError)
"""What a call to the scheduler raises when it, or the worker that held the answer, is gone."""


class DaskEngine:
    """Runs tasks through a scheduler at ``address``, or on a local cluster of ``size`` workers of one thread each."""

    def __init__(
        self,
        address: str | None,
        size: int,
        memory_bytes: int | None,
        methods: Sequence[NamedMethod],
        preload: Sequence[str],
    ) -> None:
        """Connect. Raises :class:`UsageError` without the ``dask`` extra, :class:`EngineError` without a scheduler."""
        try:
            import distributed
        except ImportError:
            raise UsageError("--engine dask needs the extra: pip install 'rfmbench[dask]'") from None
        self._cluster = None
        self._address = address or "a local cluster"
        self._memory_bytes = memory_bytes
        self._preload = list(preload)
        self._codes = {m.method.name: code_version(m.method) for m in methods}
        try:
            if address is None:
                # Jobs are supervised by us, not by Dask's nanny: it would kill a worker and all its jobs for memory.
                self._cluster = distributed.LocalCluster(
                    n_workers=size, threads_per_worker=1, processes=True, memory_limit=None, dashboard_address=None
                )
                if memory_bytes is not None:
                    self._memory_bytes = memory_bytes // size
            self._client = distributed.Client(self._cluster or address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            self.close()
            raise EngineError(
                f"no Dask scheduler answers at {self._address} ({type(error).__name__}: {error}); "
                f"start one with `dask scheduler` and give its address with --scheduler tcp://HOST:8786"
            ) from error
        self.size = max(1, self._slots()[0])

    def close(self) -> None:
        """Disconnect; a local cluster ends."""
        for part in (getattr(self, "_client", None), self._cluster):
            if part is not None:
                with contextlib.suppress(Exception):  # it may be gone already
                    part.close()

    def stream(self, tasks: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
        """As :meth:`bench.run.pool.Pool.stream`. Raises :class:`EngineError` when the scheduler is gone for good."""
        waiting = deque(tasks)
        out: dict[str, Task] = {}
        futures: dict[str, Any] = {}
        finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        sent: dict[str, Any] = {}
        losses: dict[str, int] = {}
        silent_since: float | None = None
        while not stop.now and (out or (waiting and not stop.draining)):
            threads, largest = self._slots()
            # No worker yet, or none any more: jobs wait at the scheduler until one comes.
            silent_since = None if threads else silent_since or time.monotonic()
            if silent_since is not None and time.monotonic() - silent_since > PATIENCE_SECONDS:
                raise EngineError(
                    f"the Dask scheduler at {self._address} is gone or has had no worker for {PATIENCE_SECONDS:.0f} "
                    "seconds. All results so far are stored; run the same command again to go on"
                )
            while waiting and not stop.draining and len(out) < threads:
                try:
                    future = self._submit(waiting[0], sent, largest)
                except _CONNECTION_ERRORS:  # no answer: whether for good shows above
                    time.sleep(_TICK_SECONDS)
                    break
                task = out[future.key] = waiting.popleft()
                futures[future.key] = future
                future.add_done_callback(finished.put)
                yield Started(task)
            result = None
            with contextlib.suppress(queue.Empty):
                done = finished.get(timeout=_TICK_SECONDS)
                task = out.pop(done.key)
                result = self._outcome(futures.pop(done.key), task)
                if result is None:
                    # Its table may have lived on a worker that is gone: the table is sent again.
                    sent.pop(task.table.key, None)
                    losses[task.job.id] = losses.get(task.job.id, 0) + 1
                    if losses[task.job.id] <= _LOSSES_ALLOWED:
                        waiting.appendleft(task)
                    else:
                        result = JobResult(task.job, "error", f"lost by the Dask cluster {losses[task.job.id]} times")
            yield Tick() if result is None else result
        for future in futures.values():
            with contextlib.suppress(Exception):
                future.cancel()

    def _submit(self, task: Task, sent: dict[str, Any], slots: int) -> Any:
        if task.table.key not in sent:
            sent[task.table.key] = self._client.scatter(task.table.read(), hash=False, timeout=CONNECT_SECONDS)
        message = {
            "job": dataclasses.asdict(task.job),
            "spec": task.spec,
            "code": self._codes[task.job.method],
            "estimated_bytes": task.estimated_bytes,
            "expected_seconds": task.expected_seconds,
            "timeout_seconds": task.timeout_seconds,
            "table": task.table.key,
            "memory_bytes": self._memory_bytes,
            "slots": max(1, slots),
            "preload": self._preload,
        }
        return self._client.submit(run_job, message, sent[task.table.key], pure=False)

    def _outcome(self, future: Any, task: Task) -> JobResult | None:
        """The result of a future that is done; ``None`` if the cluster lost it."""
        if future.status in ("cancelled", "lost"):
            return None
        try:
            error = future.exception(timeout=CONNECT_SECONDS)
            if error is not None:
                return JobResult(
                    task.job, "error", printable(f"on the Dask cluster: {type(error).__name__}: {error}"[:500])
                )
            return _restored(future.result(timeout=CONNECT_SECONDS))
        except _CONNECTION_ERRORS:
            return None

    def _slots(self) -> tuple[int, int]:
        """(threads of the whole cluster, threads of its largest worker); zeros while the scheduler is not reachable."""
        if self._client.status != "running":
            return 0, 0
        try:
            threads = list(self._client.nthreads().values())
        except (OSError, TimeoutError, AttributeError):
            return 0, 0
        return sum(threads), max(threads, default=0)


def _restored(plain: dict[str, Any]) -> JobResult:
    holdouts = tuple(HoldoutResult(**holdout) for holdout in plain["holdouts"])
    return JobResult(**{**plain, "job": Job(**plain["job"]), "holdouts": holdouts})

"""Jobs on a Dask cluster, results streamed back to the one store.

The engine itself decides which worker takes which job (:mod:`bench.run.placement`) and has out at any time as many as
can run: so stopping is prompt, workers that join later are used, and a table is sent to a worker once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import queue
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

from bench.errors import EngineError, UsageError
from bench.records.result import HoldoutResult, Job, JobResult
from bench.run.dask_job import offer, run_job
from bench.run.events import Event, Note, Started, StopFlag, Tick
from bench.run.identity import code_version
from bench.run.jobs import NamedMethod, Task
from bench.run.placement import Offer, Place, Placement
from bench.run.verdict import printable

CONNECT_SECONDS = 15
PATIENCE_SECONDS = 60.0
"""How long a run waits without any usable worker, or with a scheduler that does not answer, before it ends."""

_TICK_SECONDS = 0.2
_LOSSES_ALLOWED = 5
_CONNECTION_ERRORS = (OSError, TimeoutError, CancelledError, asyncio.CancelledError, ValueError, KeyError)
"""What a call to the scheduler raises when it, or the worker it was about, is gone."""


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
        self._preload = list(preload)
        self._codes = {m.method.name: code_version(m.method) for m in methods}
        try:
            if address is None:
                # Jobs are supervised by us, not by Dask's nanny: it would kill a worker and all its jobs for memory.
                self._cluster = distributed.LocalCluster(
                    n_workers=size, threads_per_worker=1, processes=True, memory_limit=None, dashboard_address=None
                )
                memory_bytes = memory_bytes and memory_bytes // size
            self._client = distributed.Client(self._cluster or address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            self.close()
            raise EngineError(
                f"no Dask scheduler answers at {self._address} ({type(error).__name__}: {error}); "
                f"start one with `dask scheduler` and give its address with --scheduler tcp://HOST:8786"
            ) from error
        self._memory_bytes = memory_bytes
        self.size = max(1, sum((self._threads() or {}).values()))

    def close(self) -> None:
        """Disconnect; a local cluster ends."""
        for part in (getattr(self, "_client", None), self._cluster):
            if part is not None:
                with contextlib.suppress(Exception):  # it may be gone already
                    part.close()

    def stream(self, tasks: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
        """As :meth:`bench.run.pool.Pool.stream`. Raises :class:`EngineError` when the scheduler is gone for good."""
        run = _Run(self._client, tasks, Placement(self._memory_bytes), self._codes, self._preload)
        silent_since: float | None = None
        while not stop.now and (run.out or (run.waiting and not stop.draining)):
            threads = self._threads()
            events: list[Event] = [] if threads is None else run.look_around(threads)
            yield from events
            # No worker yet, or none any more: jobs wait until one comes.
            silent_since = None if threads is not None and run.placement.slots else silent_since or time.monotonic()
            if silent_since is not None and time.monotonic() - silent_since > PATIENCE_SECONDS:
                raise EngineError(
                    f"the Dask scheduler at {self._address} is gone or has had no usable worker for "
                    f"{PATIENCE_SECONDS:.0f} seconds. All results so far are stored; run the same command again "
                    "to go on"
                )
            if silent_since is None and not stop.draining:
                yield from run.send()
            yield from run.collect() or [Tick()]
        run.cancel()

    def _threads(self) -> Mapping[str, int] | None:
        """Threads of each worker by its address; None while the scheduler is not reachable."""
        if self._client.status != "running":
            return None
        try:
            threads: Mapping[str, int] = self._client.nthreads()
            return threads
        except (OSError, TimeoutError, AttributeError):
            return None


class _Run:
    """The jobs of one stream: those that wait, those that are out, and the futures that stand for them."""

    def __init__(
        self, client: Any, tasks: Sequence[Task], placement: Placement, codes: Mapping[str, str], preload: list[str]
    ) -> None:
        self.waiting = deque(tasks)
        self.out: dict[str, Task] = {}
        self.placement = placement
        self._client = client
        self._codes = codes
        self._preload = preload
        self._futures: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        self._tables: dict[tuple[str, str], Any] = {}
        """By worker and table, those on their way: once a job there has ended, the worker keeps the table itself."""
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._losses: dict[str, int] = {}

    def look_around(self, threads: Mapping[str, int]) -> list[Event]:
        """Ask new workers what they have, and give up what was out on those that are gone."""
        for worker in [w for w in self._asked if w not in threads]:
            del self._asked[worker]
        for worker in [w for w in threads if w not in self._asked]:
            with contextlib.suppress(*_CONNECTION_ERRORS):
                self._asked[worker] = self._client.submit(offer, pure=False, workers=[worker])
                self._asked[worker].add_done_callback(self._finished.put)
        gone = set(self.placement.update(threads))
        events: list[Event] = []
        for key in [key for key, task in self.out.items() if task.job.id in gone]:
            future = self._futures[key]
            events += self._back(key, _Again.LOST)
            with contextlib.suppress(*_CONNECTION_ERRORS):
                future.cancel()
        return events + [Note(line) for line in self.placement.news()]

    def send(self) -> Iterator[Started]:
        """Send out what can start now, in the order of the queue."""
        kept_free: set[str] = set()
        for task in list(self.waiting):
            if not self.placement.has_room(kept_free):
                return
            place = self.placement.place(task, kept_free=kept_free)
            if place is None:
                continue
            try:
                future = self._submit(task, place)
            except _CONNECTION_ERRORS:  # no answer: whether for good shows elsewhere
                time.sleep(_TICK_SECONDS)
                return
            self.waiting.remove(task)
            self.placement.sent(task, place)
            self.out[future.key], self._futures[future.key] = task, future
            future.add_done_callback(self._finished.put)
            yield Started(task)

    def collect(self) -> list[Event]:
        """What has come back, waiting for a moment if nothing has."""
        with contextlib.suppress(queue.Empty):
            done = self._finished.get(timeout=_TICK_SECONDS)
            if done.key in self.out:
                return self._back(done.key, self._outcome(done, self.out[done.key]))
            worker = next((w for w, future in self._asked.items() if future.key == done.key), None)
            if worker is not None:
                return self._offered(worker, done)
        return []

    def cancel(self) -> None:
        """Have the cluster forget everything; jobs that have begun are stopped there."""
        for future in (*self._futures.values(), *self._asked.values()):
            with contextlib.suppress(Exception):
                future.cancel()

    def _submit(self, task: Task, place: Place) -> Any:
        route = (place.worker, task.table.key)
        if not self.placement.has_table(*route) and route not in self._tables:
            self._tables[route] = self._client.scatter(
                task.table.read(), workers=[place.worker], hash=False, timeout=CONNECT_SECONDS
            )
        message = {
            "job": dataclasses.asdict(task.job),
            "spec": task.spec,
            "code": self._codes[task.job.method],
            "estimated_bytes": task.estimated_bytes,
            "expected_seconds": task.expected_seconds,
            "timeout_seconds": task.timeout_seconds,
            "table": task.table.key,
            "memory_bytes": place.memory_bytes,
            "cores": place.cores,
            "preload": self._preload,
        }
        return self._client.submit(run_job, message, self._tables.get(route), pure=False, workers=[place.worker])

    def _back(self, key: str, outcome: JobResult | _Again) -> list[Event]:
        """A job is out no longer: its result, or nothing if it is to be run again."""
        task = self.out.pop(key)
        del self._futures[key]
        place = self.placement.returned(task, keeps_table=isinstance(outcome, JobResult))
        self._tables.pop((place.worker, task.table.key), None)
        if isinstance(outcome, JobResult):
            return [outcome]
        losses = self._losses[task.job.id] = self._losses.get(task.job.id, 0) + (outcome is _Again.LOST)
        if losses <= _LOSSES_ALLOWED:
            self.waiting.appendleft(task)
            return []
        reason = (
            f"not done: the Dask workers that had it were lost {losses} times (killed, or their machines gone), which "
            "says nothing about the job itself"
        )
        return [JobResult(task.job, "error", reason)]

    def _outcome(self, future: Any, task: Task) -> JobResult | _Again:
        """What became of a future that is done."""
        if future.status in ("cancelled", "lost"):
            return _Again.LOST
        try:
            error = future.exception(timeout=CONNECT_SECONDS)
            if error is None:
                plain = future.result(timeout=CONNECT_SECONDS)
                return _Again.WITH_TABLE if plain is None else _restored(plain)
        except _CONNECTION_ERRORS:
            return _Again.LOST
        if type(error).__name__ == "KilledWorker":  # what Dask says of a task whose workers died: not the job's fault
            return _Again.LOST
        return JobResult(task.job, "error", printable(f"on the Dask cluster: {type(error).__name__}: {error}"[:500]))

    def _offered(self, worker: str, future: Any) -> list[Event]:
        """A worker has said what it has, or why it cannot (this package is not installed there, say)."""
        try:
            error = None if future.status == "finished" else future.exception(timeout=CONNECT_SECONDS)
            if error is None:
                self.placement.offered(worker, Offer(**future.result(timeout=CONNECT_SECONDS)))
        except _CONNECTION_ERRORS:
            self._asked.pop(worker, None)  # if it is still there, it is asked again
            return []
        if error is not None:
            return [Note(printable(f"the Dask worker {worker} cannot be used: {type(error).__name__}: {error}"))]
        return [Note(line) for line in self.placement.news()]


class _Again(enum.Enum):
    """Why a job has to be run again."""

    LOST = enum.auto()
    """Its worker is gone."""
    WITH_TABLE = enum.auto()
    """Its worker has no table of that key any more."""


def _restored(plain: dict[str, Any]) -> JobResult:
    holdouts = tuple(HoldoutResult(**holdout) for holdout in plain["holdouts"])
    return JobResult(**{**plain, "job": Job(**plain["job"]), "holdouts": holdouts})

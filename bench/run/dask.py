"""Jobs on a Dask cluster, results streamed back to the one store.

The executor itself decides which worker takes which job (:mod:`bench.run.placement`) and has out at any time as many as
can run: so stopping is prompt, workers that join later are used, and a dataset is sent to a worker once. Dask's own
resources cannot say this: what a machine has is known to its workers alone, and a job that has a machine to itself
needs all of it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from bench.errors import EngineError, UsageError
from bench.records.result import JobResult
from bench.run.dask_worker import offer, run_job
from bench.run.events import Event, Note, Started, StopFlag, Tick
from bench.run.placement import Place, Placement
from bench.run.plan import Task, one_of_each_method
from bench.run.provenance import REASON_CHARACTERS, printable

CONNECT_SECONDS = 15
NO_WORKER_SECONDS = 60.0
"""How long a run waits without any usable worker, or with a scheduler that does not answer, before it ends."""

OFFER_SECONDS = 300.0
"""How long a worker may take to say what it has."""

_TICK_SECONDS = 0.2
_LOSSES_ALLOWED = 5
_CONNECTION_ERRORS = (OSError, CancelledError, asyncio.CancelledError, ValueError, KeyError)
"""What a call to the scheduler raises when it, or the worker it was about, is gone."""


class DaskExecutor:
    """Runs tasks through a scheduler at ``address``, or on a local cluster of ``size`` workers of one thread each."""

    def __init__(self, address: str | None, size: int, memory_bytes: int | None) -> None:
        """Connect. Raises :class:`UsageError` without the ``dask`` extra, :class:`EngineError` without a scheduler."""
        try:
            import distributed
        except ImportError:
            raise UsageError("--engine dask needs a further package: pip install distributed") from None
        self._cluster = None
        self._address = address or "a local cluster"
        try:
            if address is not None:
                _knock(address)
            else:
                # Jobs are supervised by us, not by Dask's nanny: it would kill a worker and all its jobs for memory.
                self._cluster = distributed.LocalCluster(
                    n_workers=size, threads_per_worker=1, processes=True, memory_limit=None, dashboard_address=":0"
                )
                memory_bytes = memory_bytes and memory_bytes // size
            self._client = distributed.Client(self._cluster or address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
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
        """As :meth:`bench.run.local.LocalExecutor.stream`; also :class:`EngineError` when the scheduler is gone."""
        run = _Run(self._client, tasks, Placement(self._memory_bytes))
        silent_since: float | None = None
        try:
            while not stop.now and (run.out or (run.waiting and not stop.draining)):
                threads = self._threads()
                yield from [] if threads is None else run.look_around(threads)
                # No worker yet, or none any more: jobs wait until one comes.
                usable = threads is not None and (run.placement.slots or run.asking())
                silent_since = None if usable else silent_since or time.monotonic()
                if silent_since is not None and time.monotonic() - silent_since > NO_WORKER_SECONDS:
                    raise EngineError(
                        f"the Dask scheduler at {self._address} is gone or has had no usable worker for "
                        f"{NO_WORKER_SECONDS:.0f} seconds{run.why_unusable}. All results so far are stored; run the "
                        "same command again to resume"
                    )
                if silent_since is None and not stop.draining:
                    yield from run.send()
                yield from run.collect() or [Tick()]
        finally:
            run.cancel()

    def _threads(self) -> Mapping[str, int] | None:
        """Threads of each worker by its address; None while the scheduler is not reachable."""
        if self._client.status != "running":
            return None
        try:
            threads: Mapping[str, int] = self._client.nthreads()
            return threads
        except (OSError, AttributeError):
            return None


def _knock(address: str) -> None:
    """Raise what connecting to ``address`` raises when no scheduler answers there.

    A ``Client`` that fails to connect leaves its half-made self to the garbage collector. If that comes round while
    the next ``Client`` is being made, both wait for one lock for ever.
    """
    from distributed.comm import connect

    async def once() -> None:
        (await connect(address, timeout=CONNECT_SECONDS)).abort()

    with ThreadPoolExecutor(1) as elsewhere:  # in a notebook, an event loop runs in this thread already
        elsewhere.submit(asyncio.run, once()).result()


class _Run:
    """The jobs of one stream: those that wait, those that are out, and the futures that stand for them."""

    def __init__(self, client: Any, tasks: Sequence[Task], placement: Placement) -> None:
        self.waiting = deque(tasks)
        self.out: dict[str, tuple[Task, Any]] = {}
        """Task and future by the future's key."""
        self.placement = placement
        self._client = client
        methods = one_of_each_method(tasks)
        self._preload = tuple(sorted({module for task in methods for module in task.work.modules()}))
        self._wanted = [(t.job.method, _without_data(t).work, t.work.fingerprint()) for t in methods]
        self._asked: dict[str, tuple[Any, float]] = {}
        self._data: dict[tuple[str, str], Any] = {}
        """Futures of what was sent to a worker, by worker and key; held, so that it is kept there."""
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._losses: dict[str, int] = {}
        self.why_unusable = ""
        """Of the worker that was left out last, in brackets."""

    def look_around(self, threads: Mapping[str, int]) -> list[Event]:
        """Ask new workers what they have, and take back what was out on those that are gone."""
        for worker in [w for w in self._asked if w not in threads]:
            del self._asked[worker]
        self._data = {key: future for key, future in self._data.items() if key[0] in threads}
        for worker in [w for w in threads if w not in self._asked]:
            with contextlib.suppress(*_CONNECTION_ERRORS):
                future = self._client.submit(offer, self._wanted, pure=False, workers=[worker])
                self._asked[worker] = future, time.monotonic()
                future.add_done_callback(self._finished.put)
        gone = set(self.placement.update(threads))
        events: list[Event] = []
        for key in [key for key, (task, _) in self.out.items() if task.job.id in gone]:
            future = self.out[key][1]
            events += self._back(key, None)
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
            self.out[future.key] = task, future
            future.add_done_callback(self._finished.put)
            yield Started(task)

    def collect(self) -> list[Event]:
        """What has come back, waiting for a moment if nothing has."""
        with contextlib.suppress(queue.Empty):
            done = self._finished.get(timeout=_TICK_SECONDS)
            if done.key in self.out:
                return self._back(done.key, self._outcome(done, self.out[done.key][0]))
            worker = next((w for w, (future, _) in self._asked.items() if future.key == done.key), None)
            if worker is not None:
                return self._offered(worker, done)
        return []

    def asking(self) -> bool:
        """Whether a worker was asked a while ago and loads its libraries, perhaps from a cold disk, to answer."""
        recent = time.monotonic() - OFFER_SECONDS
        return any(not future.done() and since > recent for future, since in self._asked.values())

    def cancel(self) -> None:
        """Have the cluster drop everything; jobs that have begun are stopped there."""
        for future in (*(future for _, future in self.out.values()), *(future for future, _ in self._asked.values())):
            with contextlib.suppress(Exception):
                future.cancel()

    def _submit(self, task: Task, place: Place) -> Any:
        route = (place.worker, task.work.data_key)
        if task.work.data is not None and route not in self._data:
            self._data[route] = self._client.scatter(
                task.work.data, workers=[place.worker], hash=False, timeout=CONNECT_SECONDS
            )
        arguments = (self._preload, place.memory_bytes, place.cores)
        data = self._data.get(route)
        return self._client.submit(run_job, _without_data(task), data, *arguments, pure=False, workers=[place.worker])

    def _back(self, key: str, result: JobResult | None) -> list[Event]:
        """A job is out no longer: its result, or nothing if it was lost and is to be run again."""
        task, _ = self.out.pop(key)
        place = self.placement.returned(task)
        if result is not None:
            return [result]
        self._data.pop((place.worker, task.work.data_key), None)  # perhaps that is what was lost
        losses = self._losses[task.job.id] = self._losses.get(task.job.id, 0) + 1
        if losses <= _LOSSES_ALLOWED:
            self.waiting.appendleft(task)
            return []
        reason = (
            f"not done: the Dask workers that had it were lost {losses} times (killed, their machines gone, or no "
            "process to be had there), which says nothing about the job itself"
        )
        return [JobResult(task.job, "error", reason)]

    def _outcome(self, future: Any, task: Task) -> JobResult | None:
        """What became of a future that is done; None if it was lost with its worker."""
        if future.status in ("cancelled", "lost"):
            return None
        try:
            error = future.exception(timeout=CONNECT_SECONDS)
            if error is None:
                result: JobResult = future.result(timeout=CONNECT_SECONDS)
                return result
        except _CONNECTION_ERRORS:
            return None
        # What Dask says of a task whose workers died, or a worker that gets no process for it: not the job's fault.
        if type(error).__name__ == "KilledWorker" or isinstance(error, EngineError):
            return None
        return JobResult(
            task.job, "error", printable(f"on the Dask cluster: {type(error).__name__}: {error}"[:REASON_CHARACTERS])
        )

    def _offered(self, worker: str, future: Any) -> list[Event]:
        """A worker has said what it has, or why it cannot (this package is not installed there, say)."""
        try:
            error = None if future.status == "finished" else future.exception(timeout=CONNECT_SECONDS)
            found: Any = None if error is not None else future.result(timeout=CONNECT_SECONDS)
        except _CONNECTION_ERRORS:
            self._asked.pop(worker, None)  # if it is still there, it is asked again
            return []
        if error is not None:
            self.why_unusable = printable(f" ({type(error).__name__}: {error})")
            return [Note(f"the Dask worker {worker} cannot be used{self.why_unusable}")]
        if found.differences:
            told = printable("; ".join(found.differences))
            self.why_unusable = f" ({told})"
            return [Note(printable(f"the Dask worker {worker} on {found.host} is left out: {told}"))]
        self.placement.offered(worker, found)
        return [Note(line) for line in self.placement.news()]


def _without_data(task: Task) -> Task:
    return task if task.work.data is None else replace(task, work=replace(task.work, data=None))  # type: ignore[type-var]

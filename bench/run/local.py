"""Jobs on this machine: which may start next, and the threads that each wait for one isolated job."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from bench.errors import EngineError, plural
from bench.records.result import JobResult
from bench.run.events import Event, Note, Started, StopFlag, Tick
from bench.run.forkserver import ForkServer, ServerLost, sweep_leftovers
from bench.run.isolated import TICK_SECONDS, Cancelled, isolated
from bench.run.plan import Task, one_of_each_method, refused
from bench.run.processes import KernelKills

_ALLOWANCE_FACTOR = 1.5
_ALLOWANCE_EXTRA_BYTES = 256 << 20
_SERVER_DEATHS_ALLOWED = 3
_MB = 1e6


class LocalExecutor:
    """At most ``size`` jobs within ``memory_bytes``; one that has all cores has ``cores`` threads.

    What an earlier run in ``folder`` has left, whose harness and fork server were killed at once, is killed first.
    joblib's ``Parallel`` was tried as the fan-out and cannot hold these rules: see docs/running.md.
    """

    def __init__(self, folder: Path, size: int, memory_bytes: int, cores: int) -> None:
        self.size = size
        self._home = str(folder.resolve())
        self._memory_bytes = memory_bytes
        self._cores = cores
        sweep_leftovers(self._home)

    def stream(self, tasks: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
        """Run ``tasks``, first things first, as memory and size admit; yield what happens as it happens.

        Ends when all are done, or when ``stop`` says so: jobs that were stopped then have no result. Raises
        :class:`EngineError` if no process can be had for jobs any more.
        """
        queue = Scheduler(tasks, self.size, self._memory_bytes)
        yield from queue.refused()
        yield Note(
            f"{plural(self.size, 'job')} at a time on {plural(self._cores, 'core')}, "
            f"{self._memory_bytes / _MB:,.0f} MB for all together; large ones alone, with all cores"
        )
        preload = {module for task in one_of_each_method(tasks) for module in task.work.modules()}
        with ForkServer(self._home, preload) as server, ThreadPoolExecutor(self.size) as threads:
            run = _Run(queue, server, threads, self._cores, stop)
            try:
                yield from run.events()
            finally:
                run.give_up()  # nothing to do, unless this generator is closed early: the store failed, say


class _Run:
    """The jobs of one stream that are running, and what became of the fork server under them."""

    def __init__(
        self, queue: Scheduler, server: ForkServer, threads: ThreadPoolExecutor, cores: int, stop: StopFlag
    ) -> None:
        self._queue, self._server, self._threads, self._cores, self._stop = queue, server, threads, cores, stop
        self._kills = KernelKills()
        self._running: dict[Future[JobResult], Task] = {}
        self._losses: dict[str, int] = {}
        self._deaths = 0
        """Of the fork server, until a job had a result last."""
        self._given_up = False

    def events(self) -> Iterator[Event]:
        while self._running or not (self._stop.draining or self._queue.empty):
            started = self._start()
            yield from started
            done, _ = wait(self._running, TICK_SECONDS, FIRST_COMPLETED)
            if self._stop.now:
                self.give_up()
            results = [result for future in done if (result := self._result(future, len(done))) is not None]
            # The next jobs are under way before results are passed on: storing them takes disk time.
            more = self._start() if results else []
            yield from results
            yield from more
            if not results and not started:
                yield Tick()

    def give_up(self) -> None:
        """Stop all jobs, those too that still wait for the fork server."""
        self._given_up = True
        if self._running:
            self._server.kill()

    def _start(self) -> list[Started]:
        """Start what may start now."""
        started = []
        while not self._stop.draining and (task := self._queue.admit(self._running.values())) is not None:
            future = self._threads.submit(
                isolated,
                task,
                self._server,
                self._kills,
                memory_bytes=self._queue.allowance(task),
                threads=self._cores if task.all_cores else 1,
                unwanted=lambda: self._stop.now or self._given_up,
            )
            self._running[future] = task
            started.append(Started(task))
        return started

    def _result(self, future: Future[JobResult], ended_together: int) -> JobResult | None:
        """What a job came to; None if it was stopped, or is to be run again."""
        task = self._running.pop(future)
        try:
            result = future.result()
        except Cancelled:
            return None
        except (ServerLost, EngineError):
            if self._given_up:
                return None
            if isinstance(future.exception(), EngineError):
                raise
            lost = self._lost(task, alone=not self._running and ended_together == 1)
            if lost is None:
                return None
            result = lost
        self._deaths = self._server.deaths
        return result

    def _lost(self, task: Task, *, alone: bool) -> JobResult | None:
        """The fork server died. Which of several jobs was to blame cannot be seen.

        Each is run again alone, and only a death in that state counts against it; after a few of those it is dropped.
        """
        self._losses[task.job.id] = losses = self._losses.get(task.job.id, 0) + alone
        if losses >= _SERVER_DEATHS_ALLOWED:
            return JobResult(task.job, "error", f"the fork server died {losses} times while only this job ran")
        deaths = self._server.deaths - self._deaths
        if deaths > 2 * _SERVER_DEATHS_ALLOWED:
            raise EngineError(
                f"the fork server died {deaths} times without a job being done; all results so far are stored"
            )
        self._queue.put_back(task, alone=True)
        return None


class Scheduler:
    """The jobs not yet started.

    A job *reserves* its allowance, half as much again as its method's estimate and 256 MiB, and is killed if it grows
    beyond: so the reservations of the jobs in flight never exceed the budget, and an estimate may be a little short.
    """

    def __init__(self, tasks: Sequence[Task], size: int, memory_bytes: int) -> None:
        self._size = size
        self._memory_bytes = memory_bytes
        self._refused = [t for t in tasks if t.estimated_bytes > memory_bytes]
        self._queue = deque(t for t in tasks if t.estimated_bytes <= memory_bytes)
        self._backfilled: set[str] = set()
        self._alone: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether every job has been admitted."""
        return not self._queue

    def refused(self) -> list[JobResult]:
        """The jobs that cannot fit even alone, as results; they are never tried."""
        return [refused(task, self._memory_bytes) for task in self._refused]

    def allowance(self, task: Task) -> int:
        """Bytes beyond the idle process that ``task`` may use; never more than the whole budget."""
        return min(self._memory_bytes, int(_ALLOWANCE_FACTOR * task.estimated_bytes) + _ALLOWANCE_EXTRA_BYTES)

    def admit(self, running: Collection[Task]) -> Task | None:
        """The job to start now in addition to those ``running``, taken off the queue; ``None`` if it must wait.

        While the longest job waits for memory, shorter ones may overtake it, but only with memory that it does not
        need: it starts as soon as the jobs that were there before it end. A job that runs alone, or was put back to be
        run alone, waits for an empty machine and is not overtaken.
        """
        if not self._queue or len(running) >= self._size or any(map(self._is_alone, running)):
            return None
        head = self._queue[0]
        if not running:
            return self._take(0)
        if self._is_alone(head):
            return None
        used = sum(self.allowance(t) for t in running)
        if used + self.allowance(head) <= self._memory_bytes:
            return self._take(0)
        overtaking = sum(self.allowance(t) for t in running if t.job.id in self._backfilled)
        free = min(self._memory_bytes - used, self._memory_bytes - self.allowance(head) - overtaking)
        for position, task in enumerate(self._queue):
            if position and not self._is_alone(task) and self.allowance(task) <= free:
                self._backfilled.add(task.job.id)
                return self._take(position)
        return None

    def put_back(self, task: Task, *, alone: bool = False) -> None:
        """Queue a job again that was interrupted; ``alone``: it shall run alone."""
        self._queue.appendleft(task)
        if alone:
            self._alone.add(task.job.id)

    def _is_alone(self, task: Task) -> bool:
        return task.alone or task.job.id in self._alone

    def _take(self, position: int) -> Task:
        task = self._queue[position]
        del self._queue[position]
        if position == 0:
            self._backfilled.clear()
        return task

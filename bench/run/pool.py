"""Supervised worker processes on this machine: one job costs at most itself.

The harness (this process) starts a :mod:`nursery <bench.run.nursery>`, asks it for workers, hands each one job at a
time and watches: for the answer, for the worker's death, for the clock and for memory. A worker that misbehaves is
killed with everything it forked, its job gets a status and a reason, and the other workers never notice.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterator, Sequence

from bench.errors import EngineError
from bench.records.result import JobResult
from bench.run.admission import Admission
from bench.run.events import Event, Note, Started, StopFlag, Tick
from bench.run.jobs import Task
from bench.run.messages import BrokenMessage
from bench.run.nursery_client import Forked, NurseryClient, NurseryLost
from bench.run.supervised import Worker, read_answer
from bench.run.verdict import DeathCause

TICK_SECONDS = 0.1
"""How often clock and memory are looked at; an allocation at 4 GB/s overshoots its allowance by 0.4 GB at most."""

OUTPUT_LIMIT_BYTES = 64 << 20
_GOODBYE_SECONDS = 2.0
_NURSERY_DEATHS_ALLOWED = 3
_MB = 1e6


class Pool:
    """At most ``size`` workers within ``memory_bytes``; a large job gets ``cores`` threads. A context manager."""

    def __init__(self, size: int, memory_bytes: int, cores: int, preload: Sequence[str] = ()) -> None:
        self.size = size
        self.memory_bytes = memory_bytes
        self.cores = cores
        self._nursery = NurseryClient(preload)
        self._workers: dict[int, Worker] = {}
        self._spawned = 0
        self._selector = selectors.DefaultSelector()
        self._watching: socket.socket | None = None
        self._losses: dict[str, int] = {}
        self._deaths = 0
        self._cause = DeathCause()
        self._watched = time.monotonic()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and the nursery."""
        self._nursery.close()
        for worker in list(self._workers.values()):
            self._forget(worker)
        self._selector.close()

    def stream(self, tasks: Sequence[Task], stop: StopFlag) -> Iterator[Event]:
        """Run ``tasks``, first things first, as memory and workers admit; yield what happens as it happens.

        Ends when all are done, or when ``stop`` says so: jobs given up then have no result.
        """
        queue = Admission(tasks, self.size, self.memory_bytes)
        yield from queue.refused()
        yield Note(
            f"{self.size} jobs at a time on {self.cores} cores, {self.memory_bytes / _MB:,.0f} MB for all together; "
            "large ones alone, with all cores"
        )
        while not stop.now:
            results: list[JobResult] = []
            started: list[Started] = []
            if not (stop.draining or queue.empty) and not self._nursery.ready(TICK_SECONDS):
                yield Tick()  # the libraries are being loaded, which may take a while: the user is heard meanwhile
                continue
            try:
                if self._in_flight():
                    self._wait(results)
                    if time.monotonic() - self._watched >= TICK_SECONDS:
                        self._watch()
                if not stop.draining:
                    self._admit(queue, started)
            except NurseryLost:
                self._recover(queue, results)
            self._deaths = 0 if results else self._deaths
            # The workers have their next jobs before the results are handed on: storing them takes disk time.
            yield from results
            yield from started
            if not self._in_flight() and (stop.draining or queue.empty):
                return
            if not results and not started:
                yield Tick()
        try:
            for worker in [w for w in self._workers.values() if w.task is not None]:
                self._dismiss(worker)
        except NurseryLost:
            self._abandon()

    def _in_flight(self) -> list[Task]:
        return [w.task for w in self._workers.values() if w.task is not None]

    def _admit(self, queue: Admission, started: list[Started]) -> None:
        while (task := queue.admit(self._in_flight())) is not None:
            try:
                self._start(task, queue.allowance(task))
            except NurseryLost:
                queue.put_back(task)
                raise
            started.append(Started(task))

    def _start(self, task: Task, allowance: int) -> None:
        threads = self.cores if task.large else 1
        while not task.large:  # a worker's thread settings are for life
            idle = [w for w in self._workers.values() if w.fit]
            if not idle:
                break
            worker = next((w for w in idle if task.table.key in w.tables), idle[0])
            if worker.give(task, allowance, threads):
                return
            worker.task = None  # it died while it had nothing to do: another takes the job
        self._spawn().give(task, allowance, threads)

    def _spawn(self) -> Worker:
        if self._watching is None:
            self._watching = self._nursery.channel
            assert self._watching is not None
            self._selector.register(self._watching, selectors.EVENT_READ)
        self._spawned += 1
        worker, theirs = Worker.create(self._spawned)
        with theirs:
            try:
                self._nursery.fork(worker.number, theirs.fileno(), worker.output)
            except NurseryLost:
                worker.close()
                raise
        self._workers[worker.number] = worker
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker

    def _wait(self, results: list[JobResult]) -> None:
        """Append the results that arrive within a tick; what was appended is kept even if the nursery is then lost."""
        for key, _ in self._selector.select(TICK_SECONDS):
            if isinstance(key.data, Worker):
                self._listen(key.data, results)
        # Deaths after answers: a worker's last message is read before its end is judged.
        for news in self._nursery.news():
            worker = self._workers.get(news.worker)
            if worker is None:
                continue
            if isinstance(news, Forked):
                worker.pid, worker.forked_from = news.pid, self._nursery.pid
                worker.idle_bytes = worker.forked_bytes = news.idle_bytes
                continue
            self._listen(worker, results)
            # A kill by the kernel explains one death: an idle worker's too, whose death costs no job.
            killed_by_us = worker.retired or worker.verdict
            found = None if killed_by_us else self._cause.judge(news.status, worker.peak_bytes / _MB)
            if worker.task is not None:
                status, reason = worker.verdict or found or ("error", "its worker was given up")
                results.append(worker.fail(status, reason))
            self._forget(worker)

    def _listen(self, worker: Worker, results: list[JobResult]) -> None:
        """Read what a worker has sent: one answer to the job it was given."""
        try:
            for message in worker.receive():
                results.append(read_answer(worker, message))
                worker.task = None
                # One that was condemned as it answered is about to be killed: the answer counts, the kill hits nobody.
                if message.get("retire") or worker.threads > 1 or worker.verdict is not None:
                    self._dismiss(worker)
        except BrokenMessage as broken:
            self._condemn(worker, f"its worker sent {broken}")
        if worker.silent_since is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.channel)

    def _watch(self) -> None:
        """Kill what has run too long, grown too large or gone silent; the death is reported as any other."""
        now = self._watched = time.monotonic()
        for worker in self._workers.values():
            if worker.task is None or worker.verdict is not None:
                continue
            task = worker.task
            if now - worker.started > task.timeout_seconds:
                worker.verdict = ("timeout", f"stopped after {task.timeout_seconds:,.0f} seconds (--timeout)")
            elif worker.measure() > worker.allowance:
                worker.verdict = (
                    "oom",
                    f"stopped at {worker.peak_bytes / _MB:,.0f} MB beyond the idle worker: allowed "
                    f"{worker.allowance / _MB:,.0f} MB, its method estimated {task.estimated_bytes / _MB:,.0f} MB",
                )
            elif os.fstat(worker.output).st_size > OUTPUT_LIMIT_BYTES:
                worker.verdict = ("error", f"stopped: it printed more than {OUTPUT_LIMIT_BYTES >> 20} MiB")
            elif worker.silent_since is not None and now - worker.silent_since > _GOODBYE_SECONDS:
                worker.verdict = ("error", "its worker closed the connection to the harness")
            if worker.verdict is not None:
                self._nursery.kill(worker.number)

    def _condemn(self, worker: Worker, reason: str) -> None:
        if worker.verdict is None:
            worker.verdict = ("error", reason)
            self._nursery.kill(worker.number)

    def _dismiss(self, worker: Worker) -> None:
        """Have a worker killed whose fate no longer matters."""
        worker.retired, worker.task = True, None
        self._nursery.kill(worker.number)

    def _forget(self, worker: Worker) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.channel)
        worker.close()
        self._workers.pop(worker.number, None)

    def _recover(self, queue: Admission, results: list[JobResult]) -> None:
        """After the nursery's death, and its workers': what they had answered is appended, the rest is run again.

        Which of several jobs was to blame cannot be seen. Each is run again alone, and only a death in that state
        counts against it; after a few of those it is given up.
        """
        self._nursery.close()  # once its processes are gone, nothing more arrives on their channels
        self._deaths += 1
        for worker in self._workers.values():
            with contextlib.suppress(BrokenMessage):
                for message in worker.receive():
                    results.append(read_answer(worker, message))
                    worker.task = None
            if worker.task is not None and worker.verdict is not None:
                results.append(worker.fail(*worker.verdict))
        unanswered = [w for w in self._workers.values() if w.task is not None]
        for worker in unanswered:
            task = worker.task
            assert task is not None
            if len(unanswered) == 1:
                self._losses[task.job.id] = self._losses.get(task.job.id, 0) + 1
            if (losses := self._losses.get(task.job.id, 0)) < _NURSERY_DEATHS_ALLOWED:
                queue.put_back(task, alone=True)
            else:
                reason = f"the process that workers are forked from died {losses} times while only this job ran"
                results.append(worker.fail("error", reason))
        self._abandon()
        if self._deaths > _NURSERY_DEATHS_ALLOWED + 1 and not results:
            raise EngineError(
                f"the process that workers are forked from died {self._deaths} times without a job being done; "
                "all results so far are stored"
            )

    def _abandon(self) -> None:
        """Forget the workers of a nursery that is gone."""
        if self._watching is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._watching)
            self._watching = None
        self._nursery.close()
        for worker in list(self._workers.values()):
            self._forget(worker)

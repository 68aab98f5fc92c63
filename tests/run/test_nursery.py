"""The process that workers are forked from: slow to start, or killed at the worst moment."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from test_faults import _Never, _new_processes, _processes
from test_runner import Recorder
from tiny_benchmark import TinyBenchmark, by_method, tables

from bench.records.result import JobResult
from bench.run.admission import Admission
from bench.run.events import Started, Tick
from bench.run.nursery_client import NurseryLost
from bench.run.pool import Pool
from bench.run.supervised import Worker


def kill_nursery(pool: Pool) -> None:
    """Kill it and wait until it is dead; who talks to it finds out."""
    process = pool._nursery._process
    assert process is not None
    process.kill()
    process.wait()


@pytest.mark.parametrize("method", ["Slow", "LeavesDaemonAndWaits"])
def test_its_death_loses_no_job_and_leaves_no_process(tiny: TinyBenchmark, method: str) -> None:
    before = _processes()
    plan = TinyBenchmark(tiny.folder, tables(6)).plan(method)
    results: list[JobResult] = []
    started = ticks = 0
    killed = False
    with Pool(3, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        for event in pool.stream(plan.tasks, _Never()):
            if isinstance(event, Started):
                started += 1
            elif isinstance(event, JobResult):
                results.append(event)
            ticks += started >= 3 and isinstance(event, Tick)
            if ticks == 3 and not killed:  # by now they are in the middle
                kill_nursery(pool)
                killed = True
    plan.release()
    assert killed
    assert sorted(r.job.dataset for r in results) == [e.name for e in tables(6)]
    assert {(r.status, r.reason) for r in results} == {("ok", "")}
    assert _new_processes(before) == {}


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_job_that_kills_it_is_given_up_and_those_beside_it_are_not(tiny: TinyBenchmark, jobs: int) -> None:
    """The ones beside it take longer than it needs to kill: they never get to their end while it runs."""
    outcome, record = tiny.run("KillsNursery", "TakesAMoment", "Centroid", jobs=jobs)
    results = by_method(record)
    assert {(r.status, r.reason) for r in results["takes-a-moment"] + results["centroid"]} == {("ok", "")}
    assert {(r.status, r.reason) for r in results["kills-nursery"]} == {
        ("error", "the process that workers are forked from died 3 times while only this job ran")
    }
    assert outcome.statuses == {"ok": 4, "error": 2}


def test_an_answer_that_was_on_its_way_when_it_died_counts(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = TinyBenchmark(tiny.folder, tables(4)).plan("Centroid")
    events = []
    deaths: list[str] = []
    with Pool(2, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        admit = pool._admit

        def admit_and_die(queue: Admission, started: list[Started]) -> None:
            admit(queue, started)
            if not deaths:
                for worker in pool._workers.values():
                    assert select.select([worker.channel], [], [], 60)[0], "no answer came"
                deaths.append("now")
                kill_nursery(pool)
                raise NurseryLost

        monkeypatch.setattr(pool, "_admit", admit_and_die)
        events = list(pool.stream(plan.tasks, _Never()))
    plan.release()
    assert deaths
    done = [e.job.dataset for e in events if isinstance(e, JobResult) and e.status == "ok"]
    assert sorted(done) == [e.name for e in tables(4)]
    assert sum(isinstance(e, Started) for e in events) == 4, "a job that had answered was run again"


def test_its_death_is_noticed_when_a_worker_is_to_be_dismissed(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job leaves threads behind, its worker is to be killed, and there is nobody any more who would do it.

    The job beside it has died with the nursery.
    """
    plan = TinyBenchmark(tiny.folder, tables(2)).plan("LeaksThreads", "TakesAMoment", timeout=30.0)
    deaths: list[int] = []
    with Pool(2, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        dismiss = pool._dismiss

        def dismiss_after_the_death(worker: Worker) -> None:
            if not deaths:
                kill_nursery(pool)
                deaths.append(worker.number)
            dismiss(worker)

        monkeypatch.setattr(pool, "_dismiss", dismiss_after_the_death)
        results = [e for e in pool.stream(plan.tasks, _Never()) if isinstance(e, JobResult)]
    plan.release()
    assert deaths
    assert [r.status for r in results] == ["ok"] * 4


def test_stopping_now_as_it_dies_leaves_a_pool_that_works(tiny: TinyBenchmark) -> None:
    class Stop:
        draining = now = False

    plan = TinyBenchmark(tiny.folder, tables(2)).plan("TakesAMoment")
    with Pool(2, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        stop = Stop()
        for _ in pool.stream(plan.tasks, stop):
            if len(pool._in_flight()) == 2:  # as soon as both run: they take but a moment
                kill_nursery(pool)
                stop.draining = stop.now = True
        assert stop.now
        assert pool._workers == {}
        results = [e for e in pool.stream(plan.tasks, _Never()) if isinstance(e, JobResult)]
    plan.release()
    assert [r.status for r in results] == ["ok", "ok"]


def test_the_kernels_kill_of_an_idle_worker_explains_no_other_death(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = [3]
    monkeypatch.setattr("bench.run.verdict.kernel_oom_kills", lambda: kills[0])
    first, second = tiny.plan("Centroid"), tiny.plan("KilledOutside")
    with Pool(1, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        list(pool.stream(first.tasks, _Never()))
        (idle,) = pool._workers.values()
        kills[0] += 1
        os.kill(idle.pid, signal.SIGKILL)
        assert idle.channel.recv(1, socket.MSG_PEEK) == b""  # waits until it is dead
        results = [e for e in pool.stream(second.tasks, _Never()) if isinstance(e, JobResult)]
    first.release()
    second.release()
    assert [(r.status, r.reason) for r in results] == [("error", "its worker was killed from outside (SIGKILL)")] * 2


def test_ctrl_c_is_heard_while_the_libraries_are_loaded(tiny: TinyBenchmark) -> None:
    class Impatient(Recorder):
        pressed = False

        def tick(self, standing: Any) -> None:
            if not self.pressed:
                self.pressed = True
                os.kill(os.getpid(), signal.SIGINT)

    watcher = Impatient()
    outcome, record = tiny.run("Centroid", observers=[watcher], preload=["slow_to_import", "faulty_methods"])
    assert (outcome.interrupted, outcome.undone, watcher.started_jobs) == (True, 2, [])
    assert record.results == ()


def test_one_that_does_not_come_up_says_why(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.errors import BenchError

    monkeypatch.setattr("bench.run.nursery_client.START_SECONDS", 0.0)
    with pytest.raises(BenchError, match="did not start: it said nothing"):
        tiny.run("Centroid", preload=["slow_to_import"])
    monkeypatch.undo()
    elsewhere = SimpleNamespace(path=["/nowhere"], executable=sys.executable)
    monkeypatch.setattr("bench.run.nursery_client.sys", elsewhere)  # of this process, much is cached by its own path
    with pytest.raises(BenchError, match=r"did not start: (?s:.*)No module named 'bench'"):
        tiny.run("Centroid")

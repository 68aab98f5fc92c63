"""Every way a method can misbehave costs its own job and nothing else."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_benchmark import TinyBenchmark, by_method, scores, tables

from bench.records.result import JobResult
from bench.run.admission import Admission
from bench.run.events import Started
from bench.run.pool import Pool
from bench.run.supervised import Worker

EXPECTED = {
    "Segfault": ("error", r"SIGSEGV"),
    "Exit3": ("error", r"exit code 3"),
    "KilledOutside": ("error", r"killed from outside"),
    "Allocates": ("oom", r"stopped at \d+ MB beyond .*: allowed 270 MB, its method estimated 1 MB|MemoryError"),
    "ChildAllocates": ("oom", r"stopped at \d+ MB beyond the idle worker: allowed 270 MB"),
    "HugeArray": ("oom", r"MemoryError: Unable to allocate"),
    "RaisesUnpicklable": ("error", r"Unpicklable: \(its message cannot be shown\)"),
    "RaisesUnencodable": ("error", r"ValueError: no such file: caf\?"),
    "RaisesExit": ("error", r"SystemExit: going away"),
    "JunkThenFails": ("error", r"ValueError: after the junk"),
    "PrintsWithoutEnd": ("error", r"printed more than 64 MiB"),
    "ClosesEverything": ("error", r"closed the connection"),
    "WritesToHarness": ("error", r"sent the length"),
    "Unstorable": ("error", r"TypeError: a object cannot be stored"),
    "TooLarge": ("skipped", r"needs about 1,125,899,907 MB, more than the memory budget of 2,147 MB"),
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_costs_its_own_job_only(tiny: TinyBenchmark, fault: str) -> None:
    outcome, record = tiny.run("Centroid", fault, "Shrunken", jobs=3)
    results = by_method(record)
    status, reason = EXPECTED[fault]
    bad = next(rows for method, rows in results.items() if method not in ("centroid", "shrunken"))
    assert [r.status for r in bad] == [status, status]
    assert all(re.search(reason, r.reason) for r in bad), bad
    assert all(r.status == "ok" for r in results["centroid"] + results["shrunken"])
    assert outcome.statuses == {"ok": 4, status: 2}


def test_a_job_that_hangs_is_stopped(tiny: TinyBenchmark) -> None:
    _, record = tiny.run("Sleeps", "Centroid", timeout=0.5)
    results = by_method(record)
    assert {r.status for r in results["sleeps"]} == {"timeout"}
    assert "--timeout" in results["sleeps"][0].reason
    assert {r.status for r in results["centroid"]} == {"ok"}


def test_the_last_output_of_a_failed_job_is_kept(tiny: TinyBenchmark) -> None:
    _, record = tiny.run("Segfault", "JunkThenFails", "Centroid")
    results = by_method(record)
    assert "about to crash" in results["segfault"][0].output
    assert "_segfault" in results["segfault"][0].output  # faulthandler's traceback
    junk = results["junk-then-fails"][0].output
    assert "ValueError: after the junk" in junk
    assert results["junk-then-fails"][0].reason == "ValueError: after the junk"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", junk)
    assert results["centroid"][0].output == ""


@pytest.mark.parametrize(
    "harmless", ["Junk", "ForksChildren", "LeavesDaemon", "ForksAndReturns", "LeaksThreads", "Scribbles"]
)
def test_what_a_job_leaves_behind_does_not_reach_the_next(tiny: TinyBenchmark, harmless: str) -> None:
    """One worker only, so that every job has the misbehaving one before it."""
    _, alone = TinyBenchmark(tiny.folder.with_name("alone"), tiny.entries).run("Centroid", jobs=1)
    _, beside = tiny.run(harmless, "Centroid", jobs=1)
    assert {r.status for r in beside.results} == {"ok"}
    expected = scores(alone)
    assert {key: value for key, value in scores(beside).items() if key[1] == "centroid"} == expected


def test_forked_children_are_gone_when_the_run_is(tiny: TinyBenchmark) -> None:
    """The children sleep for ten minutes, one of them in a session of its own."""
    before = _processes()
    tiny.run("ForksChildren", "Centroid")
    assert _new_processes(before) == {}


def test_daemons_are_gone_when_the_run_is(tiny: TinyBenchmark) -> None:
    """Forked twice and in a session of their own; one job is done, the other stopped in the middle."""
    before = _processes()
    _, record = tiny.run("LeavesDaemon", "LeavesDaemonAndWaits", timeout=0.6)
    assert {m: {r.status for r in rows} for m, rows in by_method(record).items()} == {
        "leaves-daemon": {"ok"},
        "leaves-daemon-and-waits": {"timeout"},
    }
    assert _new_processes(before) == {}


def test_the_end_of_a_job_touches_no_process_of_another(tiny: TinyBenchmark) -> None:
    """Workers crash all the time while two jobs wait for what their daemons have to say."""
    entries = tables(8)
    benchmark = TinyBenchmark(tiny.folder, entries)
    asking = TinyBenchmark(tiny.folder, entries[:2]).plan("AsksDaemon")
    crashing = benchmark.plan("Exit3")
    plan = type(asking)((*asking.tasks, *crashing.tasks), ())
    _, record = benchmark.run(plan=plan, jobs=3)
    results = by_method(record)
    assert [r.reason for r in results["asks-daemon"]] == ["", ""]
    assert len(results["exit3"]) == 8


def test_what_a_jobs_processes_share_counts_once(tiny: TinyBenchmark) -> None:
    """Neither their common array five times nor the libraries they all have from the nursery."""
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("SharesWithChildren", jobs=1, preload=("faulty_methods", "torch", "sklearn"))
    (result,) = record.results
    assert (result.status, result.reason) == ("ok", "")
    assert 145 < result.provenance["memory_peak_mb"] < 250


def test_jobs_that_time_out_leave_those_beside_them_alone(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(6))
    plan = benchmark.plan("Sleeps", "Slow", timeout=1.0)
    with Pool(4, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        results = [e for e in pool.stream(plan.tasks, _Never()) if isinstance(e, JobResult)]
        assert pool._spawned <= 4 + 6  # one for each that had to be killed
    plan.release()
    assert sorted((r.job.method, r.status) for r in results) == [("sleeps", "timeout")] * 6 + [("slow", "ok")] * 6


def test_a_timed_out_job_takes_its_children_along(tiny: TinyBenchmark) -> None:
    before = _processes()
    tiny.run("ChildAllocates", "Sleeps", timeout=1.0)
    assert _new_processes(before) == {}


class _Never:
    draining = now = False


@pytest.mark.parametrize("noticed", [False, True])
def test_a_worker_that_dies_while_idle_costs_no_job(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch, noticed: bool
) -> None:
    """Its death is not yet reported when the next job is given out; ``noticed``: but its silence has been seen."""
    plan = TinyBenchmark(tiny.folder, tables(4)).plan("Centroid")
    killed: list[int] = []
    with Pool(1, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        admit = pool._admit

        def admit_after_a_death(queue: Admission, started: list[Started]) -> None:
            worker = next(iter(pool._workers.values()), None)
            if worker is not None and worker.pid and worker.task is None and not killed:
                killed.append(worker.pid)
                os.kill(worker.pid, 9)
                assert worker.channel.recv(1, socket.MSG_PEEK) == b""  # waits until it is dead
                if noticed:
                    pool._listen(worker, [])
            admit(queue, started)

        monkeypatch.setattr(pool, "_admit", admit_after_a_death)
        results = [e for e in pool.stream(plan.tasks, _Never()) if isinstance(e, JobResult)]
        assert pool._spawned == 2
    plan.release()
    assert len(killed) == 1
    assert sorted(r.job.dataset for r in results) == [e.name for e in tables(4)]
    assert [r.reason for r in results if r.status != "ok"] == []


def test_a_job_that_answers_as_it_is_condemned_keeps_its_answer_and_harms_no_other(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock strikes for the first job when its answer is on the way; the kill arrives a little later."""
    plan = TinyBenchmark(tiny.folder, tables(4)).plan("Slow")
    condemned: list[int] = []
    with Pool(1, 2 << 30, cores=1, preload=["faulty_methods"]) as pool:
        receive, give = Worker.receive, Worker.give

        def receive_condemned(worker: Worker) -> list[dict[str, Any]]:
            messages = receive(worker)
            if messages and not condemned:
                condemned.append(worker.number)
                worker.verdict = ("timeout", "too late")
            return messages

        def give_before_the_kill(worker: Worker, *job: Any) -> bool:
            given = give(worker, *job)
            if worker.verdict is not None:
                pool._nursery.kill(worker.number)
            return given

        monkeypatch.setattr(Worker, "receive", receive_condemned)
        monkeypatch.setattr(Worker, "give", give_before_the_kill)
        results = [e for e in pool.stream(plan.tasks, _Never()) if isinstance(e, JobResult)]
        assert pool._spawned == 2
    plan.release()
    assert condemned == [1]
    assert [(r.status, r.reason) for r in results] == [("ok", "")] * 4


def _processes() -> dict[int, str]:
    return dict(_command_lines())


def _command_lines() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def _new_processes(before: dict[int, str]) -> dict[int, str]:
    """Our workers that were not there before; a process killed a moment ago is given five seconds to go."""
    deadline = time.monotonic() + 5
    while True:
        left = {p: c for p, c in _processes().items() if p not in before and "bench.run.nursery" in c}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)

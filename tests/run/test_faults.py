"""Every way a method can misbehave costs its own job and nothing else."""

from __future__ import annotations

import itertools
import os
import re
import time
from pathlib import Path

import faulty_methods
import pytest
from tiny_benchmark import TinyBenchmark, by_method, scores, tables

from bench.run.forkserver import MARK
from bench.run.plan import Plan
from bench.run.processes import marked

EXPECTED = {
    "Segfault": ("error", r"SIGSEGV"),
    "Exit3": ("error", r"exit code 3"),
    "KilledOutside": ("error", r"killed from outside \(SIGKILL\), twice"),
    "Allocates": ("oom", r"stopped at \d+ MB beyond .*: allowed 270 MB, its method estimated 1 MB|MemoryError"),
    "ChildAllocates": ("oom", r"stopped at \d+ MB beyond the idle process: allowed 270 MB"),
    "HugeArray": ("oom", r"MemoryError: Unable to allocate"),
    "RaisesUnpicklable": ("error", r"Unpicklable: \(its message cannot be shown\)"),
    "RaisesUnencodable": ("error", r"ValueError: no such file: caf\?"),
    "RaisesExit": ("error", r"SystemExit: going away"),
    "JunkThenFails": ("error", r"ValueError: after the junk"),
    "PrintsWithoutEnd": ("error", r"printed more than 64 MiB"),
    "ClosesEverything": ("error", r"exit code \d+ in the middle of the job"),
    "WritesToHarness": ("timeout", r"stopped after 3 seconds"),
    "Unstorable": ("error", r"TypeError: a object cannot be stored"),
    "TooLarge": ("skipped", r"needs about 1,125,899,907 MB, more than the memory budget of 2,147 MB"),
    "Sleeps": ("timeout", r"stopped after 0 seconds \(--timeout\)"),
    "ForgetsSegment": ("error", r"exit code 3"),
}
SECONDS = {"WritesToHarness": 3.0, "Sleeps": 0.5}
"""``--timeout``, where something else than the end of a job that hangs would take longer."""


def test_each_fault_costs_its_own_jobs_only_and_their_last_output_is_kept(tiny: TinyBenchmark) -> None:
    """All of them in one run, three jobs at a time, with honest jobs in their midst."""
    plans = [tiny.plan(fault, timeout=SECONDS.get(fault)) for fault in EXPECTED]
    plans.insert(5, tiny.plan("Centroid"))
    plans.append(tiny.plan("Shrunken"))
    outcome, record = tiny.run(plan=Plan(tuple(task for plan in plans for task in plan.tasks)), jobs=3)
    results = by_method(record)
    for fault, (status, reason) in EXPECTED.items():
        bad = results[getattr(faulty_methods, fault).name]
        assert [r.status for r in bad] == [status, status], bad
        assert all(re.search(reason, r.reason) for r in bad), bad
    honest = results["centroid"] + results["shrunken"]
    assert [(r.status, r.reason, r.output) for r in honest] == [("ok", "", "")] * 4
    assert outcome.statuses.total() == 2 * len(EXPECTED) + 4
    assert "about to crash" in results["segfault"][0].output
    assert "_segfault" in results["segfault"][0].output  # faulthandler's traceback
    junk = results["junk-then-fails"][0].output
    assert "ValueError: after the junk" in junk
    assert results["junk-then-fails"][0].reason == "ValueError: after the junk"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", junk)
    assert list(Path("/dev/shm").glob(f"bench-test-{os.getpid()}-*")) == [], "a segment that a job has forgotten"


HARMLESS = (
    "Junk", "ForksChildren", "LeavesDaemon", "ForksAndReturns", "LeaksThreads", "Scribbles", "UsesMultiprocessing",
    "Pollutes",
)  # fmt: skip


def test_what_a_job_leaves_behind_does_not_reach_the_next(tiny: TinyBenchmark) -> None:
    """One at a time, and before each honest job another one; nor is a process left at the end: children of the jobs
    sleep for ten minutes, some in a session of their own."""
    benchmark = TinyBenchmark(tiny.folder, tables(len(HARMLESS)))
    honest = {task.job.dataset: task for task in benchmark.plan("Centroid").tasks}
    odd = (TinyBenchmark(tiny.folder, (e,)).plan(m).tasks[0] for e, m in zip(benchmark.entries, HARMLESS, strict=True))
    pairs = ((task, honest[task.job.dataset]) for task in odd)
    _, beside = benchmark.run(plan=Plan(tuple(itertools.chain.from_iterable(pairs))), jobs=1)
    assert {(r.status, r.reason) for r in beside.results} == {("ok", "")}
    assert _left() == {}
    _, alone = TinyBenchmark(tiny.folder / "alone", benchmark.entries).run("Centroid", jobs=1)
    assert {key: value for key, value in scores(beside).items() if key[1] == "centroid"} == scores(alone)


def test_daemons_are_gone_when_the_run_is(tiny: TinyBenchmark) -> None:
    """Forked twice and in a session of their own; one job is done, the other stopped in the middle."""
    _, record = tiny.run("LeavesDaemon", "LeavesDaemonAndSleeps", timeout=3.0)
    assert {m: {r.status for r in rows} for m, rows in by_method(record).items()} == {
        "leaves-daemon": {"ok"},
        "leaves-daemon-and-sleeps": {"timeout"},
    }
    assert _left() == {}


def test_the_end_of_a_job_touches_no_process_of_another(tiny: TinyBenchmark) -> None:
    """Jobs crash all the time while two jobs wait for what their daemons have to say."""
    entries = tables(8)
    benchmark = TinyBenchmark(tiny.folder, entries)
    asking = TinyBenchmark(tiny.folder, entries[:2]).plan("AsksDaemon")
    crashing = benchmark.plan("Exit3")
    plan = type(asking)((*asking.tasks, *crashing.tasks))
    _, record = benchmark.run(plan=plan, jobs=3)
    results = by_method(record)
    assert [r.reason for r in results["asks-daemon"]] == ["", ""]
    assert len(results["exit3"]) == 8


def test_what_a_jobs_processes_share_counts_once(tiny: TinyBenchmark) -> None:
    """Neither their common array five times nor the libraries they all have from the fork server."""
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("SharesWithChildren", jobs=1)
    (result,) = record.results
    assert (result.status, result.reason) == ("ok", "")
    assert 145 < result.provenance["memory_peak_mb"] < 250


def test_jobs_that_time_out_leave_those_beside_them_alone(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(6))
    _, record = benchmark.run("Sleeps", "Slow", timeout=1.0, jobs=4)
    results = [(r.job.method, r.status) for r in record.results]
    assert sorted(results) == [("sleeps", "timeout")] * 6 + [("slow", "ok")] * 6


def test_an_answer_counts_although_its_time_was_up(tiny: TinyBenchmark) -> None:
    """The job has answered and hangs as it ends, with a thread that will not."""
    _, record = tiny.run("AnswersAndHangs", "Centroid", timeout=1.0)
    assert {r.status for r in record.results} == {"ok"}


def test_a_result_that_is_too_large_is_said_to_be(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.isolated._ANSWER_LIMIT_BYTES", 10)
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("Centroid")
    assert [(r.status, r.reason.partition(";")[0]) for r in record.results] == [
        ("error", "its result has 0 MiB, more than the 0 that are read")
    ]


SHARING = ("SharesAnonymous", "SharesSegment", "WritesSegment", "WritesInFolder", "FillsNameless")


def test_shared_memory_counts(tiny: TinyBenchmark) -> None:
    """Anonymous, and as segments in /dev/shm: mapped, and written to only. Nothing of it is left."""
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run(*SHARING, memory_bytes=1 << 30)
    for method, rows in by_method(record).items():
        assert {r.status for r in rows} == {"oom"}, method
        assert all(re.search(r"stopped at \d+ MB beyond .*: allowed 270 MB", r.reason) for r in rows)
    assert list(Path("/dev/shm").glob(f"bench-test-{os.getpid()}-*")) == []


def test_a_kill_by_the_kernel_is_for_memory(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its count rises by one; which of two deaths that was is not to be known, and the other is run again."""
    kills = iter([3])
    monkeypatch.setattr("bench.run.processes._oom_kills", lambda: next(kills, 4))
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("KilledOutside")
    assert [(r.status, r.reason.partition(" (")[0]) for r in record.results] == [
        ("oom", "killed by the kernel: out of memory")
    ]


def test_one_that_is_killed_from_outside_once_is_run_again(
    tiny: TinyBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILLED_ONCE", str(tmp_path))
    _, record = tiny.run("KilledOnce", "Centroid")
    assert {(r.status, r.reason) for r in record.results} == {("ok", "")}
    assert len(list(tmp_path.glob("[0-9]*"))) == 2


def test_a_timed_out_job_takes_its_children_along(tiny: TinyBenchmark) -> None:
    tiny.run("ChildAllocates", "Sleeps", timeout=1.0)
    assert _left() == {}


def _left() -> dict[int, str]:
    """What came from this process's fork servers and still lives; one killed a moment ago is given five seconds."""
    deadline = time.monotonic() + 5
    while True:
        left = {pid: mark for pid, mark in marked(MARK, "").items() if mark.split(":")[1] == str(os.getpid())}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)

"""Every way a method can misbehave costs its own job and nothing else."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark, by_method, scores, tables

from bench.run.forkserver import MARK
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
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_fault_costs_its_own_job_only(tiny: TinyBenchmark, fault: str) -> None:
    outcome, record = tiny.run(
        "Centroid", fault, "Shrunken", jobs=3, timeout=3.0 if fault == "WritesToHarness" else None
    )
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
    """One at a time, so that every job has the misbehaving one before it."""
    _, alone = TinyBenchmark(tiny.folder.with_name("alone"), tiny.entries).run("Centroid", jobs=1)
    _, beside = tiny.run(harmless, "Centroid", jobs=1)
    assert {r.status for r in beside.results} == {"ok"}
    expected = scores(alone)
    assert {key: value for key, value in scores(beside).items() if key[1] == "centroid"} == expected


def test_forked_children_are_gone_when_the_run_is(tiny: TinyBenchmark) -> None:
    """The children sleep for ten minutes, one of them in a session of its own."""
    tiny.run("ForksChildren", "Centroid")
    assert _left() == {}


def test_daemons_are_gone_when_the_run_is(tiny: TinyBenchmark) -> None:
    """Forked twice and in a session of their own; one job is done, the other stopped in the middle."""
    _, record = tiny.run("LeavesDaemon", "LeavesDaemonAndWaits", timeout=0.6)
    assert {m: {r.status for r in rows} for m, rows in by_method(record).items()} == {
        "leaves-daemon": {"ok"},
        "leaves-daemon-and-waits": {"timeout"},
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


SHARING = ("SharesAnonymous", "SharesSegment", "WritesSegment", "WritesInFolder", "FillsNameless")


def test_shared_memory_counts(tiny: TinyBenchmark) -> None:
    """Anonymous, and as segments in /dev/shm: mapped, and written to only. Nothing of it is left."""
    _, record = tiny.run(*SHARING, memory_bytes=1 << 30)
    for method, rows in by_method(record).items():
        assert {r.status for r in rows} == {"oom"}, method
        assert all(re.search(r"stopped at \d+ MB beyond .*: allowed 270 MB", r.reason) for r in rows)
    assert list(Path("/dev/shm").glob("bench-test-*")) == []


def test_segments_that_a_job_forgets_are_removed(tiny: TinyBenchmark) -> None:
    _, record = tiny.run("ForgetsSegment")
    assert {r.status for r in record.results} == {"error"}
    assert list(Path("/dev/shm").glob("bench-test-*")) == []


def test_what_a_process_is_left_with_reaches_no_other_job(tiny: TinyBenchmark) -> None:
    """Alarms, default types, limits and patched generators, each set by a job before the honest one's."""
    _, alone = TinyBenchmark(tiny.folder.with_name("alone"), tiny.entries).run("Centroid", jobs=1)
    _, record = tiny.run("Pollutes", "Centroid", jobs=1)
    assert {r.status for r in record.results} == {"ok"}
    assert {key: value for key, value in scores(record).items() if key[1] == "centroid"} == scores(alone)


def test_a_job_can_use_multiprocessing_as_ever(tiny: TinyBenchmark) -> None:
    _, record = tiny.run("UsesMultiprocessing")
    assert {(r.status, r.reason) for r in record.results} == {("ok", "")}


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

"""Every way a method can misbehave costs its own job and nothing else."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import faulty_methods
import pytest
from tiny_benchmark import TinyBenchmark, scores, tables
from waiting import bearing_mark, left_of

from bench.run.plan import Plan

TOO_MUCH = ("oom", r"stopped at \d+ MB beyond the idle process: allowed 270 MB, its method estimated 1 MB")
OK = ("ok", "^$")
EXPECTED = {
    "AsksDaemon": OK,  # slow: what its daemon has to say comes while others beside it crash
    "Segfault": ("error", r"SIGSEGV"),
    "KilledOutside": ("error", r"killed from outside \(SIGKILL\), twice"),
    "Allocates": ("oom", rf"{TOO_MUCH[1]}|MemoryError"),
    "Centroid": OK,
    "SharesAnonymous": TOO_MUCH,
    "HugeArray": ("oom", r"MemoryError: Unable to allocate"),
    "RaisesUnpicklable": ("error", r"Unpicklable: \(its message cannot be shown\)"),
    "SharesSegment": TOO_MUCH,
    "RaisesUnencodable": ("error", r"ValueError: no such file: caf\?"),
    "RaisesExit": ("error", r"SystemExit: going away"),
    "JunkThenFails": ("error", r"^ValueError: after the junk$"),
    "PrintsWithoutEnd": ("error", r"printed more than 64 MiB"),
    "ChildAllocates": TOO_MUCH,
    "ClosesEverything": ("error", r"exit code \d+ in the middle of the job"),
    "WritesInFolder": TOO_MUCH,
    "WritesToHarness": ("timeout", r"stopped after 3 seconds"),
    "Slow": OK,
    "LeavesDaemonAndSleeps": ("timeout", r"stopped after 3 seconds"),
    "Sleeps": ("timeout", r"stopped after 0 seconds \(--timeout\)"),
    "AnswersAndHangs": OK,  # it has answered and hangs as it ends until its time is up
    "FillsNameless": TOO_MUCH,
    "Unstorable": ("error", r"TypeError: a object cannot be stored"),
    "TooLarge": ("skipped", r"needs about 1,125,899,907 MB, more than the memory budget of 2,147 MB"),
    "ForgetsSegment": ("error", r"exit code 3"),
    "Shrunken": OK,
}
SECONDS = {"WritesToHarness": 3.0, "LeavesDaemonAndSleeps": 3.0, "Sleeps": 0.5, "AnswersAndHangs": 1.0}
"""``--timeout``, where something else than the end of a job that hangs would take longer."""


def test_each_fault_costs_its_own_jobs_only_and_their_last_output_is_kept(tiny: TinyBenchmark) -> None:
    """All of them in one run, three jobs at a time, with honest jobs in their midst. No process of theirs is left, and
    nothing in /dev/shm, mapped or written to only."""
    plans = [tiny.plan(name, timeout=SECONDS.get(name, 120.0)) for name in EXPECTED]
    _, record = tiny.run(plan=Plan(tuple(task for plan in plans for task in plan.tasks)), jobs=3)
    assert len(record.results) == 2 * len(EXPECTED)
    output = {}
    for name, (status, reason) in EXPECTED.items():
        found = [r for r in record.results if r.job.method == getattr(faulty_methods, name).name]
        assert [(r.status, bool(re.search(reason, r.reason))) for r in found] == [(status, True)] * 2, found
        assert [r.output for r in found] == ["", ""] or status != "ok"
        output[name] = found[0].output
    assert "about to crash" in output["Segfault"]
    assert "_segfault" in output["Segfault"]  # faulthandler's traceback
    assert "ValueError: after the junk" in output["JunkThenFails"]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", output["JunkThenFails"])
    assert list(Path("/dev/shm").glob(f"bench-test-{os.getpid()}-*")) == []
    assert left_of(lambda: bearing_mark(os.getpid())) == set()


HARMLESS = ("ForksChildren", "LeavesDaemon", "ForksAndReturns", "UsesMultiprocessing", "Pollutes")


def test_what_a_job_leaves_behind_does_not_reach_the_next(tiny: TinyBenchmark) -> None:
    """One at a time, and before each honest job another one; nor is a process left at the end: children of the jobs
    sleep for ten minutes, some in a session of their own."""
    benchmark = TinyBenchmark(tiny.folder, tables(len(HARMLESS)))
    honest = {task.job.dataset: task for task in benchmark.plan("Centroid").tasks}
    odd = (TinyBenchmark(tiny.folder, (e,)).plan(m).tasks[0] for e, m in zip(benchmark.entries, HARMLESS, strict=True))
    pairs = ((task, honest[task.job.dataset]) for task in odd)
    _, beside = benchmark.run(plan=Plan(tuple(itertools.chain.from_iterable(pairs))), jobs=1)
    assert {(r.status, r.reason) for r in beside.results} == {("ok", "")}
    assert left_of(lambda: bearing_mark(os.getpid())) == set()
    _, alone = TinyBenchmark(tiny.folder / "alone", benchmark.entries).run("Centroid", jobs=1)
    assert {key: value for key, value in scores(beside).items() if key[1] == "centroid"} == scores(alone)


def test_what_a_jobs_processes_share_counts_once(tiny: TinyBenchmark) -> None:
    """Neither their common array five times nor the libraries they all have from the fork server."""
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("SharesWithChildren", jobs=1)
    (result,) = record.results
    assert (result.status, result.reason) == ("ok", "")
    assert 145 < result.provenance["memory_peak_mb"] < 250


def test_a_result_that_is_too_large_is_said_to_be(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.isolated._ANSWER_LIMIT_BYTES", 10)
    tiny.entries = tiny.entries[:1]
    _, record = tiny.run("Centroid")
    assert [(r.status, r.reason.partition(";")[0]) for r in record.results] == [
        ("error", "its result has 0 MiB, more than the 0 that are read")
    ]


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

"""Runs whose jobs have processes of their own: interrupted, beside each other, their threads, a clock that jumps."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from typing import Any

import pytest
from tiny_benchmark import Recorder, TinyBenchmark, by_method, scores, tables

from bench.run.runlog import log_file


def test_results_do_not_depend_on_workers_order_or_neighbours(tiny: TinyBenchmark) -> None:
    entries = tables(4)
    found = []
    for workers, backwards in ((1, False), (2, True), (5, False)):
        benchmark = TinyBenchmark(tiny.folder / str(workers), entries)
        plan = benchmark.plan("Centroid", "Shrunken", "Slow")
        if backwards:
            plan = type(plan)(plan.tasks[::-1], plan.settled)
        _, record = benchmark.run(plan=plan, jobs=workers)
        found.append(scores(record))
    assert len(found[0]) == 4 * 3 * 4
    assert all(other == found[0] for other in found[1:])
    assert [(r.job.dataset, r.job.method) for r in record.results[:4]] == [
        ("table-0", "centroid"), ("table-0", "shrunken"), ("table-0", "slow"), ("table-1", "centroid"),
    ]  # fmt: skip
    for r in record.results:
        assert [(h.holdout, 0 <= h.score <= 100) for h in r.holdouts] == [(k, True) for k in range(4)]
        assert (r.job_seconds >= 0, r.peak_rss_mb > 1, r.provenance["threads"]) == (True, True, 1)
        assert {"memory_estimate_mb", "memory_peak_mb", "memory_allowed_mb"} <= set(r.provenance)


def test_ctrl_c_finishes_what_runs_and_starts_nothing(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(12))
    watcher = Recorder(on_finish=lambda count: os.kill(os.getpid(), signal.SIGINT) if count == 3 else None)
    outcome, record = benchmark.run("Slow", observers=[watcher])
    assert outcome.interrupted
    assert sorted(watcher.finished_jobs) == sorted(watcher.started_jobs)
    assert 3 <= len(record.results) < 12
    assert outcome.undone == 12 - len(record.results)


def test_a_clock_that_jumps_times_nothing_out(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = itertools.cycle([0.0, 4e9, -5.0, 2e12, 1.0])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    outcome, record = tiny.run("Slow", "Centroid", timeout=60.0)
    assert outcome.all_ok
    assert all(0 <= r.job_seconds < 60 for r in record.results)
    assert 0 <= outcome.seconds < 60


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_depend_on_the_job_only(tiny: TinyBenchmark, workers: int) -> None:
    """A large one has all cores for its linear algebra, and runs while no other does; small ones have one thread."""

    class Beside(Recorder):
        def started(self, progress: Any, task: Any) -> None:
            running = {t.job.method for t, _ in progress.running.values()}
            assert "counts-threads-large" not in running or len(progress.running) == 1

    tiny.folder.mkdir()
    methods = ("counting_methods:CountsThreadsLarge", "counting_methods:CountsThreads")
    with log_file(tiny.folder):
        _, record = tiny.run(*methods, jobs=workers, memory_bytes=4 << 30, observers=[Beside()])
    for method, count in (("counts-threads", 1), ("counts-threads-large", 2)):  # the executor says 2 cores
        results = by_method(record)[method]
        assert {(r.status, r.provenance["threads"]) for r in results} == {("ok", count)}
        assert {tuple(h.details["threads"].values()) for r in results for h in r.holdouts} == {(count, count)}
    (log,) = (tiny.folder / "logs").iterdir()
    text = log.read_text()
    said = rf"{workers} jobs? at a time on 2 cores, 4,295 MB for all together; large ones alone, with all cores"
    assert re.search(said, text)
    for entry in tiny.entries:
        assert f"start {entry.name}/counts-threads-large (clean): with all cores\n" in text
        assert f"start {entry.name}/counts-threads (clean)\n" in text

"""A small job has one thread of linear algebra, a large one all cores, whatever the number of workers."""

from __future__ import annotations

from typing import Any

import pytest
from test_runner import Recorder
from tiny_benchmark import TinyBenchmark, by_method, tables

from bench.run.runlog import log_file

SMALL, LARGE = "counting_methods:CountsThreads", "counting_methods:CountsThreadsLarge"


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_depend_on_the_job_only(tiny: TinyBenchmark, workers: int) -> None:
    _, record = tiny.run(SMALL, LARGE, jobs=workers, memory_bytes=4 << 30)
    results = by_method(record)
    small = [h.details["threads"] for r in results["counts-threads"] for h in r.holdouts]
    large = [h.details["threads"] for r in results["counts-threads-large"] for h in r.holdouts]
    assert {tuple(counts.values()) for counts in small} == {(1, 1)}
    assert {tuple(counts.values()) for counts in large} == {(2, 2)}  # the tiny benchmark's executor says 2 cores
    assert {r.provenance["threads"] for r in results["counts-threads"]} == {1}
    assert {r.provenance["threads"] for r in results["counts-threads-large"]} == {2}


def test_large_jobs_run_one_after_another_and_the_log_says_so(tiny: TinyBenchmark) -> None:
    """Each has all cores; small jobs run two at a time before and after them, with one thread as ever."""

    class Beside(Recorder):
        def started(self, progress: Any, task: Any) -> None:
            running = {t.job.method for t, _ in progress.running.values()}
            assert "counts-threads-large" not in running or len(progress.running) == 1

    tiny.folder.mkdir()
    benchmark = TinyBenchmark(tiny.folder, tables(3))
    with log_file(tiny.folder):
        outcome, record = benchmark.run(LARGE, SMALL, memory_bytes=4 << 30, observers=[Beside()])
    assert outcome.all_ok
    threads = {m: {r.provenance["threads"] for r in rows} for m, rows in by_method(record).items()}
    assert threads == {"counts-threads": {1}, "counts-threads-large": {2}}
    (text,) = [path.read_text() for path in (tiny.folder / "logs").iterdir()]
    assert "2 jobs at a time on 2 cores, 4,295 MB for all together; large ones alone, with all cores" in text
    for entry in benchmark.entries:
        assert f"start {entry.name}/counts-threads-large (clean): with all cores\n" in text
        assert f"start {entry.name}/counts-threads (clean)\n" in text

"""A small job has one thread of linear algebra, a large one all cores, whatever the number of workers."""

from __future__ import annotations

from typing import Any

from tiny_benchmark import Recorder, TinyBenchmark, by_method, tables

from bench.records.result import RunRecord
from bench.run.runlog import log_file

SMALL, LARGE = "counting_methods:CountsThreads", "counting_methods:CountsThreadsLarge"


def check_threads(record: RunRecord) -> None:
    """Those of linear algebra as jobs have counted them, and as it is recorded."""
    for method, count in (("counts-threads", 1), ("counts-threads-large", 2)):  # the executor says 2 cores
        results = by_method(record)[method]
        counted = {tuple(h.details["threads"].values()) for r in results for h in r.holdouts}
        assert (counted, {r.provenance["threads"] for r in results}) == ({(count, count)}, {count})


def test_threads_depend_on_the_job_only(tiny: TinyBenchmark) -> None:
    check_threads(tiny.run(SMALL, LARGE, jobs=1, memory_bytes=4 << 30)[1])


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
    check_threads(record)
    (text,) = [path.read_text() for path in (tiny.folder / "logs").iterdir()]
    assert "2 jobs at a time on 2 cores, 4,295 MB for all together; large ones alone, with all cores" in text
    for entry in benchmark.entries:
        assert f"start {entry.name}/counts-threads-large (clean): with all cores\n" in text
        assert f"start {entry.name}/counts-threads (clean)\n" in text

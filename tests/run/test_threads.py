"""A small job has one thread of linear algebra, a large one all cores, whatever the number of workers."""

from __future__ import annotations

import pytest
from tiny_benchmark import TinyBenchmark, by_method


@pytest.mark.parametrize(("workers", "preload"), [(1, ["torch"]), (3, [])], ids=["torch loaded before", "after"])
def test_threads_depend_on_the_job_only(tiny: TinyBenchmark, workers: int, preload: list[str]) -> None:
    _, record = tiny.run(
        "CountsThreads", "CountsThreadsLarge", jobs=workers, memory_bytes=4 << 30, preload=["faulty_methods", *preload]
    )
    results = by_method(record)
    small = [h.details["threads"] for r in results["counts-threads"] for h in r.holdouts]
    large = [h.details["threads"] for r in results["counts-threads-large"] for h in r.holdouts]
    assert {tuple(counts.values()) for counts in small} == {(1, 1)}
    assert {tuple(counts.values()) for counts in large} == {(2, 2)}  # the tiny benchmark's pool says 2 cores
    assert {r.provenance["threads"] for r in results["counts-threads"]} == {1}
    assert {r.provenance["threads"] for r in results["counts-threads-large"]} == {2}

"""Another program holds the store: the run goes on, and stores what it has when that program lets go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_benchmark import Recorder, TinyBenchmark, scores, tables

from bench.errors import StoreError
from bench.records.result import JobResult
from bench.store import STORE_NAME, read_run


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.writer.RECORD_SECONDS", 0.02)
    monkeypatch.setattr("bench.run.retry_queue.RETRY_SECONDS", 0.05)


class Program:
    """Another program that has the store open and forgets to end its transaction."""

    def __init__(self, folder: Path, begin: str = "BEGIN IMMEDIATE") -> None:
        self._connection = sqlite3.connect(folder / STORE_NAME, isolation_level=None)
        self._connection.execute(begin)
        self._connection.execute("SELECT count(*) FROM results").fetchone()

    def let_go(self) -> None:
        self._connection.close()


class Holding(Recorder):
    """Has a program take hold of the store when the first job starts, until ``enough`` jobs have started."""

    def __init__(self, folder: Path, enough: int, begin: str = "BEGIN IMMEDIATE") -> None:
        super().__init__()
        self.program: Program | None = None
        self.done_while_held = -1
        self._folder, self._enough, self._begin = folder, enough, begin

    def started(self, progress: Any, task: Any) -> None:
        super().started(progress, task)
        if self.program is None:
            self.program = Program(self._folder, self._begin)
        elif len(self.started_jobs) == self._enough:
            self.done_while_held = len(self.finished_jobs)
            self.program.let_go()


@contextmanager
def holding(folder: Path, enough: int, begin: str = "BEGIN IMMEDIATE") -> Iterator[Holding]:
    watcher = Holding(folder, enough, begin)
    yield watcher
    if watcher.program:
        watcher.program.let_go()


def test_results_wait_until_a_writer_lets_go(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(8))
    with holding(tiny.folder, enough=8) as watcher:
        outcome, record = benchmark.run("Centroid", jobs=1, observers=[watcher])
    assert watcher.done_while_held == 0, "a result was called stored that was not"
    assert outcome.all_ok
    assert len(watcher.finished_jobs) == 8
    notes = "\n".join(watcher.notes)
    assert notes.count("another program holds") == 1
    assert "results.sqlite is free again: " in notes
    undisturbed = TinyBenchmark(tiny.folder / "undisturbed", tables(8)).run("Centroid")[1]
    assert scores(record) == scores(undisturbed)


def test_a_reader_holds_nothing_up(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(8))
    with holding(tiny.folder, enough=99, begin="BEGIN") as watcher:
        outcome, record = benchmark.run("Centroid", jobs=1, observers=[watcher])
        assert watcher.program, "it has to hold the store to the end"
    assert outcome.all_ok
    assert len(watcher.finished_jobs) == len(record.results) == 8
    assert "another program holds" not in "\n".join(watcher.notes)


def test_a_writer_that_never_lets_go_is_named_at_the_end(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.retry_queue.LAST_TRY_SECONDS", 0.3)
    benchmark = TinyBenchmark(tiny.folder, tables(8))
    with (
        holding(tiny.folder, enough=99) as watcher,
        pytest.raises(
            StoreError, match=r"still holds .*: the results of .*table-\d/centroid.* and 3 more could not be"
        ),
    ):
        benchmark.run("Centroid", observers=[watcher])
    assert len(watcher.started_jobs) == 8, "the run has to go on to its end"
    assert read_run(tiny.folder).results == ()
    outcome, record = benchmark.run("Centroid")
    assert outcome.all_ok
    assert len(record.results) == 8


def test_ctrl_c_twice_does_not_wait_for_the_writer(tiny: TinyBenchmark) -> None:
    import os
    import signal

    class Impatient(Holding):
        def note(self, text: str) -> None:
            super().note(text)
            if "another program holds" in text:
                os.kill(os.getpid(), signal.SIGTERM)

    watcher = Impatient(tiny.folder, 99)
    with pytest.raises(StoreError, match="run the same command again"):
        TinyBenchmark(tiny.folder, tables(4)).run("Slow", observers=[watcher])
    assert watcher.program
    watcher.program.let_go()


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_a_store_that_is_held_from_the_start_is_said(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    tiny.run("Centroid")
    monkeypatch.setattr("bench.store.writer.BUSY_SECONDS", 0.1)
    program = Program(tiny.folder, begin)
    try:
        with pytest.raises(StoreError, match="held by another program that reads or writes it: close that"):
            tiny.run("Centroid")
    finally:
        program.let_go()


def test_a_job_is_called_done_when_its_result_can_be_read(tiny: TinyBenchmark) -> None:
    seen: list[str] = []

    class Ordered(Recorder):
        def finished(self, progress: Any, result: JobResult) -> None:
            assert result.job.id in {r.job.id for r in read_run(tiny.folder).results}
            seen.append(result.job.dataset)

    tiny.run("Centroid", observers=[Ordered()])
    assert sorted(seen) == ["alpha", "beta"]

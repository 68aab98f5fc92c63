"""Another program holds the store: the run goes on, and stores what it has when that program lets go. Or the disk is
full: a clear end."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tiny_benchmark import Recorder, TinyBenchmark, scores, tables

from bench.errors import StoreError
from bench.run.runlog import watched
from bench.store import STORE_NAME, read_run


@pytest.fixture(autouse=True)
def _quick(in_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.writer.RECORD_SECONDS", 0.02)
    monkeypatch.setattr("bench.run.retry_queue.RETRY_SECONDS", 0.05)


def held(folder: Path, begin: str = "BEGIN IMMEDIATE") -> contextlib.closing[sqlite3.Connection]:
    """The store open in another program, which forgets to end its transaction, until it is closed."""
    connection = sqlite3.connect(folder / STORE_NAME, isolation_level=None)
    connection.execute(begin)
    connection.execute("SELECT count(*) FROM results").fetchone()
    return contextlib.closing(connection)


class Holding(Recorder):
    """Has a program hold the store from when the first job starts, until ``enough`` jobs have started or the end."""

    def __init__(self, folder: Path, enough: int = 99, begin: str = "BEGIN IMMEDIATE") -> None:
        super().__init__()
        self.done_while_held = -1
        self._folder, self._enough, self._begin = folder, enough, begin
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.started_jobs
        self._held.close()

    def started(self, progress: Any, task: Any) -> None:
        super().started(progress, task)
        if len(self.started_jobs) == 1:
            self._held.enter_context(held(self._folder, self._begin))
        elif len(self.started_jobs) == self._enough:
            self.done_while_held = len(self.finished_jobs)
            self._held.close()


def test_results_wait_until_a_writer_lets_go(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(8))
    with Holding(tiny.folder, enough=8) as watcher:
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
    with Holding(tiny.folder, begin="BEGIN") as watcher:
        outcome, record = TinyBenchmark(tiny.folder, tables(8)).run("Centroid", jobs=1, observers=[watcher])
    assert outcome.all_ok
    assert len(watcher.finished_jobs) == len(record.results) == 8
    assert "another program holds" not in "\n".join(watcher.notes)


def test_a_writer_that_never_lets_go_is_named_at_the_end(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.retry_queue.LAST_TRY_SECONDS", 0.3)
    benchmark = TinyBenchmark(tiny.folder, tables(8))
    named = r"still holds .*: the results of .*table-\d/centroid.* and 3 more could not be"
    with Holding(tiny.folder) as watcher, pytest.raises(StoreError, match=named):
        benchmark.run("Centroid", observers=[watcher])
    assert len(watcher.started_jobs) == 8, "the run has to go on to its end"
    assert read_run(tiny.folder).results == ()
    outcome, record = benchmark.run("Centroid")
    assert outcome.all_ok
    assert len(record.results) == 8


def test_ctrl_c_twice_does_not_wait_for_the_writer(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.retry_queue.LAST_TRY_SECONDS", math.inf)

    class Impatient(Holding):
        def note(self, text: str) -> None:
            super().note(text)
            if "another program holds" in text:
                os.kill(os.getpid(), signal.SIGTERM)

    with Impatient(tiny.folder) as watcher, pytest.raises(StoreError, match="run the same command again"):
        TinyBenchmark(tiny.folder, tables(4)).run("Slow", observers=[watcher])


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_a_store_that_is_held_from_the_start_is_said(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    tiny.run("Centroid")
    monkeypatch.setattr("bench.store.writer.BUSY_SECONDS", 0.1)
    said = "held by another program that reads or writes it: close that"
    with held(tiny.folder, begin), pytest.raises(StoreError, match=said):
        tiny.run("Centroid")


@pytest.mark.usefixtures("capsys")
def test_a_run_on_a_disk_that_fills_up_loses_nothing_and_goes_on_with_space(tmp_path: Path, small_disk: Path) -> None:
    methods = ("Centroid", "Shrunken")
    undisturbed = TinyBenchmark(tmp_path / "undisturbed", tables(60)).run(*methods)[1]
    benchmark = TinyBenchmark(small_disk / "run", tables(60))
    benchmark.folder.mkdir()
    full = r"full.*run the same command again"
    with watched(benchmark.folder, json_events=False) as observers, pytest.raises(StoreError, match=full):
        benchmark.run(*methods, observers=observers)
    kept = read_run(benchmark.folder)
    assert 0 < len(kept.results) < 120
    assert scores(kept).items() <= scores(undisturbed).items()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    outcome, record = benchmark.run(*methods)
    assert (outcome.all_ok, outcome.already) == (True, len(kept.results))
    assert scores(record) == scores(undisturbed)

"""The disk fills up in the middle of a run: a clear end, nothing stored is lost, and the run goes on with space."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark, scores, tables

from bench.errors import StoreError
from bench.run.runlog import watched
from bench.store import read_run

METHODS = ("Centroid", "Shrunken")


@pytest.mark.usefixtures("in_process")
def test_a_run_on_a_disk_that_fills_up(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    undisturbed = TinyBenchmark(tmp_path / "undisturbed", tables(60)).run(*METHODS)[1]
    benchmark = TinyBenchmark(small_disk / "run", tables(60))
    benchmark.folder.mkdir()
    with (
        watched(benchmark.folder, json_events=False) as observers,
        pytest.raises(StoreError, match="full.*run the same command again"),  # noqa: RUF043
    ):
        benchmark.run(*METHODS, observers=observers)
    kept = read_run(benchmark.folder)
    assert 0 < len(kept.results) < 120
    assert scores(kept).items() <= scores(undisturbed).items()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    outcome, record = benchmark.run(*METHODS)
    assert outcome.all_ok
    assert outcome.already == len(kept.results)
    assert scores(record) == scores(undisturbed)

"""The disk fills up in the middle of a run: a clear end, nothing stored is lost, and the run goes on with space."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark, scores, tables

from bench.errors import StoreError
from bench.run.runlog import watched
from bench.store import read_run

METHODS = ("Centroid", "Shrunken")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True)
    if not made or made.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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

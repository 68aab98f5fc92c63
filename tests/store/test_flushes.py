"""What a result costs: flushes to disk, counted by the kernel's calls; and what a killed run leaves."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_store import job, result

from bench.store import STORE_NAME, Store, read_run

ROOT = Path(__file__).parents[2]
IN_A_PROCESS: dict[str, Any] = {
    "cwd": ROOT,
    "env": {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    "stdout": subprocess.PIPE,
}


def record(folder: Path, count: int, end: str = "") -> None:
    with Store(folder) as store:
        jobs = [job(k) for k in range(count)]
        store.begin(jobs, {})
        for one in jobs:
            store.record(result(one, kilobytes=1))
            if end:
                print(one.id, flush=True)
        if end == "kill":
            os.kill(os.getpid(), 9)


def flushes(folder: Path, count: int) -> int:
    trace = shutil.which("strace")
    if trace is None:
        pytest.skip("needs strace")
    counted = folder.with_suffix(".strace")
    command = [trace, "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", str(counted)]
    traced = subprocess.run([*command, sys.executable, __file__, str(folder), str(count)], **IN_A_PROCESS)
    if traced.returncode != 0 and not folder.exists():
        pytest.skip("strace may not trace here")
    assert traced.returncode == 0
    assert len(read_run(folder).results) == count
    return len(re.findall(r"sync\w*\(", counted.read_text()))


def test_a_result_is_flushed_once_or_twice(tmp_path: Path) -> None:
    few, many = flushes(tmp_path / "few", 10), flushes(tmp_path / "many", 110)
    assert 100 <= many - few <= 200


def test_every_result_is_flushed_before_the_next(tmp_path: Path) -> None:
    """FULL (2) or EXTRA (3): SQLite flushes its log at each commit, not only when it moves it into the store."""
    with Store(tmp_path) as store:
        assert store._open.execute("PRAGMA synchronous").fetchone()[0] >= 2
        assert store._open.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_killed_run_leaves_every_result_that_was_recorded(tmp_path: Path, read_only: bool) -> None:
    folder = tmp_path / "run"
    killed = subprocess.run([sys.executable, __file__, str(folder), "60", "kill"], **IN_A_PROCESS)
    assert killed.returncode == -9
    recorded = killed.stdout.decode().split()
    assert len(recorded) == 60
    if read_only:  # as copied: the log without the memory that was shared over it
        (folder / f"{STORE_NAME}-shm").unlink()
        folder.chmod(0o555)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {r.job.id for r in read_run(folder).results} == set(recorded)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before, "a reader wrote to the folder"
    folder.chmod(0o755)
    Store(folder).close()
    assert {file.name for file in folder.iterdir()} == {"lock", STORE_NAME}
    assert {r.job.id for r in read_run(folder).results} == set(recorded)


def test_the_folder_is_one_file_at_rest_even_if_a_reader_is_still_there(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin([job()], {})
        reader = sqlite3.connect(tmp_path / STORE_NAME, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM results").fetchall()
        store.record(result(job()))
        assert len(read_run(tmp_path).results) == 1
    assert len(read_run(tmp_path).results) == 1
    reader.close()
    Store(tmp_path).close()
    assert {file.name for file in tmp_path.iterdir()} == {"lock", STORE_NAME}
    assert len(read_run(tmp_path).results) == 1


if __name__ == "__main__":
    record(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])

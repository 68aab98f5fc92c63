"""The harness killed with -9 at random moments: nothing stored is lost, nothing is left running, no score differs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark, scores, tables

from bench.store import STORE_NAME, read_run

SCRIPT = Path(__file__).with_name("tiny_benchmark.py")
ROOT = Path(__file__).parents[2]
KILLS = 20
TABLES = 60
METHODS = ("Slow", "Centroid", "Shrunken")
WORKERS = 2


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(TABLES), str(WORKERS), *METHODS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def family(pid: int) -> set[int]:
    """All living descendants of a process."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for thread in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = {int(word) for word in thread.read_text().split()}
            except OSError:
                continue
            waiting += children - found
            found |= children
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end(pids: set[int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def stored(folder: Path) -> dict[str, str]:
    if not (folder / STORE_NAME).exists():
        return {}
    return {r.job.id: r.status for r in read_run(folder).results}


@pytest.mark.slow
def test_twenty_kills_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(20)
    undisturbed = TinyBenchmark(tmp_path / "undisturbed", tables(TABLES)).run(*METHODS, jobs=WORKERS)[1]
    folder = tmp_path / "killed"
    before: dict[str, str] = {}
    in_the_middle = 0
    for _ in range(KILLS):
        process = start(folder)
        deadline = time.monotonic() + 60
        # From the moment the run has begun to write (not while Python starts), somewhere in the next 0.3 seconds.
        while not (folder / "lock").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        first = len(stored(folder))
        while len(stored(folder)) == first and process.poll() is None and rng.random() < 0.98:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.3))
        assert process.poll() is None, "the run ended before it could be killed: it needs more tables"
        children = family(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert wait_for_end(children, 5.0) == set()
        after = stored(folder)
        assert before.items() <= after.items(), "a stored result was lost"
        in_the_middle += 0 < len(after) < TABLES * len(METHODS)
        before = after
    process = start(folder)
    assert process.wait(120) == 0
    record = read_run(folder)
    assert {r.status for r in record.results} == {"ok"}
    assert scores(record) == scores(undisturbed)
    assert in_the_middle >= KILLS // 2, "most kills must strike a run that has stored some results and not all"
    lost = len(record.planned) - len(record.results)
    assert lost == 0
    with capsys.disabled():
        print(
            f"\n{KILLS} kills survived, {in_the_middle} of them between the first and the last result; "
            f"{lost} of {len(record.planned)} jobs lost; scores equal to the undisturbed run's"
        )


def test_workers_end_when_the_harness_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a job that would take ten minutes, and with children that jobs have forked."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(tmp_path / "run"), "3", "3", "Sleeps", "ForksChildren"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 60
        while len(family(process.pid)) < 4 and time.monotonic() < deadline:  # the nursery and three workers
            time.sleep(0.05)
        children = family(process.pid)
        assert len(children) >= 4
    finally:
        process.kill()
        process.wait()
    assert wait_for_end(children, 5.0) == set()

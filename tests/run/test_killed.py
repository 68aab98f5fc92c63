"""Harness, fork server and jobs killed with -9 at random moments: nothing is lost, left running or different."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_benchmark import TinyBenchmark, scores, tables

from bench.run.forkserver import MARK
from bench.run.processes import children, marked
from bench.store import STORE_NAME, read_run

SCRIPT = Path(__file__).with_name("tiny_benchmark.py")
ROOT = Path(__file__).parents[2]
KILLS = 40
TABLES = 60
METHODS = ("Slow", "LeavesDaemonAndWaits", "Shrunken")
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


def count(folder: Path) -> int:
    """How many results there are: what is asked every few milliseconds must not cost what :func:`stored` does."""
    if not (folder / STORE_NAME).exists():
        return 0
    connection = sqlite3.connect(f"file:{folder / STORE_NAME}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:  # it is just being made, or taken
        return 0
    finally:
        connection.close()


def stored(folder: Path) -> dict[str, str]:
    if not (folder / STORE_NAME).exists():
        return {}
    return {r.job.id: r.status for r in read_run(folder).results}


def bears_mark(pid: int) -> bool:
    """Whether it is a fork server, or comes from one."""
    try:
        return f"{MARK}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


@dataclass
class Processes:
    """Those of one harness: itself, its fork server and the jobs."""

    harness: int
    server: int
    jobs: list[int]

    @classmethod
    def of(cls, harness: int, at_least: int = 1) -> Processes | None:
        """None while fewer jobs run."""
        servers = [pid for pid in children(harness) if bears_mark(pid)]
        jobs = children(servers[0]) if servers else []
        return cls(harness, servers[0], jobs) if len(jobs) >= at_least else None


def strike(target: str, found: Processes) -> None:
    """SIGKILL to one kind of process, or to all of them at once."""
    struck = {
        "harness": [found.harness],
        "server": [found.server],
        "job": found.jobs[-1:],
        "all": [found.harness, found.server, *found.jobs],
    }[target]
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def starts_and_ends(folder: Path) -> list[tuple[str, str]]:
    """(``start`` or a status, job) of every line of the logs, in order."""
    lines = [line for path in sorted((folder / "logs").iterdir()) for line in path.read_text().splitlines()]
    words = [line.split(" ")[1:3] for line in sorted(lines)]  # each begins with its time
    return [(word[0], word[1].rstrip(":")) for word in words if len(word) == 2 and "/" in word[1]]


@pytest.mark.slow
def test_forty_kills_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the harness, the fork server, a job, or all at once; jobs leave daemons, which outlive the last kind."""
    rng = random.Random(40)
    undisturbed = TinyBenchmark(tmp_path / "undisturbed", tables(TABLES)).run(*METHODS, jobs=WORKERS)[1]
    folder = tmp_path / "killed"
    targets = [("harness", "server", "job", "all")[number % 4] for number in range(KILLS)]
    rng.shuffle(targets)
    before: dict[str, str] = {}
    in_the_middle = 0
    process: subprocess.Popen[bytes] | None = None
    for target in targets:
        process = process or start(folder)
        harness, enough = process.pid, len(stored(folder)) + 1
        # Every kill finds progress. No job is struck twice: the latest of two to begin is struck, and by the next time
        # it has ended, or the other one has and a later one begun.
        wait_until(lambda enough=enough: count(folder) >= enough)  # type: ignore[misc]
        time.sleep(rng.uniform(0.0, 0.3))
        jobs = WORKERS if target == "job" else 1
        found = wait_until(lambda pid=harness, jobs=jobs: Processes.of(pid, jobs))  # type: ignore[misc]
        assert process.poll() is None, "the run ended before it could be killed: it needs more tables"
        ours = family(harness) - trackers(harness)
        strike(target, found)
        after = stored(folder)
        if target in ("harness", "all"):
            process.wait()
            process = None
            if target == "harness":
                assert wait_for_end(ours, 5.0) == set()
        assert before.items() <= after.items(), "a stored result was lost"
        in_the_middle += 0 < len(after) < TABLES * len(METHODS)
        before = after
    process = process or start(folder)
    assert process.wait(240) == 0
    record = read_run(folder)
    assert {(r.status, r.reason) for r in record.results} == {("ok", "")}
    assert scores(record) == scores(undisturbed)
    assert len(record.results) == len(record.planned) == TABLES * len(METHODS)
    assert in_the_middle >= KILLS // 2, "most kills must strike a run that has stored some results and not all"
    ended: set[str] = set()
    for word, job in starts_and_ends(folder):
        assert word != "start" or job not in ended, f"{job} was run again although its result was stored"
        ended |= {job} if word == "ok" else set()
    assert len(ended) > TABLES
    home = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
    assert wait_for_end(set(marked(MARK, f"{home}:")), 5.0) == set()
    with capsys.disabled():
        print(
            f"\n{KILLS} kills survived ({', '.join(f'{targets.count(t)} of {t}' for t in sorted(set(targets)))}), "
            f"{in_the_middle} of them between the first and the last result; no job lost or run twice, no process "
            "left; scores equal to the undisturbed run's"
        )


def trackers(harness: int) -> set[int]:
    """``multiprocessing``'s own resource tracker, which ends when all that could use it have."""
    return {pid for pid in children(harness) if b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def wait_until(holds: Callable[[], Any], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def test_jobs_end_when_the_harness_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a job that would take ten minutes, and with children that jobs have forked."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(tmp_path / "run"), "3", "3", "Sleeps", "ForksChildren"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 60
        while len(family(process.pid) - trackers(process.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        below = family(process.pid) - trackers(process.pid)
        assert len(below) >= 4
    finally:
        process.kill()
        process.wait()
    assert wait_for_end(below, 5.0) == set()

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark, scores, tables
from waiting import left_of, wait_until

from bench.run.forkserver import MARK
from bench.run.processes import children, descendants, kill, marked
from bench.store import STORE_NAME, read_run

ROOT = Path(__file__).parents[2]
KILLS = 16
TABLES = 36
METHODS = ("Slow", "LeavesDaemonAndWaits", "Shrunken")
WORKERS = 2


class Harnesses:
    """Runs of one plan in one folder, one after another, each in a process of its own.

    They are forked from a process that has loaded what they need and made the plan, which takes longer than they live.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._pid = 0

    def begin(self) -> int:
        """Start one; its process id."""
        print(file=self._process.stdin, flush=True)
        self._pid = int(self._said())
        return self._pid

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        assert self.ended() == signal.SIGKILL

    def ended(self) -> int:
        """Wait for its end; as ``os.waitpid`` says how that was."""
        return int(self._said())

    def _said(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@contextlib.contextmanager
def harnesses(folder: Path, count: int, workers: int, *methods: str) -> Iterator[Harnesses]:
    script = Path(__file__).with_name("tiny_benchmark.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), str(count), str(workers), *methods],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Harnesses(process)
        finally:
            for pid in (process.pid, *descendants(process.pid)):
                kill(pid)


def family(harness: int) -> set[int]:
    """All living descendants, without ``multiprocessing``'s own resource tracker, which ends when these have."""
    return set(descendants(harness)) - trackers(harness)


def trackers(harness: int) -> set[int]:
    return {pid for pid in children(harness) if b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(pids: set[int]) -> bool:
    """Whether they do, within five seconds."""
    return not left_of(lambda: set(filter(alive, pids)))


def count(folder: Path) -> int:
    """How many results there are: what is asked every few milliseconds must not cost what :func:`stored` does."""
    if not (folder / STORE_NAME).exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{folder / STORE_NAME}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
        except sqlite3.OperationalError:  # it is just being made, or taken
            return 0


def stored(folder: Path) -> dict[str, str]:
    return {r.job.id: r.status for r in read_run(folder).results}


@dataclass
class Processes:
    """Those of one harness: itself, its fork server and the jobs."""

    harness: int
    server: int
    jobs: list[int]

    @classmethod
    def of(cls, harness: int, at_least: int) -> Processes | None:
        """None while fewer jobs run."""
        servers = [*marked(MARK, "").keys() & set(children(harness))]
        jobs = children(servers[0]) if servers else []
        return cls(harness, servers[0], jobs) if len(jobs) >= at_least else None

    def strike(self, target: str) -> None:
        """SIGKILL to one kind of process, or to all of them at once."""
        struck = {
            "harness": [self.harness],
            "server": [self.server],
            "job": self.jobs[-1:],
            "all": [self.harness, self.server, *self.jobs],
        }[target]
        for pid in struck:
            kill(pid)


def starts_and_ends(folder: Path) -> list[tuple[str, str]]:
    """(``start`` or a status, job) of every line of the logs, in order."""
    lines = [line for path in sorted((folder / "logs").iterdir()) for line in path.read_text().splitlines()]
    words = [line.split(" ")[1:3] for line in sorted(lines)]  # each begins with its time
    return [(word[0], word[1].rstrip(":")) for word in words if len(word) == 2 and "/" in word[1]]


@pytest.mark.slow
def test_kills_in_one_run(tmp_path: Path) -> None:
    """Of the harness, the fork server, a job, or all at once; jobs leave daemons, which outlive the last kind."""
    rng = random.Random(KILLS)
    undisturbed = TinyBenchmark(tmp_path / "undisturbed", tables(TABLES)).run(*METHODS, jobs=8)[1]
    folder = tmp_path / "killed"
    targets = [("harness", "server", "job", "all")[number % 4] for number in range(KILLS)]
    rng.shuffle(targets)
    before: dict[str, str] = {}
    in_the_middle = harness = 0
    with harnesses(folder, TABLES, WORKERS, *METHODS) as runs:
        for target in targets:
            harness = harness or runs.begin()
            enough = max(len(before), count(folder)) + 1
            # Every kill finds progress. No job is struck twice: the latest of two to begin is struck, and by the next
            # time it has ended, or the other one has and a later one begun.
            wait_until(lambda enough=enough: count(folder) >= enough)  # type: ignore[misc]
            time.sleep(rng.uniform(0.0, 0.2))
            jobs = WORKERS if target == "job" else 1
            found = wait_until(lambda pid=harness, jobs=jobs: Processes.of(pid, jobs))  # type: ignore[misc]
            assert alive(harness), "the run ended before it could be killed: it needs more tables"
            ours = family(harness)
            found.strike(target)
            after = stored(folder)
            if target in ("harness", "all"):
                assert runs.ended() == signal.SIGKILL
                harness = 0
                if target == "harness":
                    assert all_end(ours)
            assert before.items() <= after.items(), "a stored result was lost"
            in_the_middle += 0 < len(after) < TABLES * len(METHODS)
            before = after
        harness = harness or runs.begin()
        assert runs.ended() == 0
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
    assert left_of(lambda: set(marked(MARK, f"{home}:"))) == set()


def test_jobs_end_when_the_harness_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a job that would take ten minutes, and with children that jobs have forked."""
    with harnesses(tmp_path / "run", 3, 3, "Sleeps", "ForksChildren") as runs:
        harness = runs.begin()
        wait_until(lambda: len(family(harness)) >= 4)
        below = family(harness)
        runs.kill()
        assert all_end(below)

"""What is shown of a run: a bar on a terminal, few lines in a log, and an estimate that learns and moves."""

from __future__ import annotations

import datetime
import io
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from tiny_benchmark import TinyBenchmark

from bench.protocols import PROTOCOLS
from bench.records.result import Job, JobResult, Status
from bench.run.events import Started, Tick
from bench.run.plan import Task
from bench.run.progress import PlainLines, Progress, TerminalBar, clock
from bench.run.runlog import LOG, log_event, logged_to, watched
from bench.run.work import MethodWork


def task(number: int, method: str = "m", seconds: float = 10.0) -> Task:
    job = Job(f"{method}{number}", f"table-{number}", "tiny", 10, 2, 2, method, "clean", "seed-0", 0)
    return Task(job, MethodWork(method, (PROTOCOLS["clean"],), 0, None, "k"), 1, seconds, 60.0)


def progress(tasks: list[Task], workers: int = 1) -> Progress:
    return Progress(tasks, workers, total=len(tasks))


def finish(where: Progress, task: Task, seconds: float, status: Status = "ok") -> None:
    where.finish(JobResult(task.job, status, job_seconds=seconds))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved."""
    time = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: time[0])
    return time


LEARNT = {
    "nothing yet: what methods expect": ("mmmm", 2, {}, 20.0),
    "the pace of each method": ("sssqqq", 1, {0: (20.0,), 3: (1.0,)}, 2 * 20.0 + 2 * 1.0),
    "that of the others, of a method not met yet": ("aab", 1, {0: (5.0,)}, 5.0 + 5.0),
    "nothing of what was not tried": ("mm", 1, {0: (0.0, "skipped")}, 10.0),
}
"""Methods of the jobs, workers, which of the jobs took how long, and what is left."""


@pytest.mark.parametrize("what", LEARNT)
def test_what_the_estimate_learns(what: str) -> None:
    methods, workers, took, left = LEARNT[what]
    tasks = [task(number, method) for number, method in enumerate(methods)]
    where = progress(tasks, workers)
    for number, how in took.items():
        finish(where, tasks[number], *how)
    assert where.remaining_seconds() == pytest.approx(left)
    finish(where, task(7, "unknown"), 9.0)
    assert where.remaining_seconds() == pytest.approx(left)


def test_the_estimate_moves_between_results(now: list[float]) -> None:
    """And is not nothing for a job that takes longer than expected."""
    tasks = [task(k) for k in range(4)]
    where = progress(tasks, workers=2)
    for each in tasks[:2]:
        where.start(each)
    estimates = []
    for _ in range(5):
        estimates.append(where.remaining_seconds())
        now[0] += 2.0
    assert estimates == pytest.approx([20.0, 18.0, 16.0, 14.0, 12.0])
    where = progress(tasks[:2], workers=2)
    where.start(tasks[0])
    finish(where, tasks[1], 10.0)
    now[0] += 200.0
    assert where.remaining_seconds() == pytest.approx(20.0)


def test_a_job_that_is_late_says_what_others_of_its_method_may_take(now: list[float]) -> None:
    tasks = [task(0), task(1), task(0, "other")]
    where = progress(tasks)
    where.start(tasks[0])
    now[0] += 30.0
    assert where.remaining_seconds() == pytest.approx(3.0 + 30.0 + 10.0)


def test_the_estimate_is_of_the_longest_job_once_no_other_waits(now: list[float]) -> None:
    tasks = [task(0, "long", 60.0), task(1, "short", 2.0), task(2, "short", 2.0)]
    where = progress(tasks, workers=2)
    for each in tasks[:2]:
        where.start(each)
    assert where.remaining_seconds() == pytest.approx(60.0)
    where.stopping = True
    now[0] += 40.0
    assert where.remaining_seconds() == pytest.approx(20.0)


def shown(stream: io.StringIO) -> str:
    """What stands in the terminal's last line."""
    return stream.getvalue().rpartition("\r")[2].rstrip()


@pytest.mark.parametrize("columns", [64, 80, 120])
def test_the_bar_stays_one_line_and_what_counts_is_not_cut(
    columns: int, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_, **__: os.terminal_size((columns, 24)))
    stream = io.StringIO()
    tasks = [task(k, seconds=90.0) for k in range(9)]
    where = progress(tasks, workers=4)
    failed = JobResult(tasks[0].job, "oom", "too big", job_seconds=90.0)
    with TerminalBar(stream) as bar, logged_to(stream):
        for each in tasks[:5]:
            where.start(each)
            bar(where, Started(each))
        where.finish(failed)
        bar(where, failed)
        log_event(failed)
        assert "\room table-0/m (clean): too big\n" in stream.getvalue()
        assert stream.getvalue().count("\n") == 1
        line = shown(stream)
        assert line.startswith("1/9 [#         ] 1 failed, 4 running, 3:00 left  table-1/m 0:00, "[: columns - 1])
        assert len(line) == min(columns - 1, 111)
        now[0] += 60.0
        where.stopping = True
        bar(where, Tick())
        bar.refresh()
        assert shown(stream).startswith("1/9 [#         ] stopping: 4 in flight, 1 failed, 0:30 left")
    assert shown(stream) == ""


def test_plain_lines_are_few(now: list[float]) -> None:
    tasks = [task(k) for k in range(2000)]
    lines: list[str] = []
    where, plain = progress(tasks), PlainLines(lines.append)
    for each in tasks:
        now[0] += 0.1
        result = JobResult(each.job, "ok", job_seconds=0.1)
        where.start(each)
        plain(where, Started(each))
        where.finish(result)
        plain(where, result)
        plain(where, Tick())
    assert 10 <= len(lines) <= 20  # 200 seconds: a line at each tenth or half minute
    assert lines[-1] == "2000/2000 done"


def test_the_handlers_go_with_the_run(tmp_path: Path) -> None:
    before = list(LOG.handlers)
    with watched(tmp_path, json_events=False):
        assert len(LOG.handlers) == len(before) + 2
    assert before == LOG.handlers
    with pytest.raises(ZeroDivisionError), watched(tmp_path, json_events=True):
        raise ZeroDivisionError
    assert before == LOG.handlers


def test_the_log_has_times_in_utc_and_what_a_failed_job_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    began = datetime.datetime.now(datetime.UTC)
    with watched(tmp_path, json_events=False):
        log_event(Started(task(0)))
        log_event(JobResult(task(0).job, "error", "no \x1b[1mluck, caf\udce9", output="one\ntwo %s\n"))
    monkeypatch.undo()
    time.tzset()
    (path,) = (tmp_path / "logs").iterdir()
    start, error, one, two = path.read_text(encoding="utf-8").splitlines()
    stamp, words = start.split(" ", 1)
    assert abs(datetime.datetime.fromisoformat(stamp) - began) < datetime.timedelta(minutes=1)
    assert words == "start table-0/m (clean)"
    assert error.endswith("+00:00 error table-0/m (clean): no luck, caf?")
    assert (one[-9:], two) == ("    | one", "    | two %s")
    assert capsys.readouterr().err == "error table-0/m (clean): no luck, caf?\n"


@pytest.fixture
def hung_up() -> Iterator[TextIO]:
    """A terminal that nobody holds the other end of: every write fails."""
    ours, theirs = os.openpty()
    os.close(ours)
    with io.TextIOWrapper(io.FileIO(theirs, "w"), write_through=True) as stream:  # type: ignore[arg-type]
        with pytest.raises(OSError, match="Input/output error"):
            stream.write("anybody?")
        yield stream


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_outlives_its_terminal(
    tiny: TinyBenchmark, hung_up: TextIO, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", hung_up)
    monkeypatch.setattr(hung_up, "isatty", lambda: terminal, raising=False)
    tiny.folder.mkdir()
    with watched(tiny.folder, json_events=False) as observers:
        outcome, _ = tiny.run("Centroid", "Exit3", observers=observers)
    assert outcome.statuses == {"ok": 2, "error": 2}


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text

"""What is shown of a run: one line in place on a terminal, few lines in a log, and an estimate that learns."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from typing import TextIO

import pytest
from tiny_benchmark import TinyBenchmark

from bench.protocols import PROTOCOLS
from bench.records.result import Job, JobResult
from bench.run.eta import Eta
from bench.run.jobs import MethodWork, Task
from bench.run.progress import LiveLine, PlainLines, Progress, clock


def task(number: int, method: str = "m", seconds: float = 10.0) -> Task:
    job = Job(f"{method}{number}", f"table-{number}", "tiny", 10, 2, 2, method, "clean", "seed-0", 0)
    return Task(job, MethodWork(method, PROTOCOLS["clean"], 0, None, "k"), 1, seconds, 60.0)


def progress(tasks: list[Task], workers: int = 1) -> Progress:
    return Progress(total=len(tasks), already=0, eta=Eta(tasks, workers))


def test_the_estimate_starts_from_what_methods_expect() -> None:
    assert Eta([task(k) for k in range(4)], workers=2).remaining_seconds() == pytest.approx(20.0)


def test_the_estimate_learns_the_pace_of_each_method() -> None:
    eta = Eta([task(k, m) for m in ("slow", "quick") for k in range(3)], workers=1)
    eta.finished("slow0", "slow", 20.0, tried=True)
    eta.finished("quick0", "quick", 1.0, tried=True)
    assert eta.remaining_seconds() == pytest.approx(2 * 20.0 + 2 * 1.0)


def test_a_method_not_met_yet_is_scaled_by_the_others() -> None:
    eta = Eta([task(0, "a"), task(1, "a"), task(0, "b")], workers=1)
    eta.finished("a0", "a", 5.0, tried=True)
    assert eta.remaining_seconds() == pytest.approx(5.0 + 5.0)


def test_what_was_not_tried_says_nothing_about_pace() -> None:
    eta = Eta([task(0), task(1)], workers=1)
    eta.finished("m0", "m", 0.0, tried=False)
    assert eta.remaining_seconds() == pytest.approx(10.0)
    eta.finished("unknown", "m", 9.0, tried=True)
    assert eta.remaining_seconds() == pytest.approx(10.0)


def test_the_live_line_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    stream = io.StringIO()
    line = LiveLine(stream)
    tasks = [task(k) for k in range(9)]
    where = progress(tasks)
    for each in tasks:
        where.start(each)
    line.started(where, tasks[-1])
    shown = stream.getvalue()
    assert shown.startswith("\r\x1b[K0/9 done; running: table-0/m 0:00")
    assert "\n" not in shown
    assert len(shown.removeprefix("\r\x1b[K")) == 39
    failed = JobResult(tasks[0].job, "oom", "too big")
    where.finish(failed)
    line.finished(where, failed)
    assert "\r\x1b[Koom table-0/m (clean): too big\n" in stream.getvalue()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_plain_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    tasks = [task(k) for k in range(2000)]
    where, stream = progress(tasks), io.StringIO()
    plain = PlainLines(stream)
    for each in tasks:
        now[0] += 0.1
        result = JobResult(each.job, "ok", job_seconds=0.1)
        where.start(each)
        plain.started(where, each)
        where.finish(result)
        plain.finished(where, result)
        plain.tick(where)
    lines = stream.getvalue().splitlines()
    assert 10 <= len(lines) <= 20  # 200 seconds: a line at each tenth or half minute
    assert lines[-1] == "2000/2000 done"


@pytest.fixture
def hung_up() -> Iterator[TextIO]:
    """A terminal that nobody holds the other end of: every write fails."""
    ours, theirs = os.openpty()
    os.close(ours)
    with io.TextIOWrapper(io.FileIO(theirs, "w"), write_through=True) as stream:  # type: ignore[arg-type]
        with pytest.raises(OSError, match="Input/output error"):
            stream.write("anybody?")
        yield stream


@pytest.mark.parametrize("kind", [LiveLine, PlainLines])
def test_a_run_outlives_its_terminal(
    tiny: TinyBenchmark, hung_up: TextIO, kind: type[LiveLine] | type[PlainLines]
) -> None:
    front = kind(hung_up)
    outcome, record = tiny.run("Centroid", "Exit3", observers=[front])
    front.close()
    assert outcome.statuses == {"ok": 2, "error": 2}
    assert len(record.results) == 4


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text

"""The process that jobs are forked from: slow to start, killed at the worst moment, or killed with the harness."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest
from test_killed import all_end, harnesses, trackers
from tiny_benchmark import Recorder, TinyBenchmark, by_method, tables
from waiting import bearing_mark, left_of, wait_until

from bench.errors import EngineError
from bench.records.result import JobResult
from bench.run import forkserver
from bench.run.events import Started, Tick
from bench.run.forkserver import ForkServer
from bench.run.local import LocalExecutor
from bench.run.processes import children, marked

ROOT = Path(__file__).parents[2]


class Never:
    draining = now = False


def stream(tiny: TinyBenchmark, method: str, count: int, size: int = 3, stop: Any = Never) -> Iterator[Any]:
    """What happens to the jobs of so many tables."""
    tiny.folder.mkdir()
    tasks = TinyBenchmark(tiny.folder, tables(count)).plan(method).tasks
    return LocalExecutor(tiny.folder, size, 2 << 30, cores=1).stream(tasks, stop)


def assert_all_ok(results: Sequence[JobResult], count: int) -> None:
    found = [(r.job.dataset, r.status, r.reason) for r in results]
    assert sorted(found) == [(entry.name, "ok", "") for entry in tables(count)]


def kill_server() -> None:
    """Kill it and wait until it is dead; who talks to it finds out."""
    pid = forkserver._server_pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # a thread may have noticed and taken it away
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_its_death_loses_no_job_and_leaves_no_process(tiny: TinyBenchmark) -> None:
    results: list[JobResult] = []
    for event in stream(tiny, "LeavesDaemonAndWaits", 6):
        if isinstance(event, JobResult):
            results.append(event)
            if len(results) == 1:  # two others are in the middle
                kill_server()
    assert_all_ok(results, 6)
    assert left_of(lambda: bearing_mark(os.getpid())) == set()


def test_its_death_right_before_a_job_starts_leaves_no_process(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``multiprocessing`` then starts another by itself, without the mark by which what jobs leave is found."""
    monkeypatch.setenv("OF_THIS_TEST", str(tiny.folder))  # in whatever comes from here, marked or not
    alive, deaths = ForkServer._alive, []

    def and_then_dead(server: ForkServer) -> bool:
        found = alive(server)
        if found and not deaths:
            deaths.append("now")
            kill_server()
        return found

    monkeypatch.setattr(ForkServer, "_alive", and_then_dead)
    events = list(stream(tiny, "LeavesDaemonAndWaits", 4, size=1))
    assert deaths
    assert_all_ok([event for event in events if isinstance(event, JobResult)], 4)
    assert set(marked("OF_THIS_TEST", str(tiny.folder))) - trackers(os.getpid()) == set()


def test_a_job_that_kills_it_is_dropped_and_those_beside_it_are_not(tiny: TinyBenchmark) -> None:
    """The ones beside it take longer than it needs to kill: they never get to their end while it runs."""
    outcome, record = tiny.run("KillsServer", "TakesAMoment", "Centroid", jobs=3)
    results = by_method(record)
    assert {(r.status, r.reason) for r in results["takes-a-moment"] + results["centroid"]} == {("ok", "")}
    assert {(r.status, r.reason) for r in results["kills-server"]} == {
        ("error", "the fork server died 3 times while only this job ran")
    }
    assert outcome.statuses == {"ok": 4, "error": 2}


def test_an_answer_that_was_there_when_it_died_counts(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: list[str] = []
    end = ForkServer.end

    def end_after_a_death(server: ForkServer, process: Any) -> int | None:
        if not deaths:
            deaths.append("now")
            kill_server()
        return end(server, process)

    monkeypatch.setattr(ForkServer, "end", end_after_a_death)
    events = list(stream(tiny, "Centroid", 4, size=1))
    assert deaths
    assert_all_ok([event for event in events if isinstance(event, JobResult)], 4)
    assert sum(isinstance(e, Started) for e in events) == 4, "a job that had answered was run again"


def test_stopping_now_as_it_dies_leaves_nothing(tiny: TinyBenchmark) -> None:
    class Stop:
        draining = now = False

    stop, ticks = Stop(), 0
    for event in stream(tiny, "Sleeps", 2, stop=stop):
        ticks += isinstance(event, Tick)
        if ticks == 10:
            kill_server()
            stop.draining = stop.now = True
    assert stop.now
    assert left_of(lambda: bearing_mark(os.getpid())) == set()


def test_what_a_harness_that_stops_looking_leaves_is_nothing(tiny: TinyBenchmark) -> None:
    """Its store fails, say: the generator is closed while jobs run that would take ten minutes."""
    events = stream(tiny, "Sleeps", 2)
    while not isinstance(next(events), Tick):
        pass
    events.close()  # type: ignore[attr-defined]
    assert left_of(lambda: bearing_mark(os.getpid())) == set()


@pytest.fixture
def slow_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads libraries for twenty seconds, which its jobs do not need."""
    monkeypatch.setattr("bench.run.work.MethodWork.modules", lambda work: ("slow_to_import",))


@pytest.mark.usefixtures("slow_to_load")
@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 8)], ids=["ctrl-c", "term"])
def test_stopping_is_heard_while_the_libraries_are_loaded(tiny: TinyBenchmark, number: int, workers: int) -> None:
    """The jobs that wait for it are the last; the second press does not wait for them either."""
    presses: list[int] = []

    class Impatient(Recorder):
        def tick(self, progress: Any) -> None:
            if len(presses) < 2:
                presses.append(number)
                os.kill(os.getpid(), number)

    began = time.monotonic()
    outcome, record = TinyBenchmark(tiny.folder, tables(8)).run("Centroid", observers=[Impatient()], jobs=workers)
    assert (outcome.interrupted, outcome.undone, record.results) == (True, 8, ())
    assert time.monotonic() - began < 15.0, "loading takes twenty seconds"


def test_one_that_does_not_come_up_says_why(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tiny.folder.parent / "python"
    program.write_text("#!/bin/sh\necho no luck >> $BENCH_FORKSERVER_OUTPUT\nexit 1\n")
    program.chmod(0o755)
    resource_tracker.ensure_running()  # with the real one: it serves the tests after this, too
    monkeypatch.setattr("multiprocessing.spawn._python_exe", os.fsencode(program))
    with pytest.raises(EngineError, match="the fork server does not start: no luck"):
        tiny.run("Centroid")


@pytest.mark.usefixtures("slow_to_load")
def test_one_whose_loading_hangs_is_killed_in_time(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its jobs then load for themselves what they need, which is nothing of that kind."""
    monkeypatch.setattr("bench.run.forkserver.START_SECONDS", 2.0)
    began = time.monotonic()
    outcome, _ = tiny.run("Centroid")
    assert outcome.all_ok
    assert time.monotonic() - began < 15.0


@pytest.mark.parametrize("end", ["os.abort()", "raise SystemExit"])
def test_a_library_that_ends_the_process_as_it_is_loaded_costs_its_own_jobs_only(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    (tiny.folder.parent / "ends_the_process.py").write_text(f"import os\n{end}\n")
    monkeypatch.syspath_prepend(str(tiny.folder.parent))
    monkeypatch.setattr("bench.run.work.MethodWork.modules", lambda work: ("ends_the_process",))
    outcome, record = tiny.run("Centroid", "ImportsEnd")
    assert outcome.statuses == {"ok": 2, "error": 2}
    assert {r.status for r in by_method(record)["centroid"]} == {"ok"}


def test_what_is_left_of_a_dead_harness_and_server_is_swept_by_the_next_run(tiny: TinyBenchmark) -> None:
    """Both are killed at once; the daemon that a job had forked has nobody any more, but its mark."""
    with harnesses(tiny.folder, 1, 1, "LeavesDaemonAndSleeps") as runs:
        harness = runs.begin()
        wait_until(lambda: len(_forked(harness)) >= 3)  # server, job, daemon
        (server,) = set(children(harness)) & _forked(harness)
        os.kill(server, signal.SIGSTOP)  # else it may find time to clear up when the harness is gone
        runs.kill()
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: len(bearing_mark(harness)) == 1)  # the daemon alone outlives them
        left = bearing_mark(harness)
        tiny.run("Centroid")
        assert all_end(left)


def test_a_harness_that_runs_is_left_alone(tiny: TinyBenchmark) -> None:
    """By another one that uses the same name, as no two runs in one folder should."""
    sweep = (
        "from bench.run.forkserver import ForkServer, sweep_leftovers\n"
        f"home = {str(tiny.folder.resolve())!r}\nsweep_leftovers(home)\nwith ForkServer(home, ()): pass"
    )
    swept = False
    for event in stream(tiny, "TakesAMoment", 1):
        if isinstance(event, Tick) and not swept and len(bearing_mark(os.getpid())) == 2:
            swept = True
            subprocess.run([sys.executable, "-c", sweep], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
            assert forkserver._server_pid() in bearing_mark(os.getpid())
        if isinstance(event, JobResult):
            assert event.status == "ok"
    assert swept


def _forked(harness: int) -> set[int]:
    """Those of a harness's fork server and its jobs, without the programs that a library calls as it is imported."""
    found = set()
    for pid in bearing_mark(harness):
        with contextlib.suppress(OSError):
            if b"multiprocessing.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def test_the_users_script_is_not_run_again_in_jobs(tmp_path: Path) -> None:
    """As ``multiprocessing`` would, and without the guard that it asks for."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from tiny_benchmark import TinyBenchmark\n"
        f"Path({str(tmp_path / 'runs')!r}).open('a').write('x')\n"
        f"outcome, _ = TinyBenchmark(Path({str(tmp_path / 'r')!r})).run('Centroid')\n"
        "assert outcome.all_ok, outcome\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").read_text() == "x"

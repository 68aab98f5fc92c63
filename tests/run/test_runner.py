"""Resuming, superseding, interrupting; and that none of it changes a score."""

from __future__ import annotations

import itertools
import math
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tiny_benchmark import TinyBenchmark, TinyEntry, scores, tables

from bench.records.method import HoldoutResult
from bench.records.result import JobResult
from bench.run.events import Event, Note, Started, Tick
from bench.run.plan import Task
from bench.run.progress import Progress
from bench.run.runlog import log_event, log_file
from bench.run.runner import execute
from bench.store import Store, read_run


class Recorder:
    """An observer that remembers, and may act."""

    def __init__(self, on_finish: Any = None) -> None:
        self.started_jobs: list[str] = []
        self.finished_jobs: list[str] = []
        self.notes: list[str] = []
        self.lines: list[str] = []
        self._on_finish = on_finish

    def __call__(self, progress: Progress, event: Event) -> None:
        match event:
            case Started(task):
                self.started(progress, task)
            case JobResult():
                self.finished(progress, event)
            case Note(text):
                self.note(text)
            case Tick():
                self.tick(progress)

    def started(self, progress: Progress, task: Any) -> None:
        self.started_jobs.append(f"{task.job.dataset}/{task.job.method}")
        self.lines.append(progress.line())

    def finished(self, progress: Progress, result: JobResult) -> None:
        self.finished_jobs.append(f"{result.job.dataset}/{result.job.method}")
        self.lines.append(progress.line())
        if self._on_finish:
            self._on_finish(len(self.finished_jobs))

    def tick(self, progress: Progress) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_two_tables_two_methods(tiny: TinyBenchmark) -> None:
    outcome, record = tiny.run("Centroid", "Shrunken")
    assert outcome.all_ok
    assert [(r.job.dataset, r.job.method) for r in record.results] == [
        ("alpha", "centroid"), ("alpha", "shrunken"), ("beta", "centroid"), ("beta", "shrunken"),
    ]  # fmt: skip
    for result in record.results:
        assert [h.holdout for h in result.holdouts] == [0, 1, 2, 3]
        assert all(0 <= h.score <= 100 for h in result.holdouts)
        assert result.job_seconds >= 0
        assert result.peak_rss_mb > 1
        assert result.provenance["threads"] == 1
        assert {"memory_estimate_mb", "memory_peak_mb", "memory_allowed_mb"} <= set(result.provenance)
    assert set(record.planned) == {r.job for r in record.results}


def test_a_methods_own_limitation_is_a_skip_with_its_reason(tiny: TinyBenchmark) -> None:
    outcome, record = tiny.run("Centroid", "Limited")
    assert not outcome.all_ok
    told = {(r.job.method, r.status, r.reason) for r in record.results}
    assert told == {("centroid", "ok", ""), ("limited", "skipped", "has its limits")}
    assert not tiny.plan("Limited").tasks


def test_a_limitation_takes_the_place_of_an_earlier_result(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a table that cannot be read: the method itself says that it is not to be tried."""
    import faulty_methods

    tiny.run("Centroid")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    monkeypatch.setattr(faulty_methods.Centroid, "limitation", faulty_methods.Limited.limitation)
    outcome, record = tiny.run("Centroid")
    assert outcome.unread == outcome.kept == ()
    assert [(r.status, r.reason) for r in record.results] == [("skipped", "has its limits")] * 2


def test_estimates_that_are_none_fail_their_own_job_only(tiny: TinyBenchmark) -> None:
    _, record = tiny.run("Centroid", "Boundless", "Guessless")
    told = {r.job.method: (r.status, r.reason) for r in record.results}
    assert told["centroid"] == ("ok", "")
    assert told["boundless"][0] == told["guessless"][0] == "error"
    assert "its own estimates: ValueError: work and peak_bytes must be finite" in told["boundless"][1]
    assert told["guessless"][1] == "its own estimates: ZeroDivisionError: no idea"


class Answers:
    """An executor that has the answer to every job at once."""

    size = 1

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def stream(self, tasks: Sequence[Task], stop: object) -> Iterator[JobResult]:
        for task in tasks:
            odd = task.job.dataset == "alpha"
            yield JobResult(task.job, "ok", **self._fields) if odd else JobResult(task.job, "ok")


HOLDOUT = HoldoutResult(0, 90.0, {}, 0, 90.0, 0.1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"holdouts": (replace(HOLDOUT, score=math.nan),)}, r"ValueError: NOT NULL .*score"),
        ({"holdouts": (replace(HOLDOUT, score=[1.0]),)}, r"ValueError: .*not supported"),
        ({"holdouts": (replace(HOLDOUT, iteration=1 << 70),)}, r"OverflowError"),
        ({"holdouts": (HOLDOUT, HOLDOUT)}, r"ValueError: UNIQUE"),
        ({"holdouts": (replace(HOLDOUT, details={"handle": object()}),)}, r"TypeError: .*not JSON serializable"),
    ],
    ids=["nan", "list", "large", "twice", "object"],
)
def test_a_result_that_cannot_be_stored_is_its_jobs_error(
    tiny: TinyBenchmark, fields: dict[str, Any], reason: str
) -> None:
    watcher = Recorder()
    plan = tiny.plan("Centroid")
    with Store(tiny.folder) as store:
        outcome = execute(plan, store, Answers(**fields), {"seed": 0}, [watcher])
    alpha, beta = read_run(tiny.folder).results
    assert (alpha.status, beta.status) == ("error", "ok")
    assert re.search(r"its result cannot be stored \(" + reason, alpha.reason)
    assert outcome.statuses == {"ok": 1, "error": 1}
    assert watcher.lines[-1] == "2/2 done, 1 failed"


def test_reasons_and_output_are_stored_as_text_whatever_the_executor(tiny: TinyBenchmark) -> None:
    plan = tiny.plan("Centroid")
    with Store(tiny.folder) as store:
        execute(plan, store, Answers(reason="caf\udce9", output="one\n\x1b[1mtw\udce9\n"), {"seed": 0})
    alpha = read_run(tiny.folder).results[0]
    assert (alpha.reason, alpha.output) == ("caf?", "one\ntw?")


def test_the_log_takes_any_text(tiny: TinyBenchmark) -> None:
    tiny.folder.mkdir()
    with log_file(tiny.folder):
        log_event(Note("no such file: caf\udce9"))
    (path,) = (tiny.folder / "logs").iterdir()
    assert path.read_text(encoding="utf-8").endswith("no such file: caf?\n")


def test_a_second_run_does_nothing(tiny: TinyBenchmark) -> None:
    tiny.run("Centroid", "Shrunken")
    watcher = Recorder()
    outcome, _ = tiny.run("Centroid", "Shrunken", observers=[watcher])
    assert outcome.all_ok
    assert outcome.already == 4
    assert watcher.started_jobs == []


def test_only_what_is_new_is_run(tiny: TinyBenchmark) -> None:
    tiny.run("Centroid")
    watcher = Recorder()
    tiny.run("Centroid", "Shrunken", observers=[watcher])
    assert sorted(watcher.started_jobs) == ["alpha/shrunken", "beta/shrunken"]


def test_failures_are_tried_again_only_when_asked(tiny: TinyBenchmark) -> None:
    tiny.run("Centroid", "Exit3")
    quiet, retried = Recorder(), Recorder()
    outcome, _ = tiny.run("Centroid", "Exit3", observers=[quiet])
    assert quiet.started_jobs == []
    assert outcome.statuses == {"ok": 2, "error": 2}
    assert not outcome.all_ok
    tiny.run("Centroid", "Exit3", observers=[retried], retry_failed=True)
    assert sorted(retried.started_jobs) == ["alpha/exit3", "beta/exit3"]


def test_a_job_that_was_too_large_is_tried_once_there_is_memory(tiny: TinyBenchmark) -> None:
    needs = 300 << 20
    import faulty_methods

    faulty_methods.Centroid.estimate, before = needs, faulty_methods.Centroid.estimate
    try:
        outcome, record = tiny.run("Centroid", memory_bytes=needs // 2)
        assert outcome.statuses == {"skipped": 2}
        assert "315 MB" in record.results[0].reason
        assert "157 MB" in record.results[0].reason
        outcome, _ = tiny.run("Centroid", memory_bytes=2 * needs)
        assert outcome.statuses == {"ok": 2}
    finally:
        faulty_methods.Centroid.estimate = before


def test_a_changed_grid_supersedes_the_old_result(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    import faulty_methods

    _, before = tiny.run("Centroid")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    plan = tiny.plan("Centroid")
    assert {t.job.id for t in plan.tasks}.isdisjoint(r.job.id for r in before.results)
    outcome, after = tiny.run("Centroid", plan=plan)
    assert outcome.already == 0
    assert {r.job.id for r in after.results} == {t.job.id for t in plan.tasks}


def test_a_planned_job_hides_the_result_it_supersedes_even_before_it_is_run(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faulty_methods

    tiny.run("Slow")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    stop_at_once = Recorder(on_finish=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    outcome, record = tiny.run("Slow", jobs=1, observers=[stop_at_once])
    assert outcome.undone == 1
    assert len(record.results) == 1
    assert len(record.planned) == 2


def test_seeds_stand_next_to_one_another_in_one_folder(tiny: TinyBenchmark) -> None:
    _, before = tiny.run("Centroid")
    outcome, record = tiny.run("Centroid", seeds=(0, 1, 2))
    assert (outcome.already, outcome.all_ok) == (2, True)
    assert [(r.job.dataset, r.job.seed) for r in record.results] == [
        (t, s) for t in ("alpha", "beta") for s in range(3)
    ]
    assert [r for r in record.results if r.job.seed == 0] == list(before.results)
    assert {r.job.split for r in record.results} == {"seed-0", "seed-1", "seed-2"}
    alone = TinyBenchmark(tiny.folder / "alone", tiny.entries).run("Centroid", seeds=(2,))[1]
    assert [(r.job.id, h.score) for r in alone.results for h in r.holdouts] == [
        (r.job.id, h.score) for r in record.results if r.job.seed == 2 for h in r.holdouts
    ]
    _, again = tiny.run("Centroid", seeds=(1,))
    assert {job.seed for job in again.planned} == {1}
    assert len(again.results) == 6  # what was not asked for this time stays


def test_a_table_that_is_missing_makes_its_jobs_skipped(tiny: TinyBenchmark) -> None:
    tiny.entries = (*tiny.entries, TinyEntry("gamma", present=False))
    outcome, record = tiny.run("Centroid")
    assert outcome.statuses == {"ok": 2, "skipped": 1}
    skipped = record.results[-1]
    assert (skipped.job.dataset, skipped.status) == ("gamma", "skipped")
    assert "no such file" in skipped.reason
    assert skipped.holdouts == ()


@pytest.mark.parametrize("fault", ["sound", "present"])
def test_a_table_that_cannot_be_read_any_more_leaves_its_results(tiny: TinyBenchmark, fault: str) -> None:
    alpha, beta = tiny.entries
    _, before = tiny.run("Centroid", "Exit3")
    tiny.entries = (replace(alpha, **{fault: False}), beta)
    outcome, after = tiny.run("Centroid", "Exit3")
    assert not outcome.all_ok
    assert [(r.job.dataset, r.job.method) for r in outcome.kept] == [("alpha", "centroid")]
    assert [(r.job.dataset, r.job.method) for r in outcome.unread] == [("alpha", "centroid"), ("alpha", "exit3")]
    stands = {(r.job.dataset, r.job.method): r for r in after.results}
    assert scores(after) == scores(before)
    assert stands["alpha", "exit3"].holdouts == ()
    assert fault == "present" or "not the study's file" in stands["alpha", "exit3"].reason
    assert set(after.planned) == {r.job for r in after.results}
    tiny.entries = (alpha, beta)
    assert tiny.run("Centroid", "Exit3")[1].results == before.results


def test_a_result_of_another_grid_is_better_than_a_table_that_cannot_be_read(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faulty_methods

    _, before = tiny.run("Centroid")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    tiny.entries = tuple(replace(entry, sound=False) for entry in tiny.entries)
    outcome, after = tiny.run("Centroid")
    assert outcome.statuses == {"error": 2}
    assert after.results == before.results


def test_scores_do_not_depend_on_workers_order_or_neighbours(tiny: TinyBenchmark) -> None:
    entries = tables(6)
    found = []
    for number, (workers, backwards) in enumerate(itertools.product((1, 2, 5), (False, True))):
        benchmark = TinyBenchmark(tiny.folder / str(number), entries)
        plan = benchmark.plan("Centroid", "Shrunken", "Slow")
        if backwards:
            plan = type(plan)(plan.tasks[::-1], plan.settled)
        _, record = benchmark.run(plan=plan, jobs=workers)
        found.append(scores(record))
    assert len(found[0]) == 6 * 3 * 4
    assert all(other == found[0] for other in found[1:])


def test_seeds_and_protocols_give_results_of_their_own(tiny: TinyBenchmark) -> None:
    first = TinyBenchmark(tiny.folder / "a", tiny.entries).run("Centroid", seeds=[0])[1]
    second = TinyBenchmark(tiny.folder / "b", tiny.entries).run("Centroid", seeds=[1])[1]
    assert scores(first) != scores(second)
    for protocol in ("clean-cv", "relearn", "published"):
        outcome, _ = TinyBenchmark(tiny.folder / protocol, tiny.entries).run("Centroid", protocol=protocol)
        assert outcome.all_ok, protocol


def test_ctrl_c_finishes_what_runs_and_starts_nothing(tiny: TinyBenchmark) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(12))
    watcher = Recorder(on_finish=lambda count: os.kill(os.getpid(), signal.SIGINT) if count == 3 else None)
    outcome, record = benchmark.run("Slow", observers=[watcher])
    assert outcome.interrupted
    assert sorted(watcher.finished_jobs) == sorted(watcher.started_jobs)
    assert 3 <= len(record.results) < 12
    assert outcome.undone == 12 - len(record.results)
    assert any("in flight will finish" in note for note in watcher.notes)
    outcome, record = benchmark.run("Slow")
    assert outcome.all_ok
    assert len(record.results) == 12


def test_ctrl_c_twice_stops_now(tiny: TinyBenchmark) -> None:
    def press(count: int) -> None:
        if count == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    watcher = Recorder(on_finish=press)
    outcome, record = TinyBenchmark(tiny.folder, tables(12)).run("Slow", observers=[watcher], jobs=3)
    assert outcome.interrupted
    assert len(record.results) < len(watcher.started_jobs)


def test_the_handlers_are_given_back(tiny: TinyBenchmark) -> None:
    before = signal.getsignal(signal.SIGINT)
    tiny.run("Centroid")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_clock_that_jumps_times_nothing_out(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = itertools.cycle([0.0, 4e9, -5.0, 2e12, 1.0])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    outcome, record = tiny.run("Slow", "Centroid", timeout=60.0)
    assert outcome.all_ok
    assert all(0 <= r.job_seconds < 60 for r in record.results)
    assert 0 <= outcome.seconds < 60


def test_the_line_says_where_the_run_stands(tiny: TinyBenchmark) -> None:
    watcher = Recorder()
    tiny.run("Centroid", "Exit3", "TooLarge", jobs=1, observers=[watcher])
    assert watcher.lines[-1] == "6/6 done, 2 failed, 2 skipped"
    assert any("running: " in line and "left" in line for line in watcher.lines)

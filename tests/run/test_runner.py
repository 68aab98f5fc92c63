"""Resuming, superseding, storing what became of jobs; here they are done in the test's own process."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import faulty_methods
import numpy as np
import pandas as pd
import pytest
from tiny_benchmark import Recorder, TinyBenchmark, TinyEntry, scores

import bench
from bench.cli.export import export_runs
from bench.records.method import HoldoutResult
from bench.records.result import JobResult
from bench.run.plan import Task
from bench.run.runner import execute
from bench.stats.frame import seconds_per_thousand
from bench.store import Store, read_run

pytestmark = pytest.mark.usefixtures("in_process")


def test_what_is_skipped_has_its_reason(tiny: TinyBenchmark) -> None:
    """A method's own limitation, or a table that is missing."""
    tiny.entries = (tiny.entries[0], TinyEntry("gamma", present=False))
    outcome, record = tiny.run("Centroid", "Limited")
    assert (outcome.all_ok, outcome.statuses) == (False, {"ok": 1, "skipped": 3})
    gone = ("skipped", "gamma: no such file in the tiny source")
    assert {(r.job.dataset, r.job.method): (r.status, r.reason) for r in record.results} == {
        ("alpha", "centroid"): ("ok", ""),
        ("alpha", "limited"): ("skipped", "has its limits"),
        ("gamma", "centroid"): gone,
        ("gamma", "limited"): gone,
    }
    assert record.results[-1].holdouts == ()
    assert [task.job.method for task in tiny.plan("Centroid", "Limited").tasks] == ["centroid"]


def test_a_limitation_takes_the_place_of_an_earlier_result(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a table that cannot be read: the method itself says that it is not to be tried."""
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


UNFIT = {
    r"ValueError: NOT NULL .*score": {"holdouts": (replace(HOLDOUT, score=math.nan),)},
    r"ValueError: .*not supported": {"holdouts": (replace(HOLDOUT, score=[1.0]),)},
    r"OverflowError": {"holdouts": (replace(HOLDOUT, iteration=1 << 70),)},
    r"ValueError: UNIQUE": {"holdouts": (HOLDOUT, HOLDOUT)},
    r"TypeError: .*not JSON serializable": {"holdouts": (replace(HOLDOUT, details={"handle": object()}),)},
}


@pytest.mark.parametrize("reason", UNFIT)
def test_a_result_that_cannot_be_stored_is_its_jobs_error(tiny: TinyBenchmark, reason: str) -> None:
    watcher = Recorder()
    with Store(tiny.folder) as store:
        outcome = execute(tiny.plan("Centroid"), store, Answers(**UNFIT[reason]), {"seed": 0}, [watcher])
    alpha, beta = read_run(tiny.folder).results
    assert (alpha.status, beta.status, outcome.statuses) == ("error", "ok", {"ok": 1, "error": 1})
    assert re.search(r"its result cannot be stored \(" + reason, alpha.reason)
    assert watcher.lines[-1] == "2/2 done, 1 failed"


def test_reasons_and_output_are_stored_as_text_whatever_the_executor(tiny: TinyBenchmark) -> None:
    with Store(tiny.folder) as store:
        execute(tiny.plan("Centroid"), store, Answers(reason="caf\udce9", output="one\n\x1b[1mtw\udce9\n"), {"seed": 0})
    alpha = read_run(tiny.folder).results[0]
    assert (alpha.reason, alpha.output) == ("caf?", "one\ntw?")


def test_only_what_is_new_is_run_and_failures_again_when_asked(tiny: TinyBenchmark) -> None:
    tiny.run("Centroid")
    more, idle, retried = Recorder(), Recorder(), Recorder()
    tiny.run("Centroid", "Unstorable", observers=[more])
    outcome, _ = tiny.run("Centroid", "Unstorable", observers=[idle])
    assert (outcome.statuses, outcome.already, outcome.all_ok) == ({"ok": 2, "error": 2}, 4, False)
    tiny.run("Centroid", "Unstorable", observers=[retried], retry_failed=True)
    assert sorted(more.started_jobs) == sorted(retried.started_jobs) == ["alpha/unstorable", "beta/unstorable"]
    assert idle.started_jobs == []


def test_a_job_that_was_too_large_is_tried_once_there_is_memory(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = 300 << 20
    monkeypatch.setattr(faulty_methods.Centroid, "estimate", needs)
    outcome, record = tiny.run("Centroid", memory_bytes=needs // 2)
    assert outcome.statuses == {"skipped": 2}
    assert re.search("315 MB.*157 MB", record.results[0].reason)
    outcome, _ = tiny.run("Centroid", memory_bytes=2 * needs)
    assert outcome.statuses == {"ok": 2}


def test_a_changed_grid_supersedes_the_old_result(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    _, before = tiny.run("Centroid")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    plan = tiny.plan("Centroid")
    assert {t.job.id for t in plan.tasks}.isdisjoint(r.job.id for r in before.results)
    outcome, after = tiny.run("Centroid", plan=plan)
    assert outcome.already == 0
    assert {r.job.id for r in after.results} == {t.job.id for t in plan.tasks}


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


@pytest.mark.parametrize("fault", ["sound", "present"])
def test_a_table_that_cannot_be_read_any_more_leaves_its_results(tiny: TinyBenchmark, fault: str) -> None:
    alpha, beta = tiny.entries
    _, before = tiny.run("Centroid", "Unstorable")
    tiny.entries = (replace(alpha, **{fault: False}), beta)
    outcome, after = tiny.run("Centroid", "Unstorable")
    assert not outcome.all_ok
    assert [(r.job.dataset, r.job.method) for r in outcome.kept] == [("alpha", "centroid")]
    assert [(r.job.dataset, r.job.method) for r in outcome.unread] == [("alpha", "centroid"), ("alpha", "unstorable")]
    stands = {(r.job.dataset, r.job.method): r for r in after.results}
    assert scores(after) == scores(before)
    assert stands["alpha", "unstorable"].holdouts == ()
    assert fault == "present" or "not the study's file" in stands["alpha", "unstorable"].reason
    assert set(after.planned) == {r.job for r in after.results}
    tiny.entries = (alpha, beta)
    assert tiny.run("Centroid", "Unstorable")[1].results == before.results


def test_a_result_of_another_grid_is_better_than_a_table_that_cannot_be_read(
    tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before = tiny.run("Centroid")
    monkeypatch.setattr(faulty_methods.Centroid, "configurations", lambda self: [{"shrink": 0.25}])
    tiny.entries = tuple(replace(entry, sound=False) for entry in tiny.entries)
    outcome, after = tiny.run("Centroid")
    assert outcome.statuses == {"error": 2}
    assert after.results == before.results


def test_the_line_says_where_the_run_stands_and_handlers_are_given_back(tiny: TinyBenchmark) -> None:
    before, watcher = signal.getsignal(signal.SIGINT), Recorder()
    tiny.run("Centroid", "Unstorable", "TooLarge", jobs=1, observers=[watcher])
    assert watcher.lines[-1] == "6/6 done, 2 failed, 2 skipped"
    assert any("running: " in line and "left" in line for line in watcher.lines)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_tells_what_scoring_took_and_an_export_keeps_it(tiny: TinyBenchmark) -> None:
    """From a run to the figures per 1,000 samples."""
    _, record = tiny.run("bench.methods.laplace:Laplace", "bench.methods.svm_rbf:SVMRBF", jobs=1)
    assert [r.status for r in record.results] == ["ok"] * 4
    for result in record.results:
        for h in result.holdouts:
            assert h.predict_seconds is not None
            assert 0 <= h.predict_seconds <= h.fit_seconds
            assert (h.train_samples or 0) + (h.test_samples or 0) == result.job.rows
            assert h.train_samples == 3 * result.job.rows // 4
    stored = bench.load(tiny.folder)
    path = export_runs([tiny.folder], out=tiny.folder / "exported.csv")[0]
    pd.testing.assert_frame_equal(bench.load(path), stored)
    methods = stored["method"].unique()
    found = seconds_per_thousand(stored, "clean", ["alpha", "beta"])
    for method in methods:
        of = [r for r in record.results if r.job.method == method]
        predict = [np.mean([1000 * h.predict_seconds / h.test_samples for h in r.holdouts]) for r in of]  # type: ignore[operator]
        train = [
            np.mean([1000 * (h.fit_seconds - h.predict_seconds) / h.train_samples for h in r.holdouts])  # type: ignore[operator]
            for r in of
        ]
        np.testing.assert_allclose(found.loc[method], [np.median(train), np.median(predict)], rtol=1e-12)

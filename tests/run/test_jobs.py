"""What a job is expected to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_benchmark import TinyBenchmark, TinyEntry, generate

from bench.data.grinsztajn import divided
from bench.data.splits import draw_splits, splits_for
from bench.methods import get_method
from bench.protocols import PROTOCOLS
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced, reduction
from bench.protocols.registry import reduction_in_words
from bench.records.dataset import Dataset
from bench.run.estimates import GREEDY_MEMBERS, expected_bytes, expected_seconds
from bench.run.jobs import NamedMethod, expand_jobs

CLEAN = PROTOCOLS["clean"]
SPLITS = draw_splits("table", np.arange(40) % 2, 0)


class Cubic:
    """A stand-in whose work can be told by looking at it: four hold-outs of n^3 for each configuration."""

    def configurations_for(self, kind: str) -> list[dict[str, Any]]:
        return [{}] * 9

    def work(self, n: int, d: int, c: int) -> float:
        return 4.0 * 9 * n**3


def test_a_full_job_is_expected_to_take_what_its_method_says() -> None:
    assert expected_seconds(Cubic(), 8000, 5, 2, CLEAN, SPLITS) == Cubic().work(8000, 5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("protocol", "tunings", "fits"),
    [
        ("clean-nominal", 1, 1),
        ("clean-cv", 5, 1),
        ("clean-top5", 1, 5),
        ("clean-greedy", 1, GREEDY_MEMBERS),
        ("clean-cv-greedy", 5, GREEDY_MEMBERS),
        ("published", 1 / 4 * (5 / 6) ** 3, 1),  # once for all test folds, on half of the samples, not on three fifths
    ],
)
def test_a_job_takes_as_many_fits_as_its_protocol_has_folds_and_members(
    protocol: str, tunings: float, fits: float
) -> None:
    """Of ten fits of each test fold nine are the grid's, one that of what was selected."""
    found = expected_seconds(Cubic(), 6000, 5, 2, PROTOCOLS[protocol], SPLITS)  # type: ignore[arg-type]
    assert found == pytest.approx((0.9 * tunings + 0.1 * fits) * Cubic().work(6000, 5, 2))


def test_a_reduced_jobs_refits_are_of_all_rows() -> None:
    one, rows = get_method("rfm"), 60_000
    plain, cv, greedy = (
        expected_seconds(one, rows, 20, 3, PROTOCOLS[name], reduced(SPLITS, rows))
        for name in ("clean", "clean-cv", "clean-greedy")
    )
    assert plain < cv < 5 * plain
    assert plain < greedy < GREEDY_MEMBERS * plain
    assert cv - plain == pytest.approx(4 * one.work(6667, 20, 3) / 4 * 10 / 11, rel=1e-3), "selected on the sample"


@pytest.mark.parametrize("rows", [LARGE_ROWS + 1, 100_000])
def test_a_reduced_job_chooses_on_the_sample_and_fits_on_all_rows_once(rows: int) -> None:
    found = expected_seconds(Cubic(), rows, 5, 2, CLEAN, reduced(SPLITS, rows))  # type: ignore[arg-type]
    # 5000 rows are three quarters of 6667; one fit of ten, where four fifths of the training rows are all of ours.
    on_sample, on_all = 9 * 6667**3, 0.9 * np.ceil(rows / 0.8) ** 3
    assert found == pytest.approx(on_sample + on_all)


def test_a_sample_that_is_the_whole_training_part_saves_nothing() -> None:
    splits = replace(SPLITS, tuning_rows=5000)
    assert expected_seconds(Cubic(), 6000, 5, 2, CLEAN, splits) == Cubic().work(6000, 5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["mlp", "xgboost", "random_forest", "svm_rbf"])
def test_the_reduction_makes_methods_faster_whose_fits_are_of_one_kind(method: str) -> None:
    """Kernel methods may solve large systems in another way than small ones: nothing can be said of those here."""
    rows = 15_000
    one = get_method(method)
    full, less = (expected_seconds(one, rows, 20, 3, CLEAN, s) for s in (SPLITS, reduced(SPLITS, rows)))
    assert less < full / 4


@pytest.mark.parametrize("method", ["rfm", "laplace", "ntk"])
def test_kernel_methods_of_large_tables_are_expected_to_take_what_they_say_of_the_reduced_job(method: str) -> None:
    """Their figure beyond 10,000 rows is of one hold-out, chosen on the sample and refitted on all rows."""
    one, rows = get_method(method), 130_000
    assert expected_seconds(one, rows, 50, 2, CLEAN, reduced(SPLITS, rows)) == one.work(rows, 50, 2)
    assert expected_seconds(one, rows, 50, 2, CLEAN, SPLITS) > 10 * one.work(rows, 50, 2)


@pytest.mark.parametrize(("protocol", "sampled"), [("relearn", 2), ("published", 2), ("clean", 1), ("clean-cv", 1)])
def test_two_samples_choose_where_the_tuning_halves_do(protocol: str, sampled: int) -> None:
    one, rows = get_method("ntk"), LARGE_ROWS + 50
    found = expected_bytes(one, rows, 3, 2, PROTOCOLS[protocol], reduced(SPLITS, rows))
    assert found == max(one.peak_bytes(rows, 3, 2), one.peak_bytes(sampled * TUNING_ROWS, 3, 2) if sampled > 1 else 0)
    assert found >= 8 * (sampled * TUNING_ROWS) ** 2
    assert expected_bytes(one, 800, 3, 2, PROTOCOLS[protocol], SPLITS) == one.peak_bytes(800, 3, 2)


def test_scores_that_are_kept_take_memory() -> None:
    one = get_method("rfm")
    plain, greedy, top5 = (
        expected_bytes(one, 800, 3, 4, PROTOCOLS[name], SPLITS) for name in ("clean", "clean-greedy", "clean-top5")
    )
    points = 5 * len(one.configurations())
    assert greedy - plain >= 4 * points * 800 * 4
    assert top5 == plain


OWN = Dataset("table", np.zeros((60_000, 1)), np.arange(60_000) % 2, 2, "tiny")
"""A table that a benchmark divides so that 10,000 rows are trained on, 15,000 validate and 35,000 are tested."""


def test_of_divisions_with_validation_parts_the_rows_that_are_trained_on_count() -> None:
    splits = reduced(divided(OWN, "grinsztajn-medium"), 60_000)
    assert expected_seconds(get_method("rfm"), 60_000, 5, 2, CLEAN, splits) == get_method("rfm").work(13_334, 5, 2)
    small = reduced(divided(replace(OWN, X=OWN.X[:8_192], y=OWN.y[:8_192]), "grinsztajn-medium"), 8_192)
    assert expected_seconds(get_method("rfm"), 8_192, 5, 2, CLEAN, small) < get_method("rfm").work(8_192, 5, 2)


@pytest.mark.parametrize("method", ["rfm", "laplace", "ntk"])
def test_memory_of_divisions_with_validation_parts(method: str) -> None:
    one, splits = get_method(method), reduced(divided(OWN, "grinsztajn-medium"), 60_000)
    found = expected_bytes(one, 60_000, 5, 2, PROTOCOLS["clean"], splits)
    assert found >= one.peak_bytes(13_334, 5, 2)  # 10,000 rows are three quarters
    assert found >= one.peak_bytes(2 * TUNING_ROWS, 5, 2)  # as many validate as fit
    assert found < 5e9


def test_a_method_is_tried_where_the_rows_that_are_trained_on_allow_it() -> None:
    entry = TinyEntry("table", 60_000, 1, 2)
    methods = [NamedMethod("svm_rbf", get_method("svm_rbf"))]
    plans = [
        expand_jobs(
            [entry],
            methods,
            [PROTOCOLS["clean"]],
            [0],
            source="tiny",
            load=lambda entry: OWN,
            splits_for=lambda table, seed, name=name: splits_for(table, seed, name),
        )
        for name in ("grinsztajn-medium", "drawn")
    ]
    assert [len(plan.tasks) for plan in plans] == [1, 0]
    assert "not run above 50,000" in plans[1].settled[0].reason


def test_readers_are_told_of_both_samples() -> None:
    assert reduction_in_words("chosen on few", ("clean",)) == "selected on few"
    told = reduction_in_words("chosen on few", {"published", "clean", "relearn"})
    assert told == "selected on few; under relearn and published selected on as many of each tuning half"


def test_jobs_of_large_tables_say_what_was_taken_from_them(tiny: TinyBenchmark) -> None:
    entries = (TinyEntry("small"), TinyEntry("large", rows=LARGE_ROWS + 1))
    plan = expand_jobs(
        entries,
        [NamedMethod("faulty_methods:Centroid", get_method("faulty_methods:Centroid"))],
        [PROTOCOLS["clean"]],
        [0],
        source="tiny",
        load=generate,
        splits_for=lambda table, seed: reduced(splits_for(table, seed), len(table.y)),
    )
    assert {job.dataset: job.reduction for job in plan.jobs} == {
        "small": None,
        "large": reduction(reduced(SPLITS, LARGE_ROWS + 1)),
    }

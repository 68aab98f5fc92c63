"""What a job is expected to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_benchmark import TinyEntry, planned

from bench.data.grinsztajn import divided
from bench.data.splits import draw_splits, splits_for
from bench.methods import get_method
from bench.protocols import PROTOCOLS
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced
from bench.protocols.registry import reduction_in_words
from bench.records.dataset import Dataset, Splits
from bench.records.measure import MEASURES
from bench.run.estimates import GREEDY_MEMBERS, expected_bytes, expected_seconds

SPLITS = draw_splits("table", np.arange(40) % 2, 0)
KERNEL_METHODS = ["rfm", "laplace", "ntk"]


def seconds(method: Any, rows: int, protocol: str = "clean", splits: Splits = SPLITS, d: int = 5, c: int = 2) -> float:
    """What ``method``, one with a name or another, is expected to take."""
    one = get_method(method) if isinstance(method, str) else method
    return expected_seconds(one, rows, d, c, PROTOCOLS[protocol], splits)


class Cubic:
    """A stand-in whose work can be told by looking at it: four hold-outs of n^3 for each configuration."""

    def configurations_for(self, kind: str) -> list[dict[str, Any]]:
        return [{}] * 9

    def work(self, n: int, d: int, c: int) -> float:
        return 4.0 * 9 * n**3


@pytest.mark.parametrize("splits", [SPLITS, replace(SPLITS, tuning_rows=5000)], ids=["full", "all of it a sample"])
def test_a_full_job_is_expected_to_take_what_its_method_says(splits: Splits) -> None:
    assert seconds(Cubic(), 6000, splits=splits) == Cubic().work(6000, 5, 2)


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
    assert seconds(Cubic(), 6000, protocol) == pytest.approx((0.9 * tunings + 0.1 * fits) * Cubic().work(6000, 5, 2))


def test_a_reduced_jobs_refits_are_of_all_rows() -> None:
    rows = 60_000
    plain, cv, greedy = (
        seconds("rfm", rows, name, reduced(SPLITS, rows), 20, 3) for name in ("clean", "clean-cv", "clean-greedy")
    )
    assert plain < cv < 5 * plain
    assert plain < greedy < GREEDY_MEMBERS * plain
    on_sample = get_method("rfm").work(6667, 20, 3) / 4 * 10 / 11
    assert cv - plain == pytest.approx(4 * on_sample, rel=1e-3), "selected on the sample"


@pytest.mark.parametrize("rows", [LARGE_ROWS + 1, 100_000])
def test_a_reduced_job_chooses_on_the_sample_and_fits_on_all_rows_once(rows: int) -> None:
    # 5000 rows are three quarters of 6667; one fit of ten, where four fifths of the training rows are all of ours.
    on_sample, on_all = 9 * 6667**3, 0.9 * np.ceil(rows / 0.8) ** 3
    assert seconds(Cubic(), rows, splits=reduced(SPLITS, rows)) == pytest.approx(on_sample + on_all)


@pytest.mark.parametrize("method", KERNEL_METHODS)
def test_kernel_methods_of_large_tables_are_expected_to_take_what_they_say_of_the_reduced_job(method: str) -> None:
    """Their figure beyond 10,000 rows is of one hold-out, chosen on the sample and refitted on all rows."""
    rows, own = 130_000, get_method(method).work(130_000, 50, 2)
    assert seconds(method, rows, splits=reduced(SPLITS, rows), d=50) == own
    assert seconds(method, rows, d=50) > 10 * own


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
    assert seconds("rfm", 60_000, splits=splits) == get_method("rfm").work(13_334, 5, 2)
    small = reduced(divided(replace(OWN, X=OWN.X[:8_192], y=OWN.y[:8_192]), "grinsztajn-medium"), 8_192)
    assert seconds("rfm", 8_192, splits=small) < get_method("rfm").work(8_192, 5, 2)


@pytest.mark.parametrize("method", KERNEL_METHODS)
def test_memory_of_divisions_with_validation_parts(method: str) -> None:
    one, splits = get_method(method), reduced(divided(OWN, "grinsztajn-medium"), 60_000)
    found = expected_bytes(one, 60_000, 5, 2, PROTOCOLS["clean"], splits)
    assert found >= one.peak_bytes(13_334, 5, 2)  # 10,000 rows are three quarters
    assert found >= one.peak_bytes(2 * TUNING_ROWS, 5, 2)  # as many validate as fit
    assert found < 5e9


def test_a_method_is_tried_where_the_rows_that_are_trained_on_allow_it() -> None:
    here, there = (
        planned(
            [TinyEntry("table", 60_000, 1)],
            ["svm_rbf"],
            load=lambda entry: OWN,
            divide=lambda table, seed, name=name: splits_for(table, seed, name),
        )
        for name in ("grinsztajn-medium", "drawn")
    )
    assert (len(here.tasks), there.tasks) == (1, ())
    assert "not run above 50,000" in there.settled[0].reason


def test_readers_are_told_of_both_samples() -> None:
    assert reduction_in_words("chosen on few", ("clean",)) == "selected on few"
    told = reduction_in_words("chosen on few", {"published", "clean", "relearn"})
    assert told == "selected on few; under relearn and published selected on as many of each tuning half"


def test_a_table_that_cannot_be_divided_is_its_jobs_error() -> None:
    plan = planned([TinyEntry("t", rows=10)], ["svm_rbf"], divide=lambda table, _: divided(table, "grinsztajn-medium"))
    assert [(r.status, r.reason) for r in plan.settled] == [
        ("error", "t: 10 rows; grinsztajn-medium needs at least 11 for its three parts")
    ]


def test_what_selects_is_known_of_a_table_that_cannot_be_read() -> None:
    """The store and reports refuse jobs selected by different measures."""
    entries = (TinyEntry("here"), TinyEntry("gone", present=False), TinyEntry("y", kind="regression", present=False))
    plan = planned(entries, ["svm_rbf"], select={"classification": MEASURES["auc"]})
    assert {job.dataset: job.selected_by for job in plan.jobs} == {"here": "auc", "gone": "auc", "y": ""}

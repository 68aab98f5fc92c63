"""What a job is expected to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_benchmark import TinyBenchmark, TinyEntry, generate

from bench.data.reduction import LARGE_ROWS, reduced, reduction
from bench.data.splits import draw_splits, splits_for
from bench.methods import get_method
from bench.run.jobs import NamedMethod, expand_jobs, expected_seconds

SPLITS = draw_splits("table", np.arange(40) % 2, 0)


class Cubic:
    """A stand-in whose work can be told by looking at it: four hold-outs of n^3 for each configuration."""

    def configurations(self) -> list[dict[str, Any]]:
        return [{}] * 9

    def work(self, n: int, d: int, c: int) -> float:
        return 4.0 * 9 * n**3


def test_a_full_job_is_expected_to_take_what_its_method_says() -> None:
    assert expected_seconds(Cubic(), 8000, 5, 2, SPLITS) == Cubic().work(8000, 5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [LARGE_ROWS + 1, 100_000])
def test_a_reduced_job_chooses_on_the_sample_and_fits_on_all_rows_once(rows: int) -> None:
    found = expected_seconds(Cubic(), rows, 5, 2, reduced(SPLITS, rows))  # type: ignore[arg-type]
    # 5000 rows are three quarters of 6667; one fit of ten, where four fifths of the training rows are all of ours.
    on_sample, on_all = 9 * 6667**3, 0.9 * np.ceil(rows / 0.8) ** 3
    assert found == pytest.approx(on_sample + on_all)


def test_a_sample_that_is_the_whole_training_part_saves_nothing() -> None:
    splits = replace(SPLITS, tuning_rows=5000)
    assert expected_seconds(Cubic(), 6000, 5, 2, splits) == Cubic().work(6000, 5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["mlp", "xgboost", "random_forest", "svm_rbf"])
def test_the_reduction_makes_methods_faster_whose_fits_are_of_one_kind(method: str) -> None:
    """Kernel methods may solve large systems in another way than small ones: nothing can be said of those here."""
    rows = 15_000
    one = get_method(method)
    full, less = (expected_seconds(one, rows, 20, 3, s) for s in (SPLITS, reduced(SPLITS, rows)))
    assert less < full / 4


def test_jobs_of_large_tables_say_what_was_taken_from_them(tiny: TinyBenchmark) -> None:
    entries = (TinyEntry("small"), TinyEntry("large", rows=LARGE_ROWS + 1))
    plan = expand_jobs(
        entries,
        [NamedMethod("faulty_methods:Centroid", get_method("faulty_methods:Centroid"))],
        "clean",
        0,
        source="tiny",
        load=generate,
        splits_for=lambda table, seed: reduced(splits_for(table, seed), len(table.y)),
    )
    assert {job.dataset: job.reduction for job in plan.jobs} == {
        "small": None,
        "large": reduction(reduced(SPLITS, LARGE_ROWS + 1)),
    }
    plan.release()

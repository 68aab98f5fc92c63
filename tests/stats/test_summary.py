"""The summary metrics, the missing-value rules, the pool, worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import ReportError
from bench.stats.missing import STUDY_2014, ZERO_EVERYWHERE
from bench.stats.significance import win_tie_loss
from bench.stats.summary import Pool, common_pool, profile, summarise, win_rates

NAN = float("nan")


def table(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=[f"t{i}" for i in range(len(next(iter(columns.values()))))])


def test_metrics_worked_by_hand() -> None:
    got = summarise(Pool(table(a=[100.0, 50.0], b=[90.0, 50.0], c=[80.0, 47.5]))).round(6)
    assert got.loc["a"].tolist() == pytest.approx([75.0, np.std([100, 50], ddof=1), 100.0, 100.0, 100.0, 1.25])
    assert got.loc["b"].tolist() == pytest.approx([70.0, np.std([90, 50], ddof=1), 100.0, 50.0, 95.0, 1.75])
    assert got.loc["c"].tolist() == pytest.approx([63.75, np.std([80, 47.5], ddof=1), 50.0, 50.0, 87.5, 3.0])


def test_win_rates_are_those_of_pairs(accuracies: pd.DataFrame) -> None:
    found = win_rates(Pool(accuracies))
    pairs = win_tie_loss(accuracies)
    for method in accuracies.columns:
        own = [(wins + ties / 2) / 30 for (first, _), (wins, ties, _) in pairs.items() if first == method]
        assert found[method] == pytest.approx(100 * np.mean(own))
    assert win_rates(Pool(accuracies[["rfm"]])).isna().all()


def test_missing_rules_differ_as_they_say() -> None:
    ragged = table(a=[100.0, NAN], b=[50.0, 40.0], c=[75.0, 60.0])
    study = summarise(Pool(ragged, STUDY_2014))
    assert study.loc["a", "mean_score"] == 100.0
    assert study.loc["a", "pma"] == 50.0
    assert study.loc["a", "friedman_rank"] == (1 + 2) / 2  # dataset mean 50 lies between 60 and 40
    zero = summarise(Pool(ragged, ZERO_EVERYWHERE))
    assert zero.loc["a", "mean_score"] == 50.0
    assert zero.loc["a", "friedman_rank"] == (1 + 3) / 2


@pytest.mark.parametrize(
    ("columns", "make", "message"),
    [
        ({"a": [100.0, NAN], "b": [50.0, 40.0]}, Pool, r"ragged.*a lacks t1"),
        ({"a": [NAN], "b": [NAN]}, common_pool, "no result to compare"),
        ({"a": [1.0, NAN], "b": [NAN, 1.0]}, common_pool, "a lacks t1; b lacks t0"),
        ({}, Pool, "no dataset or no method"),
    ],
)
def test_what_cannot_be_compared_is_refused(columns: dict[str, list[float]], make: Any, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        make(table(**columns) if columns else pd.DataFrame())


@pytest.mark.parametrize(
    ("columns", "datasets", "dropped", "left_out"),
    [
        ({"a": [100.0, NAN], "b": [50.0, 40.0]}, ["t0"], {"t1": ["a"]}, {}),
        # Coverage is measured against the best-covered method.
        ({"a": [90.0, *[NAN] * 2], "b": [70.0, *[NAN] * 2]}, ["t0"], {"t1": ["a", "b"], "t2": ["a", "b"]}, {}),
        (
            {"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, NAN], "few": [1.0, NAN, NAN], "none": [NAN] * 3},
            ["t0", "t1"], {"t2": ["b"]}, {"few": 1, "none": 0},
        ),
    ],
)  # fmt: skip
def test_common_datasets_are_those_of_all_methods_that_cover_enough(
    columns: dict[str, list[float]], datasets: list[str], dropped: dict[str, list[str]], left_out: dict[str, int]
) -> None:
    common = common_pool(table(**columns))
    assert common.pool.methods == [m for m in columns if m not in left_out]
    assert (common.pool.datasets, common.dropped, common.left_out) == (datasets, dropped, left_out)


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.1 + 0.2, 0.3)])
def test_all_zero_is_no_division_by_zero_and_rounding_is_a_tie(a: float, b: float) -> None:
    got = summarise(Pool(table(a=[a], b=[b])))
    assert got["pma"].tolist() == pytest.approx([100.0, 100.0])
    assert got["friedman_rank"].tolist() == [1.5, 1.5]


def test_profile_counts_datasets_within_reach_of_the_best() -> None:
    pool = Pool(table(a=[100.0, 50.0], b=[90.0, 50.0]))
    curves = profile(pool, np.array([0.0, 5.0, 10.0]))
    assert curves["a"].tolist() == [100.0, 100.0, 100.0]
    assert curves["b"].tolist() == [50.0, 50.0, 100.0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), min_size=2, max_size=12))
def test_invariants_of_any_table(values: list[list[int]]) -> None:
    accuracy = pd.DataFrame(np.array(values, dtype=float), columns=["a", "b", "c"]).rename(index=str)
    got = summarise(Pool(accuracy))
    assert got["friedman_rank"].sum() == pytest.approx(6.0)
    assert (got["p95"] <= got["p90"]).all()
    assert (got["pma"] <= 100 + 1e-9).all()
    shuffled = summarise(Pool(accuracy[["c", "a", "b"]].iloc[::-1])).reindex(["a", "b", "c"])
    pd.testing.assert_frame_equal(got, shuffled)

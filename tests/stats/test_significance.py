"""Rank tests against scipy and cases worked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from scipy import stats

from bench.errors import ReportError
from bench.stats import significance as tests
from bench.stats.summary import rank_rows


def test_friedman_agrees_with_scipy_on_data_with_ties(accuracies: pd.DataFrame) -> None:
    ours = tests.friedman(accuracies)
    oracle = stats.friedmanchisquare(*accuracies.to_numpy().T)
    assert (rank_rows(accuracies) % 1 == 0.5).any(axis=None), "the fixture must contain ties"
    assert ours.statistic == pytest.approx(oracle.statistic, rel=1e-12)
    assert ours.p == pytest.approx(oracle.pvalue, rel=1e-9)
    n, k = accuracies.shape
    assert ours.f_statistic == pytest.approx((n - 1) * ours.statistic / (n * (k - 1) - ours.statistic))
    f_p = stats.f.sf(ours.f_statistic, k - 1, (k - 1) * (n - 1))  # Demšar (2006), 3.2.2
    assert ours.f_p == pytest.approx(f_p, rel=1e-9, abs=0)


def test_friedman_edge_cases() -> None:
    ties = pd.DataFrame({"a": [50.0, 60.0], "b": [50.0, 60.0], "c": [50.0, 60.0]})
    assert (tests.friedman(ties).statistic, tests.friedman(ties).p) == (0.0, 1.0)
    same_order = pd.DataFrame({"a": [3.0, 6.0], "b": [2.0, 5.0], "c": [1.0, 4.0]})
    assert tests.friedman(same_order).statistic == pytest.approx(4.0)
    assert np.isnan([tests.friedman(table).f_statistic for table in (same_order, same_order.head(1))]).all()
    refused(ReportError, "two methods", tests.friedman, same_order[["a"]])


@pytest.mark.parametrize(
    ("difference", "p", "side"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 2 / 2**5, 1),
        ([0.0] * 6, 1.0, 0),
        ([1e-13] * 6, 1.0, 0),
        ([2.0, 0.0, 2.0, 2.0, 2.0], 2 / 2**4, 1),
        # Ranks 2, 2, 2, 4, 5 of 1, 1, -1, 2, 3: of the 32 sums over choices of signs, 2 + 6 are as far from 0 as 11.
        ([1.0, 1.0, 0.0, 2.0, -1.0, 3.0], 8 / 32, 1),
        ([3.0, -1.0, -2.0, -4.0], 0.625, -1),
        ([3.0, 0.0, -1.0, -2.0], 1.0, 0),  # a zero has no rank, and the others 3 against 1 + 2
        ([1.0, 2.0, 3.0, 4.0, -99.0], 0.625, 1),  # of the ranks, not of the mean
    ],
)
def test_signed_ranks_by_hand(difference: list[float], p: float, side: int) -> None:
    assert tests.signed_ranks(np.array(difference)) == (pytest.approx(p), side)


def test_signed_ranks_of_equal_magnitudes_are_exact_up_to_thirteen() -> None:
    many = np.r_[np.ones(6), -2 * np.ones(3), np.arange(1.0, 6.0)]
    assert tests.signed_ranks(many) == (pytest.approx(float(stats.wilcoxon(many, method="approx").pvalue)), 1)
    few = many[:13]
    ranks = stats.rankdata(np.abs(few))
    sums = np.array(list(itertools.product([-1, 1], repeat=13))) @ ranks  # of all choices of signs
    expected = (np.abs(sums) >= abs(np.sign(few) @ ranks)).mean()
    assert tests.signed_ranks(few)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("n", "method"), [(50, "exact"), (51, "approx")])
def test_the_signed_rank_test_is_exact_up_to_fifty_differences(n: int, method: str) -> None:
    different = np.arange(1.0, n + 1) * np.where(np.arange(n) % 3, 1, -1)
    assert tests.signed_ranks(different)[0] == pytest.approx(stats.wilcoxon(different, method=method).pvalue, rel=1e-12)


def test_holm_worked_by_hand() -> None:
    assert tests.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert tests.holm([0.9, 0.9]) == [1.0, 1.0]
    assert tests.holm([]) == []


@pytest.mark.parametrize(
    ("differing", "groups"),
    [
        ([], ["abcd"]),
        (["ab", "ac", "ad", "bc", "bd", "cd"], []),
        (["ad"], ["abc", "bcd"]),
        (["ac", "ad", "bd"], ["ab", "bc", "cd"]),
        # b differs from both neighbours while a and c do not differ: no bar may cross b.
        (["ab", "bc"], ["cd"]),
        (["bd"], ["abc", "cd"]),
    ],
)
def test_bars_join_rank_contiguous_methods_only(differing: list[str], groups: list[str]) -> None:
    differ = pd.DataFrame({a: {b: a + b in differing or b + a in differing for b in "abcd"} for a in "abcd"})
    found = tests.rank_groups(pd.Series({"c": 3.0, "a": 1.0, "d": 4.0, "b": 2.0}), differ)
    assert ["".join(g) for g in found] == groups


def test_wins_ties_and_losses_are_counted_for_every_ordered_pair(accuracies: pd.DataFrame) -> None:
    assert tests.win_tie_loss(accuracies) == {
        (a, b): tuple(int(counted.sum()) for counted in (x > y, x == y, x < y))
        for a, x in accuracies.items()
        for b, y in accuracies.items()
        if a != b
    }

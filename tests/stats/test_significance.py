"""Rank tests against scipy and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
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
    assert ours.f_p == pytest.approx(
        stats.f.sf(ours.f_statistic, k - 1, (k - 1) * (n - 1)), rel=1e-9, abs=0
    )  # Demšar (2006), 3.2.2


def test_friedman_of_two_methods_is_the_sign_test() -> None:
    table = pd.DataFrame({"a": [3.0, 3, 3, 3, 1, 2], "b": [1.0, 1, 1, 1, 3, 2]})
    assert tests.friedman(table).statistic == pytest.approx((4 - 1) ** 2 / 5)


def test_friedman_edge_cases() -> None:
    ties = pd.DataFrame({"a": [50.0, 60.0], "b": [50.0, 60.0], "c": [50.0, 60.0]})
    assert (tests.friedman(ties).statistic, tests.friedman(ties).p) == (0.0, 1.0)
    same_order = pd.DataFrame({"a": [3.0, 6.0], "b": [2.0, 5.0], "c": [1.0, 4.0]})
    result = tests.friedman(same_order)
    assert result.statistic == pytest.approx(4.0)
    assert np.isnan(result.f_statistic)
    assert np.isnan(tests.friedman(same_order.head(1)).f_p)
    with pytest.raises(ReportError, match="two methods"):
        tests.friedman(same_order[["a"]])


def test_signed_ranks_exact_value_ties_and_side() -> None:
    assert tests.signed_ranks(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == (pytest.approx(2 / 2**5), 1)
    assert tests.signed_ranks(np.zeros(6)) == (1.0, 0)
    assert tests.signed_ranks(np.full(6, 1e-13)) == (1.0, 0)
    assert tests.signed_ranks(np.array([2.0, 0.0, 2.0, 2.0, 2.0])) == (pytest.approx(2 / 2**4), 1)
    # Ranks 2, 2, 2, 4, 5 of 1, 1, -1, 2, 3: of the 32 sums over choices of signs, 2 + 6 are as far from 0 as 11.
    assert tests.signed_ranks(np.array([1.0, 1.0, 0.0, 2.0, -1.0, 3.0])) == (pytest.approx(8 / 32), 1)
    many = np.r_[np.ones(6), -2 * np.ones(3), np.arange(1.0, 6.0)]
    assert tests.signed_ranks(many) == (pytest.approx(float(stats.wilcoxon(many, method="approx").pvalue)), 1)
    oracle = stats.wilcoxon(many[:13], method=stats.PermutationMethod())
    assert tests.signed_ranks(many[:13])[0] == pytest.approx(oracle.pvalue)
    assert tests.signed_ranks(np.array([3.0, -1.0, -2.0, -4.0]))[1] == -1
    assert tests.signed_ranks(np.array([3.0, -1.0, -2.0]))[1] == 0  # ranks 3 against 1 + 2
    assert tests.signed_ranks(np.array([3.0, 0.0, -1.0, -2.0]))[1] == 0  # a zero has no rank
    assert tests.signed_ranks(np.array([1.0, 2.0, 3.0, 4.0, -99.0]))[1] == 1  # of the ranks, not of the mean


@pytest.mark.parametrize(("n", "method"), [(50, "exact"), (51, "approx")])
def test_the_signed_rank_test_is_exact_up_to_fifty_differences(n: int, method: str) -> None:
    different = np.arange(1.0, n + 1) * np.where(np.arange(n) % 3, 1, -1)
    assert tests.signed_ranks(different)[0] == pytest.approx(stats.wilcoxon(different, method=method).pvalue, rel=1e-12)


def test_holm_worked_by_hand() -> None:
    assert tests.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert tests.holm([0.9, 0.9]) == [1.0, 1.0]
    assert tests.holm([]) == []


def matrix(names: str, pairs: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(False, index=list(names), columns=list(names))
    for a, b in pairs:
        table.loc[a, b] = table.loc[b, a] = True
    return table


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
    ranks = pd.Series({"c": 3.0, "a": 1.0, "d": 4.0, "b": 2.0})
    found = tests.rank_groups(ranks, matrix("abcd", differing))
    assert ["".join(g) for g in found] == groups


def test_win_tie_loss_is_antisymmetric(accuracies: pd.DataFrame) -> None:
    table = tests.win_tie_loss(accuracies)
    assert len(table) == 20
    for (a, b), (wins, ties, losses) in table.items():
        assert table[b, a] == (losses, ties, wins)
        assert wins + ties + losses == 30
    expected = int((accuracies["rfm"] > accuracies["stump"]).sum())
    assert table["rfm", "stump"][0] == expected

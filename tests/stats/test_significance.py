"""Rank tests against scipy, scikit-posthocs and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs as posthocs
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
    assert ours.f_p < ours.p


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


def test_nemenyi_agrees_with_scikit_posthocs(accuracies: pd.DataFrame) -> None:
    ranks = rank_rows(accuracies)
    oracle = posthocs.posthoc_nemenyi_friedman(ranks)
    ours = tests.nemenyi(ranks.mean(), len(ranks))
    np.testing.assert_allclose(ours.to_numpy(), oracle.to_numpy(), atol=1e-9)


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_difference_against_demsars_table(methods: int, q: float) -> None:
    # Demšar (2006), table 5a: critical values for the two-tailed Nemenyi test at 0.05.
    expected = q * np.sqrt(methods * (methods + 1) / (6 * 14))
    assert tests.critical_difference(methods, 14) == pytest.approx(expected, rel=5e-4)


def test_critical_difference_is_where_nemenyi_turns(accuracies: pd.DataFrame) -> None:
    cd = tests.critical_difference(3, 20)
    inside = tests.nemenyi(pd.Series({"a": 1.0, "b": 1.0 + 0.999 * cd, "c": 1.0 + 1.001 * cd}), 20)
    assert inside.loc["a", "b"] > 0.05 > inside.loc["a", "c"]


def test_wilcoxon_holm_agrees_with_scikit_posthocs(accuracies: pd.DataFrame) -> None:
    generator = np.random.default_rng(3)
    distinct = accuracies + generator.normal(0, 0.01, accuracies.shape)
    oracle = posthocs.posthoc_wilcoxon(distinct.T.to_numpy().tolist(), p_adjust="holm")
    np.testing.assert_allclose(tests.wilcoxon_holm(distinct).to_numpy(), oracle.to_numpy(), atol=1e-12)


def test_wilcoxon_exact_value_and_ties() -> None:
    assert tests.wilcoxon(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(2 / 2**5)
    assert tests.wilcoxon(np.zeros(6)) == 1.0
    assert tests.wilcoxon(np.full(6, 1e-13)) == 1.0
    with_ties = tests.wilcoxon(np.array([1.0, 1.0, 0.0, 2.0, -1.0, 3.0]))
    assert with_ties == pytest.approx(float(stats.wilcoxon([1, 1, 2, -1, 3], method="approx").pvalue))


def test_holm_worked_by_hand() -> None:
    assert tests.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert tests.holm([0.9, 0.9]) == [1.0, 1.0]
    assert tests.holm([]) == []


def test_paired_difference_worked_by_hand() -> None:
    a = pd.Series({"x": 90.0, "y": 80.0, "z": 70.0, "only-a": 1.0})
    b = pd.Series({"x": 88.0, "y": 80.0, "z": 71.0, "only-b": 1.0})
    result = tests.paired_difference(a, b)
    assert (result.datasets, result.wins, result.ties, result.losses) == (3, 1, 1, 1)
    assert result.mean == pytest.approx(1 / 3)
    assert result.se == pytest.approx(np.std([2, 0, -1], ddof=1) / np.sqrt(3))
    oracle = stats.ttest_rel([90, 80, 70], [88, 80, 71]).confidence_interval()
    assert (result.low, result.high) == pytest.approx((oracle.low, oracle.high))


def test_paired_difference_of_one_dataset_has_no_error_and_none_is_refused() -> None:
    one = tests.paired_difference(pd.Series({"x": 2.0}), pd.Series({"x": 1.0}))
    assert one.mean == 1.0
    assert np.isnan(one.se)
    assert one.p == 1.0
    with pytest.raises(ReportError, match="no dataset in common"):
        tests.paired_difference(pd.Series({"x": 2.0}), pd.Series({"y": 1.0}))


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


def test_leaving_one_out_finds_the_dataset_that_sways_the_mean() -> None:
    found = tests.leave_one_out(pd.Series({"a": 1.0, "b": -5.0, "c": 4.0, "d": float("nan")}))
    assert found == (("c", -2.0), ("b", 2.5))
    assert tests.leave_one_out(pd.Series({"a": 1.0, "b": 2.0})) is None

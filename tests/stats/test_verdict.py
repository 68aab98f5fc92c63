"""Paired differences, their bootstrap over families, and each condition of the rule for "significantly better"."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs as posthocs
from refusals import refused
from scipy import stats

from bench.errors import ReportError
from bench.stats.families import FEWEST, RESAMPLES, _draws, family_interval, family_means
from bench.stats.paired import OverDatasets, PairedDifference, leave_one_out, paired_difference
from bench.stats.verdict import Comparison, against_each, all_pairs, alone, differing


def by_seed(table: pd.DataFrame, *seeds: int) -> pd.DataFrame:
    """``table`` (datasets x methods) with each of ``seeds``."""
    return pd.concat(dict.fromkeys(seeds or (0,), table), names=["seed", "dataset"]).swaplevel().sort_index()


def series(values: dict[str, float], seed: int = 0) -> pd.Series:
    return by_seed(pd.DataFrame({"x": values}), seed)["x"]


def test_paired_difference_worked_by_hand() -> None:
    a = series({"x": 90.0, "y": 80.0, "z": 70.0, "only-a": 1.0})
    b = series({"x": 88.0, "y": 80.0, "z": 71.0, "only-b": 1.0})
    result = paired_difference(a, b, {})
    assert (result.datasets, result.families, result.wins, result.ties, result.losses) == (3, 3, 1, 1, 1)
    assert result.mean == pytest.approx(1 / 3)
    assert result.single.se == pytest.approx(np.std([2, 0, -1], ddof=1) / np.sqrt(3))
    oracle = stats.ttest_rel([90, 80, 70], [88, 80, 71]).confidence_interval()
    assert (result.single.low, result.single.high) == pytest.approx((oracle.low, oracle.high))
    assert (result.low, result.high) == pytest.approx((oracle.low, oracle.high))  # three families, each of one
    assert result.by_seed == ((0, pytest.approx(1 / 3)),)
    assert result.seed_range is None


def test_families_change_the_test_and_not_the_mean() -> None:
    first = series({f"d{i}": 1.0 + i / 10 for i in range(8)})
    second = series(dict.fromkeys([f"d{i}" for i in range(8)], 0.0))
    free = paired_difference(first, second, {})
    related = paired_difference(first, second, {f"d{i}": "big" for i in range(5)})
    assert (free.families, free.p) == (8, pytest.approx(2 / 2**8))
    assert (related.families, related.p) == (4, pytest.approx(2 / 2**4))
    assert (related.mean, related.single, related.single.p) == (free.mean, free.single, free.p)


def test_one_dataset_has_no_error_and_none_is_refused() -> None:
    one = paired_difference(series({"x": 2.0}), series({"x": 1.0}), {})
    assert (one.mean, one.p, one.families) == (1.0, 1.0, 1)
    assert np.isnan([one.se, one.low, one.high, one.single.se]).all()
    for other in (series({"y": 1.0}), series({"x": 1.0}, seed=1)):
        refused(ReportError, "no dataset in common", paired_difference, series({"x": 2.0}), other, {})


def test_seeds_are_averaged_by_dataset_and_told_one_by_one() -> None:
    first = pd.concat([series({"x": 1.0, "y": 5.0}, 0), series({"x": 3.0, "y": -2.0}, 1)]).sort_index()
    found = paired_difference(first, 0 * first, {})
    assert (found.mean, found.wins, found.single.se) == (1.75, 2, pytest.approx(0.25))
    assert found.by_seed == ((0, 3.0), (1, 0.5))
    assert found.seed_range == (0.5, 3.0)
    assert found.same_sign
    assert paired_difference(first.drop(("y", 1)), 0 * first, {}).mean == 3.5, "a dataset counts once"
    assert not replace(found, by_seed=((0, 3.0), (1, -0.5))).same_sign
    assert not replace(found, by_seed=((0, 3.0), (1, 0.0))).same_sign
    assert not replace(found, mean=0.0, by_seed=((0, 0.0), (1, 0.0))).same_sign


def test_a_seed_of_few_datasets_has_no_mean_of_its_own() -> None:
    names = [f"d{i}" for i in range(20)]
    whole = series(dict.fromkeys(names, 1.0), 0)
    most, few = series(dict.fromkeys(names[2:], 2.0), 1), series({"d0": -50.0}, 2)
    first = pd.concat([whole, most, few]).sort_index()
    found = paired_difference(first, 0 * first, {})
    assert found.by_seed == ((0, 1.0), (1, 2.0))  # 18 of 20 are enough, 1 is not


SOUND = PairedDifference(
    90, 68, 0.8, 0.2, 0.4, 1.3, 0.001, 1, 50, 10, 30, OverDatasets(0.2, 0.4, 1.2, 0.001), ((0, 0.7), (1, 0.9))
)


@pytest.mark.parametrize(
    ("changes", "p", "verdict"),
    [
        ({}, 0.049, "better"),
        ({}, 0.05, "not significant"),
        ({"low": -0.01}, 0.01, "not significant"),
        ({"low": 0.0}, 0.01, "not significant"),
        ({"by_seed": ((0, 0.7), (1, -0.1))}, 0.01, "not significant"),
        ({"by_seed": ((0, 0.7),)}, 0.01, "better"),
        ({"direction": -1}, 0.01, "not significant"),  # more is lost by rank than won: the two tests contradict
        ({"mean": -0.8, "low": -1.3, "high": -0.4, "direction": -1, "by_seed": ((0, -0.7), (1, -0.9))}, 0.01, "worse"),
        ({"mean": -0.8, "low": -1.3, "high": 0.1, "direction": -1, "by_seed": ((0, -0.8),)}, 0.01, "not significant"),
        ({"mean": -0.8, "low": -1.3, "high": -0.4, "direction": 1, "by_seed": ((0, -0.8),)}, 0.01, "not significant"),
        ({"low": float("nan"), "high": float("nan")}, 0.01, "not significant"),
    ],
)
def test_each_condition_of_the_rule(changes: dict[str, object], p: float, verdict: str) -> None:
    found = Comparison("rfm", "ntk", replace(SOUND, **changes), p, p)  # type: ignore[arg-type]
    assert found.verdict == verdict
    assert found.significant == (verdict != "not significant")


def test_all_pairs_are_corrected_together(accuracies: pd.DataFrame) -> None:
    """Those of one method with each: ``test_kept_recomputed.py``."""
    table = accuracies + np.random.default_rng(3).normal(0, 0.01, accuracies.shape)
    oracle = posthocs.posthoc_wilcoxon(table.T.to_numpy().tolist(), p_adjust="holm")
    pairs = all_pairs(by_seed(table), {})
    places = {name: i for i, name in enumerate(table.columns, 1)}
    assert len(pairs) == 10
    for c in pairs:
        assert c.p == pytest.approx(oracle.loc[places[c.first], places[c.second]], abs=1e-12)
        assert c.single_p == c.p  # each dataset is its own family
        assert c.difference.mean == pytest.approx((table[c.first] - table[c.second]).mean())
        raw = stats.wilcoxon(table[c.first], table[c.second]).pvalue
        assert alone(c.first, c.second, c.difference).p == pytest.approx(raw)
    matrix = differing(pairs)
    assert (matrix == matrix.T).all(axis=None)
    assert matrix.loc["rfm", "stump"]
    assert not matrix.loc["rfm", "rfm"]


def test_one_method_has_nothing_to_be_compared_with(accuracies: pd.DataFrame) -> None:
    one = by_seed(accuracies[["rfm"]])
    assert against_each(one, "rfm", {}) == []
    assert all_pairs(one, {}) == []


def test_leaving_one_out_finds_the_dataset_that_sways_the_mean() -> None:
    found = leave_one_out(pd.Series({"a": 1.0, "b": -5.0, "c": 4.0, "d": float("nan")}))
    assert found == (("c", -2.0), ("b", 2.5))
    assert leave_one_out(pd.Series({"a": 1.0, "b": 2.0})) is None


HAND = pd.Series({"a1": 1.0, "a2": 3.0, "b": -2.0, "c1": 0.5, "c2": 0.5, "c3": 2.0, "d": 4.0, "e": 0.0, "f": -1.0})
RELATED = {"a1": "a", "a2": "a", "c1": "c", "c2": "c", "c3": "c"}


def test_means_of_families_count_siblings_once() -> None:
    means = family_means(HAND.to_frame("x"), RELATED)["x"]
    assert means.to_dict() == {"a": 2.0, "b": -2.0, "c": 1.0, "d": 4.0, "e": 0.0, "f": -1.0}
    called_like_its_column = pd.DataFrame({"x": [2.0]}, index=["x"])
    assert family_means(called_like_its_column, {}).to_dict() == {"x": {"x": 2.0}}


def test_the_bootstrap_is_that_of_all_possible_draws() -> None:
    """Six families can be drawn in 6^6 = 46,656 ways: the exact distribution, of which 9,999 draws are a sample."""
    sums = np.array([4.0, -2.0, 3.0, 4.0, 0.0, -1.0])
    counts = np.array([2, 1, 3, 1, 1, 1])
    draws = np.array(list(itertools.product(range(6), repeat=6)))
    exact = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    found = family_interval(HAND, RELATED)
    _draws.cache_clear()
    assert found == family_interval(HAND, RELATED)  # the draws are of one seed
    assert len(sums) == FEWEST
    assert found.se == pytest.approx(exact.std(), rel=0.03)
    # The ends lie between quantiles of the exact distribution that 9,999 draws miss less than once in 10,000 samples.
    margin = 100 * 4 * np.sqrt(0.025 * 0.975 / RESAMPLES)
    for end, level in ((found.low, 2.5), (found.high, 97.5)):
        assert np.percentile(exact, level - margin) <= end <= np.percentile(exact, level + margin)


def test_few_families_have_students_t_over_clusters() -> None:
    values = pd.Series({"a": 1.0, "b": 2.5, "c": 4.0, "d": 0.0, "e": 9.0})
    assert len(values) == FEWEST - 1
    found = family_interval(values, {})  # each its own: the usual interval of a mean
    oracle = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert (found.se, found.low, found.high) == pytest.approx((values.sem(), oracle.low, oracle.high))
    pairs = family_interval(pd.Series({"a1": 1.0, "a2": 3.0, "b": 5.0}), {"a1": "a", "a2": "a"})
    residuals = np.array([4.0 - 2 * 3.0, 5.0 - 3.0])
    assert pairs.se == pytest.approx(np.sqrt(2 * (residuals**2).sum()) / 3)
    assert pairs.high - 3.0 == pytest.approx(stats.t.ppf(0.975, 1) * pairs.se)


def test_a_single_family_has_no_interval() -> None:
    for values, related in ((HAND, dict.fromkeys(HAND.index, "one")), (HAND.head(1), {})):
        assert np.isnan(list(vars(family_interval(values, related)).values())).all()


def test_equal_differences_have_an_interval_of_one_point() -> None:
    found = family_interval(pd.Series({f"d{i}": 0.5 for i in range(20)}), {})
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))
    assert found.se == pytest.approx(0.0, abs=1e-12)

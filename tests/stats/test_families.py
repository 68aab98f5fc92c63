"""Cluster bootstrap over families: against every possible draw and formulas."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.stats.families import FEWEST, RESAMPLES, _draws, family_interval, family_means

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

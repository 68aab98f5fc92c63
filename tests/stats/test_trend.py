"""The smoothed trend and the relative error reduction."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.trend import local_linear, log_trend, relative_error_reduction


def test_local_linear_is_the_weighted_least_squares_of_the_nearest() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 1, 21), rng.normal(size=21)
    for place in (0.0, 0.4, 1.0):
        distance = np.abs(x - place)
        reach = np.sort(distance)[10]  # the eleven nearest are half of 21, rounded up
        tricube = np.clip(1 - (distance / reach) ** 3, 0, None) ** 3
        slope, start = np.polyfit(x, y, 1, w=np.sqrt(tricube))
        assert local_linear(x, y, np.array([place]), 0.5)[0] == pytest.approx(start + slope * place, abs=2e-3)


def test_local_linear_of_points_at_one_place_is_their_mean() -> None:
    np.testing.assert_allclose(local_linear(np.ones(6), np.arange(6.0), np.ones(1), 1.0), [2.5])


def test_trend_is_repeatable_and_follows_the_logarithm() -> None:
    generator = np.random.default_rng(1)
    n = 10 ** generator.uniform(1, 4, 60)
    y = np.log10(n) + generator.normal(0, 0.3, 60)
    one, two, other = (log_trend(n, y, draws=100, **seed) for seed in ({}, {}, {"seed": 1}))
    np.testing.assert_array_equal(one.low, two.low)
    assert (other.low != one.low).any()
    assert one.y[-1] - one.y[0] == pytest.approx(3.0, abs=0.5)


def test_the_band_has_two_and_a_half_percent_of_the_draws_on_either_side() -> None:
    """Of the mean of 40 numbers: where nothing depends on x and all points count the band is the bootstrap's."""
    rng = np.random.default_rng(4)
    x, y = np.repeat([1.0, 100.0], 20), rng.normal(size=40)
    found = log_trend(x, y, span=1.0, points=2, draws=4000)
    expected = np.percentile(rng.choice(y[:20], (4000, 20)).mean(axis=1), [2.5, 97.5])
    assert [found.low[0], found.high[0]] == pytest.approx(list(expected), abs=0.06 * (expected[1] - expected[0]))


def test_trend_declines_where_there_is_none_to_see() -> None:
    assert log_trend(np.arange(1.0, 20.0), np.zeros(19)) is None
    assert log_trend(np.arange(1.0, 21.0), np.zeros(20)) is not None
    assert log_trend(np.full(20, 5.0), np.zeros(20)) is None


def test_relative_error_reduction_is_symmetric_and_bounded() -> None:
    got = relative_error_reduction(np.array([90.0, 80.0, 100.0, 50.0]), np.array([80.0, 90.0, 100.0, 100.0]), 100.0)
    assert got.tolist() == [50.0, -50.0, 0.0, -100.0]

"""The smoothed trend and the relative error reduction."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.trend import local_linear, log_trend, relative_error_reduction


def test_local_linear_reproduces_a_line_exactly() -> None:
    x = np.sort(np.random.default_rng(0).uniform(1, 4, 25))
    grid = np.linspace(1, 4, 9)
    np.testing.assert_allclose(local_linear(x, 3 - 2 * x, grid, 0.5), 3 - 2 * grid, atol=1e-9)


def test_local_linear_of_points_at_one_place_is_their_mean() -> None:
    np.testing.assert_allclose(local_linear(np.ones(6), np.arange(6.0), np.ones(1), 1.0), [2.5])


def test_trend_is_repeatable_and_its_band_holds_the_fit() -> None:
    generator = np.random.default_rng(1)
    n = 10 ** generator.uniform(1, 4, 60)
    y = np.log10(n) + generator.normal(0, 0.3, 60)
    one, two = log_trend(n, y, draws=100), log_trend(n, y, draws=100)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.low, two.low)
    assert (one.low <= one.y + 1e-9).mean() > 0.9
    assert (one.high >= one.y - 1e-9).mean() > 0.9
    assert one.y[-1] - one.y[0] == pytest.approx(3.0, abs=0.5)


def test_trend_declines_where_there_is_none_to_see() -> None:
    assert log_trend(np.arange(1.0, 20.0), np.zeros(19)) is None
    assert log_trend(np.arange(1.0, 21.0), np.zeros(20)) is not None
    assert log_trend(np.full(20, 5.0), np.zeros(20)) is None


def test_relative_error_reduction_is_symmetric_and_bounded() -> None:
    got = relative_error_reduction(np.array([90.0, 80.0, 100.0, 50.0]), np.array([80.0, 90.0, 100.0, 100.0]), 100.0)
    assert got.tolist() == [50.0, -50.0, 0.0, -100.0]

"""Rows on their way to a method: what is filled in, from which rows, and what the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.protocols.rows import fill_missing, inner_folds, inner_split, stratified_sample


def test_a_missing_number_becomes_the_mean_of_what_the_training_rows_know() -> None:
    nan = np.nan
    X = np.array([[1.0, nan, nan], [nan, 4.0, nan], [5.0, nan, nan], [100.0, 200.0, 7.0], [nan, nan, nan]])
    filled = fill_missing(X, np.arange(3))
    np.testing.assert_array_equal(filled[:3], [[1.0, 4.0, 0.0], [3.0, 4.0, 0.0], [5.0, 4.0, 0.0]])
    np.testing.assert_array_equal(filled[3:], [[100.0, 200.0, 7.0], [3.0, 4.0, 0.0]])
    assert fill_missing(filled, np.arange(3)) is filled


@pytest.mark.parametrize(
    "draw",
    [
        lambda y, seed: inner_split(y, seed),
        lambda y, seed: inner_folds(y, 5, seed),
        lambda y, seed: stratified_sample(y, 50, seed),
    ],
    ids=["split", "folds", "sample"],
)
def test_the_seed_decides_the_draw(draw: Callable[[np.ndarray, int], Any]) -> None:
    y = np.repeat([0, 1], [120, 80])
    first, again, other = (repr(draw(y, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_rare_classes_keep_their_rows() -> None:
    """What random sizes seldom are: more to take than the frequent classes' remainders ask for."""
    fit, _ = inner_split(np.repeat(range(6), [1, 1, 1, 1, 1, 5]), 0)
    assert {0, 1, 2, 3, 4} <= set(fit.tolist())
    y = np.repeat(range(5), [1, 1, 1, 30, 30])
    assert sorted(y[stratified_sample(y, 5, 0)]) == [0, 1, 2, 3, 4]

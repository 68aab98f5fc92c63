"""Rows on their way to a method: what is filled in and coded, from which rows, and what the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from bench.data.columns import code_table
from bench.protocols.rows import (
    encode_nominal,
    encoded_width,
    fill_missing,
    inner_folds,
    inner_split,
    standardise,
    stratified_sample,
)

NAN = float("nan")


def test_a_missing_number_becomes_the_mean_of_what_the_training_rows_know() -> None:
    X = np.array([[1.0, NAN, NAN], [NAN, 4.0, NAN], [5.0, NAN, NAN], [100.0, 200.0, 7.0], [NAN, NAN, NAN]])
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


def test_it_is_scikit_learns_encoder_column_by_column() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.normal(size=40), rng.integers(0, 7, 40) - 3.5, rng.normal(size=40), rng.integers(0, 3, 40)]
    )
    rows = np.arange(12)  # some categories are in the other rows alone
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(X[rows][:, [1, 3]])
    first = len(encoder.categories_[0])
    codes = encoder.transform(X[:, [1, 3]])
    expected = np.column_stack([X[:, 0], codes[:, :first], X[:, 2], codes[:, first:]])
    assert np.array_equal(encode_nominal(X, (1, 3), rows), expected)


@pytest.mark.parametrize(
    ("column", "n", "expected"),
    [
        ([2, 5, 2, 9, NAN], 3, [[1, 0], [0, 1], [1, 0], [0, 0], [0, 0]]),
        ([2, 5, 2, 9, NAN], 5, [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]),
        ([0, 1, 2, 3, 4, 5], 4, np.eye(6)[:, :4]),
        ([1, 1, 1], 2, [[1], [1], [1]]),
        ([NAN, NAN, 1, 2], 2, [[0], [0], [0], [0]]),
    ],
    ids=["of other rows", "missing", "as many as rows", "one", "none, but a table keeps a column"],
)
def test_a_category_of_the_training_rows_is_a_column(column: list[float], n: int, expected: Any) -> None:
    assert np.array_equal(encode_nominal(np.array(column, dtype=float)[:, None], (0,), np.arange(n)), expected)


def test_nothing_to_encode_leaves_the_table_itself() -> None:
    X = np.array([[1.0, NAN], [2.0, 3.0]])
    assert encode_nominal(X, (), np.arange(2)) is X


def test_a_column_of_text_becomes_what_a_nominal_column_of_codes_does() -> None:
    """So tables of users and of services, whose text is coded by their source, have no nominal columns left."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 60)
    frame = pd.DataFrame({"colour": np.array(["blue", "green", "red", "white"])[codes], "y": np.arange(60) % 2})
    coded, rows = code_table(frame, "y", "a table").X, np.flatnonzero(codes < 3)  # white is in no training row
    theirs = standardise(coded, rows)
    ours = standardise(encode_nominal(codes[:, None].astype(float), (0,), rows), rows)
    assert np.array_equal(theirs, np.column_stack([ours, np.zeros(60)]))


def test_the_width_bounds_every_training_part() -> None:
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(0, 6, 40), rng.normal(size=40), np.full(40, NAN)]).astype(float)
    nominal = (0, 2)
    assert encoded_width(X, nominal) == encode_nominal(X, nominal, np.arange(40)).shape[1] == 8
    assert encode_nominal(X, nominal, np.arange(4)).shape[1] <= 8
    assert encoded_width(X, ()) == 3


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"nominal column 3 of 3 \(counted from 0\)"):
        encode_nominal(np.zeros((4, 3)), (0, 3), np.arange(4))

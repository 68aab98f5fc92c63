"""Nominal columns: a 0/1 column a category of the training rows, and nothing of what other rows have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from bench.data.columns import code_table
from bench.protocols.rows import encode_nominal, encoded_width, fill_missing, standardise

NAN = float("nan")


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


def test_a_category_that_only_other_rows_have_is_zero_and_so_is_a_missing_one() -> None:
    X = np.array([[2.0], [5.0], [2.0], [9.0], [NAN]])
    expected = np.array([[1, 0], [0, 1], [1, 0], [0, 0], [0, 0]], dtype=float)
    assert np.array_equal(encode_nominal(X, (0,), np.array([0, 1, 2])), expected)
    assert np.array_equal(encode_nominal(X, (0,), np.array([0, 1, 2, 4])), expected), "missing is no category"


def test_nothing_to_encode_leaves_the_table_itself() -> None:
    X = np.array([[1.0, NAN], [2.0, 3.0]])
    assert encode_nominal(X, (), np.arange(2)) is X


def test_more_categories_than_samples_one_category_and_none() -> None:
    rows = np.arange(5)
    every = np.arange(8.0)[:, None]  # all different: as many columns as training rows
    assert np.array_equal(encode_nominal(every, (0,), rows), np.eye(8)[:, :5])
    one = np.ones((8, 1))
    encoded = encode_nominal(one, (0,), rows)
    assert np.array_equal(encoded, one)
    assert not standardise(encoded, rows).any(), "what is constant carries nothing"
    none = np.array([NAN] * 5 + [1.0, 2.0, 3.0])[:, None]
    assert np.array_equal(encode_nominal(none, (0,), rows), np.zeros((8, 1))), "a table keeps a column"


def test_values_of_other_rows_do_not_reach_the_training_rows() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 4, (30, 3)).astype(float)
    X[rng.random(X.shape) < 0.1] = NAN
    rows, other = np.arange(20), X.copy()
    other[20:] = rng.integers(-9, 9, (10, 3))
    first, second = (
        standardise(fill_missing(encode_nominal(table, (0, 2), rows), rows), rows)[rows] for table in (X, other)
    )
    assert np.array_equal(first, second)


def test_what_the_codes_are_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 5, 50)
    scaled = (codes - codes.mean()) / codes.std()
    rows = np.arange(50)
    first, second = (encode_nominal(column[:, None].astype(float), (0,), rows) for column in (codes, scaled))
    assert np.array_equal(first, second)


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

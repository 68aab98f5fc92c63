"""Columns as features: what the coding promises, and what it refuses."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import columns
from bench.data.columns import code_table
from bench.errors import DataInvalid, UsageError
from bench.protocols.rows import fill_missing

FRAME = pd.DataFrame(
    {
        "size": [1.5, np.nan, 0.5, 2.0],
        "colour": ["red", "green", "red", "blue"],
        "sex": ["f", "m", "m", "f"],
        "town": ["A", None, "A", "A"],
        "wet": [True, False, True, True],
        "name": ["a", "b", "c", "d"],
        "class": ["yes", "no", "yes", "no"],
    }
)


def test_each_kind_of_column() -> None:
    coded = code_table(FRAME, "class", "t")
    assert coded.features == ("size", "colour=blue", "colour=green", "colour=red", "sex=m", "town missing", "wet")
    assert coded.inputs == ("size", "colour", "sex", "town", "wet", "name")
    assert coded.classes == ("no", "yes")
    assert coded.y.tolist() == [1, 0, 1, 0]
    expected = [
        [1.5, 0, 0, 1, 0, 0, 1],
        [np.nan, 0, 1, 0, 1, 1, 0],
        [0.5, 0, 0, 1, 1, 0, 1],
        [2.0, 1, 0, 0, 0, 0, 1],
    ]
    assert np.array_equal(coded.X, np.array(expected), equal_nan=True)
    assert coded.X.dtype == np.float64
    assert coded.notes == (
        "3 column(s) of categories are coded as 0/1 columns, 7 features in all",
        "1 of the numbers are missing, in 1 column(s): each becomes the mean of the training part's known values of "
        "its column",
    )


def test_a_category_of_three_with_gaps_has_a_level_for_them() -> None:
    frame = pd.DataFrame({"c": ["x", "y", None, "x"], "t": [0, 1, 0, 1]})
    coded = code_table(frame, "t", "t")
    assert coded.features == ("c=x", "c=y", "c missing")
    assert coded.X.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_nearly_a_key_is_one() -> None:
    names = [f"n{number}" for number in range(30)]
    frame = pd.DataFrame({"name": [*names, *names[:20]], "street": names[:25] * 2, "t": [0, 1] * 25})
    coded = code_table(frame, "t", "t")
    assert len(coded.features) == 25  # half as many streets as rows are no keys
    assert [finding.columns for finding in coded.findings if finding.check == "left out"] == [("name",)]


def test_declared_levels_keep_their_order_and_unused_ones_vanish() -> None:
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["low", "high", "mid", "low"], ["low", "mid", "high", "never"]),
            "t": pd.Categorical(["no", "yes", "no", "yes"], ["yes", "perhaps", "no"]),
        }
    )
    coded = code_table(frame, "t", "t")
    assert coded.features == ("c=low", "c=mid", "c=high")
    assert (coded.classes, coded.y.tolist()) == (("yes", "no"), [1, 0, 1, 0])


def test_numeric_labels_are_ordered_by_value() -> None:
    coded = code_table(pd.DataFrame({"a": range(6), "t": [10.0, 9.0, -1.0] * 2}), "t", "t")
    assert (coded.classes, coded.y.tolist()) == (("-1", "9", "10"), [2, 1, 0, 2, 1, 0])


def test_names_from_elsewhere_cannot_upset_a_terminal() -> None:
    frame = pd.DataFrame({"a\n\x1b[2Jb": ["u", "v", "w", "x"], "n": range(4), "t": [0, 1, 0, 1]})
    with pytest.raises(UsageError) as error:
        code_table(frame, "label", "t")
    assert "a ?[2Jb" in str(error.value)
    assert str(error.value).isprintable()
    assert all(note.isprintable() for note in code_table(frame, "t", "t").notes)


def test_decimals_are_numbers() -> None:
    frame = pd.DataFrame({"a": [decimal.Decimal("1.5"), None, decimal.Decimal(2)], "t": [0, 1, 0]})
    assert np.array_equal(code_table(frame, "t", "t").X[:, 0], [1.5, np.nan, 2.0], equal_nan=True)


def test_dropped_columns_and_unknown_ones() -> None:
    assert code_table(FRAME, "class", "t", drop=["size", "name"]).features[0] == "colour=blue"
    with pytest.raises(UsageError, match=r"unknown column of t\.csv 'clas': did you mean 'class'"):
        code_table(FRAME, "clas", "t.csv")
    with pytest.raises(UsageError, match=r"unknown column of t\.csv 'colours'"):
        code_table(FRAME, "class", "t.csv", drop=["colours"])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", None, "b", "a"], "target 't': 1 label.s. missing, the first in row 2"),
        ([1.0, 1.5, 1.0, 1.5], r"numbers that are not whole \(such as 1.5\) are no classes"),
        ([1.0, np.inf, 1.0, 2.0], r"numbers that are not whole \(such as inf\)"),
        (["a"] * 4, r"one class only \(a\)"),
        ([1, 2, 3, 4], "4 different values in 4 rows are no classes"),
    ],
)
def test_targets_that_are_no_classes(column: list[object], message: str) -> None:
    with pytest.raises(DataInvalid, match=message):
        code_table(pd.DataFrame({"a": [1, 2, 3, 4], "t": column}), "t", "x")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, 2.0, -np.inf, 0.0], "column 'a', row 3: not a finite number"),
        ([1.0, 2.0, -1e300, 0.0], r"column 'a', row 3: -1e\+300 is beyond 1e\+140; rescale"),
        ([datetime.datetime(2020, 1, day) for day in (1, 2, 3, 4)], "column 'a' holds dates or times"),
        ([1j, 2j, 3j, 4j], "column 'a' holds complex numbers"),
    ],
)
def test_columns_that_are_no_features(column: list[object], message: str) -> None:
    with pytest.raises(DataInvalid, match=message):
        code_table(pd.DataFrame({"a": column, "t": [0, 1, 0, 1]}), "t", "x")


def test_too_many_levels_name_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MAX_FEATURES", 5)
    frame = pd.DataFrame({"ok": range(8), "street": list("abcdeffa"), "t": [0, 1] * 4})
    with pytest.raises(DataInvalid, match="more than 5 columns after coding: column 'street' would add 6; drop it"):
        code_table(frame, "t", "x")


def test_nothing_left() -> None:
    with pytest.raises(DataInvalid, match="no column is left"):
        code_table(pd.DataFrame({"t": [0, 1]}), "t", "x")
    with pytest.raises(DataInvalid, match="no column is left"):
        code_table(pd.DataFrame({"key": list("abcd"), "t": [0, 1, 0, 1]}), "t", "x")


CELLS = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))


@given(rows=st.lists(st.tuples(CELLS, st.one_of(st.none(), st.floats(-9, 9)), st.sampled_from("xy")), min_size=4))
def test_a_row_is_coded_alike_whatever_the_others_numbers_are(rows: list[tuple[object, object, str]]) -> None:
    """No number of one row depends on the numbers of another: nothing is fitted."""
    frame = pd.DataFrame(rows, columns=["c", "n", "t"]).astype({"n": "float64"})
    frame.loc[len(frame)] = ["a", 1.0, "x"]
    frame.loc[len(frame)] = ["a", 1.0, "y"]
    first = code_table(frame, "t", "x")
    changed = frame.assign(n=frame["n"].where(frame.index != 0, 1e6))
    second = code_table(changed, "t", "x")
    assert np.array_equal(first.X[1:], second.X[1:], equal_nan=True)
    assert np.array_equal(first.y, second.y)
    levels = [i for i, name in enumerate(first.features) if name.startswith("c")]
    if len(levels) > 2:
        assert (first.X[:, levels].sum(axis=1) == 1).all()


def test_gaps_are_filled_from_the_given_rows_only() -> None:
    X = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan], [np.nan, np.nan, np.nan], [100.0, 7.0, 2.0]])
    filled = fill_missing(X, np.array([0, 1]))
    assert filled.tolist() == [[1, 5, 0], [3, 5, 0], [2, 5, 0], [100, 7, 2]]
    assert fill_missing(filled, np.array([0])) is filled

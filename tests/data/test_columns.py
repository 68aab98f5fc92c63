"""Columns as features: what the coding promises, and what it refuses."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bench.data import coder
from bench.data.coder import OtherKind
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
    refused(UsageError, r"unknown column of t\.csv 'clas': did you mean 'class'", code_table, FRAME, "clas", "t.csv")
    refused(UsageError, r"unknown column of t\.csv 'colours'", code_table, FRAME, "class", "t.csv", drop=["colours"])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", None, "b", "a"], "target 't': 1 label.s. missing, the first in row 2"),
        ([1.0, 1.5, 1.0, 1.5], r"numbers that are not whole \(such as 1.5\) are not classes"),
        ([1.0, np.inf, 1.0, 2.0], r"numbers that are not whole \(such as inf\)"),
        (["a"] * 4, r"one class only \(a\)"),
        ([1, 2, 3, 4], "4 different values in 4 rows are not classes"),
    ],
)
def test_targets_that_are_no_classes(column: list[object], message: str) -> None:
    refused(DataInvalid, message, code_table, pd.DataFrame({"a": [1, 2, 3, 4], "t": column}), "t", "x")


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
    refused(DataInvalid, message, code_table, pd.DataFrame({"a": column, "t": [0, 1, 0, 1]}), "t", "x")


def test_too_many_levels_name_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coder, "MAX_FEATURES", 5)
    frame = pd.DataFrame({"ok": range(8), "street": list("abcdeffa"), "t": [0, 1] * 4})
    with pytest.raises(DataInvalid, match="more than 5 columns after coding: column 'street' would add 6; drop it"):
        code_table(frame, "t", "x")


def test_a_target_that_the_reader_left_out_is_said() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    frame.attrs["notes"] = ["pandas' index is no column of the table: y left out"]
    with pytest.raises(
        UsageError, match=r"unknown column of t 'y': known: x; pandas' index is no column .*: y left out"
    ):
        code_table(frame, "y", "t")


def test_nothing_left() -> None:
    refused(DataInvalid, "no column is left", code_table, pd.DataFrame({"t": [0, 1]}), "t", "x")
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


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([1.5, np.nan, 0.5, 2.0], [1.5, 0.5, 2.0]),
        ([3, 1, 2, 3], [3, 1, 2, 3]),
        (["1,200.5", "\u22123", "?", "7"], [1200.5, -3, 7]),
        (["5 %", "12.5 %", "7 %", "-"], [5, 12.5, 7]),
        ([decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal(3), None], [1.5, 2, 3]),
    ],
)
def test_a_number_to_predict_is_read_like_a_column_of_numbers(column: list[object], numbers: list[float]) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "price": pd.Series(column)})
    coded = code_table(frame, "price", "t", kind="regression")
    assert (coded.y.dtype, coded.y.tolist(), coded.classes) == (np.float64, numbers, ())
    assert len(coded.X) == len(numbers)
    left_out = len(column) - len(numbers)
    assert [f.what.partition(",")[0] for f in coded.findings if f.check == "rows left out"] == (
        [f"{left_out} row(s) without a number in price are left out"] if left_out else []
    )


def test_the_odd_text_among_numbers_to_predict_is_told() -> None:
    frame = pd.DataFrame({"x": range(10), "price": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "sold"]})
    coded = code_table(frame, "price", "t", kind="regression")
    assert coded.X[:, 0].tolist() == list(range(9))
    assert "price: 1 of 10 known values are not numbers, the first in row 10 ('sold')" in coded.warnings[0]


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (["a", "b", "a", "b"], OtherKind, "target 'y' is text .the first in row 1 .'a'.., not a column of numbers"),
        (pd.Categorical(["1", "2", "1", "2"]), OtherKind, "target 'y' is categorical .such as '1'., not a column of"),
        ([1j, 2, 3, 4], OtherKind, "target 'y' is complex .*, not a column of numbers"),
        ([2.5] * 4, DataInvalid, r"target 'y': one value only \(2.5\); at least 2 different ones are needed"),
        ([np.nan] * 4, DataInvalid, "target 'y': no number at all"),
        ([1e-300, 2e-300, 3e-300, 0], DataInvalid, "target 'y': the numbers differ by too little for float64"),
        ([1, 2, np.inf, 3], DataInvalid, "column 'y', row 3: not a finite number"),
        (["1", "2", "inf", "3"], DataInvalid, "column 'y', row 3: not a finite number"),
        ([1, 2, 1e200, 3], DataInvalid, r"column 'y', row 3: 1e\+200 is beyond 1e\+140"),
        ([datetime.date(2024, 1, d) for d in (1, 2, 3, 4)], DataInvalid, "target 'y' holds dates or times"),
        ([f"2024-01-0{d}" for d in (1, 2, 3, 4)], DataInvalid, "target 'y' holds dates or times"),
    ],
)
def test_targets_that_are_no_numbers(column: list[object], error: type[DataInvalid], message: str) -> None:
    with pytest.raises(DataInvalid, match=message) as raised:
        code_table(pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": column}), "y", "t", kind="regression")
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)


def test_numbers_are_classes_if_they_are_declared_so() -> None:
    frame = pd.DataFrame({"x": range(6), "y": [0.5, 1.5, 0.5, 1.5, 10.0, 10.0]})
    refused(OtherKind, r"numbers that are not whole \(such as 0.5\) are not classes", code_table, frame, "y", "t")
    coded = code_table(frame, "y", "t", categories=["y"])
    assert (coded.classes, coded.y.tolist()) == (("0.5", "1.5", "10.0"), [0, 1, 0, 1, 2, 2])


def test_many_whole_numbers_as_classes_are_a_warning() -> None:
    frame = pd.DataFrame({"x": range(90), "y": np.arange(90) % 30})
    coded = code_table(frame, "y", "t")
    assert len(coded.classes) == 30
    assert coded.warnings[0].startswith("many classes: y: 30 different whole numbers are taken as classes")
    assert code_table(frame, "y", "t", categories=["y"]).warnings == []
    assert code_table(frame.assign(y=frame["y"] % 20), "y", "t").warnings == []

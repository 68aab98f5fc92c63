"""The readers of tables and index lists: what they accept, and that nothing else gets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from refusals import refused

from bench.data.tables import read_divisions, read_table
from bench.errors import DataInvalid

GOOD = b"\tf1\tf2\tclase\n1\t0.5\t-1e-05\t0\n2\t3\t4\t1\n3\t3\t4.25\t1\n"


@given(npst.arrays(np.float64, (4, 3), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_a_table_is_read_to_the_last_digit(X: np.ndarray) -> None:
    rows = ["\t".join([str(i + 1), *map(repr, row), str(i % 2)]) for i, row in enumerate(X.tolist())]
    read, y = read_table(("\tf1\tf2\tf3\tclase\n" + "\n".join(rows)).encode(), 4, 3, 2, "here")
    assert np.array_equal(read, X)
    assert y.tolist() == [0, 1, 0, 1]
    assert (read.dtype, y.dtype, read.flags.c_contiguous) == (np.float64, np.int64, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"4.25\t1", b"4.25\t2", "label 2 in row 3 is not one of 0..1"),
        (b"4.25\t1", b"4.25\t-1", "label -1 in row 3"),
        (b"4.25\t1", b"4.25\t0.5", "label 0.5 in row 3"),
        (b"4.25\t1", b"4.25\tnan", "label nan in row 3"),
        (b"4\t1", b"nan\t1", r"1 value\(s\) missing or not finite, the first in row 2, feature 2"),
        (b"4\t1", b"\t1", "not a table of numbers"),
        (b"4\t1", b"inf\t1", "row 2, feature 2"),
        (b"4\t1", b"1e999\t1", "row 2, feature 2"),
        (b"3\t3\t4.25\t1\n", b"", "2 rows of 4 columns, expected 3 rows of 4"),
        (b"3\t3\t4.25\t1\n", b"3\t3\t4.25", "not a table of numbers"),
        (b"3\t3\t4.25\t1\n", b"3\t3\t4.25\t1\t9\n", "not a table of numbers"),
        (b"2\t3\t4", b"7\t3\t4", "does not count the rows"),
        (b"\tf1\tf2\tclase", b"f1\tf2\tclase", "3 names over 4 columns"),
        (b"0\n", b"1\n", "no row has label 0"),
        (b"0.5", b"\xff", "not a table of numbers"),
        (b"0.5", b"\x00", "here: "),
        (b"0.5", b'"0.5', "not a table of numbers"),
        (GOOD, b"", "not a table of numbers"),
    ],
)
def test_what_a_table_must_not_have(old: bytes, new: bytes, message: str) -> None:
    assert old in GOOD
    line = refused(DataInvalid, message, read_table, GOOD.replace(old, new), 3, 2, 2, "here")
    assert line.startswith("here: ")


@given(st.data())
def test_a_damaged_table_is_read_soundly_or_refused(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        X, y = read_table(bytes(content), 3, 2, 2, "here")
    except DataInvalid:
        return
    assert X.shape == (3, 2)
    assert np.isfinite(X).all()
    assert set(y.tolist()) == {0, 1}


def test_divisions_are_read_in_the_order_of_the_file() -> None:
    (division,) = read_divisions(b"3 0 \n1 2 \n", 4, 1, "here")
    assert division.train.tolist() == [3, 0]
    assert division.test.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 index lists, expected 2"),
        (b"0 1\n2 3\n0 1\n2 3\n", "4 index lists, expected 2"),
        (b"0 1\n\n", "1 index lists"),
        (b"\n0 1 2 3\n", "line 1: an empty index list"),
        (b"0 1\n2 4\n", r"line 2: row number 4 in a table of 4 rows \(counted from 0\)"),
        (b"0 1\n2 -3\n", "something other than whole numbers"),
        (b"0 1\n2 3.0\n", "something other than whole numbers"),
        (b"0 1\n2 1_1\n", "something other than whole numbers"),
        (b"0 1 1\n2 3\n", "line 1: row number 1 is listed twice"),
        (b"0 1 2\n2 3\n", "division 1: a row is in both"),
        (b"0 1\n3\n", "division 1 has 3 rows, the table 4"),
        (b"0 1\n2 " + b"9" * 30 + b"\n", "far beyond the table's 4 rows"),
        (b"0 1\n2 " + b"9" * 9000 + b"\n", "far beyond the table's 4 rows"),
    ],
)
def test_what_index_lists_must_not_have(content: bytes, message: str) -> None:
    line = refused(DataInvalid, message, read_divisions, content, 4, 1, "here")
    assert line.startswith("here: ")


@given(st.binary(max_size=60) | st.text("0123456789 \n\r\t", max_size=40).map(str.encode))
def test_any_bytes_are_divisions_or_refused(content: bytes) -> None:
    try:
        (division,) = read_divisions(content, 4, 1, "here")
    except DataInvalid:
        return
    assert sorted([*division.train.tolist(), *division.test.tolist()]) == [0, 1, 2, 3]

"""What a column is, and what it becomes as features, alike in CSV, ARFF and Parquet where they can say the same."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from bench.data import coder
from bench.data.coder import OtherKind
from bench.data.columns import Coded, code_table
from bench.data.frames import read_frame
from bench.data.strict_yaml import convert, read_yaml
from bench.data.text_columns import MISSING, look_like_dates, nearly_equal, read_numbers
from bench.errors import DataInvalid, UsageError

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
PLAIN = ["1.5", "2.5", "-3", "4e1", "0.5", "6", "7", "8", "9", "10"]
ODD = "a: 1 of 11 known values are not numbers, the first in row 11"
EVERY_FORMAT = pytest.mark.parametrize("format", ["csv", "arff", "parquet"])


def coded(cells: list[str], format: str = "csv", target: list[str] | None = None, **more: Any) -> Coded:
    """A table of the column ``a`` with ``cells`` and a target of two classes, through a file of ``format``."""
    labels = target or ["p", "q"] * (len(cells) // 2) + ["p"] * (len(cells) % 2)
    frame = pd.DataFrame({"a": pd.Series(cells, dtype=object), "n": np.arange(len(cells)) % 3, "y": labels})
    if format == "csv":
        content = frame.to_csv(index=False, lineterminator="\n").encode()
    elif format == "arff":
        lines = "".join(f'"{a}",{n},"{y}"\n' for a, n, y in frame.itertuples(index=False))
        content = f"@relation t\n@attribute a string\n@attribute n real\n@attribute y string\n@data\n{lines}".encode()
    else:
        content = frame.to_parquet()
    read = read_frame(content, format, "t", texts=more.get("categories", ()))  # type: ignore[arg-type]
    return code_table(read, "y", "t", **more)


def regression(column: Any) -> Coded:
    frame = pd.DataFrame({"x": range(len(column)), "y": pd.Series(column)})
    return code_table(frame, "y", "t", kind="regression")


def through_parquet(frame: pd.DataFrame, target: str = "y", **more: Any) -> Coded:
    return code_table(read_frame(frame.to_parquet(), "parquet", "t"), target, "t", **more)


def checks(table: Coded) -> list[str]:
    return [finding.check for finding in table.findings]


def test_each_kind_of_column() -> None:
    coded = code_table(FRAME, "class", "t")
    assert coded.features == ("size", "colour=blue", "colour=green", "colour=red", "sex=m", "town missing", "wet")
    assert coded.inputs == ("size", "colour", "sex", "town", "wet", "name")
    assert (coded.classes, coded.y.tolist()) == (("no", "yes"), [1, 0, 1, 0])
    expected = [
        [1.5, 0, 0, 1, 0, 0, 1],
        [np.nan, 0, 1, 0, 1, 1, 0],
        [0.5, 0, 0, 1, 1, 0, 1],
        [2.0, 1, 0, 0, 0, 0, 1],
    ]
    np.testing.assert_array_equal(coded.X, expected)
    assert coded.X.dtype == np.float64
    assert coded.notes == (
        "3 column(s) of categories are coded as 0/1 columns, 7 features in all",
        "1 of the numbers are missing, in 1 column(s): each becomes the mean of the training part's known values of "
        "its column",
    )


def test_declared_levels_keep_their_order_and_unused_ones_vanish() -> None:
    levels = pd.Categorical(["low", "high", "mid", "low"], ["low", "mid", "high", "never"])
    target = pd.Categorical(["no", "yes", "no", "yes"], ["yes", "perhaps", "no"])
    table = code_table(pd.DataFrame({"c": levels, "t": target}), "t", "t")
    assert table.features == ("c=low", "c=mid", "c=high")
    assert (table.classes, table.y.tolist()) == (("yes", "no"), [1, 0, 1, 0])


def test_numeric_labels_are_ordered_by_value() -> None:
    table = code_table(pd.DataFrame({"a": range(6), "t": [10.0, 9.0, -1.0] * 2}), "t", "t")
    assert (table.classes, table.y.tolist()) == (("-1", "9", "10"), [2, 1, 0, 2, 1, 0])


def test_names_from_elsewhere_cannot_upset_a_terminal() -> None:
    frame = pd.DataFrame({"a\n\x1b[2Jb": ["u", "v", "w", "x"], "n": range(4), "t": [0, 1, 0, 1]})
    assert refused(UsageError, r"a \?\[2Jb", code_table, frame, "label", "t").isprintable()
    assert all(note.isprintable() for note in code_table(frame, "t", "t").notes)


def test_dropped_columns_and_unknown_ones() -> None:
    assert code_table(FRAME, "class", "t", drop=["size", "name"]).features[0] == "colour=blue"
    refused(UsageError, r"unknown column of t\.csv 'clas': did you mean 'class'", code_table, FRAME, "clas", "t.csv")
    refused(UsageError, r"unknown column of t\.csv 'colours'", code_table, FRAME, "class", "t.csv", drop=["colours"])
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    frame.attrs["notes"] = ["pandas' index is no column of the table: y left out"]
    refused(UsageError, r"unknown column of t 'y': known: x; pandas' index .*: y left out", code_table, frame, "y", "t")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"t": ["a", None, "b", "a"]}, "target 't': 1 label.s. missing, the first in row 2"),
        ({"t": [1.0, 1.5, 1.0, 1.5]}, r"numbers that are not whole \(such as 1.5\) are not classes"),
        ({"t": [1.0, np.inf, 1.0, 2.0]}, r"numbers that are not whole \(such as inf\)"),
        ({"t": ["a"] * 4}, r"one class only \(a\)"),
        ({"t": [1, 2, 3, 4]}, "4 different values in 4 rows are not classes"),
        ({"a": [1.0, 2.0, -np.inf, 0.0]}, "column 'a', row 3: not a finite number"),
        ({"a": [1.0, 2.0, -1e300, 0.0]}, r"column 'a', row 3: -1e\+300 is beyond 1e\+140; rescale"),
        ({"a": [1j, 2j, 3j, 4j]}, "column 'a' holds complex numbers"),
        ({"a": list("abcd")}, "no column is left that could be a feature"),
        ({"a": list("aabc"), "b": range(4)}, "more than 3 columns after coding: column 'b' would add 1; drop it"),
    ],
)
def test_what_is_no_target_or_no_feature_names_its_column(
    monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(coder, "MAX_FEATURES", 3)
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "t": [0, 1, 0, 1]} | columns)
    refused(DataInvalid, message, code_table, frame, "t", "x")


@pytest.mark.parametrize(
    ("value", "other", "message"),
    [
        (datetime.date(2020, 1, 1), None, " holds dates or times"),
        (datetime.datetime(2020, 1, 1), None, " holds dates or times"),
        (datetime.time(1, 2), None, " holds dates or times"),
        (datetime.timedelta(1), None, " holds dates or times"),
        (Decimal(2**53), Decimal(2**53 + 1), r", row 1: whole numbers beyond 2\^53 \(such as 90071992547409"),
    ],
)
def test_what_parquet_declares_to_be_no_number_of_ours_is_refused(value: object, other: object, message: str) -> None:
    frame = pd.DataFrame({"a": [value, other] * 4, "y": list("pq") * 4})
    refused(DataInvalid, f"column 'a'{message}", through_parquet, frame)


ROWS = st.tuples(st.sampled_from([None, "a", "b", "c"]), st.one_of(st.none(), st.floats(-9, 9)), st.sampled_from("xy"))


@settings(max_examples=25)
@given(rows=st.lists(ROWS, min_size=4))
def test_a_row_is_coded_alike_whatever_the_others_numbers_are(rows: list[tuple[object, object, str]]) -> None:
    """No number of one row depends on the numbers of another: nothing is fitted."""
    rows = [*rows, ("a", 1.0, "x"), ("a", 1.0, "y")]
    frame = pd.DataFrame(rows, columns=["c", "n", "t"]).astype({"n": "float64"})
    first, second = (
        code_table(table, "t", "x") for table in (frame, frame.assign(n=frame["n"].where(frame.index != 0, 1e6)))
    )
    np.testing.assert_array_equal(first.X[1:], second.X[1:])
    assert np.array_equal(first.y, second.y)


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ([1.5, np.nan, 0.5, 2.0], [1.5, 0.5, 2.0]),
        ([3, 1, 2, 3], [3, 1, 2, 3]),
        (["1,200.5", "\u22123", "?", "7"], [1200.5, -3, 7]),
        (["5 %", "12.5 %", "7 %", "-"], [5, 12.5, 7]),
        ([Decimal("1.5"), Decimal(2), Decimal(3), None], [1.5, 2, 3]),
        ([*"123456789", "sold"], [*range(1, 10)]),
    ],
)
def test_a_number_to_predict_is_read_like_a_column_of_numbers(column: list[object], numbers: list[float]) -> None:
    table = regression(column)
    assert (table.y.dtype, table.y.tolist(), table.classes) == (np.float64, numbers, ())
    assert len(table.X) == len(numbers)
    told = [finding.what.partition(",")[0] for finding in table.findings]
    left_out = f"{len(column) - len(numbers)} row(s) without a number in y are left out"
    assert (left_out in told) == (len(numbers) < len(column))
    assert ("y: 1 of 10 known values are not numbers" in told) == ("sold" in column)


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
    with pytest.raises(DataInvalid, match=f"^t: {message}") as raised:
        regression(column)
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)


def test_numbers_are_classes_if_they_are_declared_so() -> None:
    frame = pd.DataFrame({"x": range(6), "y": [0.5, 1.5, 0.5, 1.5, 10.0, 10.0]})
    refused(OtherKind, r"numbers that are not whole \(such as 0.5\) are not classes", code_table, frame, "y", "t")
    table = code_table(frame, "y", "t", categories=["y"])
    assert (table.classes, table.y.tolist()) == (("0.5", "1.5", "10.0"), [0, 1, 0, 1, 2, 2])


def test_many_whole_numbers_as_classes_are_a_warning() -> None:
    frame = pd.DataFrame({"x": range(90), "y": np.arange(90) % 30})
    table = code_table(frame, "y", "t")
    assert len(table.classes) == 30
    assert table.warnings[0].startswith("many classes: y: 30 different whole numbers are taken as classes")
    assert code_table(frame, "y", "t", categories=["y"]).warnings == []
    assert code_table(frame.assign(y=frame["y"] % 20), "y", "t").warnings == []


@EVERY_FORMAT
@pytest.mark.parametrize(
    ("cells", "numbers", "warned"),
    [
        (["\u22121.5", "2", "\u22123", "4"], [-1.5, 2, -3, 4], []),
        (["1,234", "12,345.5", "2", "3"], [1234, 12345.5, 2, 3], []),
        (["1,234", "2,500", "2", "3"], [1234, 2500, 2, 3], ["a: '1,234' in row 1 is read as 1234"]),
        (["0,439", "1,250", "2", "3"], [0.439, 1.25, 2, 3], []),
        (["1,5", "2,25", "3", "1.234,5"], [1.5, 2.25, 3, 1234.5], []),
        (["1 234", "5", "6\u00a0000", "7"], [1234, 5, 6000, 7], []),
        (["5%", "6.5 %", "7%", "8%"], [5, 6.5, 7, 8], []),
        ([" 5", "6 ", "? ", "8"], [5, 6, np.nan, 8], []),
        (["5", " n/a", "#N/A", "None ", "-", "NULL", "", "8"], [5, *[np.nan] * 6, 8], []),
        (["1e17", "100000000000000000.0", "2e17", "3.0e17"], [1e17, 1e17, 2e17, 3e17], []),
        ([str(2**60 * i) for i in range(8)], [2.0**60 * i for i in range(8)], []),
        ([*PLAIN, "abc", "?"], [*map(float, PLAIN), np.nan, np.nan], [f"{ODD} ('abc')"]),
        ([*PLAIN, "2,5"], [*map(float, PLAIN), np.nan], [f"{ODD} ('2,5')"]),
        ([*PLAIN, "5 %"], [*map(float, PLAIN), np.nan], [f"{ODD} ('5 %')"]),
    ],
)
def test_numbers_with_something_else_in_them(
    format: str, cells: list[str], numbers: list[float], warned: list[str]
) -> None:
    table = coded(cells, format)
    assert table.features == ("a", "n")
    np.testing.assert_array_equal(table.X[:, 0], numbers)
    assert [finding.what for finding in table.findings] == warned


def test_of_many_that_are_no_numbers_five_are_named() -> None:
    (finding,) = coded([*PLAIN * 5, *(f"<{i}" for i in range(12))]).findings
    assert '`missing: ["<0", "<1", "<2", "<3", "<4"]` and the 7 others of this column' in finding.means


@pytest.mark.parametrize(
    "strange", ["abc", "12,5", "*", "#DIV/0!", "<5, approx: 3", 'a"b', "nul", "on", "\u2212x", "{a}", "- b"]
)
@pytest.mark.parametrize("name", ["a", "#f: a", "null", "x y"])
def test_the_advice_on_what_is_no_number_can_be_followed(tmp_path: Path, strange: str, name: str) -> None:
    cells, other = [*PLAIN, strange, "NA", "?"], ["1", "n/a", *["2"] * 11]
    frame = pd.DataFrame({name: cells, "b": other, "y": ["p", "q"] * 6 + ["p"]}, dtype=object)
    (finding,) = code_table(frame, "y", "t").findings
    (tmp_path / "my.yaml").write_text("\n".join(re.findall("`(.*?)`", finding.means)), "utf-8")
    advised = convert(read_yaml(tmp_path / "my.yaml"), dict[str, list[str]], "my.yaml")
    assert advised == {"missing": [strange, "NA", "?", "n/a"], "categories": [name]}
    followed = code_table(frame, "y", "t", missing=advised["missing"])
    np.testing.assert_array_equal(followed.X, code_table(frame, "y", "t").X)
    assert followed.findings == ()


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_is_read_as_missing_is_counted(format: str) -> None:
    notes = coded(["1", "NA", "?", "4", "NA", "", "nan", "8"], format).notes
    assert notes[0] == "read as missing: 'NA' (2 in a), '?' (1 in a), 'nan' (1 in a)"
    assert coded(["-999", "1", "-999.0", "4"], missing=["-999", ""]).notes[0] == "read as missing: '-999' (2 in a)"


@EVERY_FORMAT
def test_numbers_and_text_in_one_column_are_categories_with_a_warning(format: str) -> None:
    table = coded(["2", "3", "4", "5more"] * 5, format)
    assert table.features == ("a=2", "a=3", "a=4", "a=5more", "n")
    (finding,) = table.findings
    assert finding.what == "a: 15 of 20 known values are numbers, the others text, the first in row 4 ('5more')"


@EVERY_FORMAT
def test_categories_and_classes_that_are_nearly_equal(format: str) -> None:
    table = coded(["Red", "red ", "blue", " blue"] * 3, format, ["<=50K", ">50K", "<=50K.", ">50K. "] * 3)
    assert table.features == ("a=Red", "a=blue", "a=red", "n")
    assert table.classes == ("<=50K", "<=50K.", ">50K", ">50K.")
    assert checks(table) == ["similar classes", "similar categories"]
    assert "'<=50K' (3), '<=50K.' (3), '>50K' (3), '>50K.' (3)" in table.findings[0].what


@EVERY_FORMAT
@pytest.mark.parametrize("cell", ["2020-01-05", "12:30"])
def test_dates_times_and_durations_are_refused(format: str, cell: str) -> None:
    says = r"t: column 'a' holds dates or times \(such as .*`drop: \[a\]`"
    refused(DataInvalid, says, coded, [cell] * 5 + ["?"], format)
    assert coded([cell, "x"] * 3, format, categories=["a"]).features[1] == "n"
    assert coded([cell] * 5 + ["?"], format, drop=["a"]).features == ("n",)


DATES = [
    "2020-01-05", "5.1.2020", "1/5/20", "2020-01-05T10:00:00Z", "2020-01-05 10:00", "12:30", "1:02:03.5", "3 days",
    "Jan 5, 2020", "5-Jan-20", "2024-01", "-1 days +23:00:00", "1 day, 2:00:00", "PT3H", "P1DT2H", "-P3W", "PT0.5S",
]  # fmt: skip
NO_DATES = ["1.2.3", "10.0.0.1", "may", "1/2", "a:30", "3", "P", "PT", "PT-1", "P3", "2024-13", "1234-01"]


@pytest.mark.parametrize("text", [*DATES, *NO_DATES])
def test_what_is_a_date(text: str) -> None:
    assert look_like_dates(pd.Series([text])) == (text in DATES)


@pytest.mark.parametrize("declared", ["date", 'date "dd.MM.yyyy"', 'date "EEE HH"'])
@pytest.mark.parametrize("cells", [["2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+02:00"], ["13.1.2020", "Mon 12"]])
def test_dates_of_arff_are_the_text_that_stands_there(declared: str, cells: list[str]) -> None:
    text = f"@relation t\n@attribute a {declared}\n@attribute n real\n@attribute y {{p,q}}\n@data\n"
    text += "".join(f'"{cell}",{i},{"pq"[i % 2]}\n' for i, cell in enumerate(cells * 3)) + "?,7,p\n"
    frame = read_frame(text.encode(), "arff", "t")
    assert code_table(frame, "y", "t", categories=["a"]).features == (*(f"a={c}" for c in cells), "a missing", "n")
    assert code_table(frame[["a", "n"]][:6], "a", "t").classes == tuple(cells)
    says = rf"column 'a' holds dates or times \(such as '{re.escape(cells[0])}'\)"
    refused(DataInvalid, says, code_table, frame, "y", "t")
    refused(DataInvalid, r"target 'a' holds dates or times", code_table, frame, "a", "t", kind="regression")


def test_marks_of_missing_in_the_target() -> None:
    cells = [str(i % 5) for i in range(8)]
    assert coded(cells, target=["+", "-"] * 4).classes == ("+", "-")
    assert coded(cells, target=["None", "x"] * 4).classes == ("None", "x")
    says = r"4 label\(s\) missing, the first in row 2 \('NA'; if it is a class, .* missing: \[\] keeps it\)"
    refused(DataInvalid, says, coded, cells, target=["SA", "NA"] * 4)
    assert coded(cells, target=["SA", "NA"] * 4, missing=[]).classes == ("NA", "SA")


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_declared_category_is_one_whatever_its_count(format: str) -> None:
    table = coded([f"{i:03}" for i in range(30)], format, categories=["a"])
    assert len(table.features) == 31
    assert table.features[7] == "a=007"
    assert table.findings == ()


def test_amounts_of_money_are_categories_with_a_warning() -> None:
    for cells in (["$7", "$8.50", "$1,200", "?"], ["7 €", "8 €"], ["EUR 7", "EUR 8"]):
        table = coded(cells * 5)
        assert checks(table) == ["numbers with a currency"]
        assert f"such as '{cells[0]}'" in table.findings[0].what
    assert checks(coded(["US", "$"] * 5)) == []


def test_a_number_that_stands_for_missing_is_counted() -> None:
    frame = pd.DataFrame({"a": [1.5, -999, 2.5, 7], "y": [-999, 1, 2, 3]})
    table = code_table(frame, "y", "t", kind="regression", missing=["-999"])
    assert table.notes[0] == "read as missing: '-999' (1 in y), '-999' (1 in a)"
    np.testing.assert_array_equal(table.X[:, 0], [np.nan, 2.5, 7])
    (left_out,) = (finding.what for finding in table.findings if finding.severity == "warning")
    assert left_out == "1 row(s) without a number in y are left out, the first is row 1"


def test_a_key_or_nearly_one_is_left_out_with_a_warning() -> None:
    names = [f"n{number}" for number in range(30)]
    frame = pd.DataFrame({"name": [*names, *names[:20]], "street": names[:25] * 2, "t": [0, 1] * 25})
    table = code_table(frame, "t", "t")
    assert len(table.features) == 25  # half as many streets as rows are no keys
    (finding,) = table.findings
    assert (finding.check, finding.columns) == ("left out", ("name",))
    assert "such as 'n0'" in finding.what
    says = r"no column is left that could be a feature: a: nearly all values are different .*such as '\$0'"
    refused(DataInvalid, says, coded, [f"${i}" for i in range(30)], drop=["n"])


@pytest.mark.parametrize(
    "cells",
    [
        [str(2**64 - 1 - i) for i in range(10)],
        [str(2**53 + i) for i in range(10)],
        [*(str(2**53 + i) for i in range(10)), ""],
        [str(10**25 + i) for i in range(10)],
        [f"{2**53 + i}.0" for i in range(10)],
        [*(str(2**53 + i) for i in range(9)), "1.5"],
    ],
)
def test_whole_numbers_that_float64_makes_equal_are_refused(cells: list[str]) -> None:
    says = r"column 'a', row 1: whole numbers beyond 2\^53 \(such as"
    refused(DataInvalid, says, coded, cells)
    refused(DataInvalid, says.replace("'a'", "'y'"), regression, cells)
    text = "@relation t\n@attribute a real\n@attribute y {p,q}\n@data\n" + "".join(f"{c or '?'},p\n" for c in cells)
    refused(DataInvalid, says, code_table, read_frame((text + "1,q\n").encode(), "arff", "t"), "y", "t")
    whole = [int(Decimal(c)) if c else None for c in cells[:9]]
    frame = pd.DataFrame({"a": pd.array(whole), "y": list("pqpqpqpqp")})
    if frame["a"].dtype.kind in "iu":
        refused(DataInvalid, r"whole numbers beyond 2\^53", through_parquet, frame)


def test_bytes_of_parquet_are_text_or_refused() -> None:
    def table(*cells: bytes | None) -> pd.DataFrame:
        return pd.DataFrame({"a": [*cells] * 4, "n": range(8), "y": list("pq") * 4})

    assert through_parquet(table("é".encode(), b"b")).features == ("a=é", "n")
    strange = table(b"\xff\x00", None)
    for target in ("y", "a"):
        says = r"t: column 'a' holds bytes that are not UTF-8 text; drop it .*drop: \[a\]"
        refused(DataInvalid, says, through_parquet, strange, target)
    assert through_parquet(strange, drop=["a"]).features == ("n",)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_as_python_writes_them_are_read_to_the_bit(values: list[float]) -> None:
    numbers, _ = read_numbers(pd.Series([repr(value) for value in values], dtype=object))
    assert numbers.tolist() == values


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.sampled_from([",", ".", " ", "'", "\u00a0"]))
def test_thousands_set_apart_are_the_same_numbers(values: list[int], mark: str) -> None:
    texts = [f"{value:,}".replace(",", mark) for value in [*values, 12_345_678]]
    assert read_numbers(pd.Series(texts, dtype=object))[0].tolist() == [*values, 12_345_678]


@given(st.lists(st.text(), min_size=1))
def test_any_texts_are_read_or_left(texts: list[str]) -> None:
    numbers, _ = read_numbers(pd.Series(texts, dtype=object))
    assert len(numbers) == len(texts)
    assert all(len(group) > 1 for group in nearly_equal(set(texts)))
    assert not {mark for mark in MISSING if mark != mark.casefold()}

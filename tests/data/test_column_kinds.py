"""What a column is: every kind with real small inputs, alike in CSV, ARFF and Parquet where they can say the same."""

from __future__ import annotations

import datetime
import io
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bench.data.columns import Coded, code_table
from bench.data.frames import read_frame
from bench.data.strict_yaml import convert, read_yaml
from bench.data.text_columns import MISSING, look_like_dates, nearly_equal, read_numbers
from bench.errors import DataInvalid

PLAIN = ["1.5", "2.5", "-3", "4e1", "0.5", "6", "7", "8", "9", "10"]


def coded(cells: list[str], format: str = "csv", target: list[str] | None = None, **more: object) -> Coded:
    """A table of the column ``a`` with ``cells`` and a target of two classes, through a file of ``format``."""
    labels = target or ["p", "q"] * (len(cells) // 2) + ["p"] * (len(cells) % 2)
    frame = pd.DataFrame({"a": pd.Series(cells, dtype=object), "n": np.arange(len(cells)) % 3, "y": labels})
    if format == "csv":
        content = frame.to_csv(index=False, lineterminator="\n").encode()
    elif format == "arff":
        lines = "".join(f'"{a}",{n},"{y}"\n' for a, n, y in frame.itertuples(index=False))
        content = f"@relation t\n@attribute a string\n@attribute n real\n@attribute y string\n@data\n{lines}".encode()
    else:
        sink = io.BytesIO()
        frame.to_parquet(sink)
        content = sink.getvalue()
    read = read_frame(content, format, "t", texts=more.get("categories", ()))  # type: ignore[arg-type]
    return code_table(read, "y", "t", **more)  # type: ignore[arg-type]


def checks(table: Coded) -> list[str]:
    return [finding.check for finding in table.findings]


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
@pytest.mark.parametrize(
    ("cells", "numbers", "warned"),
    [
        (["\u22121.5", "2", "\u22123", "4"], [-1.5, 2, -3, 4], []),
        (["1,234", "12,345.5", "2", "3"], [1234, 12345.5, 2, 3], []),
        (["1,234", "2,500", "2", "3"], [1234, 2500, 2, 3], ["comma in numbers"]),
        (["0,439", "1,250", "2", "3"], [0.439, 1.25, 2, 3], []),
        (["1,5", "2,25", "3", "1.234,5"], [1.5, 2.25, 3, 1234.5], []),
        (["1 234", "5", "6\u00a0000", "7"], [1234, 5, 6000, 7], []),
        (["5%", "6.5 %", "7%", "8%"], [5, 6.5, 7, 8], []),
        ([" 5", "6 ", "? ", "8"], [5, 6, np.nan, 8], []),
        (["5", " n/a", "#N/A", "None ", "-", "NULL", "", "8"], [5, *[np.nan] * 6, 8], []),
        ([*PLAIN, "abc"], [*map(float, PLAIN), np.nan], ["not all numbers"]),
        ([*PLAIN, "2,5"], [*map(float, PLAIN), np.nan], ["not all numbers"]),
        ([*PLAIN, "5 %"], [*map(float, PLAIN), np.nan], ["not all numbers"]),
    ],
)  # fmt: skip
def test_numbers_with_something_else_in_them(
    format: str, cells: list[str], numbers: list[float], warned: list[str]
) -> None:
    table = coded(cells, format)
    assert table.features == ("a", "n")
    np.testing.assert_array_equal(table.X[:, 0], numbers)
    assert checks(table) == warned


def test_what_is_no_number_is_named() -> None:
    (finding,) = coded([*PLAIN, "abc", "?"]).findings
    assert finding.what == "a: 1 of 11 known values are not numbers, the first in row 11 ('abc')"
    assert '`missing: [abc, "?"]`' in finding.means
    assert "`categories: [a]`" in finding.means
    assert coded([*PLAIN, "abc", "?"], missing=["abc", "?"]).findings == ()


@pytest.mark.parametrize(
    "strange", ["12,5", "*", "#DIV/0!", "<5, approx: 3", 'a"b', "nul", "on", "\u2212x", "{a}", "- b"]
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


def test_the_advice_on_many_that_are_no_numbers_is_short() -> None:
    (finding,) = coded([*PLAIN * 5, *(f"<{i}" for i in range(12))]).findings
    assert '`missing: ["<0", "<1", "<2", "<3", "<4"]` and the 7 others of this column' in finding.means


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_is_read_as_missing_is_counted(format: str) -> None:
    notes = coded(["1", "NA", "?", "4", "NA", "", "nan", "8"], format).notes
    assert notes[0] == "read as missing: 'NA' (2 in a), '?' (1 in a), 'nan' (1 in a)"


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_numbers_and_text_in_one_column_are_categories_with_a_warning(format: str) -> None:
    table = coded(["2", "3", "4", "5more"] * 5, format)
    assert table.features == ("a=2", "a=3", "a=4", "a=5more", "n")
    (finding,) = table.findings
    assert finding.what == "a: 15 of 20 known values are numbers, the others text, the first in row 4 ('5more')"


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_categories_and_classes_that_are_nearly_equal(format: str) -> None:
    table = coded(["Red", "red ", "blue", " blue"] * 3, format, ["<=50K", ">50K", "<=50K.", ">50K. "] * 3)
    assert table.features == ("a=Red", "a=blue", "a=red", "n")
    assert table.classes == ("<=50K", "<=50K.", ">50K", ">50K.")
    assert checks(table) == ["similar classes", "similar categories"]
    assert "'<=50K' (3), '<=50K.' (3), '>50K' (3), '>50K.' (3)" in table.findings[0].what


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
@pytest.mark.parametrize(
    "cell",
    ["2020-01-05", "5.1.2020", "1/5/20", "2020-01-05T10:00:00Z", "2020-01-05 10:00", "12:30", "1:02:03.5", "3 days",
     "Jan 5, 2020", "5-Jan-20", "2024-01", "-1 days +23:00:00", "1 day, 2:00:00", "PT3H", "P1DT2H", "-P3W", "PT0.5S"],
)  # fmt: skip
def test_dates_times_and_durations_are_refused(format: str, cell: str) -> None:
    with pytest.raises(DataInvalid, match=r"t: column 'a' holds dates or times \(such as .*`drop: \[a\]`"):
        coded([cell] * 5 + ["?"], format)
    assert coded([cell, "x"] * 3, format, categories=["a"]).features[1] == "n"
    assert coded([cell] * 5 + ["?"], format, drop=["a"]).features == ("n",)


@pytest.mark.parametrize(
    "text", ["1.2.3", "10.0.0.1", "may", "1/2", "a:30", "3", "P", "PT", "PT-1", "P3", "2024-13", "1234-01"]
)
def test_what_is_no_date(text: str) -> None:
    assert not look_like_dates(pd.Series([text]))


@pytest.mark.parametrize(
    "value", [datetime.date(2020, 1, 1), datetime.time(1, 2), datetime.timedelta(1), datetime.datetime(2020, 1, 1)]
)
def test_dates_that_parquet_declares_are_refused(value: object) -> None:
    sink = io.BytesIO()
    pd.DataFrame({"a": [value, None] * 4, "y": list("pq") * 4}).to_parquet(sink)
    with pytest.raises(DataInvalid, match="column 'a' holds dates or times"):
        code_table(read_frame(sink.getvalue(), "parquet", "t"), "y", "t")


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
    assert [f.what for f in table.findings if f.severity == "warning"] == [
        "1 row(s) without a number in y are left out, the first is row 1"
    ]
    assert coded(["-999", "1", "-999.0", "4"], missing=["-999", ""]).notes[0] == "read as missing: '-999' (2 in a)"


def test_a_key_is_left_out_with_a_warning() -> None:
    table = coded([f"k{i}" for i in range(30)])
    assert (table.features, checks(table)) == (("n",), ["left out"])
    assert "such as 'k0'" in table.findings[0].what
    with pytest.raises(
        DataInvalid,
        match=r"no column is left that could be a feature: a: nearly all values are different .*such as '\$0'",
    ):
        coded([f"${i}" for i in range(30)], drop=["n"])


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
    refused(DataInvalid, r"column 'a', row 1: whole numbers beyond 2\^53 \(such as", coded, cells)
    with pytest.raises(DataInvalid, match=r"column 'y', row 1: whole numbers beyond 2\^53 \(such as"):
        code_table(pd.DataFrame({"a": np.arange(len(cells)), "y": cells}), "y", "t", kind="regression")
    text = "@relation t\n@attribute a real\n@attribute y {p,q}\n@data\n" + "".join(f"{c or '?'},p\n" for c in cells)
    with pytest.raises(DataInvalid, match=r"column 'a', row 1: whole numbers beyond 2\^53 \(such as"):
        code_table(read_frame((text + "1,q\n").encode(), "arff", "t"), "y", "t")
    whole = [int(Decimal(c)) if c else None for c in cells[:9]]
    frame = pd.DataFrame({"a": pd.array(whole), "y": list("pqpqpqpqp")})
    if frame["a"].dtype.kind in "iu":
        sink = io.BytesIO()
        frame.to_parquet(sink)
        with pytest.raises(DataInvalid, match=r"whole numbers beyond 2\^53"):
            code_table(read_frame(sink.getvalue(), "parquet", "t"), "y", "t")


def test_decimals_of_parquet_that_float64_makes_equal_are_refused() -> None:
    frame = pd.DataFrame({"a": [Decimal(2**53), Decimal(2**53 + 1)] * 4, "y": list("pq") * 4})
    sink = io.BytesIO()
    frame.to_parquet(sink)
    with pytest.raises(DataInvalid, match=r"column 'a', row 1: whole numbers beyond 2\^53 \(such as 90071992547409"):
        code_table(read_frame(sink.getvalue(), "parquet", "t"), "y", "t")


def test_one_large_number_spelt_in_two_ways_is_one() -> None:
    cells = ["1e17", "100000000000000000.0", "2e17", "3.0e17"] * 2
    assert coded(cells).X[:4, 0].tolist() == [1e17, 1e17, 2e17, 3e17]


@pytest.mark.parametrize("declared", ["date", 'date "dd.MM.yyyy"', 'date "EEE HH"'])
@pytest.mark.parametrize("cells", [["2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+02:00"], ["13.1.2020", "Mon 12"]])
def test_dates_of_arff_are_the_text_that_stands_there(declared: str, cells: list[str]) -> None:
    text = f"@relation t\n@attribute a {declared}\n@attribute n real\n@attribute y {{p,q}}\n@data\n"
    text += "".join(f'"{cell}",{i},{"pq"[i % 2]}\n' for i, cell in enumerate(cells * 3)) + "?,7,p\n"
    frame = read_frame(text.encode(), "arff", "t")
    assert code_table(frame, "y", "t", categories=["a"]).features == (*(f"a={c}" for c in cells), "a missing", "n")
    assert code_table(frame[["a", "n"]][:6], "a", "t").classes == tuple(cells)
    with pytest.raises(DataInvalid, match=rf"column 'a' holds dates or times \(such as '{re.escape(cells[0])}'\)"):
        code_table(frame, "y", "t")
    refused(DataInvalid, r"target 'a' holds dates or times", code_table, frame, "a", "t", kind="regression")


def test_bytes_of_parquet_are_text_or_refused() -> None:
    def table(*cells: bytes | None) -> pd.DataFrame:
        sink = io.BytesIO()
        pd.DataFrame({"a": [*cells] * 4, "n": range(8), "y": list("pq") * 4}).to_parquet(sink)
        return read_frame(sink.getvalue(), "parquet", "t")

    assert code_table(table("é".encode(), b"b"), "y", "t").features == ("a=é", "n")
    for target in ("y", "a"):
        with pytest.raises(
            DataInvalid, match=r"t: column 'a' holds bytes that are not UTF-8 text; drop it .*drop: \[a\]"
        ):
            code_table(table(b"\xff\x00", None), target, "t")
    assert code_table(table(b"\xff\x00", None), "y", "t", drop=["a"]).features == ("n",)


def test_large_whole_numbers_that_stay_apart_are_numbers() -> None:
    assert coded([str(2**60 * i) for i in range(8)]).X[:, 0].tolist() == [2.0**60 * i for i in range(8)]


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

"""Tables of mixed columns: read as they stand, or refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bench.data import arff, frames, parsing
from bench.data.frames import Format, format_of, read_frame
from bench.errors import DataInvalid, UsageError

CSV = b"""size, colour,weight,class
1.5,red,2,yes
?,green,-3e2,no
0.1,red,,yes
"""
ARFF = b"""% a comment
@RELATION things
@attribute 'the size' NUMERIC
@attribute colour {red, green, 'light blue'}
@attribute name string
@attribute class {no, yes}
@data
1.5,red,'a, b',yes
?,'light blue',c,no
"""


def parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()


def test_csv_numbers_words_and_gaps() -> None:
    frame = read_frame(CSV, "csv", "t.csv")
    assert list(frame.columns) == ["size", "colour", "weight", "class"]
    assert frame["size"].tolist() == ["1.5", "?", "0.1"]
    assert frame["weight"].tolist() == pytest.approx([2.0, -300.0, np.nan], nan_ok=True)
    assert frame["colour"].tolist() == ["red", "green", "red"]


def test_csv_without_header_by_another_delimiter() -> None:
    frame = read_frame(b"1;a\n\n2;b\n", "csv", "t", delimiter=";", header=False)
    assert list(frame.columns) == ["1", "2"]
    assert frame["2"].tolist() == ["a", "b"]


@pytest.mark.parametrize("delimiter", ["; ", "\t", "|", ";"])
def test_decimal_commas_delimit_nothing_without_a_header(delimiter: str) -> None:
    rows = "".join(delimiter.join((f"{n},5", f"-{n},25", "x", f"{n},0")) + "\n" for n in range(3))
    frame = read_frame(rows.encode(), "csv", "t", header=False)
    assert frame["2"].tolist() == ["-0,25", "-1,25", "-2,25"]
    assert read_frame(b"1,2;3,x\n2,3;4,y\n", "csv", "t", header=False)["2"].tolist() == ["2;3", "3;4"]


def test_a_column_called_pk_is_no_archive() -> None:
    assert read_frame(b"PK,y\n1,a\n2,b\n", "csv", "t")["PK"].tolist() == [1, 2]


def test_csv_numbers_are_the_nearest_floats() -> None:
    text = ["0.1", "2.675", "1e-320", "123456789.123456789", "0.30000000000000004"]
    frame = read_frame("\n".join(["x,y", *(f"{t},1" for t in text)]).encode(), "csv", "t")
    assert frame["x"].tolist() == [float(t) for t in text]


def test_the_word_none_is_a_category() -> None:
    assert read_frame(b"a,b\nNone,1\nx,2\n", "csv", "t")["a"].tolist() == ["None", "x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n", "row 2 has 1 fields, expected 2"),
        (b"a,b\n1,2,3\n", "row 1 has 3 fields, expected 2"),
        (b"a,a\n1,2\n", "two columns are called 'a'"),
        (b"a,b\n1,2,3\n", r"expected 2; if R wrote it, write it without row names \(row.names = FALSE\)"),
        (b"# by me\na,b,c\n1,2,3\n", r"row 1 has 1 fields, .*; if the first lines are comments \(#\), take them out"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b'a,b\n1,"2\n', "not a CSV table: unexpected end of data"),
        (b"a,b\n1,\0\n", "binary content"),
        (b"a,b\n1,\xff\n", "not UTF-8 text"),
        (b"<!DOCTYPE html>\n<html><body>Oops, 1,2</body></html>", "a web page"),
        (b'<?xml version="1.0"?><error/>', "a web page or XML document"),
        (b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n", "1000000 columns"),
    ],
)
def test_csv_that_is_none(content: bytes, message: str) -> None:
    line = refused(DataInvalid, message, read_frame, content, "csv", "some.csv")
    assert line.startswith("some.csv: ")


def test_what_is_refused_costs_little_memory() -> None:
    content = b",".join(b"%d" % i for i in range(1_000_000)) + b"\n"
    content += content
    tracemalloc.start()
    with pytest.raises(DataInvalid):
        read_frame(content, "csv", "wide.csv", header=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(content)


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_CELLS", 5)
    for content, format in ((CSV, "csv"), (ARFF, "arff"), (parquet(pd.DataFrame({"a": [0.0] * 6})), "parquet")):
        with pytest.raises(DataInvalid, match="or 5 values are refused"):
            read_frame(content, format, "t")  # type: ignore[arg-type]
    monkeypatch.setattr(frames, "MAX_BYTES", 50)
    refused(DataInvalid, "tables above 50 are refused", read_frame, ARFF, "arff", "t")


def test_arff_columns_by_their_kind() -> None:
    frame = read_frame(ARFF, "arff", "t.arff")
    assert frame["the size"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert frame["colour"].cat.categories.tolist() == ["red", "green", "light blue"]
    assert frame["colour"].tolist() == ["red", "light blue"]
    assert frame["name"].tolist() == ["a, b", "c"]
    assert frame["class"].tolist() == ["yes", "no"]


def test_arff_in_latin_1() -> None:
    content = "@relation t\n@attribute ort {Köln,Bonn}\n@attribute n real\n@data\nKöln,1\n".encode("latin-1")
    assert read_frame(content, "arff", "t")["ort"].tolist() == ["Köln"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"@relation t\n@attribute a numeric\n@attribute b numeric\n@data\n{0 1, 1 2}\n{1 3}\n", "a sparse ARFF table"),
        (
            b"@relation t\n@attribute a relational\n@data\n1\n",
            "attribute 'a': its type 'relational' is none of numeric",
        ),
        (b"@relation t\n@attribute a {x,y}\n@data\nx\nz\n", "row 2, attribute 'a': 'z' is none of the values"),
        (b"@relation t\n@attribute a {x,y\n@data\nx\n", "attribute 'a': its list of values is not closed"),
        (b"@relation t\n@attribute a numeric\n@data\n1\n1%\n", "row 2, attribute 'a': '1%' is not a number"),
        (b"@relation t\n@attribute a numeric\n@attribute a numeric\n@data\n1,2\n", "two columns are called 'a'"),
        (b"@relation t\n@attribute a numeric\n@data\n1,2\n", "row 1: 2 values, the header declares 1: 1,2"),
        (
            b"@relation t\n@attribute a numeric {0.5}\n@data\n1\n",
            "attribute 'a': it has a weight; weights are not read",
        ),
        (b"@relation t\n@attribute a numeric x\n@data\n1\n", "attribute 'a': 'x' after its type"),
        (b"@relation t\n@attribute a numeric\n@data\n1,{5}\n", "row 1: it ends with a weight"),
        (b"@relation t\n@attribute a string\n@data\n'b\n", "row 1: a quote is not closed"),
        (b"@relation t\n@attribute a\n@data\n1\n", "no name and type in '@attribute a'|its type ''"),
        (b"@relation t\n@data\n1\n", "no @ATTRIBUTE in it"),
        (b"@relation t\n@attribute a numeric\n@data\n", "no rows"),
        (b"@relation t\n@attribute a numeric\n@data\n\0\n", "binary content|not a readable ARFF table"),
        (b"<html><body>502 Bad Gateway</body></html>", "a web page|not a readable ARFF table"),
        (b"@relation t\n" + b"@attribute a numeric\n" * 20_001 + b"@data\n", "20001 columns"),
        (b"@relation t\n@attribute a numeric\n", "no @DATA in it"),
    ],
)
def test_arff_that_is_refused(content: bytes, message: str) -> None:
    line = refused(DataInvalid, message, read_frame, content, "arff", "some.arff")
    assert line.startswith("some.arff: ")


def test_parquet() -> None:
    frame = pd.DataFrame({"a": [1.5, None], "b": pd.Categorical(["x", "y"]), "c": ["u", None]})
    read = read_frame(parquet(frame), "parquet", "t")
    assert read["a"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert read["b"].tolist() == ["x", "y"]
    assert read["c"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a readable Parquet table"), (b"PAR1 then nothing of the kind PAR1", "not a readable Parquet table")],
)
def test_parquet_that_is_none(content: bytes, message: str) -> None:
    refused(DataInvalid, message, read_frame, content, "parquet", "t")


def test_parquet_of_few_texts_that_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    words = pd.DataFrame({"n": [1.5] * 4000, "t": ["x" * 1000, None] * 2000, "b": [b"u", b"v"] * 2000})
    content = parquet(words)
    assert len(content) < 20_000
    read = read_frame(content, "parquet", "t")
    assert read["t"].isna().sum() == 2000
    assert set(read["t"].dropna()) == {"x" * 1000}
    assert read["b"].tolist() == [b"u", b"v"] * 2000
    monkeypatch.setattr(frames, "MAX_UNPACKED_BYTES", 1_000_000)
    refused(DataInvalid, "column 't': more than 1000000 bytes of text; refused", read_frame, content, "parquet", "t")
    monkeypatch.setattr(frames, "MAX_UNPACKED_BYTES", 1000)
    refused(DataInvalid, "bytes unpacked; tables above 1000 are refused", read_frame, content, "parquet", "t")


def test_parquet_of_pandas_categories_that_are_numbers() -> None:
    """Arrow keeps the numbers; that they are categories stands in pandas' account of them."""
    frame = pd.DataFrame({"a": pd.Categorical([3, 1, None]), "b": pd.Categorical(["v", "u", "v"]), "c": [3, 1, 2]})
    read = read_frame(parquet(frame), "parquet", "t")
    assert [str(kind).lower() for kind in read.dtypes] == ["category", "category", "int64"]
    assert [str(level) for level in read["a"].cat.categories] == ["1", "3"]
    assert read["a"].isna().tolist() == [False, False, True]


def test_parquet_with_nested_columns() -> None:
    with pytest.raises(DataInvalid, match="column 'a' is nested"):
        read_frame(parquet(pd.DataFrame({"a": [[1, 2], [3]]})), "parquet", "t")


def test_formats_by_ending() -> None:
    assert [format_of(name) for name in ("a.csv", "http://h/x.ARFF?v=1", "b.pq", "c.d/e.parquet")] == [
        "csv",
        "arff",
        "parquet",
        "parquet",
    ]
    refused(UsageError, "unknown table format 'xlsx'", format_of, "a.xlsx")
    with pytest.raises(UsageError, match=r"does not say which format is compressed; name it like table\.csv\.zip"):
        format_of("http://h/a.zip")


HEADS = [
    b"@relation t\n",
    b"@attribute a numeric\n",
    b"@attribute b {x,y}\n",
    b"@attribute '",
    b"@data\n",
    b"a,b\n",
    b"PAR1",
]
VALUES = [b"1,x\n", b"{0 1}\n", b"{", b"}", b"'", b'"', b"\\", b"%", b",", b"\n", b"\r", b"\xff", b"\0", b"?", b"1e999"]
PIECES = st.sampled_from(HEADS + VALUES)


FAULT = re.compile("x: [^\\n]+")


@given(content=st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(b"".join)))
@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_any_bytes_are_a_table_or_one_line(format: Format, content: bytes) -> None:
    said = ""
    try:
        frame = read_frame(content, format, "x")
    except DataInvalid as error:
        said = str(error)
    else:
        assert len(frame) > 0
        assert len(set(frame.columns)) == frame.shape[1] > 0
    assert not said or FAULT.fullmatch(said)


WORDS = st.sampled_from(
    ["1", "-0.5", "1e-320", " 7", "8 ", "?", "x", "a b", "'x'", '"y"', "nan", "", "0x1", "1_0", "é"]
)
KINDS = st.sampled_from(["numeric", "Integer", "REAL", "{x, 1, 'a b', y}", "{1,-0.5,?}", "string"])


def test_a_level_that_means_missing_is_refused_in_the_same_words_either_way() -> None:
    text = "@relation r\n@attribute a {1,-0.5,?}\n@attribute b {x,1}\n@data\n1,-0.5"
    refused(DataInvalid, r"row 1, attribute 'b': '-0\.5' is none of the values", read_frame, text.encode(), "arff", "x")


@given(data=st.data(), kinds=st.lists(KINDS, min_size=1, max_size=3), end=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_both_ways_to_read_arff_give_the_same(data: st.DataObject, kinds: list[str], end: str) -> None:
    """pandas' parser, where it is used, reads what the full one does."""
    rows = data.draw(st.lists(st.lists(WORDS, min_size=len(kinds), max_size=len(kinds)), max_size=4))
    header = "".join(f"@attribute c{i} {kind}{end}" for i, kind in enumerate(kinds))
    text = f"@relation r{end}{header}@data{end}" + end.join(",".join(row) for row in rows)
    results = []
    for plain in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not plain:
                patch.setattr(arff, "_plain_rows", lambda *_: None)
            try:
                results.append(read_frame(text.encode(), "arff", "x"))
            except DataInvalid as error:
                results.append(str(error))
    first, second = results
    if isinstance(first, str) or isinstance(second, str):
        assert first == second
    else:
        pd.testing.assert_frame_equal(first, second)


def test_decimals_of_whole_numbers_are_kept() -> None:
    text = b"@relation r\n@attribute a INTEGER\n@attribute b string\n@data\n1.5,'x'\n"
    assert read_frame(text, "arff", "x")["a"].tolist() == [1.5]


def test_arff_as_openml_and_weka_write_it() -> None:
    text = (
        "@relation r\r\n@ATTRIBUTE\ta\tnumeric\r\n@attribute 'b c'\treal [0, 10] % a range\r\n"
        "@attribute d {x, 'y z',} % two values\r\n@attribute e date \"yyyy-MM-dd\"\r\n@attribute f{p,q}\r\n"
        "@data % here\r\n1,2,x,'2020-01-05',p\r\n% a comment\r\n?,3,'y z',?,q,\r\n"
    )
    frame = read_frame(text.encode(), "arff", "t")
    assert list(frame.columns) == ["a", "b c", "d", "e", "f"]
    assert frame["b c"].tolist() == [2, 3]
    assert frame["d"].cat.categories.tolist() == ["x", "y z"]
    assert frame["f"].tolist() == ["p", "q"]
    assert frame["e"].isna().tolist() == [False, True]
    assert frame.attrs["dates"] == ["e"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with its mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_in_each_encoding_with_each_delimiter(encoding: str, delimiter: str) -> None:
    text = '"a,1;x"DbDc\n1.5DéD2\n2.5DüD3\n'.replace("D", delimiter)
    content = text.encode(encoding.split()[0]) if "mark" not in encoding else b"\xff\xfe" + text.encode("utf-16-le")
    frame = read_frame(content, "csv", "t")
    assert list(frame.columns) == ["a,1;x", "b", "c"]
    assert frame["b"].tolist() == ["é", "ü"]


@pytest.mark.parametrize(
    "content",
    [b"a b\n1.5 x\n2  y\n", b" a b \n  1.5 x  \n 2 y\n", b'"a" b\r\n1.5 x \r\n2 "y"\r\n', b"a,b\r1.5,x\r2,y\r",
     b"sep=;\r\na;b\r\n1.5;x\r\n2;y\r\n", b"SEP=,\na,b\n1.5,x\n2,y\n"],
)  # fmt: skip
def test_csv_with_blanks_old_line_ends_or_its_delimiter_on_top(content: bytes) -> None:
    frame = read_frame(content, "csv", "t")
    assert frame.to_dict("list") == {"a": [1.5, 2.0], "b": ["x", "y"]}


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return sink.getvalue()


def test_packed_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read_frame(CSV, "csv", "t")
    for content in (gzip.compress(CSV), bz2.compress(CSV), lzma.compress(CSV), zipped("t.csv", "__MACOSX/t.csv")):
        pd.testing.assert_frame_equal(read_frame(content, "csv", "t"), plain)
    with pytest.raises(DataInvalid, match=r"2 files in it .a spreadsheet.*save the table as CSV"):
        read_frame(zipped("a", "b"), "csv", "t")
    with pytest.raises(
        DataInvalid, match="t: a compressed file that cannot be unpacked: 0 files in it; compress it again"
    ):
        read_frame(zipped(), "csv", "t")
    for content in (gzip.compress(CSV)[:-12], bz2.compress(CSV)[:-5], zipped("t.csv")[:-30]):
        refused(DataInvalid, "t: a compressed file that cannot be unpacked", read_frame, content, "csv", "t")
    monkeypatch.setattr(frames, "MAX_BYTES", 1000)
    refused(DataInvalid, "tables above 1000 are refused", read_frame, gzip.compress(CSV * 1000), "csv", "t")


def test_what_belongs_to_the_file_is_no_column() -> None:
    frame = pd.DataFrame({"a": [5.0, 6.0, 7.0], "b": list("xyx")})
    for content, format in (
        (frame.to_csv().encode(), "csv"),
        (frame.set_axis([1, 2, 3]).to_csv().encode(), "csv"),
        (parquet(pd.read_csv(io.BytesIO(frame.to_csv().encode()))), "parquet"),
        (parquet(frame.loc[[2, 0, 1]]), "parquet"),
        (parquet(frame.assign(key=[3, 1, 2]).set_index("key")), "parquet"),
    ):
        read = read_frame(content, format, "t")  # type: ignore[arg-type]
        assert list(read.columns) == ["a", "b"]
        assert len(read.attrs["notes"]) == 1
    assert read_frame(parquet(frame), "parquet", "t").attrs["notes"] == []
    refused(DataInvalid, "column 1 has no name in the header", read_frame, b",b\n5,1\n5,2\n", "csv", "t")

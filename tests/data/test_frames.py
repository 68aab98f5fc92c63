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
AB = {"a": [1.5, 2.0], "b": ["x", "y"]}


def test_csv_numbers_words_and_gaps() -> None:
    frame = read_frame(CSV, "csv", "t.csv")
    words = {"size": ["1.5", "?", "0.1"], "colour": ["red", "green", "red"], "class": ["yes", "no", "yes"]}
    assert list(frame.columns) == ["size", "colour", "weight", "class"]
    assert frame.drop(columns="weight").to_dict("list") == words
    assert frame["weight"].tolist() == pytest.approx([2.0, -300.0, np.nan], nan_ok=True)


def test_csv_without_header_by_another_delimiter() -> None:
    frame = read_frame(b"1;a\n\n2;b\n", "csv", "t", delimiter=";", header=False)
    assert frame.to_dict("list") == {"1": [1, 2], "2": ["a", "b"]}


@pytest.mark.parametrize("delimiter", ["; ", "\t", "|", ";"])
def test_decimal_commas_delimit_nothing_without_a_header(delimiter: str) -> None:
    rows = "".join(delimiter.join((f"{n},5", f"-{n},25", "x", f"{n},0")) + "\n" for n in range(3))
    frame = read_frame(rows.encode(), "csv", "t", header=False)
    assert frame["2"].tolist() == ["-0,25", "-1,25", "-2,25"]
    assert read_frame(b"1,2;3,x\n2,3;4,y\n", "csv", "t", header=False)["2"].tolist() == ["2;3", "3;4"]


def test_csv_numbers_are_the_nearest_floats() -> None:
    text = ["0.1", "2.675", "1e-320", "123456789.123456789", "0.30000000000000004"]
    frame = read_frame("\n".join(["x,y", *(f"{t},1" for t in text)]).encode(), "csv", "t")
    assert frame["x"].tolist() == [float(t) for t in text]


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (b"PK,y\n1,a\n2,b\n", {"PK": [1, 2], "y": ["a", "b"]}),  # no archive, though one begins so
        (b"a,b\nNone,1\nx,2\n", {"a": ["None", "x"], "b": [1, 2]}),
        (b"a b\n1.5 x\n2  y\n", AB),
        (b" a b \n  1.5 x  \n 2 y\n", AB),
        (b'"a" b\r\n1.5 x \r\n2 "y"\r\n', AB),
        (b"a,b\r1.5,x\r2,y\r", AB),
        (b"sep=;\r\na;b\r\n1.5;x\r\n2;y\r\n", AB),
        (b"SEP=,\na,b\n1.5,x\n2,y\n", AB),
    ],
)
def test_csv_as_it_is_found(content: bytes, table: dict[str, list[object]]) -> None:
    assert read_frame(content, "csv", "t").to_dict("list") == table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with its mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_in_each_encoding_with_each_delimiter(encoding: str, delimiter: str) -> None:
    text = '"a,1;x"DbDc\n1.5DéD2\n2.5DüD3\n'.replace("D", delimiter)
    content = text.encode(encoding.split()[0]) if "mark" not in encoding else b"\xff\xfe" + text.encode("utf-16-le")
    frame = read_frame(content, "csv", "t")
    assert list(frame.columns) == ["a,1;x", "b", "c"]
    assert frame["b"].tolist() == ["é", "ü"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3\n", "row 2 has 1 fields, expected 2"),
        (b"a,a\n1,2\n", "two columns are called 'a'"),
        (
            b"a,b\n1,2,3\n",
            r"row 1 has 3 fields, expected 2; if R wrote it, write it without row names \(row.names = FALSE\)",
        ),
        (b"# by me\na,b,c\n1,2,3\n", r"row 1 has 1 fields, .*; if the first lines are comments \(#\), take them out"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b",b\n5,1\n5,2\n", "column 1 has no name in the header"),
        (b'a,b\n1,"2\n', "not a CSV table: unexpected end of data"),
        (b"a,b\n1,\0\n", "binary content"),
        (b"a,b\n1,\xff\n", "not UTF-8 text"),
        (b"<!DOCTYPE html>\n<html><body>Oops, 1,2</body></html>", "a web page"),
        (b'<?xml version="1.0"?><error/>', "a web page or XML document"),
    ],
)
def test_csv_that_is_none(content: bytes, message: str) -> None:
    assert refused(DataInvalid, message, read_frame, content, "csv", "some.csv").startswith("some.csv: ")


def test_what_is_refused_costs_little_memory() -> None:
    content = b",".join(b"%d" % i for i in range(1_000_000)) + b"\n"
    content += content
    tracemalloc.start()
    refused(DataInvalid, "1000000 columns", read_frame, content, "csv", "wide.csv", header=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(content)


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    content = {"csv": CSV, "arff": ARFF, "parquet": pd.DataFrame({"a": [0.0] * 6}).to_parquet()}[format]
    monkeypatch.setattr(parsing, "MAX_CELLS", 5)
    refused(DataInvalid, "or 5 values are refused", read_frame, content, format, "t")
    monkeypatch.setattr(frames, "MAX_BYTES", 50)
    refused(DataInvalid, "tables above 50 are refused", read_frame, content, format, "t")


def test_arff_columns_by_their_kind() -> None:
    frame = read_frame(ARFF, "arff", "t.arff")
    assert frame["the size"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert frame["colour"].cat.categories.tolist() == ["red", "green", "light blue"]
    words = {"colour": ["red", "light blue"], "name": ["a, b", "c"], "class": ["yes", "no"]}
    assert frame.drop(columns="the size").to_dict("list") == words


def test_arff_in_latin_1() -> None:
    content = "@relation t\n@attribute ort {Köln,Bonn}\n@attribute n real\n@data\nKöln,1\n".encode("latin-1")
    assert read_frame(content, "arff", "t")["ort"].tolist() == ["Köln"]


def test_arff_as_openml_and_weka_write_it() -> None:
    text = (
        "@relation r\r\n@ATTRIBUTE\ta\tnumeric\r\n@attribute 'b c'\treal [0, 10] % a range\r\n"
        "@attribute d {x, 'y z',} % two values\r\n@attribute e date \"yyyy-MM-dd\"\r\n@attribute f{p,q}\r\n"
        "@data % here\r\n1,2,x,'2020-01-05',p\r\n% a comment\r\n?,3,'y z',?,q,\r\n"
    )
    frame = read_frame(text.encode(), "arff", "t")
    assert list(frame.columns) == ["a", "b c", "d", "e", "f"]
    assert frame[["b c", "f"]].to_dict("list") == {"b c": [2, 3], "f": ["p", "q"]}
    assert frame["d"].cat.categories.tolist() == ["x", "y z"]
    assert frame["e"].isna().tolist() == [False, True]
    assert frame.attrs["dates"] == ["e"]


def test_decimals_of_whole_numbers_are_kept() -> None:
    text = b"@relation r\n@attribute a INTEGER\n@attribute b string\n@data\n1.5,'x'\n"
    assert read_frame(text, "arff", "x")["a"].tolist() == [1.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"@attribute a numeric\n@attribute b numeric\n@data\n{0 1, 1 2}\n{1 3}\n", "a sparse ARFF table"),
        (b"@attribute a relational\n@data\n1\n", "attribute 'a': its type 'relational' is none of numeric"),
        (b"@attribute a {x,y}\n@data\nx\nz\n", "row 2, attribute 'a': 'z' is none of the values"),
        (
            b"@attribute a {1,-0.5,?}\n@attribute b {x,1}\n@data\n1,-0.5",
            r"row 1, attribute 'b': '-0\.5' is none of the values",
        ),
        (b"@attribute a {x,y\n@data\nx\n", "attribute 'a': its list of values is not closed"),
        (b"@attribute a numeric\n@data\n1\n1%\n", "row 2, attribute 'a': '1%' is not a number"),
        (b"@attribute a numeric\n@attribute a numeric\n@data\n1,2\n", "two columns are called 'a'"),
        (b"@attribute a numeric\n@data\n1,2\n", "row 1: 2 values, the header declares 1: 1,2"),
        (b"@attribute a numeric {0.5}\n@data\n1\n", "attribute 'a': it has a weight; weights are not read"),
        (b"@attribute a numeric x\n@data\n1\n", "attribute 'a': 'x' after its type"),
        (b"@attribute a numeric\n@data\n1,{5}\n", "row 1: it ends with a weight"),
        (b"@attribute a string\n@data\n'b\n", "row 1: a quote is not closed"),
        (b"@attribute a\n@data\n1\n", "no name and type in '@attribute a'|its type ''"),
        (b"@data\n1\n", "no @ATTRIBUTE in it"),
        (b"@attribute a numeric\n@data\n", "no rows"),
        (b"@attribute a numeric\n@data\n\0\n", "binary content|not a readable ARFF table"),
        (b"@attribute a numeric\n" * 20_001 + b"@data\n", "20001 columns"),
        (b"@attribute a numeric\n", "no @DATA in it"),
    ],
)
def test_arff_that_is_refused(content: bytes, message: str) -> None:
    line = refused(DataInvalid, message, read_frame, b"@relation t\n" + content, "arff", "some.arff")
    assert line.startswith("some.arff: ")


def test_a_web_page_is_no_arff() -> None:
    refused(DataInvalid, "x: a web page", read_frame, b"<html><body>502 Bad Gateway</body></html>", "arff", "x")


def test_parquet() -> None:
    frame = pd.DataFrame({"a": [1.5, None], "b": pd.Categorical(["x", "y"]), "c": ["u", None]})
    read = read_frame(frame.to_parquet(), "parquet", "t")
    assert read["a"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert read["b"].tolist() == ["x", "y"]
    assert read["c"].isna().tolist() == [False, True]


def test_parquet_that_is_refused() -> None:
    nested = pd.DataFrame({"a": [[1, 2], [3]]}).to_parquet()
    refused(DataInvalid, "column 'a' is nested", read_frame, nested, "parquet", "t")
    for junk in (b"", b"PAR1 then nothing of the kind PAR1"):
        refused(DataInvalid, "not a readable Parquet table", read_frame, junk, "parquet", "t")


def test_parquet_of_few_texts_that_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    words = pd.DataFrame({"n": [1.5] * 4000, "t": ["x" * 1000, None] * 2000, "b": [b"u", b"v"] * 2000})
    content = words.to_parquet()
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
    read = read_frame(frame.to_parquet(), "parquet", "t")
    assert [str(kind).lower() for kind in read.dtypes] == ["category", "category", "int64"]
    assert [str(level) for level in read["a"].cat.categories] == ["1", "3"]
    assert read["a"].isna().tolist() == [False, False, True]


def test_formats_by_ending() -> None:
    names = ("a.csv", "http://h/x.ARFF?v=1", "b.pq", "c.d/e.parquet")
    assert [format_of(name) for name in names] == ["csv", "arff", "parquet", "parquet"]
    refused(UsageError, "unknown table format 'xlsx'", format_of, "a.xlsx")
    says = r"does not say which format is compressed; name it like table\.csv\.zip"
    refused(UsageError, says, format_of, "http://h/a.zip")


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
    cannot = "t: a compressed file that cannot be unpacked"
    for content, says in (
        (zipped("a", "b"), f"{cannot}: 2 files in it .a spreadsheet.*save the table as CSV"),
        (zipped(), f"{cannot}: 0 files in it; compress it again"),
        (gzip.compress(CSV)[:-12], cannot),
        (bz2.compress(CSV)[:-5], cannot),
        (zipped("t.csv")[:-30], cannot),
    ):
        refused(DataInvalid, says, read_frame, content, "csv", "t")
    monkeypatch.setattr(frames, "MAX_BYTES", 1000)
    refused(DataInvalid, "tables above 1000 are refused", read_frame, gzip.compress(CSV * 1000), "csv", "t")


def test_what_belongs_to_the_file_is_no_column() -> None:
    frame = pd.DataFrame({"a": [5.0, 6.0, 7.0], "b": list("xyx")})
    tables: list[tuple[bytes, Format]] = [
        (frame.to_csv().encode(), "csv"),
        (frame.set_axis([1, 2, 3]).to_csv().encode(), "csv"),
        (pd.read_csv(io.BytesIO(frame.to_csv().encode())).to_parquet(), "parquet"),
        (frame.loc[[2, 0, 1]].to_parquet(), "parquet"),
        (frame.assign(key=[3, 1, 2]).set_index("key").to_parquet(), "parquet"),
    ]
    for content, format in tables:
        read = read_frame(content, format, "t")
        assert (list(read.columns), len(read.attrs["notes"])) == (["a", "b"], 1)
    assert read_frame(frame.to_parquet(), "parquet", "t").attrs["notes"] == []


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
PIECES = st.lists(st.sampled_from(HEADS + VALUES), max_size=12).map(b"".join)


@given(content=st.one_of(st.binary(max_size=200), PIECES))
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
    assert not said or re.fullmatch("x: [^\\n]+", said)


WORDS = st.sampled_from(
    ["1", "-0.5", "1e-320", " 7", "8 ", "?", "x", "a b", "'x'", '"y"', "nan", "", "0x1", "1_0", "é"]
)
KINDS = st.sampled_from(["numeric", "Integer", "REAL", "{x, 1, 'a b', y}", "{1,-0.5,?}", "string"])


@given(data=st.data(), kinds=st.lists(KINDS, min_size=1, max_size=3), end=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_both_ways_to_read_arff_give_the_same(data: st.DataObject, kinds: list[str], end: str) -> None:
    """pandas' parser, where it is used, reads what the full one does."""
    rows = data.draw(st.lists(st.lists(WORDS, min_size=len(kinds), max_size=len(kinds)), max_size=4))
    header = "".join(f"@attribute c{i} {kind}{end}" for i, kind in enumerate(kinds))
    text = f"@relation r{end}{header}@data{end}" + end.join(",".join(row) for row in rows)

    def read() -> pd.DataFrame | str:
        try:
            return read_frame(text.encode(), "arff", "x")
        except DataInvalid as error:
            return str(error)

    first = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arff, "_plain_rows", lambda *_: None)
        second = read()
    if isinstance(first, str) or isinstance(second, str):
        assert first == second
    else:
        pd.testing.assert_frame_equal(first, second)

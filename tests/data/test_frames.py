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
ARFF = """% a comment
@RELATION things
@attribute 'the size' NUMERIC
@attribute whole INTEGER
@attribute colour {red, grün, 'light blue'}
@attribute name string
@attribute class {no, yes}
@data
1.5,2.5,red,'a, b',yes
?,3,'light blue',c,no
"""
AB = {"a": [1.5, 2.0], "b": ["x", "y"]}


def test_csv_numbers_words_and_gaps() -> None:
    frame = read_frame(CSV, "csv", "t.csv")
    words = {"size": ["1.5", "?", "0.1"], "colour": ["red", "green", "red"], "class": ["yes", "no", "yes"]}
    assert list(frame.columns) == ["size", "colour", "weight", "class"]
    assert frame.drop(columns="weight").to_dict("list") == words
    assert frame["weight"].tolist() == pytest.approx([2.0, -300.0, np.nan], nan_ok=True)


@pytest.mark.parametrize("delimiter", ["; ", "\t", "|", ";"])
def test_decimal_commas_delimit_nothing_without_a_header(delimiter: str) -> None:
    rows = "".join(delimiter.join((f"{n},5", f"-{n},25", "x", f"{n},0")) + "\n" for n in range(3))
    frame = read_frame(rows.encode(), "csv", "t", header=False)
    assert frame["2"].tolist() == ["-0,25", "-1,25", "-2,25"]
    assert read_frame(b"1,2;3,x\n2,3;4,y\n", "csv", "t", header=False)["2"].tolist() == ["2;3", "3;4"]
    given = read_frame(b"1;a\n\n2;b\n", "csv", "t", delimiter=";", header=False)
    assert given.to_dict("list") == {"1": [1, 2], "2": ["a", "b"]}


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
        (b"a,b\n1e-320,0.30000000000000004\n2.675,0.1\n", {"a": [1e-320, 2.675], "b": [0.30000000000000004, 0.1]}),
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


NESTED = pd.DataFrame({"a": [[1, 2], [3]]}).to_parquet()
A = b"@relation t\n@attribute a "


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("csv", b"", "no rows"),
        ("csv", b"a,b\n", "no rows"),
        ("csv", b"a,b\n1,2\n3\n", "row 2 has 1 fields, expected 2"),
        ("csv", b"a,a\n1,2\n", "two columns are called 'a'"),
        ("csv", b"a,b\n1,2,3\n", r"row 1 has 3 fields, expected 2; if R wrote it, .* \(row.names = FALSE\)"),
        ("csv", b"# by me\na,b,c\n1,2,3\n", r"row 1 has 1 fields, .*; if the first lines are comments \(#\), take"),
        ("csv", b"a,\n1,2\n", "column 2 has no name"),
        ("csv", b",b\n5,1\n5,2\n", "column 1 has no name in the header"),
        ("csv", b'a,b\n1,"2\n', "not a CSV table: unexpected end of data"),
        ("csv", b"a,b\n1,\0\n", "binary content"),
        ("csv", b"a,b\n1,\xff\n", "not UTF-8 text"),
        ("csv", b"<!DOCTYPE html>\n<html><body>Oops, 1,2</body></html>", "a web page"),
        ("csv", b'<?xml version="1.0"?><error/>', "a web page or XML document"),
        ("csv", b",".join(b"a%d" % i for i in range(20_001)) + b"\n", "20001 columns"),
        ("arff", b"<html><body>502 Bad Gateway</body></html>", "a web page"),
        ("arff", A + b"numeric\n@data\n{0 1, 1 2}\n{1 3}\n", "a sparse ARFF table"),
        ("arff", A + b"relational\n@data\n1\n", "attribute 'a': its type 'relational' is none of numeric"),
        ("arff", A + b"{x,y}\n@data\nx\nz\n", "row 2, attribute 'a': 'z' is none of the values"),
        ("arff", A + b"{1,?}\n@attribute b {x}\n@data\n1,-0.5", r"row 1, attribute 'b': '-0\.5' is none of the val"),
        ("arff", A + b"{x,y\n@data\nx\n", "attribute 'a': its list of values is not closed"),
        ("arff", A + b"numeric\n@data\n1\n1%\n", "row 2, attribute 'a': '1%' is not a number"),
        ("arff", A + b"numeric\n@attribute a numeric\n@data\n1,2\n", "two columns are called 'a'"),
        ("arff", A + b"numeric\n@data\n1,2\n", "row 1: 2 values, the header declares 1: 1,2"),
        ("arff", A + b"numeric {0.5}\n@data\n1\n", "attribute 'a': it has a weight; weights are not read"),
        ("arff", A + b"numeric x\n@data\n1\n", "attribute 'a': 'x' after its type"),
        ("arff", A + b"numeric\n@data\n1,{5}\n", "row 1: it ends with a weight"),
        ("arff", A + b"string\n@data\n'b\n", "row 1: a quote is not closed"),
        ("arff", A + b"\n@data\n1\n", "no name and type in '@attribute a'|its type ''"),
        ("arff", b"@relation t\n@data\n1\n", "no @ATTRIBUTE in it"),
        ("arff", A + b"numeric\n@data\n", "no rows"),
        ("arff", A + b"numeric\n@data\n\0\n", "binary content"),
        ("arff", b"@attribute a numeric\n" * 20_001 + b"@data\n", "20001 columns"),
        ("arff", A + b"numeric\n", "no @DATA in it"),
        ("parquet", NESTED, "column 'a' is nested"),
        ("parquet", b"", "not a readable Parquet table"),
        ("parquet", b"PAR1 then nothing of the kind PAR1", "not a readable Parquet table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_such_table_is_refused(format: Format, content: bytes, message: str) -> None:
    assert refused(DataInvalid, message, read_frame, content, format, "some.file").startswith("some.file: ")


@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    content = {"csv": CSV, "arff": ARFF.encode(), "parquet": pd.DataFrame({"a": [0.0] * 6}).to_parquet()}[format]
    monkeypatch.setattr(parsing, "MAX_CELLS", 5)
    refused(DataInvalid, "or 5 values are refused", read_frame, content, format, "t")
    monkeypatch.setattr(frames, "MAX_BYTES", 50)
    refused(DataInvalid, "tables above 50 are refused", read_frame, content, format, "t")


def test_what_is_refused_costs_little_memory() -> None:
    content = (b",".join(b"%d" % i for i in range(100_000)) + b"\n") * 2
    tracemalloc.start()
    refused(DataInvalid, "100000 columns", read_frame, content, "csv", "wide.csv", header=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(content)


def test_arff_columns_by_their_kind() -> None:
    frame = read_frame(ARFF.encode("latin-1"), "arff", "t.arff")
    assert frame["the size"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert frame["whole"].tolist() == [2.5, 3.0]
    assert frame["colour"].cat.categories.tolist() == ["red", "grün", "light blue"]
    words = {"colour": ["red", "light blue"], "name": ["a, b", "c"], "class": ["yes", "no"]}
    assert frame.drop(columns=["the size", "whole"]).to_dict("list") == words


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


def test_parquet_of_few_texts_that_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    words = pd.DataFrame({"n": [1.5] * 4000, "t": ["x" * 1000, None] * 2000, "b": [b"u", b"v"] * 2000})
    content = words.to_parquet()
    assert len(content) < 20_000
    pd.testing.assert_frame_equal(read_frame(content, "parquet", "t"), words, check_dtype=False)
    for most, says in (
        (1_000_000, "column 't': more than 1000000 bytes of text; refused"),
        (1000, "bytes unpacked; tables above 1000 are refused"),
    ):
        monkeypatch.setattr(frames, "MAX_UNPACKED_BYTES", most)
        refused(DataInvalid, says, read_frame, content, "parquet", "t")


def test_parquet_by_the_kind_of_its_columns() -> None:
    """Of categories Arrow keeps numbers as numbers; that they are levels stands in pandas' account of them."""
    levels, words = pd.Categorical([3, 1, None]), pd.Categorical(["v", "u", "v"])
    frame = pd.DataFrame({"a": levels, "b": words, "c": [3, 1, 2], "d": [1.5, None, 2], "e": ["u", None, "v"]})
    read = read_frame(frame.to_parquet(), "parquet", "t")
    assert [str(kind).lower() for kind in read.dtypes[:4]] == ["category", "category", "int64", "float64"]
    assert [str(level) for level in read["a"].cat.categories] == ["1", "3"]
    assert read["a"].isna().tolist() == [False, False, True]
    assert read["b"].tolist() == ["v", "u", "v"]
    assert read[["d", "e"]].isna().to_numpy().tolist() == [[False, False], [True, True], [False, False]]
    assert read["d"].dropna().tolist() == [1.5, 2]


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


HEADS = [A + b"numeric\n", b"@attribute b {x,y}\n", b"@attribute '", b"@data\n", b"a,b\n", b"PAR1"]
VALUES = [b"1,x\n", b"{0 1}\n", b"{", b"}", b"'", b'"', b"\\", b"%", b",", b"\n", b"\r", b"\xff", b"\0", b"?", b"1e999"]
PIECES = st.lists(st.sampled_from(HEADS + VALUES), max_size=12).map(b"".join)


@given(content=st.one_of(st.binary(max_size=200), PIECES))
@pytest.mark.parametrize("format", ["csv", "arff", "parquet"])
def test_any_bytes_are_a_table_or_one_line(format: Format, content: bytes) -> None:
    try:
        frame = read_frame(content, format, "x")
    except DataInvalid as error:
        assert re.fullmatch("x: [^\\n]+", str(error))  # noqa: PT017
    else:
        assert len(frame) > 0
        assert len(set(frame.columns)) == frame.shape[1] > 0


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

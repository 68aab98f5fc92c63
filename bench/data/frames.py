"""Tables of mixed columns from CSV, ARFF or Parquet: bytes that nobody has to trust in, a bounded data frame out.

Columns that are all numbers become numeric, declared categories categorical; all other cells stay the texts they are.
What the columns mean as features is decided in :mod:`bench.data.columns`. ``attrs["notes"]`` tells what was left
out as the container's own.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from bench.data.arff import read_arff
from bench.data.parsing import MAX_COLUMNS, check_names, exact_numbers, foreign, refuse_large, text_of
from bench.errors import DataInvalid, UsageError, one_line, unknown_name

if TYPE_CHECKING:
    import pandas as pd

Format: TypeAlias = Literal["csv", "arff", "parquet"]

MAX_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 4 << 30
"""Of a Parquet table, as it declares itself, and of the texts in it: what repeats takes next to no room in a file."""

DELIMITERS = ",;\t|"
PACKED = {"gz", "bz2", "xz", "zip"}


def format_of(location: str) -> Format:
    """The format by the ending of a path or URL, ``.gz`` and the like aside. Raises :class:`UsageError` for another."""
    *rest, before, ending = ["", *location.rsplit("?", 1)[0].lower().rsplit("/", 1)[-1].rsplit(".", 2)]
    if ending in PACKED and len(rest) < 2:
        raise UsageError(f"the name does not say which format is compressed; name it like table.csv.{ending}")
    ending = before if ending in PACKED else ending
    known: dict[str, Format] = dict.fromkeys(("csv", "tsv", "tab", "txt", "data"), "csv")
    known |= {"arff": "arff", "parquet": "parquet", "pq": "parquet"}
    if ending not in known:
        raise unknown_name("table format", ending, get_args(Format))
    return known[ending]


def read_frame(
    content: bytes,
    format: Format,
    where: str,
    *,
    delimiter: str = "",
    header: bool = True,
    texts: Collection[str] = (),
) -> pd.DataFrame:
    """The table in ``content``, packed or not, as a data frame with unique text column names, in the file's row order.

    The rest is for CSV: ``delimiter`` (else the one of ``, ; tab |`` that gives the first line most fields);
    ``header``, without which columns are called ``1``, ``2``, ...; and the columns whose cells are to stay ``texts``.
    An empty cell is missing; which other texts are is decided in :mod:`bench.data.columns`.

    Raises :class:`DataInvalid`, in one line that names ``where``, for anything but a dense rectangular table within
    :data:`MAX_BYTES` and the limits of :mod:`bench.data.parsing`.
    """
    content = _unpacked(content, where)
    if len(content) > MAX_BYTES:
        raise DataInvalid(f"{where}: {len(content)} bytes; tables above {MAX_BYTES} are refused")
    if format == "csv":
        frame = _read_csv(content, where, delimiter, header, texts)
    else:
        frame = read_arff(content, where) if format == "arff" else _read_parquet(content, where)
    return _without_row_numbers(frame, where)


def _unpacked(content: bytes, where: str) -> bytes:
    """``content``, without gzip, bzip2, xz or zip around it."""
    openers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open, b"PK\x03\x04": _only_member}
    openers[b"PK\x05\x06"] = _only_member  # an empty archive; PK alone may be the name of a column
    if content[4:10] == b"1AY&SY":
        openers[b"BZh"] = bz2.open
    for beginning, opener in openers.items():
        if content.startswith(beginning):
            try:
                with opener(io.BytesIO(content)) as file:
                    return bytes(file.read(MAX_BYTES + 1))
            except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
                raise DataInvalid(f"{where}: a compressed file that cannot be unpacked: {one_line(error)}") from error
    return content


def _only_member(file: io.BytesIO) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        hint = (
            " (a spreadsheet?); save the table as CSV, or unpack the one you mean" if names else "; compress it again"
        )
        raise OSError(f"{len(names)} files in it{hint}")
    return archive.open(names[0])


def _without_row_numbers(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """``frame`` without a first column that has no name and counts the rows."""
    notes = frame.attrs.get("notes", [])
    name = str(frame.columns[0])
    if frame.shape[1] > 1 and name.strip() in ("", "Unnamed: 0"):
        column = frame.iloc[:, 0]
        if column.dtype.kind in "iuf" and any(np.array_equal(column, np.arange(len(frame)) + k) for k in (0, 1)):
            frame = frame.iloc[:, 1:]
            notes = [*notes, "the first column has no name and counts the rows: left out"]
    check_names([str(name) for name in frame.columns], where)
    frame.attrs["notes"] = notes
    return frame


def _read_csv(content: bytes, where: str, delimiter: str, header: bool, texts: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    text = text_of(content, where)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if said := re.match(r"sep=(.)\r?\n", text, re.IGNORECASE):  # as spreadsheets write it above the header
        text, delimiter = text[said.end() :], delimiter or said[1]
    separator = delimiter or _delimiter(text)
    if separator == " ":
        text = re.sub(r" +(?=\r?$)", "", text, flags=re.MULTILINE)
    names, rows = _survey(text, where, separator, header)
    refuse_large(rows, len(names), where)

    def read(**more: Any) -> pd.DataFrame:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=0 if header else None,
            names=names,
            index_col=False,
            na_values=[""],
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=True,
            low_memory=False,
            **more,
            **exact_numbers(),
        )

    with foreign(where, "CSV"):
        frame = read(dtype=dict.fromkeys(set(texts) & set(names), str))
        # Whole numbers with gaps or a decimal point are read as floats: beyond 2^53 not the numbers that stand there.
        floats = frame.select_dtypes("float64")
        rounded = [str(name) for name in floats if (floats[name].abs() >= 2**53).any()]
        return frame.assign(**read(dtype=str, usecols=rounded)) if rounded else frame


def _delimiter(text: str) -> str:
    """The character that splits the first line with anything on it into most fields; a blank if no other does.

    Without a header the line may have decimal commas: where all commas are between digits and another of the characters
    is there, the comma is not the one.
    """
    first = re.sub('"[^"]*"', "_", next((line for line in io.StringIO(text) if line.strip()), "")).strip()
    without = re.sub(r"(?<=\d),(?=\d)", "", first)
    if "," not in without and any(character in without for character in DELIMITERS):
        first = without
    found = max(DELIMITERS, key=first.count)
    return " " if found not in first and " " in first else found


def _survey(text: str, where: str, delimiter: str, header: bool) -> tuple[list[str], int]:
    """(column names, number of rows) of a CSV whose lines all have as many fields.

    pandas pads short lines with missing values; a damaged file would pass for a table with gaps.
    """
    rows = width = 0
    names: list[str] = []
    try:
        for fields in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True):
            if not "".join(fields).strip() and len(fields) <= 1:  # an empty line
                continue
            if not width:
                width = len(fields)
                if width > MAX_COLUMNS:
                    raise DataInvalid(f"{where}: {width} columns; tables with more than {MAX_COLUMNS} are refused")
                if header:
                    names = [name.strip() for name in fields]
                    continue
                names = [str(number) for number in range(1, width + 1)]
            rows += 1
            if len(fields) != width:
                hint = _hint(text, rows, len(fields) - width)
                raise DataInvalid(f"{where}: row {rows} has {len(fields)} fields, expected {width}{hint}")
    except csv.Error as error:
        raise DataInvalid(f"{where}: not a CSV table: {error} (near row {rows + 1})") from error
    if rows == 0:
        raise DataInvalid(f"{where}: no rows")
    check_names(names if names[0] else names[1:], where)
    return names, rows


def _hint(text: str, row: int, more: int) -> str:
    """What may be wrong with a table whose ``row`` has so many ``more`` fields than its header."""
    if row == 1 and text.lstrip().startswith("#"):
        return "; if the first lines are comments (#), take them out"
    if row == 1 and more == 1:
        return "; if R wrote it, write it without row names (row.names = FALSE)"
    return ""


def _read_parquet(content: bytes, where: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    with foreign(where, "Parquet"):
        file = parquet.ParquetFile(io.BytesIO(content))
        names = [str(name) for name in file.schema_arrow.names]
        refuse_large(file.metadata.num_rows, len(names), where)
        if file.metadata.num_rows == 0:
            raise DataInvalid(f"{where}: no rows")
        nested = [field.name for field in file.schema_arrow if field.type.num_fields > 0]
        if nested:
            raise DataInvalid(f"{where}: column {nested[0]!r} is nested; only plain columns are read")
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        if (unpacked := sum(group.total_byte_size for group in groups)) > MAX_UNPACKED_BYTES:
            raise DataInvalid(f"{where}: {unpacked} bytes unpacked; tables above {MAX_UNPACKED_BYTES} are refused")
        kinds = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # else floats where there are gaps
        table = _bounded_texts(content, where)
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, split_blocks=True, types_mapper=kinds.get)
        said = table.schema.pandas_metadata or {}
        # Arrow restores categories that are texts; of numbers only this tells that they are levels.
        declared = [about.get("name") for about in said.get("columns", []) if about.get("pandas_type") == "categorical"]
        frame = frame.astype({name: "category" for name in declared if name in names and names.count(name) == 1})
        index = [name for name in said.get("index_columns", []) if name in names]
        frame = frame.drop(columns=index)
        frame.attrs["notes"] = (
            [f"pandas' index is no column of the table: {', '.join(index)} left out"] if index else []
        )
        return frame


def _bounded_texts(content: bytes, where: str) -> Any:
    """The Arrow table in ``content``; texts are read as a dictionary of them, and spelt out if that is not much."""
    import pyarrow as pa
    from pyarrow import compute as pc
    from pyarrow import parquet

    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    schema = parquet.ParquetFile(io.BytesIO(content)).schema_arrow
    texts = [(number, field) for number, field in enumerate(schema) if any(kind(field.type) for kind in kinds)]
    table = parquet.ParquetFile(io.BytesIO(content), read_dictionary=[field.name for _, field in texts]).read()
    size = 0
    for number, field in texts:
        column = table.column(number)
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                lengths = pc.take(pc.binary_length(chunk.dictionary), chunk.indices)
                size += pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0
        if size > MAX_UNPACKED_BYTES:
            raise DataInvalid(f"{where}: column {field.name!r}: more than {MAX_UNPACKED_BYTES} bytes of text; refused")
    for number, field in texts:
        table = table.set_column(number, field, table.column(number).cast(field.type))
    return table

"""Tables of mixed columns from CSV, ARFF or Parquet: bytes that nobody has to trust in, a bounded data frame out.

Numbers become float64 columns, declared or spelt-out categories categorical or text ones, what is missing NaN. What the
columns mean as features is decided in :mod:`bench.data.columns`.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from bench.data.arff import read_arff
from bench.data.parsing import MAX_COLUMNS, check_names, exact_numbers, foreign, library, refuse_large, text_of
from bench.errors import DataInvalid, unknown_name

if TYPE_CHECKING:
    import pandas as pd

Format: TypeAlias = Literal["csv", "arff", "parquet"]

MAX_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 4 << 30
"""Of a Parquet table, as it declares itself, and of the texts in it: what repeats takes next to no room in a file."""

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""What stands for a missing value in a CSV (``None`` is a category: many tables have it as one)."""


def format_of(location: str) -> Format:
    """The format by the ending of a path or URL. Raises :class:`UsageError` for another ending."""
    ending = location.rsplit("?", 1)[0].rsplit(".", 1)[-1].lower()
    known: dict[str, Format] = {"csv": "csv", "data": "csv", "arff": "arff", "parquet": "parquet", "pq": "parquet"}
    if ending not in known:
        raise unknown_name("table format", ending, get_args(Format))
    return known[ending]


def read_frame(
    content: bytes, format: Format, where: str, *, delimiter: str = ",", header: bool = True
) -> pd.DataFrame:
    """The table in ``content`` as a data frame with unique text column names, in the file's row order.

    ``delimiter`` and ``header`` are for CSV; without a header columns are called ``1``, ``2``, ... Raises
    :class:`DataInvalid`, in one line that names ``where``, for anything but a dense rectangular table within
    :data:`MAX_BYTES` and the limits of :mod:`bench.data.parsing`, and :class:`SourceError` if the package that reads
    the format is not installed.
    """
    if len(content) > MAX_BYTES:
        raise DataInvalid(f"{where}: {len(content)} bytes; tables above {MAX_BYTES} are refused")
    if format == "csv":
        return _read_csv(content, where, delimiter, header)
    if format == "arff":
        return read_arff(content, where)
    return _read_parquet(content, where)


def _read_csv(content: bytes, where: str, delimiter: str, header: bool) -> pd.DataFrame:
    import pandas as pd

    text = text_of(content, where)
    names, rows = _survey(text, where, delimiter, header)
    refuse_large(rows, len(names), where)
    with foreign(where, "CSV"):
        return pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=0 if header else None,
            names=names,
            index_col=False,
            na_values=list(MISSING),
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=True,
            low_memory=False,
            **exact_numbers(),
        )


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
                raise DataInvalid(f"{where}: row {rows} has {len(fields)} fields, expected {width}")
    except csv.Error as error:
        raise DataInvalid(f"{where}: not a CSV table: {error} (near row {rows + 1})") from error
    if rows == 0:
        raise DataInvalid(f"{where}: no rows")
    check_names(names, where)
    return names, rows


def _read_parquet(content: bytes, where: str) -> pd.DataFrame:
    parquet = library("pyarrow.parquet", "parquet", where)
    with foreign(where, "Parquet"):
        file = parquet.ParquetFile(io.BytesIO(content))
        names = [str(name) for name in file.schema_arrow.names]
        refuse_large(file.metadata.num_rows, len(names), where)
        if file.metadata.num_rows == 0:
            raise DataInvalid(f"{where}: no rows")
        check_names(names, where)
        nested = [field.name for field in file.schema_arrow if field.type.num_fields > 0]
        if nested:
            raise DataInvalid(f"{where}: column {nested[0]!r} is nested; only plain columns are read")
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        if (unpacked := sum(group.total_byte_size for group in groups)) > MAX_UNPACKED_BYTES:
            raise DataInvalid(f"{where}: {unpacked} bytes unpacked; tables above {MAX_UNPACKED_BYTES} are refused")
        frame: pd.DataFrame = _bounded_texts(content, where).to_pandas(ignore_metadata=True, split_blocks=True)
        return frame


def _bounded_texts(content: bytes, where: str) -> Any:
    """The Arrow table in ``content``; texts are read as a dictionary of them, and spelt out if that is not much."""
    pa, pc, parquet = (library(f"pyarrow{part}", "parquet", where) for part in ("", ".compute", ".parquet"))
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

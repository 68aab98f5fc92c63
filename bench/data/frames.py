"""Tables of mixed columns from CSV, ARFF or Parquet: bytes that nobody has to trust in, a bounded data frame out.

Numbers become float64 columns, declared or spelt-out categories categorical or text ones, what is missing NaN. What the
columns mean as features is decided in :mod:`bench.data.columns`.
"""

from __future__ import annotations

import csv
import io
import itertools
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from bench.errors import DataInvalid, SourceError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

Format: TypeAlias = Literal["csv", "arff", "parquet"]

MAX_BYTES = 1 << 30
MAX_COLUMNS = 20_000
MAX_CELLS = 200_000_000
"""Rows times columns; as float64 this is 1.6 GB."""

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
    :data:`MAX_BYTES`, :data:`MAX_COLUMNS` and :data:`MAX_CELLS`, and :class:`SourceError` if the package that reads
    the format is not installed.
    """
    if len(content) > MAX_BYTES:
        raise DataInvalid(f"{where}: {len(content)} bytes; tables above {MAX_BYTES} are refused")
    if format == "csv":
        return _read_csv(content, where, delimiter, header)
    if format == "arff":
        return _read_arff(content, where)
    return _read_parquet(content, where)


def _read_csv(content: bytes, where: str, delimiter: str, header: bool) -> pd.DataFrame:
    import pandas as pd

    text = _text(content, where)
    names, rows = _survey(text, where, delimiter, header)
    _refuse_large(rows, len(names), where)
    with _foreign(where, "CSV"):
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
            float_precision="round_trip",
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
    _check_names(names, where)
    return names, rows


def _read_arff(content: bytes, where: str) -> pd.DataFrame:
    import pandas as pd

    arff = _library("arff", "arff", where)
    try:
        text = _text(content, where)
    except DataInvalid:
        text = content.decode("latin-1")  # OpenML has tables in both; only the identity of a category is at stake
    declared = sum(line.lstrip()[:10].lower() == "@attribute" for line in io.StringIO(text))
    if declared > MAX_COLUMNS:
        raise DataInvalid(f"{where}: {declared} columns; tables with more than {MAX_COLUMNS} are refused")
    with _foreign(where, "ARFF"):
        document = arff.load(_dense_lines(text, where), return_type=arff.DENSE_GEN)
        attributes: list[tuple[str, Any]] = document["attributes"]
        columns = _columns(document["data"], len(attributes), where)
    _check_names([name for name, _ in attributes], where)
    if not columns[0]:
        raise DataInvalid(f"{where}: no rows")
    frame = {}
    for (name, kind), values in zip(attributes, columns, strict=True):
        if isinstance(kind, list):
            frame[name] = pd.Series(pd.Categorical(values, categories=list(dict.fromkeys(kind))))
        elif kind == "STRING":
            frame[name] = pd.Series(values, dtype="object")
        else:
            frame[name] = pd.Series(values, dtype="float64")
    return pd.DataFrame(frame)


def _dense_lines(text: str, where: str) -> Iterator[str]:
    """The lines of an ARFF file, refused where its data turns out sparse: the parser would fill it up with zeros."""
    data = False
    for line in io.StringIO(text):
        start = line.lstrip()[:5].lower()
        if data and start.startswith("{"):
            raise DataInvalid(f"{where}: a sparse ARFF table; only dense tables are read")
        data = data or start == "@data"
        yield line


def _columns(rows: Iterable[list[Any]], width: int, where: str) -> list[list[Any]]:
    """The values column by column, taken in blocks of rows: never all of them twice in memory."""
    columns: list[list[Any]] = [[] for _ in range(width)]
    iterator = iter(rows)
    while block := list(itertools.islice(iterator, 4096)):
        for column, values in zip(columns, zip(*block, strict=True), strict=True):
            column.extend(values)
        _refuse_large(len(columns[0]), width, where)
    return columns


def _read_parquet(content: bytes, where: str) -> pd.DataFrame:
    parquet = _library("pyarrow.parquet", "parquet", where)
    with _foreign(where, "Parquet"):
        file = parquet.ParquetFile(io.BytesIO(content))
        names = [str(name) for name in file.schema_arrow.names]
        _refuse_large(file.metadata.num_rows, len(names), where)
        if file.metadata.num_rows == 0:
            raise DataInvalid(f"{where}: no rows")
        _check_names(names, where)
        nested = [field.name for field in file.schema_arrow if field.type.num_fields > 0]
        if nested:
            raise DataInvalid(f"{where}: column {nested[0]!r} is nested; only plain columns are read")
        frame: pd.DataFrame = file.read().to_pandas(ignore_metadata=True, split_blocks=True)
        return frame


def _text(content: bytes, where: str) -> str:
    if b"\0" in content:
        raise DataInvalid(
            f"{where}: binary content (a zero byte after {content.index(0)} bytes), expected a text table"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataInvalid(f"{where}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if text[:512].lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise DataInvalid(f"{where}: a web page or XML document, not a table")
    return text


def _check_names(names: list[str], where: str) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise DataInvalid(f"{where}: column {number} has no name in the header")
        if name in seen:
            raise DataInvalid(f"{where}: two columns are called {name!r}")
        seen.add(name)


def _refuse_large(rows: int, columns: int, where: str) -> None:
    if columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise DataInvalid(
            f"{where}: {rows} rows of {columns} columns; tables above {MAX_COLUMNS} columns or {MAX_CELLS} values are "
            "refused"
        )


def _library(module: str, extra: str, where: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(f"{where}: reading it needs a further package: pip install 'rfmbench[{extra}]'") from error


@contextmanager
def _foreign(where: str, kind: str) -> Iterator[None]:
    """Whatever a foreign parser raises on foreign bytes becomes one line about the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DataInvalid, SourceError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise DataInvalid(f"{where}: not a readable {kind} table: {text or type(error).__name__}") from error

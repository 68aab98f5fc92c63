"""Dense ARFF tables, as data frames.

liac-arff reads the header, and the rows of any table that quotes, escapes or comments. Rows of plain numbers and words,
as nearly all large tables have them, go through pandas' parser, which gives the same at a fifth of the cost.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.parsing import MAX_COLUMNS, check_names, exact_numbers, foreign, library, refuse_large, text_of
from bench.errors import DataInvalid

if TYPE_CHECKING:
    import pandas as pd

Attribute = tuple[str, Any]
"""Name, and ``NUMERIC``, ``REAL``, ``STRING`` or the list of a category's levels."""

_DATA = re.compile(r"^[ \t]*@data\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
_INTEGER = re.compile(r"\binteger[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_SPECIAL = re.compile(r"['\"\\\\%{}\t]")


def read_arff(content: bytes, where: str) -> pd.DataFrame:
    """The table in ``content``: numbers as float64, categories as such with their declared levels, strings as objects.

    Raises :class:`DataInvalid` for sparse tables (the parser would fill them up with zeros), dates and relations, and
    for anything that is no ARFF; :class:`SourceError` if liac-arff is not installed.
    """
    arff = library("arff", "arff", where)
    # OpenML has tables in UTF-8 and in Latin-1; only the names of levels are at stake.
    text = text_of(content, where, otherwise="latin-1")
    with foreign(where, "ARFF"):
        header, rows = _halves(text, where)
        attributes = arff.loads(f"{header}@DATA\n", return_type=arff.DENSE_GEN)["attributes"]
        check_names([name for name, _ in attributes], where)
        frame = _plain_rows(rows, attributes, where)
        if frame is None:
            document = arff.load(_lines(header, rows, where), return_type=arff.DENSE_GEN)
            frame = _frame(_columns(document["data"], attributes, where), attributes)
    if frame.empty:
        raise DataInvalid(f"{where}: no rows")
    return frame


def _halves(text: str, where: str) -> tuple[str, str]:
    """(header, rows). Whole numbers are declared real: the parser would cut their decimals off."""
    found = _DATA.search(text)
    if found is None:
        raise DataInvalid(f"{where}: not a readable ARFF table: no @DATA in it")
    header = _INTEGER.sub("REAL", text[: found.start()])
    declared = sum(line.lstrip()[:10].lower() == "@attribute" for line in header.splitlines())
    if declared > MAX_COLUMNS:
        raise DataInvalid(f"{where}: {declared} columns; tables with more than {MAX_COLUMNS} are refused")
    return header, text[found.end() :]


def _lines(header: str, rows: str, where: str) -> Iterator[str]:
    yield from header.splitlines(keepends=True)
    yield "@DATA\n"
    for line in io.StringIO(rows):
        if line.lstrip().startswith("{"):
            raise DataInvalid(f"{where}: a sparse ARFF table; only dense tables are read")
        yield line


def _plain_rows(rows: str, attributes: list[Attribute], where: str) -> pd.DataFrame | None:
    """The rows by pandas' parser, or None where it might read something else than liac-arff does."""
    import pandas as pd

    if _SPECIAL.search(rows) or any(
        kind == "STRING" or (isinstance(kind, list) and None in kind) for _, kind in attributes
    ):
        return None
    lines = [line for line in rows.replace("\r\n", "\n").split("\n") if line.strip()]
    if not lines or "\r" in rows.replace("\r\n", "") or {line.count(",") for line in lines} != {len(attributes) - 1}:
        return None
    refuse_large(len(lines), len(attributes), where)
    nominal = [number for number, (_, kind) in enumerate(attributes) if isinstance(kind, list)]
    kinds = dict.fromkeys(range(len(attributes)), "float64") | dict.fromkeys(nominal, "str")
    try:
        frame = pd.read_csv(
            io.StringIO("\n".join(lines)),
            header=None,
            dtype=kinds,
            na_values=["?"],
            keep_default_na=False,
            skipinitialspace=True,
            **exact_numbers(),
        )
    except ValueError:
        return None
    for number in nominal:
        levels = list(dict.fromkeys(attributes[number][1]))
        if not set(frame[number].dropna()) <= set(levels):
            return None
        frame[number] = pd.Categorical(frame[number], categories=levels)
    return frame.set_axis([name for name, _ in attributes], axis=1)


def _columns(rows: Iterable[list[Any]], attributes: list[Attribute], where: str) -> list[list[Any]]:
    """Per column the parts of it from successive blocks of rows: numbers, positions in the levels, or texts."""
    parts: list[list[Any]] = [[] for _ in attributes]
    positions = [
        {level: number for number, level in enumerate(dict.fromkeys(kind))} if isinstance(kind, list) else {}
        for _, kind in attributes
    ]
    iterator = iter(rows)
    count = 0
    while block := list(itertools.islice(iterator, 4096)):
        count += len(block)
        refuse_large(count, len(attributes), where)
        for column, levels, (_, kind), values in zip(
            parts, positions, attributes, zip(*block, strict=True), strict=True
        ):
            if isinstance(kind, list):
                column.append(np.array([-1 if value is None else levels[value] for value in values], dtype=np.int32))
            elif kind == "STRING":
                column.append(np.array(values, dtype=object))
            else:
                column.append(np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    return parts


def _frame(parts: list[list[Any]], attributes: list[Attribute]) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {}
    for (name, kind), part in zip(attributes, parts, strict=True):
        values = np.concatenate(part) if part else np.zeros(0)
        if isinstance(kind, list):
            levels = list(dict.fromkeys(kind))
            columns[name] = pd.Series(
                pd.Categorical.from_codes(values.astype(np.int32), dtype=pd.CategoricalDtype(levels))
            )
        else:
            columns[name] = pd.Series(values)
    return pd.DataFrame(columns)

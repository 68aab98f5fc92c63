"""What the readers of CSV, ARFF and Parquet share: limits on size, decoding, and one-line errors that name the file."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.errors import DataInvalid, one_line

MAX_COLUMNS = 20_000
MAX_CELLS = 200_000_000
"""Rows times columns; as float64 this is 1.6 GB."""


def text_of(content: bytes, where: str, otherwise: str = "") -> str:
    """``content`` as text: UTF-8, UTF-16 with its mark, or what it is taken for ``otherwise``; :class:`DataInvalid`."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in content and not marked:
        raise DataInvalid(
            f"{where}: binary content (a zero byte after {content.index(0)} bytes), expected a text table; "
            "if it is text in UTF-16, save it as UTF-8"
        )
    try:
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        if otherwise and not marked:
            return content.decode(otherwise)
        raise DataInvalid(
            f"{where}: not {'UTF-16' if marked else 'UTF-8'} text (byte {error.start}); save it as UTF-8"
        ) from error
    if text[:512].lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise DataInvalid(f"{where}: a web page or XML document, not a table")
    return text


def check_names(names: list[str], where: str) -> None:
    """Refuse columns without a name and those of one name."""
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise DataInvalid(f"{where}: column {number} has no name in the header")
        if name in seen:
            raise DataInvalid(f"{where}: two columns are called {name!r}")
        seen.add(name)


def refuse_large(rows: int, columns: int, where: str) -> None:
    """Refuse what exceeds :data:`MAX_COLUMNS` or :data:`MAX_CELLS`."""
    if columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise DataInvalid(
            f"{where}: {rows} rows of {columns} columns; tables above {MAX_COLUMNS} columns or {MAX_CELLS} values are "
            "refused"
        )


@contextmanager
def foreign(where: str, kind: str) -> Iterator[None]:
    """Whatever a foreign parser raises on foreign bytes becomes one line about the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataInvalid:
        raise
    except Exception as error:
        text = one_line(error, limit=200)
        raise DataInvalid(f"{where}: not a readable {kind} table: {text or type(error).__name__}") from error


def exact_numbers() -> dict[str, Any]:
    """Arguments with which pandas' parser gives the nearest float64; its default does so from version 4 on."""
    import pandas as pd

    return {"float_precision": "round_trip"} if int(pd.__version__.partition(".")[0]) < 4 else {}

"""Tables of pixels, an image a row and one column of classes, from Parquet or ARFF into bytes, row by row."""

from __future__ import annotations

import re
import warnings
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, one_line

ROWS, COLUMNS = 250, 256
"""Read at a time of an ARFF table, and of a Parquet table, which is stored column by column."""
CLASS_NAMES = ("class", "target", "label", "y")
_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s*(.*)""", re.IGNORECASE)


def read_pixels(path: Path, rows: int, pixels: int) -> tuple[NDArray[np.uint8], list[str]]:
    """(rows, pixels) values from 0 to 255 and the classes as they are written.

    Raises :class:`DataInvalid`, naming the file, for anything but a table of so many rows with ``pixels`` columns of
    such values and one of classes.
    """
    table = np.empty((rows, pixels), dtype=np.uint8)
    try:
        classes = (_read_parquet if path.suffix == ".pq" else _read_arff)(path, table)
    except (OSError, UnicodeDecodeError) as error:
        raise DataInvalid(f"{path}: cannot be read: {one_line(error)}; get it anew") from error
    _check_rows(path, len(classes), rows)
    return table, classes


def _read_parquet(path: Path, table: NDArray[np.uint8]) -> list[str]:
    """Fill ``table``, some columns at a time: all of them at once, as numbers of 8 bytes, would take gigabytes."""
    import pyarrow as pa
    from pyarrow import parquet

    rows, pixels = table.shape
    try:
        with parquet.ParquetFile(path) as file:
            names = [str(name) for name in file.schema_arrow.names]
            target = names.pop(_target(path, names, [], pixels))
            _check_rows(path, file.metadata.num_rows, rows)
            for start in range(0, pixels, COLUMNS):
                some = file.read(columns=names[start : start + COLUMNS])
                values = np.stack([some.column(name).to_numpy() for name in names[start : start + COLUMNS]], axis=1)
                table[:, start : start + COLUMNS] = _bytes(path, values.astype(np.float64))
            return [str(value) for value in file.read(columns=[target]).column(target).to_pylist()]
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataInvalid(f"{path}: not a readable Parquet table of pixels: {one_line(error)}; get it anew") from error


def _read_arff(path: Path, table: NDArray[np.uint8]) -> list[str]:
    """Fill ``table``, some rows at a time."""
    pixels = table.shape[1]
    classes = list[str]()
    with path.open(encoding="utf-8") as file:
        names, types = _header(file, path)
        target = _target(path, names, [number for number, kind in enumerate(types) if kind.startswith("{")], pixels)
        lines = (line.strip() for line in file if line.strip() and not line.startswith("%"))
        while some := list(islice(lines, ROWS)):
            values, before = np.empty((len(some), pixels)), len(classes)
            for number, line in enumerate(some):
                row, word = _row(line, target, pixels)
                if len(row) != pixels:
                    raise DataInvalid(
                        f"{path}: row {before + number + 1}: {len(row)} numbers before it ends or has something else "
                        f"({one_line(line, 40)!r} ...), expected {pixels} and a class; get it anew"
                    )
                values[number] = row
                classes.append(word)
            room = table[before : len(classes)]
            room[:] = _bytes(path, values)[: len(room)]
    return classes


def _bytes(path: Path, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    if not ((values == np.rint(values)) & (values >= 0) & (values <= 255)).all():
        raise DataInvalid(
            f"{path}: values from {np.nanmin(values):g} to {np.nanmax(values):g}, expected whole numbers from 0 to "
            "255, and none missing"
        )
    return values.astype(np.uint8)


def _check_rows(path: Path, found: int, expected: int) -> None:
    if found != expected:
        raise DataInvalid(f"{path}: {found:,} rows, expected {expected:,}; get it anew")


def _header(file: TextIO, path: Path) -> tuple[list[str], list[str]]:
    """Names and types of the attributes; the file stands behind ``@data`` then."""
    names, types = list[str](), list[str]()
    for line in file:
        if line[:5].lower() == "@data":
            return names, types
        if found := _ATTRIBUTE.match(line.strip()):
            names.append(found[1].strip("'\""))
            types.append(found[2].strip())
    raise DataInvalid(f"{path}: not an ARFF table: no @data in it; get it anew")


def _row(line: str, target: int, pixels: int) -> tuple[NDArray[np.float64], str]:
    """The numbers of a row and its class; fewer numbers than ``pixels`` where one is missing or is none."""
    if target == pixels:
        numbers, _, word = line.rpartition(",")
    else:
        parts = line.split(",")
        word = parts.pop(target) if target < len(parts) else ""
        numbers = ",".join(parts)
    with warnings.catch_warnings():  # of what is no number NumPy warns, or by its version raises an error
        warnings.simplefilter("ignore")
        try:
            values: NDArray[Any] = np.fromstring(numbers, dtype=np.float64, sep=",")
        except ValueError:
            values = np.empty(0)
    return values, word.strip().strip("'\"")


def _target(path: Path, names: list[str], nominal: list[int], pixels: int) -> int:
    """The column of classes: the one that is called so, else the only one of declared values, else the last."""
    if len(names) != pixels + 1:
        raise DataInvalid(f"{path}: {len(names):,} columns, expected {pixels:,} of pixels and one of classes")
    called = [number for number, name in enumerate(names) if name.lower() in CLASS_NAMES]
    for found in (called, nominal):
        if len(found) == 1:
            return found[0]
    return pixels

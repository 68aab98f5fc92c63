"""Tables of pixels, an image a row and one column of classes, from Parquet or ARFF into bytes, row by row."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, one_line

ROWS = 1000
"""Read at a time."""
CLASS_NAMES = ("class", "target", "label", "y")
_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s*(.*)""", re.IGNORECASE)


def read_pixels(path: Path, pixels: int) -> tuple[NDArray[np.uint8], list[str]]:
    """(n, pixels) values from 0 to 255 and the n classes as they are written.

    Raises :class:`DataInvalid`, naming the file, for anything but a table of ``pixels`` columns of such values and one
    of classes.
    """
    blocks, words = [], list[str]()
    try:
        for block, classes in _parquet(path, pixels) if path.suffix == ".pq" else _arff(path, pixels):
            values = np.rint(block)
            if not ((values == block) & (values >= 0) & (values <= 255)).all():
                raise DataInvalid(
                    f"{path}: values from {np.nanmin(block):g} to {np.nanmax(block):g} after row {len(words)}, "
                    "expected whole numbers from 0 to 255, and none missing"
                )
            blocks.append(values.astype(np.uint8))
            words += classes
    except (OSError, UnicodeDecodeError) as error:
        raise DataInvalid(f"{path}: cannot be read: {one_line(error)}; get it anew") from error
    if not blocks:
        raise DataInvalid(f"{path}: no rows; get it anew")
    return np.concatenate(blocks), words


def _parquet(path: Path, pixels: int) -> Iterator[tuple[NDArray[np.float64], list[str]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            target = _target(path, [str(name) for name in file.schema_arrow.names], [], pixels)
            for batch in file.iter_batches(batch_size=ROWS):
                columns = [
                    column.to_numpy(zero_copy_only=False) for i, column in enumerate(batch.columns) if i != target
                ]
                classes = [str(value) for value in batch.column(target).to_pylist()]
                yield np.stack(columns, axis=1).astype(np.float64), classes
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataInvalid(f"{path}: not a readable Parquet table of pixels: {one_line(error)}; get it anew") from error


def _arff(path: Path, pixels: int) -> Iterator[tuple[NDArray[np.float64], list[str]]]:
    with path.open(encoding="utf-8") as file:
        names, types = _header(file, path)
        nominal = [number for number, kind in enumerate(types) if kind.startswith("{")]
        target = _target(path, names, nominal, pixels)
        before = 0
        lines = (line for line in file if line.strip() and not line.startswith("%"))
        while some := list(islice(lines, ROWS)):
            rows, classes = np.empty((len(some), pixels)), []
            for number, line in enumerate(some):
                values, word = _row(line.strip(), target, pixels)
                if len(values) != pixels:
                    raise DataInvalid(
                        f"{path}: row {before + number + 1}: {len(values)} numbers before it ends or has something "
                        f"else ({one_line(line, 40)!r} ...), expected {pixels} and a class; get it anew"
                    )
                rows[number] = values
                classes.append(word)
            before += len(some)
            yield rows, classes


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

"""Reading the study's files: a table as text, and lists of row numbers. Bytes in, checked arrays out."""

from __future__ import annotations

import re

import numpy as np

from bench.errors import DataInvalid
from bench.records.dataset import FloatArray, Holdout, IntArray

_LISTS = re.compile(rb"[0-9 \t\r\n]*")


def read_table(content: bytes, rows: int, features: int, classes: int, where: str) -> tuple[FloatArray, IntArray]:
    """(X (rows, features), y (rows,)) of a tab-separated table: a header, then row number, features, class.

    Numbers are read to the nearest float64. Raises :class:`DataInvalid`, naming ``where``, if the sizes differ, a
    value is not a finite number, the row numbers are not 1..rows, or the labels are not exactly 0..classes-1.
    """
    values = read_numbers(content, "\t", where)
    if values.shape != (rows, features + 2):
        raise DataInvalid(
            f"{where}: {values.shape[0]} rows of {values.shape[1]} columns, expected {rows} rows of {features + 2} "
            "(row number, features, class)"
        )
    if not np.array_equal(values[:, 0], np.arange(1, rows + 1)):
        raise DataInvalid(f"{where}: the first column does not count the rows from 1 to {rows}")
    X = np.ascontiguousarray(values[:, 1:-1])
    return X, check_content(X, values[:, -1], classes, where).astype(np.int64)


def read_numbers(content: bytes, delimiter: str, where: str) -> FloatArray:
    """The numbers (rows, columns) of a text table, each the nearest float64, below a header line.

    Raises :class:`DataInvalid`, naming ``where``, for anything but numbers in rows of equal length.
    """
    try:
        header, *lines = content.decode("ascii").splitlines() or [""]
        if not any(line.strip() for line in lines):
            raise ValueError("no rows")
        values = np.loadtxt(lines, dtype=np.float64, delimiter=delimiter, comments=None, ndmin=2)
        if len(header.split(delimiter)) != values.shape[1]:
            raise ValueError(f"{len(header.split(delimiter))} names over {values.shape[1]} columns")
    except (ValueError, OverflowError) as error:
        raise DataInvalid(f"{where}: not a table of numbers: {' '.join(str(error).split())[:200]}") from error
    return values


def check_content(X: FloatArray, labels: FloatArray, classes: int, where: str) -> IntArray | FloatArray:
    """The labels as int64, if ``X`` (n, d) is finite and ``labels`` (n,) are exactly the classes 0..classes-1.

    Without ``classes`` (0) they are numbers to predict, finite and not all equal. Constant columns are no fault: they
    carry nothing, but do no harm. Raises :class:`DataInvalid` naming row and column, counted from 1.
    """
    bad = np.argwhere(~np.isfinite(X))
    if len(bad):
        row, column = bad[0] + 1
        raise DataInvalid(
            f"{where}: {len(bad)} value(s) missing or not finite, the first in row {row}, feature {column}"
        )
    if not classes:
        if not np.isfinite(labels).all() or (labels == labels[0]).all():
            raise DataInvalid(f"{where}: the numbers to predict are not finite, or all equal")
        return np.ascontiguousarray(labels)
    outside = np.flatnonzero(~((labels >= 0) & (labels < classes) & (labels == np.floor(labels))))
    if len(outside):
        raise DataInvalid(
            f"{where}: label {labels[outside[0]]:g} in row {outside[0] + 1} is not one of 0..{classes - 1}"
        )
    y = labels.astype(np.int64)
    counts = np.bincount(y, minlength=classes)
    if (counts == 0).any():
        raise DataInvalid(f"{where}: no row has label {int(np.argmin(counts))}, expected all of 0..{classes - 1}")
    return y


def read_divisions(content: bytes, rows: int, count: int, where: str) -> tuple[Holdout, ...]:
    """``count`` divisions of a table of ``rows`` rows: two lines of row numbers from 0 each (first part, second part).

    Raises :class:`DataInvalid`, naming ``where`` and the line, if a number is out of range or repeated, or if the two
    lines of a division are not disjoint, leave rows out, or are empty.
    """
    if not _LISTS.fullmatch(content):
        raise DataInvalid(f"{where}: something other than whole numbers in the index lists")
    lines = content.rstrip().splitlines()
    if len(lines) != 2 * count:
        raise DataInvalid(f"{where}: {len(lines)} index lists, expected {2 * count}")
    lists = [_row_numbers(line, rows, f"{where}: line {number}") for number, line in enumerate(lines, start=1)]
    divisions = tuple(Holdout(train=lists[i], test=lists[i + 1]) for i in range(0, 2 * count, 2))
    for number, division in enumerate(divisions, start=1):
        size = len(division.train) + len(division.test)
        if len(np.unique(np.concatenate([division.train, division.test]))) != size:
            raise DataInvalid(f"{where}: division {number}: a row is in both of its lists")
        if size != rows:
            raise DataInvalid(f"{where}: division {number} has {size} rows, the table {rows}")
    return divisions


def _row_numbers(line: bytes, rows: int, where: str) -> IntArray:
    try:
        numbers = np.array([int(word) for word in line.split()], dtype=np.int64)
    except (ValueError, OverflowError) as error:  # a number of thousands of digits
        raise DataInvalid(f"{where}: a row number far beyond the table's {rows} rows") from error
    if len(numbers) == 0:
        raise DataInvalid(f"{where}: an empty index list")
    if numbers.max() >= rows:
        raise DataInvalid(f"{where}: row number {numbers.max()} in a table of {rows} rows (counted from 0)")
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise DataInvalid(f"{where}: row number {values[np.argmax(counts)]} is listed twice")
    return numbers

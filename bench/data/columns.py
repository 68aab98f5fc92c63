"""From a data frame and its target column to features and labels.

The coding needs no fitting, so that no row can leak into another through it:

- A number stays as it is (scaling is the protocol's, on the training part).
- A category becomes one 0/1 column per level, a missing value being a level of its own; two levels become one column.
  Levels are those of the whole table: one that only test rows have is constant on the training part, and constant
  columns are zeroed by the protocol, so it is as unknown as if it had never been coded.
- A *missing number stays NaN*. What replaces it has to be learned from training rows, and which those are is not known
  before the hold-out: :mod:`bench.protocols.rows` fills it hold-out by hold-out.
- A column of categories that are all different, or more than 20 and more than half as many as there are rows (a name, a
  key, an address), says next to nothing about a new row and would drown the others: left out.
- Classes are numbered in the order of their labels: as declared, by value if numbers, else as text.

This is not the coding of the 2014 archive, which numbers the levels of a category as if they were ordered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import DataInvalid, one_line, unknown_name
from bench.records.dataset import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

MAX_FEATURES = 5000
"""Columns after coding; OpenML's CC18 suite draws the same line."""
MAX_VALUES = 200_000_000
MAX_MAGNITUDE = 1e140
"""Of a number: the sum of the squares of as many as a table may have is still a float64."""
KEY_LEVELS = 20
"""Levels above which a column with more of them than half the rows is taken for a key."""
RECORDED_FEATURES = 500
"""Names of features that are recorded with a run."""


@dataclass(frozen=True)
class Coded:
    """A table as features and labels.

    ``X`` (n, d) float64, NaN where a number is missing; ``y`` (n,) int64 in 0..c-1. ``features`` (d,) are the columns'
    names (``colour=red`` for a level), ``classes`` (c,) the labels as text, ``inputs`` the columns before coding.
    ``notes`` tell in whole sentences what was done to it.
    """

    X: FloatArray
    y: IntArray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def recorded_features(self) -> list[str]:
        """The names that are recorded with a run: the first :data:`RECORDED_FEATURES`."""
        return list(self.features[:RECORDED_FEATURES])


def code_table(frame: pd.DataFrame, target: str, where: str, drop: Iterable[str] = ()) -> Coded:
    """``frame`` with the column ``target`` as labels and all others but ``drop`` as features.

    Raises :class:`UsageError` for a column that is not there and :class:`DataInvalid`, naming ``where``, for labels
    that are missing, of one class only or not classes, for values that are not finite, for columns that are neither
    numbers nor categories, and if more than :data:`MAX_FEATURES` columns come out.
    """
    names = [str(name) for name in frame.columns]
    dropped = list(dict.fromkeys(drop))
    for name in (target, *dropped):
        if name not in names:
            raise unknown_name(f"column of {where}", name, names)
    y, classes = code_labels(frame[target], f"{where}: target {target!r}")
    inputs = tuple(name for name in names if name != target and name not in dropped)
    blocks: list[FloatArray] = []
    features: list[str] = []
    keys: list[str] = []
    coded = 0
    for name in inputs:
        block, labels = _code_column(frame[name], name, where, room=MAX_FEATURES - len(features))
        if block is None:
            keys.append(name)
            continue
        coded += labels != [name]
        blocks.append(block)
        features += labels
    if not features:
        raise DataInvalid(f"{where}: no column is left that could be a feature")
    X = np.concatenate(blocks, axis=1)
    return Coded(X, y, tuple(features), classes, inputs, _notes(X, coded, len(features), keys))


def code_labels(column: pd.Series, where: str) -> tuple[IntArray, tuple[str, ...]]:
    """(labels (n,) in 0..c-1, their names): each class that occurs. Raises :class:`DataInvalid`."""
    import pandas as pd

    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataInvalid(f"{where}: {len(missing)} label(s) missing, the first in row {missing[0] + 1}")
    if isinstance(column.dtype, pd.CategoricalDtype):
        values: list[Any] = [level for level in column.cat.categories if (column == level).any()]
    elif pd.api.types.is_numeric_dtype(column):
        values = sorted(column.unique().tolist())
        if any(value != int(value) for value in values if np.isfinite(value)) or not np.isfinite(values).all():
            raise DataInvalid(f"{where}: numbers that are not whole (such as {_odd(values)}) are no classes")
    else:
        values = sorted(set(column.astype(str)))
        column = column.astype(str)
    if len(values) < 2:
        only = one_line(values[0], limit=50) if values else "no rows"
        raise DataInvalid(f"{where}: one class only ({only}); at least 2 are needed")
    if len(values) > max(2, len(column) // 2):
        raise DataInvalid(
            f"{where}: {len(values)} different values in {len(column)} rows are no classes; is it a number to predict?"
        )
    position = {value: index for index, value in enumerate(values)}
    y = np.array([position[value] for value in column.tolist()], dtype=np.int64)
    return y, tuple(str(int(value)) if isinstance(value, float) else str(value) for value in values)


def _code_column(column: pd.Series, name: str, where: str, room: int) -> tuple[FloatArray | None, list[str]]:
    """(values (n, k), names (k,)) of one column, (None, []) for a key; at most ``room`` columns."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise DataInvalid(f"{where}: column {name!r} holds dates or times; drop it or turn it into a number")
    if pd.api.types.is_complex_dtype(column):
        raise DataInvalid(f"{where}: column {name!r} holds complex numbers; drop it or split it")
    if pd.api.types.infer_dtype(column, skipna=True) == "decimal":
        column = column.astype("float64")
    if pd.api.types.is_numeric_dtype(column):
        _refuse_more(1, room, name, where)
        return _numbers(column, name, where)[:, None], [name]
    known = column.dropna()
    text = known.astype(str)
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(text)
        levels = [str(level) for level in column.cat.categories if str(level) in present]
    else:
        levels = sorted(set(text))
    if len(levels) == len(known) > 2 or len(levels) > max(KEY_LEVELS, len(known) // 2):
        return None, []
    gaps = len(known) < len(column)
    codes = np.full(len(column), len(levels), dtype=np.int64)
    position = {level: index for index, level in enumerate(levels)}
    codes[column.notna().to_numpy()] = [position[value] for value in text.tolist()]
    names = [f"{name}={level}" for level in levels] + ([f"{name} missing"] if gaps else [])
    if len(names) <= 2:  # one 0/1 column says which of two; a constant column stays one
        _refuse_more(1, room, name, where)
        return (codes == len(names) - 1).astype(np.float64)[:, None], names[-1:] or [f"{name} missing"]
    _refuse_more(len(names), room, name, where)
    if len(column) * len(names) > MAX_VALUES:
        raise DataInvalid(f"{where}: column {name!r} of {len(names)} levels becomes too large; drop it")
    return (codes[:, None] == np.arange(len(names))).astype(np.float64), names


def _numbers(column: pd.Series, name: str, where: str) -> FloatArray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    endless = np.flatnonzero(np.isinf(values))
    if len(endless):
        raise DataInvalid(f"{where}: column {name!r}, row {endless[0] + 1}: not a finite number")
    endless = np.flatnonzero(np.abs(values) > MAX_MAGNITUDE)
    if len(endless):
        raise DataInvalid(
            f"{where}: column {name!r}, row {endless[0] + 1}: {values[endless[0]]:g} is beyond {MAX_MAGNITUDE:g}; "
            "rescale the column, or drop it"
        )
    return np.where(np.isnan(values), np.nan, values)  # one NaN of all: the table's checksum is over the bytes


def _refuse_more(columns: int, room: int, name: str, where: str) -> None:
    if columns > room:
        raise DataInvalid(
            f"{where}: more than {MAX_FEATURES} columns after coding: column {name!r} would add {columns}; drop it, or "
            "group its rare levels"
        )


def _odd(values: list[Any]) -> str:
    return f"{next(value for value in values if not np.isfinite(value) or value != int(value)):g}"


def _notes(X: FloatArray, coded: int, features: int, keys: list[str]) -> tuple[str, ...]:
    notes = []
    if coded:
        notes.append(f"{coded} column(s) of categories are coded as 0/1 columns, {features} features in all")
    if keys:
        named = one_line(", ".join(keys[:5])) + (" ..." if len(keys) > 5 else "")
        notes.append(f"left out because hardly a value comes twice: {named}")
    gaps = np.isnan(X)
    if gaps.any():
        notes.append(
            f"{int(gaps.sum()):,} of the numbers are missing, in {int(gaps.any(axis=0).sum())} column(s): each becomes "
            "the mean of the training part's known values of its column"
        )
    return tuple(notes)

"""From a data frame and its target column to features and labels.

The coding needs no fitting, so that no row can leak into another through it:

- A number stays as it is (scaling is the protocol's, on the training part). What a column of text holds is decided by
  all of its cells (:mod:`bench.data.text_columns`): if they are mostly numbers, it is one of numbers.
- A column of categories becomes one 0/1 column per category, missing being one; two categories become one column.
  They are those of the whole table: one that only test rows have is constant on the training part, and constant
  columns are zeroed by the protocol, so it is as unknown as if it had never been coded.
- A *missing number stays NaN*. What replaces it has to be learned from training rows, and which those are is not known
  before the split: :mod:`bench.protocols.rows` fills it test fold by test fold.
- A column of categories that are all different, or more than 20 and more than half as many as there are rows (a name, a
  key, an address), says next to nothing about a new row and would drown the others: left out, unless declared.
- Classes are numbered in the order of their labels: as declared, by value if numbers, else as text. A number to predict
  stays as it is, and rows without one are left out.

This is not the coding of the 2014 archive, which numbers the levels of a category as if they were ordered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.data.coder import EXACT, KEY_LEVELS, Coder, OtherKind, positions
from bench.data.findings import Finding, as_key, quoted
from bench.data.text_columns import (
    MISSING,
    MISSING_LABELS,
    as_numbers,
    in_order,
    known_texts,
)
from bench.errors import DataInvalid, UsageError, one_line, unknown_name
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind

if TYPE_CHECKING:
    import pandas as pd

RECORDED_FEATURES = 500
"""Names of features that are recorded with a run."""


@dataclass(frozen=True)
class Coded:
    """A table as features and labels.

    ``X`` (n, d) float64, NaN where a number is missing; ``y`` (n,) int64 in 0..c-1, or float64 for regression, where
    there are no ``classes``. ``features`` (d,) are the columns' names (``colour=red`` for a level), ``classes`` (c,)
    the labels as text, ``inputs`` the columns before coding. ``notes`` tell in whole sentences what was done to it,
    ``findings`` what was odd about its columns.
    """

    X: FloatArray
    y: IntArray | FloatArray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The findings to be looked into, a line each."""
        return [str(finding) for finding in self.findings if finding.severity == "warning"]

    @property
    def recorded_features(self) -> list[str]:
        """The names that are recorded with a run: the first :data:`RECORDED_FEATURES`."""
        return list(self.features[:RECORDED_FEATURES])


def code_table(
    frame: pd.DataFrame,
    target: str,
    where: str,
    drop: Iterable[str] = (),
    *,
    kind: Kind = "classification",
    categories: Collection[str] = (),
    missing: Iterable[str] | None = None,
) -> Coded:
    """``frame`` with the column ``target`` as labels and all others but ``drop`` as features.

    ``kind`` says whether the target holds classes, or numbers: then rows without one are left out. ``categories`` are
    taken as such whatever is in them, ``missing`` are the texts that stand for a missing value (an empty cell always
    does). ``frame.attrs["notes"]`` is what the reader has to tell.

    Raises :class:`UsageError` for a column that is not there and :class:`DataInvalid`, naming ``where``, for labels
    that are missing or of one class only, numbers to predict that are all equal, values that are not finite, for
    columns that are neither numbers nor categories, and if more than :data:`bench.data.coder.MAX_FEATURES` columns come
    out; :class:`OtherKind` for a target that is not of ``kind``.
    """
    names = [str(name) for name in frame.columns]
    dropped = list(dict.fromkeys(drop))
    for name in (target, *dropped, *categories):
        if name not in names:
            unknown = unknown_name(f"column of {where}", name, names)
            raise UsageError("; ".join([str(unknown), *frame.attrs.get("notes", ())]))  # such as an index left out
    marks = None if missing is None else ("", *(mark.strip().casefold() for mark in missing))
    inputs = tuple(name for name in names if name != target and name not in dropped)
    texts = [name for name in (target, *inputs) if frame[name].dtype == object]
    frame = frame.assign(**{name: _decoded(frame[name], name, where) for name in texts})
    coder = Coder(where, marks or MISSING, marks or (), frame[list(inputs)], frame.attrs.get("dates", ()))
    y: IntArray | FloatArray
    classes: tuple[str, ...] = ()
    if kind == "regression":
        y = coder.target(frame[target], target)
    else:
        y, classes = code_labels(frame[target], f"{where}: target {target!r}", marks, declared=target in categories)
        coder.compare(target, dict(zip(classes, np.bincount(y).tolist(), strict=True)), "classes")
        if target not in categories:
            _warn_of_many(coder, frame[target], target, classes)
    for name in inputs:
        coder.add(frame[name], name, declared=name in categories)
    if not coder.features:
        why = "; ".join(finding.what for finding in coder.findings if finding.check == "left out")
        raise DataInvalid(one_line(f"{where}: no column is left that could be a feature" + (f": {why}" if why else "")))
    X = np.concatenate(coder.blocks, axis=1)
    without = np.isnan(y)
    if without.any():
        first = int(np.argmax(without)) + 1
        coder.warn(
            "rows left out",
            f"{int(without.sum())} row(s) without a number in {target} are left out, the first is row {first}",
            "only rows whose target is known can be fitted and scored",
            target,
        )
    X, y = X[~without], y[~without]
    notes = (*frame.attrs.get("notes", ()), *_notes(coder, X))
    return Coded(X, y, tuple(coder.features), classes, inputs, notes, tuple(coder.findings))


def code_labels(
    column: pd.Series, where: str, marks: Collection[str] | None = None, *, declared: bool = False
) -> tuple[IntArray, tuple[str, ...]]:
    """(labels (n,) in 0..c-1, their names): each class that occurs; ``declared`` ones are classes whatever they are.

    ``marks`` stand for a missing one; None: the usual ones, but none among the levels that a column declares.
    Raises :class:`DataInvalid`, and :class:`OtherKind` for labels that are numbers rather than classes.
    """
    import pandas as pd

    nominal = isinstance(column.dtype, pd.CategoricalDtype)
    usual = () if nominal else MISSING_LABELS
    known = known_texts(column, usual if marks is None else marks)
    missing = np.setdiff1d(np.arange(len(column)), known.index)
    if len(missing):
        written = column.iloc[missing[0]]
        shown = (
            f" ({quoted(written)}; if it is a class, a description with missing: [] keeps it)"
            if pd.notna(written)
            else ""
        )
        raise DataInvalid(f"{where}: {len(missing)} label(s) missing, the first in row {missing[0] + 1}{shown}")
    values = [str(level).strip() for level in column.cat.categories] if nominal else in_order(known)
    numbers = None if nominal or declared else as_numbers(known)
    if numbers is not None and not (pd.api.types.is_integer_dtype(column) or pd.api.types.is_bool_dtype(column)):
        odd = numbers[~(np.isfinite(numbers) & (numbers == np.floor(numbers)))]
        if len(odd):
            raise OtherKind(f"{where}: numbers that are not whole (such as {odd.iloc[0]:g}) are not classes")
        known = known.where(numbers.abs() >= EXACT, numbers.map(lambda value: str(int(value))))
        values = in_order(known)
    present = set(known)
    values = [value for value in dict.fromkeys(values) if value in present]
    if len(values) < 2:
        only = one_line(values[0], limit=50) if values else "no rows"
        raise DataInvalid(f"{where}: one class only ({only}); at least 2 are needed")
    if len(values) > max(2, len(column) // 2):
        many = f"{where}: {len(values)} different values in {len(column)} rows are not classes"
        if numbers is not None:
            raise OtherKind(many)
        raise DataInvalid(f"{many}; such as {quoted(values[0])}")
    return positions(known, values), tuple(values)


def _warn_of_many(coder: Coder, column: pd.Series, name: str, classes: Sequence[str]) -> None:
    """Warn of whole numbers that are rather something to predict than ``classes``."""
    import pandas as pd

    if as_numbers(pd.Series(classes)) is not None and len(classes) > KEY_LEVELS and column.dtype != "category":
        coder.warn(
            "many classes",
            f"{name}: {len(classes)} different whole numbers are taken as classes",
            f"if it is a number to predict, the task is regression; else say so with {as_key('categories', name)}",
            name,
        )


def _notes(coder: Coder, X: FloatArray) -> list[str]:
    """What was done to the table that became ``X`` (n, d)."""
    notes = []
    if coder.coded:
        notes.append(
            f"{coder.coded} column(s) of categories are coded as 0/1 columns, {len(coder.features)} features in all"
        )
    if coder.marked:
        notes.append(f"read as missing: {', '.join(coder.marked[:5])}" + (" ..." if len(coder.marked) > 5 else ""))
    gaps = np.isnan(X[:, ~np.isnan(X).all(axis=0)])  # a column without any value has no mean
    if gaps.any():
        notes.append(
            f"{int(gaps.sum()):,} of the numbers are missing, in {int(gaps.any(axis=0).sum())} column(s): each "
            "becomes the mean of the training part's known values of its column"
        )
    return notes


def _decoded(column: pd.Series, name: str, where: str) -> pd.Series:
    """A column of bytes as texts, any other as it is."""
    import pandas as pd

    if pd.api.types.infer_dtype(column, skipna=True) != "bytes":
        return column
    try:
        return column.str.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataInvalid(
            f"{where}: column {name!r} holds bytes that are not UTF-8 text; drop it"
            f" (in a description: {as_key('drop', name)}), or save it as text or numbers"
        ) from error

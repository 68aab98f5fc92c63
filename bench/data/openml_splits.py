"""The index lists of an OpenML task: an ARFF table of (type, row, repeat, fold)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.data.frames import read_frame
from bench.data.splits import draw_splits
from bench.errors import DataInvalid
from bench.records.dataset import Holdout, IntArray, Splits


def read_task_splits(content: bytes, task: int, y: IntArray, where: str) -> Splits:
    """The divisions of task ``task`` on a table with labels ``y`` (n,), called ``openml-task-N``.

    Hold-outs are the folds of the first repeat (and the first sample), in the folds' order: further repeats would only
    narrow what is called the noise of the division. The task has no tuning halves; they are drawn, once and for all,
    from the task's number. Raises :class:`DataInvalid`, naming ``where``, if something other than whole row numbers
    within the table stands there, a row is listed twice in a fold or in both of its parts, or a part is empty.
    """
    frame = read_frame(content, "arff", where)
    names = {str(name).lower(): name for name in frame.columns}
    for needed in ("type", "rowid", "repeat", "fold"):
        if needed not in names:
            raise DataInvalid(f"{where}: no column {needed!r} in the index lists")
    kinds = [str(kind).upper() for kind in frame[names["type"]].tolist()]
    if unknown := set(kinds) - {"TRAIN", "TEST"}:
        raise DataInvalid(f"{where}: rows are of type TRAIN or TEST, not {min(unknown)!r}")
    rows = _whole(frame[names["rowid"]], f"{where}: rowid")
    if rows.min() < 0 or rows.max() >= len(y):
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise DataInvalid(f"{where}: row number {wrong} in a table of {len(y)} rows (counted from 0)")
    first = _first(frame, names, where)
    folds = _whole(frame[names["fold"]], f"{where}: fold")
    holdouts = tuple(
        _holdout(rows, first & (folds == fold), np.array(kinds) == "TRAIN", f"{where}: fold {fold}")
        for fold in np.unique(folds[first])
    )
    name = f"openml-task-{task}"
    return Splits(name=name, tuning=draw_splits(name, y, 0).tuning, holdouts=holdouts)


def _first(frame: Any, names: dict[str, Any], where: str) -> np.ndarray:
    """Which lines belong to the first repeat and, for tasks that have samples, the first sample of it."""
    first = np.ones(len(frame), dtype=bool)
    for column in ("repeat", "sample"):
        if column in names:
            numbers = _whole(frame[names[column]], f"{where}: {column}")
            first &= numbers == numbers[first].min()
    return first


def _holdout(rows: IntArray, chosen: np.ndarray, train: np.ndarray, where: str) -> Holdout:
    parts = [rows[chosen & train], rows[chosen & ~train]]
    if not all(len(part) for part in parts):
        raise DataInvalid(f"{where}: no rows to train on or none to test")
    everything = np.concatenate(parts)
    values, counts = np.unique(everything, return_counts=True)
    if (counts > 1).any():
        raise DataInvalid(f"{where}: row {values[np.argmax(counts)]} is listed twice")
    return Holdout(train=np.sort(parts[0]), test=np.sort(parts[1]))


def _whole(column: Any, where: str) -> IntArray:
    try:
        values = np.asarray(column, dtype=np.float64)
        if not (np.abs(values) < 2**53).all() or (values != np.floor(values)).any():
            raise ValueError
    except (ValueError, TypeError) as error:
        raise DataInvalid(f"{where}: something other than whole numbers in the index lists") from error
    return values.astype(np.int64)

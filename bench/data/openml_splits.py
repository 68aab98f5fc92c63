"""The index lists of an OpenML task: an ARFF table of (type, row, repeat, fold)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.data.frames import read_frame
from bench.data.splits import draw_splits
from bench.errors import DataInvalid
from bench.records.dataset import Holdout, IntArray, Splits


def read_task_splits(content: bytes, task: int, strata: IntArray, where: str) -> Splits:
    """The divisions of task ``task`` on a table with ``strata`` (n,), called ``openml-task-N``.

    Hold-outs are the folds of the first repeat (and the first sample), in the folds' order: further repeats would only
    narrow what is called the noise of the division. The task has no tuning halves; they are drawn within the strata,
    once and for all, from the task's number. Raises :class:`DataInvalid`, naming ``where``, if something other than
    whole row numbers within the table stands there, a row is listed twice in a fold or in both of its parts, or a part
    is empty.
    """
    frame = read_frame(content, "arff", where)
    columns = {str(name).lower(): frame[name] for name in frame.columns}
    for needed in ("type", "rowid", "repeat", "fold"):
        if needed not in columns:
            raise DataInvalid(f"{where}: no column {needed!r} in the index lists")
    kinds = np.array([str(kind).upper() for kind in columns["type"].tolist()])
    if unknown := set(kinds) - {"TRAIN", "TEST"}:
        raise DataInvalid(f"{where}: rows are of type TRAIN or TEST, not {str(min(unknown))!r}")
    rows, repeats, folds = (_whole(columns[name], f"{where}: {name}") for name in ("rowid", "repeat", "fold"))
    for wrong in rows[(rows < 0) | (rows >= len(strata))]:
        raise DataInvalid(f"{where}: row number {wrong} in a table of {len(strata)} rows (counted from 0)")
    first = repeats == repeats.min()
    if "sample" in columns:
        samples = _whole(columns["sample"], f"{where}: sample")
        first &= samples == samples[first].min()
    train = kinds == "TRAIN"
    holdouts = tuple(
        _holdout(rows[part & train], rows[part & ~train], f"{where}: fold {fold}")
        for fold in np.unique(folds[first])
        for part in [first & (folds == fold)]
    )
    name = f"openml-task-{task}"
    return Splits(name=name, tuning=draw_splits(name, strata, 0).tuning, holdouts=holdouts)


def _holdout(train: IntArray, test: IntArray, where: str) -> Holdout:
    if not len(train) or not len(test):
        raise DataInvalid(f"{where}: no rows to train on or none to test")
    values, counts = np.unique(np.concatenate([train, test]), return_counts=True)
    if (counts > 1).any():
        raise DataInvalid(f"{where}: row {values[np.argmax(counts)]} is listed twice")
    return Holdout(train=np.sort(train), test=np.sort(test))


def _whole(column: Any, where: str) -> IntArray:
    try:
        values = np.asarray(column, dtype=np.float64)
        if not (np.abs(values) < 2**53).all() or (values != np.floor(values)).any():
            raise ValueError
    except (ValueError, TypeError) as error:
        raise DataInvalid(f"{where}: something other than whole numbers in the index lists") from error
    return values.astype(np.int64)

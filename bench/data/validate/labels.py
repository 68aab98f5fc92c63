"""Checks on how rows and columns go with the labels of classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.data.findings import Finding
from bench.data.validate.examined import Examined, equal_rows, listed
from bench.data.validate.features import disagreement
from bench.records.dataset import FloatArray

GIVEN_AWAY = 0.99
"""A single column by whose values so much of the rows can be labelled is suspected to hold the label."""
FEW_ROWS = 4
"""A class with fewer rows is too small to train, select and test on with a 75/25 split."""
SCARCE_ROWS = 10
HEAVY_MAJORITY = 0.9


def given_away(table: Examined) -> Iterator[Finding]:
    """Columns that alone determine the label, or nearly."""
    import pandas as pd

    n, majority = len(table.y), table.counts.max() / len(table.y)
    for name, values in table.columns():
        distinct = len(np.unique(values[~np.isnan(values)]))
        if _separates(table, values):
            yield Finding(
                "label leak",
                "warning",
                f"{name} alone determines the label",
                "if it is known only once the label is, accuracy on this dataset means nothing; RFM's metric will "
                "show it as the one feature that counts",
                (name,),
            )
        elif 1 < distinct <= n / 10 and majority < GIVEN_AWAY:
            right = pd.crosstab(values, table.y, dropna=False).to_numpy().max(axis=1).sum() / n
            if right >= GIVEN_AWAY:
                yield Finding(
                    "label leak",
                    "warning",
                    f"{name} alone labels {100 * right:.1f} % of the rows correctly",
                    "check whether it is known before the label is",
                    (name,),
                )


def contradictions(table: Examined) -> Iterator[Finding]:
    """Rows with equal features that disagree about the label."""
    import pandas as pd

    by_label = pd.crosstab(equal_rows(table), table.y).to_numpy()
    best = by_label.max(axis=1).sum() / len(table.y)
    split = int(((by_label > 0).sum(axis=1) > 1).sum())
    if split:
        yield disagreement(split, "labels", best, f"label more than {100 * best:.1f} % of the rows correctly")


def scarce_classes(table: Examined) -> Iterator[Finding]:
    """Classes with few rows, and datasets that one class dominates."""
    counts = table.counts
    few = [f"class {table.classes[c]} ({counts[c]})" for c in np.flatnonzero(counts < FEW_ROWS)]
    if few:
        yield Finding(
            "tiny classes",
            "warning",
            f"fewer than {FEW_ROWS} rows: {listed(few)}",
            "too few to train, select and test on: on some test folds it is never predicted correctly",
        )
    scarce = [
        f"class {table.classes[c]} ({counts[c]})" for c in np.flatnonzero((counts >= FEW_ROWS) & (counts < SCARCE_ROWS))
    ]
    if scarce:
        yield Finding(
            "small classes",
            "note",
            f"fewer than {SCARCE_ROWS} rows: {listed(scarce)}",
            "two or three test rows per fold: the accuracy on this class is mostly chance",
        )
    majority = counts.max() / counts.sum()
    if majority >= HEAVY_MAJORITY:
        yield Finding(
            "imbalance",
            "warning",
            f"{100 * majority:.1f} % of the rows are of class {table.classes[int(counts.argmax())]}",
            f"always predicting it is {100 * majority:.1f} % accurate: accuracy hardly separates methods, and "
            "squared loss gives little weight to the rare classes",
        )


def _separates(table: Examined, x: FloatArray) -> bool:
    """Whether the column ``x`` (n,), fully known, tells the classes apart: by few values, or by thresholds."""
    n, c = len(x), len(table.classes)
    if np.isnan(x).any() or (table.counts > 0).sum() < 2:
        return False
    order = np.lexsort((table.y, x))
    values, labels = x[order], table.y[order]
    same = values[1:] == values[:-1]
    if (same & (labels[1:] != labels[:-1])).any():
        return False
    distinct = int((~same).sum()) + 1
    changes = int((labels[1:] != labels[:-1]).sum())
    return changes == c - 1 or c <= distinct <= n / 10

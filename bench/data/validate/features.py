"""Checks on the features alone: how they spread, what is missing, what stands out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.data.findings import Finding
from bench.data.validate.examined import Examined, distinct_values, equal_rows, listed, moments, named
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS
from bench.protocols.rows import fill_missing, standardise

FAR_OUT = 20.0
"""Standard deviations from the mean; of 10,000 normal values the largest lies at 4."""
SCALE_RATIO = 1000.0
MISSING_SHARE = 0.2
REPEATED_SHARE = 0.05
"""Above this share of rows that have an equal row, a score is partly memory."""
FEWEST_ROWS = 10
"""With fewer rows, different whole numbers say nothing."""


def identifiers(table: Examined) -> Iterator[Finding]:
    """Columns of whole numbers that are all different and leave hardly a gap: row numbers, keys."""
    n = len(table.y)
    names = named(
        table,
        [
            n >= FEWEST_ROWS
            and len(values) == n
            and bool((values == np.rint(values)).all())
            and values[-1] - values[0] < 2 * n
            for values in distinct_values(table)
        ],
    )
    if names:
        yield Finding(
            "identifiers",
            "warning",
            f"{listed(names)}: whole numbers, all different and close together, like row numbers",
            "its differences change every distance but mean nothing; if the rows were sorted, it leaks the label; "
            "drop it",
            names,
        )


def repeated_rows(table: Examined) -> Iterator[Finding]:
    """Rows with equal features."""
    n, sizes = len(table.y), np.bincount(equal_rows(table))
    count = int(sizes[sizes > 1].sum())
    if count:
        score = "accuracy" if table.classes else "R2"
        yield Finding(
            "repeated rows",
            "warning" if count > REPEATED_SHARE * n else "note",
            f"{count} of {n} rows have an equal row ({len(sizes)} distinct rows)",
            f"equal rows can be in the training part and in the test fold, so part of the {score} is memorised; their "
            "kernel rows are equal, so without a ridge the kernel matrix is singular",
        )


def far_out(table: Examined) -> Iterator[Finding]:
    """Single values far from all others, and categories that few rows have."""
    mean, spread = moments(table.X)
    deviation = np.nan_to_num(np.abs(table.X - mean) / np.where(spread > 0, spread, np.inf), nan=0.0)
    largest = deviation.max(axis=0)
    two_valued = np.array([len(values) == 2 for values in distinct_values(table)])
    extreme = named(table, ((largest > FAR_OUT) & ~two_valued).tolist())
    if extreme:
        rows = int((deviation[:, ~two_valued] > FAR_OUT).any(axis=1).sum())
        yield Finding(
            "outliers",
            "warning",
            f"{listed(extreme)}: up to {largest[~two_valued].max():.0f} standard deviations from the mean, in {rows} "
            f"row{'' if rows == 1 else 's'}",
            "such a row is far from all others and the column's other values are close together: take logarithms or "
            "ranks, or look for a wrong value",
            extreme,
        )
    rare = named(table, ((largest > FAR_OUT) & two_valued).tolist())
    if rare:
        yield Finding(
            "rare categories",
            "note",
            f"{listed(rare)}: one of two values in fewer than one row in {FAR_OUT**2:.0f}",
            f"standardised, such a row is more than {FAR_OUT:.0f} standard deviations from the others: group them",
            rare,
        )


def scales(table: Examined) -> Iterator[Finding]:
    """Columns of very different spread."""
    _, spread = moments(table.X)
    varying = np.flatnonzero(spread > 0)
    if len(varying) > 1 and spread[varying].max() > SCALE_RATIO * spread[varying].min():
        low, high = varying[spread[varying].argmin()], varying[spread[varying].argmax()]
        yield Finding(
            "scales",
            "note",
            f"the standard deviation of {table.features[high]} is {spread[high] / spread[low]:.3g} times that of "
            f"{table.features[low]}",
            "without scaling, a kernel would depend on the first alone; here each training part is standardised",
            (table.features[high], table.features[low]),
        )


def gaps(table: Examined) -> Iterator[Finding]:
    """Missing numbers."""
    missing = np.isnan(table.X)
    empty = tuple(name for name, gap in zip(table.features, missing.T, strict=True) if gap.all())
    if empty:
        yield Finding(
            "empty columns",
            "warning",
            f"{listed(empty)}: not a single value is known",
            "adds nothing to any distance; the harness sets it to 0: drop it",
            empty,
        )
    missing &= ~missing.all(axis=0)
    share = missing.mean(axis=0)
    if not share.any():
        return
    worst = np.argsort(-share, kind="stable")[: int((share > 0).sum())]
    names = tuple(table.features[column] for column in worst)
    shown = [f"{table.features[column]} {_percent(share[column])}" for column in worst]
    yield Finding(
        "missing numbers",
        "warning" if share.max() > MISSING_SHARE else "note",
        f"{_percent(missing.mean())} of the numbers: {listed(shown)}; {int(missing.any(axis=1).sum())} rows",
        "each becomes its column's mean over the training part: rows with gaps move towards the centre and each other",
        names,
    )


def constant_columns(table: Examined) -> Iterator[Finding]:
    """Columns with one known value, and those that rounding makes so."""
    counts = np.array([len(values) for values in distinct_values(table)])
    names = named(table, (counts == 1).tolist())
    rows = np.arange(len(table.y))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = ~standardise(fill_missing(table.X, rows), rows).any(axis=0) & (counts > 1)
        lost = named(table, rounded.tolist())
    if lost:
        yield Finding(
            "lost in rounding",
            "warning",
            f"{listed(lost)}: the values differ, but by too little for float64 relative to their size",
            "standardising sets the column to 0; multiply it by a power of ten, or subtract its mean",
            lost,
        )
    if names:
        yield Finding(
            "constant columns",
            "note",
            f"{listed(names)}: never changes",
            "adds nothing to any distance; the harness sets it to 0",
            names,
        )


def shape(table: Examined) -> Iterator[Finding]:
    """Tables that are wide or long."""
    n, d = table.X.shape
    if d > n:
        yield Finding(
            "wide",
            "note",
            f"{d} features for {n} rows",
            "distances are nearly equal in so many dimensions, and RFM's metric has more entries than can be learned",
        )
    if n > LARGE_ROWS:
        yield Finding(
            "long",
            "note",
            f"{n:,} rows, above {LARGE_ROWS:,}",
            f"unless --full is given, hyperparameters are selected on {TUNING_ROWS:,} rows and one fold is tested; a "
            f"kernel matrix of all rows takes {8 * n * n / 1e9:,.1f} GB",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def disagreement(groups: int, about: str, best: float, bound: str) -> Finding:
    """The finding for ``groups`` of equal rows that differ in what is predicted, by which ``best`` is the best score.

    ``bound`` says what no method can do for that, as the end of a sentence.
    """
    return Finding(
        "contradictions",
        "warning" if best < 1 - REPEATED_SHARE else "note",
        f"{groups} group{'s' if groups > 1 else ''} of equal rows with different {about}",
        f"no method can {bound}; a small ridge fits the disagreement",
    )

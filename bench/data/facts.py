"""What was measured of the registry's datasets, by source: samples that stand in two parts, columns, missing values.

`facts.csv` next to this module holds it, and `tools/data_facts.py` makes it. Nothing that a job computes reads it.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO, TypeAlias

import numpy as np

from bench.records.dataset import Dataset, FloatArray, Holdout, IntArray, Splits

FILE = Path(__file__).with_name("facts.csv")
FEWEST_CODES, MOST_CODES = 3, 12
"""How many distinct values a column has that may be nominal; two are no matter of coding."""
SAME_STEP = 1e-3
"""Steps between values are equal up to this share: the archive prints six significant digits."""
SCALED = 1e-3
"""Mean and deviation of a standardised column are 0 and 1 up to this."""


@dataclass(frozen=True)
class Facts:
    """What was measured of one dataset as one source has it.

    ``repeated_percent`` is the share of a test fold's samples whose features also stand, identically, in the fold's
    training part, and ``conflicting_percent`` the share for which one of those has another label; both are means over
    the ``folds``, ``published`` ones or ``seed-0``. ``possibly_nominal`` counts columns (:func:`possibly_nominal`).
    ``standardised`` tells that every column that is not constant has mean 0 and deviation 1 over all samples.
    ``missing_values`` counts the feature values that the origin lacks and the source filled, ``missing_samples`` the
    samples with such; None where it is not known.
    """

    dataset: str
    source: str
    samples: int
    features: int
    table_sha256: str
    folds: str
    repeated_percent: float
    conflicting_percent: float
    possibly_nominal: int
    standardised: bool
    missing_values: int | None = None
    missing_samples: int | None = None


Known: TypeAlias = Mapping[tuple[str, str], Facts]
"""By (dataset, source)."""


def measure_facts(dataset: Dataset, splits: Splits, missing: tuple[int, int] | None = None) -> Facts:
    """The facts of ``dataset`` on the test folds of ``splits``; ``missing`` are values and samples, if known."""
    repeated, conflicting = repeated_shares(dataset.X, dataset.y, splits.holdouts)
    return Facts(
        dataset=dataset.name,
        source=dataset.source,
        samples=len(dataset.X),
        features=dataset.X.shape[1],
        table_sha256=dataset.sha256,
        folds=splits.name,
        repeated_percent=round(100 * repeated, 2),
        conflicting_percent=round(100 * conflicting, 2),
        possibly_nominal=possibly_nominal(dataset.X),
        standardised=standardised(dataset.X),
        missing_values=missing[0] if missing else None,
        missing_samples=missing[1] if missing else None,
    )


def repeated_shares(X: FloatArray, y: FloatArray | IntArray, folds: Iterable[Holdout]) -> tuple[float, float]:
    """Shares of the test samples of ``X`` (n, d) that stand in the training part too: at all, and with another label.

    Both are means over ``folds`` of the share in each. ``y`` (n,) are classes, or numbers.
    """
    _, groups = np.unique(X + 0.0, axis=0, return_inverse=True)  # + 0: -0 and 0 are one value
    groups = groups.reshape(-1)
    shares = []
    for fold in folds:
        lowest, highest = np.full(groups.max() + 1, np.inf), np.full(groups.max() + 1, -np.inf)
        np.minimum.at(lowest, groups[fold.train], y[fold.train])
        np.maximum.at(highest, groups[fold.train], y[fold.train])
        of, labels = groups[fold.test], y[fold.test]
        there = np.isfinite(lowest[of])
        shares.append((there.mean(), (there & ((lowest[of] != labels) | (highest[of] != labels))).mean()))
    repeated, conflicting = np.mean(shares, axis=0)
    return float(repeated), float(conflicting)


def possibly_nominal(X: FloatArray) -> int:
    """How many columns of ``X`` (n, d) have 3 to 12 distinct values in equal steps.

    Nominal columns look so when they are coded as integers, before and after standardising; ordinal columns and small
    counts look so too, and a nominal column with an unused code does not.
    """
    return sum(map(_in_equal_steps, X.T))


def _in_equal_steps(column: FloatArray) -> bool:
    values = np.unique(column)
    if not FEWEST_CODES <= len(values) <= MOST_CODES:
        return False
    steps = np.diff(values)
    return bool(steps.max() - steps.min() <= SAME_STEP * steps.mean())


def standardised(X: FloatArray) -> bool:
    """Whether every column of ``X`` (n, d) that is not constant has mean 0 and deviation 1 (n - 1 in the divisor)."""
    varied = X[:, np.ptp(X, axis=0) > 0]
    mean, deviation = varied.mean(axis=0), varied.std(axis=0, ddof=1)
    return bool((np.abs(mean) < SCALED).all() and (np.abs(deviation - 1) < SCALED).all())


@functools.cache
def load_facts() -> Known:
    """All that is known, from `facts.csv`."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {(row["dataset"], row["source"]): _facts(row) for row in csv.DictReader(file)}


def write_facts(found: Iterable[Facts], file: TextIO) -> None:
    """``found`` as CSV, one line each."""
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow([field.name for field in fields(Facts)])
    lines.writerows(["" if value is None else value for value in asdict(facts).values()] for facts in found)


def _facts(row: Mapping[str, str]) -> Facts:
    return Facts(
        dataset=row["dataset"],
        source=row["source"],
        samples=int(row["samples"]),
        features=int(row["features"]),
        table_sha256=row["table_sha256"],
        folds=row["folds"],
        repeated_percent=float(row["repeated_percent"]),
        conflicting_percent=float(row["conflicting_percent"]),
        possibly_nominal=int(row["possibly_nominal"]),
        standardised=row["standardised"] == "True",
        missing_values=_count(row["missing_values"]),
        missing_samples=_count(row["missing_samples"]),
    )


def _count(cell: str) -> int | None:
    return int(cell) if cell else None

"""Checks on how rows and columns go with a number to predict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.findings import Finding
from bench.data.validate.examined import Examined, equal_rows
from bench.data.validate.features import disagreement

GIVEN_AWAY = 1 - 1e-6
"""A column whose values, or whose ranks, are so correlated with the target is suspected to hold it."""
FAR_OUT = 10.0
"""Standard deviations from the mean; of 10,000 normal values the largest lies at 4."""
FEW_VALUES = 10


def given_away(table: Examined) -> Iterator[Finding]:
    """Columns that are the target, in other units or on another scale."""
    from scipy.stats import rankdata

    ranks = rankdata(table.y)
    for name, values in zip(table.features, table.X.T, strict=True):
        if np.isnan(values).any():
            continue
        if (values == table.y).all():
            how = "equals the target"
        elif _correlation(values, table.y) > GIVEN_AWAY:
            how = "is the target in other units (its correlation with it is 1)"
        elif _correlation(rankdata(values), ranks) > GIVEN_AWAY:
            how = "orders the rows as the target does"
        else:
            continue
        yield Finding(
            "target leak",
            "warning",
            f"{name} {how}",
            "if it is known only once the target is, R2 on this dataset means nothing; drop it",
            (name,),
        )


def contradictions(table: Examined) -> Iterator[Finding]:
    """Rows with equal features and different targets."""
    groups = equal_rows(table)
    sizes = np.bincount(groups)
    mean = np.bincount(groups, weights=table.y) / sizes
    within, total = ((table.y - mean[groups]) ** 2).sum(), ((table.y - table.y.mean()) ** 2).sum()
    split = len(np.unique(groups[table.y != mean[groups]]))
    if split and within > 1e-12 * total:
        best = 1 - within / total
        yield disagreement(split, "targets", best, f"have an R2 above {best:.3f} over all rows")


def far_out(table: Examined) -> Iterator[Finding]:
    """Single targets far from all others, which alone decide R2."""
    distance = np.abs(table.y - table.y.mean()) / table.y.std()
    far = distance > FAR_OUT
    if far.any():
        share = (distance[far] ** 2).sum() / len(table.y)
        yield Finding(
            "outlying targets",
            "warning",
            f"{int(far.sum())} more than {FAR_OUT:.0f} standard deviations from the mean, up to "
            f"{distance.max():.0f}: {100 * share:.0f} % of the variance",
            "R2 and RMSE are decided by these rows; predict the logarithm, or look for a wrong value",
        )


def few_values(table: Examined) -> Iterator[Finding]:
    """A target with a handful of values, which may be classes."""
    values = np.unique(table.y)
    if len(values) <= FEW_VALUES:
        yield Finding(
            "few values",
            "note",
            f"the target has {len(values)} different values",
            "if they are classes rather than amounts, the task is classification",
        )


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The absolute correlation, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return abs(float(a @ b)) / size if size > 0 else 0.0

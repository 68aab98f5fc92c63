"""Families of related datasets: siblings share rows or a source, so that their results are not independent.

The family is the unit of intervals and tests; the mean that they are about is the mean over datasets.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 9_999
SEED = 2014
"""Of the draws: the same results give the same intervals."""
FEWEST = 6
"""With fewer families the bootstrap is too narrow, and Student's t takes its place. (Nor can the signed-rank test be
below .05 then: its smallest two-sided p of five families is 2/32.)"""
LEVEL = 0.95


@dataclass(frozen=True)
class FamilyInterval:
    """Of a mean over datasets: standard error and 95 % interval over families; all NaN for a single family."""

    se: float
    low: float
    high: float


def families_of(datasets: pd.Index, families: Mapping[str, str]) -> NDArray[np.object_]:
    """The family of each of ``datasets``; one that is not in ``families`` is its own."""
    # An array: pandas takes a list for names of columns, if it has as many.
    return np.array([families.get(str(name), str(name)) for name in datasets], dtype=object)


def family_means(values: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """``values`` (datasets x columns) as means over the datasets of each family (families x columns)."""
    return values.groupby(families_of(values.index, families)).mean()


def family_interval(values: pd.Series, families: Mapping[str, str]) -> FamilyInterval:
    """Of the mean of ``values``, one a dataset and none missing.

    Cluster bootstrap: families are drawn with replacement, as many as there are, :data:`RESAMPLES` times, and the mean
    is over all datasets drawn; the interval are its percentiles, the standard error is its standard deviation. Below
    :data:`FEWEST` families it is Student's t with one degree of freedom less than families, and the standard error of
    a ratio estimator over clusters: sqrt(g / (g - 1) sum_f (sum_f - n_f mean)^2) / n.
    """
    by_family = values.groupby(families_of(values.index, families))
    sums, counts = by_family.sum().to_numpy(dtype=float), by_family.count().to_numpy(dtype=float)
    number, mean = len(sums), float(values.mean())
    if number < 2:
        return FamilyInterval(float("nan"), float("nan"), float("nan"))
    if number < FEWEST:
        residuals = sums - counts * mean
        se = float(np.sqrt(number / (number - 1) * (residuals**2).sum()) / counts.sum())
        half = float(stats.t.ppf((1 + LEVEL) / 2, number - 1)) * se
        return FamilyInterval(se, mean - half, mean + half)
    times = _draws(number)
    means = (times @ sums) / (times @ counts)
    low, high = np.percentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return FamilyInterval(float(means.std(ddof=1)), float(low), float(high))


@functools.lru_cache(maxsize=8)
def _draws(families: int) -> NDArray[np.float64]:
    """How often each family is drawn in each resample (:data:`RESAMPLES`, families)."""
    generator = np.random.default_rng(SEED)
    return generator.multinomial(families, np.full(families, 1 / families), size=RESAMPLES).astype(np.float64)

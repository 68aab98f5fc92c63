"""The difference of two methods, or of two protocols, over datasets: its mean, its uncertainty, and each seed's mean.

Dataset by dataset the difference is the mean over test folds, then over seeds. Uncertainty is computed over families of
related datasets (:mod:`bench.stats.families`), and also as if all datasets were independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from bench.errors import ReportError
from bench.stats.families import LEVEL, family_interval, family_means
from bench.stats.significance import signed_ranks
from bench.stats.summary import TIE

SEED_COVERAGE = 0.9
"""A seed's own mean counts if it has at least this share of the datasets: seeds are compared on the same ones."""


@dataclass(frozen=True)
class OverDatasets:
    """As if datasets were independent: Student's t for the mean, ``p`` of the signed-rank test over datasets."""

    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PairedDifference:
    """First minus second over the datasets that both have.

    ``mean``, ``wins``, ``ties`` and ``losses`` are over datasets. ``se``, ``low`` and ``high`` (95 %) are over
    families; all three are NaN for a single family. ``p`` is Wilcoxon's signed-rank test over family means, two-sided,
    and ``direction`` where its ranks point: 1, -1, or 0. ``by_seed`` has the mean of each seed with enough datasets.
    """

    datasets: int
    families: int
    mean: float
    se: float
    low: float
    high: float
    p: float
    direction: int
    wins: int
    ties: int
    losses: int
    single: OverDatasets
    by_seed: tuple[tuple[int, float], ...] = ()

    @property
    def same_sign(self) -> bool:
        """Whether the mean of every seed has the sign of the mean over all, and none is 0."""
        return all(np.sign(_rounded(mean)) == np.sign(_rounded(self.mean)) != 0 for _, mean in self.by_seed)

    @property
    def seed_range(self) -> tuple[float, float] | None:
        """The smallest and the largest mean of a seed; None for less than two seeds."""
        means = [mean for _, mean in self.by_seed]
        return (min(means), max(means)) if len(means) > 1 else None


def paired_difference(first: pd.Series, second: pd.Series, families: Mapping[str, str]) -> PairedDifference:
    """``first`` minus ``second``, both by (dataset, seed), where both have a value.

    ``families`` gives the family of a dataset; one that is not in it is its own. Raises :class:`ReportError` if there
    is no dataset in common.
    """
    seeded = (first - second).dropna()
    difference = seeded.groupby(level="dataset").mean()
    n = len(difference)
    if n == 0:
        raise ReportError("the two have no dataset in common")
    values, mean = difference.to_numpy(dtype=float), float(difference.mean())
    over_families = family_interval(difference, families)
    grouped = family_means(difference.to_frame(), families).to_numpy(dtype=float)[:, 0]
    p, direction = signed_ranks(grouped)
    se = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * se if n > 1 else float("nan")
    wins, losses = int((values > TIE).sum()), int((values < -TIE).sum())
    return PairedDifference(
        datasets=n,
        families=len(grouped),
        mean=mean,
        se=over_families.se,
        low=over_families.low,
        high=over_families.high,
        p=p,
        direction=direction,
        wins=wins,
        ties=n - wins - losses,
        losses=losses,
        single=OverDatasets(se, mean - half, mean + half, signed_ranks(values)[0]),
        by_seed=_by_seed(seeded, n),
    )


def _by_seed(seeded: pd.Series, datasets: int) -> tuple[tuple[int, float], ...]:
    found = seeded.groupby(level="seed").agg(["mean", "count"])
    enough = found[found["count"] >= SEED_COVERAGE * datasets]
    return tuple(zip(enough.index.astype(int).tolist(), enough["mean"].astype(float).tolist(), strict=True))


def _rounded(value: float) -> float:
    return round(value / TIE) * TIE


def leave_one_out(difference: pd.Series) -> tuple[tuple[str, float], tuple[str, float]] | None:
    """The smallest and largest mean of ``difference`` without one dataset, each with that dataset; None below three."""
    values = difference.dropna()
    if len(values) < 3:
        return None
    means = (values.sum() - values) / (len(values) - 1)
    return (str(means.idxmin()), float(means.min())), (str(means.idxmax()), float(means.max()))

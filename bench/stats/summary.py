"""The summary table: a pool of methods on a set of datasets, and one record per metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from bench.errors import ReportError, listed
from bench.records.measure import COMPARED, MEASURES, SELECTING, Kind, Measure, measures_of
from bench.stats.frame import score_matrix
from bench.stats.grinsztajn import normalised
from bench.stats.missing import COMMON_DATASETS, MissingRule, filled

TIE = 1e-9
"""Scores closer than this are equal: they differ by rounding of the mean over test folds only."""


@dataclass(frozen=True)
class Pool:
    """The methods compared with one another, the datasets they are compared on, and the rule for what is missing.

    ``scores`` is datasets x methods, the values of ``measure`` (the larger the better, none negative), NaN where there
    is no result. The best method on a dataset, and with it PMA, P90, P95 and the ranks, depend on who is in the pool.
    """

    scores: pd.DataFrame
    rule: MissingRule = COMMON_DATASETS
    measure: Measure = COMPARED["classification"]

    def __post_init__(self) -> None:
        if self.scores.shape[1] == 0 or self.scores.shape[0] == 0:
            raise ReportError("there is nothing to compare: the table has no dataset or no method")
        if self.rule.common_only and bool(self.scores.isna().any(axis=None)):
            raise ReportError(
                f"the grid is ragged ({describe_gaps(self.scores)}): compare on the common datasets "
                "(bench.stats.summary.common_pool) or select a rule for missing results"
            )

    @property
    def methods(self) -> list[str]:
        return [str(m) for m in self.scores.columns]

    @property
    def datasets(self) -> list[str]:
        return [str(d) for d in self.scores.index]

    @property
    def text(self) -> str:
        """The methods compared in words, to stand next to a table."""
        methods = ", ".join(self.methods) if len(self.methods) <= 10 else f"{len(self.methods)} methods"
        return f"{methods} on {len(self.datasets)} datasets"

    @cached_property
    def relative(self) -> pd.DataFrame:
        """Score over the best score of the pool on the same dataset, in [0, 1]."""
        values = filled(self.scores, self.rule.in_relative)
        best = values.max(axis=1)
        return values.div(best.where(best > 0, 1.0), axis=0).where(best > 0, 1.0)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Rank on each dataset: 1 is best, equal scores share the mean of their ranks."""
        return rank_rows(filled(self.scores, self.rule.in_rank))


def rank_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """Ranks within each row, 1 for the largest value, ties (to :data:`TIE`) averaged."""
    return (scores / TIE).round().rank(axis=1, ascending=False, method="average")


@dataclass(frozen=True)
class Metric:
    """A column of the summary table; ``title`` and ``hint`` as the pool's measure has them (:func:`metrics_of`)."""

    key: str
    title: str
    hint: str
    compute: Callable[[Pool], pd.Series]
    digits: int = 2
    lower_is_better: bool = False


def _share_within(fraction: float) -> Callable[[Pool], pd.Series]:
    return lambda pool: 100.0 * (pool.relative >= fraction - 1e-12).mean()


def _share_metric(percent: int, name: str) -> Metric:
    hint = f"share of datasets with at least {percent} % of the best {name} of the methods compared"
    return Metric(f"p{percent}", f"P{percent}", hint, _share_within(percent / 100))


def metrics_of(measure: Measure) -> tuple[Metric, ...]:
    """The columns of the summary of a pool that is compared on ``measure``."""
    name = measure.title
    return (
        Metric(
            "mean_score",
            f"Mean {name}",
            f"mean over datasets of the mean {name} over test folds{measure.in_unit}",
            lambda pool: filled(pool.scores, pool.rule.in_mean).mean(),
            measure.digits,
        ),
        Metric(
            "sd_score",
            "SD",
            f"standard deviation of the {name} over datasets (n - 1), {measure.points}: how much the datasets differ, "
            "not how uncertain the mean is",
            lambda pool: filled(pool.scores, pool.rule.in_mean).std(ddof=1),
            measure.digits,
        ),
        _share_metric(90, name),
        _share_metric(95, name),
        Metric(
            "pma",
            "PMA",
            f"mean over datasets of {name} over the best {name} of the methods compared, percent",
            lambda pool: 100.0 * pool.relative.mean(),
        ),
        Metric(
            "friedman_rank",
            "Average rank",
            "mean rank over datasets; 1 is best, ties share their mean rank",
            lambda pool: pool.ranks.mean(),
            lower_is_better=True,
        ),
    )


def win_rates(pool: Pool) -> pd.Series:
    """By method, percent: how often it has the higher score, over all datasets and other methods; ties count half.

    That is its average rank on another scale: (methods - rank) / (methods - 1). NaN for a single method.
    """
    others = len(pool.methods) - 1
    return 100.0 * (len(pool.methods) - pool.ranks.mean()) / others if others else pool.ranks.mean() * float("nan")


def summarise(pool: Pool) -> pd.DataFrame:
    """Methods (rows, in the pool's order) x the keys of :func:`metrics_of`."""
    return pd.DataFrame({m.key: m.compute(pool) for m in metrics_of(pool.measure)}).reindex(pool.methods)


@dataclass(frozen=True)
class Further:
    """One number over a pool's datasets of another measure than the one that the pool is compared on."""

    measure: Measure
    over: Literal["mean", "median", "min"] = "mean"

    @property
    def key(self) -> str:
        """The name of its column in ``summary.csv``."""
        return f"{self.over}_{self.measure.key}"

    @property
    def title(self) -> str:
        """``Balanced accuracy``, ``Median R2``, ``Lowest R2``."""
        words = {"mean": "", "median": "Median ", "min": "Lowest "}[self.over]
        return f"{words}{self.measure.title}" if words else self.measure.heading

    @property
    def hint(self) -> str:
        """What it is, in words."""
        over = {"mean": "mean", "median": "median", "min": "lowest"}[self.over]
        return f"{over} over datasets; {self.measure.meaning}{self.measure.in_unit}"

    def of(self, scores: pd.DataFrame, protocol: str, pool: Pool) -> pd.Series:
        """By method of ``pool``; NaN where one of the pool's datasets has no such result."""
        found = score_matrix(scores, protocol, self.measure).reindex(index=pool.datasets, columns=pool.methods)
        return found.agg(self.over, skipna=False)


FURTHER: dict[Kind, tuple[Further, ...]] = {
    "classification": tuple(Further(m) for m in measures_of("classification") if m != COMPARED["classification"]),
    "regression": (Further(MEASURES["r2"], "median"), Further(MEASURES["r2"], "min")),
}
"""Further measures. RMSE and MAE are not averaged: each dataset has its own unit; R2 has no lower bound."""


def normalised_score(scores: pd.DataFrame, protocol: str, pool: Pool) -> pd.Series:
    """By method of ``pool``, the mean over its datasets of the accuracy or R2 on the scale of Grinsztajn et al.

    On each dataset the methods of the pool are what a score is normalised among
    (:func:`bench.stats.grinsztajn.normalised`): it depends on who is in the pool.
    """
    kind = pool.measure.kind
    tested = score_matrix(scores, protocol, SELECTING[kind]).loc[pool.datasets, pool.methods]
    scaled = [normalised(row, row, kind) for row in tested.to_numpy()]
    return pd.Series(np.mean(scaled, axis=0), index=pool.methods)


@dataclass(frozen=True)
class CommonPool:
    """A pool over the datasets which all its methods share, and what was left out to get there."""

    pool: Pool
    dropped: dict[str, list[str]]
    """Datasets left out, with the methods that lack a result there."""
    left_out: dict[str, int]
    """Methods left out because they cover too little, with the number of datasets they have."""


def common_pool(
    scores: pd.DataFrame, measure: Measure = COMPARED["classification"], *, coverage: float = 0.5
) -> CommonPool:
    """The methods and datasets that can be compared without filling anything in.

    A method with less than ``coverage`` times as many results as the best-covered one would shrink the table to its
    own few: it is left out and named. (Relative to the best-covered method, not to all datasets: where most tables
    fail for everyone, those that are left still compare.) Of the rest, only datasets that all of them share are kept.
    Raises :class:`ReportError`, saying what is missing, if there is no result at all or nothing is shared.
    """
    if scores.isna().all(axis=None):
        raise ReportError("there is no result to compare")
    counts = scores.notna().sum()
    enough = counts >= max(coverage * counts.max(), 1)
    kept = scores.loc[:, enough]
    complete = kept.notna().all(axis=1)
    if not complete.any():
        raise ReportError(f"no dataset has a result of every method ({describe_gaps(scores)})")
    gaps = kept.index[~complete]
    dropped = {str(d): [str(m) for m in kept.columns[kept.loc[d].isna()]] for d in gaps}
    left_out = {str(m): int(counts[m]) for m in scores.columns[~enough]}
    return CommonPool(Pool(kept.loc[complete], measure=measure), dropped, left_out)


def describe_gaps(scores: pd.DataFrame) -> str:
    """In words, which methods lack which datasets."""
    parts = []
    for method in scores.columns:
        gaps = [str(d) for d in scores.index[scores[method].isna()]]
        if gaps:
            parts.append(f"{method} lacks {listed(gaps)}")
    return "; ".join(parts) if parts else "nothing is missing"


def profile(pool: Pool, within: np.ndarray) -> pd.DataFrame:
    """Share of datasets (percent) with a score within ``within`` percent of the pool's best: ``within`` x methods."""
    loss = 100.0 * (1.0 - pool.relative)
    shares = {m: [100.0 * float((loss[m] <= x + 1e-9).mean()) for x in within] for m in pool.methods}
    return pd.DataFrame(shares, index=pd.Index(within, name="within_percent_of_best"))

"""The summary table: a pool of methods on a set of datasets, and one record per metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bench.errors import ReportError
from bench.stats.missing import COMMON_DATASETS, MissingRule, filled

TIE = 1e-9
"""Accuracies (percent) closer than this are equal: they differ by rounding of the mean over hold-outs only."""


@dataclass(frozen=True)
class Pool:
    """The methods compared with one another, the datasets they are compared on, and the rule for what is missing.

    ``accuracy`` is datasets x methods in percent, NaN where there is no result. The best method on a dataset, and with
    it PMA, P90, P95 and the ranks, depend on who is in the pool.
    """

    accuracy: pd.DataFrame
    rule: MissingRule = COMMON_DATASETS

    def __post_init__(self) -> None:
        if self.accuracy.shape[1] == 0 or self.accuracy.shape[0] == 0:
            raise ReportError("there is nothing to compare: the table has no dataset or no method")
        if self.rule.common_only and bool(self.accuracy.isna().any(axis=None)):
            raise ReportError(
                f"the grid is ragged ({describe_gaps(self.accuracy)}): compare on the common datasets "
                "(bench.stats.summary.common_pool) or choose a rule for missing results"
            )

    @property
    def methods(self) -> list[str]:
        return [str(m) for m in self.accuracy.columns]

    @property
    def datasets(self) -> list[str]:
        return [str(d) for d in self.accuracy.index]

    @property
    def text(self) -> str:
        """The pool in words, to stand beside a table."""
        methods = ", ".join(self.methods) if len(self.methods) <= 10 else f"{len(self.methods)} methods"
        return f"{methods} on {len(self.datasets)} datasets"

    @cached_property
    def relative(self) -> pd.DataFrame:
        """Accuracy over the best accuracy of the pool on the same dataset, in [0, 1]."""
        values = filled(self.accuracy, self.rule.in_relative)
        best = values.max(axis=1)
        return values.div(best.where(best > 0, 1.0), axis=0).where(best > 0, 1.0)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Rank on each dataset: 1 is best, equal accuracies share the mean of their ranks."""
        return rank_rows(filled(self.accuracy, self.rule.in_rank))


def rank_rows(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Ranks within each row, 1 for the largest value, ties (to :data:`TIE`) averaged."""
    return (accuracy / TIE).round().rank(axis=1, ascending=False, method="average")


@dataclass(frozen=True)
class Metric:
    """A column of the summary table."""

    key: str
    title: str
    hint: str
    digits: int
    compute: Callable[[Pool], pd.Series]
    lower_is_better: bool = False


def _share_within(fraction: float) -> Callable[[Pool], pd.Series]:
    return lambda pool: 100.0 * (pool.relative >= fraction - 1e-12).mean()


METRICS = (
    Metric(
        "mean_accuracy",
        "Mean accuracy",
        "mean over datasets of the mean accuracy over hold-outs, percent",
        2,
        lambda pool: filled(pool.accuracy, pool.rule.in_mean).mean(),
    ),
    Metric(
        "sd_accuracy",
        "SD",
        "standard deviation of the accuracy over datasets (n - 1), points: how much the datasets differ, "
        "not how uncertain the mean is",
        2,
        lambda pool: filled(pool.accuracy, pool.rule.in_mean).std(ddof=1),
    ),
    Metric("p90", "P90", "share of datasets with at least 90 % of the pool's best accuracy", 2, _share_within(0.90)),
    Metric("p95", "P95", "share of datasets with at least 95 % of the pool's best accuracy", 2, _share_within(0.95)),
    Metric(
        "pma",
        "PMA",
        "mean over datasets of accuracy over the pool's best accuracy, percent",
        2,
        lambda pool: 100.0 * pool.relative.mean(),
    ),
    Metric(
        "friedman_rank",
        "Friedman rank",
        "mean rank over datasets; 1 is best, ties share their mean rank",
        2,
        lambda pool: pool.ranks.mean(),
        lower_is_better=True,
    ),
)


def summarise(pool: Pool) -> pd.DataFrame:
    """Methods (rows, in the pool's order) x the keys of :data:`METRICS`."""
    return pd.DataFrame({metric.key: metric.compute(pool) for metric in METRICS}).reindex(pool.methods)


@dataclass(frozen=True)
class CommonPool:
    """A pool over the datasets which all its methods share, and what was left out to get there."""

    pool: Pool
    dropped: dict[str, list[str]]
    """Datasets left out, with the methods that lack a result there."""
    left_out: dict[str, int]
    """Methods left out because they cover too little, with the number of datasets they have."""


def common_pool(accuracy: pd.DataFrame, *, coverage: float = 0.5) -> CommonPool:
    """The methods and datasets that can be compared without filling anything in.

    A method with less than ``coverage`` times as many results as the best-covered one would shrink the table to its
    own few: it is left out and named. (Relative to the best-covered method, not to all datasets: where most tables
    fail for everyone, those that are left still compare.) Of the rest, only datasets that all of them share are kept.
    Raises :class:`ReportError`, saying what is missing, if there is no result at all or nothing is shared.
    """
    if accuracy.isna().all(axis=None):
        raise ReportError("there is no result to compare")
    counts = accuracy.notna().sum()
    enough = counts >= max(coverage * counts.max(), 1)
    kept = accuracy.loc[:, enough]
    complete = kept.notna().all(axis=1)
    if not complete.any():
        raise ReportError(f"no dataset has a result of every method ({describe_gaps(accuracy)})")
    gaps = kept.index[~complete]
    dropped = {str(d): [str(m) for m in kept.columns[kept.loc[d].isna()]] for d in gaps}
    left_out = {str(m): int(counts[m]) for m in accuracy.columns[~enough]}
    return CommonPool(Pool(kept.loc[complete]), dropped, left_out)


def describe_gaps(accuracy: pd.DataFrame, limit: int = 5) -> str:
    """In words, which methods lack which datasets."""
    parts = []
    for method in accuracy.columns:
        gaps = [str(d) for d in accuracy.index[accuracy[method].isna()]]
        if gaps:
            more = f", ... ({len(gaps)} in all)" if len(gaps) > limit else ""
            parts.append(f"{method} lacks {', '.join(gaps[:limit])}{more}")
    return "; ".join(parts) if parts else "nothing is missing"


def accuracy_profile(pool: Pool, within: np.ndarray) -> pd.DataFrame:
    """Share of datasets (percent) with accuracy within ``within`` percent of the pool's best: ``within`` x methods."""
    loss = 100.0 * (1.0 - pool.relative)
    shares = {m: [100.0 * float((loss[m] <= x + 1e-9).mean()) for x in within] for m in pool.methods}
    return pd.DataFrame(shares, index=pd.Index(within, name="within_percent_of_best"))

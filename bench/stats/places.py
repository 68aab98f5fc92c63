"""Where our methods stand among the published study's classifiers, by protocol and on three sets of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.stats.published import PublishedStudy, joined_pool, study_pool
from bench.stats.summary import TIE, Pool, summarise

SUBSETS = {
    "all121": ("small", "large", "test-file"),
    "no-test-file": ("small", "large"),
    "small90": ("small",),
}
"""The sets of datasets by name, each with the registry's groups that it takes; every set holds the next.

On those with a test file the study tested on that file and we inside the training file: these are different tasks, and
only the first set has them.
"""
WHOLE = 0.95
"""A method of ours takes part if it has this share of the results of our best-covered one: the rule for what is missing
is the study's own, and was made for a few failures."""
BEST = 5
"""The study's classifiers that are kept next to ours."""

COLUMNS = (
    "protocol",
    "subset",
    "datasets",
    "method",
    "whose",
    "mean_accuracy",
    "p90",
    "p95",
    "pma",
    "friedman_rank",
    "place_by_rank",
    "place_by_mean",
    "missing",
    "pool",
    "missing_rule",
)
"""Columns of ``places.csv``. ``pool`` is the number of methods placed, ``friedman_rank`` their average rank, ``whose``
``ours`` or ``study``."""


@dataclass(frozen=True, eq=False)
class Standing:
    """The pool of the study's classifiers and our methods under one protocol, on the datasets of one subset.

    ``means`` are our mean accuracies in full precision (the pool has them rounded to the study's decimals);
    ``left_out`` are methods of ours with too few results, with the number of datasets they have.
    """

    protocol: str
    subset: str
    pool: Pool
    means: pd.Series
    left_out: Mapping[str, int]

    @property
    def ours(self) -> list[str]:
        return [str(m) for m in self.means.index]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Pool x its metrics, ``place_by_rank``, ``place_by_mean`` and ``missing``, the best average rank first."""
        return placed(self.pool, self.means)

    def value(self, method: str, key: str) -> float:
        """One figure of :attr:`table`."""
        return float(self.table[key][method])

    @property
    def best_of_study(self) -> list[str]:
        """The study's :data:`BEST` classifiers by average rank in this pool."""
        return [str(m) for m in self.table.index if m not in self.means.index][:BEST]


def placed(pool: Pool, means: pd.Series | None = None) -> pd.DataFrame:
    """The summary of ``pool`` with the place of each method, ``means`` in place of the pool's where they are given.

    Equal values share the smaller place.
    """
    table = summarise(pool)
    if means is not None:
        table.loc[means.index, "mean_score"] = means
    by_rank, by_mean = (table["friedman_rank"] / TIE).round(), (table["mean_score"] / TIE).round()
    table["place_by_rank"] = by_rank.rank(method="min").astype(int)
    table["place_by_mean"] = by_mean.rank(method="min", ascending=False).astype(int)
    table["missing"] = pool.scores.isna().sum()
    return table.sort_values("friedman_rank", kind="stable")


def standing(
    study: PublishedStudy, protocol: str, ours: pd.DataFrame, subset: str, group_of: Mapping[str, str | None]
) -> Standing | None:
    """Our methods (``ours``: datasets x methods, NaN where there is no result) on one of :data:`SUBSETS`.

    None if no dataset of the subset is in the study and has a result of ours, or if the set is no larger than the next.
    """
    found = _shared(study, ours, SUBSETS[subset], group_of)
    names = list(SUBSETS)
    smaller = names[names.index(subset) + 1 :]
    if found.empty or any(len(_shared(study, ours, SUBSETS[s], group_of)) == len(found) for s in smaller):
        return None
    counts = found.notna().sum()
    whole = counts >= WHOLE * counts.max()
    kept = found.loc[:, whole].dropna(how="all")
    return Standing(protocol, subset, joined_pool(study, kept), kept.mean(), counts[~whole & (counts > 0)].to_dict())


def _shared(
    study: PublishedStudy, ours: pd.DataFrame, groups: tuple[str, ...], group_of: Mapping[str, str | None]
) -> pd.DataFrame:
    """The rows of ``ours`` with some result, of datasets in ``groups`` that the study has."""
    names = [d for d in ours.index if group_of.get(str(d)) in groups and d in study.accuracy.index]
    return ours.loc[names].dropna(how="all")


def standings(
    study: PublishedStudy, ours: Mapping[str, pd.DataFrame], group_of: Mapping[str, str | None]
) -> list[Standing]:
    """Of each protocol in ``ours`` (its accuracies, datasets x methods) on every subset that it has, in that order."""
    found = (standing(study, p, matrix, subset, group_of) for p, matrix in ours.items() for subset in SUBSETS)
    return [s for s in found if s is not None]


def study_alone(study: PublishedStudy, found: list[Standing]) -> dict[str, pd.DataFrame]:
    """By subset the study's classifiers alone, placed among themselves on the most datasets that a standing has."""
    largest = {s.subset: s.pool.datasets for s in sorted(found, key=lambda s: len(s.pool.datasets))}
    return {subset: placed(study_pool(study, largest[subset])) for subset in SUBSETS if subset in largest}


def places_frame(found: list[Standing]) -> pd.DataFrame:
    """``places.csv``: :data:`COLUMNS`, our methods and the study's best of every standing, the best rank first."""
    rows: list[dict[str, object]] = []
    for s in found:
        shown = [str(m) for m in s.table.index if m in {*s.ours, *s.best_of_study}]
        for method in shown:
            row: dict[str, object] = {"protocol": s.protocol, "subset": s.subset, "datasets": len(s.pool.datasets)}
            row |= {"method": method, "whose": "ours" if method in s.ours else "study"}
            row |= {"mean_accuracy": s.value(method, "mean_score")}
            row |= {key: s.value(method, key) for key in ("p90", "p95", "pma", "friedman_rank")}
            row |= {key: int(s.value(method, key)) for key in ("place_by_rank", "place_by_mean", "missing")}
            rows.append(row | {"pool": len(s.pool.methods), "missing_rule": s.pool.rule.name})
    return pd.DataFrame(rows, columns=list(COLUMNS))

"""Paired comparisons and rank tests. Distributions are scipy's.

Sources: Demšar, JMLR 7 (2006) for the tests over datasets; Holm (1979) for the step-down correction; Nemenyi (1963) by
the studentised range. The unit is the dataset: hold-outs of one table overlap and are averaged before any test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bench.errors import ReportError
from bench.stats.summary import TIE, rank_rows


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two methods (or protocols) over the datasets both have: first minus second.

    ``se`` is the standard error of the mean difference over datasets, ``low`` and ``high`` the 95 % interval by
    Student's t; all three are NaN for a single dataset. ``p`` is Wilcoxon's signed-rank test, two-sided.
    """

    datasets: int
    mean: float
    se: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p: float


def paired_difference(first: pd.Series, second: pd.Series) -> PairedDifference:
    """``first`` minus ``second`` over their common datasets. Raises :class:`ReportError` if there are none."""
    difference = (first - second).dropna().to_numpy(dtype=float)
    n = len(difference)
    if n == 0:
        raise ReportError("the two have no dataset in common")
    se = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    half = float(stats.t.ppf(0.975, n - 1)) * se if n > 1 else float("nan")
    mean = float(difference.mean())
    wins, losses = int((difference > TIE).sum()), int((difference < -TIE).sum())
    return PairedDifference(
        n, mean, se, mean - half, mean + half, wins, n - wins - losses, losses, wilcoxon(difference)
    )


def leave_one_out(difference: pd.Series) -> tuple[tuple[str, float], tuple[str, float]] | None:
    """The smallest and largest mean of ``difference`` without one dataset, each with that dataset; None below three."""
    values = difference.dropna()
    if len(values) < 3:
        return None
    means = (values.sum() - values) / (len(values) - 1)
    return (str(means.idxmin()), float(means.min())), (str(means.idxmax()), float(means.max()))


def wilcoxon(difference: NDArray[np.float64]) -> float:
    """Two-sided p-value of the signed-rank test; zero differences are dropped, and 1 if nothing else is left.

    Exact for up to 50 differences without equal magnitudes, otherwise scipy's normal approximation corrected for ties.
    """
    rounded = np.round(np.asarray(difference, dtype=float) / TIE) * TIE
    nonzero = rounded[rounded != 0]
    if len(nonzero) == 0:
        return 1.0
    distinct = len(np.unique(np.abs(nonzero))) == len(nonzero)
    method = "exact" if distinct and len(nonzero) <= 50 else "approx"
    return float(stats.wilcoxon(nonzero, method=method).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    m = len(p)
    adjusted = [1.0] * m
    running = 0.0
    for position, index in enumerate(np.argsort(np.asarray(p), kind="stable")):
        running = max(running, min(1.0, (m - position) * p[index]))
        adjusted[index] = running
    return adjusted


def wilcoxon_holm(scores: pd.DataFrame) -> pd.DataFrame:
    """Symmetric methods x methods matrix of Wilcoxon p-values, Holm-adjusted over all pairs; 1 on the diagonal."""
    methods = list(scores.columns)
    pairs = [(a, b) for i, a in enumerate(methods) for b in methods[i + 1 :]]
    raw = [wilcoxon((scores[a] - scores[b]).to_numpy(dtype=float)) for a, b in pairs]
    matrix = pd.DataFrame(1.0, index=methods, columns=methods)
    for (a, b), value in zip(pairs, holm(raw), strict=True):
        matrix.loc[a, b] = matrix.loc[b, a] = value
    return matrix


@dataclass(frozen=True)
class FriedmanTest:
    """Friedman's test with the correction for ties, and Iman and Davenport's F form of it (less conservative)."""

    datasets: int
    methods: int
    statistic: float
    p: float
    f_statistic: float
    f_p: float


def friedman(scores: pd.DataFrame) -> FriedmanTest:
    """Do the methods (columns) differ over the datasets (rows)? All ties give a statistic of 0 and p = 1."""
    ranks = rank_rows(scores).to_numpy(dtype=float)
    n, k = ranks.shape
    if k < 2:
        raise ReportError("Friedman's test needs two methods or more")
    spread = float(((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum())
    within = float(((ranks - (k + 1) / 2) ** 2).sum())
    if within == 0.0:
        return FriedmanTest(n, k, 0.0, 1.0, 0.0, 1.0)
    statistic = (k - 1) * n**2 * spread / within
    p = float(stats.chi2.sf(statistic, k - 1))
    room = n * (k - 1) - statistic
    if n == 1 or room <= 1e-9:
        # One dataset, or the same order on all of them: F is 0/0 or infinite; the chi-square form stands.
        return FriedmanTest(n, k, statistic, p, float("nan"), float("nan"))
    f = (n - 1) * statistic / room
    return FriedmanTest(n, k, statistic, p, f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1))))


def critical_difference(methods: int, datasets: int, alpha: float = 0.05) -> float:
    """Smallest difference of mean ranks that Nemenyi's test calls significant at ``alpha``."""
    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * datasets)))


def nemenyi(mean_ranks: pd.Series, datasets: int) -> pd.DataFrame:
    """Methods x methods matrix of Nemenyi's p-values (all pairs, family-wise); 1 on the diagonal."""
    values = mean_ranks.to_numpy(dtype=float)
    k = len(values)
    z = np.abs(values[:, None] - values[None, :]) / np.sqrt(k * (k + 1) / (6 * datasets))
    p = np.asarray(stats.studentized_range.sf(z * np.sqrt(2), k, np.inf), dtype=float)
    np.fill_diagonal(p, 1.0)
    return pd.DataFrame(np.clip(p, 0.0, 1.0), index=mean_ranks.index, columns=mean_ranks.index)


def rank_groups(mean_ranks: pd.Series, differ: pd.DataFrame) -> list[list[str]]:
    """Maximal runs of methods, contiguous in rank, in which no pair differs; runs of one are left out.

    ``differ`` is a methods x methods boolean matrix. A bar over such a run never crosses a method that differs from one
    of the others under it, which a clique that skips ranks would.
    """
    order = [str(m) for m in mean_ranks.sort_values(kind="stable").index]
    runs: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = start
        while end + 1 < len(order) and not any(
            bool(differ.loc[order[i], order[end + 1]]) for i in range(start, end + 1)
        ):
            end += 1
        if end > start and (not runs or end > runs[-1][1]):
            runs.append((start, end))
    return [order[a : b + 1] for a, b in runs]


def win_tie_loss(scores: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(wins, ties, losses) of the first method against the second, for every ordered pair of distinct methods."""
    table = {}
    for a in scores.columns:
        for b in scores.columns:
            if a != b:
                difference = (scores[a] - scores[b]).dropna()
                wins, losses = int((difference > TIE).sum()), int((difference < -TIE).sum())
                table[str(a), str(b)] = (wins, len(difference) - wins - losses, losses)
    return table

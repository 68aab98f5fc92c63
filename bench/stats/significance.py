"""Rank tests, Holm's correction, and groups of methods that do not differ. Distributions are scipy's.

Sources: Demšar, JMLR 7 (2006) for the tests over datasets; Holm (1979) for the step-down correction. Test folds of one
dataset overlap and are averaged before any test; so are the datasets of a family (:mod:`bench.stats.families`).
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

EXACT, EXACT_WITH_TIES = 50, 13
"""Up to so many differences the signed-rank test's distribution is exact: without equal magnitudes, and with some,
where all 2^13 choices of signs are looked at. (The approximation has p .046 for four equal differences, not .125.)"""


def signed_ranks(difference: NDArray[np.float64]) -> tuple[float, int]:
    """Wilcoxon's signed-rank test: two-sided p, and the side (1, -1, or 0) of the larger sum of ranks.

    Zero differences are dropped; (1, 0) if nothing else is left. Exact for few differences (:data:`EXACT`), otherwise
    scipy's normal approximation corrected for ties.
    """
    rounded = np.round(np.asarray(difference, dtype=float) / TIE) * TIE
    nonzero = rounded[rounded != 0]
    if len(nonzero) == 0:
        return 1.0, 0
    signed = np.sign(nonzero) * stats.rankdata(np.abs(nonzero))
    side = int(np.sign(signed.sum()))
    if len(np.unique(np.abs(nonzero))) == len(nonzero):
        method = "exact" if len(nonzero) <= EXACT else "approx"
        return float(stats.wilcoxon(nonzero, method=method).pvalue), side
    if len(nonzero) > EXACT_WITH_TIES:
        return float(stats.wilcoxon(nonzero, method="approx").pvalue), side
    flipped = stats.permutation_test(
        (signed,), np.sum, permutation_type="samples", vectorized=True, n_resamples=2**EXACT_WITH_TIES
    )
    return float(flipped.pvalue), side


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    m = len(p)
    adjusted = [1.0] * m
    running = 0.0
    for position, index in enumerate(np.argsort(np.asarray(p), kind="stable")):
        running = max(running, min(1.0, (m - position) * p[index]))
        adjusted[index] = running
    return adjusted


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

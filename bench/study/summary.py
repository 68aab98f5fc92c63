"""Intervals for the studies' curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.report.figures.curves import Point

CONFIDENCE = 0.95


def mean_point(x: float, values: Sequence[float], *, log: bool = False, floor: float = 0.0) -> Point:
    """The mean of repeats with its 95 % Student interval; of their logarithms if ``log`` (a geometric mean).

    Of two repeats, for which that interval says nothing, the range. ``floor`` replaces smaller values.
    """
    v = np.maximum(np.asarray(values, dtype=float), floor)
    scale = np.log10(v) if log else v
    middle = float(scale.mean())
    if len(v) < 3:
        low, high = float(scale.min()), float(scale.max())
    else:
        half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(v) - 1) * scale.std(ddof=1) / np.sqrt(len(v)))
        low, high = middle - half, middle + half
    back = (lambda s: float(10.0**s)) if log else float
    return Point(x, back(middle), back(low), back(high))


def band_words(repeats: int) -> str:
    """What the shading of :func:`mean_point`'s intervals shows."""
    if repeats < 2:
        return ""
    return "; shaded: " + ("range over the repeats" if repeats == 2 else "95 % Student interval")


def share_point(x: float, successes: int, tries: int) -> Point:
    """A share with its 95 % Wilson interval."""
    interval = stats.binomtest(successes, tries).proportion_ci(CONFIDENCE, method="wilson")
    return Point(x, successes / tries, float(interval.low), float(interval.high))

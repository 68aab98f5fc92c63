"""What the studies' reports share: groups of results, and intervals."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.report.figures.curves import Point
from bench.study.cell import Outcome

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

CONFIDENCE = 0.95


def of_kind(outcomes: Iterable[Outcome], kind: str) -> list[Outcome]:
    """Those of one kind of cell, by seed."""
    return sorted((o for o in outcomes if o.cell.kind == kind), key=lambda o: o.cell.seed)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """By ``key``, in the order in which keys are met."""
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def student_half(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Half of the 95 % Student interval of the mean of two values or more."""
    count = len(values)
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))


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
        half = student_half(scale)
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

"""Greedy forward selection of the members of a mean, with replacement.

Reference: Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of models, ICML 2004.

The squared error of a mean is a quadratic form. With r_i the residuals of candidate i (scores less targets, over all
rows and columns) and c its count, |sum c_i r_i / sum c_i|^2 = c' G c / (sum c)^2 with G = (r_i . r_j): the steps need
no scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STEPS = 25
"""Members that are added to the best single one at most."""
SMALLEST_GAIN = 1e-9
"""A step must lower the squared error by more than this share of it: less is the rounding of the sums."""
EQUAL = 1e-10
"""Relative difference below which errors are equal."""


def greedy_counts(G: FloatArray) -> FloatArray:
    """How often each of p candidates is a member of the mean, (p,): whole numbers, at least one above 0.

    ``G`` (p, p) holds the products of the candidates' residuals, in any unit. The first member is the best single
    candidate. Each of at most :data:`STEPS` steps adds the one with which the mean has the smallest squared error,
    again if need be; the selection ends where none lowers it by more than rounding. The first of equals is taken.
    """
    counts = np.zeros(len(G))
    counts[first_of_least(G.diagonal())] = 1.0
    error = float(counts @ G @ counts)
    for size in range(2, STEPS + 2):
        grown = counts.copy()
        # (c + e_i)' G (c + e_i), less c' G c, which is the same for all i
        grown[first_of_least(2.0 * (G @ counts) + G.diagonal())] += 1.0
        lowered = float(grown @ G @ grown) / size**2
        if not lowered < error * (1.0 - SMALLEST_GAIN):
            break
        counts, error = grown, lowered
    return counts


def first_of_least(values: FloatArray) -> int:
    """The first place whose value is the smallest up to rounding."""
    least = values.min()
    return int(np.flatnonzero(values <= least + EQUAL * max(abs(least), np.abs(values).max()))[0])

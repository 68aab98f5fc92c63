"""Class probabilities from the scores of regression on one-hot targets, by one temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax

FloatArray = NDArray[np.float64]

_USUAL = 4.0
"""Where the inverse temperature stays that a few rows say nothing of: about the median on small tables."""


def fit_inverse_temperature(scores: FloatArray, codes: NDArray[np.int64], weights: FloatArray) -> float:
    """The b > 0 with which softmax(b s) of ``scores`` s (m, c) has the least log loss on the classes ``codes`` (m,).

    The scores must be of rows that were not fitted. One pseudo-row that prefers the usual b keeps it finite where all
    rows are classified rightly. ``weights`` (m,) of the rows count in the loss.
    """
    centred = scores - scores[np.arange(len(scores)), codes][:, None]
    total = weights.sum()

    def slope(theta: float) -> float:
        """The derivative of the mean loss by theta = log b."""
        b = float(np.exp(theta))
        expected = (softmax(b * centred, axis=1) * centred).sum(axis=1)
        return b * float(weights @ expected) / total + 2.0 * (theta - np.log(_USUAL)) / total

    return float(np.exp(brentq(slope, -20.0, 20.0, xtol=1e-12)))


def probabilities(scores: FloatArray, inverse_temperature: float) -> FloatArray:
    """softmax(b s), (m, c): probabilities have the order of the scores."""
    return np.asarray(softmax(inverse_temperature * scores, axis=1))

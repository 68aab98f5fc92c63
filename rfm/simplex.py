"""From scores of classes to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest_distribution(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point of the probability simplex nearest to each row of ``scores`` (m, c), in Euclidean distance.

    It is max(s - tau, 0) with the tau that makes the row sum to 1 (Held, Wolfe & Crowder 1974). As the simplex is
    convex and contains every one-hot label, no row moves away from any label.
    """
    descending = -np.sort(-scores, axis=1)
    ranks = np.arange(1, scores.shape[1] + 1)
    thresholds = (np.cumsum(descending, axis=1) - 1.0) / ranks
    kept = np.count_nonzero(descending > thresholds, axis=1)
    tau = np.take_along_axis(thresholds, kept[:, None] - 1, axis=1)
    projected: NDArray[np.float64] = np.maximum(scores - tau, 0.0)
    return projected / projected.sum(axis=1, keepdims=True)

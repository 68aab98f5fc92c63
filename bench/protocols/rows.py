"""What is done to the numbers of a table before a method sees them: filling what is missing, standardising.

The rule for missing numbers: each becomes the mean of the known values of its column among the training rows; where
none is known there, 0. After the protocol's standardisation it lies at 0, the centre of the data. It is fitted once per
test fold on the same rows as the scaling, test rows are filled with the training part's means, and no label is looked
at. Under the protocols that scale a table over all its rows it is fitted over all rows too, as everything unsupervised
is there.
"""

from __future__ import annotations

import numpy as np

from bench.records.dataset import FloatArray, IntArray


def has_missing(X: FloatArray) -> bool:
    """Whether any number of ``X`` is missing (NaN)."""
    return bool(np.isnan(X).any())


def fill(X: FloatArray, rows: IntArray) -> FloatArray:
    """``X`` (n, d) with each NaN replaced by its column's mean over the known values in ``rows``; 0 if there are none.

    Returns ``X`` itself if nothing is missing.
    """
    gaps = np.isnan(X)
    if not gaps.any():
        return X
    known = ~gaps[rows]
    counts = known.sum(axis=0)
    sums = np.where(known, X[rows], 0.0).sum(axis=0)
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return np.where(gaps, means, X)


def standardise(X: FloatArray, rows: IntArray) -> FloatArray:
    """``X`` with columns of mean 0 and standard deviation 1 (ddof=1, as in the archive) over ``rows``.

    A column that is constant on ``rows`` carries nothing that could be learned there and becomes 0 everywhere.
    """
    part = X[rows]
    mean = part.mean(axis=0)
    deviation = part.std(axis=0, ddof=1) if len(part) > 1 else np.zeros(X.shape[1])
    varies = deviation > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    scaled: FloatArray = np.where(varies, (X - mean) / np.where(varies, deviation, 1.0), 0.0)
    return scaled

"""Missing numbers: filled for each hold-out from its training part, and only from there.

The rule: a missing number becomes the mean of the known values of its column among the training rows; where none is
known there, 0. After the protocol's standardisation it lies at 0, the centre of the data. It is fitted once per
hold-out on the same rows as the scaling, test rows are filled with the training part's means, and no label is looked
at. Under the protocols that scale a table over all its rows (``relearn``, ``published``) it is fitted over all rows
too, as everything unsupervised is there.
"""

from __future__ import annotations

import numpy as np

from bench.data.dataset import FloatArray, IntArray


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

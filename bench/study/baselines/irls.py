"""IRLS-p for matrix completion as the textbook has it (Mohan and Fazel, JMLR 13, 2012): the reference for speed.

Minimise tr(X W X') subject to the observed entries, row by row; then W = (X' X / n + g I)^(p/2 - 1) from the singular
values of X. Nothing is batched, and no system is avoided, but each is solved by the library's routine for it.
"""

from __future__ import annotations

import numpy as np

from rfm.completion import Entries
from rfm.completion.entries import FloatArray


def irls(
    entries: Entries,
    held_out: Entries,
    *,
    p: float,
    smoothing: float = 1.0,
    decay: float = 0.9,
    end: float = 1e-10,
    iterations: int = 400,
    patience: int = 30,
    tol: float = 1e-7,
) -> tuple[FloatArray, int, float]:
    """The completion (n, d) with the least held-out squared error, the iterations done, and that error.

    The smoothing follows the same rule as lin-RFM's ridge, which is the same quantity.
    """
    K = np.eye(entries.shape[1])
    best: tuple[float, FloatArray] = (np.inf, np.zeros(entries.shape))
    g, waited, done = smoothing, 0, 0
    while done < iterations:
        done += 1
        X = complete_rows(entries, K)
        error = float(np.mean((X[held_out.rows, held_out.cols] - held_out.values) ** 2))
        waited = 0 if error < 0.999 * best[0] else waited + 1
        if error < best[0]:
            best = (error, X)
        if waited > patience or error <= tol**2 or not np.isfinite(error):
            break
        g = max(end, min(decay * g, error))
        K = inverse_weights(X, g, p)
    return best[1], done, best[0]


def complete_rows(entries: Entries, K: FloatArray) -> FloatArray:
    """X (n, d) of minimal tr(X W X') through the observed entries, for K = W^-1."""
    X = np.zeros(entries.shape)
    starts = entries.row_starts
    for i in range(entries.shape[0]):
        seen = entries.cols[starts[i] : starts[i + 1]]
        if len(seen):
            y = entries.values[starts[i] : starts[i + 1]]
            X[i] = np.linalg.solve(K[np.ix_(seen, seen)], y) @ K[seen]
            X[i, seen] = y
    return X


def inverse_weights_by_gram(X: FloatArray, g: float, p: float) -> FloatArray:
    """The same W^-1 (d, d) from the eigenvalues of X' X / n: what IRLS can do without the larger decomposition."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    weighted: FloatArray = (vectors * (np.maximum(values, 0.0) + g) ** (1 - p / 2)) @ vectors.T
    return weighted


def inverse_weights(X: FloatArray, g: float, p: float) -> FloatArray:
    """W^-1 = (X' X / n + g I)^(1 - p/2) (d, d) from the singular value decomposition of ``X`` (n, d)."""
    n, d = X.shape
    _, s, Vt = np.linalg.svd(X, full_matrices=n < d)
    squares = np.zeros(d)
    squares[: len(s)] = s**2 / n
    weighted: FloatArray = (Vt.T * (squares + g) ** (1 - p / 2)) @ Vt
    return weighted

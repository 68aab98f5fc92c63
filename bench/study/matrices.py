"""Random matrices of low rank, which of their entries are seen, and the error at others.

Apart from the methods that complete them, so that a change of those leaves times measured with these as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from rfm.completion.entries import Entries, FloatArray, IntArray, observed_entries

Predictor: TypeAlias = Callable[[IntArray, IntArray], FloatArray]

HELD_OUT = 0.05
"""Part of the observed entries by which every method chooses."""


def rmse(predict: Predictor, at: Entries) -> float:
    """Root mean squared error at the entries ``at``."""
    return float(np.sqrt(np.mean((predict(at.rows, at.cols) - at.values) ** 2)))


def low_rank(rows: int, cols: int, rank: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Factors U (rows, rank), V (cols, rank) of U V', scaled to a mean square of 1 (as the published code does)."""
    rng = np.random.default_rng([seed, rows, cols, rank])
    U, V = rng.standard_normal((rows, rank)), rng.standard_normal((cols, rank))
    mean_square = float(np.sum((U.T @ U) * (V.T @ V))) / (rows * cols)
    return U / np.sqrt(mean_square), V


def draw(
    U: FloatArray, V: FloatArray, count: int, seed: int, *, noise: float = 0.0, tested: int = 200_000
) -> tuple[Entries, Entries, Entries]:
    """Entries to fit, held-out ones (:data:`HELD_OUT` of the observed), and at most ``tested`` others without noise."""
    shape = (len(U), len(V))
    rng = np.random.default_rng([seed, count])
    places = rng.choice(shape[0] * shape[1], min(count + tested, shape[0] * shape[1]), replace=False)
    rows, cols = places // shape[1], places % shape[1]
    values = np.einsum("ij,ij->i", U[rows], V[cols])
    seen, rest = slice(None, count), slice(count, None)
    noisy = values[seen] + noise * rng.standard_normal(count)
    observed = observed_entries((rows[seen], cols[seen], noisy), shape=shape)
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: round(HELD_OUT * count)]] = True
    test = observed_entries((rows[rest], cols[rest], values[rest]), shape=shape)
    return observed.part(~chosen), observed.part(chosen), test

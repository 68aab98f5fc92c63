"""When a configuration's iteration path ends: no improvement over several points, judged on all folds together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.records.dataset import FloatArray


class EarlyStopping:
    """Counts the path points since merit or squared error, pooled over all validation rows, was last bettered.

    Judging the pooled figures (those a protocol chooses by) ends a configuration in all folds at the same point.
    """

    def __init__(self, points: int) -> None:
        self._points = points
        self._waited = 0
        self._merit = -np.inf
        self._squared_error = np.inf

    def should_stop(self, figures: FloatArray, sizes: NDArray[np.integer]) -> bool:
        """Take in the next point, ``figures`` (folds, 2) = (merit, squared error); true if the path ends with it."""
        merit, squared_error = (figures * sizes[:, None]).sum(axis=0) / sizes.sum()
        # A gain must exceed rounding noise: the pooled sums of equal counts can differ in the last bits.
        better = merit > self._merit + 1e-9 or squared_error < self._squared_error - 1e-9
        self._merit = max(self._merit, merit)
        self._squared_error = min(self._squared_error, squared_error)
        self._waited = 0 if better else self._waited + 1
        return self._waited >= self._points

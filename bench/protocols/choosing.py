"""A single choice: the configuration and point of its path that are best on the validation rows of all folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import MethodError
from bench.protocols.record import Ties
from bench.records.dataset import FloatArray
from bench.records.method import Choice, Fold, Path


def choose(paths: Sequence[Path], folds: Sequence[Fold], *, ties: Ties, counts: bool = True) -> tuple[Choice, float]:
    """The configuration and path point with the largest merit over all validation rows, and that merit.

    If the merit ``counts`` right rows, these are compared, not floating-point shares. Ties go to the smaller squared
    error if ``ties`` is ``"brier"``; what is still tied goes to the earlier configuration, then to the shorter path.
    Raises :class:`MethodError` if there is nothing to choose from or a figure is not finite.
    """
    best: tuple[float, float] | None = None
    choice: Choice | None = None
    for path in paths:
        if not (np.isfinite(path.merit).all() and np.isfinite(path.squared_error).all()):
            raise MethodError(f"validation figures of {dict(path.config)} are not finite")
        merit, error = pooled_figures(path, folds, counts=counts)
        for point, iteration in enumerate(path.iterations):
            key = (float(merit[point]), -float(error[point]) if ties == "brier" else 0.0)
            if best is None or key > best:
                best, choice = key, Choice(path.config, iteration)
    if best is None or choice is None:
        raise MethodError("the method returned no configuration to select from")
    return choice, best[0]


def pooled_figures(path: Path, folds: Sequence[Fold], *, counts: bool) -> tuple[FloatArray, FloatArray]:
    """(merit, squared error), (k,) each, of a path's points over the validation rows of all folds.

    A merit that ``counts`` right rows is that of their number, without the rounding of the folds' shares.
    """
    sizes = np.array([len(fold.validation) for fold in folds], dtype=np.float64)[:, None]
    merit = path.merit * sizes
    merit = (np.rint(merit) if counts else merit).sum(axis=0) / sizes.sum()
    error: FloatArray = (path.squared_error * sizes).sum(axis=0) / sizes.sum()
    return merit, error

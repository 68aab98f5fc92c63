"""Several seeds of one comparison: which of them count where methods do not all have the same ones.

On a dataset only seeds count that all compared methods have there. A method that shares none with the others has no
result there, as if it had failed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class SeedGap:
    """The ``seeds`` of a ``method`` that do not count on a ``dataset``; ``missing``: it has no others."""

    dataset: str
    method: str
    seeds: tuple[int, ...]
    missing: bool


def counted(has: pd.DataFrame) -> pd.DataFrame:
    """Which results count: booleans, (dataset, seed) x methods, as ``has``, which says which results there are.

    On each dataset they are the seeds that all methods with any result there have. If there is no such seed: of those
    that most methods have, the one whose methods share most seeds, the smaller one of equals; with it count the other
    seeds that all of these methods have, and the other methods do not count.
    """
    values, datasets = has.to_numpy(dtype=bool), has.index.get_level_values("dataset").to_numpy()
    counts = values.copy()
    for dataset in pd.unique(datasets):
        rows = np.flatnonzero(datasets == dataset)
        counts[rows] = _counted(values[rows])
    return pd.DataFrame(counts, index=has.index, columns=has.columns)


def _counted(has: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The same for one dataset, (seeds, methods), seeds ascending."""
    number = has.sum(axis=1)
    best = np.zeros_like(has)
    for seed in np.flatnonzero(number == number.max()):
        methods = has[seed]
        shared = has[:, methods].all(axis=1)
        if shared.sum() > best.any(axis=1).sum():
            best = np.outer(shared, methods)
    return best


def seed_gaps(has: pd.DataFrame) -> list[SeedGap]:
    """What :func:`counted` leaves out, by dataset and method."""
    counts = counted(has)
    lost = has & ~counts
    gaps = []
    for dataset in pd.unique(lost.index[lost.any(axis=1)].get_level_values("dataset")):
        for method in has.columns:
            of_method = lost.xs(dataset, level="dataset")[method]
            if seeds := tuple(int(seed) for seed in of_method.index[of_method]):
                kept = bool(counts.xs(dataset, level="dataset")[method].any())
                gaps.append(SeedGap(str(dataset), str(method), seeds, not kept))
    return gaps

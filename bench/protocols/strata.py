"""Stratified divisions inside a training part: one 80/20 split, k folds, a sample to choose on.

All draws are determined by their seed alone; numpy's global state is neither read nor changed.
"""

from __future__ import annotations

import numpy as np

from bench.errors import DataInvalid
from bench.records.dataset import IntArray
from bench.seeds import derive_seed

VALIDATION_SHARE = 0.2


def inner_split(y: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """(fit, validation): ascending positions in ``y`` (n,) of a stratified 80/20 division.

    Validation rows are apportioned to classes by largest remainder (equal remainders by lot), so that tables of many
    small classes are divided evenly too. Validation is never empty, and a class keeps at least one row in ``fit``
    unless all classes have one row only. Raises :class:`DataInvalid` if ``y`` has fewer than two rows.
    """
    refuse_too_few(y, "training part")
    rng = np.random.default_rng(derive_seed(seed, "inner split"))
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    wanted = max(1, round(VALIDATION_SHARE * len(y)))
    ideal = counts * (wanted / len(y))
    taken = np.minimum(np.floor(ideal).astype(np.int64), counts - 1)
    lots = rng.permutation(len(counts))
    order = lots[np.argsort(-(ideal - taken)[lots], kind="stable")]
    taken = fill(taken, wanted, room=counts - 1, order=order)
    if taken.sum() == 0:  # one row per class: some class has to be judged without being fitted
        taken[order[0]] = 1
    return take(codes, taken, rng)


def inner_folds(y: IntArray, k: int, seed: int) -> tuple[tuple[IntArray, IntArray], ...]:
    """``k`` pairs (fit, validation) of ascending positions in ``y`` (n,): stratified k-fold cross-validation.

    The rows of each class are shuffled and dealt to the folds in turn, so fold sizes differ by one row at most. A class
    with a single row stays in every ``fit`` and is never validated: without that row nothing could learn it. There are
    fewer folds when there are fewer rows to deal. Raises :class:`DataInvalid` if ``y`` has fewer than two rows,
    ``ValueError`` if ``k < 2``.
    """
    if k < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {k}")
    refuse_too_few(y, "training part")
    rng = np.random.default_rng(derive_seed(seed, "inner folds"))
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    dealt_classes = np.flatnonzero(counts > 1)
    if len(dealt_classes) == 0:
        dealt_classes = np.arange(len(counts))
    dealt = np.concatenate([rng.permutation(np.flatnonzero(codes == code)) for code in dealt_classes])
    fold_of = np.full(len(y), -1, dtype=np.int64)
    folds = min(k, len(dealt))
    fold_of[dealt] = np.arange(len(dealt)) % folds
    return tuple((_rows(fold_of != fold), _rows(fold_of == fold)) for fold in range(folds))


def stratified_sample(y: IntArray, size: int, seed: int) -> IntArray:
    """Ascending positions in ``y`` (n,) of at most ``size`` rows, each class in proportion (largest remainder).

    Every class keeps a row as long as there are no more classes than ``size``; all positions if ``n <= size``.
    """
    if len(y) <= size:
        return np.arange(len(y), dtype=np.int64)
    rng = np.random.default_rng(derive_seed(seed, "sample"))
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    ideal = counts * (size / len(y))
    order = np.argsort(-(ideal - np.floor(ideal)), kind="stable")
    taken = np.maximum(np.floor(ideal).astype(np.int64), np.minimum(1, counts))
    for code in np.argsort(-counts, kind="stable"):  # the rows that rare classes got come from the frequent ones
        spare = int(taken.sum()) - size
        taken[code] -= min(max(spare, 0), taken[code] - 1)
    return take(codes, fill(taken, size, room=counts, order=order), rng)[1]


def fill(taken: IntArray, wanted: int, *, room: IntArray, order: IntArray) -> IntArray:
    """``taken`` (classes,) raised row by row in ``order`` until ``wanted`` rows are taken or ``room`` is used up."""
    taken = taken.copy()
    missing = wanted - int(taken.sum())
    while missing > 0 and np.any(taken < room):
        for code in order:
            if missing > 0 and taken[code] < room[code]:
                taken[code] += 1
                missing -= 1
    return taken


def take(codes: IntArray, taken: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """(kept, taken): ascending rows, with ``taken[c]`` random rows of each class ``c`` in the second part."""
    second = np.zeros(len(codes), dtype=bool)
    for code, count in enumerate(taken):
        second[rng.permutation(np.flatnonzero(codes == code))[:count]] = True
    return _rows(~second), _rows(second)


def _rows(mask: np.ndarray) -> IntArray:
    return np.flatnonzero(mask).astype(np.int64)


def refuse_too_few(y: IntArray, what: str) -> None:
    if len(y) < 2:
        raise DataInvalid(f"{what}: {len(y)} row(s) cannot be divided into two parts; at least 2 are needed")

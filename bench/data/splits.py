"""Row divisions: the archive's published ones, drawn ones of the same shape, and those inside a training part.

All draws are determined by their seed alone; numpy's global state is neither read nor changed.
"""

from __future__ import annotations

import numpy as np

from bench.data.dataset import Dataset, Holdout, IntArray, Splits
from bench.errors import DataInvalid
from bench.seeds import derive_seed

HOLDOUTS = 4
TRAIN_SHARE = 0.75
TUNING_SHARE = 0.5
VALIDATION_SHARE = 0.2


def splits_for(dataset: Dataset, seed: int) -> Splits:
    """The divisions ``dataset`` is judged on: the published index lists if its source has them, else drawn ones."""
    if dataset.published is not None:
        return dataset.published
    return draw_splits(dataset.name, dataset.y, seed)


def draw_splits(name: str, y: IntArray, seed: int) -> Splits:
    """Tuning halves and four hold-outs, drawn as the 2014 study drew its own.

    Each hold-out is an independent stratified 75/25 draw (they overlap), each tuning half a stratified half. The number
    of rows per class is the study's: every class gives ``ceil(share * count)`` rows to the first part, so that rare
    ones are always trained on, but for the most frequent one, which makes up the total. Index lists are ascending.
    Raises :class:`DataInvalid` if there are fewer than two rows.
    """
    _refuse_too_few(y, name)
    return Splits(
        name=f"seed-{seed}",
        tuning=_draw_division(y, TUNING_SHARE, derive_seed(seed, name, "tuning")),
        holdouts=tuple(
            _draw_division(y, TRAIN_SHARE, derive_seed(seed, name, "holdout", index)) for index in range(HOLDOUTS)
        ),
    )


def inner_split(y: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """(fit, validation): ascending positions in ``y`` (n,) of a stratified 80/20 division.

    Validation rows are apportioned to classes by largest remainder (equal remainders by lot), so that tables of many
    small classes are divided evenly too. Validation is never empty, and a class keeps at least one row in ``fit``
    unless all classes have one row only. Raises :class:`DataInvalid` if ``y`` has fewer than two rows.
    """
    _refuse_too_few(y, "training part")
    rng = np.random.default_rng(derive_seed(seed, "inner split"))
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    wanted = max(1, round(VALIDATION_SHARE * len(y)))
    ideal = counts * (wanted / len(y))
    taken = np.minimum(np.floor(ideal).astype(np.int64), counts - 1)
    lots = rng.permutation(len(counts))
    order = lots[np.argsort(-(ideal - taken)[lots], kind="stable")]
    taken = _fill(taken, wanted, room=counts - 1, order=order)
    if taken.sum() == 0:  # one row per class: some class has to be judged without being fitted
        taken[order[0]] = 1
    return _take(codes, taken, rng)


def inner_folds(y: IntArray, k: int, seed: int) -> tuple[tuple[IntArray, IntArray], ...]:
    """``k`` pairs (fit, validation) of ascending positions in ``y`` (n,): stratified k-fold cross-validation.

    The rows of each class are shuffled and dealt to the folds in turn, so fold sizes differ by one row at most. A class
    with a single row stays in every ``fit`` and is never validated: without that row nothing could learn it. There are
    fewer folds when there are fewer rows to deal. Raises :class:`DataInvalid` if ``y`` has fewer than two rows,
    ``ValueError`` if ``k < 2``.
    """
    if k < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {k}")
    _refuse_too_few(y, "training part")
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


def first_part_counts(counts: IntArray, share: float) -> IntArray:
    """Rows of each class (classes,) in the first part of a division, as the study counted them: :func:`draw_splits`."""
    wanted = max(1, int(counts.sum()) - int(np.floor(share * counts.sum() + 0.5)))
    kept = np.ceil(share * counts).astype(np.int64)
    taken = counts - kept
    largest = int(np.argmax(kept))
    taken[largest] = 0
    taken[largest] = np.clip(wanted - taken.sum(), 0, counts[largest] - 1)
    # Many small classes can leave the largest unable to make up the total: the others help, largest first.
    order = np.argsort(-counts, kind="stable")
    taken = _fill(taken, wanted, room=counts - 1, order=order)
    if taken.sum() == 0:  # one row per class
        taken[order[0]] = 1
    return counts - taken


def _draw_division(y: IntArray, share: float, seed: int) -> Holdout:
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    train, test = _take(codes, counts - first_part_counts(counts, share), np.random.default_rng(seed))
    return Holdout(train=train, test=test)


def _fill(taken: IntArray, wanted: int, *, room: IntArray, order: IntArray) -> IntArray:
    """``taken`` (classes,) raised row by row in ``order`` until ``wanted`` rows are taken or ``room`` is used up."""
    taken = taken.copy()
    missing = wanted - int(taken.sum())
    while missing > 0 and np.any(taken < room):
        for code in order:
            if missing > 0 and taken[code] < room[code]:
                taken[code] += 1
                missing -= 1
    return taken


def _take(codes: IntArray, taken: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """(kept, taken): ascending rows, with ``taken[c]`` random rows of each class ``c`` in the second part."""
    second = np.zeros(len(codes), dtype=bool)
    for code, count in enumerate(taken):
        second[rng.permutation(np.flatnonzero(codes == code))[:count]] = True
    return _rows(~second), _rows(second)


def _rows(mask: np.ndarray) -> IntArray:
    return np.flatnonzero(mask).astype(np.int64)


def _refuse_too_few(y: IntArray, what: str) -> None:
    if len(y) < 2:
        raise DataInvalid(f"{what}: {len(y)} row(s) cannot be divided into two parts; at least 2 are needed")

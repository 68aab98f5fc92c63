"""Row divisions of a table: the archive's published ones, or drawn ones of the same shape.

All draws are determined by their seed alone; numpy's global state is neither read nor changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data.grinsztajn import divided
from bench.protocols.reduction import reduction
from bench.protocols.rows import fill_up, refuse_too_few, take
from bench.records.dataset import Dataset, Holdout, IntArray, Splits
from bench.records.grinsztajn import SPLITS
from bench.seeds import derive_seed

HOLDOUTS = 4
TRAIN_SHARE = 0.75
TUNING_SHARE = 0.5


NAMES = ("drawn", *SPLITS)
"""Divisions that can be asked for by name."""


def splits_for(dataset: Dataset, seed: int, name: str | None = None) -> Splits:
    """The divisions ``dataset`` is judged on: those called ``name``, of :data:`NAMES`.

    Without a name they are the published index lists if its source has them, else drawn ones.
    """
    if name in SPLITS:
        return divided(dataset, name)
    if dataset.published is not None and name is None:
        return dataset.published
    return draw_splits(dataset.name, dataset.strata, seed)


@dataclass(frozen=True)
class FirstFolds(Splits):
    """The first test folds of divisions that have more of them; ``of`` says how many."""

    of: int = 0


def first_folds(splits: Splits, count: int) -> Splits:
    """``splits`` with its first ``count`` test folds, for a first look; unchanged if it has no more."""
    if count >= len(splits.holdouts):
        return splits
    return FirstFolds(splits.name, splits.tuning, splits.holdouts[:count], splits.tuning_rows, len(splits.holdouts))


def taken(splits: Splits) -> str | None:
    """What ``splits`` leaves out of its divisions, in words that are kept with each result; None for nothing."""
    reduced = reduction(splits)
    if not isinstance(splits, FirstFolds):
        return reduced
    words = f"tested on the first {len(splits.holdouts)} of {splits.of} test folds only"
    return f"{reduced}, {words}" if reduced else words


def draw_splits(name: str, y: IntArray, seed: int) -> Splits:
    """Tuning halves and four test folds, drawn as the 2014 study drew its own; stratified by ``y`` (n,).

    Each test fold is an independent stratified 75/25 draw (they overlap), each tuning half a stratified half. The
    number of rows per class is the study's: every class gives ``ceil(share * count)`` rows to the first part, so that
    rare ones are always trained on; the most frequent one makes up the total. Index lists are ascending.
    Raises :class:`DataInvalid` if there are fewer than two rows.
    """
    refuse_too_few(y, name)
    return Splits(
        name=f"seed-{seed}",
        tuning=_draw_division(y, TUNING_SHARE, derive_seed(seed, name, "tuning")),
        holdouts=tuple(
            _draw_division(y, TRAIN_SHARE, derive_seed(seed, name, "holdout", index)) for index in range(HOLDOUTS)
        ),
    )


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
    taken = fill_up(taken, wanted, room=counts - 1, order=order)
    if taken.sum() == 0:  # one row per class
        taken[order[0]] = 1
    return counts - taken


def _draw_division(y: IntArray, share: float, seed: int) -> Holdout:
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    train, test = take(codes, counts - first_part_counts(counts, share), np.random.default_rng(seed))
    return Holdout(train=train, test=test)

"""How the benchmark of Grinsztajn et al. (:mod:`bench.records.grinsztajn`) divides a table, and where its results are.

Tables are OpenML's (suites 334 to 337), divided anew here: the tasks' own index lists are not those of the benchmark.
"""

from __future__ import annotations

import numpy as np

from bench.errors import DataInvalid
from bench.records.dataset import Dataset, Holdout, IntArray, Splits
from bench.records.grinsztajn import MAX_TRAIN, PARTS, PREFIX, SPLITS, Part

TRAIN_SHARE = 0.7
VALIDATION_SHARE = 0.3
"""Of the rows that are not trained on."""
MOST_TESTED = 50_000
"""Rows of a validation or test part; the first ones are kept."""
_LEAST_ROWS = 11
"""With fewer, one of the three parts is empty."""


def parts_of(word: str) -> tuple[Part, ...]:
    """The parts that a word of ``--subset`` names; none if it names something else."""
    return tuple(part for part in PARTS.values() if word in (PREFIX, f"{PREFIX}-{part.name}"))


def divided(dataset: Dataset, name: str) -> Splits:
    """The divisions called ``name`` (one of :data:`SPLITS`), exactly as the benchmark's code draws them.

    Repeat i takes its random stream from ``RandomState(i)``, of which one normal number is drawn (and printed) first.
    Of all rows 70 % are trained on, but no more than the size allows; 30 % of the others validate. There are one to
    five repeats, fewer the more rows are tested. Nothing is stratified, and no seed of ours has a part in it. Raises
    :class:`DataInvalid` for fewer than 11 rows.
    """
    n = len(dataset.y)
    if n < _LEAST_ROWS:
        raise DataInvalid(f"{dataset.name}: {n} rows; {name} needs at least {_LEAST_ROWS} for its three parts")
    most = MAX_TRAIN[SPLITS[name]]
    first = _holdout(n, most, 0)
    tested = len(first.test)
    repeats = 1 if tested > 6_000 else 2 if tested > 3_000 else 3 if tested > 1_000 else 5
    holdouts = (first, *(_holdout(n, most, i) for i in range(1, repeats)))
    assert first.validation is not None
    return Splits(name, tuning=Holdout(first.train, first.validation), holdouts=holdouts)


def _holdout(n: int, most: int, repeat: int) -> Holdout:
    from sklearn.model_selection import train_test_split  # it is the definition: its draws are the benchmark's

    rng = np.random.RandomState(repeat)
    rng.randn(1)
    train, others = train_test_split(np.arange(n), train_size=min(most / n, TRAIN_SHARE), random_state=rng)
    validation, test = train_test_split(others, train_size=VALIDATION_SHARE, random_state=rng)
    return Holdout(_rows(train), _rows(test[:MOST_TESTED]), _rows(validation[:MOST_TESTED]))


def _rows(drawn: np.ndarray) -> IntArray:
    return drawn.astype(np.int64)

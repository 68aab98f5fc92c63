"""The tabular benchmark of Grinsztajn, Oyallon & Varoquaux (NeurIPS 2022): its four parts, and how it divides a table.

Tables are OpenML's (suites 334 to 337), divided anew here: the tasks' own index lists are not those of the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.errors import DataInvalid
from bench.records.dataset import Dataset, Holdout, IntArray, Splits
from bench.records.measure import Kind

PREFIX = "grinsztajn"
"""The subset of all four parts; of one part it is ``grinsztajn-num-clf`` and the like."""

TRAIN_SHARE = 0.7
VALIDATION_SHARE = 0.3
"""Of the rows that are not trained on."""
MOST_TESTED = 50_000
"""Rows of a validation or test part; the first ones are kept."""
MAX_TRAIN = {"medium": 10_000, "large": 50_000}
SPLITS = tuple(f"{PREFIX}-{size}" for size in MAX_TRAIN)
"""The names of its divisions."""
_LEAST_ROWS = 11
"""With fewer, one of the three parts is empty."""


@dataclass(frozen=True)
class Part:
    """One of the four parts: ``suite`` and ``tasks`` are OpenML's numbers, ``title`` is what results call it."""

    name: str
    title: str
    kind: Kind
    suite: int
    tasks: tuple[int, ...]


PARTS = {
    part.name: part
    for part in (
        Part(
            "num-clf",
            "numerical_classification",
            "classification",
            337,
            (361055, *range(361060, 361064), 361065, 361066, *range(361068, 361071), *range(361273, 361279)),
        ),
        Part(
            "num-reg",
            "numerical_regression",
            "regression",
            336,
            (*range(361072, 361075), *range(361076, 361089), *range(361279, 361282)),
        ),
        Part(
            "cat-clf",
            "categorical_classification",
            "classification",
            334,
            (361110, 361111, 361113, 361282, 361283, 361285, 361286),
        ),
        Part(
            "cat-reg",
            "categorical_regression",
            "regression",
            335,
            (
                361093,
                361094,
                *range(361096, 361100),
                *range(361101, 361105),
                *range(361287, 361290),
                *range(361291, 361295),
            ),
        ),
    )
}
"""By the end of their subset's name, in the paper's order. A table that is in several parts has one name in each."""


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
    most = MAX_TRAIN[name.removeprefix(f"{PREFIX}-")]
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

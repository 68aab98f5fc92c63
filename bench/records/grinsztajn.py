"""The tabular benchmark of Grinsztajn, Oyallon & Varoquaux (NeurIPS 2022, arXiv 2207.08815): its parts and sizes."""

from __future__ import annotations

from dataclasses import dataclass

from bench.records.measure import Kind

PREFIX = "grinsztajn"
"""The subset of all four parts; of one part it is ``grinsztajn-num-clf`` and the like."""

MAX_TRAIN = {"medium": 10_000, "large": 50_000}
"""Rows that are trained on at most, by size."""
SPLITS = {f"{PREFIX}-{size}": size for size in MAX_TRAIN}
"""Sizes by the name of the divisions."""


@dataclass(frozen=True)
class Part:
    """One of the four parts: ``suite`` and ``tasks`` are OpenML's numbers, ``title`` is what its results call it.

    A table can be in several parts; in a run its name ends on ``-`` and the part's ``name``.
    """

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
"""By name."""

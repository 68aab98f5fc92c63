"""What the low-rank study computes, in full and in a small version."""

from __future__ import annotations

from collections.abc import Sequence

from bench.study.cell import Cell, Study

KINDS = {"regression": "bench.study.low_rank.compute:regression"}
TARGET_NAMES = ("product", "rotated", "cubic")
DIMENSIONS = (5, 10, 20, 40, 80)
METHODS = ("RFM", "diagonal RFM", "Laplace", "NTK", "MLP")
REPEATS = 4


def cells(quick: bool) -> Sequence[Cell]:
    """All cells; ``quick``: two dimensions, few rows, one repeat."""
    if quick:
        sizes = {"train": 150, "test": 300, "noise": 0.1, "quick": True}
        return [
            Cell("regression", {"target": t, "d": d, "method": m, **sizes})
            for t in TARGET_NAMES[:2]
            for d in (4, 8)
            for m in METHODS
        ]
    sizes = {"train": 1000, "test": 10_000, "noise": 0.1}
    costs = {"MLP": 9.0, "RFM": 1.0, "diagonal RFM": 1.0, "Laplace": 0.2, "NTK": 0.5}
    return [
        Cell("regression", {"target": t, "d": d, "method": m, **sizes}, seed, cost=costs[m])
        for seed in range(REPEATS)
        for t in TARGET_NAMES
        for d in DIMENSIONS
        for m in METHODS
    ]


STUDY = Study("low-rank", KINDS, cells)

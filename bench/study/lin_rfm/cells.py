"""What the study of linear RFM computes, in full and in a small version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.study.cell import Cell, Study

_HERE = "bench.study.lin_rfm."
KINDS = {
    "sparse": _HERE + "regression:sparse",
    "published": _HERE + "completion:published",
    "completion": _HERE + "completion:grid",
    "noise": _HERE + "completion:grid",
    "timing": _HERE + "speed:timing",
    "scale": _HERE + "scale:scale",
    "movielens": _HERE + "ratings:movielens",
}

PUBLISHED_METHODS = {
    "as published 1/2": 25,
    "as published 1": 38,
    "lin-RFM alternating": 10,
    "lin-RFM factored": 5,
    "lin-RFM columns": 15,
    "IRLS-1": 22,
    "soft-impute": 24,
    "ALS": 20,
}
"""And about how many seconds each takes on a matrix."""

FEATURES = 200
OBSERVATIONS = (20, 40, 60, 80, 100, 130, 160)
NONZEROS = (2, 4, 8, 16, 32, 48)
GRID_SIZE = 100
RANKS = (2, 4, 8)
DENSITIES = (0.1, 0.15, 0.2, 0.3, 0.45)
REPEATS = 3
NOISY_REPEATS = 6
TIMED_SIZES = {100: 3, 200: 3, 300: 1}
"""And how often each is timed."""

_SCALE: dict[str, Any] = {"alone": True, "all_cores": True, "memory_mb": 1000.0}


def cells(quick: bool) -> Sequence[Cell]:
    """All cells; ``quick``: of everything a little, in about a minute."""
    if quick:
        return _quick()
    found = [
        Cell("sparse", {"n": n, "d": FEATURES, "nonzeros": k, "problems": 8}, 0, cost=0.5 + 0.02 * n)
        for n in OBSERVATIONS
        for k in NONZEROS
    ]
    found += [
        Cell("published", {"size": 500, "rank": 5, "count": 10_000, "method": method}, seed, cost=cost)
        for seed in range(REPEATS)
        for method, cost in PUBLISHED_METHODS.items()
    ]
    for seed in range(REPEATS):
        found += [
            Cell("completion", {"size": GRID_SIZE, "rank": r, "density": p}, seed, cost=80)
            for r in RANKS
            for p in DENSITIES
        ]
    found += [
        Cell("noise", {"size": GRID_SIZE, "rank": 4, "density": p, "noise": 0.3}, seed, cost=60)
        for seed in range(NOISY_REPEATS)
        for p in (0.2, 0.45)
    ]
    found += [Cell("movielens", {"held_out": 0.05, "test": 0.1}, seed, cost=500) for seed in range(REPEATS)]
    found += [
        Cell("timing", {"size": size, "repeats": repeats}, alone=True, cost=90 * (size / 300) ** 2)
        for size, repeats in TIMED_SIZES.items()
    ]
    found += [
        Cell("scale", {"rows": n, "cols": d, "rank": 5, "count": count, "max_rank": r}, **_SCALE, cost=60)
        for n, d, count, r in (
            (2000, 2000, 120_000, None),
            (2000, 2000, 120_000, 10),
            (5000, 4000, 300_000, 10),
            (20_000, 20_000, 1_000_000, 10),
        )
    ]
    return found


def _quick() -> list[Cell]:
    found = [Cell("sparse", {"n": n, "d": 40, "nonzeros": k, "problems": 3}) for n in (12, 30) for k in (2, 8)]
    found += [
        Cell("published", {"size": 40, "rank": 2, "count": 800, "method": method}) for method in PUBLISHED_METHODS
    ]
    found += [
        Cell("completion", {"size": 24, "rank": r, "density": p, "steps": 60}) for r in (1, 2) for p in (0.5, 0.8)
    ]
    found.append(Cell("noise", {"size": 12, "rank": 2, "density": 0.6, "noise": 0.3, "steps": 60}))
    found.append(Cell("movielens", {"held_out": 0.05, "test": 0.1, "largest": 20}))
    found += [Cell("timing", {"size": size, "repeats": 1}, alone=True) for size in (20, 30)]
    found.append(Cell("scale", {"rows": 300, "cols": 200, "rank": 2, "count": 9000, "max_rank": 6}, **_SCALE))
    return found


STUDY = Study("lin-rfm", KINDS, cells)

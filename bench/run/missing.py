"""Protocols on tables with missing numbers: each hold-out is carried out on the table as its training part fills it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.data.dataset import Dataset, Splits
from bench.data.missing import fill, has_missing
from bench.methods.base import Method
from bench.run.protocols import carry_out
from bench.run.result import HoldoutResult
from bench.seeds import derive_seed


def carry_out_filled(method: Method, dataset: Dataset, splits: Splits, protocol: str, seed: int) -> list[HoldoutResult]:
    """:func:`bench.run.protocols.carry_out`, for tables with missing numbers too (see :mod:`bench.data.missing`).

    The clean protocols fill a table anew for each hold-out, from its training part. The others scale it once over all
    its rows, and fill it so. Without missing numbers this is ``carry_out`` itself.
    """
    if not has_missing(dataset.X):
        return carry_out(method, dataset, splits, protocol, seed)
    if not protocol.startswith("clean"):
        filled = replace(dataset, X=fill(dataset.X, np.arange(len(dataset.X))))
        return carry_out(method, filled, splits, protocol, seed)
    results = []
    for index, holdout in enumerate(splits.holdouts):
        table = replace(dataset, X=fill(dataset.X, holdout.train))
        alone = replace(splits, holdouts=(holdout,))
        (result,) = carry_out(method, table, alone, protocol, derive_seed(seed, "hold-out", index))
        results.append(replace(result, holdout=index))
    return results

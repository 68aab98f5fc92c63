"""How often the edge of a grid is selected: an edge that often is suggests that better values lie beyond it."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

PATH = "iteration"
"""The axis that one fit gives for free: M updates, boosting rounds, epochs."""
OFTEN = 25.0
"""An axis of at least three values whose edge is selected in more percent of the test folds should have a reason."""


def grid_edges(scores: pd.DataFrame, protocols: Iterable[str]) -> pd.DataFrame:
    """One row a method, task, axis and protocol: how often the smallest and the largest value were selected.

    ``scores`` are those of a run (``scores.csv``); each test fold is one selection. Columns: ``method, task, axis,
    values, protocol, folds, lowest, lowest_percent, highest, highest_percent, often``. Axes are the configuration's
    numbers and the iteration path. ``values`` counts those that were selected anywhere: the grid itself is not in the
    scores, so an edge that never is does not show. One of two values is always selected in half of the folds or more,
    so ``often`` is about axes of three or more.
    """
    done = scores[(scores["status"] == "ok") & scores["protocol"].isin(list(protocols))]
    rows = []
    for (method, task), part in done.groupby(["method", "task"], sort=False):
        selected = _axes(part)
        for axis in selected.columns:
            known = sorted(selected[axis].dropna().unique())
            if len(known) < 2:
                continue
            for protocol, column in selected[axis].groupby(part["protocol"], sort=False):
                shares = [100.0 * float((column == value).mean()) for value in (known[0], known[-1])]
                often = len(known) > 2 and max(shares) > OFTEN
                row = (method, task, axis, len(known), protocol, len(column))
                rows.append((*row, known[0], shares[0], known[-1], shares[1], often))
    columns = ["method", "task", "axis", "values", "protocol", "folds"]
    columns += ["lowest", "lowest_percent", "highest", "highest_percent", "often"]
    return pd.DataFrame(rows, columns=columns)


def _axes(part: pd.DataFrame) -> pd.DataFrame:
    """The numbers of the configurations selected, and the iteration, one column an axis."""
    configs = pd.DataFrame([json.loads(text) for text in part["config"]], index=part.index)
    ordered = [name for name in configs.columns if pd.api.types.is_numeric_dtype(configs[name])]
    flags = [name for name in ordered if pd.api.types.is_bool_dtype(configs[name])]
    axes: pd.DataFrame = configs[[name for name in ordered if name not in flags]].astype("float64")
    return axes.assign(**{PATH: part["iteration"].astype("float64")})

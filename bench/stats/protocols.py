"""Comparisons between protocols: what the published procedure's leak is worth, what selection noise costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from bench.stats.frame import accuracy_matrix
from bench.stats.significance import PairedDifference, holm, paired_difference

LEAK_PATH = ("published", "relearn", "clean")
"""From the published procedure to none of the test labels seen, one step at a time."""


@dataclass(frozen=True)
class LeakDecomposition:
    """One method (and its difference to a baseline) under each protocol of :data:`LEAK_PATH`, on common datasets.

    ``accuracy`` is datasets x (method, protocol) for the method and the baseline. ``steps`` compare neighbouring
    protocols of the method, ``over_baseline`` the method with the baseline under each protocol.
    """

    method: str
    baseline: str | None
    accuracy: pd.DataFrame
    steps: dict[tuple[str, str], PairedDifference]
    over_baseline: dict[str, PairedDifference]


def leak_decomposition(
    scores: pd.DataFrame, datasets: Collection[str], method: str = "rfm", baseline: str = "laplace"
) -> LeakDecomposition | None:
    """The leak on those of ``datasets`` that have all results; None unless ``method`` ran under two of the protocols.

    The baseline takes part only where it ran under every protocol that the method ran under.
    """
    columns: dict[tuple[str, str], pd.Series] = {}
    for protocol in LEAK_PATH:
        matrix = accuracy_matrix(scores, protocol)
        for name in (method, baseline):
            if name in matrix and matrix[name].notna().any():
                columns[name, protocol] = matrix[name]
    path = [p for p in LEAK_PATH if (method, p) in columns]
    if len(path) < 2:
        return None
    with_baseline = all((baseline, p) in columns for p in path)
    wanted = [(name, p) for name in ((method, baseline) if with_baseline else (method,)) for p in path]
    table = pd.DataFrame({key: columns[key] for key in wanted}).dropna()
    table = table[table.index.isin(list(datasets))]
    if table.empty:
        return None
    steps = {(a, b): paired_difference(table[method, b], table[method, a]) for a, b in pairwise(path)}
    if len(path) > 2:
        steps[path[0], path[-1]] = paired_difference(table[method, path[-1]], table[method, path[0]])
    over = {p: paired_difference(table[method, p], table[baseline, p]) for p in path} if with_baseline else {}
    return LeakDecomposition(method, baseline if with_baseline else None, table, steps, over)


@dataclass(frozen=True)
class ProtocolContrast:
    """One method under two protocols, on the datasets it has under both; ``p_holm`` is adjusted over the methods."""

    method: str
    first: float
    second: float
    difference: PairedDifference
    p_holm: float


def protocol_contrast(
    scores: pd.DataFrame, first: str, second: str, methods: Sequence[str] = ()
) -> list[ProtocolContrast]:
    """``second`` minus ``first``, method by method (with "clean", "clean-cv": what selection noise costs)."""
    a, b = accuracy_matrix(scores, first, methods), accuracy_matrix(scores, second, methods)
    found = []
    for method in a.columns:
        if method in b.columns:
            pair = pd.DataFrame({"a": a[method], "b": b[method]}).dropna()
            if len(pair):
                difference = paired_difference(pair["b"], pair["a"])
                found.append((str(method), float(pair["a"].mean()), float(pair["b"].mean()), difference))
    adjusted = holm([difference.p for *_, difference in found])
    return [ProtocolContrast(*item, p) for item, p in zip(found, adjusted, strict=True)]

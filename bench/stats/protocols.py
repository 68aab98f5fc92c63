"""Comparisons between protocols: what the published procedure's leak is worth, what selection noise costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from bench.protocols.record import Protocol
from bench.protocols.registry import PROTOCOLS, known
from bench.records.measure import COMPARED, Measure
from bench.stats.frame import score_matrix
from bench.stats.significance import PairedDifference, holm, paired_difference

COVERAGE = 0.9
"""A protocol is on the path if it has at least this share of the datasets of the one that has most."""


def leak_path(names: Iterable[str]) -> list[Protocol]:
    """The registered ones of ``names``: from most exposure to test labels to none, then in the reports' order."""
    return sorted(known(names), key=lambda protocol: -protocol.exposure)


def noise_pair(names: Iterable[str]) -> tuple[Protocol, Protocol] | None:
    """Of those of ``names`` that see no test label, the one with the fewest inner folds and the one with the most.

    The difference of the two is what the noise of the model selection costs. None if all have the same number.
    """
    unexposed = [p for p in known(names) if p.exposure == 0]
    if len({p.inner_folds for p in unexposed}) < 2:
        return None
    return min(unexposed, key=lambda p: p.inner_folds), max(unexposed, key=lambda p: p.inner_folds)


@dataclass(frozen=True)
class Step:
    """What changes between two protocols, later minus earlier: for the method, for the baseline, and the excess.

    ``excess`` is the difference of the two differences, dataset by dataset: what the step does to the method beyond
    what it does to the baseline, which learns no metric and so has nothing to leak into.
    """

    first: str
    second: str
    method: PairedDifference
    baseline: PairedDifference | None
    excess: PairedDifference | None


@dataclass(frozen=True)
class LeakDecomposition:
    """One method (and its difference to a baseline) under the protocols of a leak path, on common datasets.

    ``accuracy`` is datasets x (method, protocol) for the method and the baseline. ``steps`` compare neighbouring
    protocols, then the first with each that sees no test label; ``over_baseline`` the method with the baseline under
    each protocol.
    """

    method: str
    baseline: str | None
    accuracy: pd.DataFrame
    steps: tuple[Step, ...]
    over_baseline: dict[str, PairedDifference]

    @property
    def path(self) -> list[str]:
        return [p.name for p in leak_path(PROTOCOLS) if (self.method, p.name) in self.accuracy.columns]


def leak_decomposition(
    scores: pd.DataFrame, datasets: Collection[str], method: str = "rfm", baseline: str = "laplace"
) -> LeakDecomposition | None:
    """The leak on those of ``datasets`` that have all results; None unless ``method`` ran under two of the protocols.

    A protocol that covers much fewer of ``datasets`` than another (:data:`COVERAGE`) is left out rather than shrinking
    the rest. The baseline takes part only where it ran under every protocol of the path.
    """
    columns: dict[tuple[str, str], pd.Series] = {}
    possible = leak_path(scores["protocol"].unique())
    for protocol in (p.name for p in possible):
        matrix = score_matrix(scores, protocol, COMPARED["classification"])
        matrix = matrix[matrix.index.isin(list(datasets))]
        for name in (method, baseline):
            if name in matrix and matrix[name].notna().any():
                columns[name, protocol] = matrix[name]
    counts = {p: int(columns[method, p.name].notna().sum()) for p in possible if (method, p.name) in columns}
    kept = [p for p, count in counts.items() if count >= COVERAGE * max(counts.values())]
    if len(kept) < 2:
        return None
    path = [p.name for p in kept]
    with_baseline = all((baseline, p) in columns for p in path)
    wanted = [(name, p) for name in ((method, baseline) if with_baseline else (method,)) for p in path]
    table = pd.DataFrame({key: columns[key] for key in wanted}).dropna()
    if table.empty:
        return None
    whole = [(path[0], p.name) for p in kept[2:] if kept[0].exposure > p.exposure == 0]
    steps = tuple(_step(table, method, baseline if with_baseline else None, a, b) for a, b in [*pairwise(path), *whole])
    over = {p: paired_difference(table[method, p], table[baseline, p]) for p in path} if with_baseline else {}
    return LeakDecomposition(method, baseline if with_baseline else None, table, steps, over)


def _step(table: pd.DataFrame, method: str, baseline: str | None, first: str, second: str) -> Step:
    own = paired_difference(table[method, second], table[method, first])
    if baseline is None:
        return Step(first, second, own, None, None)
    other = paired_difference(table[baseline, second], table[baseline, first])
    lead = {p: table[method, p] - table[baseline, p] for p in (first, second)}
    return Step(first, second, own, other, paired_difference(lead[second], lead[first]))


@dataclass(frozen=True)
class ProtocolContrast:
    """One method under two protocols, on the datasets it has under both; ``p_holm`` is adjusted over the methods."""

    method: str
    first: float
    second: float
    difference: PairedDifference
    p_holm: float


def protocol_contrast(
    scores: pd.DataFrame, measure: Measure, first: str, second: str, methods: Sequence[str] = ()
) -> list[ProtocolContrast]:
    """``second`` minus ``first``, method by method (of a :func:`noise_pair`: what selection noise costs)."""
    a, b = (score_matrix(scores, protocol, measure, methods) for protocol in (first, second))
    found = []
    for method in a.columns:
        if method in b.columns:
            pair = pd.DataFrame({"a": a[method], "b": b[method]}).dropna()
            if len(pair):
                difference = paired_difference(pair["b"], pair["a"])
                found.append((str(method), float(pair["a"].mean()), float(pair["b"].mean()), difference))
    adjusted = holm([difference.p for *_, difference in found])
    return [ProtocolContrast(*item, p) for item, p in zip(found, adjusted, strict=True)]

"""Comparisons between protocols: what the published procedure's leak is worth, what selection noise costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pandas as pd

from bench.protocols.record import PLAIN, Protocol
from bench.protocols.registry import PROTOCOLS, find_variant, known, plain_names
from bench.records.measure import COMPARED, Measure
from bench.stats.frame import over_seeds, seed_matrix
from bench.stats.paired import PairedDifference, paired_difference
from bench.stats.verdict import Comparison, adjusted

COVERAGE = 0.9
"""A protocol is on the path if it has at least this share of the datasets of the one that has most."""


def leak_path(names: Iterable[str]) -> list[Protocol]:
    """The plain ones of ``names``: from most exposure to test labels to none, then in the reports' order."""
    return sorted(known(plain_names(names)), key=lambda protocol: -protocol.exposure)


def noise_pair(names: Iterable[str]) -> tuple[Protocol, Protocol] | None:
    """Of the plain ``names`` that see no test label, the one with the fewest inner folds and the one with the most.

    The difference of the two is what the noise of the model selection costs. None if all have the same number.
    """
    unexposed = [p for p in known(plain_names(names)) if p.exposure == 0]
    if len({p.inner_folds for p in unexposed}) < 2:
        return None
    return min(unexposed, key=lambda p: p.inner_folds), max(unexposed, key=lambda p: p.inner_folds)


def variant_pairs(names: Iterable[str], key: Literal["ensemble", "inputs"]) -> list[tuple[Protocol, Protocol]]:
    """Of those of ``names`` that differ from the plain protocols in ``key``: the one without it, and the one with it.

    Everything else is the same. A variant whose counterpart is not among ``names`` has no pair.
    """
    there, pairs = known(names), []
    for protocol in there:
        without = find_variant(protocol, **{**protocol.varied, key: PLAIN[key]})
        if without is not None and without != protocol and without in there:
            pairs.append((without, protocol))
    return pairs


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
    scores: pd.DataFrame,
    datasets: Collection[str],
    families: Mapping[str, str],
    method: str = "rfm",
    baseline: str = "laplace",
) -> LeakDecomposition | None:
    """The leak on those of ``datasets`` that have all results; None unless ``method`` ran under two of the protocols.

    A protocol that covers much fewer of ``datasets`` than another (:data:`COVERAGE`) is left out rather than shrinking
    the rest. The baseline takes part only where it ran under every protocol of the path. Of several seeds those count
    that all have on a dataset; ``families`` gives the family of a dataset.
    """
    columns: dict[tuple[str, str], pd.Series] = {}
    possible = leak_path(scores["protocol"].unique())
    for protocol in (p.name for p in possible):
        matrix = seed_matrix(scores, protocol, COMPARED["classification"])
        matrix = matrix[matrix.index.get_level_values("dataset").isin(list(datasets))]
        for name in (method, baseline):
            if name in matrix and matrix[name].notna().any():
                columns[name, protocol] = matrix[name]
    counts = {p: _datasets(columns[method, p.name]) for p in possible if (method, p.name) in columns}
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
    compared = baseline if with_baseline else None
    steps = tuple(_step(table, families, method, compared, a, b) for a, b in [*pairwise(path), *whole])
    over = {p: paired_difference(table[method, p], table[baseline, p], families) for p in path} if compared else {}
    return LeakDecomposition(method, compared, over_seeds(table), steps, over)


def _datasets(scores: pd.Series) -> int:
    return int(scores.dropna().index.get_level_values("dataset").nunique())


def _step(
    table: pd.DataFrame, families: Mapping[str, str], method: str, baseline: str | None, first: str, second: str
) -> Step:
    own = paired_difference(table[method, second], table[method, first], families)
    if baseline is None:
        return Step(first, second, own, None, None)
    other = paired_difference(table[baseline, second], table[baseline, first], families)
    lead = {p: table[method, p] - table[baseline, p] for p in (first, second)}
    return Step(first, second, own, other, paired_difference(lead[second], lead[first], families))


@dataclass(frozen=True)
class ProtocolContrast:
    """One method under two protocols, on the datasets it has under both: its means, and the ``comparison`` of the
    second protocol with the first, adjusted over the methods."""

    method: str
    first: float
    second: float
    comparison: Comparison


def protocol_contrast(
    scores: pd.DataFrame,
    measure: Measure,
    first: str,
    second: str,
    families: Mapping[str, str],
    methods: Sequence[str] = (),
) -> list[ProtocolContrast]:
    """``second`` minus ``first``, method by method (of a :func:`noise_pair`: what selection noise costs), on the seeds
    that a dataset has under both."""
    a, b = (seed_matrix(scores, protocol, measure, methods) for protocol in (first, second))
    means, differences = [], []
    for method in a.columns.intersection(b.columns, sort=False):
        pair = pd.DataFrame({first: a[method], second: b[method]}).dropna()
        if len(pair):
            differences.append((second, first, paired_difference(pair[second], pair[first], families)))
            first_mean, second_mean = over_seeds(pair).mean()
            means.append((str(method), float(first_mean), float(second_mean)))
    return [ProtocolContrast(*mean, c) for mean, c in zip(means, adjusted(differences), strict=True)]

"""One protocol on one set of datasets, as reports see it: what is compared, and how the reference fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.protocols.record import Protocol
from bench.protocols.registry import PROTOCOLS
from bench.records.measure import Kind, Measure
from bench.stats.seeds import SeedGap
from bench.stats.summary import TIE, CommonPool, summarise
from bench.stats.verdict import Comparison, against_each, all_pairs

RFM = "rfm"
"""The reference of a report, unless another is asked for or a method of the user's own is there."""
LAPLACE = "laplace"
"""The same kernel with no learned metric: RFM at iteration 0."""


@dataclass(frozen=True, eq=False)
class ProtocolView:
    """One protocol on one set of datasets of one kind: what is compared, and how the reference fares against each
    method.

    ``by_seed`` is what methods are compared on, (dataset, seed) x methods, of the seeds that count; ``matrix`` the
    means over them, datasets x methods. Both are of all that was planned, ``common`` of the datasets that all its
    methods have. ``gaps`` are the results that do not count because other methods lack their seeds.
    """

    protocol: str
    by_seed: pd.DataFrame
    matrix: pd.DataFrame
    common: CommonPool
    families: Mapping[str, str]
    gaps: tuple[SeedGap, ...] = ()
    reference: str = RFM
    """The method that the others are compared with."""

    @property
    def measure(self) -> Measure:
        """What methods are compared on."""
        return self.common.pool.measure

    @property
    def key(self) -> str:
        """Its anchor, and the start of its tables' names."""
        return view_key(self.protocol, self.measure.kind)

    @property
    def aside(self) -> str:
        """What follows the protocol's name; nothing for classification."""
        return kind_aside(self.measure.kind)

    @property
    def words(self) -> str:
        """Protocol and kind, to stand beside a table."""
        return f"{self.protocol}{self.aside}"

    @cached_property
    def summary(self) -> pd.DataFrame:
        return summarise(self.common.pool)

    @property
    def scores(self) -> pd.DataFrame:
        return self.common.pool.scores

    @property
    def methods(self) -> list[str]:
        return self.common.pool.methods

    @cached_property
    def ranking(self) -> list[str]:
        """The methods, the highest mean first; equal ones by average rank."""
        by = self.summary.assign(mean_score=(self.summary["mean_score"] / TIE).round())
        ordered = by.sort_values(["mean_score", "friedman_rank"], ascending=[False, True], kind="stable")
        return [str(m) for m in ordered.index]

    @property
    def record(self) -> Protocol | None:
        """What is known of the protocol; None if it is not registered: results of another installation."""
        return PROTOCOLS.get(self.protocol)

    @property
    def withholds_test_labels(self) -> bool:
        """Whether the protocol is known to, so that its scores are estimates."""
        return self.record is not None and not self.record.sees_test_labels

    @property
    def has_reference(self) -> bool:
        return self.reference in self.methods

    @cached_property
    def paired(self) -> pd.DataFrame:
        """(dataset, seed) x methods, of the common datasets alone: what comparisons are made of."""
        common = self.by_seed.index.get_level_values("dataset").isin(self.common.pool.datasets)
        return self.by_seed.loc[common, self.methods]

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds that count on some of the common datasets."""
        return sorted({int(seed) for seed in self.paired.index.get_level_values("seed")})

    @cached_property
    def family_count(self) -> int:
        """Of the common datasets."""
        return len({self.families.get(d, d) for d in self.common.pool.datasets})

    @cached_property
    def contrasts(self) -> list[Comparison]:
        """The reference against every other method, in the table's order; empty without the reference."""
        return self._compared(self.reference)

    def against(self, method: str) -> list[Comparison]:
        """``method`` against every other one, in the table's order; empty without it."""
        return self.contrasts if method == self.reference else self._compared(method)

    def _compared(self, method: str) -> list[Comparison]:
        return against_each(self.paired, method, self.families) if method in self.methods else []

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every pair of methods, in the table's order."""
        return all_pairs(self.paired, self.families)


def kind_aside(kind: Kind) -> str:
    """What follows a protocol's name; nothing for classification."""
    return "" if kind == "classification" else f" ({kind})"


def withholding(views: list[ProtocolView]) -> list[ProtocolView]:
    """Those of protocols that see no test label; all, if there are no such."""
    return [view for view in views if view.withholds_test_labels] or views


def view_key(protocol: str, kind: Kind) -> str:
    """The key of a view: the protocol's name alone for classification."""
    return protocol if kind == "classification" else f"{protocol}-{kind}"

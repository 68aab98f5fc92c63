"""The one rule for "significantly better". Tables, figures, sentences, the terminal and the README all go by it.

A method is significantly better than another if three things hold: Wilcoxon's signed-rank test over the mean
differences of families of related datasets is below :data:`ALPHA`, Holm-adjusted over the comparisons of its table; the
95 % interval of the mean difference, a bootstrap over families, leaves out 0; and the mean difference has the same sign
in every seed. All three must point one way. Everything else is no significant difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import pandas as pd

from bench.stats.paired import PairedDifference, paired_difference
from bench.stats.significance import holm

ALPHA = 0.05
Verdict: TypeAlias = Literal["better", "worse", "not significant"]


@dataclass(frozen=True)
class Comparison:
    """``first`` minus ``second``; ``p`` is adjusted (Holm) over the comparisons that it stands among, and so is
    ``single_p``, the one over single datasets."""

    first: str
    second: str
    difference: PairedDifference
    p: float
    single_p: float

    @property
    def verdict(self) -> Verdict:
        """What the first is, by the rule."""
        d = self.difference
        if self.p < ALPHA and d.same_sign:
            if d.low > 0 and d.direction > 0:
                return "better"
            if d.high < 0 and d.direction < 0:
                return "worse"
        return "not significant"

    @property
    def significant(self) -> bool:
        """Whether one of the two is significantly better."""
        return self.verdict != "not significant"

    @property
    def words(self) -> str:
        """``significantly better than``, and the like."""
        return f"significantly {self.verdict} than" if self.significant else "not significantly different from"


def grouped(comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """The second methods of one reference's comparisons, by the words that hold: better, worse, not significant."""
    order: list[Verdict] = ["better", "worse", "not significant"]
    found: dict[str, list[str]] = {}
    for c in sorted(comparisons, key=lambda c: order.index(c.verdict)):
        found.setdefault(c.words, []).append(c.second)
    return found


def against_each(scores: pd.DataFrame, reference: str, families: Mapping[str, str]) -> list[Comparison]:
    """``reference`` against every other method, Holm over these; ``scores`` is (dataset, seed) x methods."""
    return _adjusted(scores, [(reference, str(m)) for m in scores.columns if m != reference], families)


def all_pairs(scores: pd.DataFrame, families: Mapping[str, str]) -> list[Comparison]:
    """Every pair of methods once, in the order of the columns, Holm over all of them."""
    return _adjusted(scores, list(combinations(map(str, scores.columns), 2)), families)


def adjusted(found: Sequence[tuple[str, str, PairedDifference]]) -> list[Comparison]:
    """(first, second, difference) as comparisons, Holm over these."""
    p, single = holm([d.p for *_, d in found]), holm([d.single.p for *_, d in found])
    return [Comparison(*item, *both) for item, *both in zip(found, p, single, strict=True)]


def _adjusted(scores: pd.DataFrame, pairs: Sequence[tuple[str, str]], families: Mapping[str, str]) -> list[Comparison]:
    return adjusted([(a, b, paired_difference(scores[a], scores[b], families)) for a, b in pairs])


def alone(first: str, second: str, difference: PairedDifference) -> Comparison:
    """A comparison that stands for itself: nothing to adjust for."""
    return Comparison(first, second, difference, difference.p, difference.single.p)


def differing(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Symmetric methods x methods booleans: whether one of the two is significantly better; False on the diagonal."""
    methods = list(dict.fromkeys(name for c in comparisons for name in (c.first, c.second)))
    matrix = pd.DataFrame(False, index=methods, columns=methods)
    for c in comparisons:
        matrix.loc[c.first, c.second] = matrix.loc[c.second, c.first] = c.significant
    return matrix

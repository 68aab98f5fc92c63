"""Claims and what became of them: the first table of a study's report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scipy import stats

from bench.report.blocks import Cell, Column, Link, Table

Verdict: TypeAlias = Literal["holds", "holds in part", "undecided", "does not hold", "not measured"]

PAPER = Link("Radhakrishnan et al. (2024)", "https://arxiv.org/abs/2212.13881")
"""The source of all studies but that of linear RFM."""

SIGNIFICANT = 0.05
COMPARISON_RULE = (
    f"A claim to be better holds where a two-sided sign test over the problems says so (p < {SIGNIFICANT:g}), does not "
    "hold where it says the opposite, and is undecided else; ties count for neither side."
)


@dataclass(frozen=True)
class Claim:
    """``claim`` as the source makes it, ``measured`` what was found here in figures, and the verdict."""

    claim: str
    measured: str
    verdict: Verdict

    @property
    def line(self) -> str:
        """One line for a terminal."""
        return f"{self.verdict}: {self.claim}. {self.measured}"


ADDITIONAL = "Additional claim (ours)"
"""Before a claim that the papers do not make."""

ENDED_RULE = (
    "A rival that is fitted step by step (networks, ALS) decides a problem if all its fits ended, or if it was better "
    "already; if the other problems could turn the test, the claim is undecided."
)


def claims_table(claims: Sequence[Claim], note: str) -> Table:
    """The claims in order, with their verdicts: before the figures, so that a phone shows them without scrolling."""
    rows = tuple((Cell(c.claim), Cell(c.verdict, strong=True), Cell(c.measured)) for c in claims)
    columns = (Column("Claim", "text"), Column("Verdict", "text"), Column("Measured here", "text"))
    return Table("claims", columns, rows, "Claim by claim", note=note, sortable=False)


@dataclass(frozen=True)
class SignTest:
    """Problems on which one method was better than another, worse, and the two-sided sign test's ``p`` (1 if all tie).

    ``verdict`` of the claim that it is better, by :data:`COMPARISON_RULE`.
    """

    wins: int
    losses: int

    @classmethod
    def of(cls, gains: Iterable[float], tie: float = 0.0) -> SignTest:
        """Of one gain a problem; those of no more than ``tie`` count for neither side."""
        found = list(gains)
        return cls(sum(bool(gain > tie) for gain in found), sum(bool(gain < -tie) for gain in found))

    @property
    def p(self) -> float:
        decided = self.wins + self.losses
        return float(stats.binomtest(self.wins, decided).pvalue) if decided else 1.0

    @property
    def verdict(self) -> Verdict:
        if self.p >= SIGNIFICANT:
            return "undecided"
        return "holds" if self.wins > self.losses else "does not hold"


def agreed(one: SignTest, other: SignTest) -> Verdict:
    """The verdict of both; undecided where they differ.

    For problems of which it is not known how they would end: with all of them on one side, and on the other.
    """
    return one.verdict if one.verdict == other.verdict else "undecided"


NO_RESULT = "No result yet."


def not_measured(claim: str, why: str = NO_RESULT) -> Claim:
    """For a claim of which nothing can be said; ``why`` where its cells have results all the same."""
    return Claim(claim, why, "not measured")

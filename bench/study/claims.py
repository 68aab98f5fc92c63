"""Claims and what became of them: the first table of a study's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.report.blocks import Cell, Column, Table

Verdict: TypeAlias = Literal["holds", "holds in part", "does not hold", "not measured"]


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


def claims_table(claims: Sequence[Claim], note: str) -> Table:
    """The claims in order, with their verdicts."""
    rows = tuple((Cell(c.claim), Cell(c.measured), Cell(c.verdict, strong=True)) for c in claims)
    columns = (Column("Claim", "text"), Column("Measured here", "text"), Column("Verdict", "text"))
    return Table("claims", columns, rows, "Claim by claim", note=note, sortable=False)


def not_measured(claim: str) -> Claim:
    """For a claim whose cells have no result."""
    return Claim(claim, "No result yet.", "not measured")

"""What is odd about a table, and what each oddity means for a kernel method.

A kernel method sees rows only through their distances: columns that separate nothing, rows that coincide, single values
far out and columns that give the label away all act through them. Nothing here changes a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.data.columns import Finding
from bench.data.validate import features, labels
from bench.data.validate.examined import Examined, unnamed

__all__ = ["CHECKS", "Examined", "Finding", "examine", "unnamed"]


def examine(table: Examined) -> list[Finding]:
    """All findings on a table, warnings first."""
    found = [finding for check in CHECKS for finding in check(table)]
    return sorted(found, key=lambda finding: finding.severity != "warning")


CHECKS: tuple[Callable[[Examined], Iterator[Finding]], ...] = (
    labels.given_away,
    features.identifiers,
    labels.repeated_rows,
    labels.scarce_classes,
    features.far_out,
    features.scales,
    features.gaps,
    features.constant_columns,
    features.shape,
)
"""In the order in which their findings are reported."""

"""What is odd about a table, and what each oddity means for a kernel method.

A kernel method sees rows only through their distances: columns that separate nothing, rows that coincide, single values
far out and columns that give the label away all act through them. Nothing here changes a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bench.data.findings import Finding
from bench.data.validate import features, labels, target
from bench.data.validate.examined import Examined, unnamed
from bench.records.measure import Kind

__all__ = ["CHECKS", "Examined", "Finding", "examine", "unnamed"]


def examine(table: Examined) -> list[Finding]:
    """All findings on a table, warnings first."""
    found = [finding for check in CHECKS[table.kind] for finding in check(table)]
    return sorted(found, key=lambda finding: finding.severity != "warning")


_OF_FEATURES = (features.far_out, features.scales, features.gaps, features.constant_columns, features.shape)
CHECKS: Mapping[Kind, tuple[Callable[[Examined], Iterator[Finding]], ...]] = {
    "classification": (
        labels.given_away,
        features.identifiers,
        features.repeated_rows,
        labels.contradictions,
        labels.scarce_classes,
        *_OF_FEATURES,
    ),
    "regression": (
        target.given_away,
        features.identifiers,
        features.repeated_rows,
        target.contradictions,
        target.far_out,
        target.few_values,
        *_OF_FEATURES,
    ),
}
"""In the order in which their findings are reported."""

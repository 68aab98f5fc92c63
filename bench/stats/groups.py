"""Groups of datasets a summary is given for, and bins by size and dimension."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Group:
    """A named set of datasets: ``key`` in ``summary.csv``, ``title`` in reports, ``datasets`` those present."""

    key: str
    title: str
    datasets: tuple[str, ...]


def standard_groups(
    datasets: Iterable[str], group_of: Mapping[str, str | None], regression: Collection[str] = ()
) -> list[Group]:
    """The comparison's groups among ``datasets``, empty ones left out.

    ``group_of`` gives the registry's group of a dataset: ``small``, ``large`` or ``test-file``. Datasets that the
    registry does not know belong to "all available" alone. Those of ``datasets`` that are in ``regression`` are a group
    of their own and in no other.
    """
    everything = sorted(set(datasets))
    names = [name for name in everything if name not in regression]

    def pick(*groups: str) -> tuple[str, ...]:
        return tuple(name for name in names if group_of.get(name) in groups)

    groups = [
        Group("small90", "small: no test file and at most 5,000 samples, of 90", pick("small")),
        Group("no-test-file", "no test file, of 102", pick("small", "large")),
        Group("test-file", "a test file, of 19; test folds inside the training file", pick("test-file")),
        Group("all-available", "all available", tuple(names)),
        Group("regression", "regression", tuple(name for name in everything if name in regression)),
    ]
    return [group for group in groups if group.datasets]


@dataclass(frozen=True)
class Bins:
    """Half-open bins ``(edges[i], edges[i+1]]`` of a quantity of a dataset."""

    quantity: str
    title: str
    edges: tuple[float, ...]

    def labels(self) -> list[str]:
        names = [f"at most {self.edges[0]:,.0f}"]
        names += [f"above {a:,.0f} to {b:,.0f}" for a, b in zip(self.edges, self.edges[1:], strict=False)]
        return [*names, f"above {self.edges[-1]:,.0f}"]

    def split(self, values: pd.Series) -> list[tuple[str, list[str]]]:
        """(label, datasets) of each non-empty bin, smallest first; ``values`` is indexed by dataset."""
        cuts = [float("-inf"), *self.edges, float("inf")]
        parts = []
        for label, low, high in zip(self.labels(), cuts, cuts[1:], strict=False):
            members = [str(d) for d in values.index[(values > low) & (values <= high)]]
            if members:
                parts.append((label, members))
        return parts


SIZE_BINS = Bins("rows", "samples n", (200, 1000, 5000))
DIMENSION_BINS = Bins("features", "features d", (10, 30, 100))
ASPECT_BINS = Bins("aspect", "samples per feature n/d", (10, 30, 100))

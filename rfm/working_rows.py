"""The rows that a chain is followed on, fitted and evaluated ones, as they are or among coordinates of their span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from rfm.rows import Metric, equal_rows, feature_sizes
from rfm.span import Span


@dataclass(frozen=True)
class Coordinates:
    """Rows in coordinates of a ``span``: ``exact`` (n + m, k) in float64, and the coordinates' ``sizes`` (k,)."""

    span: Span
    exact: torch.Tensor
    sizes: torch.Tensor


@dataclass(frozen=True)
class WorkingRows:
    """Rows at work: the first ``n`` of ``stacked`` (n + m, d) are fitted to ``targets`` (n, c), the rest evaluated.

    ``targets`` are those given over ``target_size``, which keeps them within the range of float32. With ``coordinates``
    ``stacked`` and the metrics stand in those of a span.
    """

    stacked: torch.Tensor
    n: int
    targets: torch.Tensor
    target_size: float
    coordinates: Coordinates | None = None

    @property
    def span(self) -> Span | None:
        return None if self.coordinates is None else self.coordinates.span

    def metric_of_features(self, metric: torch.Tensor | None) -> Metric | None:
        """The ``metric`` among what is at work as one among features."""
        return metric if metric is None or self.span is None else self.span.factored(metric)

    @property
    def X(self) -> torch.Tensor:
        return self.stacked[: self.n]

    @cached_property
    def exact(self) -> torch.Tensor:
        """``stacked`` in float64."""
        return self.stacked.double() if self.coordinates is None else self.coordinates.exact

    @cached_property
    def sizes(self) -> torch.Tensor:
        """The largest absolute value (d,) of each feature among the fitted rows, or what of coordinates compares."""
        return feature_sizes(self.X) if self.coordinates is None else self.coordinates.sizes

    @cached_property
    def groups(self) -> torch.Tensor | None:
        """Which rows are equal, and so coincide in every metric; None where few are."""
        return equal_rows(self.stacked)

"""Coordinates among the span of the training rows, where images have more pixels than there are rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

_RANK = 1e-12
"""Eigenvalues of the Gram matrix below so much of the largest are rounding."""
_BLOCK = 256
"""Rows that are mapped at a time."""


@dataclass(frozen=True, eq=False)
class Span:
    """``basis`` (d, r), orthonormal, float64: what gradients at the training rows, and sums of these rows, lie in."""

    basis: torch.Tensor

    @classmethod
    def of(cls, X: torch.Tensor) -> Span:
        """The span of the rows of ``X`` (n, d); all d coordinates as they are where there are no more than rows."""
        if X.shape[1] <= len(X):
            return cls(torch.eye(X.shape[1], dtype=torch.float64))
        values, vectors = torch.linalg.eigh(X @ X.T)
        kept = values > _RANK * values[-1]
        return cls(X.T @ (vectors[:, kept] / values[kept].sqrt()))

    def within(self, Z: torch.Tensor) -> torch.Tensor:
        """The coordinates (m, r) of the rows of ``Z`` (m, d)."""
        return torch.cat([Z[rows] @ self.basis for rows in _blocks(len(Z))])

    def outside(self, Z: torch.Tensor) -> torch.Tensor:
        """What the coordinates leave of the rows of ``Z`` (m, d): their distances (m, 1) from the span."""
        parts = [Z[rows] - (Z[rows] @ self.basis) @ self.basis.T for rows in _blocks(len(Z))]
        return torch.cat([part.norm(dim=1, keepdim=True) for part in parts])


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))

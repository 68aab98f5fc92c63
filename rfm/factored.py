"""Symmetric matrices of many features kept as factors: B C B' is never formed.

A metric learned from n rows of d > n features lives in the span of the rows; the Gram matrix of a network's layer has
no larger rank than the layer is wide. Diagonals, products and correlations of such matrices need no (d, d) array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FactoredMatrix:
    """The symmetric matrix B C B' (d, d): ``basis`` B (d, k) and ``core`` C (k, k) symmetric, both float64."""

    basis: torch.Tensor
    core: torch.Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """(d, d), as of the matrix itself."""
        return len(self.basis), len(self.basis)

    def to(self, device: str | torch.device) -> FactoredMatrix:
        """The same on another device."""
        return FactoredMatrix(self.basis.to(device), self.core.to(device))

    def clone(self) -> FactoredMatrix:
        """The same with a core of its own; the basis, which is large and never written to, is shared."""
        return FactoredMatrix(self.basis, self.core.clone())

    def diagonal(self) -> torch.Tensor:
        """The diagonal (d,)."""
        return ((self.basis @ self.core) * self.basis).sum(dim=1)

    def trace(self) -> float:
        """Sum of the diagonal."""
        return float((self.core * (self.basis.T @ self.basis)).sum())

    def total(self) -> float:
        """Sum of all entries."""
        sums = self.basis.sum(dim=0)
        return float(sums @ self.core @ sums)

    def __matmul__(self, other: torch.Tensor | NDArray[Any]) -> torch.Tensor:
        """The product with a vector (d,) or with columns (d, t), as a tensor."""
        columns = torch.as_tensor(other, dtype=self.basis.dtype, device=self.basis.device)
        return self.basis @ (self.core @ (self.basis.T @ columns))

    def inner(self, other: FactoredMatrix) -> float:
        """Sum of the products of all entries with those of ``other`` (d, d)."""
        between = self.basis.T @ other.basis
        return float(((self.core @ between) * (between @ other.core)).sum())

    def leading(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The largest eigenvalues (k,), from the largest on, and their eigenvectors (d, k), k = min(count, d).

        Eigenvalues beyond those that the factors have are 0, with any vectors orthogonal to the others.
        """
        d, k = self.basis.shape
        missing = min(count, d) - k
        basis = torch.cat([self.basis, self.basis.new_zeros((d, missing))], dim=1) if missing > 0 else self.basis
        Q, R = torch.linalg.qr(basis)
        C = self.core if missing <= 0 else torch.block_diag(self.core, self.core.new_zeros((missing, missing)))
        values, vectors = torch.linalg.eigh(R @ C @ R.T)
        kept = min(count, d)
        return values.flip(0)[:kept], Q @ vectors.flip(1)[:, :kept]

    def dense(self) -> torch.Tensor:
        """The (d, d) array, exactly symmetric."""
        full: torch.Tensor = self.basis @ self.core @ self.basis.T
        return (full + full.T) / 2


def cosine(A: FactoredMatrix, B: FactoredMatrix, *, centred: bool = False) -> float:
    """The cosine of two matrices' entries as vectors; ``centred``: their Pearson correlation. 0 if one is constant."""
    count = float(A.shape[0]) ** 2
    a, b = (A.total(), B.total()) if centred else (0.0, 0.0)
    both = A.inner(B) - a * b / count
    squares = (A.inner(A) - a * a / count, B.inner(B) - b * b / count)
    # Rounding alone is left of the squares of a constant matrix.
    if squares[0] <= 1e-12 * A.inner(A) or squares[1] <= 1e-12 * B.inner(B):
        return 0.0
    return float(both / (squares[0] * squares[1]) ** 0.5)

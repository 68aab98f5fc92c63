r"""Coordinates of rows of many features: n rows of d > n features need n + 1 of them, without loss.

The metrics that :mod:`rfm.agop` learns are M = V C V', with V (d, n) an orthonormal basis of the span of the n fitted
rows: gradients are combinations of their differences. With p = V'x and, of another row z, the coordinates

    (V'z, |z - V V'z|),

distances in the identity and in all learned metrics are those of the coordinates, in the identity and in C with a row
and a column of zeros: fitted rows have no part outside their span, and C has none to weigh it with. So a chain can be
followed among n + 1 coordinates as it would be among d features, in matrices of n + 1 rows.

V is the Q of Householder's QR of the rows as columns, in float64. Each row is then reproduced to the rounding of its
own norm, whatever the rank of all (Higham 2002, theorem 19.4): where rows depend on each other, columns of V are any
that are orthogonal to the others, and coordinates along them vanish. A basis from the Gram matrix of the rows would
have the square of their condition, and would need a rank.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.arrays import row_blocks
from rfm.factored import FactoredMatrix
from rfm.rows import coordinate_sizes

_RESIDUAL_BYTES = 32 << 20
"""Working memory of the lengths outside the span."""


def is_wide(n: int, d: int) -> bool:
    """Whether ``n`` rows of ``d`` features are followed among coordinates of their span."""
    return d > n


@dataclass(frozen=True, eq=False)
class Span:
    """Coordinates of rows x (d,) in ``basis`` B (d, k) float64: B'x and, with ``outside``, what B leaves of x.

    ``outside`` is for orthonormal bases alone; without it, distances are right in metrics B C B' only.
    """

    basis: torch.Tensor
    outside: bool

    @classmethod
    def of(cls, rows: NDArray[np.float64], device: str | torch.device) -> Span:
        """The span of ``rows`` (n, d), d >= n, on ``device``."""
        columns = torch.as_tensor(rows.T).to(device)
        return cls(torch.linalg.qr(columns)[0].contiguous(), outside=True)

    def coordinates(self, table: NDArray[np.float64], fitted: int) -> torch.Tensor:
        """Coordinates (m, k) or, with ``outside``, (m, k + 1) float64 of the rows of ``table`` (m, d), m >= ``fitted``.

        The first ``fitted`` rows lie in the span. Rows that are equal have equal coordinates, to the last digit.
        """
        m, (d, k) = len(table), self.basis.shape
        rows = torch.as_tensor(table).to(self.basis.device)
        P = rows.new_zeros((m, k + self.outside))
        P[:, :k] = rows @ self.basis
        if self.outside:
            for start, stop in row_blocks(m - fitted, d, 8, budget=_RESIDUAL_BYTES):
                part = slice(fitted + start, fitted + stop)
                rest = rows[part] - P[part, :k] @ self.basis.T
                torch.linalg.vector_norm(rest, dim=1, out=P[part, k])
        # A product rounds equal rows alike only where they stand alike; a test row may be a training row.
        first = first_equals(table)
        return P if first is None else P[first.to(P.device)]

    def sizes(self, fitted: NDArray[np.float64]) -> torch.Tensor:
        """The sizes of the coordinates, from those of the features among the rows ``fitted`` (n, d)."""
        features = torch.as_tensor(np.abs(fitted).max(axis=0)).to(self.basis.device)
        sizes = coordinate_sizes(self.basis, features)
        return torch.cat([sizes, sizes.new_zeros(1)]) if self.outside else sizes

    def factored(self, core: torch.Tensor) -> FactoredMatrix:
        """The metric (d, d) that is ``core``, (k, k) or with ``outside`` (k + 1, k + 1), among coordinates."""
        k = self.basis.shape[1]
        return FactoredMatrix(self.basis, core[:k, :k])

    def mean_diagonal(self, core: torch.Tensor) -> torch.Tensor:
        """The mean of the diagonal of the metric (d, d)."""
        if self.outside:  # an orthonormal basis keeps the trace
            return core.diagonal().sum() / len(self.basis)
        return self.factored(core).diagonal().mean()

    def largest(self, core: torch.Tensor) -> torch.Tensor:
        """The largest entry of the metric (d, d), which is on the diagonal: the metric is positive semi-definite."""
        return self.factored(core).diagonal().max()


def first_equals(rows: NDArray[np.float64]) -> torch.Tensor | None:
    """For each of the ``rows`` (m, d) the number (m,) of the first that equals it; None if no two are equal."""
    seen: dict[bytes, int] = {}
    first = np.empty(len(rows), dtype=np.int64)
    for k, row in enumerate(rows):
        # A digest, for copies of all rows would be kept as keys; + 0.0, for -0.0 equals 0.0.
        first[k] = seen.setdefault(hashlib.blake2b(row + 0.0, digest_size=16).digest(), k)
    return None if len(seen) == len(rows) else torch.as_tensor(first)

r"""The product Laplace kernel in a diagonal metric, k(x, z) = exp(-sum_j w_j |x_j - z_j| / L), and its gradients.

It is the product over the features of Laplace kernels in one dimension each: distances are l1, and no rotation of the
features leaves it as it is. Product Laplace kernels with gradients for a diagonal metric are among those of xRFM
(Beaglehole, Holzmüller, Radhakrishnan and Belkin 2025, arXiv:2508.10053), which multiplies features with M^(1/2).

A predictor f(x) = sum_k alpha_k k(x, x_k) has the gradient

    df/dx_j (x) = -(w_j / L) sum_k alpha_k sign(x_j - x_kj) k(x, x_k),    sign(0) = 0,

which at a kink is the mean of the one-sided derivatives. Among fitted rows the signs depend on the order of each column
alone, which no metric changes; it is taken from the features in float64, so rounding decides no sign. With
L_ik = k(x_i, x_k) where x_kj < x_ij, 0 elsewhere, the sum is (L - L') alpha. Where a column has few values one matrix
product gives it for each of them, and for many columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.arrays import exp_, row_blocks
from rfm.linalg import matmul_float64, mirror_

Columns = NDArray[np.int64]

_CHUNK_BYTES = 32 << 20
"""Gradients are formed for so many columns at a time that they take about this much memory."""
_FEW = 24, 3
"""A column of q values and c outputs is summed by values where q c <= 24 + 3 c: about where, by measurement at 1,500
rows, a matrix product of q c columns takes as long as the passes over signs and their two products."""
_VECTORS = 4
"""Up to so many outputs products of a block are faster one vector at a time (measured, OpenBLAS)."""


def product_kernel(P: torch.Tensor) -> torch.Tensor:
    """The kernel matrix (n, n), both triangles, among the rows ``P`` (n, d) = x w / L."""
    K = P.new_empty((len(P), len(P)))
    for start, stop in row_blocks(len(P), len(P), P.element_size()):
        K[start:stop, :stop] = exp_(torch.cdist(P[start:stop], P[:stop], p=1.0).neg_())
    return mirror_(K)


def product_scores(P: torch.Tensor, fitted: torch.Tensor, alpha: torch.Tensor) -> NDArray[np.float64]:
    """Scores (m, c) of the rows ``P`` (m, d), summed in float64; ``fitted`` (n, d) prepared alike, ``alpha`` (n, c)."""
    scores = np.empty((len(P), alpha.shape[1]))
    for start, stop in row_blocks(len(P), len(fitted), P.element_size()):
        block = exp_(torch.cdist(P[start:stop], fitted, p=1.0).neg_())
        scores[start:stop] = matmul_float64(block, alpha).numpy()
    return scores


@dataclass(frozen=True)
class ColumnOrder:
    """The order of the rows in each column.

    ``ranks`` (d, n) int64: equal values have equal ranks, and ranks are 0..q-1; ``values`` (d,) are the q.
    """

    ranks: NDArray[np.int64]
    values: NDArray[np.int64]

    @classmethod
    def of(cls, X: NDArray[np.float64]) -> ColumnOrder:
        """The order in the columns of ``X`` (n, d)."""
        ranks = np.empty(X.shape[::-1], dtype=np.int64)
        for j, column in enumerate(X.T):
            ranks[j] = np.unique(column, return_inverse=True)[1].reshape(-1)
        return cls(ranks, ranks.max(axis=1, initial=-1) + 1)

    def gradients(self, K: torch.Tensor, alpha: torch.Tensor) -> Iterator[tuple[Columns, torch.Tensor]]:
        """``columns`` and (len(columns), n, c) of sum_k sign(x_ij - x_kj) K_ik alpha_kc, chunk by chunk.

        ``K`` (n, n) has both triangles; ``alpha`` (n, c) is rounded to its precision. Constant columns, whose gradients
        are 0, are left out. Memory beyond ``K``: a chunk, and a block of rows.
        """
        n, c = alpha.shape
        coefficients = np.ascontiguousarray(alpha.numpy(), dtype=K.numpy().dtype)
        few = self.values * c <= _FEW[0] + _FEW[1] * c
        room = max(1, _CHUNK_BYTES // max(1, n * c * K.element_size()))
        by_values = np.flatnonzero(few & (self.values > 1))
        widths = np.cumsum(self.values[by_values]) // room
        for chunk in (by_values[widths == k] for k in np.unique(widths)):
            yield chunk, torch.from_numpy(self._by_values(chunk, K.numpy(), coefficients))
        by_signs = np.flatnonzero(~few & (self.values > 1))
        for start in range(0, len(by_signs), room):
            chunk = by_signs[start : start + room]
            yield chunk, torch.from_numpy(self._by_signs(chunk, K.numpy(), coefficients))

    def _by_values(
        self, columns: Columns, K: NDArray[np.floating], alpha: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        n, c = alpha.shape
        counts = self.values[columns]
        firsts = np.cumsum(counts) - counts
        ranks = self.ranks[columns].T
        value = np.arange(counts.sum()) - np.repeat(firsts, counts)
        signs = np.sign(value - np.repeat(ranks, counts, axis=1)).astype(K.dtype)
        # What each value of each column would have as its gradients; a row takes those of its own value.
        sums = np.matmul(K, (signs[:, :, None] * alpha[:, None, :]).reshape(n, -1)).reshape(n, -1, c)
        return sums[np.arange(n)[:, None], firsts + ranks].transpose(1, 0, 2)

    def _by_signs(self, columns: Columns, K: NDArray[np.floating], alpha: NDArray[np.floating]) -> NDArray[np.floating]:
        n, c = alpha.shape
        whole = np.dtype(f"int{8 * K.itemsize}")  # a number of K's size: its bits mask those of K
        ranks, bits = self.ranks[columns].astype(whole), K.view(whole)
        found = np.zeros((len(columns), n, c), dtype=K.dtype)
        blocks = row_blocks(n, n, K.itemsize)
        scratch = np.empty((blocks[0][1] if blocks else 0, n), dtype=whole)
        for start, stop in blocks:
            mask = scratch[: stop - start]
            below = mask.view(K.dtype)
            for k in range(len(columns)):
                np.subtract(ranks[k], ranks[k, start:stop, None], out=mask)
                np.right_shift(mask, 8 * K.itemsize - 1, out=mask)  # all ones where x_kj < x_ij
                np.bitwise_and(mask, bits[start:stop], out=mask)
                if c <= _VECTORS:
                    for o in range(c):
                        found[k, start:stop, o] += below @ alpha[:, o]
                        found[k, :, o] -= alpha[start:stop, o] @ below
                else:
                    found[k, start:stop] += below @ alpha
                    found[k] -= below.T @ alpha[start:stop]
        return found


def agop_diagonals(
    order: ColumnOrder, K: torch.Tensor, alpha: torch.Tensor, weights: torch.Tensor | None, bandwidth: float
) -> torch.Tensor:
    """Diagonals (k, d) float64 of the AGOPs of ``k`` predictors in one metric: rows averaged, outputs summed.

    ``alpha`` (k, n, c) are their coefficients, of a size that can be squared; ``weights`` (d,) is w, None for ones.
    """
    k, n, c = alpha.shape
    squares = torch.zeros((k, len(order.values)), dtype=torch.float64)
    for columns, gradients in order.gradients(K, alpha.transpose(0, 1).reshape(n, k * c)):
        sums = gradients.double().square_().sum(dim=1).view(len(columns), k, c).sum(dim=2)
        squares[:, torch.from_numpy(columns)] = sums.T
    slopes = (1.0 if weights is None else weights.double()) / bandwidth
    return squares * slopes**2 / max(n, 1)

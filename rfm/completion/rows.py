r"""Minimum-norm completion of every row in a kernel over the columns, in batches of rows with equally many entries.

With the kernel K = S + f I over the d columns (S positive semi-definite, f > 0 its floor) and the observed entries y_o
of a row, the completed row is x = y_o K_oo^-1 K_o, its dual coefficients are a = K_oo^-1 y_o, and x_o = y_o. (Ridge
regression in S with ridge f gives the same at missing entries, and y_o - f a at observed ones.) Three ways to it:

* *by observed entries*: factor K_oo, k^3 / 3 operations for k entries;
* *by missing entries*: with P = K^-1, x_u = -P_uu^-1 P_uo y_o (block inversion; Gaussian conditioning), (d - k)^3 / 3
  a row and d^3 for P: cheaper where most of a row is observed;
* *by factor*: for S = V V' with V (d, r), u = (V_o' V_o + f I)^-1 V_o' y_o (Woodbury), k r^2 + r^3 / 3 operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from rfm.completion.entries import Entries, FloatArray, IntArray

_BATCH_ELEMENTS = 1 << 19
"""Numbers in a batch of systems: large enough to amortise calls, small enough for the level-2 cache's neighbourhood."""


@dataclass(frozen=True)
class Batch:
    """Rows (b,) with ``k`` entries each; ``positions`` (b, k) of these among the entries, ``cols`` (b, k)."""

    rows: IntArray
    positions: IntArray
    cols: IntArray

    @property
    def count(self) -> int:
        """Entries in each of the rows."""
        return self.cols.shape[1]


class RowSystems:
    """The linear systems of all rows of a matrix given by its observed entries.

    The rows are grouped by their number of entries once; rows without any are left out (their completion is 0).
    """

    def __init__(self, entries: Entries) -> None:
        self.entries = entries
        starts = entries.row_starts
        counts = np.diff(starts)
        self._starts = starts
        self.batches: list[Batch] = []
        for k in np.unique(counts[counts > 0]).tolist():
            rows = np.flatnonzero(counts == k)
            step = max(1, _BATCH_ELEMENTS // (k * k))
            for first in range(0, len(rows), step):
                some = rows[first : first + step]
                positions = starts[some][:, None] + np.arange(k)
                self.batches.append(Batch(some, positions, entries.cols[positions]))

    def complete(self, S: FloatArray, floor: float) -> tuple[FloatArray, FloatArray]:
        """Completed rows X (n, d), and the residuals (m,) f a of ridge regression at the observed entries.

        ``S`` (d, d) is symmetric; its precision is that of the result. Where rounding leaves a system indefinite, its
        eigenvalues below the floor are raised to it.
        """
        n, d = self.entries.shape
        residuals = np.zeros(len(self.entries), dtype=S.dtype)
        dense = [b for b in self.batches if 2 * b.count > d] if self._missing_side_pays() else []
        plain = [b for b in self.batches if not (dense and 2 * b.count > d)]
        for batch in plain:
            residuals[batch.positions] = floor * self._duals(batch, S, floor)
        X = np.zeros((n, d), dtype=S.dtype)
        if plain:
            A = sparse.csr_array((residuals / floor, self.entries.cols, self._starts), shape=(n, d))
            X = np.asarray(A @ S)
        if dense:
            P = _inverse(S, floor)
            for batch in dense:
                self._by_missing(batch, P, floor, X, residuals)
        X[self.entries.rows, self.entries.cols] = self.entries.values
        return X, residuals

    def coefficients(self, V: FloatArray, floor: float) -> tuple[FloatArray, FloatArray]:
        """U (n, r) with ridge-regressed rows U V', and the residuals (m,) at the observed entries, for S = V V'."""
        n, r = self.entries.shape[0], V.shape[1]
        U = np.zeros((n, r), dtype=V.dtype)
        residuals = np.zeros(len(self.entries), dtype=V.dtype)
        values = self.entries.values.astype(V.dtype)
        for batch in self.batches:
            step = max(1, _BATCH_ELEMENTS // (batch.count * r + r * r))
            for first in range(0, len(batch.rows), step):
                some = slice(first, first + step)
                seen = torch.from_numpy(V[batch.cols[some]])  # (b, k, r)
                y = torch.from_numpy(values[batch.positions[some]])[:, :, None]
                gram = seen.mT @ seen
                gram.diagonal(dim1=1, dim2=2).add_(floor)
                u = _solve(gram, seen.mT @ y, floor)
                U[batch.rows[some]] = u[:, :, 0].numpy()
                residuals[batch.positions[some]] = (y - seen @ u)[:, :, 0].numpy()
        return U, residuals

    def _duals(self, batch: Batch, S: FloatArray, floor: float) -> FloatArray:
        K = torch.from_numpy(S[batch.cols[:, :, None], batch.cols[:, None, :]])
        K.diagonal(dim1=1, dim2=2).add_(floor)
        y = torch.from_numpy(self.entries.values[batch.positions].astype(S.dtype))[:, :, None]
        duals: FloatArray = _solve(K, y, floor)[:, :, 0].numpy()
        return duals

    def _missing_side_pays(self) -> bool:
        d = self.entries.shape[1]
        saved = sum(len(b.rows) * (b.count**3 - (d - b.count) ** 3) / 3 for b in self.batches if 2 * b.count > d)
        return saved > float(d) ** 3

    def _by_missing(self, batch: Batch, P: FloatArray, floor: float, X: FloatArray, residuals: FloatArray) -> None:
        for row, positions, cols in zip(batch.rows, batch.positions, batch.cols, strict=True):
            seen = np.zeros(len(P), dtype=bool)
            seen[cols] = True
            missing = np.flatnonzero(~seen)
            x = np.zeros(len(P), dtype=P.dtype)
            x[cols] = self.entries.values[positions]
            if len(missing):
                toward = P[missing]
                x[missing] = -np.linalg.solve(toward[:, missing], toward[:, cols] @ x[cols])
            X[row] = x
            residuals[positions] = floor * (P[cols] @ x)  # the dual coefficients are K^-1 x, 0 at missing entries


def _solve(K: torch.Tensor, y: torch.Tensor, floor: float) -> torch.Tensor:
    """K^-1 y for a batch of symmetric K (b, k, k) and y (b, k, 1)."""
    L, status = torch.linalg.cholesky_ex(K)
    solution = torch.linalg.solve_triangular(L.mT, torch.linalg.solve_triangular(L, y, upper=False), upper=True)
    broken = torch.nonzero((status != 0) | ~torch.isfinite(solution).all(dim=1)[:, 0]).flatten()
    for index in broken.tolist():
        values, vectors = torch.linalg.eigh(K[index].double())
        exact = vectors @ ((vectors.T @ y[index].double()) / values.clamp_min(floor)[:, None])
        solution[index] = exact.to(solution.dtype)
    return solution


def _inverse(S: FloatArray, floor: float) -> FloatArray:
    """(S + floor I)^-1 (d, d), symmetric."""
    K = torch.from_numpy(S.astype(np.float64))
    K.diagonal().add_(floor)
    L, status = torch.linalg.cholesky_ex(K)
    inverse = torch.cholesky_inverse(L)
    if int(status) != 0 or not bool(torch.isfinite(inverse).all()):
        values, vectors = torch.linalg.eigh(K)
        inverse = (vectors / values.clamp_min(floor)) @ vectors.T
    in_precision: FloatArray = inverse.numpy().astype(S.dtype)
    return in_precision

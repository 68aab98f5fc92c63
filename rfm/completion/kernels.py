r"""Kernels between columns that lin-RFM learns from a completed matrix: the AGOP to a power.

A linear model of matrices is f(A) = <A, X>, its gradient X, its average gradient outer product X' X / n. lin-RFM
multiplies features by the AGOP to the power alpha, so that the kernel between columns is (X' X / n + ridge I)^(2 alpha)
(arXiv 2401.04553). IRLS-p of Mohan and Fazel (2012) has (X' X + gamma I)^(1 - p/2): the same for alpha = 1/2 - p/4. At
alpha = 1/2, p = 0, no eigenvalues are needed.

A kernel is kept as its part above the floor, S = K - f I with f = ridge^(2 alpha), which is positive semi-definite:
dense, or, for matrices too large for that, as a factor V (d, r) of its leading part. At powers above 1/2 f falls much
faster than the ridge: it ends at the rounding of S, below which it would hold nothing down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from rfm.completion.entries import Entries, FloatArray
from rfm.completion.rows import RowSystems
from rfm.linalg import gram_lower, mirror_


class Completion(ABC):
    """A matrix completed row by row in some kernel."""

    @abstractmethod
    def values(self, at: Entries) -> FloatArray:
        """Predictions (m,) at the rows and columns of ``at``, entries that were not observed."""

    @abstractmethod
    def norm(self) -> float:
        """Frobenius norm of the completed matrix."""

    @abstractmethod
    def column_kernel(self, ridge: float, alpha: float) -> ColumnKernel:
        """The kernel between the columns that the completed matrix gives."""

    @abstractmethod
    def row_kernel(self, ridge: float, alpha: float) -> ColumnKernel:
        """The kernel between the rows: that between the columns of the transposed matrix."""


class ColumnKernel(ABC):
    """K = S + floor I over the columns of a matrix."""

    floor: float

    @abstractmethod
    def complete(self, systems: RowSystems) -> Completion:
        """Complete all rows in this kernel."""

    @abstractmethod
    def largest(self) -> float:
        """The largest diagonal entry of S."""

    @abstractmethod
    def astype(self, dtype: type[np.floating]) -> ColumnKernel:
        """The same kernel in another precision, which is that of completions in it."""


@dataclass(frozen=True)
class DenseCompletion(Completion):
    """``X`` (n, d) completed, observed entries as they are; ``residuals`` (m,) what ridge regression leaves of them."""

    X: FloatArray
    residuals: FloatArray
    entries: Entries

    def values(self, at: Entries) -> FloatArray:
        return self.X[at.rows, at.cols].astype(np.float64)

    def norm(self) -> float:
        return float(np.linalg.norm(self.X))

    def column_kernel(self, ridge: float, alpha: float) -> DenseKernel:
        return dense_kernel(torch.from_numpy(self.X), ridge, alpha)

    def row_kernel(self, ridge: float, alpha: float) -> DenseKernel:
        return dense_kernel(torch.from_numpy(self.X).T.contiguous(), ridge, alpha)

    def fitted(self) -> FloatArray:
        """The matrix (n, d) of ridge regression, in float64: ``X`` less the residuals where observed."""
        Z = self.X.astype(np.float64)
        Z[self.entries.rows, self.entries.cols] -= self.residuals
        return Z


@dataclass(frozen=True)
class DenseKernel(ColumnKernel):
    """``S`` (d, d) in full."""

    S: FloatArray
    floor: float

    def complete(self, systems: RowSystems) -> DenseCompletion:
        return DenseCompletion(*systems.complete(self.S, self.floor), systems.entries)

    def largest(self) -> float:
        return float(np.diagonal(self.S).max(initial=0.0))

    def astype(self, dtype: type[np.floating]) -> DenseKernel:
        return DenseKernel(self.S.astype(dtype, copy=False), self.floor)


def dense_kernel(X: torch.Tensor, ridge: float, alpha: float) -> DenseKernel:
    """The kernel between the columns of ``X`` (n, d)."""
    agop = mirror_(gram_lower(X)).div_(len(X))
    if alpha == 0.5:
        return DenseKernel(agop.numpy(), ridge)
    values, vectors = torch.linalg.eigh(agop)
    powers = above_floor(values.numpy(), ridge, alpha)
    return DenseKernel(((vectors * torch.from_numpy(powers)) @ vectors.T).numpy(), floor_of(powers, ridge, alpha))


def dense_bytes(n: int, d: int, alternate: bool, alpha: float) -> int:
    """What the dense form takes at its peak, in float64.

    The completed matrix and its successor; the AGOP, which at power 1/2 is the kernel, and room to factor it; at other
    powers eigenvectors and kernel besides. Alternating, the kernel is between the larger side in every other iteration.
    """
    side = max(n, d) if alternate else d
    return 8 * (2 * n * d + (2 if alpha == 0.5 else 4) * side**2)


def above_floor(values: FloatArray, ridge: float, alpha: float) -> FloatArray:
    """(s + ridge)^(2 alpha) - ridge^(2 alpha) of the AGOP's eigenvalues, negative rounding set to zero."""
    powers: FloatArray = (np.maximum(values, 0.0) + ridge) ** (2 * alpha) - ridge ** (2 * alpha)
    return powers


def floor_of(powers: FloatArray, ridge: float, alpha: float) -> float:
    """ridge^(2 alpha), or what rounding leaves of S, whose eigenvalues are ``powers``, where that is more.

    At alpha 1/2, where S is not made from eigenvalues, the ridge itself.
    """
    if alpha == 0.5:
        return ridge
    rounding = 4 * len(powers) * float(np.finfo(float).eps) * float(np.linalg.norm(powers.astype(np.float64)))
    return max(ridge ** (2 * alpha), rounding)


@dataclass(frozen=True)
class FactoredCompletion(Completion):
    """Completed rows U V' + R: ``U`` (n, r), ``V`` (d, r), and R the ``residuals`` (m,) at the observed entries."""

    U: FloatArray
    V: FloatArray
    residuals: FloatArray
    entries: Entries

    def values(self, at: Entries) -> FloatArray:
        return np.einsum("ij,ij->i", self.U[at.rows], self.V[at.cols]).astype(np.float64)

    def norm(self) -> float:
        low_rank = float(np.sum((self.U.T @ self.U) * (self.V.T @ self.V)))
        across = float(np.sum((self._residual_matrix() @ self.V) * self.U))
        return float(np.sqrt(max(low_rank + 2 * across + float(self.residuals @ self.residuals), 0.0)))

    def column_kernel(self, ridge: float, alpha: float) -> FactoredKernel:
        return _leading(self._residual_matrix().T.tocsr(), self.V, self.U, ridge, alpha)

    def row_kernel(self, ridge: float, alpha: float) -> FactoredKernel:
        return _leading(self._residual_matrix(), self.U, self.V, ridge, alpha)

    def _residual_matrix(self) -> sparse.csr_array:
        return sparse.csr_array((self.residuals, self.entries.cols, self.entries.row_starts), shape=self.entries.shape)


@dataclass(frozen=True)
class FactoredKernel(ColumnKernel):
    """S = V V' with ``V`` (d, r)."""

    V: FloatArray
    floor: float

    def complete(self, systems: RowSystems) -> FactoredCompletion:
        U, residuals = systems.coefficients(self.V, self.floor)
        return FactoredCompletion(U, self.V, residuals, systems.entries)

    def largest(self) -> float:
        return float((self.V**2).sum(axis=1).max(initial=0.0))

    def astype(self, dtype: type[np.floating]) -> FactoredKernel:
        return FactoredKernel(self.V.astype(dtype, copy=False), self.floor)


def _leading(R: sparse.csr_array, U: FloatArray, V: FloatArray, ridge: float, alpha: float) -> FactoredKernel:
    """The leading part, of rank r, of the kernel between the rows of X = U V' + R (n, d).

    One step of subspace iteration (Halko et al. 2011, alg. 4.4) from the column space of U, which moves little from
    one iteration of lin-RFM to the next.
    """
    Q = np.linalg.qr(U)[0]
    C = V @ (U.T @ Q) + R.T @ Q  # X' Q (d, r)
    Q = np.linalg.qr(U @ (V.T @ C) + R @ C)[0]
    return _in_subspace(Q, V @ (U.T @ Q) + R.T @ Q, ridge, alpha)


def spectral_start(entries: Entries, rank: int, ridge: float, alpha: float, seed: int) -> FactoredKernel:
    """The leading kernel between the columns of the observed matrix, 0 where missing, by randomized range finding."""
    Y = sparse.csr_array((entries.values, entries.cols, entries.row_starts), shape=entries.shape)
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(Y.T @ rng.standard_normal((entries.shape[0], rank)))[0]
    for _ in range(4):
        Q = np.linalg.qr(Y.T @ (Y @ Q))[0]
    return _in_subspace(Q, Y @ Q, ridge, alpha)


def _in_subspace(Q: FloatArray, C: FloatArray, ridge: float, alpha: float) -> FactoredKernel:
    """The part of a kernel that is in the span of ``Q`` (m, r), orthonormal; ``C`` is the matrix' product with it."""
    values, vectors = np.linalg.eigh(C.T @ C / len(C))
    powers = above_floor(values, ridge, alpha)
    return FactoredKernel((Q @ vectors) * np.sqrt(powers), floor_of(powers, ridge, alpha))

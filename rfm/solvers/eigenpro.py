r"""EigenPro: preconditioned stochastic iteration for kernel ridge regression on tables of any length.

Sought is alpha with (K + ridge I) alpha = Y. Written with rows divided by the roots of the diagonal, w_i =
(K_ii + ridge)^(-1/2), this is A a = w Y with A = w (K + ridge I) w and alpha = w a: the interpolation of w Y in the
kernel A, whose diagonal is 1 (so the ridge is part of the kernel, of its gradient and of its spectrum). Stochastic
gradient descent in the function space of A takes a batch b and moves a_b against the residual; it crawls along all
but the leading eigenfunctions. EigenPro divides the leading ones out: with eigenpairs (lambda_i, v_i) of A on a
subsample S of s rows, D = diag((1 - lambda_{q+1} / lambda_i) / lambda_i), and g = A_b a - w_b Y_b,

    a_b <- a_b - t g,       a_S <- a_S + t V D V' A_Sb g.

An epoch visits every row once and costs one pass over the kernel. What is adjusted to the table, as in EigenPro 2,
follows from the subsample's spectrum and beta, the largest diagonal entry of the preconditioned kernel: a batch is
saturated (larger ones progress no faster) from beta s / lambda_{q+1} rows on, so q is the least that keeps the batch
well below, and the batch is made smaller where no q does. EigenPro 2 takes t = 1 / (beta + (m - 1) lambda_{q+1} / s)
for m rows, a bound on the norm of the preconditioned kernel within a batch; here that norm itself is taken, from a few
batches. Directions of A's eigenvalue mu shrink by about exp(-mu / beta) an epoch: those with mu far below beta are not
learned in 50 epochs, whatever they are worth.

Sources: Ma & Belkin 2017 (arXiv 1703.10622), 2019 (arXiv 1806.06144, with the choices). EigenPro 3 (Abedsoltan,
Belkin & Pandit 2023, arXiv 2302.02605) is for models whose centres are not the training rows; here they are, and its
projection would cost for nothing. The ridge as part of the kernel, the scaling of rows, and beta over all rows are
ours: over the subsample's alone it comes out up to three times too small, for these are the rows that its eigenvectors
fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from rfm.solvers.blocks import KernelBlocks, ranges

SUBSAMPLE_ROWS = 2000
BATCH_ROWS = 512
"""Few enough that a pass over the kernel makes many steps, enough for block products at full speed on a CPU. The same
everywhere, so that results do not depend on the machine; a GPU is busier with more."""
_LEAST_BATCH = 128
_SATURATION = 4.0
"""A batch is saturated at so many times its size, or more."""
_EIGENVECTORS_SHARE = 4
"""At most one in so many of the subsample's eigenvectors is taken: the higher ones are those of the subsample only."""
_PROBED_BATCHES = 3
_STABLE = 1.5
"""The step in units of 1 / norm of the preconditioned kernel in a batch: from 2 on it diverges."""
_GROWTH, _ROUNDING = 1.1, 1e-6
"""An epoch whose relative residual exceeds the one before so many times, and this, went astray."""


@dataclass(frozen=True)
class Epoch:
    """The state after ``number`` passes over the rows.

    ``alpha`` (n, c) float64 are the dual coefficients, ``scores`` (m, c) float64 the predictor at the validation rows,
    ``residual`` the Frobenius norm of A a - w Y relative to that of w Y (where the diagonal of K is constant: of
    (K + ridge I) alpha - Y relative to Y), each row's share taken when its batch was visited in this epoch.
    """

    number: int
    alpha: torch.Tensor
    scores: torch.Tensor
    residual: float


@dataclass(frozen=True)
class Preconditioner:
    """What the subsample says: ``rows`` (s,), ``vectors`` V (s, q), ``damping`` (q,) the diagonal of D, and ``beta``.

    ``saturated`` is the batch size beta s / lambda_{q+1}. A, its eigenvalues and ``beta`` are of the scaled problem.
    """

    rows: torch.Tensor
    vectors: torch.Tensor
    damping: torch.Tensor
    beta: float
    saturated: float

    def correction(self, gradient: torch.Tensor) -> torch.Tensor:
        """V D V' of ``gradient`` (s, c)."""
        return self.vectors @ (self.damping[:, None] * (self.vectors.T @ gradient))


class EigenPro:
    """The iteration for targets ``Y`` (n, c) float64 on the first n rows of ``blocks``.

    At most ``batch`` rows are taken at a time; all randomness (subsample, batches) comes from ``seed``. Raises
    ``ValueError`` for fewer than two rows, a ridge below 0, or targets that are not finite.
    """

    def __init__(
        self,
        blocks: KernelBlocks,
        Y: torch.Tensor,
        ridge: float,
        *,
        seed: int,
        subsample: int = SUBSAMPLE_ROWS,
        batch: int = BATCH_ROWS,
    ) -> None:
        n = len(Y)
        if not 2 <= n <= len(blocks):
            raise ValueError(f"EigenPro needs 2 to {len(blocks)} rows with targets, got {n}")
        if not ridge >= 0:
            raise ValueError(f"ridge must not be negative, got {ridge!r}")
        if not bool(torch.isfinite(Y).all()):
            raise ValueError("the targets are not finite")
        self.blocks, self.Y, self.ridge = blocks, Y.double(), float(ridge)
        self.batch = min(batch, n)
        self._draws = np.random.default_rng(seed)
        self._scale = self._scales(n)
        sampled = np.sort(self._draws.permutation(n)[: min(subsample, n)])
        self._place = torch.full((n,), -1, dtype=torch.int64, device=blocks.device)
        rows = torch.as_tensor(sampled, device=blocks.device)
        self._place[rows] = torch.arange(len(rows), device=blocks.device)
        self.preconditioner = self._prepare(rows)
        if self.batch > _LEAST_BATCH:
            self.batch = max(_LEAST_BATCH, min(self.batch, int(self.preconditioner.saturated / _SATURATION)))
        self.step = _STABLE / self._largest_norm()

    def admit(self, Y: torch.Tensor) -> None:
        """Let the next rows of the blocks take part too, with the targets ``Y`` (k, c); the preconditioner stays."""
        self.Y = torch.cat([self.Y, Y.double()])
        self._scale = self._scales(len(self.Y))
        self._place = torch.cat([self._place, self._place.new_full((len(Y),), -1)])

    def epochs(self, most: int, validation: slice = slice(0, 0), start: torch.Tensor | None = None) -> Iterator[Epoch]:
        """Up to ``most`` epochs from ``start`` (n, c), by default 0, each with the scores of the blocks' rows
        ``validation``.

        An epoch in which the residual grows (by more than a tenth: shares are taken at different times) is void: it is
        taken back, the step is halved, and the epoch counts. The residual that it gives is the one it was void for.
        """
        n = len(self.Y)
        size = float((self._scale[:, None] * self.Y).norm())
        alpha = torch.zeros_like(self.Y) if start is None else start.clone()
        previous = 1.0  # that of alpha = 0
        for number in range(1, most + 1):
            before = alpha.clone()
            squares = torch.zeros((), dtype=torch.float64, device=self.blocks.device)
            order = torch.as_tensor(self._draws.permutation(n), device=self.blocks.device)
            for first, last in ranges(0, n, self.batch):
                squares += self._move_(alpha, order[first:last])
            residual = float(squares.sqrt()) / size if size else 0.0
            if residual <= _GROWTH * previous + _ROUNDING:
                previous = residual
            else:
                alpha, self.step = before, self.step / 2
            scores = self.blocks.product(validation, slice(0, n), alpha)
            yield Epoch(number, alpha.clone(), scores, residual)

    def _move_(self, alpha: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        """One step on ``batch`` in place; returns the squared norm of the scaled residual it found there."""
        residual = self.blocks.product(batch, slice(0, len(alpha)), alpha)
        residual += self.ridge * alpha[batch] - self.Y[batch]
        scale = self._scale[batch, None]
        gradient = scale * residual  # of a
        alpha[batch] -= self.step * scale * gradient
        inside = self.preconditioner.rows
        correction = self.preconditioner.correction(self._sampled(batch).T @ gradient)
        alpha[inside] += self.step * self._scale[inside, None] * correction
        return (gradient * gradient).sum()

    def _scales(self, n: int) -> torch.Tensor:
        diagonal = self.blocks.diagonal(slice(0, n)) + self.ridge
        # A row of zeros has a zero neural tangent kernel: without a ridge there is nothing to scale.
        return torch.where(diagonal > 0, diagonal, 1.0).rsqrt()

    def _sampled(self, rows: torch.Tensor) -> torch.Tensor:
        """A (k, s) float64 between ``rows`` and the subsample."""
        inside = self._subsample
        A = self.blocks.block(rows, inside).double()
        A *= self._scale[rows, None]
        A *= self._scale[inside]
        places = self._place[rows]
        members = torch.nonzero(places >= 0)[:, 0]
        A[members, places[members]] += self.ridge * self._scale[rows[members]] ** 2
        return A

    def _prepare(self, rows: torch.Tensor) -> Preconditioner:
        """Eigenvectors of the subsample ``rows``, as many of them as the batch size wants."""
        self._subsample = rows
        s, n = len(rows), len(self.Y)
        most = max(1, min(s - 1, s // _EIGENVECTORS_SHARE))
        A = self._sampled(rows)
        A = (A + A.T) / 2
        values, V = _leading_eigenpairs(A.cpu().numpy(), most + 1)
        # An eigenvalue at the level of rounding says nothing, and dividing by it would say it loudly.
        floor = s * np.finfo(np.float32).eps * values[-1]
        values = np.maximum(values, floor)
        leading, following = values[:-1], values[1:]
        vectors = torch.as_tensor(V[:, :-1], device=rows.device)
        beta = np.zeros(most)
        for start, stop in ranges(0, n, _TILE):
            part = torch.arange(start, stop, device=rows.device)
            squares = ((self._sampled(part) @ vectors) ** 2).cpu().numpy()
            taken = np.cumsum(squares / leading, axis=1) - following * np.cumsum(squares / leading**2, axis=1)
            beta = np.maximum(beta, (1.0 - taken).max(axis=0))
        beta = np.maximum(beta, np.finfo(np.float32).eps)
        enough = np.flatnonzero(_SATURATION * self.batch * following / s <= beta)
        q = int(enough[0]) + 1 if len(enough) else most
        damping = (1.0 - following[q - 1] / leading[:q]) / leading[:q]
        return Preconditioner(
            rows=rows,
            vectors=vectors[:, :q].contiguous(),
            damping=torch.as_tensor(damping, device=rows.device),
            beta=float(beta[q - 1]),
            saturated=float(beta[q - 1] * s / following[q - 1]),
        )

    def _largest_norm(self) -> float:
        """The largest eigenvalue that the preconditioned kernel has within one of a few random batches."""
        largest = 0.0
        for _ in range(_PROBED_BATCHES):
            batch = torch.as_tensor(self._draws.permutation(len(self.Y))[: self.batch], device=self.blocks.device)
            scale = self._scale[batch]
            A = self.blocks.block(batch, batch).double() * scale[:, None] * scale
            A.diagonal().add_(self.ridge * scale**2)
            seen = self._sampled(batch) @ self.preconditioner.vectors
            A -= (seen * self.preconditioner.damping) @ seen.T
            largest = max(largest, float(torch.linalg.eigvalsh((A + A.T) / 2)[-1]))
        return max(largest, float(np.finfo(np.float32).eps))


def _leading_eigenpairs(A: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest ``count`` eigenvalues of symmetric ``A`` (s, s), descending, and their vectors (s, count)."""
    s = len(A)
    try:
        values, V = scipy.linalg.eigh(A, subset_by_index=(s - count, s - 1))
    except scipy.linalg.LinAlgError:  # the routine for some eigenpairs gives up on many equal eigenvalues
        values, V = (part[..., s - count :] for part in np.linalg.eigh(A))
    return values[::-1].copy(), V[:, ::-1].copy()


_TILE = 2048
"""Rows at a time when all rows are compared with the subsample."""

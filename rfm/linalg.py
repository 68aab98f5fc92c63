"""Symmetric linear algebra on lower triangles: one code path for CPU and CUDA tensors.

On the CPU the work goes to LAPACK/BLAS routines and NumPy ufuncs on the tensors' own memory (no copies): they factor in
place, read one triangle only, and are faster there than their PyTorch counterparts. Elsewhere PyTorch does the work: a
solution costs one wait of the host for the device, and float64 copies of float32 matrices are made a block at a time.
Matrices are row-major tensors of which only the lower triangle, diagonal included, counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from rfm.arrays import BLOCK_BYTES, on_cpu, read, row_blocks


def mirror_(A: torch.Tensor) -> torch.Tensor:
    """Copy the lower triangle of ``A`` (n, n) into the upper one, in place, block by block."""
    n = len(A)
    step = 256 if on_cpu(A) else 4096
    for start in range(0, n, step):
        stop = min(start + step, n)
        A[:start, start:stop] = A[start:stop, :start].T
        square = A[start:stop, start:stop]
        square.copy_(square.tril() + square.tril(-1).T)
    return A


def symmetric_matmul(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """``A @ B`` for symmetric ``A`` (n, n), lower triangle given, and ``B`` (n, k)."""
    if not on_cpu(A):
        return mirror_(A.clone()) @ B  # a product with both triangles takes half the time of two with one each
    symm = _typed(blas.ssymm, blas.dsymm, A)
    # A row-major lower triangle is a column-major upper one; B' A' = (A B)' keeps every operand in place.
    product = symm(1.0, A.numpy().T, B.numpy().T, side=1, lower=0) if B.is_contiguous() else None
    if product is not None:
        return torch.from_numpy(product.T)
    return torch.from_numpy(symm(1.0, A.numpy().T, B.numpy(), side=0, lower=0))


def gram_lower(A: torch.Tensor) -> torch.Tensor:
    """Lower triangle of ``A.T @ A`` for ``A`` (n, k); the upper triangle is unspecified."""
    if not on_cpu(A):
        return A.T @ A
    syrk = _typed(blas.ssyrk, blas.dsyrk, A)
    # Row-major A is column-major A'; its upper triangle of A'A, column-major, is the row-major lower one.
    return torch.from_numpy(syrk(1.0, A.contiguous().numpy().T, trans=0, lower=0).T)


@dataclass(frozen=True)
class RidgeSolution:
    """``alpha`` (n, c) float64 with (K + ridge I) alpha = Y, and the solver that gave it.

    ``solver`` is ``"cholesky"``, or, when the working precision did not suffice, ``"cholesky-float64"`` or
    ``"eigenvalues"``.
    """

    alpha: torch.Tensor
    solver: str


def solve_ridge(
    K: torch.Tensor,
    ridge: float,
    Y: torch.Tensor,
    *,
    work: torch.Tensor | None = None,
    exact: Callable[[], torch.Tensor] | None = None,
) -> RidgeSolution:
    """Solve (K + ridge I) alpha = Y.

    A float32 system is factored in float32 and refined with float64 residuals, and so is a float64 system with a
    ``work`` in float32. Never gives NaN for finite input: when the factorisation breaks down or the refinement does not
    converge, the system is solved in float64, and if it is not positive definite there either, with its negative
    eigenvalues set to zero.

    Parameters
    ----------
    K : Tensor of shape (n, n)
        Symmetric positive semi-definite, of which the lower triangle is read; it is kept.
    ridge : float
        Above 0.
    Y : Tensor of shape (n, c)
        Right-hand sides.
    work : Tensor of shape (n, n), optional
        Overwritten; allocated by default.
    exact : callable, optional
        Gives the matrix that is solved in float64 (lower triangle); ``K`` itself by default.

    Returns
    -------
    RidgeSolution
        ``alpha`` (n, c) and the solver that gave it.

    Raises
    ------
    ValueError
        If ``ridge`` is not above 0, or what is solved in float64 or ``Y`` is not finite.
    """
    if not ridge > 0:
        raise ValueError(f"ridge must be positive, got {ridge!r}")
    factor = torch.empty(K.shape, dtype=K.dtype, device=K.device) if work is None else work
    if not on_cpu(K):
        alpha = _solve_waiting_once(K, ridge, Y, factor)
        if alpha is not None:
            return RidgeSolution(alpha, "cholesky")
        return _solve_float64(K.double() if exact is None else exact(), ridge, Y.double())
    for start, stop in row_blocks(len(K), len(K), K.element_size()):  # what is above the diagonal need not be moved
        factor[start:stop, :stop].copy_(K[start:stop, :stop])
    factor.diagonal().add_(ridge)
    if factor_(factor):
        alpha = solve_factored(factor, Y.to(factor.dtype)).double()
        double = factor.dtype == torch.float64
        if bool(torch.isfinite(alpha).all()) if double else _refine_(alpha, K, factor, ridge, Y):
            return RidgeSolution(alpha, "cholesky")
    return _solve_float64(K.double() if exact is None else exact(), ridge, Y.double())


def _refine_(alpha: torch.Tensor, K: torch.Tensor, factor: torch.Tensor, ridge: float, Y: torch.Tensor) -> bool:
    """Iterative refinement of ``alpha`` (n, c) in place; False if it does not converge.

    Corrections shrink by a constant factor, which the sizes of two of them tell (Higham 2002, ch. 12); after the first
    one, its own relative size is taken for that factor. So no residual is needed to know when to stop.
    """
    # The largest eigenvalue of a kernel matrix is at most n times its diagonal: a float32 solution of a system that
    # well conditioned loses nothing worth refining.
    if len(K) * float(K.diagonal().abs().max()) <= ridge * _WELL_CONDITIONED:
        return bool(torch.isfinite(alpha).all())
    target = Y.double()
    error, previous = np.inf, None
    for _ in range(_MOST_REFINEMENTS):
        size, moved = map(float, _correct_(alpha, K, factor, ridge, target))
        error = _relative_error(size, moved, previous)
        if error <= _REFINED:
            return True
        if error == np.inf:
            return False
        previous = moved
    return error <= _ACCEPTED


def _correct_(
    alpha: torch.Tensor, K: torch.Tensor, factor: torch.Tensor, ridge: float, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of refinement of ``alpha`` (n, c) in place: the norms of it and of its correction."""
    residual = target - ridge * alpha - _symmetric_matmul_float64(K, alpha)
    correction = solve_factored(factor, residual.to(factor.dtype)).double()
    alpha += correction
    return torch.linalg.vector_norm(alpha), torch.linalg.vector_norm(correction)


def _relative_error(size: float, moved: float, previous: float | None) -> float:
    """What is left in a solution of norm ``size`` after a correction of norm ``moved``, and one of ``previous``.

    Infinity where corrections shrink too slowly, grow, or are no numbers.
    """
    if moved == 0.0:
        return 0.0
    shrinkage = moved / (size if previous is None else previous) if size else np.inf
    return moved / size * shrinkage / (1.0 - shrinkage) if shrinkage < _LEAST_SHRINKAGE else np.inf


def _solve_waiting_once(K: torch.Tensor, ridge: float, Y: torch.Tensor, work: torch.Tensor) -> torch.Tensor | None:
    """:func:`solve_ridge` with no wait for the device but one; None if the working precision does not suffice.

    Whether the factor exists and the corrections shrink is read after :data:`_STEPS_AT_ONCE` of these. More of them
    than needed do no harm: residuals are those of float64. Seldom further ones are made, each followed by a wait.
    """
    work.copy_(K)
    work.diagonal().add_(ridge)
    factor, status = torch.linalg.cholesky_ex(work)
    alpha = solve_factored(factor, Y.to(factor.dtype)).double()
    if factor.dtype == torch.float64:
        info, finite = read(status, torch.isfinite(alpha).all())
        return alpha if info == 0 and finite else None
    target = Y.double()
    error, previous = np.inf, None
    for steps in (_STEPS_AT_ONCE, *[1] * (_MOST_REFINEMENTS - _STEPS_AT_ONCE)):
        norms = [norm for _ in range(steps) for norm in _correct_(alpha, K, factor, ridge, target)]
        info, *sizes = read(status, *norms)
        for size, moved in zip(sizes[::2], sizes[1::2], strict=True):
            error = _relative_error(size, moved, previous)
            if info != 0 or error == np.inf:
                return None
            if error <= _REFINED:
                return alpha
            previous = moved
    return alpha if error <= _ACCEPTED else None


_WELL_CONDITIONED = 2500.0
_MOST_REFINEMENTS, _STEPS_AT_ONCE = 4, 2
_LEAST_SHRINKAGE = 0.5
_REFINED, _ACCEPTED = 1e-6, 1e-4
"""Relative errors at which refinement stops, and which is good enough when its steps are used up."""


def _solve_float64(K: torch.Tensor, ridge: float, Y: torch.Tensor) -> RidgeSolution:
    if not bool(torch.isfinite(K.tril()).all() and torch.isfinite(Y).all()):
        raise ValueError("the kernel matrix or the targets are not finite: standardise the features and the targets")
    regularised = K.clone(memory_format=torch.contiguous_format)
    regularised.diagonal().add_(ridge)
    if factor_(regularised):
        alpha = solve_factored(regularised, Y)
        if bool(torch.isfinite(alpha).all()):
            return RidgeSolution(alpha, "cholesky-float64")
    eigenvalues, vectors = torch.linalg.eigh(K, UPLO="L")
    # What is left of an eigenvalue below the rounding of the largest is noise, and so is what it would multiply.
    noise = len(K) * torch.finfo(K.dtype).eps * float(eigenvalues.abs().max())
    inverse = torch.where((eigenvalues > noise) | (ridge > noise), 1.0 / (eigenvalues.clamp_min(0.0) + ridge), 0.0)
    return RidgeSolution(vectors @ (inverse[:, None] * (vectors.T @ Y)), "eigenvalues")


def factor_(A: torch.Tensor) -> bool:
    """Cholesky factor of the lower triangle in place; False when ``A`` is not positive definite."""
    if on_cpu(A):
        potrf = _typed(lapack.spotrf, lapack.dpotrf, A)
        _, info = potrf(A.numpy().T, lower=0, clean=0, overwrite_a=1)
        return int(info) == 0
    factor, status = torch.linalg.cholesky_ex(A)
    A.copy_(factor)
    return int(status) == 0


def solve_factored(factor: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """A^-1 Y (n, c) from the Cholesky factor of A that :func:`factor_` left, and ``Y`` (n, c)."""
    if not on_cpu(factor):
        return torch.cholesky_solve(Y, factor).contiguous()  # it comes column by column
    upper = factor.numpy().T
    if Y.shape[1] > _VECTOR_SOLVES or len(Y) < _BLOCKED_SOLVES:
        potrs = _typed(lapack.spotrs, lapack.dpotrs, factor)
        solution, _ = potrs(upper, Y.numpy(), lower=0)
        return torch.from_numpy(solution).contiguous()
    # For few right-hand sides LAPACK's blocked solve costs several times as much as one vector solve a column.
    trsv = _typed(blas.strsv, blas.dtrsv, factor)
    columns = [trsv(upper, trsv(upper, column, lower=0, trans=1), lower=0) for column in Y.numpy().T]
    return torch.from_numpy(np.stack(columns, axis=1))


_VECTOR_SOLVES, _BLOCKED_SOLVES = 10, 300
"""At most so many right-hand sides, and at least so many rows, make column-wise solves the faster ones."""


class _Scratch(threading.local):
    """Blocks in float64, kept from call to call: a megabyte of fresh pages costs as much as what is done with it."""

    def __init__(self) -> None:
        self._flat = np.empty(0)

    def take(self, rows: int, columns: int) -> NDArray[np.float64]:
        """An uninitialised (rows, columns) matrix, valid until the thread takes the next."""
        if self._flat.size < rows * columns:
            self._flat = np.empty(rows * columns)
        return self._flat[: rows * columns].reshape(rows, columns)


_scratch = _Scratch()


def matmul_float64(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """``A @ B`` accumulated in float64 for ``A`` (m, n) of any precision and ``B`` (n, k) float64, block by block.

    Dual coefficients of a small ridge are large and of both signs: summed in float32, kernel values that are right to
    1e-7 give predictions that are wrong by 1e-3.
    """
    if A.dtype == torch.float64:
        return A @ B
    if not on_cpu(A):
        result = B.new_empty((len(A), B.shape[1]))
        for start, stop in row_blocks(A.shape[0], A.shape[1], 8, device=A.device):
            torch.mm(A[start:stop].double(), B, out=result[start:stop])
        return result
    source, right = A.numpy(), B.numpy()
    product = np.empty((len(source), right.shape[1]))
    ranges = row_blocks(source.shape[0], source.shape[1], 8)
    for start, stop in ranges:
        block = _scratch.take(stop - start, source.shape[1])
        np.copyto(block, source[start:stop])
        np.matmul(block, right, out=product[start:stop])
    return torch.from_numpy(product)


def _symmetric_matmul_float64(K: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """:func:`matmul_float64` for a symmetric ``K`` (n, n) of which the lower triangle is given."""
    n = len(K)
    if not on_cpu(K):
        result = torch.zeros_like(B)
        for start, stop in row_blocks(n, n, 8, device=K.device):
            part = K[start:stop, :stop].to(torch.float64, copy=True)
            mirror_(part[:, start:])
            result[start:stop] += part @ B[:stop]
            result[:start] += part[:, :start].T @ B[start:stop]
        return result
    source, right = K.numpy(), B.numpy()
    product = np.zeros_like(right)
    ranges = row_blocks(n, n, 8, budget=2 * BLOCK_BYTES)
    for start, stop in ranges:
        square = _scratch.take(stop - start, stop - start)
        with np.errstate(invalid="ignore"):  # what is above the diagonal may be anything, a signalling NaN too
            np.copyto(square, source[start:stop, start:stop])
        product[start:stop] += blas.dsymm(1.0, square.T, right[start:stop].T, side=1, lower=0).T
        if start:
            block = _scratch.take(stop - start, start)
            np.copyto(block, source[start:stop, :start])
            product[start:stop] += block @ right[:start]
            product[:start] += block.T @ right[start:stop]
    return torch.from_numpy(product)


def metric_factor(M: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """F (d, r) float64 with F F' = M up to rounding, for positive semi-definite ``M`` (d, d) of numerical rank r.

    ``scales`` (d,) are the sizes of the features: what M gives to a feature counts as rounding only in relation to
    what that feature adds to distances. By Cholesky's method with complete pivoting (Higham 2002, ch. 10), or from the
    eigenvectors where LAPACK is not at hand. Raises ``ValueError`` if ``M`` is not finite; on CUDA F may be no numbers
    instead.
    """
    noise = len(M) * torch.finfo(M.dtype).eps
    if not on_cpu(M):
        return _metric_factor_waiting_once(M, scales, noise)
    weights = scales.numpy().astype(np.float64)
    weights[~(weights > 0)] = 1.0
    scaled = M.numpy() * weights * weights[:, None]
    if not np.isfinite(scaled).all():
        raise ValueError(_METRIC_NOT_FINITE)
    factor, pivots, rank, _ = lapack.dpstrf(scaled.T, tol=noise * scaled.diagonal().max(), lower=1, overwrite_a=1)
    F = np.zeros((len(scaled), rank))
    F[pivots - 1] = np.tril(factor[:, :rank])
    F /= weights[:, None]
    return torch.from_numpy(F)


def _metric_factor_waiting_once(M: torch.Tensor, scales: torch.Tensor, noise: float) -> torch.Tensor:
    """:func:`metric_factor` (d, d) from the eigenvectors; columns of what is rounding are zero, for to count the others
    the host would wait once more than ``eigh`` makes it."""
    sizes = torch.where(scales > 0, scales, 1.0).double()
    A = M.double() * sizes[:, None] * sizes[None, :]
    try:
        values, vectors = torch.linalg.eigh(A)
    except torch.linalg.LinAlgError:
        if bool(torch.isfinite(A).all()):
            raise
        raise ValueError(_METRIC_NOT_FINITE) from None
    kept = torch.where(values > noise * A.diagonal().amax(), values, 0.0)
    # Zero, or not a number where M is not finite: then neither is the next kernel matrix, and its solution refuses it.
    return vectors * kept.sqrt() / sizes[:, None] + A.sum() * 0.0


_METRIC_NOT_FINITE = "the metric is not finite: standardise the features and the targets"


def _typed(single: Any, double: Any, A: torch.Tensor) -> Any:
    return single if A.dtype == torch.float32 else double

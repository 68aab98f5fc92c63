r"""Conjugate gradients for kernel ridge regression, preconditioned by randomly pivoted Cholesky.

Sought is alpha with (K + ridge I) alpha = Y. With the factor F (n, k) of :mod:`rfm.solvers.pivoted`, the preconditioner
is P = F F' + ridge I, inverted by (Sherman, Morrison, Woodbury)

    P^-1 r = (r - F (F'F + ridge I)^-1 F' r) / ridge.

Where the k leading eigenvalues hold all of K but a part of the size of the ridge, the number of iterations depends on
no condition number any more. Columns of Y are solved at once, each with steps of its own, so that every pass over the
kernel serves them all; those that are solved take part no longer. F is kept in float32 and multiplied in float64: the
cancellation in P^-1 loses as many digits as the largest eigenvalue of K is times the ridge.

Source: Diaz, Epperly, Frangella, Tropp & Webber 2023 (arXiv 2304.12465).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from scipy.linalg import blas

from rfm.solvers.blocks import KernelBlocks, SymmetricKernel, ranges
from rfm.solvers.pivoted import pivoted_cholesky


@dataclass(frozen=True)
class Iterate:
    """The state after ``number`` products with the kernel matrix.

    ``alpha`` (n, c) float64 are the dual coefficients. ``residual`` is that of Y - (K + ridge I) alpha in the column
    where it is largest relative to the column's deviation from its mean.
    """

    number: int
    alpha: torch.Tensor
    residual: float


class Preconditioner:
    """P^-1 for the factor F (n, k) of K and a ridge."""

    def __init__(self, F: torch.Tensor, ridge: float) -> None:
        self._F, self._ridge = F, ridge
        self.rank = F.shape[1]
        if not self.rank:
            return
        core = np.zeros((self.rank, self.rank), order="F")
        for part in self._parts():
            core = blas.dsyrk(1.0, F[part].double().cpu().numpy().T, beta=1.0, c=core, lower=1, overwrite_c=1)
        core[np.diag_indices(self.rank)] += ridge
        self._core = scipy.linalg.cho_factor(core, lower=True, overwrite_a=True)

    def __call__(self, R: torch.Tensor) -> torch.Tensor:
        """P^-1 ``R`` (n, c) float64."""
        if not self.rank:
            return R / self._ridge
        inner = R.new_zeros((self.rank, R.shape[1]))
        for part in self._parts():
            inner += self._F[part].double().T @ R[part]
        inner = torch.as_tensor(scipy.linalg.cho_solve(self._core, inner.cpu().numpy()), device=R.device)
        out = R.clone()
        for part in self._parts():
            out[part] -= self._F[part].double() @ inner
        return out / self._ridge

    def _parts(self) -> list[slice]:
        step = max(64, _BYTES // (8 * self.rank))
        return [slice(start, stop) for start, stop in ranges(0, len(self._F), step)]


def conjugate_gradients(
    kernel: SymmetricKernel, Y: torch.Tensor, ridge: float, precondition: Preconditioner, *, tolerance: float
) -> Iterator[Iterate]:
    """Iterates from alpha = 0 on; a column of ``Y`` (n, c) float64 whose residual is below ``tolerance`` stays.

    Ends when all columns are.
    """
    alpha, residual = torch.zeros_like(Y), Y.clone()
    sizes = (Y - Y.mean(dim=0)).norm(dim=0)
    sizes = torch.where(sizes > 0, sizes, Y.norm(dim=0))
    left = _ratio(residual.norm(dim=0), sizes)
    yield Iterate(0, alpha, float(left.max()))
    active = torch.nonzero(left > tolerance)[:, 0]
    if not len(active):
        return
    search = precondition(residual[:, active])
    height = (residual[:, active] * search).sum(dim=0)
    number = 0
    while True:
        number += 1
        image = kernel.product(search) + ridge * search
        step = _ratio(height, (search * image).sum(dim=0))
        alpha[:, active] += step * search
        residual[:, active] -= step * image
        left[active] = _ratio(residual[:, active].norm(dim=0), sizes[active])
        yield Iterate(number, alpha, float(left.max()))
        going = left[active] > tolerance
        active, search, height = active[going], search[:, going], height[going]
        if not len(active):
            return
        direction = precondition(residual[:, active])
        before, height = height, (residual[:, active] * direction).sum(dim=0)
        search = direction + search * _ratio(height, before)


def factor_kernel(blocks: KernelBlocks, n: int, rank: int, seed: int) -> torch.Tensor:
    """The factor F (n, k) that preconditions the kernel of the first ``n`` rows of ``blocks``."""
    return pivoted_cholesky(blocks, n, min(rank, n), np.random.default_rng(seed))


def _ratio(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """0 where there is nothing left to solve: the column of a class without rows, say."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0)


_BYTES = 4 << 20
"""The factor is taken into float64 in parts of this size."""

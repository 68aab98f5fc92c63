r"""Conjugate gradients for kernel ridge regression, preconditioned by randomly pivoted Cholesky.

Sought is alpha with (K + ridge I) alpha = Y. With the factor F (n, k) of :mod:`rfm.solvers.pivoted`, the preconditioner
is P = F F' + ridge I, inverted by (Sherman, Morrison, Woodbury)

    P^-1 r = (r - F (F'F + ridge I)^-1 F' r) / ridge.

Where the k leading eigenvalues hold all of K but a part of the size of the ridge, the number of iterations depends on
no condition number any more. Columns of Y are solved at once, each with steps of its own, so that every pass over the
kernel serves them all; those that are solved take part no longer. F is kept in float32 and multiplied in float64: the
cancellation in P^-1 loses as many digits as the largest eigenvalue of K is times the ridge.

Iterations begin at 0. In a chain of metrics the coefficients of the metric before, scaled as fits best, leave 0.5 to
0.9 of Y as their residual, which costs the iteration that it saves (connect-4 and a synthetic table, 12,000 rows).

Source: Diaz, Epperly, Frangella, Tropp & Webber 2023 (arXiv 2304.12465).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from rfm.arrays import matmul
from rfm.linalg import factor_, gram_lower, solve_factored
from rfm.solvers.blocks import SymmetricKernel, ranges


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
        core = torch.zeros((self.rank, self.rank), dtype=torch.float64, device=F.device)
        for part in self._parts() if self.rank else ():
            core += gram_lower(F[part].double())
        core.diagonal().add_(ridge)
        if self.rank and not factor_(core):
            raise ValueError(f"ridge {ridge!r} is too small for this kernel: the preconditioner is not definite")
        self._core = core

    def __call__(self, R: torch.Tensor) -> torch.Tensor:
        """P^-1 ``R`` (n, c) float64."""
        if not self.rank:
            return R / self._ridge
        inner = R.new_zeros((self.rank, R.shape[1]))
        for part in self._parts():
            inner += matmul(self._F[part].double().T, R[part])
        inner = solve_factored(self._core, inner)
        out = R.clone()
        for part in self._parts():
            out[part] -= matmul(self._F[part].double(), inner)
        return out / self._ridge

    def _parts(self) -> list[slice]:
        step = max(64, _BYTES // (8 * max(1, self.rank)))
        return [slice(start, stop) for start, stop in ranges(0, len(self._F), step)]


def conjugate_gradients(
    kernel: SymmetricKernel, Y: torch.Tensor, ridge: float, precondition: Preconditioner, *, tolerance: float
) -> Iterator[Iterate]:
    """Iterates from alpha = 0 on; a column of ``Y`` (n, c) float64 whose residual is below ``tolerance`` stays.

    Ends when all columns are, or where K + ridge I turns out not to be positive definite: the residual says which.
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
        curvature = (search * image).sum(dim=0)
        if not bool((curvature > 0).all()):  # rounding is larger than the ridge, or something is not a number
            return
        step = height / curvature
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


def _ratio(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """0 where there is nothing left to solve: the column of a class without rows, say."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0)


_BYTES = 4 << 20
"""The factor is taken into float64 in parts of this size."""

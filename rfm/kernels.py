r"""Radial kernels in a learned metric, K(x, z) = phi(|x - z|_M) with |x - z|_M^2 = (x - z)' M (x - z).

Each kernel also gives the *gradient weight* W(x, z) with  grad_z K(x, z) = W(x, z) M (x - z), which is all that the
average gradient outer product needs. Rows that coincide in the metric have no gradient between them (W = 0): what
rounding leaves of their distance says nothing, and K / distance would explode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from rfm.arrays import exp_, matmul_into, row_blocks, sqrt_
from rfm.linalg import mirror_
from rfm.rows import Metric, MetricRows, metric_rows, resolve_close_


@dataclass(frozen=True)
class RadialKernel(ABC):
    """A radial kernel of scale ``bandwidth`` (the L of the formulas, > 0)."""

    bandwidth: float = 10.0

    @abstractmethod
    def profile_(self, u: torch.Tensor, weight: torch.Tensor | None) -> None:
        """Replace squared scaled distances ``u`` = |x - z|_M^2 / L^2 by kernel values, in place.

        ``weight``, if given, receives L^2 W; its value where ``u`` is 0 is not used.
        """


@dataclass(frozen=True)
class Laplace(RadialKernel):
    """exp(-d / L), the kernel of Recursive Feature Machines (Radhakrishnan et al. 2024)."""

    def profile_(self, u: torch.Tensor, weight: torch.Tensor | None) -> None:
        distance = sqrt_(u, out=weight)
        exp_(torch.neg(distance, out=u))
        if weight is not None:
            torch.div(u, distance, out=weight)


@dataclass(frozen=True)
class Gaussian(RadialKernel):
    """exp(-d^2 / (2 L^2))."""

    def profile_(self, u: torch.Tensor, weight: torch.Tensor | None) -> None:
        exp_(u.mul_(-0.5))
        if weight is not None:
            weight.copy_(u)


@dataclass(frozen=True)
class GeneralisedLaplace(RadialKernel):
    """exp(-(d / L)^q) for 0 < q <= 2: positive definite; q = 1 is Laplace, q = 2 Gaussian of bandwidth L / sqrt 2."""

    exponent: float = 1.0

    def profile_(self, u: torch.Tensor, weight: torch.Tensor | None) -> None:
        if weight is not None:
            torch.pow(u, self.exponent / 2 - 1, out=weight)
        exp_(u.pow_(self.exponent / 2).neg_())
        if weight is not None:
            weight.mul_(u).mul_(self.exponent)


def make_kernel(name: str, bandwidth: float, exponent: float = 1.0) -> RadialKernel:
    """The radial kernel called ``name``.

    Parameters
    ----------
    name : str
        ``"laplace"`` exp(-t/L), ``"gaussian"`` exp(-t^2/(2 L^2)) or ``"generalised_laplace"`` exp(-(t/L)^q) of the
        distance t.
    bandwidth : float
        L > 0.
    exponent : float, default=1.0
        q in (0, 2], of the generalised Laplace kernel only.

    Returns
    -------
    RadialKernel
        What :func:`kernel_matrix` takes.

    Raises
    ------
    ValueError
        For another name, bandwidth or exponent.
    """
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth!r}")
    if name == "laplace":
        return Laplace(bandwidth)
    if name == "gaussian":
        return Gaussian(bandwidth)
    if name == "generalised_laplace":
        if not 0 < exponent <= 2:
            raise ValueError(f"exponent must be in (0, 2], got {exponent!r}")
        return GeneralisedLaplace(bandwidth, exponent)
    raise ValueError(f"unknown kernel {name!r}: known are laplace, gaussian, generalised_laplace")


def kernel_lower_(kernel: RadialKernel, rows: MetricRows, K: torch.Tensor, W: torch.Tensor | None = None) -> None:
    """Write the lower triangles of the kernel matrix into ``K`` (n, n) and, if given, of L^2 W into ``W`` (n, n)."""
    n, closest = len(rows.left), rows.closest
    for start, stop in row_blocks(n, n, K.element_size(), device=K.device):
        block = K[start:stop, :stop]
        these = rows.at(slice(start, stop))
        matmul_into(these.left, rows.right[:stop].T, block)
        diagonal = block[:, start:].diagonal()
        diagonal.fill_(torch.inf)
        coincident = resolve_close_(block, these, rows, closest)
        diagonal.zero_()
        weight = None if W is None else W[start:stop, :stop]
        kernel.profile_(block, weight)
        if weight is not None:
            weight[:, start:].diagonal().zero_()
            if coincident is not None:
                coincident.clear_(weight)


def kernel_between_(
    kernel: RadialKernel, rows: MetricRows, others: MetricRows, K: torch.Tensor, W: torch.Tensor | None = None
) -> None:
    """Write the kernel matrix between ``rows`` (m) and ``others`` (n), prepared alike, into ``K`` (m, n).

    ``W`` (m, n), if given, receives L^2 W.
    """
    closest = rows.closest
    for start, stop in row_blocks(len(rows.left), len(others.left), K.element_size(), device=K.device):
        block = K[start:stop]
        these = rows.at(slice(start, stop))
        matmul_into(these.left, others.right.T, block)
        coincident = resolve_close_(block, these, others, closest)
        weight = None if W is None else W[start:stop]
        kernel.profile_(block, weight)
        if weight is not None and coincident is not None:
            coincident.clear_(weight)


def kernel_matrix(
    kernel: RadialKernel, X: torch.Tensor, Z: torch.Tensor | None = None, M: Metric | None = None
) -> torch.Tensor:
    """Kernel matrix in the metric ``M``, of the distances t with t^2 = (x - z)' M (x - z).

    Parameters
    ----------
    kernel : RadialKernel
        Of :func:`make_kernel`.
    X : Tensor of shape (n, d)
        Rows.
    Z : Tensor of shape (m, d), optional
        Other rows; ``X`` itself by default.
    M : Tensor of shape (d, d) or (d,), or FactoredMatrix, optional
        Symmetric positive semi-definite, its diagonal, or factors of it; the identity by default.

    Returns
    -------
    Tensor of shape (n, m)
    """
    if Z is None:
        K = X.new_empty((len(X), len(X)))
        kernel_lower_(kernel, metric_rows(X, M, kernel.bandwidth), K)
        return mirror_(K)
    rows, others = metric_rows(torch.cat([X, Z]), M, kernel.bandwidth).split(len(X))
    K = X.new_empty((len(X), len(Z)))
    kernel_between_(kernel, rows, others, K)
    return K

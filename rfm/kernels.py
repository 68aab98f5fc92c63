r"""Radial kernels in a learned metric, K(x, z) = phi(|x - z|_M) with |x - z|_M^2 = (x - z)' M (x - z).

Each kernel also gives the *gradient weight* W(x, z) with  grad_z K(x, z) = W(x, z) M (x - z), which is all that the
average gradient outer product needs. Rows that coincide in the metric have no gradient between them (W = 0): a
distance computed from a Gram matrix is rounding noise there, and K / distance would explode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from rfm.linalg import (
    exp_,
    keep_,
    mask_above,
    matmul_into,
    metric_factor,
    mirror_,
    row_blocks,
    smallest,
    sqrt_,
    squared_norms,
)

_COINCIDENT_ULPS = 16.0
"""Squared distances below this many units of rounding of the squared norms are treated as zero."""


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
    """The radial kernel called ``name``: laplace, gaussian or generalised_laplace. Raises ValueError otherwise."""
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


@dataclass(frozen=True)
class MetricRows:
    """Rows prepared for distances in one metric: ``left @ right.T`` is the matrix of u = |x - z|_M^2 / L^2.

    ``left`` and ``right`` (n, r + 2) for a metric of rank r; ``tolerance`` (n, 1) is the u below which another row
    coincides with this one. Two sets of rows go together only if they were prepared together and then split.
    """

    left: torch.Tensor
    right: torch.Tensor
    tolerance: torch.Tensor

    def split(self, n: int) -> tuple[MetricRows, MetricRows]:
        """The first ``n`` rows, and the others."""
        parts = [(part[:n], part[n:]) for part in (self.left, self.right, self.tolerance)]
        return MetricRows(*(first for first, _ in parts)), MetricRows(*(rest for _, rest in parts))


def metric_rows(
    X: torch.Tensor,
    M: torch.Tensor | None,
    bandwidth: float,
    *,
    fitted: int | None = None,
) -> MetricRows:
    """Prepare ``X`` (n, d) for distances in the metric ``M``: (d, d), its diagonal (d,), or None for the identity.

    The rows are first mapped to coordinates in which the metric is the identity: taken from x' M z itself, the distance
    of two near rows would drown in the rounding of terms that cancel when features are collinear. What of ``M`` is
    rounding, the first ``fitted`` rows say (all by default), so that the others do not change each other's distances.
    """
    P = coordinates(X, M, feature_sizes(X[:fitted]) if M is not None and M.dim() == 2 else None)
    return euclidean_rows(P.to(X.dtype), bandwidth)


def euclidean_rows(P: torch.Tensor, bandwidth: float, *, scratch: torch.Tensor | None = None) -> MetricRows:
    """Prepare rows ``P`` (n, r) for their Euclidean distances.

    ``scratch``, of at least 2 n (r + 2) numbers, is overwritten if given and lives on in what is returned.
    """
    n, d = P.shape
    scale = 1.0 / (bandwidth * bandwidth)
    left, right = P.new_empty((2, n, d + 2)) if scratch is None else scratch.view(-1)[: 2 * n * (d + 2)].view(2, n, -1)
    norms = squared_norms(P)
    right[:, :d] = P
    right[:, d] = 1.0
    right[:, d + 1] = norms
    torch.mul(P, -2.0 * scale, out=left[:, :d])
    norms *= scale
    left[:, d] = norms
    left[:, d + 1] = scale
    return MetricRows(left, right, coincidence_tolerance(norms, P.dtype)[:, None])


def feature_sizes(X: torch.Tensor) -> torch.Tensor:
    """The largest absolute value (d,) of each feature among the rows of ``X`` (n, d)."""
    return X.abs().amax(dim=0)


def coordinates(X: torch.Tensor, M: torch.Tensor | None, sizes: torch.Tensor | None) -> torch.Tensor:
    """Rows (n, r) whose Euclidean distances are those of ``X`` (n, d) in the metric ``M``, in float64 if it is a matrix

    ``sizes`` (d,), needed where ``M`` is a matrix, say what of it is rounding: see :func:`rfm.linalg.metric_factor`.
    """
    if M is None:
        return X
    if M.dim() == 1:
        return X * M.clamp_min(0.0).sqrt()
    assert sizes is not None
    return X.double() @ metric_factor(M, sizes)


def coincidence_tolerance(norms: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Squared distances below which a row coincides with one of these squared ``norms``, in precision ``dtype``."""
    return norms.abs() * (2.0 * _COINCIDENT_ULPS * torch.finfo(dtype).eps)


def kernel_lower_(kernel: RadialKernel, rows: MetricRows, K: torch.Tensor, W: torch.Tensor | None = None) -> None:
    """Write the lower triangles of the kernel matrix into ``K`` (n, n) and, if given, of L^2 W into ``W`` (n, n)."""
    n = len(rows.left)
    largest = float(rows.tolerance.max()) if n else 0.0
    for start, stop in row_blocks(n, n, K.element_size()):
        block = K[start:stop, :stop]
        matmul_into(rows.left[start:stop], rows.right[:stop].T, block)
        diagonal = block[:, start:].diagonal()
        diagonal.fill_(torch.inf)
        mask = clear_coincident_(block, rows.tolerance[start:stop], largest)
        diagonal.zero_()
        weight = None if W is None else W[start:stop, :stop]
        kernel.profile_(block, weight)
        if weight is not None:
            if mask is not None:
                keep_(weight, mask)
            weight[:, start:].diagonal().zero_()


def kernel_between_(kernel: RadialKernel, rows: MetricRows, others: MetricRows, K: torch.Tensor) -> None:
    """Write the kernel matrix between ``rows`` (m) and ``others`` (n), prepared alike, into ``K`` (m, n)."""
    largest = float(rows.tolerance.max()) if len(rows.left) else 0.0
    for start, stop in row_blocks(len(rows.left), len(others.left), K.element_size()):
        block = K[start:stop]
        matmul_into(rows.left[start:stop], others.right.T, block)
        clear_coincident_(block, rows.tolerance[start:stop], largest)
        kernel.profile_(block, None)


def kernel_matrix(
    kernel: RadialKernel, X: torch.Tensor, Z: torch.Tensor | None = None, M: torch.Tensor | None = None
) -> torch.Tensor:
    """Kernel matrix in the metric ``M``: (n, n) among the rows of ``X`` (n, d), or (n, m) between them and ``Z`` (m, d)

    ``M`` is (d, d) symmetric positive semi-definite, its diagonal (d,), or None for the identity.
    """
    if Z is None:
        K = X.new_empty((len(X), len(X)))
        kernel_lower_(kernel, metric_rows(X, M, kernel.bandwidth), K)
        return mirror_(K)
    rows, others = metric_rows(torch.cat([X, Z]), M, kernel.bandwidth).split(len(X))
    K = X.new_empty((len(X), len(Z)))
    kernel_between_(kernel, rows, others, K)
    return K


def clear_coincident_(u: torch.Tensor, tolerance: torch.Tensor, largest: float) -> torch.Tensor | None:
    """Set squared distances ``u`` up to ``tolerance`` to exactly zero; returns the mask of the others, None for all.

    ``largest``, at least the largest entry of ``tolerance``, tells in one cheap pass that most blocks have none.
    """
    mask = None if smallest(u) > largest else mask_above(u, tolerance)
    if mask is not None:
        keep_(u, mask)
    return mask

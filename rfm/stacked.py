"""All chains of a small problem at once, stacked into batches of matrices.

With fewer than a few hundred training rows a chain's arithmetic takes less time than the calls that ask for it; here
one call serves all chains. The mathematics is that of :mod:`rfm.kernels` and :mod:`rfm.agop`, in float64, which needs
no refinement, nor distances that are computed again: rows closer than 1e-7 of their norms coincide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from rfm.arrays import smallest, zero_where_
from rfm.kernels import RadialKernel
from rfm.linalg import factor_, solve_factored, solve_ridge


@dataclass(frozen=True)
class StackedPoint:
    """One iteration of all b chains: scores (b, m, c), coefficients (b, n, c), metrics (b, d, d) or None, solvers."""

    iteration: int
    scores: torch.Tensor
    alpha: torch.Tensor
    metric: torch.Tensor | None
    solvers: tuple[str, ...]


def stacked_chains(
    stacked: torch.Tensor,
    targets: torch.Tensor,
    ridges: torch.Tensor,
    kernel: RadialKernel,
    *,
    iterations: int,
    center: bool = False,
    diagonal: bool = False,
    gain: float = 1.0,
    rescale: Callable[[torch.Tensor, float], torch.Tensor] | None = None,
) -> Iterator[StackedPoint]:
    """Follow b chains from the identity metric through ``iterations`` updates.

    ``stacked`` (b, n + m, d) float64 holds each chain's fitted rows, then the others; ``targets`` (n, c) are common,
    ``ridges`` (b,) are the chains' own. The machine fits ``gain`` times the targets. Metrics are (b, d, d), or (b, d)
    with ``diagonal``. ``rescale`` gets the metric that coefficients of size one give, and the coefficients' true size,
    and returns the metric that is used: by default the first times the square of the second.
    """
    b, rows, _ = stacked.shape
    n = len(targets)
    X = stacked[:, :n]
    K, W = stacked.new_empty((2, b, n, n))
    between = stacked.new_empty((b, rows - n, n))
    metric: torch.Tensor | None = None
    for iteration in range(iterations + 1):
        _kernels_(stacked, metric, kernel, K, W if iteration < iterations else None, between)
        alpha, solvers = _solve(K, ridges, targets)
        if gain != 1.0:
            alpha *= gain
        yield StackedPoint(iteration, between @ alpha, alpha, metric, solvers)
        if iteration < iterations:
            sizes = alpha.abs().amax(dim=(1, 2))
            sizes[sizes == 0] = 1.0
            alpha = alpha / sizes[:, None, None]
            metric = _agops(X, alpha, W, metric, kernel.bandwidth**2, center=center, diagonal=diagonal)
            if rescale is None:
                metric *= (sizes * sizes).view(-1, *[1] * (metric.dim() - 1))
            else:
                metric = torch.stack([rescale(M, size) for M, size in zip(metric, sizes.tolist(), strict=True)])


def _kernels_(
    stacked: torch.Tensor,
    metric: torch.Tensor | None,
    kernel: RadialKernel,
    K: torch.Tensor,
    W: torch.Tensor | None,
    between: torch.Tensor,
) -> None:
    """Write K and L^2 W (b, n, n) among the fitted rows, and K (b, m, n) between the others and the fitted ones."""
    n = K.shape[1]
    scale = 1.0 / kernel.bandwidth**2
    if metric is None:
        moved = stacked
    elif metric.dim() == 2:
        moved = stacked * metric[:, None, :]
    else:
        moved = stacked @ metric
    norms = (moved * stacked).sum(dim=2, keepdim=True) * scale
    ones = torch.ones_like(norms)
    left = torch.cat([moved * (-2.0 * scale), norms, ones], dim=2)
    right = torch.cat([stacked, ones, norms], dim=2)[:, :n].mT
    tolerance = norms.abs() * (_COINCIDENT_ULPS * torch.finfo(norms.dtype).eps)
    largest = float(tolerance.max())
    torch.bmm(left[:, n:], right, out=between)
    _clear_coincident_(between, tolerance[:, n:], largest)
    kernel.profile_(between, None)
    torch.bmm(left[:, :n], right, out=K)
    diagonal = K.diagonal(dim1=1, dim2=2)
    diagonal.fill_(torch.inf)
    coincident = _clear_coincident_(K, tolerance[:, :n], largest)
    diagonal.zero_()
    kernel.profile_(K, W)
    if W is not None:
        if coincident is not None:
            zero_where_(W, coincident)
        W.diagonal(dim1=1, dim2=2).zero_()


_COINCIDENT_ULPS = 32.0
"""Squared distances below this many units of rounding of the squared norms are treated as zero."""


def _clear_coincident_(u: torch.Tensor, tolerance: torch.Tensor, largest: float) -> torch.Tensor | None:
    """Set squared distances ``u`` up to ``tolerance`` to exactly zero; returns the mask of those, None without any.

    ``largest``, at least the largest entry of ``tolerance``, tells in one cheap pass that there are none.
    """
    if smallest(u) > largest:
        return None
    mask = u <= tolerance
    zero_where_(u, mask)
    return mask


def _solve(K: torch.Tensor, ridges: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
    systems = K.clone()
    systems.diagonal(dim1=1, dim2=2).add_(ridges[:, None])
    if K.device.type == "cpu":
        # One LAPACK call a chain is faster than the batched routines, which make the same calls and copy besides.
        alpha = K.new_zeros((len(K), *targets.shape))
        definite = [factor_(system) for system in systems]
        for k in (k for k, usable in enumerate(definite) if usable):
            alpha[k] = solve_factored(systems[k], targets)
    else:
        factors, status = torch.linalg.cholesky_ex(systems)
        alpha = torch.cholesky_solve(targets.expand(len(K), *targets.shape), factors)
        definite = [info == 0 for info in status.tolist()]
    solvers = ["cholesky"] * len(K)
    for k, finite in enumerate(torch.isfinite(alpha).flatten(1).all(dim=1).tolist()):
        if not (definite[k] and finite):
            solution = solve_ridge(K[k], float(ridges[k]), targets)
            alpha[k], solvers[k] = solution.alpha, solution.solver
    return alpha, tuple(solvers)


def _agops(
    X: torch.Tensor,
    alpha: torch.Tensor,
    W: torch.Tensor,
    metric: torch.Tensor | None,
    scale: float,
    *,
    center: bool,
    diagonal: bool,
) -> torch.Tensor:
    """:func:`rfm.agop.agop` for each chain."""
    n, d = X.shape[1:]
    by_rows = alpha.shape[2] * (d + 1) <= n + _PASSES
    S = (_by_rows if by_rows else _by_gram)(X, alpha, W, center=center) / (n * scale * scale)
    if diagonal:
        spread = S.diagonal(dim1=1, dim2=2)
        return spread.clone() if metric is None else spread * metric * metric
    if metric is not None:
        S = metric @ S @ metric
    return (S + S.mT) / 2


_PASSES = 40
"""Columns of a product with W (n, n) that cost as much as the Gram form's element-wise passes over n x n matrices."""


def _by_rows(X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool) -> torch.Tensor:
    b, n, d = X.shape
    with_ones = torch.cat([X, X.new_ones((b, n, 1))], dim=2)
    spread = (alpha[:, :, :, None] * with_ones[:, :, None, :]).view(b, n, -1)
    product = torch.bmm(W, spread).view(b, n, -1, d + 1)
    V = product[..., :d] - product[..., d:] * X[:, :, None, :]
    if center:
        V -= V.mean(dim=1, keepdim=True)
    V = V.view(b, -1, d)
    return V.mT @ V


def _by_gram(X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool) -> torch.Tensor:
    B = W @ alpha
    cross = alpha @ B.mT
    Q = (W @ W) * (alpha @ alpha.mT) - W * (cross + cross.mT)
    Q.diagonal(dim1=1, dim2=2).add_((B * B).sum(dim=2))
    S = X.mT @ Q @ X
    if center:
        total = (alpha * W.sum(dim=2, keepdim=True) - B).mT @ X
        S = S - total.mT @ total / X.shape[1]
    return S

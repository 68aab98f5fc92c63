"""All chains of a small problem at once, stacked into batches of matrices.

With fewer than about a hundred training rows a chain's arithmetic takes less time than the calls that ask for it; here
one call serves all chains. The mathematics is that of :mod:`rfm.kernels` and :mod:`rfm.agop`, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from rfm.kernels import RadialKernel, coincidence_tolerance
from rfm.linalg import solve_ridge


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
    rescale: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Iterator[StackedPoint]:
    """Follow b chains from the identity metric through ``iterations`` updates.

    ``stacked`` (b, n + m, d) float64 holds each chain's fitted rows, then the others; ``targets`` (n, c) are common,
    ``ridges`` (b,) are the chains' own. Metrics are (b, d, d), or (b, d) with ``diagonal``; ``rescale``
    maps each chain's new metric to the one that is used.
    """
    n = len(targets)
    X = stacked[:, :n]
    metric: torch.Tensor | None = None
    for iteration in range(iterations + 1):
        K, W = _kernels(stacked, n, metric, kernel)
        alpha, solvers = _solve(K[:, :n], ridges, targets)
        yield StackedPoint(iteration, K[:, n:] @ alpha, alpha, metric, solvers)
        if iteration < iterations:
            metric = _agops(X, alpha, W, metric, kernel.bandwidth**2, center=center, diagonal=diagonal)
            if rescale is not None:
                metric = torch.stack([rescale(M) for M in metric])


def _kernels(
    stacked: torch.Tensor, n: int, metric: torch.Tensor | None, kernel: RadialKernel
) -> tuple[torch.Tensor, torch.Tensor]:
    """K (b, n + m, n) of all rows against the fitted ones, and L^2 W (b, n, n)."""
    scale = 1.0 / kernel.bandwidth**2
    if metric is None:
        moved = stacked
    elif metric.dim() == 2:
        moved = stacked * metric[:, None, :]
    else:
        moved = stacked @ metric
    norms = (moved * stacked).sum(dim=2, keepdim=True) * scale
    u = torch.baddbmm(norms + norms[:, :n].mT, moved, stacked[:, :n].mT, alpha=-2.0 * scale)
    coincident = u <= coincidence_tolerance(norms, u.dtype)
    coincident[:, :n].diagonal(dim1=1, dim2=2).fill_(True)
    u.masked_fill_(coincident, 0.0)
    weight = torch.empty_like(u)
    kernel.profile_(u, weight)
    W = weight[:, :n].masked_fill(coincident[:, :n], 0.0)
    return u, W


def _solve(K: torch.Tensor, ridges: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
    systems = K.clone()
    systems.diagonal(dim1=1, dim2=2).add_(ridges[:, None])
    factors, status = torch.linalg.cholesky_ex(systems)
    alpha = torch.cholesky_solve(targets.expand(len(K), *targets.shape), factors)
    solvers = ["cholesky"] * len(K)
    for chain in range(len(K)):
        if int(status[chain]) or not bool(torch.isfinite(alpha[chain]).all()):
            solution = solve_ridge(K[chain].contiguous(), float(ridges[chain]), targets)
            alpha[chain], solvers[chain] = solution.alpha, solution.solver
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
    """The Gram form of :func:`rfm.agop.agop` for each chain."""
    n = X.shape[1]
    B = W @ alpha
    cross = alpha @ B.mT
    Q = (W @ W) * (alpha @ alpha.mT) - W * (cross + cross.mT)
    Q.diagonal(dim1=1, dim2=2).add_((B * B).sum(dim=2))
    S = X.mT @ Q @ X
    if center:
        mean = (alpha * W.sum(dim=2, keepdim=True) - B).mT @ X
        S = S - mean.mT @ mean / n
    S = S / (n * scale * scale)
    if diagonal:
        spread = S.diagonal(dim1=1, dim2=2)
        return spread.clone() if metric is None else spread * metric * metric
    if metric is not None:
        S = metric @ S @ metric
    return (S + S.mT) / 2

"""All chains of a small problem at once, stacked into batches of matrices.

With fewer than a few hundred training rows a chain's arithmetic takes less time than the calls that ask for it; here
one call serves all chains. The mathematics is that of :mod:`rfm.kernels` and :mod:`rfm.agop`, in float64, which needs
no refinement. Where rows are close without coinciding, distances from a Gram matrix do not suffice: there the stack
ends and leaves the chains to be followed one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch

from rfm.arrays import on_cpu, read, smallest, zero_where_
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


@dataclass(frozen=True)
class TooClose:
    """Rows are close in the ``metric`` of one of the chains, (b, d, d) or None, that ``iteration`` was to take."""

    iteration: int
    metric: torch.Tensor | None


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
    rescale: Callable[[int, torch.Tensor, float], torch.Tensor] | None = None,
) -> Iterator[StackedPoint | TooClose]:
    """Follow b chains from the identity metric through ``iterations`` updates, or until rows are close in one of them.

    ``stacked`` (b, n + m, d) float64 holds each chain's fitted rows, then the others; ``targets`` (n, c) are common,
    ``ridges`` (b,) are the chains' own. The machine fits ``gain`` times the targets. Metrics are (b, d, d), or (b, d)
    with ``diagonal``. ``rescale`` gets the chain's number, the metric that coefficients of size one give, and the
    coefficients' true size, and returns the metric that is used: by default it times the square of that size.
    """
    n = len(targets)
    X = stacked[:, :n]
    kernels = _Kernels(stacked, n, kernel)
    metric: torch.Tensor | None = None
    for iteration in range(iterations + 1):
        if not kernels.compute_(metric, weights=iteration < iterations):
            yield TooClose(iteration, metric)
            return
        alpha, solvers = _solve(kernels.K, ridges, targets)
        if gain != 1.0:
            alpha *= gain
        yield StackedPoint(iteration, kernels.between @ alpha, alpha, metric, solvers)
        if iteration < iterations:
            sizes = alpha.abs().amax(dim=(1, 2))
            sizes[sizes == 0] = 1.0
            alpha = alpha / sizes[:, None, None]
            metric = _agops(X, alpha, kernels.W, metric, kernel.bandwidth**2, center=center, diagonal=diagonal)
            if rescale is None:
                metric *= (sizes * sizes).view(-1, *[1] * (metric.dim() - 1))
            else:
                metric = torch.stack([rescale(k, metric[k], size) for k, size in enumerate(sizes.tolist())])


class _Kernels:
    """K and L^2 W (b, n, n) among the first ``n`` rows of ``stacked``, and K (b, m, n) between the others and them."""

    def __init__(self, stacked: torch.Tensor, n: int, kernel: RadialKernel) -> None:
        b, rows, _ = stacked.shape
        self._stacked, self._n, self._kernel = stacked, n, kernel
        self.K, self.W = stacked.new_empty((2, b, n, n))
        self.between = stacked.new_empty((b, rows - n, n))

    def compute_(self, metric: torch.Tensor | None, *, weights: bool) -> bool:
        """Compute them in ``metric``, W only with ``weights``; False, and nothing of use, if unequal rows are close."""
        n, stacked, kernel = self._n, self._stacked, self._kernel
        K, W, between = self.K, self.W if weights else None, self.between
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
        torch.bmm(left[:, n:], right, out=between)
        torch.bmm(left[:, :n], right, out=K)
        diagonal = K.diagonal(dim1=1, dim2=2)
        diagonal.fill_(torch.inf)
        close = norms.abs() * _CLOSE
        if on_cpu(K):
            largest = float(close.max())
            near = smallest(K) <= largest or smallest(between) <= largest
        else:
            largest, *least = read(*(close.amax(), *(u.amin() for u in (K, between) if u.numel())))
            near = min(least) <= largest
        equal = None
        if near:
            equal = self._groups[:, :, None] == self._groups[:, None, :n]
            for u, part in ((K, slice(n)), (between, slice(n, None))):
                if bool(torch.le(u, close[:, part]).logical_and_(~equal[:, part]).any()):
                    return False
                zero_where_(u, equal[:, part])
        diagonal.zero_()
        kernel.profile_(between, None)
        kernel.profile_(K, W)
        if W is not None:
            if equal is not None:
                zero_where_(W, equal[:, :n])
            W.diagonal(dim1=1, dim2=2).zero_()
        return True

    @cached_property
    def _groups(self) -> torch.Tensor:
        """Numbers (b, n + m) that equal rows of a chain share."""
        numbers = [torch.unique(rows, dim=0, return_inverse=True)[1] for rows in self._stacked]
        return torch.stack(numbers)


_CLOSE = 1e-9
"""Squared distances below so much of the squared norms are close: rounding is a millionth of them in float64."""


def _solve(K: torch.Tensor, ridges: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
    systems = K.clone()
    systems.diagonal(dim1=1, dim2=2).add_(ridges[:, None])
    if on_cpu(K):
        # One LAPACK call a chain is faster than the batched routines, which make the same calls and copy besides.
        alpha = K.new_zeros((len(K), *targets.shape))
        definite = [factor_(system) for system in systems]
        for k in (k for k, usable in enumerate(definite) if usable):
            alpha[k] = solve_factored(systems[k], targets)
        solved = torch.tensor(definite)
    else:
        factors, status = torch.linalg.cholesky_ex(systems)
        alpha = torch.cholesky_solve(targets.expand(len(K), *targets.shape), factors).contiguous()
        solved = status == 0
    solvers = ["cholesky"] * len(K)
    for k, usable in enumerate((torch.isfinite(alpha).flatten(1).all(dim=1) & solved).tolist()):
        if not usable:
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

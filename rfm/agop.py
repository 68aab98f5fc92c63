r"""The average gradient outer product (AGOP) of a kernel predictor, f_c(z) = sum_i alpha_ic K(x_i, z).

With the gradient weight W of :mod:`rfm.kernels`, the gradient at training row x_j is M v_jc, where

    v_jc = sum_i alpha_ic W_ij (x_i - x_j),

so AGOP = M S M / n with S = sum_jc v_jc v_jc' (Radhakrishnan et al. 2024, eq. 3). With M = F F' it is F T F' / n, where
T is S of the rows p = F' x, among which M is the identity: M S M itself would lose in rounding what M gives to the
directions that it weighs least, where close rows differ most. There are also no more coordinates than M has rank. Two
ways to T, written with x for p:

* *by rows*: form v as n x (c d) products, 2 n^2 c d operations, a few classes at a time;
* *by Gram matrix*: with A = alpha, B = W A,
  S = X' [ (W'W) o (A A') - W o (A B') - W o (B A') + diag(rowsum(B o B)) ] X,  about n^3 operations whatever c and d.

The cheaper one is chosen by its operation count. Between close rows W is large and what it multiplies is small; the
Gram form squares W before anything cancels, so rows that have close ones are left out of it and taken by rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rfm.arrays import row_blocks
from rfm.linalg import gram_lower, mirror_, symmetric_matmul
from rfm.rows import MetricRows

_CHUNK_BYTES = 64 << 20
"""Working memory of the by-rows form: classes are processed in chunks of at most about this size."""


_PASSES = 80.0
"""Cost of the Gram form's element-wise passes over n x n matrices, in multiply-adds of a matrix product."""


def agop(
    rows: MetricRows,
    alpha: torch.Tensor,
    W: torch.Tensor,
    beside: torch.Tensor | None,
    *,
    center: bool = False,
    diagonal: bool = False,
) -> torch.Tensor:
    """AGOP (d, d) float64, or its diagonal (d,), at the training rows.

    ``rows`` are the n training rows in the metric that the predictor was fitted in, ``alpha`` (n, c) its coefficients,
    ``W`` (n, n) the lower triangle of L^2 times the gradient weights and ``beside`` the rows that have close ones, both
    as :func:`rfm.kernels.kernel_lower_` gives them. ``center`` subtracts each class's mean gradient first (a covariance
    of gradients). Classes are summed, rows averaged, as in the published code.
    """
    P = rows.coordinates
    n, r = P.shape
    c = alpha.shape[1]
    if r == 0:
        return from_coordinates(P.new_zeros((0, 0), dtype=torch.float64), rows.root, diagonal=diagonal)
    by_rows = 2.0 * n * n * c * r + n * c * r * r
    by_gram = float(n) ** 3 + 5.0 * n * n * c + 2.0 * n * n * r + _PASSES * n * n
    if beside is not None:
        by_gram += by_rows * len(beside) / n
    S = _by_rows(P, alpha, W, center=center) if by_rows <= by_gram else _by_gram(P, alpha, W, beside, center=center)
    scale = float(rows.left[0, -1])
    return from_coordinates(S.double() * (scale * scale / n), rows.root, diagonal=diagonal)


def from_coordinates(S: torch.Tensor, root: torch.Tensor | None, *, diagonal: bool) -> torch.Tensor:
    """F S F' (d, d), exactly symmetric, or its diagonal (d,): ``S`` (r, r) among coordinates that ``root`` F gives."""
    if root is None:
        return S.diagonal().clone() if diagonal else (S + S.T) / 2
    S = S * root[:, None] * root if root.dim() == 1 else root @ S @ root.T
    return S.diagonal().clone() if diagonal else (S + S.T) / 2


def _by_rows(X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool) -> torch.Tensor:
    S = X.new_zeros((X.shape[1], X.shape[1]))
    for spread in _spreads(X, alpha):
        V = _gradients(symmetric_matmul(W, spread), X)
        if center:
            V -= V.mean(dim=0)
        S += gram_lower(V.flatten(0, 1))
    return mirror_(S)


def _by_gram(
    X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, beside: torch.Tensor | None, *, center: bool
) -> torch.Tensor:
    n = len(X)
    B = symmetric_matmul(W, alpha)
    full = mirror_(W.clone())
    total = (alpha * full.sum(dim=1, keepdim=True) - B).T @ X if center else None  # (c, d): the sum of v_jc over rows
    if beside is None:
        Q = gram_lower(full)
    else:
        theirs = full[beside]
        full[beside], B[beside] = 0.0, 0.0
        Q = gram_lower(full)
        full[beside] = theirs
    for start, stop in row_blocks(n, n, X.element_size()):
        block = Q[start:stop, :stop]
        block *= alpha[start:stop] @ alpha[:stop].T
        cross = alpha[start:stop] @ B[:stop].T
        cross += B[start:stop] @ alpha[:stop].T
        block -= cross.mul_(full[start:stop, :stop])
    Q.diagonal().add_((B * B).sum(dim=1))
    S: torch.Tensor = X.T @ symmetric_matmul(Q, X)
    if beside is not None:
        for spread in _spreads(X, alpha):
            V = _gradients(theirs @ spread, X[beside]).flatten(0, 1)
            S += V.T @ V
    if total is not None:
        S -= total.T @ total / n
    return S


def _spreads(X: torch.Tensor, alpha: torch.Tensor) -> Iterator[torch.Tensor]:
    """(n, k (d + 1)) for some k classes at a time: W times it gives W (alpha x) and W alpha in one product."""
    n, d = X.shape
    with_ones = torch.cat([X, X.new_ones((n, 1))], dim=1)
    step = max(1, _CHUNK_BYTES // (n * (d + 1) * X.element_size()))
    for first in range(0, alpha.shape[1], step):
        yield (alpha[:, first : first + step, None] * with_ones[:, None, :]).view(n, -1)


def _gradients(product: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
    """v (m, k, d) of the rows ``X`` (m, d) from their part of W times what :func:`_spreads` gave."""
    m, d = X.shape
    V = product.view(m, -1, d + 1)
    return V[:, :, :d] - V[:, :, d:] * X[:, None, :]

r"""The average gradient outer product (AGOP) of a kernel predictor, f_c(z) = sum_i alpha_ic K(x_i, z).

With the gradient weight W of :mod:`rfm.kernels`, the gradient at training row x_j is M v_jc, where

    v_jc = sum_i alpha_ic W_ij (x_i - x_j),

so AGOP = M S M / n with S = sum_jc v_jc v_jc' (Radhakrishnan et al. 2024, eq. 3). Two ways to S:

* *by rows*: form v as n x (c d) products, 2 n^2 c d operations, a few classes at a time;
* *by Gram matrix*: with A = alpha, B = W A,
  S = X' [ (W'W) o (A A') - W o (A B') - W o (B A') + diag(rowsum(B o B)) ] X,  about n^3 operations whatever c and d.

The cheaper one is chosen by its operation count.
"""

from __future__ import annotations

import torch

from rfm.linalg import gram_lower, mirror_, row_blocks, symmetric_matmul

_CHUNK_BYTES = 64 << 20
"""Working memory of the by-rows form: classes are processed in chunks of at most about this size."""


_PASSES = 80.0
"""Cost of the Gram form's element-wise passes over n x n matrices, in multiply-adds of a matrix product."""


def agop(
    X: torch.Tensor,
    alpha: torch.Tensor,
    W: torch.Tensor,
    M: torch.Tensor | None,
    *,
    scale: float = 1.0,
    center: bool = False,
    diagonal: bool = False,
) -> torch.Tensor:
    """AGOP (d, d), or its diagonal (d,), at the training rows.

    ``X`` (n, d), ``alpha`` (n, c), ``W`` (n, n) lower triangle of the gradient weights times ``scale``, ``M`` the
    metric the predictor was fitted in: (d, d), (d,) or None for the identity. ``center`` subtracts each class's mean
    gradient first (a covariance of gradients). Classes are summed, rows averaged, as in the published code.
    """
    n, d = X.shape
    c = alpha.shape[1]
    by_rows = 2.0 * n * n * c * d + n * c * d * d
    by_gram = float(n) ** 3 + 5.0 * n * n * c + 2.0 * n * n * d + _PASSES * n * n
    S = (_by_rows if by_rows <= by_gram else _by_gram)(X, alpha, W, center=center)
    S /= n * scale * scale
    return in_metric(S, M, diagonal=diagonal)


def in_metric(S: torch.Tensor, M: torch.Tensor | None, *, diagonal: bool) -> torch.Tensor:
    """M S M, exactly symmetric, for ``S`` (..., d, d) and ``M`` of that shape or None for the identity.

    With ``diagonal``, its diagonal (..., d), of which shape ``M`` is then.
    """
    if diagonal:
        spread = S.diagonal(dim1=-2, dim2=-1)
        return spread.clone() if M is None else spread * M * M
    if M is not None:
        S = M @ S @ M
    return (S + S.mT) / 2


def _by_rows(X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool) -> torch.Tensor:
    n, d = X.shape
    c = alpha.shape[1]
    S = X.new_zeros((d, d))
    with_ones = torch.cat([X, X.new_ones((n, 1))], dim=1)  # one product gives W (alpha x) and W alpha
    step = max(1, _CHUNK_BYTES // (n * (d + 1) * X.element_size()))
    for first in range(0, c, step):
        spread = (alpha[:, first : first + step, None] * with_ones[:, None, :]).view(n, -1)
        product = symmetric_matmul(W, spread).view(n, -1, d + 1)
        V = product[:, :, :d] - product[:, :, d:] * X[:, None, :]
        if center:
            V -= V.mean(dim=0)
        S += gram_lower(V.view(-1, d))
    return mirror_(S)


def _by_gram(X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool) -> torch.Tensor:
    n = len(X)
    B = symmetric_matmul(W, alpha)
    full = mirror_(W.clone())
    Q = gram_lower(full)
    for start, stop in row_blocks(n, n, X.element_size()):
        block = Q[start:stop, :stop]
        block *= alpha[start:stop] @ alpha[:stop].T
        cross = alpha[start:stop] @ B[:stop].T
        cross += B[start:stop] @ alpha[:stop].T
        block -= cross.mul_(full[start:stop, :stop])
    Q.diagonal().add_((B * B).sum(dim=1))
    S: torch.Tensor = X.T @ symmetric_matmul(Q, X)
    if center:
        total = (alpha * full.sum(dim=1, keepdim=True) - B).T @ X  # (c, d): the sum of v_jc over the rows
        S -= total.T @ total / n
    return S

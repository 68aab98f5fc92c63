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

The cheaper one is chosen by its operation count. The Gram form multiplies large numbers before they cancel: weights
between close rows, coefficients of opposite sign where a small ridge fits different labels to like rows. How much of
S its rounding may be is bounded from their absolute values; where that is too much it is worked out in float64.

Where only the diagonal of M is learned, of more features than rows, no more than the diagonal of S is formed: the sums
over the rows of v o v or, with Q what stands in brackets, of X o (Q X).
"""

from __future__ import annotations

import torch

from rfm.arrays import read, row_blocks
from rfm.linalg import gram_lower, mirror_, symmetric_matmul
from rfm.rows import MetricRows

_CHUNK_BYTES = 64 << 20
"""Working memory of the by-rows form: classes are processed in chunks of at most about this size."""


_PASSES = 80.0
"""Cost of the Gram form's element-wise passes over n x n matrices, in multiply-adds of a matrix product."""


def agop(
    rows: MetricRows, alpha: torch.Tensor, W: torch.Tensor, *, center: bool = False, diagonal: bool = False
) -> torch.Tensor:
    """AGOP (d, d) float64, or its diagonal (d,), at the training rows.

    ``rows`` are the n training rows in the metric that the predictor was fitted in, ``alpha`` (n, c) float64 its
    coefficients, of a size that can be squared, ``W`` (n, n) the lower triangle of L^2 times the gradient weights.
    ``center`` subtracts each class's mean gradient first (a covariance of gradients). Classes are summed, rows
    averaged, as in the published code.
    """
    P = rows.coordinates
    n, r = P.shape
    c = alpha.shape[1]
    if r == 0:
        return from_coordinates(P.new_zeros((0, 0), dtype=torch.float64), rows.root, diagonal=diagonal)
    alone = diagonal_suffices(rows.root, n, r, diagonal=diagonal)
    by_rows = 2.0 * n * n * c * r + (0.0 if alone else n * c * r * r)
    by_gram = float(n) ** 3 + 5.0 * n * n * c + 2.0 * n * n * r + _PASSES * n * n
    S = (_by_rows if by_rows <= by_gram else _by_safe_gram)(P, alpha, W, center=center, diagonal=alone)
    scale = rows.left[0, -1].double()
    return from_coordinates(S.double() * (scale * scale / n), rows.root, diagonal=diagonal)


def diagonal_suffices(root: torch.Tensor | None, n: int, r: int, *, diagonal: bool) -> bool:
    """Whether the diagonal of S (r, r), of ``n`` rows, is all that the ``diagonal`` of F S F' takes, and worth it.

    The coordinates must be the features, weighted. With no more of them than rows the whole S costs little.
    """
    return diagonal and r > n and (root is None or root.dim() == 1)


def from_coordinates(S: torch.Tensor, root: torch.Tensor | None, *, diagonal: bool) -> torch.Tensor:
    """F S F' (d, d), exactly symmetric, or its diagonal (d,): ``S`` (r, r) among coordinates that ``root`` F gives.

    Where :func:`diagonal_suffices`, ``S`` (r,) is a diagonal.
    """
    if S.dim() == 1:
        return S if root is None else S * root * root
    if root is None:
        return S.diagonal().clone() if diagonal else (S + S.T) / 2
    if diagonal and root.dim() == 2:
        return ((root @ S) * root).sum(dim=1)
    S = S * root[:, None] * root if root.dim() == 1 else root @ S @ root.T
    return S.diagonal().clone() if diagonal else (S + S.T) / 2


def _by_rows(
    X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool, diagonal: bool = False
) -> torch.Tensor:
    n, d = X.shape
    S = X.new_zeros(d) if diagonal else X.new_zeros((d, d))
    alpha = alpha.to(X.dtype)
    with_ones = torch.cat([X, X.new_ones((n, 1))], dim=1)  # one product gives W (alpha x) and W alpha
    step = max(1, _CHUNK_BYTES // (n * (d + 1) * X.element_size()))
    for first in range(0, alpha.shape[1], step):
        spread = (alpha[:, first : first + step, None] * with_ones[:, None, :]).view(n, -1)
        product = symmetric_matmul(W, spread).view(n, -1, d + 1)
        V = product[:, :, :d] - product[:, :, d:] * X[:, None, :]
        if center:
            V -= V.mean(dim=0)
        S += V.square_().sum(dim=(0, 1)) if diagonal else gram_lower(V.flatten(0, 1))
    return S if diagonal else mirror_(S)


def _by_safe_gram(
    X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool, diagonal: bool = False
) -> torch.Tensor:
    """The Gram form in the precision of ``X``, in float64 or by rows where rounding would show."""
    for dtype in dict.fromkeys((X.dtype, torch.float64)):
        S, rounding = _by_gram(X.to(dtype), alpha.to(dtype), W, center=center, diagonal=diagonal)
        if rounding <= (_ACCURATE if X.dtype == torch.float32 else _EXACT):
            return S
    return _by_rows(X, alpha, W, center=center, diagonal=diagonal)


_ACCURATE, _EXACT = 0.03, 1e-6
"""Bounds in float32 and in float64: on seven tables with ridges from 10 to 0.001 the rounding itself was about a
hundredth of them. Whoever asks for float64 gets as many digits as the form by rows would give."""


def _by_gram(
    X: torch.Tensor, alpha: torch.Tensor, W: torch.Tensor, *, center: bool, diagonal: bool = False
) -> tuple[torch.Tensor, float]:
    """S, or its diagonal, in the precision of ``X``, and a bound of what rounding is of it."""
    n, c = alpha.shape
    full = mirror_(W.to(X.dtype, copy=True))
    sizes, lengths = alpha.norm(dim=1), X.norm(dim=1)
    # NumPy's products for PyTorch's: 0.83 (600 rows, 100 features, 26 classes) to 1.02 of a grid's time on an AMD
    # processor, and more rounding between close rows. The native engine has scipy's anyway.
    products = full @ torch.cat([alpha, sizes[:, None], (sizes * lengths)[:, None]], dim=1)
    B, spread = products[:, :c], products[:, c + 1] + products[:, c] * lengths
    Q = gram_lower(full)
    for start, stop in row_blocks(n, n, X.element_size(), device=X.device):
        block = Q[start:stop, :stop]
        block *= alpha[start:stop] @ alpha[:stop].T
        cross = alpha[start:stop] @ B[:stop].T
        cross += B[start:stop] @ alpha[:stop].T
        block -= cross.mul_(full[start:stop, :stop])
    Q.diagonal().add_((B * B).sum(dim=1))
    product = symmetric_matmul(Q, X)
    S: torch.Tensor = product.mul_(X).sum(dim=0) if diagonal else X.T @ product
    if center:
        shift = (alpha * full.sum(dim=1, keepdim=True) - B).T @ X  # (c, d): the sum of v_jc over the rows
        S -= shift.square().sum(dim=0) / n if diagonal else shift.T @ shift / n
    squares, total = read(spread.double().square().sum(), (S if diagonal else S.diagonal()).sum())
    rounding = squares * torch.finfo(X.dtype).eps / 2
    return S, rounding / total if total > 0 else (0.0 if rounding == 0 else float("inf"))

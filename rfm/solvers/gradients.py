r"""The average gradient outer product at some of the rows, in memory that does not grow with rows x classes x features.

In the notation of :mod:`rfm.agop`: the gradient of class c at row z_j is M v_jc with

    v_jc = sum_i alpha_ic W(x_i, z_j) (x_i - z_j),

and the mean of the outer products over z_j is M S M / m. The published code takes at most 20,000 rows z_j, too.
"""

from __future__ import annotations

import torch

from rfm.agop import in_metric
from rfm.linalg import gram_lower, mirror_
from rfm.solvers.blocks import TILE_COLUMNS, RadialBlocks, ranges

SAMPLED_ROWS = 20_000
"""At most so many rows take part in an M update."""
_BATCH = 512
_BYTES = 64 << 20
"""Gradients of a batch are formed for as many classes at a time as fit into this size."""


def sampled_agop(
    blocks: RadialBlocks,
    X: torch.Tensor,
    alpha: torch.Tensor,
    M: torch.Tensor | None,
    *,
    sampled: int = SAMPLED_ROWS,
    diagonal: bool = False,
) -> torch.Tensor:
    """AGOP (d, d), or its diagonal (d,), at the first ``sampled`` rows of ``X`` (n, d), all n of them centres.

    ``blocks`` is the kernel in the metric ``M`` with ``X`` its first rows, ``alpha`` (n, c) the dual coefficients.
    """
    n, d = X.shape
    m = min(n, sampled)
    size = float(alpha.abs().max()) or 1.0  # so that no square overflows or vanishes in float32
    alpha = (alpha / size).to(X.dtype)
    S = X.new_zeros((d, d), dtype=torch.float64)
    step = max(1, _BYTES // (TILE_COLUMNS * d * X.element_size()))
    for first in range(0, alpha.shape[1], step):
        A = alpha[:, first : first + step]
        for top, bottom in ranges(0, m, _BATCH):
            S += mirror_(gram_lower(_gradients(blocks, X, A, top, bottom))).double()
    S = S * (size * size / (m * blocks.kernel.bandwidth**4))
    return in_metric(S, None if M is None else M.double(), diagonal=diagonal)


def _gradients(blocks: RadialBlocks, X: torch.Tensor, A: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """L^2 v_jc of the rows ``top`` to ``bottom`` for the classes of ``A`` (n, k), as (rows k, d)."""
    n, d = X.shape
    k = A.shape[1]
    V = X.new_zeros((bottom - top, k * d))
    B = X.new_zeros((bottom - top, k))
    for start, stop in ranges(0, n, TILE_COLUMNS):
        W = blocks.weights(slice(top, bottom), slice(start, stop))
        part = A[start:stop]
        V += W @ (part[:, :, None] * X[start:stop, None, :]).reshape(stop - start, k * d)
        B += W @ part
    V = V.view(bottom - top, k, d) - B[:, :, None] * X[top:bottom, None, :]
    return V.reshape(-1, d)

r"""The average gradient outer product at some of the rows, in memory that does not grow with rows x classes x features.

In the notation of :mod:`rfm.agop`: the gradient of class c at row z_j is M v_jc with

    v_jc = sum_i alpha_ic W(x_i, z_j) (x_i - z_j),

and the mean of the outer products over z_j is M S M / m, computed among coordinates as there. The published code takes
at most 20,000 rows z_j, too.
"""

from __future__ import annotations

import torch

from rfm.agop import diagonal_suffices, from_coordinates
from rfm.linalg import gram_lower, mirror_
from rfm.solvers.blocks import TILE_COLUMNS, RadialBlocks, ranges

SAMPLED_ROWS = 20_000
"""At most so many rows take part in an M update."""
_BATCH = 512
_BYTES = 64 << 20
"""Gradients of a batch are formed for as many classes at a time as fit into this size."""


def sampled_agop(
    blocks: RadialBlocks,
    alpha: torch.Tensor,
    *,
    sampled: int = SAMPLED_ROWS,
    center: bool = False,
    diagonal: bool = False,
) -> torch.Tensor:
    """AGOP (d, d) float64, or its diagonal (d,), at the first ``sampled`` of the n centres.

    ``blocks`` is the kernel, its first n rows the centres with the dual coefficients ``alpha`` (n, c), of a size that
    can be squared; ``center`` and ``diagonal`` as in :func:`rfm.agop.agop`.
    """
    n = len(alpha)
    m = min(n, sampled)
    P = blocks.rows.coordinates[:n]
    r = P.shape[1]
    alpha = alpha.to(P.dtype)
    alone = diagonal_suffices(blocks.rows.root, n, r, diagonal=diagonal)
    S = P.new_zeros(r if alone else (r, r), dtype=torch.float64)
    step = max(1, _BYTES // (TILE_COLUMNS * max(1, r) * P.element_size()))
    for first in range(0, alpha.shape[1] if r else 0, step):
        A = alpha[:, first : first + step]
        total = P.new_zeros((A.shape[1], r), dtype=torch.float64)
        for top, bottom in ranges(0, m, _BATCH):
            V = _gradients(blocks, P, A, top, bottom)
            total += V.sum(dim=0, dtype=torch.float64)
            S += V.square_().sum(dim=(0, 1), dtype=torch.float64) if alone else _gram(V)
        if center:
            S -= total.square().sum(dim=0) / m if alone else total.T @ total / m
    S /= m * blocks.kernel.bandwidth**4
    return from_coordinates(S, blocks.rows.root, diagonal=diagonal)


def _gram(V: torch.Tensor) -> torch.Tensor:
    return mirror_(gram_lower(V.flatten(0, 1))).double()


def _gradients(blocks: RadialBlocks, P: torch.Tensor, A: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """L^2 v_jc of the rows ``top`` to ``bottom`` of ``P`` (n, r) for the classes of ``A`` (n, k), as (rows, k, r)."""
    n, r = P.shape
    k = A.shape[1]
    V = P.new_zeros((bottom - top, k * r))
    B = P.new_zeros((bottom - top, k))
    both = P.new_empty((2, bottom - top, min(n, TILE_COLUMNS)))
    for start, stop in ranges(0, n, TILE_COLUMNS):
        K, W = both[:, :, : stop - start]
        blocks.fill_(slice(top, bottom), slice(start, stop), K, W)
        part = A[start:stop]
        V += W @ (part[:, :, None] * P[start:stop, None, :]).reshape(stop - start, k * r)
        B += W @ part
    return V.view(bottom - top, k, r) - B[:, :, None] * P[top:bottom, None, :]

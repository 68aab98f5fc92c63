r"""Randomly pivoted Cholesky: a low-rank factor F of a kernel matrix, K ~ F F', from k of its columns.

The next pivot is drawn in proportion to the diagonal of what is left, K - F F': rows that the factor explains already
are not drawn again, and outliers are no more likely than their share. Pivots are proposed in blocks, so that columns of
the kernel and their elimination are matrix products, and accepted with the probability that makes their law the same as
if they were drawn one by one.

Sources: Chen, Epperly, Tropp & Webber 2023 (arXiv 2207.06503); the blocks: Epperly, Tropp & Webber 2024 (arXiv
2410.03969).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from rfm.arrays import matmul
from rfm.solvers.blocks import KernelBlocks, ranges

_PROPOSED = 250
"""Pivots proposed at a time, at most."""
_LEAST_SHARE = 1e-6
"""A row of which the factor leaves no more than this share of its diagonal is explained, as far as float32 tells."""
_ROUNDS_WITHOUT = 3
"""Blocks of proposals of which none is accepted, after which the factor is complete."""
_ROWS = 4096


def pivoted_cholesky(blocks: KernelBlocks, n: int, rank: int, draws: np.random.Generator) -> torch.Tensor:
    """F (n, k), k <= ``rank``, in the precision of ``blocks``, of the kernel among its first ``n`` rows.

    k is smaller where fewer columns explain the whole diagonal to rounding.
    """
    whole = blocks.diagonal(slice(0, n)).cpu().numpy()
    left = whole.copy()
    F = torch.empty((n, rank), dtype=blocks.dtype, device=blocks.device)
    k, fruitless = 0, 0
    while k < rank and fruitless < _ROUNDS_WITHOUT:
        weights = np.where(left > _LEAST_SHARE * whole, left, 0.0)
        total = weights.sum()
        if not total > 0:
            break
        proposed = draws.choice(n, size=min(_PROPOSED, rank - k), p=weights / total)
        rows = torch.as_tensor(proposed, device=blocks.device)
        seen = F[rows, :k].double()
        H = (blocks.block(rows, rows).double() - seen @ seen.T).cpu().numpy()
        accepted, L = _accept((H + H.T) / 2, left[proposed], _LEAST_SHARE * whole[proposed], draws)
        if not len(accepted):
            fruitless += 1
            continue
        fruitless = 0
        pivots = rows[torch.as_tensor(accepted, device=rows.device)]
        inverse = torch.as_tensor(scipy.linalg.solve_triangular(L, np.eye(len(L)), lower=True)).to(F)
        new = slice(k, k + len(pivots))
        for start, stop in ranges(0, n, _ROWS):
            part = blocks.block(slice(start, stop), pivots)
            if k:
                part -= matmul(F[start:stop, :k], F[pivots, :k].T)
            F[start:stop, new] = matmul(part, inverse.T)
            left[start:stop] -= F[start:stop, new].double().square().sum(dim=1).cpu().numpy()
        left[pivots.cpu().numpy()] = 0.0
        np.maximum(left, 0.0, out=left)
        k = new.stop
    return F[:, :k]


def _accept(
    H: NDArray[np.float64], bound: NDArray[np.float64], least: NDArray[np.float64], draws: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which of the proposals are pivots, in order, and the Cholesky factor L (k, k) of ``H`` (b, b) among these.

    Proposals were drawn in proportion to ``bound`` (b,), the diagonal before any of them was a pivot.
    """
    left = H.copy()
    accepted, columns = [], []
    for i, chance in enumerate(draws.random(len(H))):
        if not (left[i, i] > least[i] and chance * bound[i] < left[i, i]):
            continue
        column = left[:, i] / np.sqrt(left[i, i])
        left -= column[:, None] * column
        accepted.append(i)
        columns.append(column)
    rows = np.array(accepted, dtype=np.int64)
    L = np.array([column[rows] for column in columns]).T if columns else np.empty((0, 0))
    return rows, np.tril(L)

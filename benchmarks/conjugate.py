"""Conjugate gradients for the system that EigenPro iterates on: what :mod:`scale` measures it against.

Full-batch iterations with the Nystroem preconditioner of Frangella, Tropp & Udell (2023, SIAM J. Matrix Anal. Appl.
44:718), from eigenvectors on a subsample. The kernel matrix is symmetric and each of its blocks serves two products, so
an iteration costs half of what an epoch of a stochastic method does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.linalg
import torch

from rfm.solvers import KernelBlocks
from rfm.solvers.blocks import ranges

_TILE = 2048


def conjugate_gradient(
    blocks: KernelBlocks, Y: torch.Tensor, ridge: float, *, seed: int, subsample: int = 2000, vectors: int = 500
) -> Iterator[tuple[torch.Tensor, float]]:
    """(alpha (n, c), relative residual) after 1, 2, ... iterations; columns of ``Y`` (n, c) are solved at once."""
    precondition = nystroem(blocks, len(Y), ridge, np.random.default_rng(seed), subsample, vectors)
    alpha = torch.zeros_like(Y)
    residual = Y.clone()
    search = direction = precondition(residual)
    height = (residual * direction).sum(dim=0)
    while True:
        image = symmetric_product(blocks, search) + ridge * search
        step = _ratio(height, (search * image).sum(dim=0))
        alpha = alpha + step * search
        residual = residual - step * image
        yield alpha, float(residual.norm() / Y.norm())
        direction = precondition(residual)
        before, height = height, (residual * direction).sum(dim=0)
        search = direction + search * _ratio(height, before)


def _ratio(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """0 where there is nothing left to solve: the column of a class without rows, say."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0)


def symmetric_product(blocks: KernelBlocks, B: torch.Tensor) -> torch.Tensor:
    """K @ ``B`` (n, c) among the first n rows, each block of the lower triangle formed once."""
    n = len(B)
    product = torch.zeros_like(B)
    for top, bottom in ranges(0, n, _TILE):
        for start, stop in ranges(0, bottom, _TILE):
            K = blocks.block(slice(top, bottom), slice(start, stop)).double()
            product[top:bottom] += K @ B[start:stop]
            if start < top:
                product[start:stop] += K.T @ B[top:bottom]
    return product


def nystroem(
    blocks: KernelBlocks, n: int, ridge: float, draws: np.random.Generator, subsample: int, vectors: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """r -> U (lambda_q + ridge) (Lambda + ridge)^-1 U'r + (I - U U') r for the Nystroem eigenpairs (Lambda, U) of K."""
    s = min(subsample, n)
    q = min(vectors, s // 2)
    rows = torch.as_tensor(np.sort(draws.permutation(n)[:s]))
    core = blocks.block(rows, rows).double().numpy()
    values, V = scipy.linalg.eigh((core + core.T) / 2, subset_by_index=(s - q, s - 1))
    lift = torch.as_tensor(V / np.sqrt(np.maximum(values, s * np.finfo(np.float32).eps * values[-1])))
    F = torch.cat([blocks.block(slice(a, b), rows).double() @ lift for a, b in ranges(0, n, _TILE)])
    spectrum, E = torch.linalg.eigh(F.T @ F)
    spectrum = spectrum.clamp_min(float(spectrum[-1]) * 1e-12)
    U = F @ (E / spectrum.sqrt())
    weights = (spectrum[0] + ridge) / (spectrum + ridge) - 1.0
    return lambda r: r + U @ (weights[:, None] * (U.T @ r))

"""Which solver serves a table of which size, and its solution.

The rule looks at the number of fitted rows alone, so that results do not depend on the machine: up to
:data:`DIRECT_ROWS` the kernel matrix and its factor (float32 on the CPU, 8 n^2 bytes: 5 GB at the limit; in float64
twice that, and on CUDA the refinement takes up to four times as much) are formed and the system is solved by Cholesky's
method with float64 refinement; beyond, and where float32 does not suffice, by EigenPro with at most
:data:`MOST_EPOCHS` epochs, of which the best on held-out training rows is taken (Radhakrishnan et al. 2024 do so on
their largest table). Rows held out for good would be missed (5 % of chess-krvk's are worth half a point of accuracy),
so they are few, and from the best epoch on they take part, for :data:`JOINT_EPOCHS` more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch

from rfm.arrays import on_cpu
from rfm.linalg import solve_ridge
from rfm.solvers.blocks import KernelBlocks, ranges
from rfm.solvers.eigenpro import EigenPro

DIRECT_ROWS = 25_000
MOST_EPOCHS = 50
VALIDATION_SHARE, VALIDATION_ROWS = 0.02, 1000
"""EigenPro judges its epochs on this share of the training rows, at most so many."""
JOINT_EPOCHS = 3
"""Where the ridge is small, rows are not learned sooner than others were (on chess-krvk with ridge 0.001 three epochs
give back a quarter of what holding out 5 % costs); more would cost as much as beginning anew."""
CONVERGED = 0.01
"""Relative residual of an epoch at which predictions agree with the solution's to about as much: no more are made.
Relative to the targets as they are: of a regression whose targets' mean is many times their spread, centre them."""
PATIENCE, PROGRESS = 5, 1e-3
"""Epochs without a relative gain of so much in squared error on the held-out rows, after which no more are made."""


@dataclass(frozen=True)
class BlockSolution:
    """``alpha`` (n, c) float64, the ``solver``'s name, what else is worth recording."""

    alpha: torch.Tensor
    solver: str
    account: Mapping[str, Any] = field(default_factory=dict)


class _SinglePrecisionFailed(Exception):
    """The float32 factorisation broke down or its refinement does not converge."""


def solve_blocks(
    blocks: KernelBlocks, Y: torch.Tensor, ridge: float, *, seed: int, direct_rows: int | None = None
) -> BlockSolution:
    """Solve (K + ridge I) alpha = ``Y`` (n, c) for the kernel of the first n rows of ``blocks``.

    The rows are taken to be in random order: EigenPro holds out the last of them. ``direct_rows`` takes the place of
    :data:`DIRECT_ROWS`.
    """
    if len(Y) <= (DIRECT_ROWS if direct_rows is None else direct_rows):
        try:
            return _direct(blocks, Y, ridge)
        except _SinglePrecisionFailed:
            pass
    return _iterated(blocks, Y, ridge, seed)


def _direct(blocks: KernelBlocks, Y: torch.Tensor, ridge: float) -> BlockSolution:
    n = len(Y)
    K = torch.zeros((n, n), dtype=blocks.dtype, device=blocks.device)
    stripe = _STRIPE if on_cpu(K) else 8 * _STRIPE
    for top, bottom in ranges(0, n, stripe):
        for start, stop in ranges(0, bottom, stripe):
            blocks.fill_(slice(top, bottom), slice(start, stop), K[top:bottom, start:stop])

    def refuse() -> NoReturn:
        # A float64 matrix and its factor would take three times the memory.
        raise _SinglePrecisionFailed

    solution = solve_ridge(K, ridge, Y.to(blocks.dtype), exact=refuse)
    return BlockSolution(solution.alpha, solution.solver)


def _iterated(blocks: KernelBlocks, Y: torch.Tensor, ridge: float, seed: int) -> BlockSolution:
    n = len(Y)
    held = max(1, min(VALIDATION_ROWS, round(VALIDATION_SHARE * n)))
    fitted, truth = n - held, Y[n - held :].double()
    iteration = EigenPro(blocks, Y[:fitted], ridge, seed=seed)
    best = None
    least = landmark = float("inf")
    waited = 0
    for epoch in iteration.epochs(MOST_EPOCHS - JOINT_EPOCHS, slice(fitted, n)):
        error = float(((epoch.scores - truth) ** 2).sum(dim=1).mean())
        if best is None or error < least:
            best, least = epoch, error
        waited += 1
        if error < (1.0 - PROGRESS) * landmark:
            landmark, waited = error, 0
        if epoch.residual <= CONVERGED or waited >= PATIENCE:
            break
    assert best is not None
    iteration.admit(truth)
    *_, last = iteration.epochs(JOINT_EPOCHS, start=torch.cat([best.alpha, torch.zeros_like(truth)]))
    account = {
        "epoch": best.number,
        "epochs": epoch.number,
        "joint_epochs": JOINT_EPOCHS,
        "residual": float(f"{last.residual:.3g}"),
        "held_out_rows": held,
        "eigenvectors": len(iteration.preconditioner.damping),
    }
    return BlockSolution(last.alpha, "eigenpro", account)


_STRIPE = 1024
"""Rows and columns of the blocks in which a kernel matrix is filled."""

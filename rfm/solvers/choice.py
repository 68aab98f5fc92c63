"""Which solver serves a table of which size, and its solution.

The rule looks at the number of fitted rows alone, so that results do not depend on the machine. Up to
:data:`DIRECT_ROWS` the kernel matrix and its factor are formed (float32 on the CPU, 8 n^2 bytes: 0.8 GB at the limit;
in float64 twice that, and on CUDA the refinement takes up to four times as much) and the system is solved by Cholesky's
method with float64 refinement. Beyond, and where float32 does not suffice, conjugate gradients go on until the residual
is :data:`CONVERGED`; as much of the kernel matrix as fits into a cache is kept, the rest is formed anew at every
iteration, with the same result. Where they do not come near that in :data:`MOST_ITERATIONS`, Cholesky's method solves
up to :data:`DIRECT_ROWS` rows if float32 suffices, else EigenPro is tried. What ends without an acceptable residual,
looked at anew, says so (:attr:`BlockSolution.unsolved`): EigenPro often, for its epochs end where held-out rows gain no
more, and at once with a small ridge on repeated rows.

``benchmarks/scale.md`` has the measurements behind this, at ridge 0.1: from 14,000 rows on conjugate gradients take a
sixth to a half of Cholesky's time, at the same accuracy. In the identity metric EigenPro takes 1.7 to 3.2 times theirs
up to 32,000 rows and 1.2 times at 64,000, and is up to 0.16 points off. With ridge 0.001 and 26 classes (letter)
Cholesky's method is the faster one, by a third.

EigenPro, which the published code uses on its largest table, makes at most :data:`MOST_EPOCHS` epochs, of which the
best on held-out training rows is taken. Rows held out for good would be missed (5 % of chess-krvk's are worth half a
point of accuracy), so they are few, and from the best epoch on they take part, for :data:`JOINT_EPOCHS` more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import torch

from rfm.linalg import solve_ridge
from rfm.solvers.blocks import Cache, KernelBlocks, SymmetricKernel, ranges
from rfm.solvers.conjugate import Iterate, Preconditioner, conjugate_gradients
from rfm.solvers.eigenpro import EigenPro
from rfm.solvers.pivoted import pivoted_cholesky

SOLVERS = ("auto", "cholesky", "cg", "eigenpro")
DIRECT_ROWS = 10_000
CACHE_BYTES = 2_000_000_000
"""How much of a kernel matrix is kept: one half of that of 31,600 rows."""
CONVERGED = 1e-3
"""Largest residual of a target relative to its spread, at which scores are as good as the solution's: within 0.04
points of accuracy on all tables measured."""
ACCEPTED = 1e-2
"""The residual that is good enough when all iterations are used up."""
MOST_ITERATIONS = 200
RANKS, ROWS_PER_RANK = (500, 2000), 16
"""The least and largest rank of the preconditioner, and rows for each rank between them: a half pass over the kernel
should cost more than a preconditioner's share of an iteration does."""

MOST_EPOCHS = 50
VALIDATION_SHARE, VALIDATION_ROWS = 0.02, 1000
"""EigenPro judges its epochs on this share of the training rows, at most so many."""
JOINT_EPOCHS = 3
"""Where the ridge is small, rows are not learned sooner than others were (on chess-krvk with ridge 0.001 three epochs
give back a quarter of what holding out 5 % costs); more would cost as much as beginning anew."""
LEARNED = 0.01
"""Relative residual of an epoch at which predictions agree with the solution's to about as much: no more are made.
Relative to the targets as they are: of a regression whose targets' mean is many times their spread, centre them."""
PATIENCE, PROGRESS = 5, 1e-3
"""Epochs without a relative gain of so much in squared error on the held-out rows, after which no more are made."""


@dataclass(frozen=True)
class BlockSolution:
    """``alpha`` (n, c) float64, the ``solver``'s name, what else is worth recording.

    ``unsolved`` is empty, or a sentence on the residual that was left, and what to do.
    """

    alpha: torch.Tensor
    solver: str
    account: Mapping[str, Any] = field(default_factory=dict)
    unsolved: str = ""

    def warned(self, before: bool) -> bool:
        """Whether a ``RuntimeWarning`` was given: ``before``, or now if this is unsolved. One a chain is enough."""
        if self.unsolved and not before:
            warnings.warn(self.unsolved, RuntimeWarning, stacklevel=2)
        return before or bool(self.unsolved)


class _SinglePrecisionFailed(Exception):
    """The float32 factorisation broke down or its refinement does not converge."""


def solve_blocks(
    blocks: KernelBlocks,
    Y: torch.Tensor,
    ridge: float,
    *,
    seed: int,
    solver: str = "auto",
    cache: Cache | None = None,
) -> BlockSolution:
    """Solve (K + ridge I) alpha = ``Y`` (n, c) for the kernel of the first n rows of ``blocks``.

    The rows are taken to be in random order: EigenPro holds out the last of them. ``solver`` is one of
    :data:`SOLVERS`; what cannot solve the system hands it to the next, and the last says that it is ``unsolved``.
    ``cache`` is the memory for kernel matrices, by default :data:`CACHE_BYTES` of it.
    """
    n = len(Y)
    if solver == "cholesky" or (solver == "auto" and n <= DIRECT_ROWS) or n < _LEAST_ROWS:
        try:
            return _direct(blocks, Y, ridge)
        except _SinglePrecisionFailed:
            pass
    if solver == "eigenpro":
        return _by_epochs(blocks, Y, ridge, seed, {})
    return _by_gradients(blocks, Y, ridge, seed, Cache(CACHE_BYTES) if cache is None else cache)


def preconditioner_rank(n: int) -> int:
    """The rank of the preconditioner for ``n`` rows."""
    return min(n // 2, max(RANKS[0], min(RANKS[1], n // ROWS_PER_RANK)))


def solver_bytes(n: float, classes: int) -> float:
    """About the most memory that solving for ``n`` rows and ``classes`` takes, the rows themselves left out."""
    if n <= DIRECT_ROWS:
        return 8 * n * n
    factor = 4 * n * preconditioner_rank(int(n))
    return min(2 * n * (n + _STRIPE), CACHE_BYTES) + factor + 80 * n * classes + 2e8


def solver_seconds(n: float, d: int, classes: int) -> float:
    """About the CPU seconds that solving for ``n`` rows of ``d`` features and ``classes`` takes."""
    if n <= DIRECT_ROWS:
        return 1.2 * n**3 / 3 / 7e10
    passes = _ITERATIONS * n * n / 2 * (3e-10 * (1 + d / 40) + 1.5e-10 * classes)
    return passes + 3 * n * preconditioner_rank(int(n)) ** 2 / 7e10


def _direct(blocks: KernelBlocks, Y: torch.Tensor, ridge: float) -> BlockSolution:
    n = len(Y)
    K = torch.zeros((n, n), dtype=blocks.dtype, device=blocks.device)
    for top, bottom in ranges(0, n, _STRIPE):
        for start, stop in ranges(0, bottom, _STRIPE):
            blocks.fill_(slice(top, bottom), slice(start, stop), K[top:bottom, start:stop])

    def refuse() -> NoReturn:
        # A float64 matrix and its factor would take three times the memory.
        raise _SinglePrecisionFailed

    solution = solve_ridge(K, ridge, Y.to(blocks.dtype), exact=refuse if n >= _LEAST_ROWS else None)
    return BlockSolution(solution.alpha, solution.solver)


def _by_gradients(blocks: KernelBlocks, Y: torch.Tensor, ridge: float, seed: int, cache: Cache) -> BlockSolution:
    n = len(Y)
    F = pivoted_cholesky(blocks, n, preconditioner_rank(n), np.random.default_rng(seed))
    kernel = SymmetricKernel(blocks, n, cache)
    iterates = conjugate_gradients(kernel, Y.double(), ridge, Preconditioner(F, ridge), tolerance=CONVERGED)
    last: Iterate = next(iterates)
    for last in iterates:
        if last.number >= MOST_ITERATIONS:
            break
    left = last.residual
    # What the recursion has for the residual drifts from it by about so much (Greenbaum 1997): coefficients of rows
    # that coincide but for their targets grow as one over the ridge.
    drift = n * float(last.alpha.norm(dim=0).max()) * np.finfo(np.float64).eps * max(1, last.number)
    if left <= ACCEPTED and not drift <= CONVERGED / 10 * float(_spreads(Y.double()).min()):
        left = _residual(kernel, Y.double(), ridge, last.alpha)
    account = {
        "iterations": last.number,
        "residual": _short(left),
        "rank": F.shape[1],
        "kept_share": round(kernel.share, 3),
    }
    if left <= ACCEPTED:
        return BlockSolution(last.alpha, "cg", account)
    if n <= DIRECT_ROWS:
        try:
            return replace(_direct(blocks, Y, ridge), account={"conjugate_gradients": account})
        except _SinglePrecisionFailed:
            pass
    return _by_epochs(blocks, Y, ridge, seed, {"conjugate_gradients": account})


def _by_epochs(
    blocks: KernelBlocks, Y: torch.Tensor, ridge: float, seed: int, before: Mapping[str, Any]
) -> BlockSolution:
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
        if epoch.residual <= LEARNED or waited >= PATIENCE:
            break
    assert best is not None
    iteration.admit(truth)
    *_, last = iteration.epochs(JOINT_EPOCHS, start=torch.cat([best.alpha, torch.zeros_like(truth)]))
    left = _residual(SymmetricKernel(blocks, n, Cache(0)), Y.double(), ridge, last.alpha)
    account = {
        **before,
        "epoch": best.number,
        "epochs": epoch.number,
        "joint_epochs": JOINT_EPOCHS,
        "residual": _short(left),
        "held_out_rows": held,
        "eigenvectors": len(iteration.preconditioner.damping),
    }
    unsolved = ""
    if not left <= ACCEPTED:
        other = "" if before else 'solver="cg" or '
        unsolved = (
            f"EigenPro's epochs ended at a relative residual of {left:.2g} (acceptable: {ACCEPTED:g}) with ridge "
            f"{ridge:.3g} on {n} rows: predictions may be off by as much of the targets' spread; take a larger ridge, "
            f'or {other}solver="cholesky", which needs memory for n x n matrices'
        )
    return BlockSolution(last.alpha, "eigenpro", account, unsolved)


def _residual(kernel: SymmetricKernel, Y: torch.Tensor, ridge: float, alpha: torch.Tensor) -> float:
    """That of the column where it is largest relative to the targets' spread, as :class:`Iterate` has it."""
    return float(((Y - ridge * alpha - kernel.product(alpha)).norm(dim=0) / _spreads(Y)).max())


def _spreads(Y: torch.Tensor) -> torch.Tensor:
    """The norms of the columns less their means; of a column that is constant but for rounding its own, of zeros 1."""
    spreads, sizes = (Y - Y.mean(dim=0)).norm(dim=0), Y.norm(dim=0)
    spreads = torch.where(spreads > 1e-12 * sizes, spreads, sizes)
    return torch.where(spreads > 0, spreads, 1.0)


def _short(residual: float) -> float:
    return float(f"{residual:.3g}")


_ITERATIONS = 20
"""Of conjugate gradients, in estimates."""
_STRIPE = 1024
"""Rows and columns of the blocks in which a kernel matrix is filled."""
_LEAST_ROWS = 8
"""Fewer rows are solved directly whatever is asked for."""

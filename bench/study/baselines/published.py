"""lin-RFM for matrix completion as its authors' code iterates it (github.com/aradha/lin-RFM), less one thing.

That code lowers its ridge, and stops, by the error at the *unobserved* entries. Here held-out observed entries decide
when the ridge falls and which iteration is kept. The rest is as published: the kernel is between the columns, the ridge
has two values, and it is added to the kernel, not to the AGOP: K = (X' X / n)^(2 alpha) + ridge I.
"""

from __future__ import annotations

import numpy as np

from rfm.completion import Entries
from rfm.completion.entries import FloatArray
from rfm.completion.kernels import DenseKernel
from rfm.completion.rows import RowSystems

RIDGES = (5e-2, 1e-3)
SWITCH = 1e-1
"""Squared error below which the second ridge takes the place of the first. In units of the entries' mean square, 1."""

GOAL = 1e-3
"""Squared error at which the published code stops, satisfied. Here it is noted, and the iteration goes on."""

ITERATIONS, PATIENCE = 3000, 300
"""At most so many, and so many without a better error. The published code ends after 20 whose error did not fall: of
the error at few held-out entries, which falls unevenly, that is too early."""


def published_iteration(
    entries: Entries, held_out: Entries, alpha: float, iterations: int = ITERATIONS
) -> tuple[FloatArray, float, int, int | None]:
    """The completion (n, d) with the least held-out squared error, that error, and the number of its iteration.

    And the first iteration whose held-out error is below :data:`GOAL`, None if there is none. ``alpha`` 1/2 or 1.
    """
    systems = RowSystems(entries)
    S, ridge = np.eye(entries.shape[1]), RIDGES[0]
    best: tuple[float, FloatArray, int] = (np.inf, np.zeros(entries.shape), 0)
    reached = None
    for step in range(1, iterations + 1):
        completion = DenseKernel(S, ridge).complete(systems)
        error = float(np.mean((completion.values(held_out) - held_out.values) ** 2))
        if not np.isfinite(error):
            break
        if error < best[0]:
            best = (error, completion.X, step)
        elif step - best[2] >= PATIENCE:
            break
        if reached is None and error < GOAL:
            reached = step
        if error < SWITCH:
            ridge = RIDGES[1]
        agop = completion.column_kernel(0.0, 0.5).S
        S = agop if alpha == 0.5 else agop @ agop
    return best[1], best[0], best[2], reached

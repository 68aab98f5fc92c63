"""Processor seconds until a matrix is completed to a stated error: lin-RFM, and IRLS with and without decomposition."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from bench.study.baselines.irls import complete_rows, inverse_weights, inverse_weights_by_gram
from bench.study.matrices import draw, low_rank, rmse
from rfm.completion.entries import Entries, FloatArray, IntArray
from rfm.completion.kernels import ColumnKernel, Completion, DenseKernel, spectral_start
from rfm.completion.rows import RowSystems

OBSERVED = 0.4
"""Share of the entries, at which the kernel between the columns completes matrices of all sizes here."""

RANK = 5
ERRORS = (1e-3, 1e-6)
"""Root mean squared errors at unseen entries, relative to the entries' own, to which times are measured."""

RIDGE, DECAYS, RIDGE_END = 1.0, (0.8, 0.9, 0.95, 0.98), 1e-13
"""Where the ridge starts, by what it is multiplied, and where it ends. Of the factors each method has its fastest."""

ITERATIONS, PATIENCE, LEAST = 600, 30, 1e-3
"""At most so many, and so many without a lower held-out squared error by the part :data:`LEAST`."""


class Iteration(Protocol):
    """A method between two steps: ``learn`` weights from the completion, then ``complete`` the matrix in them."""

    def complete(self) -> None: ...

    def learn(self, ridge: float) -> None: ...

    def values(self, rows: IntArray, cols: IntArray) -> FloatArray:
        """What the last completion predicts, (m,)."""


class LinRFM:
    """lin-RFM at alpha 1/2 in float64: its kernel between the columns or, ``alternate``, between rows and columns."""

    def __init__(self, entries: Entries, rank: int | None = None, *, alternate: bool = False) -> None:
        self._sides = (RowSystems(entries), RowSystems(entries.transposed()) if alternate else None)
        self._transposed = False
        self._completion: Completion
        self._kernel: ColumnKernel = (
            DenseKernel(np.eye(entries.shape[1]), RIDGE)
            if rank is None
            else spectral_start(entries, rank, RIDGE, 0.5, 0)
        )

    def complete(self) -> None:
        systems = self._sides[self._transposed]
        assert systems is not None
        self._completion = self._kernel.complete(systems)

    def learn(self, ridge: float) -> None:
        if self._sides[1] is None:
            self._kernel = self._completion.column_kernel(ridge, 0.5)
        else:
            self._kernel = self._completion.row_kernel(ridge, 0.5)
            self._transposed = not self._transposed

    def values(self, rows: IntArray, cols: IntArray) -> FloatArray:
        i, j = (cols, rows) if self._transposed else (rows, cols)
        return self._completion.values(Entries(i, j, np.zeros(len(i)), (0, 0)))


class IRLS:
    """IRLS-p: ``weights(X, ridge, p)`` is W^-1 (d, d); rows in batches by lin-RFM's solver, or one by one."""

    def __init__(
        self, entries: Entries, p: float, weights: Callable[[FloatArray, float, float], FloatArray], *, batched: bool
    ) -> None:
        self._entries, self._p, self._weights = entries, p, weights
        self._systems = RowSystems(entries) if batched else None
        self._X = np.zeros(entries.shape)
        self._K, self._floor = 2.0 * np.eye(entries.shape[1]), 1.0

    def complete(self) -> None:
        if self._systems is None:
            self._X = complete_rows(self._entries, self._K)
            return
        self._K[np.diag_indices(len(self._K))] -= self._floor
        self._X = self._systems.complete(self._K, self._floor)[0]

    def learn(self, ridge: float) -> None:
        self._floor = ridge ** (1 - self._p / 2)
        self._K = self._weights(self._X, ridge, self._p)

    def values(self, rows: IntArray, cols: IntArray) -> FloatArray:
        return self._X[rows, cols]


def undecomposed(X: FloatArray, ridge: float, p: float) -> FloatArray:
    """W^-1 (d, d) at p = 0, X'X / n + ridge I: the power of the eigenvalues is 1, so that none are needed."""
    assert p == 0.0
    K: FloatArray = X.T @ X / len(X)
    K[np.diag_indices(len(K))] += ridge
    return K


def timing(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Processor seconds until a square matrix is completed to each of :data:`ERRORS`, and with which factor.

    All begin with the same ridge, which IRLS calls smoothing, and lower it by the same rule. Each method has of
    :data:`DECAYS` the factor with which it is the fastest to the error; that run is done ``repeats`` times in all, and
    the median counts. The iterates are the same each time.

    * ``lin-RFM``: the kernel between the columns at alpha 1/2, as published.
    * ``IRLS-0``: p = 0, where the weights' inverse is X'X / n + ridge I itself: no decomposition.
    * ``IRLS-1``: p = 1, which needs eigenvalues; those of X'X, the cheaper decomposition.
    * ``IRLS-0, row by row``: as textbooks write it; the others have lin-RFM's solver for the rows.
    * ``IRLS-0, SVD``: the same with weights from the singular values of X, which p = 0 does not need.
    * ``lin-RFM, alternating`` and ``lin-RFM, factored``, of twice the rank, which it is told: our forms.
    """
    size, repeats = int(parameters["size"]), int(parameters["repeats"])
    fitted, held_out, test = draw(*low_rank(size, size, RANK, seed), round(OBSERVED * size**2), seed, tested=20_000)
    methods: dict[str, Callable[[], Iteration]] = {
        "lin-RFM": lambda: LinRFM(fitted),
        "IRLS-0": lambda: IRLS(fitted, 0.0, undecomposed, batched=True),
        "IRLS-1": lambda: IRLS(fitted, 1.0, inverse_weights_by_gram, batched=True),
        "IRLS-0, row by row": lambda: IRLS(fitted, 0.0, undecomposed, batched=False),
        "IRLS-0, SVD": lambda: IRLS(fitted, 0.0, inverse_weights, batched=False),
        "lin-RFM, alternating": lambda: LinRFM(fitted, alternate=True),
        "lin-RFM, factored": lambda: LinRFM(fitted, 2 * RANK, alternate=True),
    }
    reached(LinRFM(fitted), held_out, test, 0.9, iterations=2)  # libraries are loaded and threads started
    found: dict[str, Any] = {}
    for name, begin in methods.items():
        decays = DECAYS
        if name.startswith("IRLS-0,"):  # the iterates of IRLS-0, however computed: so is the fastest factor the same
            decays = tuple(sorted({at["decay"] for at in found["IRLS-0"]["reached"].values() if at})) or DECAYS[:1]
        runs = {decay: [reached(begin(), held_out, test, decay)] for decay in decays}
        best = {goal: _fastest(runs, goal) for goal in map(_word, ERRORS)}
        for decay in sorted({decay for decay in best.values() if decay is not None}):
            runs[decay] += [reached(begin(), held_out, test, decay) for _ in range(repeats - 1)]
        every = [run for some in runs.values() for run in some]
        found[name] = {
            "reached": {
                goal: None if decay is None else _median(runs[decay], goal, decay) for goal, decay in best.items()
            },
            "error": min(run["error"] for run in every),
            "ms_an_iteration": 1e3 * float(np.median([run["seconds"] / run["iterations"] for run in every])),
        }
    return {"methods": found, "entries": len(fitted)}


def _word(error: float) -> str:
    return f"{error:g}"


def _fastest(runs: Mapping[float, list[dict[str, Any]]], goal: str) -> float | None:
    """The factor whose first run gets to ``goal`` in the least time; None if none does."""
    seconds = {decay: some[0]["reached"][goal]["seconds"] for decay, some in runs.items() if some[0]["reached"][goal]}
    return min(seconds, key=lambda decay: seconds[decay]) if seconds else None


def _median(runs: list[dict[str, Any]], goal: str, decay: float) -> dict[str, Any]:
    """The median of the runs' seconds to ``goal``, with the iterations and the factor ``decay``."""
    seconds = [run["reached"][goal]["seconds"] for run in runs]
    return {"seconds": float(np.median(seconds)), "iterations": runs[0]["reached"][goal]["iterations"], "decay": decay}


def reached(
    method: Iteration, held_out: Entries, test: Entries, decay: float, iterations: int = ITERATIONS
) -> dict[str, Any]:
    """Seconds and iterations until ``test`` has each of :data:`ERRORS` (None if never), the least error, and all done.

    The ridge shrinks by the factor ``decay``, or to the held-out squared error once that is smaller. Looking at the
    tested entries takes no time, and decides nothing but when the measurement ends.
    """
    ridge, taken, best, waited, least = RIDGE, 0.0, np.inf, 0, np.inf
    at: dict[str, dict[str, float] | None] = {_word(error): None for error in ERRORS}
    done = 0
    while done < iterations:
        began = time.process_time()
        if done:
            method.learn(ridge)
        method.complete()
        error = rmse(method.values, held_out) ** 2
        taken += time.process_time() - began
        done += 1
        found = rmse(method.values, test)
        least = min(least, found)
        for goal in ERRORS:
            if found <= goal and at[_word(goal)] is None:
                at[_word(goal)] = {"seconds": taken, "iterations": done}
        waited = 0 if error < (1 - LEAST) * best else waited + 1
        best = min(best, error)
        if at[_word(min(ERRORS))] is not None or waited > PATIENCE or not np.isfinite(error):
            break
        ridge = max(RIDGE_END, min(decay * ridge, error))
    return {"reached": at, "error": least, "iterations": done, "seconds": taken}

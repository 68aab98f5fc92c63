"""Ways to complete a matrix, each tuned on the same held-out observed entries and then asked for the missing ones.

A method takes the entries to fit, the held-out ones and a seed, and gives a :class:`Completed`. What it chooses (ridge,
rank, iteration, depth) it chooses by the held-out error; the entries whose error is reported it never sees. None of the
baselines is refitted with the held-out entries, and lin-RFM is not either, so that all learn from the same.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bench.study.baselines.irls import irls
from bench.study.baselines.networks import STARTS, STEPS, deep_linear_completion
from rfm.completion import Entries
from rfm.completion.entries import FloatArray, IntArray
from rfm.completion.fitting import Schedule, fit
from rfm.completion.kernels import DenseKernel
from rfm.completion.rows import RowSystems

Predictor: TypeAlias = Callable[[IntArray, IntArray], FloatArray]


@dataclass(frozen=True)
class Completed:
    """``predict`` (rows, cols) and what was chosen; ``iterations`` of the chosen fit.

    ``limits``: of networks, ``steps_at_most`` and whether the fit was ``cut_off``, still improving, when these were
    used up.
    """

    predict: Predictor
    held_out_rmse: float
    iterations: int
    chosen: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)


Method: TypeAlias = Callable[[Entries, Entries, int], Completed]


def rmse(predict: Predictor, at: Entries) -> float:
    """Root mean squared error at the entries ``at``."""
    return float(np.sqrt(np.mean((predict(at.rows, at.cols) - at.values) ** 2)))


def lin_rfm(**settings: Any) -> Method:
    """lin-RFM with the settings of :class:`rfm.completion.fitting.Schedule`."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        best: dict[str, Any] = {"error": np.inf}

        def watch(step: int, completion: Any, transposed: bool) -> None:
            at = held_out.transposed() if transposed else held_out
            error = float(np.mean((completion.values(at) - at.values) ** 2))
            if error < best["error"]:
                best.update(error=error, completion=completion, transposed=transposed)

        result = fit(entries, held_out, Schedule(seed=seed, **settings), watch)
        completion, transposed = best["completion"], best["transposed"]

        def predict(rows: IntArray, cols: IntArray) -> FloatArray:
            i, j = (cols, rows) if transposed else (rows, cols)
            shape = completion.entries.shape
            values: FloatArray = completion.values(Entries(i, j, np.zeros(len(i)), shape))
            return values

        return Completed(
            predict,
            float(np.sqrt(best["error"])),
            len(result.path),
            {"ridge": result.ridge, "stopped": result.stopped},
        )

    return method


PUBLISHED_RIDGES = (5e-2, 1e-3)
RIDGE_SWITCH = 1e-1
"""Squared error below which the second ridge takes the place of the first. In units of the entries' mean square, 1."""

PUBLISHED_ITERATIONS, PUBLISHED_PATIENCE = 3000, 300
"""At most so many, and so many without a better error. The published code ends after 20 whose error did not fall: of
the error at few held-out entries, which falls unevenly, that is too early."""


def published_iteration(
    entries: Entries, held_out: Entries, alpha: float, iterations: int = PUBLISHED_ITERATIONS
) -> tuple[FloatArray, float, int]:
    """lin-RFM as its authors' code iterates it (github.com/aradha/lin-RFM), less one thing; ``alpha`` 1/2 or 1.

    That code lowers its ridge, and stops, by the error at the *unobserved* entries. Here held-out observed entries
    decide when the ridge falls and which iteration is kept. The rest is as published: the kernel is between the
    columns, the ridge has two values and is added to the kernel, not to the AGOP: K = (X' X / n)^(2 alpha) + ridge I.

    The completion (n, d) with the least held-out squared error, that error, and the number of its iteration.
    """
    systems = RowSystems(entries)
    S, ridge = np.eye(entries.shape[1]), PUBLISHED_RIDGES[0]
    best: tuple[float, FloatArray, int] = (np.inf, np.zeros(entries.shape), 0)
    for step in range(1, iterations + 1):
        completion = DenseKernel(S, ridge).complete(systems)
        error = float(np.mean((completion.values(held_out) - held_out.values) ** 2))
        if not np.isfinite(error):
            break
        if error < best[0]:
            best = (error, completion.X, step)
        elif step - best[2] >= PUBLISHED_PATIENCE:
            break
        if error < RIDGE_SWITCH:
            ridge = PUBLISHED_RIDGES[1]
        agop = completion.column_kernel(0.0, 0.5).S
        S = agop if alpha == 0.5 else agop @ agop
    return best[1], best[0], best[2]


def as_published(alpha: float, iterations: int = PUBLISHED_ITERATIONS) -> Method:
    """lin-RFM as its authors' code iterates it (:func:`published_iteration`)."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        X, error, step = published_iteration(entries, held_out, alpha, iterations)
        return Completed(lambda i, j: X[i, j], float(np.sqrt(error)), step, {"alpha": alpha})

    return method


def irls_svd(p: float) -> Method:
    """The textbook's IRLS-p: rows one by one, weights from the singular values; lin-RFM's ridge for its smoothing."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        X, steps, error = irls(entries, held_out, p=p)
        return Completed(lambda i, j: X[i, j], float(np.sqrt(error)), steps)

    return method


SOFT_LEVELS, SOFT_STEPS = 20, 30
"""Thresholds of soft-impute's path, and the most iterations at each."""


def soft_impute(entries: Entries, held_out: Entries, seed: int) -> Completed:
    """Nuclear-norm completion (Mazumder, Hastie, Tibshirani 2010): a warm-started path of thresholds.

    The singular vectors come from the Gram matrix of the smaller side.
    """
    n, d = entries.shape
    if n < d:
        flipped = soft_impute(entries.transposed(), held_out.transposed(), seed)
        return Completed(lambda i, j: flipped.predict(j, i), flipped.held_out_rmse, flipped.iterations, flipped.chosen)
    Z = np.zeros((n, d))
    Y = np.zeros((n, d))
    Y[entries.rows, entries.cols] = entries.values
    top = float(np.linalg.norm(Y, 2))
    best = (np.inf, Z, 0.0, 0)
    steps = 0
    for threshold in np.geomspace(0.8 * top, 5e-4 * top, SOFT_LEVELS):
        for _ in range(SOFT_STEPS):
            steps += 1
            X = Z.copy()
            X[entries.rows, entries.cols] = entries.values
            squares, V = np.linalg.eigh(X.T @ X)
            s = np.sqrt(np.maximum(squares, 0.0))
            kept = s > threshold
            new = (X @ V[:, kept]) * (1.0 - threshold / s[kept]) @ V[:, kept].T
            moved = np.linalg.norm(new - Z) / max(float(np.linalg.norm(Z)), 1e-12)
            Z = new
            if moved < 1e-4:
                break
        error = float(np.mean((Z[held_out.rows, held_out.cols] - held_out.values) ** 2))
        if error < best[0]:
            best = (error, Z, float(threshold), steps)
    error, kept_Z, threshold, chosen_steps = best
    return Completed(lambda i, j: kept_Z[i, j], float(np.sqrt(error)), chosen_steps, {"threshold": threshold})


ALS_RIDGES, ALS_SWEEPS = (30.0, 10.0, 3.0, 0.3, 0.1, 0.01, 1e-5), 120
"""In units of the entries' root mean square, which are those of a factor's squares; sweeps at most."""


def als(ranks: tuple[int, ...]) -> Method:
    """Alternating least squares with a ridge: rank, ridge and sweep chosen on the held-out entries."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        systems = RowSystems(entries), RowSystems(entries.transposed())
        unit = float(np.sqrt(np.mean(entries.values**2)))
        best: tuple[float, FloatArray, FloatArray, dict[str, Any], int] | None = None
        for rank in ranks:
            rng = np.random.default_rng(seed)
            start = rng.standard_normal((entries.shape[1], rank)) * unit**0.5 / rank**0.25
            for ridge in ALS_RIDGES:
                V, lowest, waited = start, np.inf, 0
                for sweep in range(ALS_SWEEPS):
                    U, _ = systems[0].coefficients(V, ridge * unit)
                    V, _ = systems[1].coefficients(U, ridge * unit)
                    predicted = np.einsum("ij,ij->i", U[held_out.rows], V[held_out.cols])
                    error = float(np.mean((predicted - held_out.values) ** 2))
                    if best is None or error < best[0]:
                        best = (error, U, V, {"rank": rank, "ridge": ridge}, sweep + 1)
                    waited = 0 if error < 0.999 * lowest else waited + 1
                    lowest = min(lowest, error)
                    if waited >= 8 or error < 1e-14 * unit**2:
                        break
        assert best is not None
        error, U, V, chosen, sweeps = best
        return Completed(lambda i, j: np.einsum("ij,ij->i", U[i], V[j]), float(np.sqrt(error)), sweeps, chosen)

    return method


def deep_linear(depth: int, steps: int = STEPS, starts: Sequence[float] = STARTS) -> Method:
    """A deep linear network (:mod:`bench.study.baselines.networks`)."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        one = deep_linear_completion(entries, held_out, depth, seed, steps=steps, starts=starts)
        limits = {"steps_at_most": steps, "cut_off": one.cut_off}
        return Completed(lambda i, j: one.X[i, j], float(np.sqrt(one.error)), one.step, one.chosen, limits)

    return method


def measured(method: Method, entries: Entries, held_out: Entries, test: Entries, seed: int) -> dict[str, Any]:
    """Fit and test: held-out and test error, iterations, what was chosen, seconds of the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        done = method(entries, held_out, seed)
    return {
        **done.limits,
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
        "rmse": rmse(done.predict, test),
        "held_out_rmse": done.held_out_rmse,
        "iterations": done.iterations,
        "chosen": done.chosen,
    }

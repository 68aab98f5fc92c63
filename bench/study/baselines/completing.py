"""Ways to complete a matrix, each tuned on the same held-out observed entries and then asked for the missing ones.

A method takes the entries to fit, the held-out ones and a seed, and gives a :class:`Completed`. What it chooses (ridge,
rank, iteration, depth) it chooses by the held-out error; the entries whose error is reported it never sees. None of the
baselines is refitted with the held-out entries, and lin-RFM is not either, so that all learn from the same.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bench.study.baselines.irls import irls
from bench.study.baselines.networks import FOUND, STARTS, STEPS, Plateau, deep_linear_completion
from bench.study.matrices import Predictor, rmse
from rfm.completion import Entries
from rfm.completion.entries import FloatArray, IntArray
from rfm.completion.fitting import Schedule, fit
from rfm.completion.kernels import DenseKernel
from rfm.completion.rows import RowSystems


@dataclass(frozen=True)
class Completed:
    """``predict`` (rows, cols) and what was chosen; ``iterations`` of the chosen fit.

    ``limits``: of networks and ALS, ``steps_at_most`` and whether the fit was ``cut_off``, still improving, when these
    were used up; of soft-impute, whether what was chosen is ``at_end``, the smallest threshold of its path.
    """

    predict: Predictor
    held_out_rmse: float
    iterations: int
    chosen: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)


Method: TypeAlias = Callable[[Entries, Entries, int], Completed]


def lin_rfm(*, iterations: int = 500, tol: float = 1e-8, **settings: Any) -> Method:
    """lin-RFM with the settings of :class:`rfm.completion.fitting.Schedule`."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        best: dict[str, Any] = {"error": np.inf}

        def watch(step: int, completion: Any, transposed: bool) -> None:
            at = held_out.transposed() if transposed else held_out
            error = float(np.mean((completion.values(at) - at.values) ** 2))
            if error < best["error"]:
                best.update(error=error, completion=completion, transposed=transposed)

        result = fit(entries, held_out, Schedule(seed=seed, iterations=iterations, tol=tol, **settings), watch)
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
    """lin-RFM as its authors' code iterates it (github.com/aradha/lin-RFM), less two things; ``alpha`` 1/2 or 1.

    That code lowers its ridge, and stops, by the error at the *unobserved* entries. Here held-out observed entries
    decide when the ridge falls and which iteration is kept. And it stops after 20 iterations without a lower error,
    where here :data:`PUBLISHED_PATIENCE` may pass. The rest is as published: the kernel is between the
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


SOFT_LEVELS, SOFT_END, SOFT_STEPS, SOFT_MOVED, SOFT_PATIENCE = 41, 1e-7, 30, 1e-5, 10
"""Thresholds of soft-impute's path; the last one, relative to the largest singular value of the zero-filled matrix; the
most iterations at each, and the relative change below which they end; thresholds in a row without a lower held-out
error after which the path ends."""


def soft_impute(entries: Entries, held_out: Entries, seed: int) -> Completed:
    """Nuclear-norm completion (Mazumder, Hastie, Tibshirani 2010): a warm-started path of thresholds.

    The singular vectors come from the Gram matrix of the smaller side.
    """
    n, d = entries.shape
    if n < d:
        flipped = soft_impute(entries.transposed(), held_out.transposed(), seed)
        return replace(flipped, predict=lambda i, j: flipped.predict(j, i))
    Z = np.zeros((n, d))
    Y = np.zeros((n, d))
    Y[entries.rows, entries.cols] = entries.values
    top = float(np.linalg.norm(Y, 2))
    best = (np.inf, Z, 0, 0)
    steps = 0
    path = np.geomspace(0.8 * top, SOFT_END * top, SOFT_LEVELS)
    for level, threshold in enumerate(path):
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
            if moved < SOFT_MOVED:
                break
        error = float(np.mean((Z[held_out.rows, held_out.cols] - held_out.values) ** 2))
        if error < best[0]:
            best = (error, Z, level, steps)
        elif level - best[2] >= SOFT_PATIENCE:
            break
    error, kept_Z, level, chosen_steps = best
    return Completed(
        lambda i, j: kept_Z[i, j],
        float(np.sqrt(error)),
        chosen_steps,
        {"threshold": float(path[level])},
        {"at_end": level == SOFT_LEVELS - 1},
    )


ALS_RIDGES = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.01, 1e-5)
"""In units of the entries' root mean square, which are those of a factor's squares."""

ALS_STARTS, ALS_SWEEPS, ALS_PATIENCE = 5, 500, 20
"""Random starts; sweeps at most; sweeps in a row that did not find the held-out squared error 1 % below the last mark,
after which a fit ends. The first start is tried with all ridges, the others, rank by rank, with the best of these and
with the smallest."""

ALS_NEAR = 2.0
"""Times the least held-out error below which a fit that used up its sweeps could still have become the best."""


@dataclass(frozen=True)
class _Factors:
    """U (n, r), V (d, r) of the completion U V' after a ``sweep``, its held-out error; whether sweeps were used up."""

    rank: int
    ridge: float
    start: int
    error: float = np.inf
    sweep: int = 0
    cut_off: bool = False
    U: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    V: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def values(self, rows: IntArray, cols: IntArray) -> FloatArray:
        found: FloatArray = np.einsum("ij,ij->i", self.U[rows], self.V[cols])
        return found


def _error(one: _Factors) -> float:
    return one.error


def als(ranks: tuple[int, ...]) -> Method:
    """Alternating least squares with a ridge: start, rank, ridge and sweep chosen on the held-out entries."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        systems = RowSystems(entries), RowSystems(entries.transposed())
        unit = float(np.sqrt(np.mean(entries.values**2)))
        tried: list[_Factors] = []
        for start, rank in product(range(ALS_STARTS), ranks):
            first = [one for one in tried if one.rank == rank and one.start == 0]
            ridges = {min(first, key=_error).ridge, ALS_RIDGES[-1]} if first else ALS_RIDGES
            for ridge in sorted(ridges, reverse=True):
                tried.append(_alternated(systems, held_out, unit, rank, ridge, start, seed))
                if tried[-1].error < FOUND * unit:
                    break
            else:
                continue
            break
        best = min(tried, key=_error)
        cut_off = best.error >= FOUND * unit and any(one.cut_off and one.error < ALS_NEAR * best.error for one in tried)
        limits = {"steps_at_most": ALS_SWEEPS, "cut_off": cut_off}
        chosen = {"rank": best.rank, "ridge": best.ridge, "start": best.start}
        return Completed(best.values, best.error, best.sweep, chosen, limits)

    return method


def _alternated(
    systems: tuple[RowSystems, RowSystems],
    held_out: Entries,
    unit: float,
    rank: int,
    ridge: float,
    start: int,
    seed: int,
) -> _Factors:
    """The sweep with the least held-out error."""
    rng = np.random.default_rng([seed, start, rank])
    V = rng.standard_normal((held_out.shape[1], rank)) * unit**0.5 / rank**0.25
    best, plateau, cut_off = _Factors(rank, ridge, start), Plateau(), True
    for sweep in range(1, ALS_SWEEPS + 1):
        U, _ = systems[0].coefficients(V, ridge * unit)
        V, _ = systems[1].coefficients(U, ridge * unit)
        one = replace(best, U=U, V=V, sweep=sweep)
        error = rmse(one.values, held_out)
        if error < best.error:
            best = replace(one, error=error)
        if plateau.look(error**2) >= ALS_PATIENCE or error < 1e-7 * unit:
            cut_off = False
            break
    return replace(best, cut_off=cut_off)


def deep_linear(depth: int, steps: int = STEPS, starts: Sequence[float] = STARTS, *, exact: bool = True) -> Method:
    """A deep linear network (:mod:`bench.study.baselines.networks`); ``exact`` entries have no noise."""

    def method(entries: Entries, held_out: Entries, seed: int) -> Completed:
        one = deep_linear_completion(entries, held_out, depth, seed, exact=exact, steps=steps, starts=starts)
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

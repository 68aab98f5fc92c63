"""Kernel ridge regression with neural tangent kernels of several depths, for several ridges, on the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.engines import Engine, engine
from rfm.linalg import matmul_float64, solve_ridge
from rfm.native.tangents import PROFILE_DEGREE, SOLVERS, tangents
from rfm.ntk import angular_profile, ntk_pairs
from rfm.problem import power_of_two, unit_rows

FloatArray = NDArray[np.float64]

DEEPEST_NATIVE = 10
"""The native engine's profile is right to 2e-11 up to here."""
_SMALL = 300
"""Up to so many rows Python factors in float64 in less time than the refinement of a float32 solution takes."""


@dataclass(frozen=True)
class NTKPoint:
    """Kernel ridge regression for one ``depth`` and ``ridge``: scores (m, c), coefficients (n, c), the solver.

    Scoring took ``score_seconds`` of the processor: where several points are scored together, a share of that.
    """

    depth: int
    ridge: float
    scores: FloatArray
    alpha: FloatArray
    solver: str
    score_seconds: float


def ntk_points(
    X: FloatArray,
    Y: FloatArray,
    Z: FloatArray,
    *,
    depths: Sequence[int],
    ridges: Sequence[float],
    unit_size: bool = False,
    device: str = "cpu",
    choice: str | None = None,
) -> Iterator[NTKPoint]:
    """Regressions of ``Y`` (n, c) on the rows ``X`` (n, d), with the scores of the rows ``Z`` (m, d).

    For every one of ``depths`` and ``ridges``, in no particular order. With ``unit_size`` each kernel is divided by
    depth + 1, so that it is 1 between a row of norm 1 and itself. ``device`` and ``choice`` of the engine are
    those of :func:`rfm.engine`. Kernel and residuals are in float64, factors in float32 where these suffice.
    """
    if not depths or min(depths) < 1:
        raise ValueError(f"depths must be at least 1, got {list(depths)}")
    if not ridges or not min(ridges) > 0:
        raise ValueError(f"ridges must be positive, got {list(ridges)}")
    if Y.ndim != 2 or Y.shape[1] == 0:
        raise ValueError(f"Y must be ({len(X)}, c) with at least one column of targets, got shape {Y.shape}")
    size = power_of_two(Y)
    found = engine(device, choice)
    natively = found.library is not None and max(depths) <= DEEPEST_NATIVE and len(X) > 0 and X.shape[1] > 0
    points = (
        _native(found, X, Y / size, Z, depths, ridges, unit_size)
        if natively
        else _python(X, Y / size, Z, depths, ridges, unit_size, device)
    )
    for point in points:
        if size == 1.0:
            yield point
        else:
            scores, alpha = point.scores * size, point.alpha * size
            yield NTKPoint(point.depth, point.ridge, scores, alpha, point.solver, point.score_seconds)


def _native(
    found: Engine,
    X: FloatArray,
    Y: FloatArray,
    Z: FloatArray,
    depths: Sequence[int],
    ridges: Sequence[float],
    unit_size: bool,
) -> Iterator[NTKPoint]:
    started = time.process_time()
    rows = np.concatenate([X, Z])
    norms = np.linalg.norm(rows, axis=1)
    unit = unit_rows(rows)
    preparing = (time.process_time() - started) * len(Z) / len(rows)
    descending, ascending = sorted(set(ridges), reverse=True), sorted(set(depths))
    profiles = np.array([angular_profile(depth, PROFILE_DEGREE) for depth in ascending])
    if unit_size:
        profiles /= np.array(ascending)[:, None] + 1.0
    solved = tangents(found, unit, norms, Y, descending, profiles)
    seconds = (solved.score_seconds + preparing) / solved.status.size
    for k, depth in enumerate(ascending):
        back = [ridge for j, ridge in enumerate(descending) if not SOLVERS[int(solved.status[k, j])]]
        for j, ridge in enumerate(descending):
            if ridge not in back:
                solver = SOLVERS[int(solved.status[k, j])]
                yield NTKPoint(depth, ridge, solved.scores[k, j], solved.alpha[k, j].T, solver, seconds)
        if back:
            yield from _python(X, Y, Z, [depth], back, unit_size, "cpu")


def _python(
    X: FloatArray,
    Y: FloatArray,
    Z: FloatArray,
    depths: Sequence[int],
    ridges: Sequence[float],
    unit_size: bool,
    device: str,
) -> Iterator[NTKPoint]:
    fitted, others, targets = (torch.as_tensor(part, device=device) for part in (X, Z, Y))
    factor = torch.empty((len(X), len(X)), dtype=torch.float64 if len(X) <= _SMALL else torch.float32, device=device)
    for depth, (K, between) in enumerate(ntk_pairs(fitted, others, max(depths)), start=1):
        if depth not in depths:
            continue
        if unit_size:
            K, between = K / (depth + 1), between / (depth + 1)
        for ridge in ridges:
            solution = solve_ridge(K, ridge, targets, work=factor)
            started = time.process_time()
            scores = matmul_float64(between, solution.alpha).cpu().numpy()
            seconds = time.process_time() - started
            yield NTKPoint(depth, ridge, scores, solution.alpha.cpu().numpy(), solution.solver, seconds)

"""Ridge regressions with neural tangent kernels by the native library, all depths and ridges in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfm.engines import Engine

FloatArray = NDArray[np.float64]

PROFILE_DEGREE, PROFILE_DEGREE_FLOAT32 = 27, 19
"""Degrees of the profiles that ``module.c`` takes, in float64 and float32: see :func:`rfm.ntk.angular_profile`."""
SOLVERS = {0: "cholesky", 1: "cholesky-float64", 2: ""}
"""By the number they have in ``module.c``; without a name: handed back to Python."""


@dataclass(frozen=True)
class NativeTangents:
    """For D depths and R ridges: scores (D, R, m, c), coefficients (D, R, c, n), numbers of solvers (D, R).

    Where a solver's name is empty, both are zero.
    """

    scores: FloatArray
    alpha: FloatArray
    status: NDArray[np.int32]
    score_seconds: float
    """CPU seconds of scoring, in all."""


def tangents(
    engine: Engine,
    unit: FloatArray,
    norms: FloatArray,
    targets: FloatArray,
    ridges: Sequence[float],
    profiles: FloatArray,
) -> NativeTangents:
    """Regressions of ``targets`` (n, c) on the first n of the rows ``unit`` (n + m, d) times ``norms`` (n + m,).

    ``ridges`` (R,) descend, ``profiles`` (D, 28) are those of depths that ascend.
    """
    n, c = targets.shape
    rows, d = unit.shape
    shape = (len(profiles), len(ridges))
    scores, alpha = np.empty((*shape, rows - n, c)), np.empty((*shape, c, n))
    status = np.empty(shape, dtype=np.int32)
    assert engine.library is not None
    seconds = engine.library.module.tangents(
        engine.instruction_set,
        (n, rows - n, d, c, len(ridges), len(profiles)),
        np.ascontiguousarray(unit),
        norms,
        np.ascontiguousarray(targets.T),
        np.asarray(ridges, dtype=np.float64),
        np.ascontiguousarray(profiles),
        scores,
        alpha,
        status,
    )
    return NativeTangents(scores, alpha, status, seconds)

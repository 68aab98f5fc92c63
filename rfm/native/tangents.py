"""Ridge regressions with neural tangent kernels by the native library, all depths and ridges in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.engines import Engine

FloatArray = NDArray[np.float64]

PROFILE_DEGREE, PROFILE_DEGREE_FLOAT32 = 27, 19
"""Degrees of the profiles that ``module.c`` takes, in float64 and float32: see :func:`rfm.ntk.angular_profile`."""
TILE_DEGREES = {torch.float64: PROFILE_DEGREE, torch.float32: PROFILE_DEGREE_FLOAT32}
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


def tile(
    engine: Engine,
    left: torch.Tensor,
    right: torch.Tensor,
    rises: torch.Tensor,
    runs: torch.Tensor,
    profile: NDArray[Any],
    K: torch.Tensor,
) -> None:
    """Write the kernel between the unit rows ``left`` (k, d) times ``rises`` (k,) and ``right`` (l, d) times ``runs``
    (l,) into ``K`` (k, l); all of one type, and ``profile`` of its degree in :data:`TILE_DEGREES`."""
    assert engine.library is not None
    out = K if K.is_contiguous() else torch.empty_like(K, memory_format=torch.contiguous_format)
    if out.numel():
        engine.library.module.tangent_tile(
            engine.instruction_set,
            K.dtype == torch.float32,
            (len(left), len(right), left.shape[1]),
            *(part.contiguous().numpy() for part in (left, right, rises, runs)),
            profile,
            out.numpy(),
        )
    if out is not K:
        K.copy_(out)

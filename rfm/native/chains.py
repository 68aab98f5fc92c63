"""Chains followed by the native library, several points and ridges in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfm.engines import Engine
from rfm.kernels import Gaussian, Laplace, RadialKernel
from rfm.native import library

library()  # with this module, so that what is forked from a process that has it need not load the library again

FloatArray = NDArray[np.float64]

KERNELS: dict[type[RadialKernel], int] = {Laplace: 0, Gaussian: 1}
"""The kernels that are there, by the number they have in ``module.c``."""
SCALINGS = {"none": 0, "trace": 1, "max": 2}
_SOLVERS = {0: "cholesky", 1: "cholesky-float64"}
_HANDED_BACK = 2

_OUTPUT_BYTES = 64 << 20
"""Metrics and scores of one call take about so much."""


@dataclass(frozen=True)
class NativeProblem:
    """What the chains of one set of rows have in common.

    ``exact`` (n + m, d) holds the fitted rows, then the others, in float64; ``targets`` (n, c) the fitted ones' over
    ``gain``; ``sizes`` (d,) those of the features, of which there are ``features``: more than d where the rows are
    coordinates in their span. Kernels, factors and gradients are in float32 if ``narrow``.
    """

    exact: FloatArray
    targets: FloatArray
    gain: float
    sizes: FloatArray
    kernel: RadialKernel
    narrow: bool
    center: bool
    diagonal: bool
    scaling: str
    features: int


@dataclass(frozen=True)
class NativePoint:
    """A point of the chain of one ``ridge``: scores (m, c), coefficients (n, c), the metric it was fitted in, solver.

    Without ``solver`` the chain was handed back: from this iteration on it takes what only Python has.
    """

    ridge: float
    iteration: int
    scores: FloatArray
    alpha: FloatArray
    metric: FloatArray | None
    solver: str
    score_seconds: float = 0.0
    """CPU seconds of scoring: a call's, divided among its points."""


def follow(
    engine: Engine,
    problem: NativeProblem,
    ridges: Sequence[float],
    *,
    iterations: int,
    update_last: bool = False,
    start: FloatArray | None = None,
) -> Iterator[NativePoint]:
    """The points of all chains from the identity, or from the metric ``start``, through ``iterations`` updates.

    With ``update_last`` a last point carries the metric that one more update gives, and nothing else.
    """
    d = problem.exact.shape[1]
    size = d if problem.diagonal else d * d
    alive = list(ridges)
    metrics = None if start is None else np.repeat(start[None], len(alive), axis=0)
    last = iterations
    done = 0
    while alive and done <= last:
        outputs = 8.0 * len(alive) * (size + (len(problem.exact)) * problem.targets.shape[1])
        steps = int(max(1, min(last + 1 - done, _OUTPUT_BYTES / outputs)))
        final = done + steps > last
        updates = steps if update_last or not final else steps - 1
        scores, alpha, learned, status, seconds = _call(engine, problem, alive, metrics, steps, updates == steps)
        each = seconds / (steps * len(alive))
        kept = []
        for k, ridge in enumerate(alive):
            for step in range(steps):
                metric = learned[step - 1, k] if step else (None if metrics is None else metrics[k])
                state = int(status[step, k])
                solver = _SOLVERS.get(state, "")
                yield NativePoint(ridge, done + step, scores[step, k], alpha[step, k], metric, solver, each)
                if state == _HANDED_BACK:
                    break
            else:
                kept.append(k)
        if final and update_last:
            for k in kept:
                empty = np.empty((0, 0))
                yield NativePoint(alive[k], last + 1, empty, empty, learned[steps - 1, k], "learned")
        done += steps
        if not final:
            metrics = np.ascontiguousarray(learned[steps - 1, kept])
        alive = [alive[k] for k in kept]


def _call(
    engine: Engine,
    problem: NativeProblem,
    ridges: Sequence[float],
    start: FloatArray | None,
    steps: int,
    update_last: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int32], float]:
    n, c = problem.targets.shape
    rows, d = problem.exact.shape
    entries = (d,) if problem.diagonal else (d, d)
    chains = len(ridges)
    scores = np.empty((steps, chains, rows - n, c))
    alpha = np.empty((steps, chains, n, c))
    learned = np.empty((steps if update_last else steps - 1, chains, *entries))
    status = np.empty((steps, chains), dtype=np.int32)
    assert engine.library is not None
    seconds = engine.library.module.follow(
        engine.instruction_set,
        problem.narrow,
        KERNELS[type(problem.kernel)],
        problem.kernel.bandwidth,
        problem.gain,
        SCALINGS[problem.scaling],
        problem.center,
        problem.diagonal,
        update_last,
        (n, rows - n, d, c, chains, steps, problem.features),
        problem.exact,
        problem.targets,
        problem.sizes,
        np.asarray(ridges, dtype=np.float64),
        start,
        scores,
        alpha,
        learned,
        status,
    )
    return scores, alpha, learned, status, seconds

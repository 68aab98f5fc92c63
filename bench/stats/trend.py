"""A smoothed trend with its uncertainty: local linear regression, and a bootstrap over datasets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 20
"""With fewer points the band is as wide as the picture and the line follows single datasets."""


@dataclass(frozen=True)
class Trend:
    """``x`` (g,) in the units given, the fitted ``y`` (g,), and the pointwise 95 % band ``low``, ``high`` (g,)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def local_linear(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64], span: float
) -> NDArray[np.float64]:
    """Local linear regression with tricube weights over the nearest ``span`` of the points (Cleveland, 1979).

    ``x`` and ``y`` are (n,), ``grid`` (g,); returns (g,). Where all near points share one x, their weighted mean.
    """
    near = min(len(x), max(3, int(np.ceil(span * len(x)))))
    distance = np.abs(grid[:, None] - x[None, :])
    reach = np.sort(distance, axis=1)[:, near - 1 : near] * 1.0001 + 1e-12
    weight = np.clip(1 - (distance / reach) ** 3, 0, None) ** 3
    total = weight.sum(axis=1)
    mean_x = weight @ x / total
    mean_y = weight @ y / total
    centred = x[None, :] - mean_x[:, None]
    spread = (weight * centred**2).sum(axis=1)
    slope = (weight * centred * (y[None, :] - mean_y[:, None])).sum(axis=1) / np.where(spread > 1e-9, spread, np.inf)
    fitted: NDArray[np.float64] = mean_y + slope * (grid - mean_x)
    return fitted


def log_trend(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    span: float = 0.75,
    points: int = 40,
    draws: int = 400,
    seed: int = 0,
) -> Trend | None:
    """Trend of ``y`` over log10 ``x`` with a 95 % percentile bootstrap band over datasets.

    None below :data:`FEWEST` datasets, or where all have one ``x``.

    The draws come from ``seed``: the same results give the same picture.
    """
    if len(x) < FEWEST or float(np.min(x)) <= 0 or float(np.max(x)) <= float(np.min(x)):
        return None
    logs = np.log10(x)
    grid = np.linspace(logs.min(), logs.max(), points)
    generator = np.random.default_rng(seed)
    samples = np.empty((draws, points))
    for i in range(draws):
        chosen = generator.integers(0, len(x), len(x))
        samples[i] = local_linear(logs[chosen], y[chosen], grid, span)
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return Trend(10**grid, local_linear(logs, y, grid, span), low, high)


def relative_error_reduction(
    scores: NDArray[np.float64], baseline: NDArray[np.float64], full: float
) -> NDArray[np.float64]:
    """(baseline error - error) over the larger of the two errors, percent in [-100, 100]; 0 where both are 0.

    The error is what a score lacks of ``full``, the score without any.

    Dividing by the larger error treats a gain and the same loss alike, and stays finite when one method is faultless.
    """
    error, base = full - scores, full - baseline
    larger = np.maximum(error, base)
    reduction: NDArray[np.float64] = 100.0 * (base - error) / np.where(larger > 0, larger, 1.0)
    return reduction

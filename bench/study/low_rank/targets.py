"""Functions of a few directions of many features. The paper names no formulas for all of its own; these are ours.

x is standard normal in d dimensions, z = U'x its coordinates in the true subspace (U (d, r) orthonormal), and every
target is divided by its standard deviation, which is known in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rfm.machine import FloatArray


@dataclass(frozen=True)
class Target:
    """``values`` (n,) of the coordinates z (n, r); ``axes``: the directions are coordinate axes, not random ones."""

    name: str
    words: str
    rank: int
    axes: bool
    values: Callable[[FloatArray], FloatArray]


TARGETS = (
    Target("product", "z1 z2, along two features", 2, True, lambda z: z[:, 0] * z[:, 1]),
    Target("rotated", "z1 z2, along two random directions", 2, False, lambda z: z[:, 0] * z[:, 1]),
    Target(
        "cubic",
        "(z1 + z2 z3 + (z3^3 - 3 z3) / 2) / sqrt(3.5), along three random directions",
        3,
        False,
        lambda z: (z[:, 0] + z[:, 1] * z[:, 2] + 0.5 * (z[:, 2] ** 3 - 3 * z[:, 2])) / np.sqrt(3.5),
    ),
)


def target(name: str) -> Target:
    """The target called ``name``."""
    return next(t for t in TARGETS if t.name == name)


def draw(
    name: str, d: int, train: int, test: int, noise: float, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """X (train, d), y with normal ``noise``, X (test, d), y without noise, and U (d, r)."""
    chosen = target(name)
    rng = np.random.default_rng([seed, d, train])
    U = np.eye(d)[:, : chosen.rank]
    if not chosen.axes:
        U = np.linalg.qr(rng.standard_normal((d, chosen.rank)))[0]
    X, X_test = rng.standard_normal((train, d)), rng.standard_normal((test, d))
    y = chosen.values(X @ U) + noise * rng.standard_normal(train)
    return X, y, X_test, chosen.values(X_test @ U), U

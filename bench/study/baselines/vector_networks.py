r"""Deep linear networks for sparse regression, at the end of their training.

The network is w = u^L - v^L (powers of single entries, L >= 2), started at u = v = a^(1/L) and trained on the squared
error by gradient flow, which gradient descent follows as its steps become small. With G the integral over time of the
loss's gradient with respect to w, du/dt = -L u^(L-1) dG/dt gives u, and so w, as a function of theta = -G alone:

    L = 2:   w = a (exp(theta) - exp(-theta)),                          theta in units of 1 / 4,
    L >= 3:  w = a ((1 - theta)^-m - (1 + theta)^-m),  m = L / (L - 2), theta in units of a^(2/L - 1) / (L (L - 2)).

G is a combination of the rows of X, theta = X'nu, so that training ends where y = X w(X'nu). That is the optimum of the
concave function y'nu - Q(X'nu), Q' = w (Woodworth et al. 2020, theorems 1 and 3; "Kernel and rich regimes"), which
Newton's method finds in twenty steps, where descent takes the more the smaller the start: tens of thousands. The tests
hold the two to equal results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfm.completion.entries import FloatArray

ENDED = 1e-6
"""Residual, relative to the targets, below which training has ended."""

_STEPS, _SUFFICIENT, _SHORTEST = 400, 1e-4, 1e-14
_LARGEST = 300.0
"""At most so many Newton steps; of a line search, the share of the slope's promise that is enough, and the shortest
step; the largest exponent."""


@dataclass(frozen=True)
class Ended:
    """Coefficients ``w`` (d,) and the ``residual`` that is left, relative to the targets."""

    w: FloatArray
    residual: float

    @property
    def ended(self) -> bool:
        """Whether nothing is left to train."""
        return self.residual <= ENDED


def trained_to_the_end(X: FloatArray, y: FloatArray, depth: int, start: float) -> Ended:
    """The network of ``depth`` L and start a on the rows of ``X`` (n, d) and targets ``y`` (n,): w at its end."""
    network = _Mirror(depth, start)
    nu, theta = np.zeros(len(X)), np.zeros(X.shape[1])
    size = max(float(np.linalg.norm(y)), np.finfo(float).tiny)
    value = 0.0
    for _ in range(_STEPS):
        residual = y - X @ network.coefficients(theta)
        if np.linalg.norm(residual) <= ENDED * size:
            break
        H = (X * network.slopes(theta)) @ X.T
        H[np.diag_indices(len(H))] += 1e-14 * np.trace(H) / len(H)
        step = np.linalg.solve(H, residual)
        along, slope, length = X.T @ step, float(residual @ step), 1.0
        while length > _SHORTEST:
            moved = theta + length * along
            if network.inside(moved):
                found = float(y @ (nu + length * step)) - network.potential(moved)
                if found >= value + _SUFFICIENT * length * slope:
                    break
            length /= 2
        else:
            break  # rounding leaves no better point
        nu = nu + length * step
        theta, value = X.T @ nu, found
    w = network.coefficients(theta)
    return Ended(w, float(np.linalg.norm(y - X @ w)) / size)


@dataclass(frozen=True)
class _Mirror:
    """What a network of some depth and start makes of theta."""

    depth: int
    start: float

    @property
    def power(self) -> float:
        return self.depth / (self.depth - 2)

    def inside(self, theta: FloatArray) -> bool:
        """Whether training comes by: above depth 2 no coordinate of theta gets to 1."""
        return float(np.max(np.abs(theta), initial=0.0)) < (_LARGEST if self.depth == 2 else 1.0)

    def coefficients(self, theta: FloatArray) -> FloatArray:
        """w (d,)."""
        if self.depth == 2:
            return 2 * self.start * np.sinh(theta)
        w: FloatArray = self.start * ((1 - theta) ** -self.power - (1 + theta) ** -self.power)
        return w

    def slopes(self, theta: FloatArray) -> FloatArray:
        """dw / dtheta (d,), positive."""
        if self.depth == 2:
            return 2 * self.start * np.cosh(theta)
        m = self.power
        slopes: FloatArray = self.start * m * ((1 - theta) ** (-m - 1) + (1 + theta) ** (-m - 1))
        return slopes

    def potential(self, theta: FloatArray) -> float:
        """Q, whose gradient is w, summed over the coordinates; 0 at the start."""
        if self.depth == 2:
            return float(np.sum(2 * self.start * (np.cosh(theta) - 1)))
        k = self.power - 1
        return float(np.sum(self.start / k * ((1 - theta) ** -k + (1 + theta) ** -k - 2)))

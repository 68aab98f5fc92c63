"""Feature matrices of a network's layers: neural feature matrix (NFM) and average gradient outer product (AGOP).

Of a layer with weights W (h, k) on inputs of k features, as in Radhakrishnan et al. (2024):

* NFM = W'W;
* AGOP = mean over rows of J'J, where J (c, k) holds the gradients of all c outputs with respect to the layer's *input*.
  That is W'GW, with G (h, h) the mean outer product of the gradients with respect to the layer's *pre-activations*.

All have the basis W' and are kept as :class:`~rfm.factored.FactoredMatrix`: no (k, k) array is formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from bench.study.networks import ReluNetwork
from rfm.factored import FactoredMatrix

_BLOCK_BYTES = 64 << 20
"""Gradients of a block of rows, outputs and units take about this much memory."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one layer of h units: gradients of the network's c outputs with respect to the pre-activations.

    ``outer`` (h, h): mean over rows of the sum over outputs of gradient times its transpose; ``means`` (c, h): each
    output's mean gradient. Both float64.
    """

    outer: torch.Tensor
    means: torch.Tensor

    @property
    def centred(self) -> torch.Tensor:
        """The same of gradients less their mean, output by output: a covariance (h, h)."""
        return self.outer - self.means.T @ self.means


def layer_gradients(network: ReluNetwork, X: torch.Tensor, count: int | None = None) -> list[Gradients]:
    """Gradients at the pre-activations of the first ``count`` layers (default: all), averaged over the rows X (n, d).

    The backward pass is written out: ReLU's derivative at 0 is 0, as automatic differentiation takes it.
    """
    layers = network.layers
    count = len(layers) if count is None else count
    outputs = len(layers[-1])
    outer = [layer.new_zeros((len(layer), len(layer)), dtype=torch.float64) for layer in layers[:count]]
    sums = [layer.new_zeros((outputs, len(layer)), dtype=torch.float64) for layer in layers[:count]]
    widest = max(len(layer) for layer in layers)
    for rows in X.split(max(1, _BLOCK_BYTES // (outputs * widest * X.element_size()))):
        inputs = network.activations(rows)
        one = torch.eye(outputs, dtype=X.dtype, device=X.device)
        slope = one.expand(len(rows), -1, -1)  # (rows, outputs, units)
        for index in range(len(layers) - 1, -1, -1):
            if index < count:
                flat = slope.reshape(-1, slope.shape[2])
                outer[index] += (flat.T @ flat).double()
                sums[index] += slope.sum(dim=0).double()
            if index:
                slope = (slope @ layers[index]) * (inputs[index] > 0)[:, None, :]
    return [Gradients(G / len(X), s / len(X)) for G, s in zip(outer, sums, strict=True)]


def nfm(W: torch.Tensor) -> FactoredMatrix:
    """W'W (k, k) of a layer's weights (h, k)."""
    return FactoredMatrix(W.T.double(), torch.eye(len(W), dtype=torch.float64, device=W.device))


def second_moment(X: torch.Tensor) -> FactoredMatrix:
    """X'X / n (k, k) of rows (n, k)."""
    return FactoredMatrix(X.T.double(), torch.eye(len(X), dtype=torch.float64, device=X.device) / len(X))


def square_root(M: FactoredMatrix) -> FactoredMatrix:
    """M^(1/2) of a positive semi-definite B C B', on the same basis.

    With the factor F = C^(1/2), B F F'B' has the root B F (F'B'B F)^(-1/2) F'B' (the inverse on the range).
    """
    F = _power(M.core, 0.5)
    inverse = _power(F @ (M.basis.T @ M.basis) @ F, -0.5)
    return FactoredMatrix(M.basis, F @ inverse @ F)


def _power(A: torch.Tensor, exponent: float) -> torch.Tensor:
    """A^exponent of a positive semi-definite matrix; directions that are rounding alone are left out."""
    values, vectors = torch.linalg.eigh((A + A.T) / 2)
    kept = values > values[-1].clamp_min(0.0) * len(A) * torch.finfo(A.dtype).eps
    return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T


@dataclass(frozen=True)
class Likeness:
    """``cosine`` of two matrices' entries as vectors, and their Pearson correlation; None where one is constant."""

    cosine: float | None
    pearson: float | None


class Comparisons:
    """Likenesses among named matrices: :func:`rfm.factored.cosine` where many matrices share few bases.

    The product of two bases, and what each matrix needs for itself, is formed once.
    """

    def __init__(self, matrices: Mapping[str, FactoredMatrix]) -> None:
        self._matrices = dict(matrices)
        self._between: dict[tuple[int, int], torch.Tensor] = {}
        self._squares = {name: self._inner(name, name) for name in matrices}
        self._totals = {name: M.total() for name, M in matrices.items()}

    def likeness(self, first: str, second: str) -> Likeness:
        """Of the two matrices of these names."""
        count = float(self._matrices[first].shape[0]) ** 2
        inner, totals = self._inner(first, second), (self._totals[first], self._totals[second])
        found = []
        for a, b in ((0.0, 0.0), totals):
            squares = [self._squares[first] - a * a / count, self._squares[second] - b * b / count]
            # Rounding alone is left of the squares of a constant matrix.
            constant = any(s <= 1e-12 * self._squares[name] for s, name in zip(squares, (first, second), strict=True))
            found.append(None if constant else (inner - a * b / count) / (squares[0] * squares[1]) ** 0.5)
        return Likeness(*found)

    def _inner(self, first: str, second: str) -> float:
        A, B = self._matrices[first], self._matrices[second]
        between = self._product(A.basis, B.basis)
        left, right = _times(A.core, between), _times(B.core, between.T).T
        return float((left * right).sum())

    def _product(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        key = (id(left), id(right))
        if key not in self._between:
            product = left.T @ right
            self._between[key] = product
            self._between[key[::-1]] = product.T
        return self._between[key]


def _times(core: torch.Tensor, between: torch.Tensor) -> torch.Tensor:
    """The product, without one where ``core`` is a multiple of the identity."""
    first = core.diagonal()[0]
    if torch.equal(core, first * torch.eye(len(core), dtype=core.dtype, device=core.device)):
        return first * between
    return core @ between

"""Recursive Feature Machines with the product Laplace kernel and a learned diagonal metric.

The chain of :mod:`rfm.sweep` in another kernel: kernel ridge regression with all weights 1, then with weights w from
the diagonal of the predictor's AGOP, and so on. A new w is (1 - s) diag / mean(diag) + s: its mean is 1, so the size of
the targets has no part in it, and no feature is lost for good. It does depend on the features' scale, as ``bandwidth``
does: with both multiplied by the same number all scores stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.factored import FactoredMatrix
from rfm.linalg import RidgeSolution, solve_ridge
from rfm.problem import Point, Rows, centred_rows, check_shapes, power_of_two, unit_rows
from rfm.product import ColumnOrder, agop_diagonals, product_kernel, product_scores
from rfm.rows import Metric


@dataclass(frozen=True)
class ProductSweep:
    """Kernel machines with the product Laplace kernel on the rows of one table: ``Chains`` of :mod:`rfm.problem`.

    ``X`` (n, d) float64 and ``Y`` (n, c) float64 targets; rows of ``Y`` that are never fitted may hold anything.
    ``bandwidth`` is the kernel's L, ``share`` the s of weights that is the same for all features. Kernels and gradients
    are in ``dtype``, residuals and scores in float64. Metrics are w (d,), None before the first update. On the CPU,
    with two matrices of the fitted rows in memory.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    bandwidth: float = 10.0
    share: float = 0.05
    dtype: torch.dtype = torch.float32
    _tables: dict[bool, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be positive, got {self.bandwidth!r}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be in [0, 1], got {self.share!r}")
        check_shapes(self.X, self.Y)

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of the chains of a grid fitted on ``fit``, iteration by iteration for each unit-norm."""
        for unit_norm in unit_norms if ridges else ():
            rows = self._at_work(unit_norm, fit, validation)
            weights: list[torch.Tensor | None] = [None] * len(ridges)
            for iteration in range(iterations + 1):
                shared = iteration == 0  # the kernel and the signs of all ridges
                for group in [range(len(ridges))] if shared else [range(k, k + 1) for k in range(len(ridges))]:
                    metric = weights[group[0]]
                    K = product_kernel(rows.weighted(metric)[: rows.n])
                    solutions = [rows.solve(K, ridges[k], metric) for k in group]
                    for k, solution in zip(group, solutions, strict=True):
                        scores = rows.scores(solution, metric)
                        found = None if metric is None else metric.clone()
                        alpha = solution.alpha * rows.target_size
                        yield Point(unit_norm, ridges[k], iteration, scores, found, alpha, solution.solver)
                    if iteration < iterations:
                        for k, learned in zip(group, self._updated(rows, K, solutions, metric), strict=True):
                            weights[k] = learned

    def fit(
        self,
        train: Rows,
        test: Rows,
        *,
        ridge: float,
        unit_norm: bool,
        iterations: int = 0,
        metric: Metric | None = None,
    ) -> Point:
        """Kernel ridge regression on ``train``, in ``metric`` or after ``iterations`` updates; scores of ``test``."""
        if metric is None and iterations:
            metric = self.learn(train, ridge=ridge, unit_norm=unit_norm, iterations=iterations)
        weights = self._weights(metric)
        n, m = len(train), len(test)
        started = time.process_time()
        rows = self._at_work(unit_norm, train, test)
        preparing = time.process_time() - started
        solution = rows.solve(product_kernel(rows.weighted(weights)[:n]), ridge, weights)
        started = time.process_time()
        scores = rows.scores(solution, weights)
        seconds = time.process_time() - started + preparing * m / max(n + m, 1)
        alpha = solution.alpha * rows.target_size
        return Point(unit_norm, ridge, iterations, scores, weights, alpha, solution.solver, score_seconds=seconds)

    def learn(self, train: Rows, *, ridge: float, unit_norm: bool, iterations: int) -> torch.Tensor | None:
        """The weights w (d,) float64 after ``iterations`` updates on the rows ``train`` (None, all 1, after 0)."""
        rows = self._at_work(unit_norm, train, train[:0])
        weights: torch.Tensor | None = None
        for _ in range(iterations):
            K = product_kernel(rows.weighted(weights)[: rows.n])
            weights = self._updated(rows, K, [rows.solve(K, ridge, weights)], weights)[0]
        return weights

    def _weights(self, metric: Metric | None) -> torch.Tensor | None:
        if metric is None:
            return None
        if isinstance(metric, FactoredMatrix) or metric.shape != (self.X.shape[1],):
            raise ValueError(f"the metric of a product kernel is its weights ({self.X.shape[1]},), got {metric.shape}")
        return metric.double()

    def _at_work(self, unit_norm: bool, fitted: Rows, others: Rows) -> _Rows:
        if unit_norm not in self._tables:
            self._tables[unit_norm] = unit_rows(self.X) if unit_norm else self.X
        rows = centred_rows(self._tables[unit_norm], fitted, others)
        targets = np.ascontiguousarray(self.Y[fitted])
        size = power_of_two(targets)
        dtype = torch.float64 if len(fitted) <= _SMALL else self.dtype
        return _Rows(rows, len(fitted), torch.from_numpy(targets / size), size, self.bandwidth, dtype)

    def _updated(
        self, rows: _Rows, K: torch.Tensor, solutions: Sequence[RidgeSolution], weights: torch.Tensor | None
    ) -> list[torch.Tensor]:
        """The next weights of chains that share the kernel ``K``, in the order of their ``solutions``."""
        # Only the diagonal's proportions count: coefficients are scaled so that their squares neither overflow nor
        # vanish.
        sizes = [float(solution.alpha.abs().max()) or 1.0 for solution in solutions]
        alphas = torch.stack([s.alpha / size for s, size in zip(solutions, sizes, strict=True)])
        exact = any(solution.solver != "cholesky" for solution in solutions) and K.dtype == torch.float32
        if exact:  # what float32 cannot solve it cannot differentiate
            K = product_kernel(rows.weighted(weights, torch.float64)[: rows.n])
        diagonals = agop_diagonals(rows.order, K, alphas, weights, self.bandwidth)
        return [self._blended(diagonal) for diagonal in diagonals]

    def _blended(self, diagonal: torch.Tensor) -> torch.Tensor:
        mean = float(diagonal.mean())
        if not mean > 0:  # a constant predictor tells features apart no better than none does
            return torch.ones_like(diagonal)
        return (1.0 - self.share) * diagonal / mean + self.share


@dataclass(frozen=True)
class _Rows:
    """Rows at work: the ``n`` fitted ones first in ``exact`` (n + m, d), ``targets`` (n, c) over ``target_size``."""

    exact: NDArray[np.float64]
    n: int
    targets: torch.Tensor
    target_size: float
    bandwidth: float
    dtype: torch.dtype

    @cached_property
    def order(self) -> ColumnOrder:
        """The order of the fitted rows in each column."""
        return ColumnOrder.of(self.exact[: self.n])

    def weighted(self, weights: torch.Tensor | None, dtype: torch.dtype | None = None) -> torch.Tensor:
        """All rows times w / L, (n + m, d)."""
        scales = (1.0 if weights is None else weights.numpy()) / self.bandwidth
        return torch.from_numpy(self.exact * scales).to(dtype or self.dtype)

    def solve(self, K: torch.Tensor, ridge: float, weights: torch.Tensor | None) -> RidgeSolution:
        """The dual coefficients (n, c) of the targets; from a kernel in float64 where float32 does not suffice."""
        return solve_ridge(
            K,
            ridge,
            self.targets.to(K.dtype),
            exact=lambda: product_kernel(self.weighted(weights, torch.float64)[: self.n]),
        )

    def scores(self, solution: RidgeSolution, weights: torch.Tensor | None) -> NDArray[np.float64]:
        """Scores (m, c) of the rows that are not fitted."""
        rows = self.weighted(weights)
        return product_scores(rows[self.n :], rows[: self.n], solution.alpha) * self.target_size


_SMALL = 100
"""At most so many fitted rows are in float64: at 300 a grid in float32 took two thirds of the time."""

r"""Chains fitted with weights on the rows, in float64.

Kernel ridge regression minimises sum_i w_i |y_i - f(x_i)|^2 + ridge |f|^2: (K + ridge diag(w)^-1) alpha = Y. With
S = diag(sqrt w) that is

    (S K S + ridge I) beta = S Y,    alpha = S beta,

and the gradient v_jc of :mod:`rfm.agop` at row j, times sqrt w_j, is what coefficients beta and gradient weights S W S
give: so the AGOP sum_j w_j (gradient gradient')_j / sum_j w_j comes from the same code. A row of weight 2 counts as two
rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.agop import agop
from rfm.kernels import kernel_between_, kernel_lower_
from rfm.linalg import solve_ridge
from rfm.problem import Point, Problem, Rows, centred_rows, power_of_two, scale_metric, unit_rows
from rfm.rows import Metric, euclidean_rows, feature_sizes, in_coordinates, metric_root
from rfm.span import Span, is_wide

LARGEST_WEIGHTED = 15_000
"""Rows up to which weighted systems are solved: four matrices of n x n in float64 take 7 GB there."""


def refuse_many(n: int) -> None:
    """Raise ``ValueError`` if weighted systems of ``n`` rows are not solved."""
    if n > LARGEST_WEIGHTED:
        raise ValueError(
            f"sample_weight: weighted systems are solved for at most {LARGEST_WEIGHTED:,} rows, got {n:,}; "
            "fit fewer rows, drawn in proportion to their weights, without sample_weight"
        )


@dataclass(frozen=True)
class WeightedSweep(Problem):
    """A :class:`rfm.problem.Problem` whose rows have the ``weights`` (n,), all above 0, when they are fitted.

    Points come as from :class:`rfm.sweep.Sweep`. Gradients are not centred here.
    """

    weights: NDArray[np.float64] = field(kw_only=True)

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of the chains of a grid fitted on ``fit``, chain by chain, from no update on."""
        for unit_norm in unit_norms:
            for ridge in ridges:
                yield from self._chain(fit, validation, ridge, unit_norm, iterations)

    def fit(self, train: Rows, test: Rows, *, ridge: float, unit_norm: bool, iterations: int = 0) -> Point:
        """The last point of one chain fitted on ``train``, with scores of ``test``."""
        for point in self._chain(train, test, ridge, unit_norm, iterations):
            last = point
        return last

    def _chain(self, fit: Rows, others: Rows, ridge: float, unit_norm: bool, iterations: int) -> Iterator[Point]:
        n = len(fit)
        refuse_many(n)
        if self.center_gradients:
            raise ValueError("gradients of weighted rows are not centred: leave center_gradients False")
        table = centred_rows(unit_rows(self.X) if unit_norm else self.X, fit, others)
        span = Span.of(table[:n], self.device) if self._in_span(n, iterations) else None
        P = torch.as_tensor(table).to(self.device) if span is None else span.coordinates(table, n)
        sizes = feature_sizes(P[:n]) if span is None else span.sizes(table[:n])
        roots = torch.as_tensor(np.sqrt(self.weights[fit])).to(self.device)[:, None]
        size = power_of_two(self.Y[fit])
        Y = roots * torch.as_tensor(self.Y[fit] / size).to(self.device)
        metric: torch.Tensor | None = None
        for iteration in range(iterations + 1):
            root = None if metric is None else metric_root(metric, sizes)
            prepared = euclidean_rows(in_coordinates(P, root), self.kernel.bandwidth, root=root)
            fitted, rest = prepared.split(n)
            K, W = P.new_zeros((n, n)), P.new_zeros((n, n))
            kernel_lower_(self.kernel, fitted, K, W)
            solution = solve_ridge(K.mul_(roots).mul_(roots.T), ridge, Y)
            beta = solution.alpha * size
            between = P.new_empty((len(others), n))
            kernel_between_(self.kernel, rest, fitted, between)
            scores = (between @ (roots * beta)).cpu().numpy()
            found: Metric | None = metric if span is None or metric is None else span.factored(metric)
            yield Point(unit_norm, ridge, iteration, scores, found, roots * beta, solution.solver)
            if iteration < iterations:
                largest = float(beta.abs().max()) or 1.0
                S = agop(fitted, beta / largest, W.mul_(roots).mul_(roots.T), diagonal=self.diagonal)
                S *= n / float(self.weights[fit].sum())
                metric = scale_metric(S, self.metric_scaling, largest, span)

    def _in_span(self, n: int, updates: int) -> bool:
        return updates > 0 and not self.diagonal and is_wide(n, self.X.shape[1])


def weighted_chains(problem: Problem, weights: NDArray[np.float64]) -> WeightedSweep:
    """What solves ``problem`` with ``weights`` (n,) of its fitted rows; further rows are never fitted."""
    every = np.ones(len(problem.X))
    every[: len(weights)] = weights
    return problem.given_to(WeightedSweep, weights=every)

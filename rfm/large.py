"""Recursive Feature Machines on tables whose n x n matrices :class:`rfm.sweep.Sweep` would not hold.

One configuration at a time: kernels block by block, systems by the solver that :mod:`rfm.solvers.choice` gives their
size, metrics from the gradients at a recorded sample of rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.arrays import largest
from rfm.factored import FactoredMatrix
from rfm.problem import Chains, Point, Problem, Rows, centred_rows, scale_metric, unit_rows
from rfm.rows import Metric
from rfm.solvers.blocks import Cache, RadialBlocks
from rfm.solvers.choice import BlockSolution, solve_blocks
from rfm.solvers.gradients import SAMPLED_ROWS, sampled_agop
from rfm.span import Span, is_wide
from rfm.sweep import Sweep

SWEEP_ROWS = 10_000
"""Up to so many fitted rows :class:`rfm.sweep.Sweep` serves: its five n x n matrices take 2 GB there."""


@dataclass(frozen=True)
class LargeSweep(Problem):
    """A :class:`Problem` of many rows, one configuration after another.

    ``seed`` draws the order of the rows: which are held out, sampled for gradients, and visited when.
    ``sampled_rows`` is the most that an M update looks at.
    """

    sampled_rows: int = SAMPLED_ROWS

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
        """Kernel ridge regression on ``train`` after ``iterations`` updates of ``metric``, evaluated on ``test``."""
        for point in self._path(train, test, ridge, unit_norm, iterations, metric, every=False):
            fit = point
        return fit

    def learn(self, train: Rows, *, ridge: float, unit_norm: bool, iterations: int) -> Metric | None:
        """The metric after ``iterations`` updates on the rows ``train`` (None, the identity, after 0)."""
        return self.fit(train, train[:0], ridge=ridge, unit_norm=unit_norm, iterations=iterations).metric

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of all chains fitted on ``fit``, chain by chain, from no update on."""
        for unit_norm in unit_norms:
            for ridge in ridges:
                yield from self._path(fit, validation, ridge, unit_norm, iterations, None, every=True)

    def _path(
        self,
        train: Rows,
        test: Rows,
        ridge: float,
        unit_norm: bool,
        iterations: int,
        metric: Metric | None,
        *,
        every: bool,
    ) -> Iterator[Point]:
        """Fits after 0, 1, ... updates; the last one alone unless ``every``."""
        n = len(train)
        order = np.random.default_rng(self.seed).permutation(n)
        place = torch.as_tensor(np.argsort(order), device=self.device)
        train = train[order]
        table = centred_rows(unit_rows(self.X) if unit_norm else self.X, train, test)
        metric = None if metric is None else metric.to(self.device)
        span = self._span(table[:n], iterations, metric)
        rows = torch.as_tensor(table) if span is None else span.coordinates(table, n)
        sizes = None if span is None else span.sizes(table[:n])
        rows = rows.to(self.device, self.dtype)
        if span is not None and isinstance(metric, FactoredMatrix):
            metric = metric.core
        Y = torch.as_tensor(self.Y[train]).to(self.device)
        updates: list[dict[str, Any]] = []
        cache = Cache(self.cache_bytes)
        warned = False
        for iteration in range(iterations + 1):
            started = time.process_time()
            blocks = RadialBlocks(self.kernel, rows, metric, fitted=n, sizes=sizes, choice=self.engine)
            preparing = time.process_time() - started
            solution = solve_blocks(blocks, Y, ridge, seed=self.seed, solver=self.solver, cache=cache)
            warned = solution.warned(before=warned)
            if every or iteration == iterations:
                started = time.process_time()
                scored = blocks.product(slice(n, len(rows)), slice(0, n), solution.alpha).cpu().numpy()
                seconds = time.process_time() - started + preparing * (1 - n / len(rows))
                account = self._account(n, solution, updates)
                alpha = solution.alpha[place]
                found = metric if span is None or not isinstance(metric, torch.Tensor) else span.factored(metric)
                yield Point(unit_norm, ridge, iteration, scored, found, alpha, solution.solver, account, seconds)
            if iteration < iterations:
                updates.append({"solver": solution.solver, **solution.account})
                metric = self._update(blocks, solution.alpha, span)

    def _span(self, fitted: NDArray[np.float64], updates: int, metric: Metric | None) -> Span | None:
        """What a chain of ``updates`` from ``metric`` is followed in, None for the features themselves."""
        if self.diagonal:
            return None
        if isinstance(metric, FactoredMatrix):
            return Span(metric.basis, outside=False)
        wide = updates > 0 and metric is None and is_wide(*fitted.shape)
        return Span.of(fitted, self.device) if wide else None

    def _update(self, blocks: RadialBlocks, alpha: torch.Tensor, span: Span | None) -> torch.Tensor:
        size = largest(alpha)
        learned = sampled_agop(
            blocks, alpha / size, sampled=self.sampled_rows, center=self.center_gradients, diagonal=self.diagonal
        )
        return scale_metric(learned, self.metric_scaling, size, span)

    def _account(self, n: int, solution: BlockSolution, updates: list[dict[str, Any]]) -> dict[str, Any]:
        account: dict[str, Any] = {"fitted_rows": n, **solution.account}
        if updates:
            account |= {"gradient_rows": min(n, self.sampled_rows), "updates": list(updates)}
        return account


def chains_of(problem: Problem, n: int) -> Chains:
    """What solves ``problem`` with ``n`` fitted rows."""
    if n <= SWEEP_ROWS and problem.solver in ("auto", "cholesky"):
        return problem.given_to(Sweep)
    return problem.given_to(LargeSweep)

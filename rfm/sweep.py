"""Whole grids of Recursive Feature Machines on one table, sharing what can be shared.

A *chain* is one (unit-norm, ridge) pair followed over its iterations: kernel ridge regression in the metric M_0 = I,
then M_1 = AGOP of that predictor, kernel ridge regression in M_1, and so on (Radhakrishnan et al. 2024). Point 0 of a
chain is plain kernel ridge regression. The kernel of point 0 is the same for all ridges and is computed once; the last
point needs no AGOP; a learned metric can be applied to any rows of the table. With fewer fitted rows than features a
chain that learns a full metric is followed among coordinates of the rows' span (:mod:`rfm.span`), its metric kept as
factors.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.agop import agop
from rfm.arrays import Workspace, largest
from rfm.engines import Engine, engine
from rfm.factored import FactoredMatrix
from rfm.kernels import kernel_between_, kernel_lower_
from rfm.linalg import RidgeSolution, matmul_float64, solve_ridge
from rfm.native.chains import KERNELS, NativePoint, NativeProblem, follow
from rfm.problem import Point, Problem, Rows, centred_rows, power_of_two, scale_metric, unit_rows
from rfm.rows import (
    Metric,
    MetricRows,
    euclidean_rows,
    in_coordinates,
    metric_root,
    metric_rows,
)
from rfm.span import Span, is_wide
from rfm.stacked import TooClose, stacked_chains
from rfm.working_rows import Coordinates, WorkingRows


@dataclass(frozen=True)
class Sweep(Problem):
    """A :class:`Problem` solved directly: whole grids, or one chain, with matrices of the fitted rows in memory."""

    @cached_property
    def _targets(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.Y)

    @cached_property
    def _tables(self) -> dict[bool, NDArray[np.float64]]:
        return {}

    @cached_property
    def _workspaces(self) -> dict[torch.dtype, Workspace]:
        return {}

    @cached_property
    def _native(self) -> Engine | None:
        """The native engine, None for Python's."""
        found = engine(self.device, self.engine)
        return found if found.library is not None and type(self.kernel) in KERNELS else None

    def _natively(self, n: int, updates: int) -> bool:
        """Whether chains of ``updates`` on ``n`` fitted rows are followed by the native engine.

        Of more features than rows it has neither a diagonal alone nor the metric's largest entry.
        """
        plain = updates == 0 or not is_wide(n, self.X.shape[1])
        return self._native is not None and n > 0 and (plain or not (self.diagonal or self.metric_scaling == "max"))

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of all chains fitted on ``fit``, in no promised order; none if there is no ridge or unit-norm.

        The points share scratch memory with the sweep's other methods: call none of them before the last point.
        """
        if not ridges or not unit_norms:
            return
        n, d = len(fit), self.X.shape[1]
        if self._natively(n, iterations):
            for unit_norm in unit_norms:
                at_work = self._at_work(unit_norm, fit, validation, updates=iterations)
                yield from self._native_points(at_work, unit_norm, ridges, iterations)
            return
        width = n if self._in_span(n, iterations) else d
        if n + width <= _SMALL and len(validation) <= 4 * _SMALL:
            yield from self._stacked_points(fit, validation, ridges, unit_norms, iterations)
            return
        rows = (self._at_work(unit_norm, fit, validation, updates=iterations) for unit_norm in unit_norms)
        yield from self._points_one_by_one(zip(unit_norms, rows, strict=True), ridges, 0, iterations, {})

    def _points_one_by_one(
        self,
        prepared: Iterable[tuple[bool, WorkingRows]],
        ridges: Sequence[float],
        first: int,
        iterations: int,
        learned: Mapping[tuple[bool, float], torch.Tensor],
    ) -> Iterator[Point]:
        """The points from iteration ``first`` on of the rows ``prepared`` for each unit-norm.

        The metrics of that iteration, by unit-norm and ridge, are ``learned``, as the rows at work have them.
        """
        for unit_norm, rows in prepared:
            metrics = {ridge: learned.get((unit_norm, ridge)) for ridge in ridges}
            for iteration in range(first, iterations + 1):
                kernels = None
                for ridge in ridges:
                    metric = metrics[ridge]
                    if kernels is None or iteration:
                        kernels = self._kernels(rows, metric, weights=iteration < iterations)
                    solution = self._solve(kernels.K, ridge, rows, metric)
                    scores = _to_numpy(matmul_float64(kernels.between, solution.alpha))
                    found = rows.metric_of_features(metric)
                    yield Point(unit_norm, ridge, iteration, scores, found, solution.alpha, solution.solver)
                    if iteration < iterations:
                        metrics[ridge] = self._update(rows, kernels, solution, metric)

    def _stacked_points(
        self, fit: Rows, validation: Rows, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        chains = [(unit_norm, ridge) for unit_norm in unit_norms for ridge in ridges]
        rows = {unit_norm: self._at_work(unit_norm, fit, validation, updates=iterations) for unit_norm in unit_norms}
        spans = [rows[unit_norm].span for unit_norm, _ in chains]
        steps = stacked_chains(
            torch.stack([rows[unit_norm].stacked for unit_norm, _ in chains]),
            rows[unit_norms[0]].targets,
            torch.tensor([ridge for _, ridge in chains], dtype=torch.float64, device=self.device),
            self.kernel,
            iterations=iterations,
            center=self.center_gradients,
            diagonal=self.diagonal,
            gain=rows[unit_norms[0]].target_size,
            rescale=lambda k, metric, gain: scale_metric(metric, self.metric_scaling, gain, spans[k]),
        )
        for step in steps:
            if isinstance(step, TooClose):
                metrics = {} if step.metric is None else dict(zip(chains, step.metric, strict=True))
                yield from self._points_one_by_one(rows.items(), ridges, step.iteration, iterations, metrics)
                return
            scores = _to_numpy(step.scores)
            for k, (unit_norm, ridge) in enumerate(chains):
                metric = rows[unit_norm].metric_of_features(None if step.metric is None else step.metric[k])
                yield Point(unit_norm, ridge, step.iteration, scores[k], metric, step.alpha[k], step.solvers[k])

    def _native_points(
        self, rows: WorkingRows, unit_norm: bool, ridges: Sequence[float], iterations: int
    ) -> Iterator[Point]:
        for point in self._followed(rows, ridges, iterations=iterations):
            metric = None if point.metric is None else torch.from_numpy(point.metric)
            if point.solver:
                yield Point(
                    unit_norm,
                    point.ridge,
                    point.iteration,
                    point.scores,
                    rows.metric_of_features(metric),
                    torch.from_numpy(point.alpha),
                    point.solver,
                )
            else:
                learned = {} if metric is None else {(unit_norm, point.ridge): metric}
                yield from self._points_one_by_one(
                    [(unit_norm, rows)], [point.ridge], point.iteration, iterations, learned
                )

    def _followed(
        self,
        rows: WorkingRows,
        ridges: Sequence[float],
        *,
        iterations: int,
        update_last: bool = False,
        start: torch.Tensor | None = None,
    ) -> Iterator[NativePoint]:
        """The points of the native engine; see :func:`rfm.native.chains.follow`."""
        native = self._native
        assert native is not None
        problem = NativeProblem(
            exact=np.ascontiguousarray(rows.exact.numpy()),
            targets=np.ascontiguousarray(rows.targets.double().numpy()),
            gain=rows.target_size,
            sizes=rows.sizes.double().numpy(),
            kernel=self.kernel,
            narrow=rows.stacked.dtype == torch.float32,
            center=self.center_gradients,
            diagonal=self.diagonal,
            scaling=self.metric_scaling,
            features=self.X.shape[1],
        )
        first = None if start is None else np.ascontiguousarray(start.double().numpy())
        return follow(native, problem, ridges, iterations=iterations, update_last=update_last, start=first)

    def learn(self, train: Rows, *, ridge: float, unit_norm: bool, iterations: int) -> Metric | None:
        """The metric after ``iterations`` updates on the rows ``train`` (None, the identity, after 0)."""
        rows = self._at_work(unit_norm, train, train[:0], updates=iterations)
        metric: torch.Tensor | None = None
        done = 0
        if iterations and self._natively(len(train), iterations):
            for point in self._followed(rows, [ridge], iterations=iterations - 1, update_last=True):
                done, metric = point.iteration, None if point.metric is None else torch.from_numpy(point.metric)
        for _ in range(done, iterations):
            kernels = self._kernels(rows, metric, weights=True)
            metric = self._update(rows, kernels, self._solve(kernels.K, ridge, rows, metric), metric)
        return rows.metric_of_features(metric)

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
        """Kernel ridge regression in ``metric`` on ``train``, evaluated on ``test``, no more rows of it at a time.

        Without ``metric`` in the one that ``iterations`` updates give.
        """
        if metric is None and iterations:
            metric = self.learn(train, ridge=ridge, unit_norm=unit_norm, iterations=iterations)
        n, m = len(train), len(test)
        metric = None if metric is None else metric.to(self.device)
        started = time.process_time()
        rows = self._at_work(unit_norm, train, test, metric=metric)
        preparing = time.process_time() - started
        among = metric.core if isinstance(metric, FactoredMatrix) else metric
        if self._natively(n, 0):
            (point,) = self._followed(rows, [ridge], iterations=0, start=among)
            if point.solver:
                alpha = torch.from_numpy(point.alpha)
                seconds = point.score_seconds + preparing * m / (n + m)
                return Point(
                    unit_norm, ridge, iterations, point.scores, metric, alpha, point.solver, score_seconds=seconds
                )
        kernels = self._kernels(rows, among, weights=False, at_once=0)
        solution = self._solve(kernels.K, ridge, rows, among)
        started = time.process_time()
        block = self._workspaces[rows.X.dtype].take("between", min(n, m), n)
        scores = []
        for start in range(0, max(m, 1), n):
            between = block[: m - start]
            kernel_between_(self.kernel, kernels.others.at(slice(start, start + n)), kernels.fitted, between)
            scores.append(matmul_float64(between, solution.alpha))
        scored = _to_numpy(torch.cat(scores))
        seconds = time.process_time() - started + (preparing + kernels.preparing) * m / (n + m)
        return Point(
            unit_norm, ridge, iterations, scored, metric, solution.alpha, solution.solver, score_seconds=seconds
        )

    def _in_span(self, n: int, updates: int) -> bool:
        """Whether ``n`` fitted rows are followed in their span through ``updates`` of the metric.

        The diagonal of a metric belongs to the features as they are; no updates are worth no change of coordinates.
        """
        return updates > 0 and not self.diagonal and is_wide(n, self.X.shape[1])

    def _at_work(
        self, unit_norm: bool, fitted: Rows, others: Rows, *, updates: int = 0, metric: Metric | None = None
    ) -> WorkingRows:
        """Rows for a chain of ``updates`` from the identity, or for ``metric`` alone."""
        n, d = len(fitted), self.X.shape[1]
        # A small system is solved in float64 in less time than the refinement of a float32 solution takes.
        dtype = torch.float64 if n + min(n, d) <= _SMALL else self.dtype
        size = power_of_two(self._targets[fitted])
        targets = torch.as_tensor(self._targets[fitted] / size).to(self.device, dtype)
        rows = centred_rows(self._table(unit_norm), fitted, others)
        if isinstance(metric, FactoredMatrix):
            span = Span(metric.basis, outside=False)
        elif self._in_span(n, updates):
            span = Span.of(rows[:n], self.device)
        else:
            return WorkingRows(torch.as_tensor(rows).to(self.device, dtype), n, targets, size)
        coordinates = Coordinates(span, span.coordinates(rows, n), span.sizes(rows[:n]))
        return WorkingRows(coordinates.exact.to(dtype), n, targets, size, coordinates)

    def _kernels(
        self, rows: WorkingRows, metric: torch.Tensor | None, *, weights: bool, at_once: int | None = None
    ) -> _Kernels:
        n, m = rows.n, len(rows.stacked) - rows.n
        scratch = self._workspaces.setdefault(rows.X.dtype, Workspace(rows.X.dtype, self.device))
        K, between = scratch.take("K", n, n), scratch.take("between", m if at_once is None else at_once, n)
        W = scratch.take("W", n, n) if weights else None
        sides = scratch.take("sides", 2 * (n + m), rows.X.shape[1] + 2)
        root = None if metric is None else metric_root(metric, rows.sizes)
        started = time.process_time()
        P = rows.stacked if root is None else in_coordinates(rows.exact, root).to(rows.stacked.dtype)
        prepared = euclidean_rows(P, self.kernel.bandwidth, root=root, groups=rows.groups, scratch=sides)
        preparing = time.process_time() - started
        fitted, others = prepared.split(n)
        kernel_lower_(self.kernel, fitted, K, W)
        kernel_between_(self.kernel, others.at(slice(len(between))), fitted, between)
        return _Kernels(fitted, others, K, W, between, preparing)

    def _solve(self, K: torch.Tensor, ridge: float, rows: WorkingRows, metric: torch.Tensor | None) -> RidgeSolution:
        """Solve in the scratch matrix ``K``; where float32 does not suffice the kernel is computed anew in float64."""

        def exact() -> torch.Tensor:
            fresh = torch.empty(K.shape, dtype=torch.float64, device=K.device)
            kernel_lower_(self.kernel, self._prepared_float64(rows, metric), fresh)
            return fresh

        work = self._workspaces[K.dtype].take("factor", *K.shape)
        solution = solve_ridge(K, ridge, rows.targets, work=work, exact=exact)
        solution.alpha.mul_(rows.target_size)
        return solution

    def _update(
        self, rows: WorkingRows, kernels: _Kernels, solution: RidgeSolution, metric: torch.Tensor | None
    ) -> torch.Tensor:
        fitted, W = kernels.fitted, kernels.W
        assert W is not None
        if solution.solver != "cholesky" and W.dtype == torch.float32:
            # What float32 cannot solve it cannot differentiate: large coefficients of both signs cancel in its last
            # digits.
            W = torch.empty(W.shape, dtype=torch.float64, device=W.device)
            fitted = self._prepared_float64(rows, metric)
            kernel_lower_(self.kernel, fitted, torch.empty_like(W), W)
        # Targets of 1e16 would overflow the squares of float32, those of 1e-25 vanish in them.
        size = largest(solution.alpha)
        learned = agop(fitted, solution.alpha / size, W, center=self.center_gradients, diagonal=self.diagonal)
        return scale_metric(learned, self.metric_scaling, size, rows.span)

    def _prepared_float64(self, rows: WorkingRows, metric: torch.Tensor | None) -> MetricRows:
        return metric_rows(rows.exact[: rows.n], metric, self.kernel.bandwidth, sizes=rows.sizes)

    def _table(self, unit_norm: bool) -> NDArray[np.float64]:
        if unit_norm not in self._tables:
            self._tables[unit_norm] = unit_rows(self.X) if unit_norm else self.X
        return self._tables[unit_norm]


@dataclass(frozen=True)
class _Kernels:
    """In scratch memory: K and L^2 W (n, n), lower triangles, of the ``fitted`` rows; K (m, n) ``between`` the first of
    the ``others`` and them. ``preparing`` all rows took so many CPU seconds."""

    fitted: MetricRows
    others: MetricRows
    K: torch.Tensor
    W: torch.Tensor | None
    between: torch.Tensor
    preparing: float


_SMALL = 200
"""Problems whose fitted rows and features, or coordinates of their span, together are at most so many are worked out in
float64, grids of them in stacks. With more of them arithmetic outweighs the calls, and float32 halves it."""


def _to_numpy(scores: torch.Tensor) -> NDArray[np.float64]:
    return scores.cpu().numpy()

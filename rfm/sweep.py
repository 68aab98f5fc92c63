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
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.agop import agop
from rfm.arrays import Workspace
from rfm.factored import FactoredMatrix
from rfm.kernels import Laplace, RadialKernel, kernel_between_, kernel_lower_
from rfm.linalg import RidgeSolution, matmul_float64, solve_ridge
from rfm.rows import (
    Metric,
    MetricRows,
    equal_rows,
    euclidean_rows,
    feature_sizes,
    in_coordinates,
    metric_root,
    metric_rows,
)
from rfm.span import Span, is_wide
from rfm.stacked import TooClose, stacked_chains

Rows = NDArray[np.int64]

METRIC_SCALINGS = ("none", "trace", "max")


@dataclass(frozen=True)
class Point:
    """One point of a chain, evaluated.

    ``scores`` (m, c) are the predictor's values on the validation rows, ``metric`` the M it was fitted in ((d, d), as
    factors where d > n; (d,) with ``diagonal``; None for the identity), ``alpha`` (n, c) its dual coefficients,
    ``solver`` how its system was solved.
    """

    unit_norm: bool
    ridge: float
    iteration: int
    scores: NDArray[np.float64]
    metric: Metric | None
    alpha: torch.Tensor
    solver: str


@dataclass(frozen=True)
class Fit:
    """Predictor of one configuration: scores (m, c) of the test rows, dual coefficients and the metric.

    ``score_seconds`` are the CPU seconds of scoring: the kernel between test and fitted rows, its product with
    ``alpha``, and the test rows' part, by their number, of preparing all rows, which is done together.
    """

    scores: NDArray[np.float64]
    alpha: torch.Tensor
    metric: Metric | None
    solver: str
    score_seconds: float


@dataclass
class Sweep:
    """Kernel machines over a grid on the rows of one table.

    ``X`` (n, d) float64 and ``Y`` (n, c) float64 targets (one-hot for classification); rows of ``Y`` that are never
    fitted may hold anything. ``dtype`` is the precision of kernels, factors and AGOPs; residuals and scores are
    accumulated in float64. ``diagonal`` learns only the diagonal of M, ``center_gradients`` uses centred gradients,
    ``metric_scaling`` divides each new M by its trace / d or its largest entry (the published code: ``"none"``).
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    kernel: RadialKernel = field(default_factory=Laplace)
    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    diagonal: bool = False
    center_gradients: bool = False
    metric_scaling: str = "none"

    def __post_init__(self) -> None:
        if self.metric_scaling not in METRIC_SCALINGS:
            raise ValueError(f"metric_scaling must be one of {METRIC_SCALINGS}, got {self.metric_scaling!r}")
        self._targets = np.ascontiguousarray(self.Y)
        self._tables: dict[bool, NDArray[np.float64]] = {}
        self._workspaces: dict[torch.dtype, Workspace] = {}

    def points(
        self, fit: Rows, validation: Rows, *, ridges: Sequence[float], unit_norms: Sequence[bool], iterations: int
    ) -> Iterator[Point]:
        """All points of all chains fitted on ``fit``, in no promised order; none if there is no ridge or unit-norm.

        The points share scratch memory with the sweep's other methods: call none of them before the last point.
        """
        if not ridges or not unit_norms:
            return
        n, d = len(fit), self.X.shape[1]
        width = n if self._in_span(n, iterations) else d
        if n + width <= _SMALL and len(validation) <= 4 * _SMALL:
            yield from self._stacked_points(fit, validation, ridges, unit_norms, iterations)
            return
        rows = (self._at_work(unit_norm, fit, validation, updates=iterations) for unit_norm in unit_norms)
        yield from self._points_one_by_one(zip(unit_norms, rows, strict=True), ridges, 0, iterations, {})

    def _points_one_by_one(
        self,
        prepared: Iterable[tuple[bool, _Rows]],
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

    def learn(self, train: Rows, *, ridge: float, unit_norm: bool, iterations: int) -> Metric | None:
        """The metric after ``iterations`` updates on the rows ``train`` (None, the identity, after 0)."""
        rows = self._at_work(unit_norm, train, train[:0], updates=iterations)
        metric: torch.Tensor | None = None
        for _ in range(iterations):
            kernels = self._kernels(rows, metric, weights=True)
            metric = self._update(rows, kernels, self._solve(kernels.K, ridge, rows, metric), metric)
        return rows.metric_of_features(metric)

    def fit(self, train: Rows, test: Rows, *, ridge: float, unit_norm: bool, metric: Metric | None) -> Fit:
        """Kernel ridge regression in ``metric`` on ``train``, evaluated on ``test``, no more rows of it at a time."""
        n, m = len(train), len(test)
        metric = None if metric is None else metric.to(self.device)
        started = time.process_time()
        rows = self._at_work(unit_norm, train, test, metric=metric)
        preparing = time.process_time() - started
        among = metric.core if isinstance(metric, FactoredMatrix) else metric
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
        return Fit(scored, solution.alpha, metric, solution.solver, seconds)

    def _in_span(self, n: int, updates: int) -> bool:
        """Whether ``n`` fitted rows are followed in their span through ``updates`` of the metric.

        The diagonal of a metric belongs to the features as they are; no updates are worth no change of coordinates.
        """
        return updates > 0 and not self.diagonal and is_wide(n, self.X.shape[1])

    def _at_work(
        self, unit_norm: bool, fitted: Rows, others: Rows, *, updates: int = 0, metric: Metric | None = None
    ) -> _Rows:
        """Rows for a chain of ``updates`` from the identity, or for ``metric`` alone."""
        n, d = len(fitted), self.X.shape[1]
        # A small system is solved in float64 in less time than the refinement of a float32 solution takes.
        dtype = torch.float64 if n + min(n, d) <= _SMALL else self.dtype
        size = _power_of_two(self._targets[fitted])
        targets = torch.as_tensor(self._targets[fitted] / size).to(self.device, dtype)
        table = self._table(unit_norm)
        # Distances do not change under a common shift; without it float32 products lose digits. The median of the
        # fitted rows serves: an outlier does not move it, and no other row has a part in it.
        rows = table[np.concatenate([fitted, others])] - np.median(table[fitted], axis=0)
        if isinstance(metric, FactoredMatrix):
            span = Span(metric.basis, outside=False)
        elif self._in_span(n, updates):
            span = Span.of(rows[:n], self.device)
        else:
            return _Rows(torch.as_tensor(rows).to(self.device, dtype), n, targets, size)
        coordinates = _Coordinates(span, span.coordinates(rows, n), span.sizes(rows[:n]))
        return _Rows(coordinates.exact.to(dtype), n, targets, size, coordinates)

    def _kernels(
        self, rows: _Rows, metric: torch.Tensor | None, *, weights: bool, at_once: int | None = None
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

    def _solve(self, K: torch.Tensor, ridge: float, rows: _Rows, metric: torch.Tensor | None) -> RidgeSolution:
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
        self, rows: _Rows, kernels: _Kernels, solution: RidgeSolution, metric: torch.Tensor | None
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
        size = float(solution.alpha.abs().max()) or 1.0
        learned = agop(fitted, solution.alpha / size, W, center=self.center_gradients, diagonal=self.diagonal)
        return scale_metric(learned, self.metric_scaling, size, rows.span)

    def _prepared_float64(self, rows: _Rows, metric: torch.Tensor | None) -> MetricRows:
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


@dataclass(frozen=True)
class _Coordinates:
    """Rows in coordinates of a ``span``: ``exact`` (n + m, k) in float64, and the coordinates' ``sizes`` (k,)."""

    span: Span
    exact: torch.Tensor
    sizes: torch.Tensor


@dataclass(frozen=True)
class _Rows:
    """Rows at work: the first ``n`` of ``stacked`` (n + m, d) are fitted to ``targets`` (n, c), the rest evaluated.

    ``targets`` are those given over ``target_size``, which keeps them within the range of float32. With ``coordinates``
    ``stacked`` and the metrics stand in those of a span.
    """

    stacked: torch.Tensor
    n: int
    targets: torch.Tensor
    target_size: float
    coordinates: _Coordinates | None = None

    @property
    def span(self) -> Span | None:
        return None if self.coordinates is None else self.coordinates.span

    def metric_of_features(self, metric: torch.Tensor | None) -> Metric | None:
        """The ``metric`` among what is at work as one among features."""
        return metric if metric is None or self.span is None else self.span.factored(metric)

    @property
    def X(self) -> torch.Tensor:
        return self.stacked[: self.n]

    @cached_property
    def exact(self) -> torch.Tensor:
        """``stacked`` in float64."""
        return self.stacked.double() if self.coordinates is None else self.coordinates.exact

    @cached_property
    def sizes(self) -> torch.Tensor:
        """The largest absolute value (d,) of each feature among the fitted rows, or what of coordinates compares."""
        return feature_sizes(self.X) if self.coordinates is None else self.coordinates.sizes

    @cached_property
    def groups(self) -> torch.Tensor | None:
        """Which rows are equal, and so coincide in every metric; None where few are."""
        return equal_rows(self.stacked)


_SMALL = 200
"""Problems whose fitted rows and features, or coordinates of their span, together are at most so many are worked out in
float64, grids of them in stacks. With more of them arithmetic outweighs the calls, and float32 halves it."""


def unit_rows(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of ``X`` divided by their Euclidean norms; an all-zero row stays zero."""
    largest = np.abs(X).max(axis=1, keepdims=True, initial=0.0)  # first, so that no square overflows or vanishes
    scaled = X / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1.0))


def _power_of_two(targets: NDArray[np.float64]) -> float:
    """1 for targets of an ordinary size, else the power of two below the largest: dividing by it rounds nothing."""
    largest = np.abs(targets).max(initial=0.0)
    if largest == 0.0 or 1e-6 <= largest <= 1e6:
        return 1.0
    return float(2.0 ** np.floor(np.log2(largest)))


def scale_metric(M: torch.Tensor, scaling: str, gain: float = 1.0, span: Span | None = None) -> torch.Tensor:
    """The metric learned from coefficients ``gain`` times as large as those that gave ``M`` (d, d) or (d,), scaled.

    That is ``gain``^2 M, or M over its trace / d or its largest absolute entry; M itself if that is zero. Trace and
    entry are those of the metric among features, also where ``M`` stands among coordinates of a ``span``.
    """
    if scaling == "none":
        return M if gain == 1.0 else M * gain * gain
    if span is not None:
        size = span.mean_diagonal(M) if scaling == "trace" else span.largest(M)
    else:
        diagonal = M if M.dim() == 1 else M.diagonal()
        size = diagonal.mean() if scaling == "trace" else M.abs().max()
    return M / size if float(size) > 0 else M


def _to_numpy(scores: torch.Tensor) -> NDArray[np.float64]:
    return scores.cpu().numpy()


def ridge_scores(
    K: torch.Tensor, Y: torch.Tensor, fit: Rows, others: Rows, ridges: Sequence[float]
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Kernel ridge regression from one kernel matrix of all rows: (ridge, scores (m, c) of ``others``) for each ridge.

    ``K`` (n, n) both triangles, ``Y`` (n, c); the rows ``fit`` and ``others`` are slices of both.
    """
    index = torch.as_tensor(fit, device=K.device)
    columns = K[:, index]
    square, between, targets = columns[index], columns[torch.as_tensor(others, device=K.device)], Y[index]
    work = torch.empty_like(square)
    for ridge in ridges:
        alpha = solve_ridge(square, ridge, targets, work=work).alpha
        yield ridge, _to_numpy(matmul_float64(between, alpha))

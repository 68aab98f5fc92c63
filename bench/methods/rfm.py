"""Recursive Feature Machines: kernel ridge regression in a metric learned from its own gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from bench.methods.classes import only_seen, validation_targets
from bench.methods.judging import Judging
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS
from bench.records.dataset import IntArray
from bench.records.method import DEVICES, Choice, CpuClock, Fold, Method, Path, Prediction, Session, Task
from bench.seeds import derive_seed
from rfm.factored import FactoredMatrix
from rfm.kernels import Laplace as LaplaceKernel
from rfm.large import SWEEP_ROWS, chains_of
from rfm.problem import Chains, Point, Problem
from rfm.rows import Metric
from rfm.solvers.choice import solver_bytes, solver_seconds
from rfm.solvers.gradients import SAMPLED_ROWS

BANDWIDTH = 10.0
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
UNIT_NORMS = (True, False)
LEADING = 3
"""Eigenvectors of the learned metric that are kept for the report."""


class RFM(Method):
    """The paper's grid: Laplace kernel, bandwidth 10, five ridges, rows of unit norm or not, at most four M updates."""

    name = "rfm"
    title = "RFM"
    kinds = ("classification", "regression")
    devices: ClassVar[tuple[str, ...]] = DEVICES
    iterations: ClassVar[int] = 4
    ridges: ClassVar[tuple[float, ...]] = RIDGES
    unit_norms: ClassVar[tuple[bool, ...]] = UNIT_NORMS
    dtype: ClassVar[torch.dtype] = torch.float32

    def configurations(self) -> list[dict[str, Any]]:
        return self.chains()

    def chains(self) -> list[dict[str, Any]]:
        """The configurations of one kernel."""
        return [{"ridge": ridge, "unit_norm": unit_norm} for ridge in self.ridges for unit_norm in self.unit_norms]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        m = 0.75 * n
        metrics = _metric_bytes(m, d) if self.iterations else 0
        tables = 16 * n * (d + c) + metrics
        if m <= SWEEP_ROWS:
            return int(_sweep_bytes(m, n / 4, c * d) + tables + 3e7)
        # The rows in float64 and float32, as they are, in coordinates and prepared for distances; then the kernel
        # matrix and its preconditioner. Hyperparameters are selected on few rows (``--full`` aside).
        selection = _sweep_bytes(0.8 * TUNING_ROWS, 0.2 * TUNING_ROWS, c * d)
        return int(max(selection, solver_bytes(m, c) + 1e8) + 64 * n * d + tables)

    def work(self, n: int, d: int, c: int) -> float:
        chains = len(self.configurations())
        if n <= LARGE_ROWS:
            return 4 * chains * self._sweep_seconds(0.6 * n, d, c)
        return chains * self._sweep_seconds(0.8 * TUNING_ROWS, d, c) + self._refit_seconds(0.75 * n, d, c)

    def _refit_seconds(self, m: float, d: int, c: int) -> float:
        """One chain fitted on all ``m`` training rows of a large table."""
        if m <= SWEEP_ROWS:
            return self._sweep_seconds(m, d, c)
        solve = solver_seconds(m, d, c)
        update = min(m, SAMPLED_ROWS) * m * (2e-9 + 2 * c * d / 7e10)
        return (self.iterations + 1) * solve + self.iterations * update

    def _sweep_seconds(self, m: float, d: int, c: int) -> float:
        """One chain on ``m`` fitted rows."""
        points = self.iterations + 1
        flops = points * m**3 / 3
        if self.iterations and d > m:  # among coordinates of the rows' span, which chains of one unit-norm share
            flops += 6 * m * m * d / len(self.ridges)
            d = int(m) + 1
        flops += 3 * points * m * m * d + self.iterations * min(m**3, 2 * m * m * c * d)
        return 1.2 * flops / 7e10 + points * 4e-4

    def session(self, task: Task) -> Session:
        return ChainSession(task, self)


class ChainSession(Session):
    """Chains over (ridge, unit-norm) on one task; also serves the Laplace kernel, whose chains have one point.

    ``diagonal`` learns only the diagonal of M.
    """

    def __init__(self, task: Task, method: RFM, *, bandwidth: float = BANDWIDTH, diagonal: bool = False) -> None:
        super().__init__(task)
        self._method = method
        targets = task.targets  # rows whose label is withheld are never fitted
        kernel, seed = LaplaceKernel(bandwidth), derive_seed(task.seed, "large table")
        self._problem = Problem(
            task.X, targets, kernel=kernel, dtype=method.dtype, device=task.device, diagonal=diagonal, seed=seed
        )
        self._solvers: dict[type, Chains] = {}
        self.first_fit: IntArray = np.arange(0)
        """The rows that a transferred metric is learned on."""
        self._kept: dict[bool, _KeptMetric] = {}

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        configurations = self._method.chains()
        position = {(config["ridge"], config["unit_norm"]): k for k, config in enumerate(configurations)}
        judging = Judging(self.task, validation_targets(self.task, folds))
        self.first_fit, self._kept = folds[0].fit, {}
        # Folds share no kernel: gathering slices of one matrix of all rows takes as long as computing them (3,000 rows
        # of 20 features, five folds: 0.10 to 0.18 against 0.145 of 4.0 CPU-seconds). Nor do they share a factor:
        # leaving five folds out of one inverse costs 0.8 n^3, five factors of four fifths of the rows 0.85 n^3.
        for number, fold in enumerate(folds):
            for point in self._points(fold):
                k = position[point.ridge, point.unit_norm]
                merit, _ = judging.judge(k, number, point.iteration, only_seen(self.task, fold.fit, point.scores))
                if number == 0:
                    self._keep(point, (merit, -k, -point.iteration))
        steps = tuple(range(self._method.iterations + 1))
        return [judging.path(k, config, steps) for k, config in enumerate(configurations)]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        ridge, unit_norm = float(choice.config["ridge"]), bool(choice.config["unit_norm"])
        metric = self._tuned_metric(ridge, unit_norm, choice.iteration) if transfer else None
        updates = 0 if transfer else choice.iteration
        fit = self._chains(len(train)).fit(
            train, test, ridge=ridge, unit_norm=unit_norm, iterations=updates, metric=metric
        )
        details: dict[str, Any] = {"solver": fit.solver, **fit.account}
        if fit.metric is not None:
            details |= describe_metric(fit.metric)
        scoring = CpuClock()
        with scoring:
            scores = only_seen(self.task, train, fit.scores)
        return Prediction(scores, details, fit.score_seconds + scoring.seconds)

    def _points(self, fold: Fold) -> Iterator[Point]:
        """All points of all chains on one fold."""
        method = self._method
        return self._chains(len(fold.fit)).points(
            fold.fit,
            fold.validation,
            ridges=method.ridges,
            unit_norms=method.unit_norms,
            iterations=method.iterations,
        )

    def _chains(self, n: int) -> Chains:
        """What solves the problem with ``n`` fitted rows; folds share its tables and scratch memory."""
        found = chains_of(self._problem, n)
        return self._solvers.setdefault(type(found), found)

    def _keep(self, point: Point, merit: tuple[float, int, int]) -> None:
        kept = self._kept.get(point.unit_norm)
        if kept is None or merit > kept.merit:
            metric = None if point.metric is None else point.metric.clone()  # it may be a slice of all chains' metrics
            self._kept[point.unit_norm] = _KeptMetric(merit, (point.ridge, point.iteration), metric)

    def _tuned_metric(self, ridge: float, unit_norm: bool, iteration: int) -> Metric | None:
        """The metric learned in tuning on the first fold's fit rows; learned there again if it was not kept."""
        kept = self._kept.get(unit_norm)
        if kept is None or kept.point != (ridge, iteration):
            chains = self._chains(len(self.first_fit))
            metric = chains.learn(self.first_fit, ridge=ridge, unit_norm=unit_norm, iterations=iteration)
            kept = self._kept[unit_norm] = _KeptMetric((np.inf, 0, 0), (ridge, iteration), metric)
        return kept.metric


def _metric_bytes(m: float, d: int) -> float:
    """What metrics take on ``m`` fitted rows: those of five chains, two kept, six at work.

    Where d > m they have a row for each fitted row; their bases (d, m) are two kept and one at work, three more while
    it is made.
    """
    metrics = len(RIDGES) + 2 + 6
    if d > m:
        return 8 * (metrics * (m + 1) ** 2 + 6 * d * m)
    return 8 * metrics * d * d


def _sweep_bytes(m: float, others: float, spread: int) -> float:
    """What a :class:`rfm.sweep.Sweep` takes on ``m`` fitted rows and ``others``; ``spread`` is classes times features.

    K, W and the factor and the kernel of the rest in float32, two float64 matrices when float32 does not suffice; the
    by-rows AGOP works in chunks of at most 64 MB, three at a time.
    """
    return 4 * (3 * m * m + others * m) + 16 * m * m + 3 * min(6.4e7, 4 * m * spread)


@dataclass(frozen=True)
class _KeptMetric:
    """The metric of the ``point`` (ridge, iteration) that is selected among those with one ``unit_norm``.

    It has the largest ``merit``: that of the first fold, then the earlier configuration, then fewer updates. All
    points' metrics would be fifty matrices of features by features, of which `published` uses one and others none.
    """

    merit: tuple[float, int, int]
    point: tuple[float, int]
    metric: Metric | None


def describe_metric(M: Metric) -> dict[str, Any]:
    """Diagonal, leading eigenvalues and eigenvectors of a metric (or its diagonal), rounded for a reader's use."""
    if isinstance(M, FactoredMatrix):
        diagonal = M.diagonal()
        values, vectors = M.leading(2 * LEADING)
    elif M.dim() == 1:
        diagonal = M.double()
        values, order = diagonal.sort(descending=True)
        vectors = torch.zeros((len(M), min(LEADING, len(M))), dtype=torch.float64, device=M.device)
        vectors[order[: vectors.shape[1]], torch.arange(vectors.shape[1], device=M.device)] = 1.0
    else:
        diagonal = M.diagonal()
        values, vectors = (part.flip(-1) for part in torch.linalg.eigh(M.double()))
    return {
        "metric_diagonal": _rounded(diagonal),
        "eigenvalues": _rounded(values[: 2 * LEADING]),
        "top_eigenvectors": [_rounded(vector) for vector in vectors[:, :LEADING].T],
    }


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]

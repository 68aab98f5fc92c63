"""Recursive Feature Machines: kernel ridge regression in a metric learned from its own gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from bench.data.dataset import IntArray
from bench.methods.base import Choice, Fold, Method, Path, Prediction, Session, Task, validation_figures
from bench.methods.classes import bar_absent, known_labels
from rfm.kernels import Laplace as LaplaceKernel
from rfm.sweep import Sweep

BANDWIDTH = 10.0
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
UNIT_NORMS = (True, False)
LEADING = 3
"""Eigenvectors of the learned metric that are kept for the report."""


class RFM(Method):
    """The paper's grid: Laplace kernel, bandwidth 10, five ridges, rows of unit norm or not, at most four M updates."""

    name = "rfm"
    title = "RFM"
    iterations: ClassVar[int] = 4
    dtype: ClassVar[torch.dtype] = torch.float32

    def configurations(self) -> list[dict[str, Any]]:
        return [{"ridge": ridge, "unit_norm": unit_norm} for ridge in RIDGES for unit_norm in UNIT_NORMS]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Refitting holds K, W and the factor of 3/4 of the rows and the kernel of the rest, in float32, and two float64
        # matrices when float32 does not suffice; the by-rows AGOP works in chunks of at most 64 MB, three at a time;
        # tables are kept twice in float32 and once in float64, metrics for every point of every chain.
        m = 0.75 * n
        matrices = 4 * (3 * m * m + 0.25 * n * m) + 16 * m * m
        metrics = 4 * len(self.configurations()) * (self.iterations + 1) * d * d
        return int(matrices + 3 * min(6.4e7, 4 * m * c * d) + 16 * n * (d + c) + metrics + 3e7)

    def work(self, n: int, d: int, c: int) -> float:
        m, chains, points = 0.6 * n, len(self.configurations()), self.iterations + 1
        flops = points * m**3 / 3 + 3 * points * m * m * d + self.iterations * min(m**3, 2 * m * m * c * d)
        return 4 * chains * (1.2 * flops / 7e10 + points * 4e-4)

    def session(self, task: Task) -> Session:
        return ChainSession(task, self)


class ChainSession(Session):
    """Chains over (ridge, unit-norm) on one task; also serves the Laplace kernel, whose chains have one point."""

    def __init__(self, task: Task, method: RFM) -> None:
        super().__init__(task)
        known = np.maximum(task.y, 0)  # rows with a hidden label are never fitted: their targets are arbitrary
        self._method = method
        targets = np.eye(task.n_classes)[known]
        self._sweep = Sweep(task.X, targets, kernel=LaplaceKernel(BANDWIDTH), dtype=method.dtype)
        self._metrics: dict[tuple[float, bool, int], torch.Tensor | None] = {}

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        configurations = self._method.configurations()
        position = {(config["ridge"], config["unit_norm"]): k for k, config in enumerate(configurations)}
        figures = np.empty((2, len(configurations), len(folds), self._method.iterations + 1))
        for number, fold in enumerate(folds):
            labels = known_labels(self.task, fold.validation, "validation")
            for point in self._sweep.points(
                fold.fit,
                fold.validation,
                ridges=RIDGES,
                unit_norms=UNIT_NORMS,
                iterations=self._method.iterations,
            ):
                where = position[point.ridge, point.unit_norm], number, point.iteration
                figures[:, *where] = validation_figures(
                    bar_absent(self.task, fold.fit, point.scores), labels, self.task.n_classes
                )
                if number == 0:
                    self._metrics[point.ridge, point.unit_norm, point.iteration] = point.metric
        steps = tuple(range(self._method.iterations + 1))
        return [
            Path(config, steps, accuracy=figures[0, k], squared_error=figures[1, k])
            for k, config in enumerate(configurations)
        ]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        ridge, unit_norm = float(choice.config["ridge"]), bool(choice.config["unit_norm"])
        if transfer:
            metric = self._metrics[ridge, unit_norm, choice.iteration]
        else:
            metric = self._sweep.learn(train, ridge=ridge, unit_norm=unit_norm, iterations=choice.iteration)
        fit = self._sweep.fit(train, test, ridge=ridge, unit_norm=unit_norm, metric=metric)
        details: dict[str, Any] = {"solver": fit.solver}
        if metric is not None:
            details |= describe_metric(metric)
        return Prediction(bar_absent(self.task, train, fit.scores), details)


def describe_metric(M: torch.Tensor) -> dict[str, Any]:
    """Diagonal, leading eigenvalues and eigenvectors of a metric, rounded to what a reader can use."""
    values, vectors = torch.linalg.eigh(M.double())
    leading = vectors.flip(1)[:, :LEADING].T
    return {
        "metric_diagonal": _rounded(M.diagonal()),
        "eigenvalues": _rounded(values.flip(0)[: 2 * LEADING]),
        "top_eigenvectors": [_rounded(vector) for vector in leading],
    }


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]

"""Kernel ridge regression with the neural tangent kernel of ReLU networks with one to five hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.data.dataset import IntArray
from bench.methods.base import Choice, Fold, Method, Path, Prediction, Session, Task, validation_figures
from bench.methods.classes import bar_absent, known_labels
from rfm.ntk import ntk_matrices
from rfm.sweep import ridge_scores

DEPTHS = (1, 2, 3, 4, 5)
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)


class NTK(Method):
    """The paper's baseline: depth 1 to 5 with RFM's ridges; ties go to the larger ridge, then the shallower network."""

    name = "ntk"
    title = "NTK"

    def configurations(self) -> list[dict[str, Any]]:
        return [{"ridge": ridge, "depth": depth} for ridge in RIDGES for depth in DEPTHS]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # Angles, tangents and the kernel of all rows in float64, the fitted square twice and the kernel of the rest.
        return int(8 * (3 * n * n + 1.5 * (0.75 * n) ** 2 + 0.75 * n * n) + 16 * n * (d + c) + 6e7)

    def work(self, n: int, d: int, c: int) -> float:
        return 4 * (25 * (0.6 * n) ** 3 / 3 / 3.2e10 + 5 * n * n * 1e-8 + 0.01)

    def session(self, task: Task) -> Session:
        return _NTKSession(task)


class _NTKSession(Session):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._X = torch.as_tensor(task.X)
        self._Y = torch.as_tensor(np.eye(task.n_classes)[np.maximum(task.y, 0)])
        self._kept: tuple[int, torch.Tensor] | None = None

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        figures = np.empty((2, len(RIDGES), len(DEPTHS), len(folds), 1))
        for k, K in enumerate(ntk_matrices(self._X, DEPTHS[-1])):
            for number, fold in enumerate(folds):
                labels = known_labels(self.task, fold.validation, "validation")
                for j, (_, scores) in enumerate(ridge_scores(K, self._Y, fold.fit, fold.validation, RIDGES)):
                    scores = bar_absent(self.task, fold.fit, scores)
                    figures[:, j, k, number, 0] = validation_figures(scores, labels, self.task.n_classes)
        return [
            Path({"ridge": ridge, "depth": depth}, (0,), accuracy=figures[0, j, k], squared_error=figures[1, j, k])
            for j, ridge in enumerate(RIDGES)
            for k, depth in enumerate(DEPTHS)
        ]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        depth, ridge = int(choice.config["depth"]), float(choice.config["ridge"])
        if self._kept is None or self._kept[0] != depth:
            *_, K = ntk_matrices(self._X, depth)
            self._kept = depth, K
        ((_, scores),) = ridge_scores(self._kept[1], self._Y, train, test, (ridge,))
        return Prediction(bar_absent(self.task, train, scores))

"""Methods made for these tests: next to no memory and work; what they predict and remember is their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.records.dataset import IntArray
from bench.records.method import Choice, Fold, Method, Path, Prediction, Session, Task


class Small(Method):
    """A method of one configuration."""

    name = "small"
    title = "Small"

    def configurations(self) -> list[dict[str, Any]]:
        return [{}]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return 1

    def work(self, n: int, d: int, c: int) -> float:
        return 1.0


class Watched(Small):
    """Predicts class 0 and remembers what it was shown."""

    name = "watched"

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.folds: list[list[Fold]] = []
        self.predicted: list[tuple[IntArray, IntArray, bool]] = []

    def configurations(self) -> list[dict[str, Any]]:
        return [{"a": 1}, {"a": 2}]

    def session(self, task: Task) -> Session:
        self.tasks.append(task)
        return WatchedSession(task, self)


class WatchedSession(Session):
    def __init__(self, task: Task, method: Watched) -> None:
        super().__init__(task)
        self._method = method

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        self._method.folds.append(list(folds))
        figures, width = np.full((len(folds), 1), 0.5), self.task.n_classes
        scores = tuple(np.full((1, len(f.validation), width), 0.5, dtype=np.float32) for f in folds)
        kept = scores if self.task.keep_scores else None
        return [Path(config, (0,), figures, figures, kept) for config in self._method.configurations()]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        self._method.predicted.append((train, test, transfer))
        return Prediction(np.eye(self.task.n_classes)[np.zeros(len(test), dtype=int)])

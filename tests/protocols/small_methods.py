"""Methods made for these tests: next to no memory and work; what they predict and remember is their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.methods.judging import Judging
from bench.records.dataset import FloatArray, IntArray
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
    predict_seconds: float | None = None
    """What it tells that scoring took."""

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
        scores = np.eye(self.task.n_classes)[np.zeros(len(test), dtype=int)]
        return Prediction(scores, predict_seconds=self.predict_seconds)


class Noisy(Small):
    """Scores that the configuration and the iteration decide, the same for a row whatever was fitted."""

    name = "noisy"
    kinds = ("classification", "regression")
    predict_seconds: float | None = 0.0

    def __init__(self, numbers: Sequence[int] = range(6), points: tuple[int, ...] = (1, 2, 5)) -> None:
        self.numbers, self.points = numbers, points
        self.tuned, self.predicted = 0, list[Choice]()

    def configurations(self) -> list[dict[str, Any]]:
        return [{"number": number} for number in self.numbers]

    def session(self, task: Task) -> Session:
        return NoisySession(task, self)


class NoisySession(Session):
    def __init__(self, task: Task, method: Noisy) -> None:
        super().__init__(task)
        self._method = method

    def scores(self, choice: Choice, rows: IntArray) -> FloatArray:
        features = self.task.X[rows]
        draws = np.random.default_rng((choice.config["number"], choice.iteration))
        return np.tanh(features @ draws.normal(size=(features.shape[1], self.task.width)))

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        self._method.tuned += 1
        judging = Judging(self.task, [self.task.y[fold.validation] for fold in folds])
        grid, points = self._method.configurations(), self._method.points
        for i, config in enumerate(grid):
            for f, fold in enumerate(folds):
                for point, iteration in enumerate(points):
                    judging.judge(i, f, point, self.scores(Choice(config, iteration), fold.validation))
        return [judging.path(i, config, points) for i, config in enumerate(grid)]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        self._method.predicted.append(choice)
        details = {"who": dict(choice.config), "when": choice.iteration}
        return Prediction(self.scores(choice, test), details, self._method.predict_seconds)

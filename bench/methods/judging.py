"""The points of all paths judged on the validation rows: their figures, and their scores where the task keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Config, Path, ScoreArray, Task


class Judging:
    """Collects what a tuning session computes, in any order: by configuration, fold and point of the path."""

    def __init__(self, task: Task, truths: Sequence[IntArray | FloatArray]) -> None:
        """``truths`` are the labels or numbers of each fold's validation rows (m,)."""
        self._task, self._truths = task, truths
        self._figures: dict[tuple[int, int, int], tuple[float, float]] = {}
        self._scores: dict[tuple[int, int, int], ScoreArray] = {}

    def judge(self, config: int, fold: int, point: int, scores: FloatArray) -> tuple[float, float]:
        """(merit, squared error) of ``scores`` (m, width) of a fold's validation rows, kept for :meth:`path`."""
        where = config, fold, point
        self._figures[where] = self._task.judge(scores, self._truths[fold])
        if self._task.keep_scores:
            self._scores[where] = np.array(scores, dtype=np.float32)  # a copy: a method may reuse its memory
        return self._figures[where]

    def path(self, number: int, config: Config, iterations: Sequence[int]) -> Path:
        """The path of configuration ``number``, whose first points are ``iterations``; all of them were judged."""
        folds, points = range(len(self._truths)), range(len(iterations))
        figures = np.array([[self._figures[number, fold, point] for point in points] for fold in folds])
        kept = None
        if self._task.keep_scores:
            kept = tuple(np.stack([self._scores.pop((number, fold, point)) for point in points]) for fold in folds)
        return Path(config, tuple(iterations), figures[:, :, 0], figures[:, :, 1], kept)

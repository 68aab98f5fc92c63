"""What a method is: a grid, a session that tunes over it, and a prediction for the choice made.

A *session* sees one task: a table whose test labels are hidden. It may keep whatever it computed (Gram
matrices of all rows, say) and slice it for the row sets it is asked about. The protocols in
:mod:`bench.protocols` drive it; a method never chooses anything itself and never sees a test label.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from bench.records.dataset import FloatArray, IntArray

HIDDEN = -1
"""Label of a row whose class the session must not know."""

Config = Mapping[str, Any]
"""One point of a grid's configuration axes: JSON-able, e.g. ``{"ridge": 0.1, "unit_norm": True}``."""


@dataclass(frozen=True)
class Task:
    """One table as a method sees it.

    ``X`` (n, d) float64, finite, already scaled by the protocol. ``y`` (n,) int64 in 0..n_classes-1, or
    ``HIDDEN`` where the label is withheld. ``seed`` fixes all randomness of the session.
    """

    X: FloatArray
    y: IntArray
    n_classes: int
    seed: int


@dataclass(frozen=True)
class Fold:
    """Row numbers of one inner division: fitted on ``fit``, judged on ``validation``."""

    fit: IntArray
    validation: IntArray


@dataclass(frozen=True)
class Path:
    """Validation figures of one configuration along its iteration path.

    ``iterations`` (k,) are the labels of the path's points (M updates, boosting rounds, epochs; ``(0,)`` for a
    method without a path). ``accuracy`` (folds, k) is the share of validation rows right; ``squared_error``
    (folds, k) the Brier score: mean over rows of the squared distance of the class scores to the one-hot label.
    """

    config: Config
    iterations: tuple[int, ...]
    accuracy: FloatArray
    squared_error: FloatArray


@dataclass(frozen=True)
class Choice:
    """What a protocol picked: a configuration and a point of its iteration path."""

    config: Config
    iteration: int


@dataclass(frozen=True)
class Prediction:
    """Class scores ``(m, n_classes)`` of the rows asked for (the largest wins) and JSON-able details worth keeping."""

    scores: FloatArray
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HoldoutResult:
    """Outcome on one hold-out. Accuracies in percent; seconds are CPU seconds of choosing, refitting and predicting.

    ``path`` lists, per configuration in grid order, ``{"config", "iterations", "accuracy", "squared_error"}`` with the
    validation figures averaged over inner folds (percent; Brier score). ``details`` is the method's own
    (for RFM: ``{"metric_diagonal": [...], "top_eigenvectors": [[...]], "eigenvalues": [...]}``).
    """

    holdout: int
    accuracy: float
    config: dict[str, Any]
    iteration: int
    validation_accuracy: float
    fit_seconds: float
    path: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


class Session(ABC):
    """A method at work on one task."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @abstractmethod
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        """One path per configuration of the grid, in the grid's order, over all folds."""

    @abstractmethod
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        """Fit ``choice`` on the rows ``train`` and score the rows ``test``.

        ``transfer`` asks for the published procedure's shortcut: whatever representation was learned during
        :meth:`tune` (on its first fold's fit rows) is reused instead of being learned anew on ``train``. Methods
        that learn no separate representation ignore it.
        """


class Method(ABC):
    """A model family with its grid. Stateless; one instance serves all jobs."""

    name: ClassVar[str]
    """Registered name, as in ``--methods``."""
    title: ClassVar[str]
    """Name shown in reports."""
    code: ClassVar[tuple[str, ...]] = ()
    """Further modules or packages whose source is part of the method's code version: what its module imports from
    ``rfm`` and ``bench.methods`` is so anyway (a plug-in names its own helper modules here)."""

    @abstractmethod
    def configurations(self) -> list[dict[str, Any]]:
        """The grid's configurations in the order that settles what accuracy and Brier score leave tied."""

    @abstractmethod
    def peak_bytes(self, n: int, d: int, c: int) -> int:
        """Estimated peak memory of one job on n rows, d features, c classes, beyond the idle process's own."""

    @abstractmethod
    def work(self, n: int, d: int, c: int) -> float:
        """Rough cost of one ``clean`` job in seconds on one core; orders jobs and seeds the ETA."""

    def limitation(self, n: int, d: int, c: int) -> str | None:
        """Why this method is not to be tried on n rows, d features, c classes; None if it is."""
        return None

    @abstractmethod
    def session(self, task: Task) -> Session:
        """Open the task."""


def validation_figures(scores: FloatArray, labels: IntArray, n_classes: int) -> tuple[float, float]:
    """(accuracy, Brier score) of class scores ``(m, c)`` against labels ``(m,)``."""
    onehot = np.eye(n_classes)[labels]
    return float(np.mean(scores.argmax(axis=1) == labels)), float(np.mean(((scores - onehot) ** 2).sum(axis=1)))

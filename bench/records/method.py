"""What a method is: a grid, a session that tunes over it, and a prediction for the selected configuration.

A *session* sees one task: a dataset whose test labels are hidden. It may keep what it computed (for example Gram
matrices of all rows) and slice it for the row sets it is asked about. The protocols in
:mod:`bench.protocols` call it; a method never selects anything itself and never sees a test label.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import SELECTING, Kind, Measure, squared_error

HIDDEN = -1
"""Label of a row whose class the session must not know; in regression its target is NaN."""

CPU, CUDA = DEVICES = ("cpu", "cuda")
"""Where a method can compute: on the processor, or on a GPU."""

Config = Mapping[str, Any]
"""One point of a grid's configuration axes: JSON-able, e.g. ``{"ridge": 0.1, "unit_norm": True}``."""

ScoreArray: TypeAlias = NDArray[np.float32]
"""Scores that are kept for many points at once: half of float64's memory, and more digits than a score has."""


@dataclass(frozen=True)
class Task:
    """One dataset as a method sees it.

    ``X`` (n, d) float64, finite, already scaled by the protocol. ``y`` (n,) int64 in 0..n_classes-1, or
    ``HIDDEN`` where the label is withheld; for regression, where ``n_classes`` is 0, float64, standardised by the
    protocol, NaN where withheld. ``seed`` fixes all randomness of the session, ``select`` is what selects.
    """

    X: FloatArray
    y: IntArray | FloatArray
    n_classes: int
    seed: int
    select: Measure | None = None
    """None: the kind's own (:data:`bench.records.measure.SELECTING`)."""
    device: str = CPU
    """Where to compute: one of the method's :attr:`Method.devices`. Scores come back as NumPy arrays all the same."""
    paper_grid: bool = False
    """Whether the protocol repeats the paper's procedure, with the paper's grid where a method has another one."""
    keep_scores: bool = False
    """Whether the protocol needs the scores of the validation rows (:attr:`Path.scores`), not their figures alone."""

    @property
    def kind(self) -> Kind:
        """Whether classes are predicted, or numbers."""
        return "classification" if self.n_classes else "regression"

    @property
    def counts(self) -> bool:
        """Whether the merit is a share of rows, so that rows can be counted instead of shares compared."""
        return self.selecting.key == "accuracy"

    @property
    def selecting(self) -> Measure:
        """The measure that selects."""
        return self.select or SELECTING[self.kind]

    @property
    def width(self) -> int:
        """Columns of the scores: the classes, or one number."""
        return self.n_classes or 1

    @property
    def targets(self) -> FloatArray:
        """Targets (n, width) of a regression on the scores: one-hot labels, or numbers; arbitrary where withheld."""
        if self.n_classes:
            return np.eye(self.n_classes)[np.maximum(self.y, 0).astype(np.int64)]
        return np.nan_to_num(self.y).astype(np.float64)[:, None]

    def judge(self, scores: FloatArray, truth: IntArray | FloatArray) -> tuple[float, float]:
        """(merit, squared error) of ``scores`` (m, width) of validation rows against their labels or numbers (m,).

        The merit is what is selected by, larger is better: the accuracy as a share, or another measure (the negative of
        one that is to be small). R2 is taken against the variance of the whole training part, which is 1 here: so it
        can be averaged over folds, and selects as the squared error does.
        """
        error = squared_error(scores, truth)
        if self.selecting.key in ("r2", "r2_cut"):
            return 1.0 - error, error
        return self.selecting.merit(scores, truth), error


@dataclass(frozen=True)
class Fold:
    """Row numbers of one inner split: fitted on ``fit``, judged on ``validation``."""

    fit: IntArray
    validation: IntArray


@dataclass(frozen=True)
class Path:
    """Validation figures of one configuration along its iteration path.

    ``iterations`` (k,) are the labels of the path's points (M updates, boosting rounds, epochs; ``(0,)`` for a
    method without a path). ``merit`` and ``squared_error``, (folds, k) each, are those of :meth:`Task.judge`.
    ``scores`` are what they were computed from, where :attr:`Task.keep_scores` asks for it: for each fold (k, m, width)
    of its m validation rows.
    """

    config: Config
    iterations: tuple[int, ...]
    merit: FloatArray
    squared_error: FloatArray
    scores: tuple[ScoreArray, ...] | None = None


@dataclass(frozen=True)
class Choice:
    """What a protocol selected: a configuration and a point of its iteration path."""

    config: Config
    iteration: int


@dataclass(frozen=True)
class Member:
    """A fitted predictor of an ensemble, and its ``weight`` in the mean of their scores."""

    choice: Choice
    weight: float = 1.0


@dataclass(frozen=True)
class Prediction:
    """Scores ``(m, width)`` of the rows asked for and JSON-able details worth keeping.

    One score a class (the largest wins), or the predicted number. ``predict_seconds`` are the CPU seconds that the
    fitted predictor took to score the rows, without the fit (:class:`CpuClock`); None if it does not measure them.
    """

    scores: FloatArray
    details: Mapping[str, Any] = field(default_factory=dict)
    predict_seconds: float | None = None


class CpuClock:
    """Adds up the CPU seconds of this process in the ``with`` blocks that it is given to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def __enter__(self) -> CpuClock:
        self._started = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._started


@dataclass(frozen=True)
class HoldoutResult:
    """Result on one test fold.

    ``fit_seconds`` are CPU seconds of selecting, refitting and predicting; ``predict_seconds`` those of them that went
    into scoring the test samples, None if not measured. ``train_samples`` and ``test_samples`` are the
    test fold's sizes. All three are None in older results.

    ``score`` is the accuracy in percent, or R2; ``validation_score`` the value of the measure that selected.
    ``config`` and ``iteration`` are what was selected; of an ensemble :attr:`members` reads them.
    ``path`` lists, per configuration in grid order, ``{"config", "iterations", "score", "squared_error"}`` with the
    validation figures averaged over inner folds. ``details`` is the method's own
    (for RFM: ``{"metric_diagonal": [...], "top_eigenvectors": [[...]], "eigenvalues": [...]}``). ``measures`` holds the
    value of every measure that is defined, by key; empty in older results.
    """

    holdout: int
    score: float
    config: dict[str, Any]
    iteration: int
    validation_score: float
    fit_seconds: float
    path: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, float] = field(default_factory=dict)
    predict_seconds: float | None = None
    train_samples: int | None = None
    test_samples: int | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """What was fitted: the single choice, or the members of an ensemble, the heaviest first."""
        found = _members(self.config)
        return found or (Member(Choice(self.config, self.iteration)),)

    @property
    def is_ensemble(self) -> bool:
        """Whether ``config`` is that of an ensemble."""
        return bool(_members(self.config))

    def measure(self, key: str) -> float | None:
        """The value of the measure ``key``; None if it is not defined or was not computed."""
        return self.measures.get(key, None if self.measures or key != "accuracy" else self.score)


def ensemble_config(members: Sequence[Member]) -> dict[str, Any]:
    """``members`` as the configuration that is stored of an ensemble, whose ``iteration`` is 0."""
    return {"members": [{**vars(m.choice), "config": dict(m.choice.config), "weight": m.weight} for m in members]}


def _members(config: Config) -> tuple[Member, ...]:
    """What :func:`ensemble_config` was made of; nothing of any other configuration."""
    listed = config.get("members")
    if len(config) != 1 or not isinstance(listed, list) or not all(map(_is_member, listed)):
        return ()
    return tuple(Member(Choice(each["config"], each["iteration"]), each["weight"]) for each in listed)


def _is_member(each: object) -> bool:
    """Whether this is a member as it is stored: anybody may have written the file that it comes from."""
    kinds = {"config": dict, "iteration": int, "weight": int | float}
    return (
        isinstance(each, dict)
        and each.keys() == kinds.keys()
        and all(isinstance(each[key], kind) for key, kind in kinds.items())
        and 0 < each["weight"] < float("inf")
    )


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
        :meth:`tune` (on its first fold's fit rows) is reused instead of being learned again on ``train``. Methods
        that learn no separate representation ignore it.
        """


class Method(ABC):
    """A model family with its grid. Stateless; one instance serves all jobs."""

    name: ClassVar[str]
    """Registered name, as in ``--methods``."""
    title: ClassVar[str]
    """Name shown in reports."""
    kinds: ClassVar[tuple[Kind, ...]] = ("classification",)
    """What it can predict."""
    devices: ClassVar[tuple[str, ...]] = (CPU,)
    """Where it can compute. With ``"cuda"`` among them its sessions look at :attr:`Task.device`."""
    code: ClassVar[tuple[str, ...]] = ()
    """Further modules or packages whose source is part of the method's code version: what its module imports from
    ``rfm`` and ``bench.methods`` is so anyway (a plug-in names its own helper modules here)."""

    @property
    def probabilities(self) -> bool:
        """Whether its class scores are probabilities; the log loss is defined for these alone."""
        return False

    @abstractmethod
    def configurations(self) -> list[dict[str, Any]]:
        """The grid's configurations in the order in which ties of merit and squared error are broken."""

    def regression_configurations(self) -> list[dict[str, Any]]:
        """The grid's configurations for regression; the same unless a method says otherwise."""
        return self.configurations()

    def configurations_for(self, kind: Kind) -> list[dict[str, Any]]:
        """The grid's configurations for what is predicted."""
        return self.configurations() if kind == "classification" else self.regression_configurations()

    @abstractmethod
    def peak_bytes(self, n: int, d: int, c: int) -> int:
        """Estimated peak memory of one job on n rows, d features, c classes, beyond the idle process's own.

        For regression c is 1, as in the two below.
        """

    @abstractmethod
    def work(self, n: int, d: int, c: int) -> float:
        """Rough cost of one ``clean`` job in seconds on one core; orders jobs and seeds the ETA."""

    def limitation(self, n: int, d: int, c: int) -> str | None:
        """Why this method is not run on n rows, d features, c classes; None if it is."""
        return None

    @abstractmethod
    def session(self, task: Task) -> Session:
        """A session on ``task``."""

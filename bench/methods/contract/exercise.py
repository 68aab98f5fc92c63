"""What the clauses look at: a method at work on small generated tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind
from bench.records.method import HIDDEN, Choice, Fold, Method, Path, Prediction, Session, Task

SEED = 20


@dataclass(frozen=True)
class Table:
    """A generated table: the task (test labels hidden), its inner folds, its test rows and their labels or numbers."""

    task: Task
    folds: tuple[Fold, ...]
    train: IntArray
    test: IntArray
    truth: IntArray | FloatArray

    @property
    def wrong(self) -> IntArray | FloatArray:
        """What the test rows' labels or numbers are not."""
        other: IntArray | FloatArray = self.truth + 1
        return other % self.task.n_classes if self.task.n_classes else other


class Exercise:
    """A method and what several clauses look at: one table of a kind, a session that tuned on it, the paths."""

    def __init__(self, method: Method, kind: Kind) -> None:
        self.method, self.kind = method, kind
        self.table = self.make_table(18, 18, 18, test=18, folds=2)

    @property
    def configurations(self) -> list[dict[str, Any]]:
        """The method's grid for this kind."""
        return self.method.configurations_for(self.kind)

    def make_table(self, *counts: int, test: int, folds: int, d: int = 4, constant: bool = False) -> Table:
        """A table of this kind with so many train rows in all: ``counts[i]`` of class i if there are classes."""
        if self.kind == "regression":
            return make_numbers(sum(counts), test=test, folds=folds, d=d, constant=constant)
        return make_table(counts, test=test, folds=folds, d=d, constant=constant)

    @cached_property
    def tuned(self) -> tuple[Session, list[Path]]:
        """The session that tuned on ``table``, and its paths."""
        return self.tune(self.table)

    def tune(self, table: Table) -> tuple[Session, list[Path]]:
        """A new session on ``table``, and its paths."""
        session = self.method.session(table.task)
        return session, session.tune(table.folds)

    def run(self, table: Table) -> tuple[list[Path], Prediction]:
        """Tune, choose by mean merit, predict the test rows: what a protocol does."""
        session, paths = self.tune(table)
        return paths, session.predict(best_choice(paths), table.train, table.test)


def make_table(
    counts: Sequence[int], *, test: int, folds: int, d: int = 4, constant: bool = False, seed: int = SEED
) -> Table:
    """Normal clouds around random centres: ``counts[i]`` train rows of class i, ``test`` rows of any class.

    Folds hold out every fifth train row, then every fourth, ... so that their sizes differ. With ``constant`` the last
    feature is 0 everywhere.
    """
    draws = np.random.default_rng(seed)
    c = len(counts)
    labels = draws.permutation(np.repeat(np.arange(c), counts))
    truth = draws.integers(0, c, size=test)
    centres = 2.5 * draws.standard_normal((c, d))
    X = centres[np.concatenate([labels, truth])] + draws.standard_normal((len(labels) + test, d))
    return _table(X, labels.astype(np.int64), truth.astype(np.int64), c, folds, constant=constant, seed=seed)


def make_numbers(n: int, *, test: int, folds: int, d: int = 4, constant: bool = False, seed: int = SEED) -> Table:
    """Normal rows, ``n`` to train on; the target is smooth in the first feature and linear in the last.

    Folds and ``constant`` are those of :func:`make_table`.
    """
    X = np.random.default_rng(seed).standard_normal((n + test, d))
    target = 2 * np.tanh(X[:, 0]) + 0.5 * X[:, -1]
    target = (target - target[:n].mean()) / target[:n].std()
    return _table(X, target[:n], target[n:], 0, folds, constant=constant, seed=seed)


def _table(
    X: FloatArray,
    known: IntArray | FloatArray,
    truth: IntArray | FloatArray,
    c: int,
    folds: int,
    *,
    constant: bool,
    seed: int,
) -> Table:
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    if constant:
        X[:, -1] = 0.0
    n = len(known)
    rows = np.arange(n)
    divisions = [rows % (5 - f) == f for f in range(folds)]
    return Table(
        task=Task(X=X, y=np.concatenate([known, np.full_like(truth, HIDDEN if c else np.nan)]), n_classes=c, seed=seed),
        folds=tuple(Fold(fit=rows[~held], validation=rows[held]) for held in divisions),
        train=rows,
        test=np.arange(n, n + len(truth)),
        truth=truth,
    )


def best_choice(paths: Sequence[Path]) -> Choice:
    """The first configuration and point with the best mean validation merit."""
    best = max(paths, key=lambda path: float(path.merit.mean(axis=0).max()))
    return Choice(best.config, best.iterations[int(best.merit.mean(axis=0).argmax())])

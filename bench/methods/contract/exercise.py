"""What the clauses look at: a method at work on small generated tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.records.dataset import IntArray
from bench.records.method import HIDDEN, Choice, Fold, Method, Path, Prediction, Session, Task

SEED = 20


@dataclass(frozen=True)
class Table:
    """A generated table: the task (test labels hidden), its inner folds, its test rows and their labels."""

    task: Task
    folds: tuple[Fold, ...]
    train: IntArray
    test: IntArray
    truth: IntArray


class Exercise:
    """A method and what several clauses look at: one table, a session that tuned on it, the paths."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.table = make_table((18, 18, 18), test=18, folds=2)

    @cached_property
    def tuned(self) -> tuple[Session, list[Path]]:
        """The session that tuned on ``table``, and its paths."""
        return self.tune(self.table)

    def tune(self, table: Table) -> tuple[Session, list[Path]]:
        """A new session on ``table``, and its paths."""
        session = self.method.session(table.task)
        return session, session.tune(table.folds)

    def run(self, table: Table) -> tuple[list[Path], Prediction]:
        """Tune, choose by mean accuracy, predict the test rows: what a protocol does."""
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
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    if constant:
        X[:, -1] = 0.0
    n = len(labels)
    rows = np.arange(n)
    divisions = [rows % (5 - f) == f for f in range(folds)]
    return Table(
        task=Task(X=X, y=np.concatenate([labels, np.full(test, HIDDEN)]).astype(np.int64), n_classes=c, seed=seed),
        folds=tuple(Fold(fit=rows[~held], validation=rows[held]) for held in divisions),
        train=rows,
        test=np.arange(n, n + test),
        truth=truth.astype(np.int64),
    )


def best_choice(paths: Sequence[Path]) -> Choice:
    """The first configuration and point with the best mean validation accuracy."""
    best = max(paths, key=lambda path: float(path.merit.mean(axis=0).max()))
    return Choice(best.config, best.iterations[int(best.merit.mean(axis=0).argmax())])

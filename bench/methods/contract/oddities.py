"""Clauses on tables at the edge: absent classes, single rows, features that never change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.errors import MethodError
from bench.methods.contract.exercise import Exercise, best_choice, make_table
from bench.methods.contract.figures import shape_breaches
from bench.records.method import Choice, Fold


def absent(exercise: Exercise) -> Iterator[str]:
    """A class without fit rows never wins."""
    table = make_table((12, 12, 6), test=24, folds=0)
    rows = table.train
    seen = rows[table.task.y[rows] != 2]
    validation = np.concatenate([rows[table.task.y[rows] == 2], seen[::5]])
    fit = np.setdiff1d(seen, validation)
    session = exercise.method.session(table.task)
    paths = session.tune([Fold(fit=fit, validation=validation)])
    for path in paths:
        scores = session.predict(Choice(path.config, path.iterations[-1]), fit, table.test).scores
        won = int((scores.argmax(axis=1) == 2).sum())
        if won:
            yield f"{dict(path.config)}: a class without fit rows wins {won} of {len(scores)} rows"


def one_class(exercise: Exercise) -> Iterator[str]:
    """Fit rows of one class leave nothing to learn."""
    table = make_table((12, 12), test=8, folds=0)
    only = table.train[table.task.y[table.train] == 1]
    session = exercise.method.session(table.task)
    try:
        paths = session.tune([Fold(fit=only[:8], validation=np.concatenate([only[8:], table.train[:4]]))])
        scores = session.predict(best_choice(paths), only, table.test).scores
    except MethodError:
        return
    yield from shape_breaches(scores, table)
    if (scores.argmax(axis=1) != 1).any():
        yield "fitted on class 1 alone, it predicts another class"


def survives(*counts: int, d: int = 4, constant: bool = False) -> Callable[[Exercise], Iterator[str]]:
    """The clause that tables of these class ``counts`` are fitted and scored like any other."""

    def check(exercise: Exercise) -> Iterator[str]:
        table = make_table(counts, test=5, folds=1, d=d, constant=constant)
        paths, prediction = exercise.run(table)
        yield from shape_breaches(prediction.scores, table)
        if not all(np.isfinite(path.squared_error).all() for path in paths):
            yield "validation figures are not finite"

    return check

"""Clauses on what a session may depend on: its seed and the labels of its fit rows, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.methods.contract.exercise import Exercise, best_choice, make_table
from bench.methods.contract.figures import TOLERANCE, difference
from bench.records.method import HIDDEN, Path, Prediction


def deterministic(exercise: Exercise) -> Iterator[str]:
    """Twice the same seed, twice the same bits."""
    paths, prediction = exercise.run(exercise.table)
    again, second = exercise.run(exercise.table)
    yield from unequal("a second session with the same seed", paths, again, prediction, second)


def hidden(exercise: Exercise) -> Iterator[str]:
    """Labels that are withheld, or stand outside the fit rows, change nothing."""
    table = exercise.table
    paths, prediction = exercise.run(table)
    y = table.task.y.copy()
    y[table.test] = (table.truth + 1) % table.task.n_classes
    again, second = exercise.run(replace(table, task=replace(table.task, y=y)))
    yield from unequal("writing wrong labels where they are hidden", paths, again, prediction, second)
    session, paths = exercise.tuned
    choice = best_choice(paths)
    fold = table.folds[0]
    y = table.task.y.copy()
    y[fold.validation] = HIDDEN
    blind = exercise.method.session(replace(table.task, y=y))
    changed = difference(
        blind.predict(choice, fold.fit, table.test).scores, session.predict(choice, fold.fit, table.test).scores
    )
    if changed > TOLERANCE:
        yield f"predict() uses labels of rows outside its train rows: scores change by {changed:.2g}"


def unequal(what: str, paths: list[Path], again: list[Path], first: Prediction, second: Prediction) -> Iterator[str]:
    """In what two runs differ that ``what`` should not have changed."""
    for path, other in zip(paths, again, strict=True):
        same = path.iterations == other.iterations
        same = same and np.array_equal(path.accuracy, other.accuracy)
        if not (same and np.array_equal(path.squared_error, other.squared_error)):
            yield f"{what} changes the path of {dict(path.config)}"
    if not np.array_equal(first.scores, second.scores):
        yield f"{what} changes the scores by up to {difference(first.scores, second.scores):.2g}"


def untouched(exercise: Exercise) -> Iterator[str]:
    """The task is read, not written."""
    table = make_table((12, 12), test=6, folds=1)
    X, y = table.task.X.copy(), table.task.y.copy()
    exercise.run(table)
    if not (np.array_equal(X, table.task.X) and np.array_equal(y, table.task.y)):
        yield "the session wrote into the task's arrays"

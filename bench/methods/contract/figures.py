"""Clauses on what a session returns: paths, class scores, and that the two agree."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from bench.methods.contract.exercise import Exercise, Table, best_choice
from bench.records.dataset import FloatArray
from bench.records.method import Choice, validation_figures

TOLERANCE = 1e-4
"""Largest allowed difference of scores or Brier scores between two ways to compute the same thing in float32."""
LEARNABLE = 0.8
"""Accuracy that the best configuration must reach on well separated classes."""


def paths(exercise: Exercise) -> Iterator[str]:
    """One well-formed path per configuration, with figures that can be true."""
    _, paths = exercise.tuned
    if [dict(path.config) for path in paths] != exercise.method.configurations():
        yield "tune() does not give one path per configuration in the grid's order"
    sizes = np.array([[len(fold.validation)] for fold in exercise.table.folds])
    for path in paths:
        k = len(path.iterations)
        if k == 0 or any(b <= a for a, b in zip(path.iterations[:-1], path.iterations[1:], strict=True)):
            yield f"{dict(path.config)}: iterations {path.iterations} are not strictly increasing labels"
        json.dumps(path.iterations)
        for name, values in (("accuracy", path.accuracy), ("squared_error", path.squared_error)):
            if values.shape != (len(sizes), k):
                yield f"{dict(path.config)}: {name} has shape {values.shape}, expected {(len(sizes), k)}"
            elif not np.isfinite(values).all() or (values < 0).any():
                yield f"{dict(path.config)}: {name} has values that are negative or not finite"
            elif name == "accuracy" and np.abs(values * sizes - np.rint(values * sizes)).max() > 1e-9:
                yield f"{dict(path.config)}: accuracies are not shares of the validation rows"


def scores(exercise: Exercise) -> Iterator[str]:
    """Scores of each row asked for, on its own, good enough on an easy table."""
    session, paths = exercise.tuned
    table = exercise.table
    prediction = session.predict(best_choice(paths), table.train, table.test)
    yield from shape_breaches(prediction.scores, table)
    json.dumps(dict(prediction.details), allow_nan=False)
    accuracy = float(np.mean(prediction.scores.argmax(axis=1) == table.truth))
    if accuracy < LEARNABLE:
        yield f"accuracy {accuracy:.2f} on well separated classes, expected at least {LEARNABLE}"
    some = table.test[::-2].copy()
    part = session.predict(best_choice(paths), table.train, some).scores
    if difference(part, prediction.scores[::-2]) > TOLERANCE:
        yield "scores of a row depend on which other rows are asked for"


def shape_breaches(scores: FloatArray, table: Table) -> Iterator[str]:
    """What is wrong with the form of the class scores of the test rows."""
    expected = (len(table.test), table.task.n_classes)
    if scores.shape != expected:
        yield f"scores have shape {scores.shape}, expected {expected}"
    elif not np.isfinite(scores).all():
        yield "scores are not finite"


def identity(exercise: Exercise) -> Iterator[str]:
    """Fitting the fit rows and scoring the validation rows gives what the path says."""
    session, paths = exercise.tuned
    task = exercise.table.task
    for number, path in enumerate(paths):
        # Every point of one path; of the others the ends.
        last = len(path.iterations) - 1
        for point in range(last + 1) if number == 0 else sorted({0, last}):
            for f, fold in enumerate(exercise.table.folds):
                choice = Choice(path.config, path.iterations[point])
                scores = session.predict(choice, fold.fit, fold.validation).scores
                accuracy, error = validation_figures(scores, task.y[fold.validation], task.n_classes)
                told = path.accuracy[f, point], path.squared_error[f, point]
                if accuracy != told[0] or abs(error - told[1]) > TOLERANCE:
                    yield (
                        f"{dict(path.config)} at {path.iterations[point]}, fold {f}: the path says accuracy "
                        f"{told[0]:.4f}, Brier {told[1]:.5f}; predict() gives {accuracy:.4f}, {error:.5f}"
                    )


def transfer(exercise: Exercise) -> Iterator[str]:
    """``transfer=True`` is understood or ignored."""
    session, paths = exercise.tuned
    table = exercise.table
    yield from shape_breaches(session.predict(best_choice(paths), table.train, table.test, transfer=True).scores, table)


def difference(a: FloatArray, b: FloatArray) -> float:
    """Largest absolute difference; infinite for different shapes."""
    return float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")

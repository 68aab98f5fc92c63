"""The clauses of the contract, each a generator of sentences: one for each breach that it finds.

First what a method says of itself; then what its session returns; what a session may depend on (its seed and the labels
of its fit rows, nothing else); and tables at the edge.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.errors import MethodError
from bench.methods.contract.exercise import Exercise, Table, best_choice
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import SELECTING
from bench.records.method import HIDDEN, Choice, Fold, Path, Prediction, Task

TOLERANCE = 1e-4
"""Largest allowed difference of scores or Brier scores between two ways to compute the same thing in float32."""
LEARNABLE = {"accuracy": 0.8, "r2": 0.5}
"""What the best configuration must reach on well separated classes, or on a smooth target."""


def grid(exercise: Exercise) -> Iterator[str]:
    """The grid is there, can be stored, and is always the same."""
    configs = exercise.configurations
    if not configs:
        yield "the grid is empty"
    written = [json.dumps(config, allow_nan=False) for config in configs]
    if [json.loads(text) for text in written] != configs:
        yield "a configuration changes when written as JSON and read back"
    if len(set(written)) < len(written):
        yield "two configurations are the same"
    if exercise.configurations != configs:
        yield "a second call gives another grid or order"


def pickles(exercise: Exercise) -> Iterator[str]:
    """The method survives the way to another process."""
    copy = pickle.loads(pickle.dumps(exercise.method))
    if copy.configurations_for(exercise.kind) != exercise.configurations:
        yield "the grid of the unpickled method differs"


def estimates(exercise: Exercise) -> Iterator[str]:
    """Memory and time are positive and grow with the table; a limitation is a sentence or None."""
    c = exercise.table.task.width
    for name, estimate in (("peak_bytes", exercise.method.peak_bytes), ("work", exercise.method.work)):
        base = estimate(500, 10, c)
        if not 0 < base < float("inf"):
            yield f"{name}(500, 10, {c}) is {base}, expected a positive number"
        for shape in ((5000, 10, c), (500, 100, c), (500, 10, 10 * c)):
            if estimate(*shape) < base:
                yield f"{name}{shape} is below {name}(500, 10, {c})"
    for shape in ((500, 10, c), (10**6, 10, c)):
        reason = exercise.method.limitation(*shape)
        if reason is not None and not (isinstance(reason, str) and reason.strip()):
            yield f"limitation{shape} is {reason!r}, expected None or a sentence that says why"


def paths(exercise: Exercise) -> Iterator[str]:
    """One well-formed path per configuration, with figures that can be true."""
    _, paths = exercise.tuned
    if [dict(path.config) for path in paths] != exercise.configurations:
        yield "tune() does not give one path per configuration in the grid's order"
    sizes = np.array([[len(fold.validation)] for fold in exercise.table.folds])
    for path in paths:
        k = len(path.iterations)
        if k == 0 or any(b <= a for a, b in zip(path.iterations[:-1], path.iterations[1:], strict=True)):
            yield f"{dict(path.config)}: iterations {path.iterations} are not strictly increasing labels"
        json.dumps(path.iterations)
        for name, values in (("merit", path.merit), ("squared_error", path.squared_error)):
            if values.shape != (len(sizes), k):
                yield f"{dict(path.config)}: {name} has shape {values.shape}, expected {(len(sizes), k)}"
            elif not np.isfinite(values).all():
                yield f"{dict(path.config)}: {name} has values that are not finite"
            elif (name == "squared_error" or exercise.kind == "classification") and (values < 0).any():
                yield f"{dict(path.config)}: {name} has values that are negative"
        if path.merit.shape == path.squared_error.shape == (len(sizes), k):
            yield from _untrue_merits(exercise, path, sizes)


def _untrue_merits(exercise: Exercise, path: Path, sizes: IntArray) -> Iterator[str]:
    """Merits that :meth:`Task.judge` cannot have given."""
    if exercise.kind == "regression":
        if np.abs(1.0 - path.squared_error - path.merit).max() > 1e-9:
            yield f"{dict(path.config)}: merit is not the R2 that belongs to squared_error: take both from Task.judge"
    elif np.abs(path.merit * sizes - np.rint(path.merit * sizes)).max() > 1e-9:
        yield f"{dict(path.config)}: accuracies are not shares of the validation rows"


def scores(exercise: Exercise) -> Iterator[str]:
    """Scores of each row asked for, on its own, good enough on an easy table."""
    session, paths = exercise.tuned
    table = exercise.table
    prediction = session.predict(best_choice(paths), table.train, table.test)
    yield from _shape_breaches(prediction.scores, table)
    json.dumps(dict(prediction.details), allow_nan=False)
    told = prediction.predict_seconds
    if told is not None and not 0 <= told < math.inf:
        yield f"predict_seconds is {told}, expected CPU seconds of scoring, or None where it cannot be timed separately"
    measure = SELECTING[exercise.kind]
    reached = measure.compute(prediction.scores, table.truth)
    if reached < LEARNABLE[measure.key]:
        easy = "well separated classes" if exercise.kind == "classification" else "a smooth target"
        yield f"{measure.title} {reached:.2f} on {easy}, expected at least {LEARNABLE[measure.key]}"
    some = table.test[::-2].copy()
    part = session.predict(best_choice(paths), table.train, some).scores
    if _difference(part, prediction.scores[::-2]) > TOLERANCE:
        yield "scores of a row depend on which other rows are asked for"


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
                merit, error = task.judge(scores, task.y[fold.validation])
                figures = path.merit[f, point], path.squared_error[f, point]
                differs = merit != figures[0] if exercise.kind == "classification" else False
                if differs or abs(error - figures[1]) > TOLERANCE:
                    yield (
                        f"{dict(path.config)} at {path.iterations[point]}, fold {f}: the path says "
                        f"{task.selecting.title} {figures[0]:.4f}, squared error {figures[1]:.5f}; predict() gives "
                        f"{merit:.4f}, {error:.5f}"
                    )


def kept_scores(exercise: Exercise) -> Iterator[str]:
    """Validation scores are well-formed and give the path's figures; without them there is no greedy ensemble."""
    _, plain = exercise.tuned
    table = exercise.table
    task = replace(table.task, keep_scores=True)
    paths = exercise.method.session(task).tune(table.folds)
    if any(path.scores is not None for path in plain):
        yield "tune() keeps validation scores that the task does not ask for: they are large"
    kept = [path for path in paths if path.scores is not None]
    if kept and len(kept) < len(paths):
        yield f"tune() keeps the validation scores of {len(kept)} of {len(paths)} configurations: all, or none"
    for path, other in zip(paths, plain, strict=True):
        if not (np.array_equal(path.merit, other.merit) and np.array_equal(path.squared_error, other.squared_error)):
            yield f"{dict(path.config)}: keeping the validation scores changes the path's figures"
    for path in kept:
        yield from _untrue_scores(path, task, table.folds)


def _untrue_scores(path: Path, task: Task, folds: Sequence[Fold]) -> Iterator[str]:
    """Validation scores of another shape than the path's, or that its figures were not computed from."""
    assert path.scores is not None
    shapes = [(len(path.iterations), len(fold.validation), task.width) for fold in folds]
    if [part.shape for part in path.scores] != shapes:
        yield f"{dict(path.config)}: validation scores have shapes {[p.shape for p in path.scores]}, expected {shapes}"
        return
    for f, (part, fold) in enumerate(zip(path.scores, folds, strict=True)):
        if part.dtype != np.float32:
            yield f"{dict(path.config)}, fold {f}: validation scores are {part.dtype}, expected float32"
        for point, iteration in enumerate(path.iterations):
            _, error = task.judge(part[point].astype(np.float64), task.y[fold.validation])
            if not abs(error - path.squared_error[f, point]) <= TOLERANCE:
                yield (
                    f"{dict(path.config)} at {iteration}, fold {f}: the validation scores have squared error "
                    f"{error:.5f}, the path says {path.squared_error[f, point]:.5f}"
                )


def transfer(exercise: Exercise) -> Iterator[str]:
    """``transfer=True`` is understood or ignored."""
    session, paths = exercise.tuned
    table = exercise.table
    yield from _shape_breaches(
        session.predict(best_choice(paths), table.train, table.test, transfer=True).scores, table
    )


def deterministic(exercise: Exercise) -> Iterator[str]:
    """Twice the same seed, twice the same bits."""
    paths, prediction = exercise.run(exercise.table)
    again, second = exercise.run(exercise.table)
    yield from _unequal("a second session with the same seed", paths, again, prediction, second)


def hidden(exercise: Exercise) -> Iterator[str]:
    """Labels that are withheld, or stand outside the fit rows, change nothing."""
    table = exercise.table
    paths, prediction = exercise.run(table)
    y = table.task.y.copy()
    y[table.test] = table.wrong
    again, second = exercise.run(replace(table, task=replace(table.task, y=y)))
    yield from _unequal("writing wrong labels where they are hidden", paths, again, prediction, second)
    session, paths = exercise.tuned
    choice = best_choice(paths)
    fold = table.folds[0]
    y = table.task.y.copy()
    y[fold.validation] = HIDDEN if exercise.kind == "classification" else np.nan
    blind = exercise.method.session(replace(table.task, y=y))
    changed = _difference(
        blind.predict(choice, fold.fit, table.test).scores, session.predict(choice, fold.fit, table.test).scores
    )
    if changed > TOLERANCE:
        yield f"predict() uses labels of rows outside its train rows: scores change by {changed:.2g}"


def untouched(exercise: Exercise) -> Iterator[str]:
    """The task is read, not written."""
    table = exercise.make_table(12, 12, test=6, folds=1)
    X, y = table.task.X.copy(), table.task.y.copy()
    exercise.run(table)
    if not (np.array_equal(X, table.task.X) and np.array_equal(y, table.task.y, equal_nan=True)):
        yield "the session wrote into the task's arrays"


def absent(exercise: Exercise) -> Iterator[str]:
    """A class without fit rows never wins."""
    table = exercise.make_table(12, 12, 6, test=24, folds=0)
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
            yield f"{dict(path.config)}: a class without fit rows is predicted for {won} of {len(scores)} rows"


def one_class(exercise: Exercise) -> Iterator[str]:
    """Fit rows of one class leave nothing to learn."""
    table = exercise.make_table(12, 12, test=8, folds=0)
    only = table.train[table.task.y[table.train] == 1]
    session = exercise.method.session(table.task)
    try:
        paths = session.tune([Fold(fit=only[:8], validation=np.concatenate([only[8:], table.train[:4]]))])
        scores = session.predict(best_choice(paths), only, table.test).scores
    except MethodError:
        return
    yield from _shape_breaches(scores, table)
    if (scores.argmax(axis=1) != 1).any():
        yield "fitted on class 1 alone, it predicts another class"


def one_number(exercise: Exercise) -> Iterator[str]:
    """Fit rows with one target leave nothing to learn."""
    table = exercise.make_table(12, 12, test=8, folds=0)
    y = table.task.y.copy()
    y[table.train[:16]] = 0.7
    session = exercise.method.session(replace(table.task, y=y))
    try:
        paths = session.tune([Fold(fit=table.train[:12], validation=table.train[12:])])
        scores = session.predict(best_choice(paths), table.train[:16], table.test).scores
    except MethodError:
        return
    yield from _shape_breaches(scores, table)
    if _difference(scores, np.full((len(table.test), 1), 0.7)) > TOLERANCE:
        yield f"fitted on targets of 0.7 alone, it predicts {scores.min():.4g} to {scores.max():.4g}"


def survives(*counts: int, d: int = 4, constant: bool = False) -> Callable[[Exercise], Iterator[str]]:
    """The clause that tables of so many rows (``counts`` of classes) are fitted and scored like any other."""

    def check(exercise: Exercise) -> Iterator[str]:
        table = exercise.make_table(*counts, test=5, folds=1, d=d, constant=constant)
        paths, prediction = exercise.run(table)
        yield from _shape_breaches(prediction.scores, table)
        if not all(np.isfinite(path.squared_error).all() for path in paths):
            yield "validation figures are not finite"

    return check


def _shape_breaches(scores: FloatArray, table: Table) -> Iterator[str]:
    """What is wrong with the form of the scores of the test rows."""
    expected = (len(table.test), table.task.width)
    if scores.shape != expected:
        yield f"scores have shape {scores.shape}, expected {expected}"
    elif not np.isfinite(scores).all():
        yield "scores are not finite"


def _unequal(what: str, paths: list[Path], again: list[Path], first: Prediction, second: Prediction) -> Iterator[str]:
    """In what two runs differ that ``what`` should not have changed."""
    for path, other in zip(paths, again, strict=True):
        same = path.iterations == other.iterations
        same = same and np.array_equal(path.merit, other.merit)
        if not (same and np.array_equal(path.squared_error, other.squared_error)):
            yield f"{what} changes the path of {dict(path.config)}"
    if not np.array_equal(first.scores, second.scores):
        yield f"{what} changes the scores by up to {_difference(first.scores, second.scores):.2g}"


def _difference(a: FloatArray, b: FloatArray) -> float:
    """Largest absolute difference; infinite for different shapes."""
    return float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")

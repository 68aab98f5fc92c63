"""The contract of a method, as checks that can be run on anyone's method.

:func:`check_method` exercises a method on small generated tables and returns what it broke, in words. The clauses are
listed in ``CLAUSES``; :mod:`bench.methods.base` says the same in prose. A method that keeps them all can be given to
any protocol. Figures may differ by TOLERANCE where the same network, forest or kernel is computed in another batch.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.data.dataset import FloatArray, IntArray
from bench.errors import MethodError
from bench.methods.base import HIDDEN, Choice, Fold, Method, Path, Prediction, Session, Task, validation_figures

TOLERANCE = 1e-4
"""Largest allowed difference of scores or Brier scores between two ways to compute the same thing in float32."""
SEED = 20
LEARNABLE = 0.8
"""Accuracy that the best configuration must reach on well separated classes."""


@dataclass(frozen=True)
class Clause:
    """One promise: ``check`` yields a sentence for each breach it finds."""

    name: str
    promise: str
    check: Callable[[Exercise], Iterator[str]]


def check_method(method: Method) -> list[str]:
    """All breaches of the contract by ``method``, as ``"clause: what happened"``; empty if it keeps the contract."""
    exercise = Exercise(method)
    return [f"{clause.name}: {breach}" for clause in CLAUSES for breach in breaches(clause, exercise)]


def breaches(clause: Clause, exercise: Exercise) -> list[str]:
    """Breaches of one clause; an exception that the clause does not allow is a breach."""
    found: list[str] = []
    try:
        found.extend(clause.check(exercise))
    except Exception as error:
        found.append(f"raised {type(error).__name__}: {error}")
    return found


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
        return self.tune(self.table)

    def tune(self, table: Table) -> tuple[Session, list[Path]]:
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
    best = max(paths, key=lambda path: float(path.accuracy.mean(axis=0).max()))
    return Choice(best.config, best.iterations[int(best.accuracy.mean(axis=0).argmax())])


def _grid(exercise: Exercise) -> Iterator[str]:
    configs = exercise.method.configurations()
    if not configs:
        yield "the grid is empty"
    written = [json.dumps(config, allow_nan=False) for config in configs]
    if [json.loads(text) for text in written] != configs:
        yield "a configuration changes when written as JSON and read back"
    if len(set(written)) < len(written):
        yield "two configurations are the same"
    if exercise.method.configurations() != configs:
        yield "a second call gives another grid or order"


def _pickles(exercise: Exercise) -> Iterator[str]:
    copy = pickle.loads(pickle.dumps(exercise.method))
    if copy.configurations() != exercise.method.configurations():
        yield "the grid of the unpickled method differs"


def _estimates(exercise: Exercise) -> Iterator[str]:
    for name, estimate in (("peak_bytes", exercise.method.peak_bytes), ("work", exercise.method.work)):
        base = estimate(500, 10, 3)
        if not 0 < base < float("inf"):
            yield f"{name}(500, 10, 3) is {base}, expected a positive number"
        for shape in ((5000, 10, 3), (500, 100, 3), (500, 10, 30)):
            if estimate(*shape) < base:
                yield f"{name}{shape} is below {name}(500, 10, 3)"


def _paths(exercise: Exercise) -> Iterator[str]:
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


def _scores(exercise: Exercise) -> Iterator[str]:
    session, paths = exercise.tuned
    table = exercise.table
    prediction = session.predict(best_choice(paths), table.train, table.test)
    yield from _shape_breaches(prediction.scores, table)
    json.dumps(dict(prediction.details), allow_nan=False)
    accuracy = float(np.mean(prediction.scores.argmax(axis=1) == table.truth))
    if accuracy < LEARNABLE:
        yield f"accuracy {accuracy:.2f} on well separated classes, expected at least {LEARNABLE}"
    some = table.test[::-2].copy()
    part = session.predict(best_choice(paths), table.train, some).scores
    if _difference(part, prediction.scores[::-2]) > TOLERANCE:
        yield "scores of a row depend on which other rows are asked for"


def _shape_breaches(scores: FloatArray, table: Table) -> Iterator[str]:
    expected = (len(table.test), table.task.n_classes)
    if scores.shape != expected:
        yield f"scores have shape {scores.shape}, expected {expected}"
    elif not np.isfinite(scores).all():
        yield "scores are not finite"


def _identity(exercise: Exercise) -> Iterator[str]:
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


def _deterministic(exercise: Exercise) -> Iterator[str]:
    paths, prediction = exercise.run(exercise.table)
    again, second = exercise.run(exercise.table)
    yield from _unequal("a second session with the same seed", paths, again, prediction, second)


def _hidden(exercise: Exercise) -> Iterator[str]:
    table = exercise.table
    paths, prediction = exercise.run(table)
    y = table.task.y.copy()
    y[table.test] = (table.truth + 1) % table.task.n_classes
    told = Table(
        Task(table.task.X, y, table.task.n_classes, table.task.seed), table.folds, table.train, table.test, table.truth
    )
    again, second = exercise.run(told)
    yield from _unequal("writing wrong labels where they are hidden", paths, again, prediction, second)
    session, paths = exercise.tuned
    choice = best_choice(paths)
    fold = table.folds[0]
    y = table.task.y.copy()
    y[fold.validation] = HIDDEN
    blind = exercise.method.session(Task(table.task.X, y, table.task.n_classes, table.task.seed))
    difference = _difference(
        blind.predict(choice, fold.fit, table.test).scores, session.predict(choice, fold.fit, table.test).scores
    )
    if difference > TOLERANCE:
        yield f"predict() uses labels of rows outside its train rows: scores change by {difference:.2g}"


def _unequal(what: str, paths: list[Path], again: list[Path], first: Prediction, second: Prediction) -> Iterator[str]:
    for path, other in zip(paths, again, strict=True):
        same = path.iterations == other.iterations
        same = same and np.array_equal(path.accuracy, other.accuracy)
        if not (same and np.array_equal(path.squared_error, other.squared_error)):
            yield f"{what} changes the path of {dict(path.config)}"
    if not np.array_equal(first.scores, second.scores):
        yield f"{what} changes the scores by up to {_difference(first.scores, second.scores):.2g}"


def _untouched(exercise: Exercise) -> Iterator[str]:
    table = make_table((12, 12), test=6, folds=1)
    X, y = table.task.X.copy(), table.task.y.copy()
    exercise.run(table)
    if not (np.array_equal(X, table.task.X) and np.array_equal(y, table.task.y)):
        yield "the session wrote into the task's arrays"


def _absent(exercise: Exercise) -> Iterator[str]:
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


def _one_class(exercise: Exercise) -> Iterator[str]:
    table = make_table((12, 12), test=8, folds=0)
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


def _survives(*counts: int, d: int = 4, constant: bool = False) -> Callable[[Exercise], Iterator[str]]:
    def check(exercise: Exercise) -> Iterator[str]:
        table = make_table(counts, test=5, folds=1, d=d, constant=constant)
        paths, prediction = exercise.run(table)
        yield from _shape_breaches(prediction.scores, table)
        if not all(np.isfinite(path.squared_error).all() for path in paths):
            yield "validation figures are not finite"

    return check


def _transfer(exercise: Exercise) -> Iterator[str]:
    session, paths = exercise.tuned
    table = exercise.table
    yield from _shape_breaches(
        session.predict(best_choice(paths), table.train, table.test, transfer=True).scores, table
    )


def _difference(a: FloatArray, b: FloatArray) -> float:
    return float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")


CLAUSES: tuple[Clause, ...] = (
    Clause("grid", "configurations() is not empty, JSON-able, without repeats, and always the same", _grid),
    Clause("pickle", "the method can be sent to another process", _pickles),
    Clause("estimates", "peak_bytes and work are positive and do not fall with the table's size", _estimates),
    Clause("paths", "tune() gives one finite, well-formed path per configuration, in the grid's order", _paths),
    Clause("scores", "predict() scores every row asked for, each on its own, and learns what is easy", _scores),
    Clause("identity", "predict() on a fold reproduces the path's figures", _identity),
    Clause("determinism", "the same seed gives the same figures and scores, bit for bit", _deterministic),
    Clause("hidden labels", "no label is read but those of fit rows and, to judge, of validation rows", _hidden),
    Clause("task untouched", "the task's arrays are left as they are", _untouched),
    Clause("absent class", "a class without fit rows never wins", _absent),
    Clause("one class", "fit rows of one class: that class is predicted, or MethodError raised", _one_class),
    Clause("one-row class", "a class with a single row", _survives(14, 14, 1)),
    Clause("ten rows", "ten rows of two classes", _survives(6, 4)),
    Clause("constant column", "a feature that never changes", _survives(12, 12, constant=True)),
    Clause("one feature", "a single feature", _survives(12, 12, d=1)),
    Clause("all constant", "a single feature that never changes", _survives(12, 9, d=1, constant=True)),
    Clause("transfer", "predict() takes transfer=True after tune()", _transfer),
)

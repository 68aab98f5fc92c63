"""Every registered method keeps the contract, and every clause catches a method that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from bench.methods import TITLES, built_in_methods, get_method, known_methods, method_names
from bench.methods.contract import CLAUSES, Clause, Exercise, breaches, check_method, clauses_of
from bench.methods.contract.exercise import best_choice
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind
from bench.records.method import Choice, Config, Fold, Method, Path, Prediction, ScoreArray, Session, Task

KINDS: tuple[Kind, ...] = ("classification", "regression")


@pytest.mark.parametrize("name", built_in_methods())
def test_registered_method_keeps_it(name: str, short: None) -> None:
    assert get_method(name).kinds == KINDS
    assert check_method(get_method(name)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", built_in_methods())
def test_built_in_methods_do_what_the_contract_leaves_open(name: str, kind: Kind, short: None) -> None:
    """They keep the scores of validation rows, for ensembles, and tell what scoring took, whatever came before."""
    exercise = Exercise(get_method(name), kind)
    table = replace(exercise.table, task=replace(exercise.table.task, keep_scores=True))
    session, paths = exercise.tune(table)
    assert all(path.scores is not None for path in paths)
    for transfer in (False, True, False):
        told = session.predict(best_choice(paths), table.train, table.test, transfer=transfer).predict_seconds
        assert told is not None
        assert told > 0


def test_methods_beyond_the_default_ones_run_only_where_they_are_named() -> None:
    further = {"rfm_l1", "rfm_pool", "rfm_fork", "rfm_fork_raw"}
    assert set(built_in_methods()) - set(method_names()) == further
    assert set(built_in_methods()) <= set(known_methods())


def test_reports_call_methods_as_they_call_themselves() -> None:
    assert {name: get_method(name).title for name in method_names()} == TITLES


class CentroidSession(Session):
    """Distances to class means, shrunk by the configuration and, for a path, by the iteration.

    For numbers a linear fit, shrunk likewise.
    """

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return [self.path(config, folds) for config in Centroid().configurations()]

    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        def judged(fold: Fold, step: int) -> tuple[float, float]:
            return self.task.judge(self.scores(config, step, fold.fit, fold.validation), self.task.y[fold.validation])

        figures = np.array([[judged(fold, step) for step in (1, 2)] for fold in folds])
        return Path(config, (1, 2), figures[:, :, 0], figures[:, :, 1])

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return Prediction(self.scores(choice.config, choice.iteration, train, test), {"rows": len(train)})

    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        X, y = self.task.X, self.task.y
        if self.task.kind == "regression":
            design = np.column_stack([X, np.ones(len(X))])
            predicted = design[rows] @ np.linalg.lstsq(design[fit], y[fit])[0]
            mean = y[fit].mean()
            return (mean + (predicted - mean) * config["shrink"] ** iteration)[:, None]
        present = np.unique(y[fit])
        means = np.array([X[fit][y[fit] == k].mean(axis=0) for k in present]) * config["shrink"] ** iteration
        distances = ((X[rows][:, None] - means[None]) ** 2).sum(axis=2)
        shares = np.zeros((len(rows), self.task.n_classes))
        shares[:, present] = np.exp(-(distances - distances.min(axis=1, keepdims=True)))
        return shares / shares.sum(axis=1, keepdims=True)


class Centroid(Method):
    name: ClassVar[str] = "centroid"
    title: ClassVar[str] = "Nearest centroid"
    kinds = KINDS
    session_class: ClassVar[type[CentroidSession]] = CentroidSession

    def configurations(self) -> list[dict[str, Any]]:
        return [{"shrink": 1.0}, {"shrink": 0.8}]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return 8 * n * d * c

    def work(self, n: int, d: int, c: int) -> float:
        return 1e-6 * n * d * c

    def session(self, task: Task) -> Session:
        return self.session_class(task)


class Keeps(CentroidSession):
    """Keeps the scores of validation rows where the task asks for them."""

    unasked = False

    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        if not (self.task.keep_scores or self.unasked):
            return path
        scores = [np.stack([self.scores(config, step, f.fit, f.validation) for step in (1, 2)]) for f in folds]
        return replace(path, scores=tuple(part.astype(np.float32) for part in scores))


class Keeping(Centroid):
    session_class = Keeps


def changed(**parts: Any) -> Method:
    """The honest method with other ``parts``; no other process can import its class."""
    return type("Changed", (Centroid,), parts)()


def of(base: type[CentroidSession] = CentroidSession, **parts: Any) -> Method:
    """The honest method with other ``parts`` of its session."""
    return changed(session_class=type("ChangedSession", (base,), parts))


def with_paths(change: Callable[[Path], Path], base: type[CentroidSession] = CentroidSession) -> Method:
    """The honest method with every path changed."""
    return of(base, path=lambda self, *args: change(base.path(self, *args)))


def with_kept(change: Callable[[ScoreArray], Any]) -> Method:
    """A method that keeps changed scores of validation rows."""

    def changed_scores(path: Path) -> Path:
        return replace(path, scores=tuple(change(part) for part in path.scores)) if path.scores else path

    return with_paths(changed_scores, Keeps)


def with_predictions(change: Callable[[FloatArray], FloatArray]) -> Method:
    """The honest method with every prediction changed."""
    return of(predict=lambda self, *args, **_: Prediction(change(CentroidSession.predict(self, *args).scores)))


def with_scores(change: Callable[[Task, IntArray, FloatArray], FloatArray]) -> Method:
    """The honest method with scores changed by what the task holds and which rows are fitted."""
    scores = CentroidSession.scores
    return of(
        scores=lambda self, config, step, fit, rows: change(self.task, fit, scores(self, config, step, fit, rows))
    )


def learns_nothing(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    shares = np.zeros_like(scores)
    if task.kind == "classification":
        shares[:, np.bincount(task.y[fit]).argmax()] = 1.0
    return shares


def negative(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    """An absent class keeps score 0, above the others' negative distances."""
    scores[:, np.unique(task.y[fit])] -= 1.0
    return scores


def first_class_by_default(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    alone = len(np.unique(task.y[fit])) == 1
    return np.eye(task.n_classes)[np.zeros(len(scores), dtype=int)] if alone else scores


def two_of_each(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    if np.bincount(task.y[fit]).min() < 2:
        raise ValueError("the least populated class has only 1 member")
    return scores


def divided_by_spread(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores * (task.X[fit] / task.X[fit].std(axis=0)).mean()


def of_several_features(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    np.linalg.cholesky(np.cov(task.X[fit].T))
    return scores


def peeking(rows: slice) -> Method:
    """At labels that it is given, but beyond the rows that it is fitted on."""
    return with_scores(lambda task, fit, scores: scores + 0.01 * np.nan_to_num(task.y[rows]).mean())


def unseeded(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    return scores + 1e-7 * np.random.default_rng().random(scores.shape)


def of_ten_parts(session: CentroidSession, folds: Sequence[Fold]) -> list[Path]:
    if len(folds[0].fit) < 10:
        raise ValueError("n_splits=10 cannot be greater than the number of samples")
    return CentroidSession.tune(session, folds)


def without_transfer(session: CentroidSession, *args: Any, transfer: bool = False) -> Prediction:
    if transfer:
        raise NotImplementedError("transfer")
    return CentroidSession.predict(session, *args)


def scaled_in_place(session: CentroidSession, task: Task) -> None:
    CentroidSession.__init__(session, task)
    task.X[:] *= 2.0


def at_the_end(session: CentroidSession, choice: Choice, *rows: IntArray, **_: Any) -> Prediction:
    return CentroidSession.predict(session, Choice(choice.config, 2), *rows)


def averaged(path: Path) -> Path:
    return replace(path, merit=path.merit.mean(axis=0), squared_error=path.squared_error.mean(axis=0))


def kept_of_some(path: Path) -> Path:
    return replace(path, scores=None) if path.config["shrink"] == 1.0 else path


BREACHES: list[tuple[str, Callable[[], Method]]] = [
    ("grid", lambda: changed(configurations=lambda self: 2 * [{"shrink": 1.0}])),
    ("grid", lambda: changed(configurations=lambda self: [{"shrink": (1.0,)}])),  # JSON has no tuples
    ("pickle", changed),
    ("estimates", lambda: changed(peak_bytes=lambda *_: 0)),
    ("estimates", lambda: changed(work=lambda self, n, d, c: 1.0 / n)),
    ("paths", lambda: of(tune=lambda self, folds: CentroidSession.tune(self, folds)[::-1])),
    ("paths", lambda: with_paths(lambda path: replace(path, iterations=(2, 1)))),
    ("paths", lambda: with_paths(lambda path: replace(path, merit=path.merit * 0.999))),
    ("paths", lambda: with_paths(averaged)),
    ("scores", lambda: with_predictions(lambda scores: scores * np.nan)),
    ("scores", lambda: with_scores(learns_nothing)),
    ("scores", lambda: with_predictions(lambda scores: scores - scores.mean(axis=0))),
    ("identity", lambda: of(predict=at_the_end)),
    ("kept scores", lambda: of(Keeps, unasked=True)),
    ("kept scores", lambda: with_kept(lambda part: part.astype(np.float64))),
    ("kept scores", lambda: with_kept(lambda part: part[1:])),
    ("kept scores", lambda: with_kept(lambda part: part[::-1])),
    ("kept scores", lambda: with_paths(kept_of_some, Keeps)),
    ("determinism", lambda: with_scores(unseeded)),
    ("hidden labels", lambda: peeking(slice(None))),
    ("hidden labels", lambda: peeking(slice(54))),
    ("task untouched", lambda: of(__init__=scaled_in_place)),
    ("absent class", lambda: with_scores(negative)),
    ("one class", lambda: with_scores(first_class_by_default)),
    ("one-row class", lambda: with_scores(two_of_each)),
    ("one number", lambda: with_scores(lambda task, fit, scores: 0.95 * scores)),  # shrunk towards 0, not the mean
    ("ten rows", lambda: of(tune=of_ten_parts)),
    ("constant column", lambda: with_scores(divided_by_spread)),
    ("one feature", lambda: with_scores(of_several_features)),
    ("all constant", lambda: with_scores(divided_by_spread)),
    ("transfer", lambda: of(predict=without_transfer)),
]


def test_honest_methods_pass() -> None:
    assert check_method(Centroid()) == []
    assert check_method(Keeping()) == []


@pytest.mark.parametrize(
    ("kind", "clause", "method"),
    [
        (kind, clause, method)
        for kind in KINDS
        for clause in clauses_of(kind)
        for name, method in BREACHES
        if name == clause.name
    ],
)
def test_clause_catches(kind: Kind, clause: Clause, method: Callable[[], Method]) -> None:
    assert breaches(clause, Exercise(method(), kind))


def test_every_clause_has_a_method_that_breaks_it() -> None:
    assert {clause.name for clause in CLAUSES} == {clause for clause, _ in BREACHES}

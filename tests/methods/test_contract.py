"""Every registered method keeps the contract, and every clause catches a method that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from bench.methods import TITLES, built_in_methods, get_method, method_names, mlp, random_forest, xgboost
from bench.methods.contract import CLAUSES, Clause, Exercise, breaches, check_method, clauses_of
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind
from bench.records.method import Choice, Config, Fold, Method, Path, Prediction, ScoreArray, Session, Task


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


KINDS: tuple[Kind, ...] = ("classification", "regression")


@pytest.mark.parametrize("name", built_in_methods())
def test_registered_method_keeps_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_forest, "TREES", 12)  # the same promises at full size, slowly
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:4])
    monkeypatch.setattr(xgboost, "ROUNDS", xgboost.ROUNDS[:4])
    assert get_method(name).kinds == KINDS
    assert check_method(get_method(name)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*method_names(), "rfm_fork"])
def test_every_built_in_method_keeps_validation_scores(name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_forest, "TREES", 2)
    monkeypatch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:2])
    table = Exercise(get_method(name), kind).table
    session = get_method(name).session(replace(table.task, keep_scores=True))
    assert all(path.scores is not None and len(path.scores) == len(table.folds) for path in session.tune(table.folds))


def test_reports_call_methods_as_they_call_themselves() -> None:
    assert {name: get_method(name).title for name in method_names()} == TITLES


class CentroidSession(Session):
    """Distances to class means, shrunk by the configuration and, for a path, by the iteration.

    For numbers a linear fit, shrunk likewise.
    """

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return [self.path(config, folds) for config in Centroid().configurations()]

    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        figures = np.array(
            [
                [
                    self.task.judge(self.scores(config, step, fold.fit, fold.validation), self.task.y[fold.validation])
                    for step in (1, 2)
                ]
                for fold in folds
            ]
        )
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


class RepeatsItself(Centroid):
    def configurations(self) -> list[dict[str, Any]]:
        return [{"shrink": 1.0}, {"shrink": 1.0}]


class Tuples(Centroid):
    def configurations(self) -> list[dict[str, Any]]:
        return [{"shrink": (1.0,)}]


class CannotTravel(Centroid):
    def __init__(self) -> None:
        self.callback = lambda: None


class NeedsNothing(Centroid):
    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return 0


class ShrinksWithSize(Centroid):
    def work(self, n: int, d: int, c: int) -> float:
        return 1.0 / n


class KeepsUnasked(CentroidSession):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        kept = [
            np.stack([self.scores(config, step, fold.fit, fold.validation) for step in (1, 2)]).astype(np.float32)
            for fold in folds
        ]
        return replace(super().path(config, folds), scores=tuple(kept))


class Keeps(KeepsUnasked):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        return path if self.task.keep_scores else replace(path, scores=None)


class Keeping(Centroid):
    session_class = Keeps


def of(session_class: type[CentroidSession]) -> Method:
    return type("Made", (Centroid,), {"session_class": session_class})()


def with_paths(change: Callable[[Path], Path], base: type[CentroidSession] = CentroidSession) -> Method:
    """The honest method with every path changed."""

    class Changed(base):  # type: ignore[misc, valid-type]
        def path(self, config: Config, folds: Sequence[Fold]) -> Path:
            return change(super().path(config, folds))

    return of(Changed)


def with_kept(change: Callable[[ScoreArray], Any]) -> Method:
    """A method that keeps changed scores of validation rows."""

    def changed(path: Path) -> Path:
        return path if path.scores is None else replace(path, scores=tuple(change(part) for part in path.scores))

    return with_paths(changed, Keeps)


def with_predictions(change: Callable[[FloatArray], FloatArray]) -> Method:
    """The honest method with every prediction changed."""

    class Changed(CentroidSession):
        def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
            return Prediction(change(super().predict(choice, train, test).scores))

    return of(Changed)


def with_scores(change: Callable[[Task, IntArray, FloatArray], FloatArray]) -> Method:
    """The honest method with scores changed by what the task holds and which rows are fitted."""

    class Changed(CentroidSession):
        def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
            return change(self.task, fit, super().scores(config, iteration, fit, rows))

    return of(Changed)


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


class OtherOrder(CentroidSession):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return super().tune(folds)[::-1]


class ManyRows(CentroidSession):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        if len(folds[0].fit) < 10:
            raise ValueError("n_splits=10 cannot be greater than the number of samples")
        return super().tune(folds)


class KeepsSome(Keeps):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        first, *others = super().tune(folds)
        return [replace(first, scores=None), *others]


class IgnoresTheIteration(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return super().predict(Choice(choice.config, 2), train, test)


class NoTransfer(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        if transfer:
            raise NotImplementedError("transfer")
        return super().predict(choice, train, test)


class ScalesInPlace(CentroidSession):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        task.X[:] *= 2.0


def averaged(path: Path) -> Path:
    return replace(path, merit=path.merit.mean(axis=0), squared_error=path.squared_error.mean(axis=0))


def unseeded(task: Task, fit: IntArray, scores: FloatArray) -> FloatArray:
    return scores + 1e-7 * np.random.default_rng().random(scores.shape)


BREACHES: list[tuple[str, Callable[[], Method]]] = [
    ("grid", RepeatsItself),
    ("grid", Tuples),
    ("pickle", CannotTravel),
    ("estimates", NeedsNothing),
    ("estimates", ShrinksWithSize),
    ("paths", lambda: of(OtherOrder)),
    ("paths", lambda: with_paths(lambda path: replace(path, iterations=(2, 1)))),
    ("paths", lambda: with_paths(lambda path: replace(path, merit=path.merit * 0.999))),
    ("paths", lambda: with_paths(averaged)),
    ("scores", lambda: with_predictions(lambda scores: scores * np.nan)),
    ("scores", lambda: with_scores(learns_nothing)),
    ("scores", lambda: with_predictions(lambda scores: scores - scores.mean(axis=0))),
    ("identity", lambda: of(IgnoresTheIteration)),
    ("kept scores", lambda: of(KeepsUnasked)),
    ("kept scores", lambda: with_kept(lambda part: part.astype(np.float64))),
    ("kept scores", lambda: with_kept(lambda part: part[1:])),
    ("kept scores", lambda: with_kept(lambda part: part[::-1])),
    ("kept scores", lambda: of(KeepsSome)),
    ("determinism", lambda: with_scores(unseeded)),
    ("hidden labels", lambda: peeking(slice(None))),
    ("hidden labels", lambda: peeking(slice(54))),
    ("task untouched", lambda: of(ScalesInPlace)),
    ("absent class", lambda: with_scores(negative)),
    ("one class", lambda: with_scores(first_class_by_default)),
    ("one-row class", lambda: with_scores(two_of_each)),
    ("one number", lambda: with_scores(lambda task, fit, scores: 0.95 * scores)),  # shrunk towards 0, not the mean
    ("ten rows", lambda: of(ManyRows)),
    ("constant column", lambda: with_scores(divided_by_spread)),
    ("one feature", lambda: with_scores(of_several_features)),
    ("all constant", lambda: with_scores(divided_by_spread)),
    ("transfer", lambda: of(NoTransfer)),
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

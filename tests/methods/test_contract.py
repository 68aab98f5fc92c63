"""Every registered method keeps the contract, and every clause catches a method that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from bench.methods import TITLES, built_in_methods, get_method, method_names, mlp, random_forest
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


def names_of(kind: Kind) -> set[str]:
    return {clause.name for clause in clauses_of(kind)}


PROMISES = [((name, kind), clause) for name in built_in_methods() for kind in KINDS for clause in clauses_of(kind)]


@pytest.fixture(scope="module")
def exercise(request: pytest.FixtureRequest) -> Iterator[Exercise]:
    name, kind = request.param
    with pytest.MonkeyPatch.context() as patch:
        # The same promises at full size, slowly.
        patch.setattr(random_forest, "TREES", 30)
        patch.setattr(mlp, "EPOCHS", mlp.EPOCHS[:4])
        yield Exercise(get_method(name), kind)


@pytest.mark.parametrize(
    ("exercise", "clause"),
    PROMISES,
    indirect=["exercise"],
    ids=[f"{name}-{kind}-{clause.name.replace(' ', '-')}" for (name, kind), clause in PROMISES],
)
def test_registered_method_keeps(exercise: Exercise, clause: Clause) -> None:
    assert breaches(clause, exercise) == []


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


def test_every_registered_method_does_both() -> None:
    assert {get_method(name).kinds for name in method_names()} == {KINDS}


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


def test_an_honest_method_passes() -> None:
    assert check_method(Centroid()) == []


def of_session(session_class: type[CentroidSession]) -> Method:
    return type("Broken", (Centroid,), {"session_class": session_class})()


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


class OtherOrder(CentroidSession):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return super().tune(folds)[::-1]


class Backwards(CentroidSession):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        return Path(path.config, (2, 1), path.merit, path.squared_error)


class Percent(CentroidSession):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        return Path(path.config, path.iterations, path.merit * 0.999, path.squared_error)


class AveragedFolds(CentroidSession):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        return Path(path.config, path.iterations, path.merit.mean(axis=0), path.squared_error.mean(axis=0))


class NotANumber(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return Prediction(super().predict(choice, train, test).scores * np.nan)


class LearnsNothing(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        shares = np.zeros((len(rows), self.task.width))
        if self.task.kind == "classification":
            shares[:, np.bincount(self.task.y[fit]).argmax()] = 1.0
        return shares


class Transductive(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        scores = super().predict(choice, train, test).scores
        return Prediction(scores - scores.mean(axis=0))


class IgnoresTheIteration(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return super().predict(Choice(choice.config, 2), train, test)


class Unseeded(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        noise = 1e-7 * np.random.default_rng().random((len(rows), self.task.width))
        return super().scores(config, iteration, fit, rows) + noise


class PeeksAtTheTest(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        return super().scores(config, iteration, fit, rows) + 0.01 * np.nan_to_num(self.task.y).mean()


class PeeksAtTheFold(CentroidSession):
    """Reads the labels it is given, but beyond the rows it is fitted on."""

    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        return super().scores(config, iteration, fit, rows) + 0.01 * np.nan_to_num(self.task.y[:54]).mean()


class ScalesInPlace(CentroidSession):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        task.X[:] *= 2.0


class NegativeScores(CentroidSession):
    """An absent class keeps score 0, above the others' negative distances."""

    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        scores = super().scores(config, iteration, fit, rows)
        present = np.unique(self.task.y[fit])
        scores[:, present] -= 1.0
        return scores


class FirstClassByDefault(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        if len(np.unique(self.task.y[fit])) == 1:
            return np.eye(self.task.n_classes)[np.zeros(len(rows), dtype=int)]
        return super().scores(config, iteration, fit, rows)


class TwoOfEach(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        if np.bincount(self.task.y[fit]).min() < 2:
            raise ValueError("the least populated class has only 1 member")
        return super().scores(config, iteration, fit, rows)


class ManyRows(CentroidSession):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        if len(folds[0].fit) < 10:
            raise ValueError("n_splits=10 cannot be greater than the number of samples")
        return super().tune(folds)


class DividesBySpread(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = (self.task.X[fit] / self.task.X[fit].std(axis=0)).mean()
        return super().scores(config, iteration, fit, rows) * weight


class SeveralFeatures(CentroidSession):
    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        np.linalg.cholesky(np.cov(self.task.X[fit].T))
        return super().scores(config, iteration, fit, rows)


class WithoutIntercept(CentroidSession):
    """Shrinks numbers towards 0, not towards their mean."""

    def scores(self, config: Config, iteration: int, fit: IntArray, rows: IntArray) -> FloatArray:
        return 0.95 * super().scores(config, iteration, fit, rows)


class NoTransfer(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        if transfer:
            raise NotImplementedError("transfer")
        return super().predict(choice, train, test)


class KeepsUnasked(CentroidSession):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        return replace(super().path(config, folds), scores=self.kept(config, folds))

    def kept(self, config: Config, folds: Sequence[Fold]) -> tuple[ScoreArray, ...]:
        return tuple(
            np.stack([self.scores(config, step, fold.fit, fold.validation) for step in (1, 2)]).astype(np.float32)
            for fold in folds
        )


class Keeps(KeepsUnasked):
    def path(self, config: Config, folds: Sequence[Fold]) -> Path:
        path = super().path(config, folds)
        return path if self.task.keep_scores else replace(path, scores=None)


class Keeping(Centroid):
    session_class = Keeps


class KeepsInDoublePrecision(Keeps):
    def kept(self, config: Config, folds: Sequence[Fold]) -> tuple[ScoreArray, ...]:
        return tuple(part.astype(np.float64) for part in super().kept(config, folds))  # type: ignore[misc]


class KeepsTheLastPoint(Keeps):
    def kept(self, config: Config, folds: Sequence[Fold]) -> tuple[ScoreArray, ...]:
        return tuple(part[1:] for part in super().kept(config, folds))


class KeepsOtherScores(Keeps):
    def kept(self, config: Config, folds: Sequence[Fold]) -> tuple[ScoreArray, ...]:
        return tuple(part[::-1] for part in super().kept(config, folds))


class KeepsSome(Keeps):
    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        first, *others = super().tune(folds)
        return [replace(first, scores=None), *others]


def test_a_method_that_keeps_validation_scores_passes() -> None:
    assert check_method(Keeping()) == []


BREACHES: list[tuple[str, Callable[[], Method]]] = [
    ("grid", RepeatsItself),
    ("grid", Tuples),
    ("pickle", CannotTravel),
    ("estimates", NeedsNothing),
    ("estimates", ShrinksWithSize),
    ("paths", lambda: of_session(OtherOrder)),
    ("paths", lambda: of_session(Backwards)),
    ("paths", lambda: of_session(Percent)),
    ("paths", lambda: of_session(AveragedFolds)),
    ("scores", lambda: of_session(NotANumber)),
    ("scores", lambda: of_session(LearnsNothing)),
    ("scores", lambda: of_session(Transductive)),
    ("identity", lambda: of_session(IgnoresTheIteration)),
    ("kept scores", lambda: of_session(KeepsUnasked)),
    ("kept scores", lambda: of_session(KeepsInDoublePrecision)),
    ("kept scores", lambda: of_session(KeepsTheLastPoint)),
    ("kept scores", lambda: of_session(KeepsOtherScores)),
    ("kept scores", lambda: of_session(KeepsSome)),
    ("determinism", lambda: of_session(Unseeded)),
    ("hidden labels", lambda: of_session(PeeksAtTheTest)),
    ("hidden labels", lambda: of_session(PeeksAtTheFold)),
    ("task untouched", lambda: of_session(ScalesInPlace)),
    ("absent class", lambda: of_session(NegativeScores)),
    ("one class", lambda: of_session(FirstClassByDefault)),
    ("one-row class", lambda: of_session(TwoOfEach)),
    ("one number", lambda: of_session(WithoutIntercept)),
    ("ten rows", lambda: of_session(ManyRows)),
    ("constant column", lambda: of_session(DividesBySpread)),
    ("one feature", lambda: of_session(SeveralFeatures)),
    ("all constant", lambda: of_session(DividesBySpread)),
    ("transfer", lambda: of_session(NoTransfer)),
]


@pytest.mark.parametrize(
    ("kind", "clause", "method"),
    [(kind, clause, method) for kind in KINDS for clause, method in BREACHES if clause in names_of(kind)],
)
def test_clause_catches(kind: Kind, clause: str, method: Callable[[], Method]) -> None:
    broken = {breach.partition(":")[0] for breach in check_method(method())}
    assert f"{clause} ({kind})" in broken


def test_every_clause_has_a_method_that_breaks_it() -> None:
    assert {clause.name for clause in CLAUSES} == {clause for clause, _ in BREACHES}

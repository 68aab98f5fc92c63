"""Any scikit-learn classifier as a method: a class of a few lines, in a module or in a file of its own.

    from sklearn.neighbors import KNeighborsClassifier
    from bench.methods.plugin import ClassifierMethod, Fitting

    class NearestNeighbours(ClassifierMethod):
        name, title = "knn", "Nearest neighbours"
        grid = {"n_neighbors": [1, 5, 15], "weights": ["uniform", "distance"]}

        def classifier(self, config, fitting: Fitting):
            return KNeighborsClassifier(min(config["n_neighbors"], fitting.n), weights=config["weights"])

The harness does the rest: it recodes the classes present among the fit rows, seeds, fits, turns what the classifier
predicts into class scores, judges them on the validation rows, and follows the iteration path where there is one.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bench.errors import MethodError
from bench.methods.classes import FitClasses, fit_classes, known_targets
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import Choice, Config, Fold, Method, Path, Prediction, Session, Task

NO_PATH = (0,)
"""Iterations of a method without a path."""


@dataclass(frozen=True)
class Fitting:
    """What one classifier is about to be fitted on: ``n`` rows, ``d`` features, ``c`` classes among them, a seed."""

    n: int
    d: int
    c: int
    seed: int


class ClassifierMethod(Method):
    """A method made of a classifier and a grid; only ``name``, ``title`` and :meth:`classifier` must be given.

    Features arrive as float64 (n, d), finite and standardised on the training part; labels as 0..c-1 without gaps, at
    least two classes. In every estimator that :meth:`classifier` returns, at any depth, ``random_state`` is set to the
    session's seed where it is None, and ``n_jobs`` to one: a job has one thread.
    """

    grid: ClassVar[Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]] = {}
    """Values by parameter, all combined, or a list of configurations; the first one wins ties. Empty: one, fixed."""
    iterations: ClassVar[tuple[int, ...]] = ()
    """Points of the iteration path, ascending (rounds, trees, epochs), if the classifier has one."""
    iteration_parameter: ClassVar[str] = "n_estimators"
    """The classifier's parameter that says how far it goes: the last point while tuning, the chosen one afterwards."""

    def __init_subclass__(cls) -> None:
        """Refuse a grid or a path that would quietly be read as another one."""
        super().__init_subclass__()
        if isinstance(cls.grid, Mapping):
            for parameter, values in cls.grid.items():
                if not isinstance(values, list | tuple):
                    raise ValueError(f"grid: {parameter}: expected a list of values, got {values!r}")
        points = list(cls.iterations)
        if points != sorted({point for point in points if isinstance(point, int) and point > 0}):
            raise ValueError(f"iterations: expected ascending whole numbers above 0, got {cls.iterations!r}")

    @abstractmethod
    def classifier(self, config: Config, fitting: Fitting) -> Any:
        """A new, unfitted classifier for one configuration of the grid."""

    def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
        """``classifier``, fitted on X (n, d), y (n,) in 0..c-1; another way than ``.fit(X, y)`` goes here."""
        return classifier.fit(X, y)

    def staged_scores(self, classifier: Any, X: FloatArray, iterations: Sequence[int]) -> Iterable[FloatArray]:
        """Class scores (m, c) of rows X after each of ``iterations`` of a classifier fitted up to the last of them.

        Here from scikit-learn's ``staged_predict_proba`` or ``staged_decision_function``, which yield after 1, 2, ...
        iterations. If the classifier stopped early, its last scores stand for the points it did not reach: fitted up to
        one of those it would be the same classifier.
        """
        stages: Iterator[Any]
        if hasattr(classifier, "staged_predict_proba"):
            stages = iter(classifier.staged_predict_proba(X))
        elif hasattr(classifier, "staged_decision_function"):
            stages = map(decision_scores, classifier.staged_decision_function(X))
        else:
            raise MethodError(
                f"{type(classifier).__name__} has neither staged_predict_proba nor staged_decision_function: "
                "define staged_scores(), or leave `iterations` empty"
            )
        done, scores = 0, None
        for point in iterations:
            for stage in itertools.islice(stages, point - done):
                scores = np.asarray(stage, dtype=np.float64)
            done = point
            if scores is None:
                raise MethodError(f"{type(classifier).__name__} yields no stage to score")
            yield scores

    def configurations(self) -> list[dict[str, Any]]:
        """The grid's configurations, in its order."""
        if isinstance(self.grid, Mapping):
            return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]
        return [dict(config) for config in self.grid]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        """A guess for methods that work on the rows: 100 MB, eight copies of the table, and the path's class scores.

        A method that holds an n x n matrix must say so here: a job that outgrows its estimate by half and 256 MiB is
        stopped.
        """
        return 100_000_000 + 8 * 8 * n * d + 8 * n * c * (2 + len(self.iterations))

    def work(self, n: int, d: int, c: int) -> float:
        """A guess that orders the jobs: 10 ms and 2 microseconds a cell for every fit, ten times that along a path."""
        fits = 4 * (len(self.configurations()) + 1)
        return fits * (0.01 + 2e-6 * n * (d + c)) * (10 if self.iterations else 1)

    def session(self, task: Task) -> Session:
        return _ClassifierSession(self, task)


class _ClassifierSession(Session):
    def __init__(self, method: ClassifierMethod, task: Task) -> None:
        super().__init__(task)
        self._method = method

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return [self._path(config, folds) for config in self._method.configurations()]

    def _path(self, config: Config, folds: Sequence[Fold]) -> Path:
        points = tuple(self._method.iterations) or NO_PATH
        figures = np.empty((len(folds), len(points), 2))
        for f, fold in enumerate(folds):
            truth = known_targets(self.task, fold.validation, "validation")
            stages = self._scores(config, fold.fit, fold.validation, points)
            for point, scores in enumerate(stages):
                figures[f, point] = self.task.judge(scores, truth)
        return Path(config, points, figures[:, :, 0], figures[:, :, 1])

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return Prediction(self._scores(choice.config, train, test, (choice.iteration,))[-1])

    def _scores(self, config: Config, fit: IntArray, rows: IntArray, points: Sequence[int]) -> list[FloatArray]:
        """Class scores (m, n_classes) of ``rows`` at each of ``points``, fitted once, on ``fit``."""
        method, task = self._method, self.task
        classes = fit_classes(task, fit)
        if classes.single:
            return [classes.certain(len(rows))] * len(points)
        fitting = Fitting(n=len(fit), d=task.X.shape[1], c=len(classes.present), seed=task.seed % 2**32)
        classifier = prepared(method.classifier(dict(config), fitting), fitting.seed)
        if method.iterations:
            classifier = _going_to(classifier, method.iteration_parameter, points[-1])
        returned = method.fit(classifier, task.X[fit], classes.codes, fitting.seed)
        fitted = classifier if returned is None else returned
        X = task.X[rows]
        if not method.iterations:
            return [_expanded(class_scores(fitted, X, fitting.c), classes, len(rows))]
        stages = [_expanded(scores, classes, len(rows)) for scores in method.staged_scores(fitted, X, points)]
        if len(stages) != len(points):
            raise MethodError(f"{method.name}: staged_scores() gave {len(stages)} of {len(points)} points of the path")
        return stages


def prepared(classifier: Any, seed: int) -> Any:
    """``classifier`` with its free seeds set and one thread, at any depth; one without ``get_params`` as it is."""
    if not hasattr(classifier, "get_params"):
        return classifier
    parameters = classifier.get_params(deep=True)
    changes: dict[str, int] = {}
    for name, value in parameters.items():
        owner, _, parameter = name.rpartition("__")
        if parameter == "random_state" and value is None:
            changes[name] = seed
        elif parameter == "n_jobs" and value != 1:
            estimator = parameters[owner] if owner else classifier
            # None is one thread in scikit-learn, where some warn of any other value; elsewhere it is all cores.
            if value is not None or not type(estimator).__module__.startswith("sklearn."):
                changes[name] = 1
    return classifier.set_params(**changes) if changes else classifier


def class_scores(classifier: Any, X: FloatArray, c: int) -> FloatArray:
    """Shares of belief (m, c) of the rows X (m, d) by whatever the fitted classifier offers.

    ``predict_proba`` as it is; else ``decision_function`` through :func:`decision_scores`; else ``predict``, with all
    belief in the class predicted.
    """
    if hasattr(classifier, "predict_proba"):
        return np.asarray(classifier.predict_proba(X), dtype=np.float64)
    if hasattr(classifier, "decision_function"):
        return decision_scores(classifier.decision_function(X))
    return np.eye(c)[np.asarray(classifier.predict(X)).astype(np.int64)]


def decision_scores(decision: Any) -> FloatArray:
    """Decision values (m,) or (m, c) as shares of belief (m, c): their softmax, of (0, f) for two classes.

    The largest share is that of the largest value (of the second class if f > 0). Decision values have no unit, so
    Brier scores of such shares compare within the method only.
    """
    values = np.asarray(decision, dtype=np.float64)
    if values.ndim == 1:
        values = np.stack([np.zeros_like(values), values], axis=1)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _going_to(classifier: Any, parameter: str, iterations: int) -> Any:
    """``classifier`` set to go ``iterations`` far."""
    name = type(classifier).__name__
    if not hasattr(classifier, "get_params") or parameter not in classifier.get_params(deep=True):
        raise MethodError(
            f"{name} has no parameter {parameter!r} that sets the length of its path: name it in `iteration_parameter`"
        )
    return classifier.set_params(**{parameter: iterations})


def _expanded(scores: Any, classes: FitClasses, rows: int) -> FloatArray:
    shares = np.asarray(scores, dtype=np.float64)
    expected = (rows, len(classes.present))
    if shares.shape != expected:
        raise MethodError(
            f"the classifier's scores have shape {shares.shape}, expected {expected}: rows, fitted classes"
        )
    # FitClasses.expand asks for a positive share in every row; a row without any says nothing for or against a class.
    shares = np.maximum(shares, 0.0)
    shares[shares.max(axis=1) == 0] = 1 / len(classes.present)
    return classes.expand(shares)

"""Scikit-learn's estimators as methods: a class of a few lines, in a module or in a file of its own.

    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from bench.methods.plugin import EstimatorMethod, Fitting

    class NearestNeighbours(EstimatorMethod):
        name, title = "knn", "Nearest neighbours"
        grid = {"n_neighbors": [1, 5, 15], "weights": ["uniform", "distance"]}

        def classifier(self, config, fitting: Fitting):
            return KNeighborsClassifier(min(config["n_neighbors"], fitting.n), weights=config["weights"])

        def regressor(self, config, fitting: Fitting):
            return KNeighborsRegressor(min(config["n_neighbors"], fitting.n), weights=config["weights"])

The harness does the rest: it recodes the classes present among the fit rows, seeds, fits, turns what the estimator
predicts into class scores or numbers, judges them on the validation rows, and follows the iteration path where there is
one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from bench.errors import MethodError
from bench.methods.classes import FitClasses, fit_classes, known_targets, validation_targets
from bench.methods.judging import Judging
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind
from bench.records.method import Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

NO_PATH = (0,)
"""Iterations of a method without a path."""


Grid: TypeAlias = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]
"""Values by parameter, all combined, or a list of configurations."""


@dataclass(frozen=True)
class Fitting:
    """What one estimator is about to be fitted on: ``n`` rows, ``d`` features, ``c`` classes among them, a seed.

    For a regressor ``c`` is 1.
    """

    n: int
    d: int
    c: int
    seed: int


class EstimatorMethod(Method):
    """A method made of scikit-learn's estimators and a grid.

    Only ``name``, ``title`` and :meth:`classifier` or :meth:`regressor` must be given; which of them there are says
    what the method can predict.

    Features arrive as float64 (n, d), finite and standardised on the training part; labels as 0..c-1 without gaps, at
    least two classes; targets as float64, standardised on the training part. In every estimator, at any depth,
    ``random_state`` is set to the session's seed where it is None, and ``n_jobs`` to one: a job has one thread.
    """

    kinds: ClassVar[tuple[Kind, ...]] = ()
    grid: ClassVar[Grid] = {}
    """The configurations; the first one wins ties. Empty: one, fixed."""
    regression_grid: ClassVar[Grid | None] = None
    """Those of regression if they are others; None: the same."""
    iterations: ClassVar[tuple[int, ...]] = ()
    """Points of the iteration path, ascending (rounds, trees, epochs), if the estimator has one."""
    iteration_parameter: ClassVar[str] = "n_estimators"
    """The estimator's parameter that says how far it goes: the last point while tuning, the selected one afterwards."""

    def __init_subclass__(cls) -> None:
        """Find out what it predicts; refuse a grid or a path that would quietly be read as another one."""
        super().__init_subclass__()
        made: dict[Kind, bool] = {
            "classification": cls.classifier is not EstimatorMethod.classifier,
            "regression": cls.regressor is not EstimatorMethod.regressor,
        }
        cls.kinds = tuple(kind for kind, defined in made.items() if defined)
        for name, grid in (("grid", cls.grid), ("regression_grid", cls.regression_grid)):
            for parameter, values in grid.items() if isinstance(grid, Mapping) else ():
                if not isinstance(values, list | tuple):
                    raise ValueError(f"{name}: {parameter}: expected a list of values, got {values!r}")
        points = list(cls.iterations)
        if points != sorted({point for point in points if isinstance(point, int) and point > 0}):
            raise ValueError(f"iterations: expected ascending whole numbers above 0, got {cls.iterations!r}")

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        """A new, unfitted classifier for one configuration of the grid."""
        raise NotImplementedError(f"{self.name} has no classifier()")

    def regressor(self, config: Config, fitting: Fitting) -> Any:
        """A new, unfitted regressor for one configuration of the grid."""
        raise NotImplementedError(f"{self.name} has no regressor()")

    @property
    def probabilities(self) -> bool:
        """Whether the class scores come from ``predict_proba`` for every configuration."""
        if "classification" not in self.kinds:
            return False
        fitting = Fitting(n=100, d=10, c=2, seed=0)
        needed = ["predict_proba"]
        if self.iterations and type(self).staged_scores is EstimatorMethod.staged_scores:
            needed = [_STAGES[0]]
        classifiers = [self.classifier(config, fitting) for config in self.configurations()]
        return all(hasattr(classifier, name) for classifier in classifiers for name in needed)

    def fit(self, estimator: Any, X: FloatArray, y: IntArray | FloatArray, seed: int) -> Any:
        """``estimator``, fitted on X (n, d), y (n,): classes 0..c-1 or numbers.

        Another way than ``.fit(X, y)`` goes here.
        """
        return estimator.fit(X, y)

    def staged_scores(self, estimator: Any, X: FloatArray, iterations: Sequence[int]) -> Iterable[FloatArray]:
        """Class scores (m, c), or numbers (m,), of rows X after each of ``iterations``; fitted up to the last of them.

        Here from scikit-learn's ``staged_predict_proba`` or ``staged_decision_function``, or a regressor's
        ``staged_predict``, which yield after 1, 2, ... iterations. If the estimator stopped early, its last scores
        stand for the points it did not reach: fitted up to one of those it would be the same estimator.
        """
        name = next((name for name in _STAGES if hasattr(estimator, name)), None)
        if name is None:
            raise MethodError(
                f"{type(estimator).__name__} has none of {', '.join(_STAGES)}: "
                "define staged_scores(), or leave `iterations` empty"
            )
        stages = iter(getattr(estimator, name)(X))
        done, scores = 0, None
        for point in iterations:
            for stage in itertools.islice(stages, point - done):
                scores = decision_scores(stage) if name == "staged_decision_function" else np.asarray(stage)
            done = point
            if scores is None:
                raise MethodError(f"{type(estimator).__name__} yields no stage to score")
            yield scores

    def configurations(self) -> list[dict[str, Any]]:
        """The grid's configurations, in its order."""
        return _combined(self.grid)

    def regression_configurations(self) -> list[dict[str, Any]]:
        """Those of ``regression_grid``, if there is one."""
        return self.configurations() if self.regression_grid is None else _combined(self.regression_grid)

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
        return _EstimatorSession(self, task)


ClassifierMethod = EstimatorMethod
"""The name of before there were regressors, which plug-in files out there import."""


_STAGES = ("staged_predict_proba", "staged_decision_function", "staged_predict")
"""What scikit-learn's estimators have to say what they predict after 1, 2, ... iterations, best first."""


def _combined(grid: Grid) -> list[dict[str, Any]]:
    if isinstance(grid, Mapping):
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return [dict(config) for config in grid]


class _EstimatorSession(Session):
    def __init__(self, method: EstimatorMethod, task: Task) -> None:
        super().__init__(task)
        self._method = method

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return [self._path(config, folds) for config in self._method.configurations_for(self.task.kind)]

    def _path(self, config: Config, folds: Sequence[Fold]) -> Path:
        points = tuple(self._method.iterations) or NO_PATH
        judging = Judging(self.task, validation_targets(self.task, folds))
        for f, fold in enumerate(folds):
            stages = self._scores(config, fold.fit, fold.validation, points, CpuClock())
            for point, scores in enumerate(stages):
                judging.judge(0, f, point, scores)
        return judging.path(0, config, points)

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        scoring = CpuClock()
        scores = self._scores(choice.config, train, test, (choice.iteration,), scoring)[-1]
        return Prediction(scores, predict_seconds=scoring.seconds)

    def _scores(
        self, config: Config, fit: IntArray, rows: IntArray, points: Sequence[int], scoring: CpuClock
    ) -> list[FloatArray]:
        """Scores (m, width) of ``rows`` at each of ``points``, fitted once, on ``fit``; ``scoring`` times the rest."""
        if self.task.kind == "regression":
            targets = known_targets(self.task, fit, "fit")
            if (targets == targets[0]).all():
                return [np.full((len(rows), 1), targets[0])] * len(points)
            stages = self._stages(self._method.regressor, config, fit, targets, rows, points, scoring)
            return [_numbers(stage, len(rows)) for stage in stages]
        classes = fit_classes(self.task, fit)
        if classes.single:
            return [classes.certain(len(rows))] * len(points)
        stages = self._stages(self._method.classifier, config, fit, classes.codes, rows, points, scoring)
        return [_expanded(scores, classes, len(rows)) for scores in stages]

    def _stages(
        self,
        make: Callable[[Config, Fitting], Any],
        config: Config,
        fit: IntArray,
        y: IntArray | FloatArray,
        rows: IntArray,
        points: Sequence[int],
        scoring: CpuClock,
    ) -> list[Any]:
        """What an estimator fitted to ``y`` on the rows ``fit`` gives for ``rows``, at each of ``points``."""
        method, task = self._method, self.task
        c = len(np.unique(y)) if task.kind == "classification" else 1
        fitting = Fitting(n=len(fit), d=task.X.shape[1], c=c, seed=task.seed % 2**32)
        estimator = prepared(make(dict(config), fitting), fitting.seed)
        if method.iterations:
            estimator = _going_to(estimator, method.iteration_parameter, points[-1])
        returned = method.fit(estimator, task.X[fit], y, fitting.seed)
        fitted, X = estimator if returned is None else returned, task.X[rows]
        with scoring:
            if not method.iterations:
                return [class_scores(fitted, X, c) if task.kind == "classification" else fitted.predict(X)]
            stages = list(method.staged_scores(fitted, X, points))
        if len(stages) != len(points):
            raise MethodError(f"{method.name}: staged_scores() gave {len(stages)} of {len(points)} points of the path")
        return stages


def _numbers(predicted: Any, rows: int) -> FloatArray:
    numbers = np.asarray(predicted, dtype=np.float64)
    if numbers.shape not in ((rows,), (rows, 1)):
        raise MethodError(f"the regressor's predictions have shape {numbers.shape}, expected {(rows,)}: one a row")
    return numbers.reshape(rows, 1)


def prepared(estimator: Any, seed: int) -> Any:
    """``estimator`` with its free seeds set and one thread, at any depth; one without ``get_params`` as it is."""
    if not hasattr(estimator, "get_params"):
        return estimator
    parameters = estimator.get_params(deep=True)
    changes: dict[str, int] = {}
    for name, value in parameters.items():
        owner, _, parameter = name.rpartition("__")
        if parameter == "random_state" and value is None:
            changes[name] = seed
        elif parameter == "n_jobs" and value != 1:
            part = parameters[owner] if owner else estimator
            # None is one thread in scikit-learn, where some warn of any other value; elsewhere it is all cores.
            if value is not None or not type(part).__module__.startswith("sklearn."):
                changes[name] = 1
    return estimator.set_params(**changes) if changes else estimator


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


def _going_to(estimator: Any, parameter: str, iterations: int) -> Any:
    """``estimator`` set to go ``iterations`` far."""
    name = type(estimator).__name__
    if not hasattr(estimator, "get_params") or parameter not in estimator.get_params(deep=True):
        raise MethodError(
            f"{name} has no parameter {parameter!r} that sets the length of its path: name it in `iteration_parameter`"
        )
    return estimator.set_params(**{parameter: iterations})


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

"""Scikit-learn estimators as methods: whatever they offer becomes scores and paths that keep the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from xgboost import XGBClassifier

from bench.errors import MethodError
from bench.methods.contract import check_method
from bench.methods.plugin import EstimatorMethod, Fitting, decision_scores, prepared
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import HIDDEN, Choice, Config, Fold, Task


class Probabilities(EstimatorMethod):
    name, title = "knn", "Nearest neighbours"
    grid = {"n_neighbors": [1, 5], "weights": ["uniform", "distance"]}

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return KNeighborsClassifier(min(config["n_neighbors"], fitting.n), weights=config["weights"])

    def regressor(self, config: Config, fitting: Fitting) -> Any:
        return KNeighborsRegressor(min(config["n_neighbors"], fitting.n), weights=config["weights"])


class Decisions(EstimatorMethod):
    name, title = "ridge", "Ridge"
    grid = [{"alpha": 1.0}, {"alpha": 10.0}]

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return RidgeClassifier(**config)

    def regressor(self, config: Config, fitting: Fitting) -> Any:
        return Ridge(**config)


class OnlyPredicts:
    """The least an estimator can do: what the nearest row has. Its ``fit`` returns nothing."""

    def fit(self, X: FloatArray, y: IntArray | FloatArray) -> None:
        self.X, self.y = X, y

    def predict(self, X: FloatArray) -> IntArray | FloatArray:
        nearest = ((X[:, None] - self.X[None]) ** 2).sum(axis=2).argmin(axis=1)
        return self.y[nearest]


class Predictions(EstimatorMethod):
    name, title = "nearest", "Nearest row"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return OnlyPredicts()

    regressor = classifier


class Staged(EstimatorMethod):
    name, title = "boosting", "Boosting"
    grid = {"learning_rate": [0.3, 0.1]}
    regression_grid = {"learning_rate": [0.5]}
    iterations = (1, 3, 8)

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return GradientBoostingClassifier(max_depth=2, subsample=0.8, **config)

    def regressor(self, config: Config, fitting: Fitting) -> Any:
        return GradientBoostingRegressor(max_depth=2, subsample=0.8, **config)


class OtherParameter(EstimatorMethod):
    name, title = "hist", "Histogram boosting"
    grid = {"min_samples_leaf": [2]}
    iterations = (2, 6)
    iteration_parameter = "max_iter"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return HistGradientBoostingClassifier(**config)


class Piped(EstimatorMethod):
    name, title = "piped", "Quantiles, then a forest"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return make_pipeline(QuantileTransformer(n_quantiles=min(10, fitting.n)), RandomForestClassifier(5, n_jobs=-1))


class NumbersOnly(EstimatorMethod):
    name, title = "linear", "Linear"
    regression_grid = [{"alpha": 0.1}]
    regressor = Decisions.regressor


@pytest.mark.parametrize("kind", [Probabilities, Decisions, Predictions, Staged, OtherParameter, Piped, NumbersOnly])
def test_it_keeps_the_contract(kind: type[EstimatorMethod]) -> None:
    assert check_method(kind()) == []


def test_what_a_method_predicts_follows_from_what_it_defines() -> None:
    class ClassesOnly(EstimatorMethod):
        name, title = "classes", "Classes"

        def classifier(self, config: Config, fitting: Fitting) -> Any:
            return LogisticRegression()

    assert EstimatorMethod.kinds == ()
    assert ClassesOnly.kinds == ("classification",)
    assert NumbersOnly.kinds == ("regression",)
    assert Staged.kinds == ("classification", "regression")
    assert Staged().configurations_for("regression") == [{"learning_rate": 0.5}]
    assert Decisions().configurations_for("regression") == Decisions().configurations()


def test_probabilities_are_what_predict_proba_gives() -> None:
    assert all(method().probabilities is True for method in (Probabilities, Staged, Piped))
    assert all(method().probabilities is False for method in (Decisions, Predictions, NumbersOnly))


def test_a_classifier_that_stops_early_keeps_its_path_and_fails_where_it_does() -> None:
    class StopsEarly(EstimatorMethod):
        """AdaBoost ends with the first tree that makes no mistake: on easy tables at once."""

        name, title = "adaboost", "AdaBoost"
        iterations = (2, 10)

        def classifier(self, config: Config, fitting: Fitting) -> Any:
            return AdaBoostClassifier()

    pickle, breach = check_method(StopsEarly())
    assert pickle.startswith("pickle")  # no other process can import a class of a function
    assert breach.startswith("all constant (classification): raised ValueError: BaseClassifier in AdaBoostClassifier")


def task(labels: Sequence[int], n_classes: int, seed: int = 3) -> Task:
    y = np.array([*labels, HIDDEN], dtype=np.int64)
    X = np.random.default_rng(0).normal(size=(len(y), 2)) + y[:, None]
    return Task(X=X, y=y, n_classes=n_classes, seed=seed)


def test_what_the_classifier_is_told_of_its_rows_and_classes() -> None:
    told: list[Any] = []

    class Listens(Predictions):
        def classifier(self, config: Config, fitting: Fitting) -> Any:
            told.append(fitting)
            return super().classifier(config, fitting)

        def fit(self, estimator: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
            told.append((X.shape, y.tolist(), seed))
            return super().fit(estimator, X, y, seed)

    session = Listens().session(task([0, 3, 3, 1], n_classes=4))
    scores = session.predict(Choice({}, 0), np.array([0, 1, 2]), np.array([4])).scores
    assert told == [Fitting(n=3, d=2, c=2, seed=3), ((3, 2), [0, 1, 1], 3)]
    assert scores.shape == (1, 4)
    assert scores[0, [1, 2]].tolist() == [0.0, 0.0]


def test_seeds_and_threads_are_set_at_any_depth_and_a_chosen_seed_stays() -> None:
    pipe = prepared(make_pipeline(QuantileTransformer(random_state=7), RandomForestClassifier(n_jobs=4)), 11)
    parameters = pipe.get_params()
    assert parameters["quantiletransformer__random_state"] == 7
    assert parameters["randomforestclassifier__random_state"] == 11
    assert parameters["randomforestclassifier__n_jobs"] == 1
    plain = make_pipeline(LogisticRegression())
    assert prepared(plain, 11).get_params()["logisticregression__n_jobs"] is None  # one thread as it is
    assert prepared(XGBClassifier(), 11).n_jobs == 1
    bare = OnlyPredicts()
    assert prepared(bare, 11) is bare


def test_a_path_is_fitted_once_and_agrees_with_shorter_fits() -> None:
    lengths: list[int] = []

    class Counted(Staged):
        def fit(self, estimator: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
            lengths.append(estimator.n_estimators)
            return super().fit(estimator, X, y, seed)

    session = Counted().session(task([0, 1] * 10, n_classes=2))
    fold = Fold(fit=np.arange(14), validation=np.arange(14, 20))
    paths = session.tune([fold])
    assert lengths == [8, 8]
    assert [path.iterations for path in paths] == [(1, 3, 8)] * 2
    session.predict(Choice(paths[0].config, 3), fold.fit, fold.validation)
    assert lengths == [8, 8, 3]


def numbers(n: int = 20, seed: int = 3) -> Task:
    draws = np.random.default_rng(0)
    X = draws.normal(size=(n, 2))
    return Task(X=X, y=X[:, 0] + 0.1 * draws.normal(size=n), n_classes=0, seed=seed)


@pytest.mark.parametrize("rounds", [0, *Staged.iterations])
def test_a_regressors_predictions_are_the_scores(rounds: int) -> None:
    """Without a path, and after so many rounds of one."""
    method: EstimatorMethod = Decisions()
    config, regressor = {"alpha": 1.0}, Ridge(alpha=1.0)
    if rounds:
        method, config = Staged(), {"learning_rate": 0.5}
        settings = {"max_depth": 2, "subsample": 0.8, "n_estimators": rounds, "random_state": 3}
        regressor = GradientBoostingRegressor(**settings, **config)
    table, fit, rows = numbers(), np.arange(15), np.arange(15, 20)
    scores = method.session(table).predict(Choice(config, rounds), fit, rows).scores
    np.testing.assert_array_equal(scores[:, 0], regressor.fit(table.X[fit], table.y[fit]).predict(table.X[rows]))


finite = st.floats(-50, 50, allow_nan=False)


@given(arrays(np.float64, (5, 3), elements=finite))
def test_the_largest_decision_value_has_the_largest_share(decision: FloatArray) -> None:
    shares = decision_scores(decision)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    rows = np.arange(len(decision))
    np.testing.assert_allclose(decision[rows, shares.argmax(axis=1)], decision.max(axis=1), atol=1e-12)


@given(arrays(np.float64, (7,), elements=finite))
def test_two_classes_are_told_apart_by_the_sign(decision: FloatArray) -> None:
    shares = decision_scores(decision)
    clear = np.abs(decision) > 1e-12
    assert (shares.argmax(axis=1) == (decision > 0))[clear].all()
    np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-decision)))


def changed(base: type[EstimatorMethod], **parts: Any) -> EstimatorMethod:
    return type("Changed", (base,), parts)()


def giving(shares: Callable[[FloatArray], FloatArray]) -> Callable[..., Any]:
    """A ``fit`` after which the classifier gives rows these ``shares``."""

    def fit(method: EstimatorMethod, estimator: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
        estimator.predict_proba = shares
        return estimator

    return fit


def test_rows_that_no_class_has_a_share_of_go_to_a_class_that_was_fitted() -> None:
    undecided = changed(Probabilities, fit=giving(lambda rows: np.zeros((len(rows), 2))))
    choice = Choice({"n_neighbors": 1, "weights": "uniform"}, 0)
    scores = undecided.session(task([1, 2, 2], n_classes=3)).predict(choice, np.array([0, 1, 2]), np.array([3])).scores
    assert scores.tolist() == [[0.0, 0.5, 0.5]]


def test_an_estimator_that_does_not_fit_is_an_error_that_says_how() -> None:
    classes, fold = task([0, 1] * 3, n_classes=2), Fold(fit=np.arange(5), validation=np.array([5]))
    none = "RidgeClassifier has none of staged_predict_proba, staged_decision_function, staged_predict"
    one_short = changed(Staged, staged_scores=lambda *args: list(EstimatorMethod.staged_scores(*args))[:-1])
    two_numbers = changed(NumbersOnly, fit=lambda _, model, X, y, seed: model.fit(X, np.stack([y, y], axis=1)))
    other = changed(Staged, iteration_parameter="rounds")
    for method, learned, says in (
        (changed(Decisions, iterations=(1, 2), iteration_parameter="alpha"), classes, none),
        (other, classes, "GradientBoostingClassifier has no parameter 'rounds'"),
        (changed(Decisions, fit=giving(lambda X: np.ones((len(X), 5)))), classes, r"shape \(1, 5\), expected \(1, 2\)"),
        (changed(Decisions, fit=giving(lambda X: np.ones((0, 2)))), classes, r"shape \(0, 2\), expected \(1, 2\)"),
        (one_short, classes, r"staged_scores\(\) gave 2 of 3 points"),
        (two_numbers, numbers(), r"predictions have shape \(1, 2\), expected \(1,\)"),
    ):
        with pytest.raises(MethodError, match=says):
            method.session(learned).tune([fold])


def test_estimates_grow_with_the_path() -> None:
    assert Staged().work(100, 5, 2) > Decisions().work(100, 5, 2)
    assert Staged().peak_bytes(10_000, 5, 2) > Decisions().peak_bytes(10_000, 5, 2)

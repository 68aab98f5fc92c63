"""Scikit-learn classifiers as methods: whatever they offer becomes class scores and paths that keep the contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from xgboost import XGBClassifier

from bench.errors import MethodError
from bench.methods.contract import check_method
from bench.methods.plugin import ClassifierMethod, Fitting, decision_scores, prepared
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import HIDDEN, Choice, Config, Fold, Method, Task


class Probabilities(ClassifierMethod):
    name, title = "knn", "Nearest neighbours"
    grid = {"n_neighbors": [1, 5], "weights": ["uniform", "distance"]}

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return KNeighborsClassifier(min(config["n_neighbors"], fitting.n), weights=config["weights"])


class Decisions(ClassifierMethod):
    name, title = "ridge", "Ridge"
    grid = [{"alpha": 1.0}, {"alpha": 10.0}]

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return RidgeClassifier(**config)


class OnlyPredicts:
    """The least a classifier can do: the class of the nearest row. Its ``fit`` returns nothing."""

    def fit(self, X: FloatArray, y: IntArray) -> None:
        self.X, self.y = X, y

    def predict(self, X: FloatArray) -> IntArray:
        nearest = ((X[:, None] - self.X[None]) ** 2).sum(axis=2).argmin(axis=1)
        return self.y[nearest]


class Predictions(ClassifierMethod):
    name, title = "nearest", "Nearest row"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return OnlyPredicts()


class Staged(ClassifierMethod):
    name, title = "boosting", "Boosting"
    grid = {"learning_rate": [0.3, 0.1]}
    iterations = (1, 3, 8)

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return GradientBoostingClassifier(max_depth=2, subsample=0.8, **config)


class StopsEarly(ClassifierMethod):
    """AdaBoost ends with the first tree that makes no mistake: on easy tables at once."""

    name, title = "adaboost", "AdaBoost"
    iterations = (2, 10)

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return AdaBoostClassifier()


class OtherParameter(ClassifierMethod):
    name, title = "hist", "Histogram boosting"
    grid = {"min_samples_leaf": [2]}
    iterations = (2, 6)
    iteration_parameter = "max_iter"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return HistGradientBoostingClassifier(**config)


class Piped(ClassifierMethod):
    name, title = "piped", "Quantiles, then a forest"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return make_pipeline(QuantileTransformer(n_quantiles=min(10, fitting.n)), RandomForestClassifier(20, n_jobs=-1))


@pytest.mark.parametrize("kind", [Probabilities, Decisions, Predictions, Staged, OtherParameter, Piped])
def test_it_keeps_the_contract(kind: type[ClassifierMethod]) -> None:
    assert check_method(kind()) == []


def test_a_classifier_that_stops_early_keeps_its_path_and_fails_where_it_does() -> None:
    (breach,) = check_method(StopsEarly())
    assert breach.startswith("all constant: raised ValueError: BaseClassifier in AdaBoostClassifier")


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

        def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
            told.append((X.shape, y.tolist(), seed))
            return super().fit(classifier, X, y, seed)

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
        def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
            lengths.append(classifier.n_estimators)
            return super().fit(classifier, X, y, seed)

    session = Counted().session(task([0, 1] * 10, n_classes=2))
    fold = Fold(fit=np.arange(14), validation=np.arange(14, 20))
    paths = session.tune([fold])
    assert lengths == [8, 8]
    assert [path.iterations for path in paths] == [(1, 3, 8)] * 2
    session.predict(Choice(paths[0].config, 3), fold.fit, fold.validation)
    assert lengths == [8, 8, 3]


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


def test_rows_that_no_class_has_a_share_of_go_to_a_class_that_was_fitted() -> None:
    class Undecided(Probabilities):
        def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
            classifier.predict_proba = lambda rows: np.zeros((len(rows), 2))
            return classifier

    scores = Undecided().session(task([1, 2, 2], n_classes=3)).predict(
        Choice({"n_neighbors": 1, "weights": "uniform"}, 0), np.array([0, 1, 2]), np.array([3])
    ).scores  # fmt: skip
    assert scores.tolist() == [[0.0, 0.5, 0.5]]


class NoStages(Decisions):
    iterations = (1, 2)
    iteration_parameter = "alpha"


class NoSuchParameter(Staged):
    iteration_parameter = "rounds"


class WrongShape(Decisions):
    def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
        classifier.predict_proba = lambda rows: np.ones((len(rows), 5))
        return classifier


class TooFewStages(Staged):
    def staged_scores(self, classifier: Any, X: FloatArray, iterations: Sequence[int]) -> Iterable[FloatArray]:
        return list(super().staged_scores(classifier, X, iterations))[:-1]


class OneRowShort(ClassifierMethod):
    name, title = "short", "Short"

    def classifier(self, config: Config, fitting: Fitting) -> Any:
        return LogisticRegression()

    def fit(self, classifier: Any, X: FloatArray, y: IntArray, seed: int) -> Any:
        fitted = classifier.fit(X, y)
        whole = fitted.predict_proba
        fitted.predict_proba = lambda rows: whole(rows)[:-1]
        return fitted


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (NoStages(), "neither staged_predict_proba nor staged_decision_function"),
        (NoSuchParameter(), "GradientBoostingClassifier has no parameter 'rounds'"),
        (WrongShape(), r"shape \(1, 5\), expected \(1, 2\)"),
        (TooFewStages(), r"staged_scores\(\) gave 2 of 3 points"),
        (OneRowShort(), r"shape \(0, 2\), expected \(1, 2\)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Method) else "",
)
def test_a_classifier_that_does_not_fit_is_an_error_that_says_how(method: ClassifierMethod, says: str) -> None:
    fold = Fold(fit=np.arange(5), validation=np.array([5]))
    with pytest.raises(MethodError, match=says):
        method.session(task([0, 1] * 3, n_classes=2)).tune([fold])


def test_estimates_grow_with_the_path() -> None:
    assert Staged().work(100, 5, 2) > Decisions().work(100, 5, 2)
    assert Staged().peak_bytes(10_000, 5, 2) > Decisions().peak_bytes(10_000, 5, 2)

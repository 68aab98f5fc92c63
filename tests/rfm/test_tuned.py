"""What the estimators that tune themselves promise beyond scikit-learn's contract."""

from __future__ import annotations

import doctest
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rfm.tuned
from rfm import (
    KernelRidgeClassifierCV,
    KernelRidgeRegressorCV,
    RFMClassifier,
    RFMClassifierCV,
    RFMRegressor,
    RFMRegressorCV,
)
from rfm.calibration import fit_inverse_temperature
from rfm.selection import tuning_rows

Array = NDArray[np.float64]
CLASSIFIERS = [RFMClassifierCV, KernelRidgeClassifierCV]
REGRESSORS = [RFMRegressorCV, KernelRidgeRegressorCV]
SMALL: dict[str, Any] = {"ridges": (1.0, 0.01), "unit_norms": (False,)}


def wine(every: int = 2) -> tuple[Array, NDArray[Any]]:
    X, y = load_wine(return_X_y=True)
    return X[::every], y[::every]


def noisy(n: int = 120, seed: int = 0) -> tuple[Array, NDArray[Any]]:
    """Three classes that no method separates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.array(["a", "b", "c"])[np.digitize(X[:, 0] + rng.normal(size=n), [-0.5, 0.7])]


def frame(n: int = 90, seed: int = 0) -> tuple[pd.DataFrame, NDArray[Any]]:
    """A number with holes, a category that decides, and a label."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], size=n)
    size = rng.normal(size=n)
    size[::7] = np.nan
    label = np.where(colour == "red", "yes", "no")
    return pd.DataFrame({"size": size, "colour": pd.Categorical(colour)}), label


class Centred(RFMRegressor):
    """Fitted to one-hot targets minus their mean."""

    def fit(self, X: Any, y: Any, validation: Any = None) -> Any:
        self.mean_ = y.mean(axis=0)
        return super().fit(X, y - self.mean_)

    def predict(self, X: Any) -> Any:
        return super().predict(X) + self.mean_


def test_selection_by_accuracy_is_scikit_learns_grid_search() -> None:
    """Fold by fold, of plain kernel ridge regression behind a scaler in a pipeline."""
    X, y = noisy()
    cv = StratifiedKFold(4, shuffle=True, random_state=1)
    tuned = RFMClassifierCV(**SMALL, iterations=0, scoring="accuracy", cv=cv).fit(X, y)

    def accuracy(model: Any, rows: Array, truth: Array) -> float:
        return float(np.mean(model.predict(rows).argmax(axis=1) == truth.argmax(axis=1)))

    pipeline = make_pipeline(StandardScaler(), Centred(iterations=0))
    one_hot = (y[:, None] == np.unique(y)).astype(float)
    search = GridSearchCV(pipeline, {"centred__ridge": [1.0, 0.01]}, scoring=accuracy, cv=list(cv.split(X, y)))
    search.fit(X, one_hot)
    splits = [f"split{k}_test_score" for k in range(4)]
    for name in (*splits, "mean_test_score", "std_test_score", "rank_test_score"):
        assert np.allclose(tuned.cv_results_[name], search.cv_results_[name])
    assert tuned.best_params_["ridge"] == search.best_params_["centred__ridge"]


def test_cv_results_agree_with_one_another() -> None:
    X, y = wine()
    model = RFMClassifierCV(**SMALL, iterations=2).fit(X, y)
    found = model.cv_results_
    assert len(found["params"]) == 2 * 3
    assert [point["ridge"] for point in found["params"]] == list(found["param_ridge"])
    assert model.best_params_ == found["params"][model.best_index_]
    assert model.best_score_ == found["mean_test_score"].max() == found["mean_test_score"][model.best_index_]
    assert found["rank_test_score"][model.best_index_] == 1
    assert np.array_equal(model.weights_, np.eye(6)[model.best_index_])
    assert model.members_ == [(1.0, model.best_params_)]
    RFMClassifier(**model.best_params_).fit(X, y)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_probabilities_are_calibrated_and_agree_with_predictions(kind: Any) -> None:
    X, y = noisy(300)
    new, truth = noisy(600, seed=1)
    model = kind().fit(X, y)
    P = model.predict_proba(new)
    assert np.allclose(P.sum(axis=1), 1.0)
    assert (P > 0).all()
    assert np.array_equal(model.classes_[P.argmax(axis=1)], model.predict(new))
    assert P.max(axis=1).mean() == pytest.approx(np.mean(model.predict(new) == truth), abs=0.06)
    _, counts = np.unique(y, return_counts=True)
    assert log_loss(truth, P) < log_loss(truth, np.tile(counts / len(y), (len(new), 1)))


def test_the_temperature_has_the_least_log_loss() -> None:
    """Of many rows, so that the pseudo-row does not count; weights weigh the rows."""
    rng = np.random.default_rng(0)
    scores, codes = rng.normal(size=(4000, 3)), rng.integers(0, 3, size=4000)
    scores[np.arange(4000), codes] += 0.8
    weights = rng.integers(1, 3, size=4000).astype(float)

    def loss(b: float) -> float:
        return float(log_loss(codes, softmax(b * scores, axis=1), sample_weight=weights))

    found = fit_inverse_temperature(scores, codes, weights)
    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.1, 5.0), method="bounded").x, rel=0.01)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_probabilities_stay_finite_where_all_rows_are_classified_rightly(kind: Any) -> None:
    X = np.repeat([[0.0], [10.0]], 20, axis=0)
    model = kind(**SMALL).fit(X, np.repeat([0, 1], 20))
    assert 1.0 < model.inverse_temperature_ < 100.0
    assert (model.predict_proba(X).max(axis=1) < 1.0).all()


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
@pytest.mark.parametrize("ensemble", [False, True])
def test_scores_are_the_weighted_mean_of_the_members(kind: Any, ensemble: bool) -> None:
    """Of machines fitted to centred targets, those of regression in units of their deviation, on prepared rows."""
    X, y = noisy() if kind in CLASSIFIERS else load_diabetes(return_X_y=True)
    X, y = X[:100], y[:100]
    model = kind(bandwidths=(3.0, 10.0), ensemble=ensemble).fit(X, y)
    assert sum(model.weights_) == pytest.approx(1.0)
    assert len(model.members_) == np.count_nonzero(model.weights_)
    assert ensemble or len(model.members_) == 1
    targets = (y[:, None] == np.unique(y)).astype(float) if kind in CLASSIFIERS else y[:, None]
    scale = 1.0 if kind in CLASSIFIERS else targets.std()
    rows = StandardScaler().fit_transform(X)
    total = np.zeros_like(targets)
    for weight, point in model.members_:
        single = RFMRegressor(**{"iterations": 0} | point, metric_scaling="none", dtype="float64")
        total += weight * single.fit(rows, (targets - targets.mean(axis=0)) / scale).predict(rows)
    assert np.allclose(model._scores(X), targets.mean(axis=0) + scale * total)


def test_ensemble_has_no_larger_error_out_of_fold_than_the_best_point() -> None:
    X, y = load_diabetes(return_X_y=True)
    cv = PredefinedSplit(np.arange(150) % 3)
    model = RFMRegressorCV(ensemble=True, cv=cv).fit(X[:150], y[:150])
    mean = np.zeros(150)
    for weight, point in model.members_:
        for k in range(3):
            fit, held = np.arange(150) % 3 != k, np.arange(150) % 3 == k
            scaler = StandardScaler().fit(X[:150][fit])
            centre, scale = y[:150][fit].mean(), y[:150][fit].std()
            single = RFMRegressor(**point, metric_scaling="none")
            single.fit(scaler.transform(X[:150][fit]), (y[:150][fit] - centre) / scale)
            mean[held] += weight * (centre + scale * single.predict(scaler.transform(X[:150][held])))
    assert np.mean((mean - y[:150]) ** 2) / y[:150].var() <= model.cv_results_["mean_squared_error"].min() + 1e-4


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
@pytest.mark.parametrize("ensemble", [False, True])
def test_integer_weights_equal_repeated_rows(kind: Any, ensemble: bool) -> None:
    rng = np.random.default_rng(3)
    X, y = noisy(60) if kind in CLASSIFIERS else load_diabetes(return_X_y=True)
    X, y = X[:60].copy(), y[:60]
    X[rng.random(X.shape) < 0.1] = np.nan
    weights = rng.integers(0, 4, size=60)
    fold = np.arange(60) % 3
    copies = np.repeat(np.arange(60), weights)
    everyone = np.arange(60)
    weighted = kind(ensemble=ensemble, cv=[(everyone[fold != k], everyone[fold == k]) for k in range(3)])
    weighted.fit(X, y, weights)
    repeated = kind(ensemble=ensemble, cv=PredefinedSplit(fold[copies])).fit(X[copies], y[copies])
    for name in ("mean_test_score", "mean_squared_error"):
        assert np.allclose(weighted.cv_results_[name], repeated.cv_results_[name], rtol=1e-6)
    assert weighted.members_ == repeated.members_
    assert np.allclose(weighted._scores(X), repeated._scores(X), rtol=1e-6, atol=1e-6)
    if kind in CLASSIFIERS:
        assert weighted.inverse_temperature_ == pytest.approx(repeated.inverse_temperature_, rel=1e-6)


def test_equal_weights_divide_the_ridge() -> None:
    X, y = noisy()
    weighted = RFMClassifierCV(ridges=(1.0, 0.1)).fit(X, y, np.full(len(X), 10.0))
    plain = RFMClassifierCV(ridges=(0.1, 0.01)).fit(X, y)
    assert weighted.best_params_["ridge"] == pytest.approx(10 * plain.best_params_["ridge"])
    assert np.allclose(weighted._scores(X), plain._scores(X))


def test_large_weights_decide() -> None:
    """Contradicting labels at equal rows: the heavier ones win."""
    X = np.repeat(np.arange(10.0), 2)[:, None]
    y = np.tile([0, 1], 10)
    weights = np.where(y == (X[:, 0] > 4), 5.0, 1.0)
    fold = [(np.arange(20), np.arange(20))]
    model = RFMClassifierCV(ridges=(0.1,), cv=fold).fit(X, y, weights)
    assert np.array_equal(model.predict(X), X[:, 0] > 4)


@pytest.mark.parametrize("weights", [np.zeros(120), np.r_[-1.0, np.ones(119)], np.ones(119)])
def test_bad_weights_are_refused(weights: Array) -> None:
    X, y = noisy()
    with pytest.raises(ValueError, match=r"[Ss]ample.?weight|Negative values"):
        RFMClassifierCV(**SMALL).fit(X, y, sample_weight=weights)


def test_pandas_categories_are_found_and_texts_are_not() -> None:
    X, y = frame()
    model = RFMClassifierCV(**SMALL).fit(X, y)
    assert np.mean(model.predict(X) == y) == 1.0
    assert model.feature_importances_.shape == (2,)
    assert model.feature_importances_.sum() == pytest.approx(1.0)
    texts = X.astype({"colour": str})
    with pytest.raises(ValueError, match=r"column 'colour' of X holds text.*categorical_features"):
        RFMClassifierCV(**SMALL).fit(texts, y)
    with pytest.raises(ValueError, match=r"column 1 of X holds text.*categorical_features"):
        RFMClassifierCV(**SMALL).fit(texts.to_numpy(dtype=object), y)


@pytest.mark.parametrize("asked", [["colour"], [1], [-1], [False, True], "colour", np.array([False, True])])
def test_categories_are_named_in_every_way(asked: Any) -> None:
    X, y = frame()
    expected = RFMClassifierCV(**SMALL).fit(X, y).predict_proba(X)
    texts = X.astype({"colour": str})
    found = RFMClassifierCV(**SMALL, categorical_features=asked).fit(texts, y).predict_proba(texts)
    assert np.allclose(found, expected)
    if not isinstance(asked, str) and not isinstance(asked[0], str):
        table = texts.to_numpy(dtype=object)
        model = RFMClassifierCV(**SMALL, categorical_features=asked).fit(table, y)
        assert np.allclose(model.predict_proba(table), expected)


@pytest.mark.parametrize("asked", [["weight"], [2], [True], [1.5], ["colour", "x"], 7])
def test_columns_that_are_not_there_are_named(asked: Any) -> None:
    X, y = frame()
    with pytest.raises(ValueError, match="categorical_features"):
        RFMClassifierCV(**SMALL, categorical_features=asked).fit(X, y)


def test_numbers_can_be_categories_and_their_order_does_not_count() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, size=(120, 1)).astype(float)
    y = np.isin(codes[:, 0], [0, 2, 4])
    shuffled = np.array([3.0, 5.0, 1.0, 0.0, 2.0, 4.0])[codes.astype(int)]
    model = KernelRidgeClassifierCV(categorical_features=[0])
    assert np.allclose(model.fit(codes, y).predict_proba(codes), model.fit(shuffled, y).predict_proba(shuffled))
    assert model.best_score_ > -0.1


def test_a_category_of_new_rows_alone_counts_as_none() -> None:
    X, y = frame()
    model = RFMClassifierCV(**SMALL).fit(X, y)
    new = pd.DataFrame({"size": [0.0, np.nan], "colour": pd.Categorical(["violet", None])})
    assert np.isfinite(model.predict_proba(new)).all()
    rows = model._preparation(np.array([[0.0, -1.0], [np.nan, np.nan]]))
    assert np.array_equal(rows[0, 2:], np.zeros(3))


def test_a_missing_category_is_one_and_missing_numbers_are_marked() -> None:
    X, y = frame()
    X.loc[y == "yes", "colour"] = None
    X["colour"] = X["colour"].astype("category")
    model = KernelRidgeClassifierCV(**SMALL).fit(X, y)
    assert np.mean(model.predict(X) == y) == 1.0
    hole = np.where(np.arange(80) % 2, np.nan, 1.0)[:, None]
    assert np.mean(KernelRidgeClassifierCV().fit(hole, np.arange(80) % 2).predict(hole) == np.arange(80) % 2) == 1.0


def test_all_columns_may_be_categories_and_more_of_them_than_rows() -> None:
    rng = np.random.default_rng(0)
    key = np.array([f"id{k}" for k in range(60)], dtype=object)
    group = rng.choice(["x", "y"], size=60)
    table = np.stack([key, group.astype(object), key[::-1], np.roll(key, 7)], axis=1)
    model = RFMClassifierCV(categorical_features=[0, 1, 2, 3]).fit(table, group)
    fresh = table.copy()
    fresh[:, [0, 2, 3]] = "unseen"
    assert np.mean(model.predict(fresh) == group) > 0.9
    assert model.feature_importances_.shape == (4,)


def test_of_very_many_categories_the_rarest_share_a_column() -> None:
    table = np.r_[np.arange(400), np.arange(200)][:, None].astype(float)
    model = KernelRidgeRegressorCV(**SMALL, categorical_features=[0]).fit(table, table[:, 0])
    assert model._preparation(table).shape == (600, 255)


def test_a_column_without_any_number_does_no_harm() -> None:
    X, y = wine()
    empty = np.column_stack([X, np.full(len(X), np.nan)])
    model = RFMClassifierCV(**SMALL).fit(empty, y)
    assert np.mean(model.predict(empty) == y) > 0.95
    filled = np.column_stack([X, np.arange(len(X))])
    assert np.isfinite(model.predict_proba(filled)).all()


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e300])
def test_numbers_beyond_bounds_are_refused(bad: float) -> None:
    X, y = wine()
    wrong = X.copy()
    wrong[3, 2] = bad
    with pytest.raises(ValueError, match=r"infinity|column 2 of X .* exceeds float64"):
        RFMClassifierCV(**SMALL).fit(wrong, y)
    model = RFMClassifierCV(**SMALL).fit(X, y)
    if np.isinf(bad):
        with pytest.raises(ValueError, match="infinity"):
            model.predict(wrong)


def test_columns_of_another_frame_are_refused() -> None:
    X, y = frame()
    model = RFMClassifierCV(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["colour", "size"]])
    with pytest.raises(ValueError, match="feature"):
        model.predict(X[["size"]])


def test_one_class_and_classes_of_one_row() -> None:
    X, y = noisy(30)
    with pytest.raises(ValueError, match="1 class only"):
        RFMClassifierCV().fit(X, np.zeros(30))
    with pytest.raises(ValueError, match="1 class only"):
        RFMClassifierCV().fit(X, y, sample_weight=(y == "a").astype(float))
    with pytest.raises(ValueError, match="every class of y has 1 row only"):
        RFMClassifierCV().fit(X[:3], [0, 1, 2])
    rare = np.array(["common"] * 26 + ["pair"] * 2 + ["third"] + ["single"])
    model = RFMClassifierCV(**SMALL).fit(X, rare)
    assert list(model.classes_) == ["common", "pair", "single", "third"]
    assert model.n_splits_ == 5
    few = RFMClassifierCV(**SMALL).fit(X[:6], [0, 0, 0, 1, 1, 1])
    assert few.n_splits_ == 3


def test_selection_on_a_sample_and_fit_on_all() -> None:
    X, y = noisy(200)
    model = RFMClassifierCV(**SMALL, max_tuning_samples=60, cv=3).fit(X, y)
    assert len(model._members[0][1].rows) == 200
    assert RFMClassifierCV(**SMALL, max_tuning_samples=100, cv=3).fit(X, y).best_score_ != model.best_score_
    codes = np.repeat([0, 1, 2], [100, 60, 40])
    drawn = tuning_rows(codes, 200, 50, 0)
    assert np.array_equal(np.bincount(codes[drawn]), [25, 15, 10])
    assert len(np.unique(drawn)) == 50


def test_regressors_do_not_depend_on_the_scale_of_the_targets() -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:120], y[:120]
    for kind in REGRESSORS:
        plain = kind(**SMALL).fit(X, y)
        scaled = kind(**SMALL).fit(X, 1e6 * y - 7e8)
        assert scaled.best_params_ == plain.best_params_
        assert np.allclose(scaled.predict(X), 1e6 * plain.predict(X) - 7e8, rtol=1e-5)
        assert kind(**SMALL).fit(X, np.stack([y, -y], axis=1)).predict(X).shape == (120, 2)
        assert np.allclose(kind(**SMALL).fit(X, np.full(120, 3.0)).predict(X), 3.0)


@pytest.mark.parametrize("scoring", ["neg_brier_score", "accuracy", "balanced_accuracy"])
def test_scorings_of_classes(scoring: str) -> None:
    X, y = load_iris(return_X_y=True)
    model = RFMClassifierCV(**SMALL, scoring=scoring).fit(X, y)
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize("scoring", ["neg_mean_squared_error", "neg_mean_absolute_error", "r2"])
def test_scorings_of_numbers(scoring: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = KernelRidgeRegressorCV(scoring=scoring).fit(X[:150], y[:150])
    assert np.corrcoef(model.predict(X[150:]), y[150:])[0, 1] > 0.6


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernels": ("cosine",)},
        {"kernels": "laplace"},
        {"bandwidths": (0.0,)},
        {"bandwidths": (10.0, 1e-300)},
        {"ridges": ()},
        {"ridges": 0.1},
        {"unit_norms": (1,)},
        {"iterations": -1},
        {"cv": 1},
        {"cv": "five"},
        {"cv": True},
        {"scoring": "r2"},
        {"ensemble": "greedy"},
        {"max_tuning_samples": 1},
        {"device": "tpu"},
    ],
)
def test_bad_parameters_are_named(wrong: dict[str, Any]) -> None:
    X, y = noisy(30)
    (name,) = wrong
    with pytest.raises(ValueError, match=f"'{name}' parameter of RFMClassifierCV"):
        RFMClassifierCV(**wrong).fit(X, y)


TEXTS = ["a", "b"] * 15
HOLES = [None if k in (3, 7) else label for k, label in enumerate(TEXTS)]


@pytest.mark.parametrize(
    "y",
    [
        HOLES,
        [np.nan if label is None else label for label in HOLES],  # NumPy would make the class 'nan' of it
        np.array(HOLES, dtype=object),
        pd.Series(HOLES, index=range(100, 130)),
        pd.Series(HOLES, dtype="category"),
        pd.Series(HOLES, dtype="string"),
        pd.Series([None if label is None else label == "a" for label in HOLES], dtype="boolean"),
        np.where(np.isin(np.arange(30), [3, 7]), np.nan, np.arange(30) % 2),
    ],
)
@pytest.mark.parametrize(("kind", "called"), [(RFMClassifierCV, "labels"), (KernelRidgeRegressorCV, "targets")])
def test_missing_labels_are_counted_and_placed(y: Any, kind: Any, called: str) -> None:
    X, _ = noisy(30)
    with pytest.raises(ValueError, match=rf"{called} are missing in 2 of 30 rows, the first in row 3; leave these"):
        kind(**SMALL).fit(X, y)


def test_targets_that_miss_one_of_several_numbers_are_missing() -> None:
    X, _ = noisy(30)
    Y = np.ones((30, 2))
    Y[[4, 9], [1, 0]] = np.nan
    with pytest.raises(ValueError, match="targets are missing in 2 of 30 rows, the first in row 4"):
        RFMRegressorCV(**SMALL).fit(X, Y)


@pytest.mark.parametrize("asked", ["from_dtype", None, ["size"], [0]])
def test_columns_of_one_name_are_refused(asked: Any) -> None:
    X, y = frame(30)
    twice = X.set_axis(["size", "size"], axis=1)
    words = "X has several columns named 'size': give each column its own name"
    with pytest.raises(ValueError, match=words):
        RFMClassifierCV(**SMALL, categorical_features=asked).fit(twice, y)
    model = RFMClassifierCV(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=words):
        model.predict(twice)


def test_log_loss_does_not_select_and_why_is_said() -> None:
    X, y = noisy(30)
    for kind in CLASSIFIERS:
        with pytest.raises(ValueError, match=r"'scoring' parameter .* only after selection.*'neg_brier_score'"):
            kind(scoring="neg_log_loss").fit(X, y)


def test_a_failed_fit_leaves_the_estimator_as_it_was() -> None:
    X, y = wine()
    model = RFMClassifierCV(**SMALL).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.full((10, 3), np.inf), np.arange(10) % 2)
    assert np.array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
def test_clone_and_pickle(kind: Any) -> None:
    X, y = wine()
    model = kind(ridges=[0.1, 0.01], ensemble=True)
    assert clone(model).get_params() == model.get_params()
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


@pytest.mark.parametrize("kind", [KernelRidgeClassifierCV, KernelRidgeRegressorCV])
@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_is_that_of_single_fits(kind: Any, weighted: bool) -> None:
    """Of categories, which are prepared alike without any one row."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((24, 3)) < 0.5, "a", "b").astype(object)
    y = rng.integers(0, 2, size=24) if kind is KernelRidgeClassifierCV else rng.normal(size=24)
    weights = rng.uniform(0.5, 2.0, size=24) if weighted else None
    given = {"ridges": (1.0, 0.1), "categorical_features": [0, 1, 2]}
    closed = kind(**given, cv="loo").fit(X, y, weights)
    others = [(np.delete(np.arange(24), k), np.array([k])) for k in range(24)]
    single = kind(**given, cv=others).fit(X, y, weights)
    assert np.allclose(closed.cv_results_["mean_squared_error"], single.cv_results_["mean_squared_error"])
    assert closed.best_params_ == single.best_params_
    assert closed.n_splits_ == 24
    if kind is KernelRidgeClassifierCV:
        assert closed.inverse_temperature_ == pytest.approx(single.inverse_temperature_)


def test_leave_one_out_is_refused_where_a_metric_is_learned() -> None:
    X, y = noisy(30)
    with pytest.raises(ValueError, match=r"'cv' parameter of RFMClassifierCV.*has seen the label.*'loo' instead$"):
        RFMClassifierCV(cv="loo").fit(X, y)


def test_the_examples_of_the_documentation() -> None:
    found = doctest.testmod(rfm.tuned)
    assert found.attempted > 10
    assert found.failed == 0

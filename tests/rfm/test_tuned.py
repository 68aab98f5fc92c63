"""What the estimators that tune themselves promise beyond scikit-learn's contract."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rfm.leave_one_out
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
from rfm.selection import best_candidate, tuning_rows

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


def data_for(kind: Any, n: int) -> tuple[Array, NDArray[Any]]:
    X, y = noisy(n) if kind in CLASSIFIERS else load_diabetes(return_X_y=True)
    return X[:n].copy(), y[:n]


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
    found, best = model.cv_results_, model.best_index_
    assert len(found["params"]) == 2 * 3
    assert [point["ridge"] for point in found["params"]] == list(found["param_ridge"])
    assert model.best_params_ == found["params"][best]
    assert model.best_score_ == found["mean_test_score"].max() == found["mean_test_score"][best]
    assert found["rank_test_score"][best] == 1
    assert np.array_equal(model.weights_, np.eye(6)[best])
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


def mean_of_members(model: Any, X: Array, Y: Array, new: Array, *, scaled: bool) -> Array:
    """What machines of the members' parameters predict, each fitted to centred, or standardised, targets."""
    scaler = StandardScaler().fit(X)
    centre, scale = Y.mean(axis=0), Y.std(axis=0) if scaled else 1.0
    total = 0.0
    for weight, point in model.members_:
        single = RFMRegressor(**{"iterations": 0} | point, metric_scaling="none", dtype="float64")
        single.fit(scaler.transform(X), (Y - centre) / scale)
        total += weight * single.predict(scaler.transform(new))
    return centre + scale * total


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
@pytest.mark.parametrize("ensemble", [False, True])
def test_scores_are_the_weighted_mean_of_the_members(kind: Any, ensemble: bool) -> None:
    X, y = data_for(kind, 100)
    model = kind(bandwidths=(3.0, 10.0), ensemble=ensemble).fit(X, y)
    assert sum(model.weights_) == pytest.approx(1.0)
    assert len(model.members_) == np.count_nonzero(model.weights_)
    assert ensemble or len(model.members_) == 1
    targets = (y[:, None] == np.unique(y)).astype(float) if kind in CLASSIFIERS else y[:, None]
    assert np.allclose(model._scores(X), mean_of_members(model, X, targets, X, scaled=kind in REGRESSORS))


def test_ensemble_has_no_larger_error_out_of_fold_than_the_best_point() -> None:
    X, y = data_for(RFMRegressorCV, 150)
    fold = np.arange(150) % 3
    model = RFMRegressorCV(ensemble=True, cv=PredefinedSplit(fold)).fit(X, y)
    mean = np.zeros(150)
    for k in range(3):
        mean[fold == k] = mean_of_members(model, X[fold != k], y[fold != k], X[fold == k], scaled=True)
    assert np.mean((mean - y) ** 2) / y.var() <= model.cv_results_["mean_squared_error"].min() + 1e-4


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS])
@pytest.mark.parametrize("ensemble", [False, True])
def test_integer_weights_equal_repeated_rows(kind: Any, ensemble: bool) -> None:
    rng = np.random.default_rng(3)
    X, y = data_for(kind, 60)
    X[rng.random(X.shape) < 0.1] = np.nan
    weights = rng.integers(0, 4, size=60)
    everyone = np.arange(60)
    fold = everyone % 3
    copies = np.repeat(everyone, weights)
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


def test_numbers_can_be_categories_and_their_order_does_not_count() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, size=(120, 1)).astype(float)
    y = np.isin(codes[:, 0], [0, 2, 4])
    shuffled = np.array([3.0, 5.0, 1.0, 0.0, 2.0, 4.0])[codes.astype(int)]
    model = KernelRidgeClassifierCV(categorical_features=[0])
    assert np.allclose(model.fit(codes, y).predict_proba(codes), model.fit(shuffled, y).predict_proba(shuffled))
    assert model.best_score_ > -0.1


def test_pandas_categories_are_found_and_one_of_new_rows_alone_counts_as_none() -> None:
    X, y = frame()
    model = RFMClassifierCV(**SMALL).fit(X, y)
    assert np.mean(model.predict(X) == y) == 1.0
    assert model.feature_importances_.shape == (2,)
    assert model.feature_importances_.sum() == pytest.approx(1.0)
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
    y = np.arange(80) % 2
    hole = np.where(y, np.nan, 1.0)[:, None]
    assert np.mean(KernelRidgeClassifierCV().fit(hole, y).predict(hole) == y) == 1.0


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


def test_classes_of_one_row() -> None:
    X, _ = noisy(30)
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
    X, y = data_for(RFMRegressorCV, 120)
    for kind in REGRESSORS:
        plain = kind(**SMALL).fit(X, y)
        scaled = kind(**SMALL).fit(X, 1e6 * y - 7e8)
        assert scaled.best_params_ == plain.best_params_
        assert np.allclose(scaled.predict(X), 1e6 * plain.predict(X) - 7e8, rtol=1e-5)
        assert kind(**SMALL).fit(X, np.stack([y, -y], axis=1)).predict(X).shape == (120, 2)
        assert np.allclose(kind(**SMALL).fit(X, np.full(120, 3.0)).predict(X), 3.0)


def test_scorings() -> None:
    X, y = load_iris(return_X_y=True)
    for scoring in ("neg_brier_score", "accuracy", "balanced_accuracy"):
        assert np.mean(RFMClassifierCV(**SMALL, scoring=scoring).fit(X, y).predict(X) == y) > 0.9
    X, y = load_diabetes(return_X_y=True)
    for scoring in ("neg_mean_squared_error", "neg_mean_absolute_error", "r2"):
        model = KernelRidgeRegressorCV(scoring=scoring).fit(X[:150], y[:150])
        assert np.corrcoef(model.predict(X[150:]), y[150:])[0, 1] > 0.6


HOLES = [None if k in (3, 7) else "ab"[k % 2] for k in range(30)]


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
        np.where(np.isin(np.arange(60), [7, 14]), np.nan, np.arange(60) % 2).reshape(30, 2),
    ],
)
@pytest.mark.parametrize(("kind", "called"), [(RFMClassifierCV, "labels"), (KernelRidgeRegressorCV, "targets")])
def test_missing_labels_are_counted_and_placed(y: Any, kind: Any, called: str) -> None:
    X, _ = noisy(30)
    with pytest.raises(ValueError, match=rf"{called} are missing in 2 of 30 rows, the first in row 3; leave these"):
        kind(**SMALL).fit(X, y)


FRAME, LABELS = frame(30)
TEXT_COLUMN = FRAME.astype({"colour": str})
TWICE = FRAME.set_axis(["size", "size"], axis=1)
NUMBERS, CLASSES = noisy(30)
ONE_NAME = "X has several columns named 'size': give each column its own name"


def with_value(value: float) -> Array:
    X = NUMBERS.copy()
    X[3, 2] = value
    return X


DAYS = pd.date_range("2020-01-01", periods=30)
CLASSIFIER, REGRESSOR = RFMClassifierCV(**SMALL), KernelRidgeRegressorCV()
FIRST, DATES = NUMBERS[:, 0], "column 'd' of X holds dates or durations"


def with_parameters(**given: Any) -> RFMClassifierCV:
    return RFMClassifierCV(**SMALL | given)


BY_LOG_LOSS, BY_LOO = with_parameters(scoring="neg_log_loss"), with_parameters(cv="loo")
BY_HALVES = KernelRidgeRegressorCV(cv=PredefinedSplit(np.arange(30) % 2))


@pytest.mark.parametrize(
    ("words", "model", "X", "y", "weights"),
    [
        (r"column 'colour' of X holds text.*categorical_features", CLASSIFIER, TEXT_COLUMN, LABELS, None),
        (r"column 1 of X holds text.*categorical_features", CLASSIFIER, TEXT_COLUMN.to_numpy(object), LABELS, None),
        *(
            ("categorical_features", with_parameters(categorical_features=asked), FRAME, LABELS, None)
            for asked in (["weight"], [2], [True], [1.5], ["colour", "x"], 7)
        ),
        *(
            (ONE_NAME, with_parameters(categorical_features=asked), TWICE, LABELS, None)
            for asked in ("from_dtype", None, ["size"], [0])
        ),
        *(
            ("infinity|column 2 of X .* exceeds float64", CLASSIFIER, with_value(bad), CLASSES, None)
            for bad in (np.inf, -np.inf, 1e300)
        ),
        ("1 class only", CLASSIFIER, NUMBERS, np.zeros(30), None),
        ("1 class only", CLASSIFIER, NUMBERS, CLASSES, (CLASSES == "a").astype(float)),
        ("every class of y has 1 row only", CLASSIFIER, NUMBERS[:3], [0, 1, 2], None),
        ("'scoring' .* only after selection.*'neg_brier_score'", BY_LOG_LOSS, NUMBERS, CLASSES, None),
        ("'cv' parameter of RFMClassifierCV.*has seen the label.*'loo' instead$", BY_LOO, NUMBERS, CLASSES, None),
        ("too few rows for it", RFMRegressorCV(scoring="r2", iterations=0), NUMBERS[:8], FIRST[:8], None),
        ("standardise them", REGRESSOR, NUMBERS, FIRST * 1e200, None),
        (DATES, REGRESSOR, pd.DataFrame({"a": FIRST, "d": DAYS}), FIRST, None),
        (DATES, REGRESSOR, pd.DataFrame({"d": DAYS.tz_localize("UTC")}), FIRST, None),
        ("rows beyond the 29", BY_HALVES, NUMBERS, FIRST, np.arange(30) > 0),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_fitted_is_refused(words: str, model: Any, X: Any, y: Any, weights: Any) -> None:
    with pytest.raises(ValueError, match=words):
        clone(model).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("words", "X", "y", "new"),
    [
        ("feature names", FRAME, LABELS, FRAME[["colour", "size"]]),
        ("feature", FRAME, LABELS, FRAME[["size"]]),
        (ONE_NAME, FRAME, LABELS, TWICE),
        ("infinity", NUMBERS, CLASSES, with_value(np.inf)),
        ("infinity", NUMBERS, CLASSES, with_value(-np.inf)),
    ],
)
def test_rows_of_another_kind_are_refused(words: str, X: Any, y: Any, new: Any) -> None:
    model = RFMClassifierCV(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=words):
        model.predict(new)


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


@pytest.mark.parametrize(("module", "examples"), [(rfm.tuned, 11), (rfm.leave_one_out, 3)])
def test_the_examples_of_the_documentation(module: Any, examples: int) -> None:
    found = doctest.testmod(module)
    assert found.attempted >= examples
    assert found.failed == 0


def test_categories_of_another_kind_than_in_fit_are_refused_and_new_ones_are_not() -> None:
    draws = np.random.default_rng(0)
    codes, x = draws.integers(0, 3, 50), draws.standard_normal(50)
    texts = pd.DataFrame({"x": x, "g": codes.astype(str)})
    model = KernelRidgeClassifierCV(categorical_features=["g"]).fit(texts, codes > 0)
    with pytest.raises(TypeError, match=r"'g' has values of another kind than in fit \(number; in fit str\)"):
        model.predict(pd.DataFrame({"x": x, "g": codes}))
    assert len(model.predict(pd.DataFrame({"x": x[:2], "g": [None, "new"]}))) == 2


def test_scores_tie_at_twelve_digits_of_their_own_size() -> None:
    errors = np.array([0.0, 5.0, 1.0])
    assert best_candidate(np.array([[1e-14], [3e-14], [2e-14]]), errors) == 1
    assert (
        best_candidate(np.array([[0.3], [0.1], [0.1 + 0.2]]), errors[::-1]) == 2
    )  # 0.3 and its sum differ in the last

"""Methods that stand on a library: what they add to it is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, SVR
from xgboost import XGBRegressor

from bench.data.splits import draw_splits
from bench.methods import get_method, random_forest, svm_rbf, xgboost
from bench.methods.contract.exercise import make_table
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset, FloatArray
from bench.records.method import Choice, Config, Fold, Task
from rfm import KernelRidgeRegressor, RFMRegressor, ntk_matrix


@pytest.fixture(scope="module")
def task() -> Task:
    """Four overlapping classes, all labels known."""
    table = make_table((40, 35, 30, 25), test=0, folds=0, d=3, seed=5)
    noise = np.random.default_rng(6).standard_normal(table.task.X.shape)
    return Task(table.task.X + noise, table.task.y, 4, seed=9)


ROWS = np.arange(130)
FIT, REST = ROWS[:90], ROWS[90:]


def test_coupling_recovers_consistent_shares() -> None:
    """Pairwise shares r_ij = p_i / (p_i + p_j) come from p, and from nothing else."""
    p = np.random.default_rng(1).dirichlet(np.ones(5), size=20)
    shares = p[:, :, None] / (p[:, :, None] + p[:, None, :])
    shares[:, np.arange(5), np.arange(5)] = 0.0
    np.testing.assert_allclose(svm_rbf.couple(shares), p, atol=1e-9)


@pytest.mark.parametrize("k", [3, 6])
def test_a_class_that_beats_all_others_gets_nearly_all(k: int) -> None:
    first, _ = np.triu_indices(k, 1)
    decision = np.where(first == 0, 5.0, 0.3)[None]
    scores = svm_rbf.couple(svm_rbf.pairwise_shares(decision, k))
    assert scores[0, 0] > 0.999
    assert scores.sum() == pytest.approx(1.0)


def test_a_cycle_of_wins_is_shared_evenly() -> None:
    decision = np.array([[2.0, -2.0, 2.0]])  # 0 beats 1, 2 beats 0, 1 beats 2
    np.testing.assert_allclose(svm_rbf.couple(svm_rbf.pairwise_shares(decision, 3)), [[1 / 3] * 3], atol=1e-6)


def test_two_classes_win_as_in_libsvm(task: Task) -> None:
    binary = Task(task.X, (task.y > 1).astype(np.int64), 2, seed=0)
    choice = Choice({"C": 5.0, "gamma_times_d": 1.0}, 0)
    scores = svm_rbf.SVMRBF().session(binary).predict(choice, FIT, REST).scores
    libsvm = SVC(C=5.0, gamma=1 / 3).fit(binary.X[FIT], binary.y[FIT])
    assert (scores.argmax(axis=1) == libsvm.predict(binary.X[REST])).all()
    shares = np.clip((1 + libsvm.decision_function(binary.X[REST])) / 2, 0, 1)
    np.testing.assert_allclose(scores[:, 1], shares, atol=1e-6)


def test_more_classes_win_nearly_as_in_libsvm() -> None:
    """Coupled shares and majority votes may part where classes overlap; they rarely do where they are separated."""
    separated = make_table((100, 100, 100, 100), test=0, folds=0, d=3, seed=5).task
    fit, rest = np.arange(250), np.arange(250, 400)
    choice = Choice({"C": 1.0, "gamma_times_d": 1.0}, 0)
    scores = svm_rbf.SVMRBF().session(separated).predict(choice, fit, rest).scores
    libsvm = SVC(C=1.0, gamma=1 / 3).fit(separated.X[fit], separated.y[fit])
    assert np.mean(scores.argmax(axis=1) == libsvm.predict(separated.X[rest])) >= 0.97


def test_gram_matrix_or_libsvm_columns_are_the_same(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Choice({"C": 5.0, "gamma_times_d": 0.25}, 0)
    shared = svm_rbf.SVMRBF().session(task).predict(choice, FIT, REST).scores
    monkeypatch.setattr(svm_rbf, "DENSE_ROWS", 10)
    np.testing.assert_allclose(svm_rbf.SVMRBF().session(task).predict(choice, FIT, REST).scores, shared, atol=5e-3)


def test_svm_ties_go_to_the_default_first() -> None:
    configs = svm_rbf.SVMRBF().configurations()
    assert configs[0] == {"C": 1.0, "gamma_times_d": 1.0}
    assert len(configs) == len(svm_rbf.COSTS) * len(svm_rbf.GAMMAS_TIMES_D)


FACTOR = {"features_per_sqrt_d": 2.0}
LEAF = {"min_samples_leaf": 3}
TREES: dict[str, Any] = {"n_estimators": 6, "max_features": 3, "random_state": 9}


@pytest.mark.parametrize(
    ("name", "config", "model", "atol"),
    [
        ("random_forest", FACTOR, RandomForestClassifier(**TREES), 0.0),
        ("extra_trees", FACTOR | LEAF, ExtraTreesClassifier(**TREES, **LEAF), 0.0),
        *(
            ("logistic_regression", {"C": C}, LogisticRegression(C=C, max_iter=5000, tol=1e-8), 2e-3)
            for C in (0.01, 1.0, 100.0)
        ),
    ],
)
def test_classifiers_are_scikit_learns(
    task: Task, name: str, config: Config, model: Any, atol: float, short: None
) -> None:
    """The four classes as four of six: two are absent."""
    gaps = replace(task, y=np.array([0, 2, 3, 5])[task.y], n_classes=6)
    scores = get_method(name).session(gaps).predict(Choice(config, 0), FIT, REST).scores
    shares = model.fit(gaps.X[FIT], gaps.y[FIT]).predict_proba(gaps.X[REST])
    np.testing.assert_allclose(scores[:, [0, 2, 3, 5]], shares, atol=atol)
    assert (scores[:, [1, 4]] == 0).all()


@pytest.mark.parametrize("name", ["logistic_regression", "extra_trees", "xgboost"])
def test_more_classes_than_a_fold_can_have(name: str, short: None) -> None:
    """Twelve classes of four rows in five inner folds: no fold can be fitted on all and judged on all of them."""
    y = np.repeat(np.arange(12), 4)
    X = np.random.default_rng(0).standard_normal((48, 4)) * 0.1 + np.stack([y, y % 2, y % 3, y * 0], axis=1)
    table, splits = Dataset("classes", X, y, 12, "tiny"), draw_splits("classes", y, 0)
    one = replace(splits, holdouts=splits.holdouts[:1])
    (result,) = carry_out(get_method(name), table, one, PROTOCOLS["clean-cv"], seed=0)
    assert np.isfinite(result.measures["log_loss"])
    assert result.score > 50


@pytest.mark.parametrize(("factor", "d", "tried"), [(1.0, 1, 1), (0.5, 4, 1), (2.0, 4, 4), (2.0, 3, 3), (1.0, 60, 8)])
def test_tried_features(factor: float, d: int, tried: int) -> None:
    assert random_forest.tried_features(factor, d) == tried


def test_boosting_splits_a_table_of_seven_rows() -> None:
    """A row's Hessian is at most 1/4, so leaves of at least 1 need four rows each; some configuration asks for less."""
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1, 1])
    task = Task(np.linspace(-1, 1, 9)[:, None] * 0 + y[:, None], y, 2, seed=0)
    rows = np.arange(9)
    right = {}
    for config in xgboost.XGBoost().configurations():
        scores = xgboost.XGBoost().session(task).predict(Choice(config, 50), rows[:7], rows[7:]).scores
        right[config["min_child_weight"]] = (scores.argmax(axis=1) == y[7:]).all() and scores.max() > 0.6
    assert right == {1.0: False, 1e-3: True}


def test_boosters_grown_in_turns_do_not_share_draws(task: Task) -> None:
    """Row sampling draws from a generator of the library's own: two folds together give the figures of each alone."""
    folds = [Fold(FIT, REST), Fold(ROWS[40:], ROWS[:40])]
    together = xgboost.XGBoost().session(task).tune(folds)
    for f, fold in enumerate(folds):
        for path, alone in zip(together, xgboost.XGBoost().session(task).tune([fold]), strict=True):
            shared = min(len(path.iterations), len(alone.iterations))
            np.testing.assert_array_equal(path.merit[f, :shared], alone.merit[0, :shared])
            np.testing.assert_allclose(path.squared_error[f, :shared], alone.squared_error[0, :shared], atol=1e-6)


@pytest.fixture(scope="module", params=[130, 500], ids=["small", "in float32"])
def numbers(request: pytest.FixtureRequest) -> Task:
    """A noisy smooth target, all numbers known, standardised over the rows that are fitted."""
    draws = np.random.default_rng(8)
    n = request.param
    X = draws.standard_normal((n, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.2 * draws.standard_normal(n)
    part = y[: 2 * n // 3]
    return Task(X, (y - part.mean()) / part.std(), 0, seed=11)


def predicted(name: str, task: Task, config: Config, iteration: int = 0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What a method predicts on the last third (m,) after the first two, and their rows and targets."""
    fit, rest = np.split(np.arange(len(task.y)), [2 * len(task.y) // 3])
    scores = get_method(name).session(task).predict(Choice(config, iteration), fit, rest).scores
    assert scores.shape == (len(rest), 1)
    return scores[:, 0], fit, rest


def assert_predicts(
    numbers: Task, name: str, config: Config, model: Any, iteration: int = 0, atol: float = 0.0
) -> None:
    """A method predicts what a library's ``model`` does, fitted on the same rows."""
    scores, fit, rest = predicted(name, numbers, config, iteration)
    expected = model.fit(numbers.X[fit], numbers.y[fit]).predict(numbers.X[rest])
    np.testing.assert_allclose(scores, expected, atol=atol)


def test_forests_of_numbers_are_scikit_learns(numbers: Task, short: None) -> None:
    share, trees = {"share_of_features": 2 / 3}, TREES | {"max_features": 2, "random_state": 11}
    assert_predicts(numbers, "random_forest", share, RandomForestRegressor(**trees))
    assert_predicts(numbers, "extra_trees", share | {"min_samples_leaf": 1}, ExtraTreesRegressor(**trees))


@pytest.mark.parametrize("alpha", [0.01, 10.0])
def test_ridge_regression_has_the_closed_form(numbers: Task, alpha: float) -> None:
    scores, fit, rest = predicted("logistic_regression", numbers, {"alpha": alpha})
    X, y = numbers.X[fit] - numbers.X[fit].mean(axis=0), numbers.y[fit]
    w = np.linalg.solve(X.T @ X + alpha * np.eye(3), X.T @ (y - y.mean()))
    np.testing.assert_allclose(scores, (numbers.X[rest] - numbers.X[fit].mean(axis=0)) @ w + y.mean(), atol=1e-9)


def test_support_vector_regression_is_libsvms(numbers: Task) -> None:
    assert_predicts(numbers, "svm_rbf", {"C": 5.0, "gamma_times_d": 1.0}, SVR(C=5.0, gamma=1 / 3), atol=5e-3)


@pytest.mark.parametrize(("share", "weight"), xgboost.SAMPLING)
def test_boosting_of_numbers_is_xgboosts(numbers: Task, share: float, weight: float) -> None:
    config = {"max_depth": 3, "eta": 0.3, "sampled_share": share, "min_child_weight": weight}
    sampled = {"subsample": share, "colsample_bytree": share, "random_state": 11, "seed_per_iteration": True}
    grown = {"n_estimators": 30, "max_depth": 3, "learning_rate": 0.3, "min_child_weight": weight}
    booster = XGBRegressor(**grown, **sampled, tree_method="hist", n_jobs=1)
    assert_predicts(numbers, "xgboost", config, booster, iteration=30, atol=1e-5)


def test_rfm_and_laplace_are_the_estimators(numbers: Task) -> None:
    for ridge, unit_norm, updates in ((0.1, False, 3), (1.0, True, 1), (0.001, False, 4)):
        config = {"ridge": ridge, "unit_norm": unit_norm}
        model = RFMRegressor(**config, iterations=updates, metric_scaling="none")
        assert_predicts(numbers, "rfm", config, model, updates, atol=2e-3)
        assert_predicts(numbers, "laplace", config, KernelRidgeRegressor(**config), atol=2e-4)


@pytest.mark.parametrize(("ridge", "depth"), [(1.0, 1), (0.01, 3)])
def test_ntk_is_ridge_regression_with_its_kernel(numbers: Task, ridge: float, depth: int) -> None:
    scores, fit, rest = predicted("ntk", numbers, {"ridge": ridge, "depth": depth})
    K = ntk_matrix(torch.as_tensor(numbers.X), depth=depth).numpy()
    alpha = np.linalg.solve(K[np.ix_(fit, fit)] + ridge * np.eye(len(fit)), numbers.y[fit])
    np.testing.assert_allclose(scores, K[np.ix_(rest, fit)] @ alpha, atol=2e-6)
    relative = ridge / K[fit, fit].mean()  # in units of the kernel of a row with itself
    again = predicted("ntk", numbers, {"relative_ridge": relative, "depth": depth})[0]
    np.testing.assert_allclose(again, scores, atol=2e-6)


def test_ntk_selects_among_relative_ridges_but_under_the_papers_protocols(numbers: Task) -> None:
    fit, rest = np.arange(60), np.arange(60, 90)
    for paper, key in ((False, "relative_ridge"), (True, "ridge")):
        for path in get_method("ntk").session(replace(numbers, paper_grid=paper)).tune([Fold(fit, rest)]):
            assert sorted(path.config) == ["depth", key]
            K = ntk_matrix(torch.as_tensor(numbers.X), depth=path.config["depth"]).numpy()
            ridge = path.config[key] * (1.0 if paper else K.diagonal()[fit].mean())
            alpha = np.linalg.solve(K[np.ix_(fit, fit)] + ridge * np.eye(60), numbers.y[fit])
            error = np.mean((K[np.ix_(rest, fit)] @ alpha - numbers.y[rest]) ** 2)
            assert path.squared_error[0, 0] == pytest.approx(error, rel=1e-4)

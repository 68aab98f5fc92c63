"""Methods that stand on a library: what they add to it is right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from bench.methods import random_forest, svm_rbf, xgboost
from bench.methods.contract.exercise import make_table
from bench.records.method import Choice, Fold, Task


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
    np.testing.assert_allclose(
        scores[:, 1], np.clip((1 + libsvm.decision_function(binary.X[REST])) / 2, 0, 1), atol=1e-6
    )


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


def test_forest_is_scikit_learns(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_forest, "TREES", 20)
    labels = np.array([0, 2, 3, 5])[task.y]  # two of six classes are absent
    gaps = Task(task.X, labels, 6, seed=11)
    scores = (
        random_forest.RandomForest().session(gaps).predict(Choice({"features_per_sqrt_d": 2.0}, 0), FIT, REST).scores
    )
    forest = RandomForestClassifier(20, max_features=3, random_state=11).fit(task.X[FIT], labels[FIT])
    np.testing.assert_allclose(scores[:, [0, 2, 3, 5]], forest.predict_proba(task.X[REST]))
    assert (scores[:, [1, 4]] == 0).all()


@pytest.mark.parametrize(("factor", "d", "tried"), [(1.0, 1, 1), (0.5, 4, 1), (2.0, 4, 4), (2.0, 3, 3), (1.0, 60, 8)])
def test_tried_features(factor: float, d: int, tried: int) -> None:
    assert random_forest.tried_features(factor, d) == tried


@pytest.mark.parametrize(("k", "last"), [(2, 200), (3, 200), (10, 75), (100, 50)])
def test_rounds_fall_with_the_number_of_classes(k: int, last: int) -> None:
    assert xgboost.path_rounds(k)[-1] == last


def test_boosters_grown_in_turns_do_not_share_draws(task: Task) -> None:
    """Row sampling draws from a generator of the library's own: two folds together give the figures of each alone."""
    folds = [Fold(FIT, REST), Fold(ROWS[40:], ROWS[:40])]
    together = xgboost.XGBoost().session(task).tune(folds)
    for f, fold in enumerate(folds):
        for path, alone in zip(together, xgboost.XGBoost().session(task).tune([fold]), strict=True):
            shared = min(len(path.iterations), len(alone.iterations))
            np.testing.assert_array_equal(path.merit[f, :shared], alone.merit[0, :shared])
            np.testing.assert_allclose(path.squared_error[f, :shared], alone.squared_error[0, :shared], atol=1e-6)

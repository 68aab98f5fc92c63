"""Measures against scikit-learn's, on tied scores and absent classes too, and what a task makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import COMPARED, MEASURES, SELECTING, Kind, Measure, measures_of
from bench.records.method import Task


@st.composite
def predicted_shares(draw: st.DrawFn) -> tuple[FloatArray, IntArray]:
    """Class shares with many ties, and the labels: some classes may not occur."""
    c, m = draw(st.integers(2, 5)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    powers = np.exp(rng.integers(-2, 3, size=(m, c)).astype(np.float64))
    occurring = rng.choice(c, size=int(rng.integers(1, c + 1)), replace=False)
    return powers / powers.sum(axis=1, keepdims=True), rng.choice(occurring, size=m).astype(np.int64)


@given(predicted_shares())
def test_measures_of_classes_are_scikit_learns(case: tuple[FloatArray, IntArray]) -> None:
    shares, truth = case
    classes, won = np.arange(shares.shape[1]), shares.argmax(axis=1)
    present = np.unique(truth)
    areas = [metrics.roc_auc_score(truth == k, shares[:, k]) for k in present] if len(present) > 1 else [0.5]
    expected = {
        "accuracy": 100 * metrics.accuracy_score(truth, won),
        "balanced_accuracy": 100 * metrics.recall_score(truth, won, labels=present, average="macro"),
        "auc": np.mean(areas),
        "brier": metrics.brier_score_loss(truth, shares, labels=classes, scale_by_half=False),
        "log_loss": metrics.log_loss(truth, shares, labels=classes),
    }
    assert {m.key: m.value(shares, truth) for m in measures_of("classification")} == pytest.approx(expected)


def test_a_share_of_zero_costs_what_scikit_learn_says() -> None:
    shares, truth = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 1])
    assert MEASURES["log_loss"].value(shares, truth) == pytest.approx(metrics.log_loss(truth, shares))


numbers = st.integers(-5, 5).map(float) | st.floats(-1e3, 1e3).map(lambda x: x if abs(x) > 1e-100 else 0.0)
"""Ties, and numbers whose squares are neither 0 nor without digits: scikit-learn divides by their sum."""


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30))
def test_measures_of_numbers_are_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    truth, predicted = np.array(pairs).T
    expected = {
        "r2": metrics.r2_score(truth, predicted),
        "r2_cut": max(0.0, metrics.r2_score(truth, predicted)),
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "mae": metrics.mean_absolute_error(truth, predicted),
    }
    measured = {m.key: m.value(predicted[:, None], truth) for m in measures_of("regression")}
    assert measured == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("predicted", "r2"), [(2.0, 1.0), (2.5, 0.0)])
def test_r2_of_a_constant_truth_is_scikit_learns(predicted: float, r2: float) -> None:
    truth, scores = np.full(4, 2.0), np.full((4, 1), predicted)
    assert MEASURES["r2"].value(scores, truth) == metrics.r2_score(truth, scores) == r2


def test_scores_that_are_no_probabilities_have_no_log_loss() -> None:
    kept = {m.key for m in measures_of("classification", shares=False)}
    assert kept == {m.key for m in measures_of("classification")} - {"log_loss"}
    assert measures_of("regression", shares=False) == measures_of("regression")


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_what_selects_and_compares_is_of_the_kind(kind: Kind) -> None:
    assert {SELECTING[kind], COMPARED[kind]} <= set(measures_of(kind))


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_the_merit_that_selects_is_the_measure_with_its_better_side_up(measure: Measure) -> None:
    rng = np.random.default_rng(2)
    truth: IntArray | FloatArray
    if measure.kind == "classification":
        truth = rng.integers(0, 3, size=40)
        good, bad = np.eye(3)[truth] * 0.6 + 0.4 / 3, np.eye(3)[(truth + 1) % 3] * 0.6 + 0.4 / 3
        task = Task(np.zeros((40, 1)), truth, 3, seed=0, select=measure)
    else:
        truth = rng.standard_normal(40)
        good, bad = truth[:, None] * 0.9, truth[:, None] * 0.2
        task = Task(np.zeros((40, 1)), truth, 0, seed=0, select=measure)
    (merit, error), (worse, more) = task.judge(good, truth), task.judge(bad, truth)
    assert merit > worse
    assert error < more
    assert (measure.value(good, truth) > measure.value(bad, truth)) is measure.larger_is_better
    if measure.key not in ("r2", "r2_cut"):
        assert measure.from_merit(merit) == pytest.approx(measure.value(good, truth))


def test_a_task_judges_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(3)
    shares, truth = rng.dirichlet(np.ones(3), size=30), rng.integers(0, 3, size=30)
    classes = Task(np.zeros((30, 1)), truth, 3, seed=0)
    assert classes.judge(shares, truth) == pytest.approx(
        (
            metrics.accuracy_score(truth, shares.argmax(axis=1)),
            metrics.brier_score_loss(truth, shares, labels=[0, 1, 2], scale_by_half=False),
        )
    )
    y = rng.standard_normal(30)
    scores = y[:, None] + 0.1 * rng.standard_normal((30, 1))
    error = metrics.mean_squared_error(y, scores)
    # Against the variance of the training part, which is 1: averaged over folds it is that of all their rows.
    assert Task(np.zeros((30, 1)), y, 0, seed=0).judge(scores, y) == pytest.approx((1 - error, error))

"""Labels that cannot be fitted, classes that are not there, and when a path ends."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import MethodError
from bench.methods.classes import fit_classes, known_targets, only_seen
from bench.methods.early_stopping import EarlyStopping
from bench.records.method import HIDDEN, Task


@pytest.fixture
def task() -> Task:
    return Task(X=np.arange(12.0).reshape(6, 2), y=np.array([3, 1, 3, 1, 0, HIDDEN]), n_classes=5, seed=1)


def test_withheld_label_is_named(task: Task) -> None:
    with pytest.raises(MethodError, match=r"row 5 of the fit part has label -1, expected 0\.\.4"):
        fit_classes(task, np.array([0, 5]))


def test_absent_classes_are_barred_from_winning(task: Task) -> None:
    scores = np.array([[0.0, 0.4, 0.0, 0.1, 0.0], [0.0, -0.3, 0.0, -0.2, 0.1]])
    barred = only_seen(task, np.array([0, 1]), scores)
    assert barred.argmax(axis=1).tolist() == [1, 3]
    assert np.array_equal(barred[0], scores[0])
    assert barred[1, [1, 3]].tolist() == [-0.3, -0.2]


def test_no_rows(task: Task) -> None:
    with pytest.raises(MethodError, match="the validation part has no rows"):
        known_targets(task, np.array([], dtype=np.int64), "validation")


@pytest.mark.parametrize(
    ("figures", "taken"),
    [
        ([(0.5, 1.0), (0.6, 1.0), (0.6, 1.0), (0.6, 1.1), (0.9, 0.1)], 4),
        ([(0.5, 1.0), (0.5, 0.9), (0.4, 0.9), (0.4, 0.8), (0.6, 0.9), (0.1, 2.0)], 6),
    ],
    ids=["points without gain are counted", "either figure keeps a path going"],
)
def test_a_path_ends_after_two_points_without_gain(figures: list[tuple[float, float]], taken: int) -> None:
    stopping = EarlyStopping(2)
    stops = [stopping.should_stop(np.array([point, point]), np.array([3, 5])) for point in figures[:taken]]
    assert stops[:-1] == [False] * (taken - 1)
    assert stops[-1] == (taken < len(figures))


def test_folds_weigh_by_their_rows() -> None:
    stopping = EarlyStopping(1)
    sizes = np.array([1, 9])
    assert not stopping.should_stop(np.array([[0.0, 1.0], [0.5, 1.0]]), sizes)
    assert stopping.should_stop(np.array([[1.0, 1.0], [0.3, 1.0]]), sizes)  # 4.5 rows right, then 3.7

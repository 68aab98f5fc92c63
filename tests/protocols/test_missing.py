"""Tables with missing numbers: filled from the training part of each hold-out, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from small_methods import Small

from bench.data.splits import draw_splits
from bench.methods.judging import Judging
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset, FloatArray, IntArray
from bench.records.method import Choice, Fold, Path, Prediction, Session, Task


class CentroidSession(Session):
    """Nearest class mean of the training rows."""

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        judging = Judging(self.task, [self.task.y[fold.validation] for fold in folds])
        for number, fold in enumerate(folds):
            judging.judge(0, number, 0, self._scores(fold.fit, fold.validation))
        return [judging.path(0, {}, (0,))]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        return Prediction(self._scores(train, test))

    def _scores(self, train: IntArray, test: IntArray) -> FloatArray:
        X, y = self.task.X, self.task.y
        means = np.array([X[train][y[train] == k].mean(axis=0) for k in range(self.task.n_classes)])
        distances: FloatArray = np.linalg.norm(X[test][:, None, :] - means[None], axis=2)
        return -distances


class Centroid(Small):
    def session(self, task: Task) -> Session:
        return CentroidSession(task)


@pytest.fixture
def table() -> Dataset:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + 2.0 * y[:, None]
    X[rng.random(X.shape) < 0.2] = np.nan
    return Dataset("gaps", X, y, 2, "user")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_gives_four_numbered_holdouts(table: Dataset, protocol: str) -> None:
    splits = draw_splits("gaps", table.y, 0)
    results = carry_out(Centroid(), table, splits, PROTOCOLS[protocol], 0)
    assert [result.holdout for result in results] == [0, 1, 2, 3]
    assert all(result.score > 60 for result in results)


def test_values_of_test_rows_do_not_reach_other_rows(table: Dataset) -> None:
    """What is known of the test rows can change predictions of these rows only, never the choice or the training."""
    splits = draw_splits("gaps", table.y, 0)
    alone = replace(splits, holdouts=splits.holdouts[:1])
    test = splits.holdouts[0].test
    X = table.X.copy()
    X[test[1:]] = 1e6  # all test rows but one
    X[test[2], 1] = np.nan
    first = carry_out(Centroid(), table, alone, PROTOCOLS["clean"], 0)[0]
    second = carry_out(Centroid(), replace(table, X=X), alone, PROTOCOLS["clean"], 0)[0]
    assert (first.config, first.validation_score, first.path) == (
        second.config,
        second.validation_score,
        second.path,
    )


def test_the_rule_is_part_of_the_tables_identity(table: Dataset) -> None:
    again = replace(table, X=table.X.copy())
    assert again.sha256 == table.sha256
    assert replace(table, X=np.nan_to_num(table.X)).sha256 != table.sha256

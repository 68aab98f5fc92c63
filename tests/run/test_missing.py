"""Tables with missing numbers: filled from the training part of each hold-out, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faulty_methods import Centroid

from bench.data.dataset import Dataset
from bench.data.splits import draw_splits
from bench.run.missing import carry_out_filled
from bench.run.protocols import PROTOCOLS, carry_out
from bench.run.result import HoldoutResult


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
    results = carry_out_filled(Centroid(), table, splits, protocol, 0)
    assert [result.holdout for result in results] == [0, 1, 2, 3]
    assert all(result.accuracy > 60 for result in results)


def test_values_of_test_rows_do_not_reach_other_rows(table: Dataset) -> None:
    """What is known of the test rows can change predictions of these rows only, never the choice or the training."""
    splits = draw_splits("gaps", table.y, 0)
    alone = replace(splits, holdouts=splits.holdouts[:1])
    test = splits.holdouts[0].test
    X = table.X.copy()
    X[test[1:]] = 1e6  # all test rows but one
    X[test[2], 1] = np.nan
    first = carry_out_filled(Centroid(), table, alone, "clean", 0)[0]
    second = carry_out_filled(Centroid(), replace(table, X=X), alone, "clean", 0)[0]
    assert (first.config, first.validation_accuracy, first.path) == (
        second.config,
        second.validation_accuracy,
        second.path,
    )


def test_a_table_without_gaps_is_carried_out_as_ever(table: Dataset) -> None:
    whole = replace(table, X=np.nan_to_num(table.X))
    splits = draw_splits("gaps", table.y, 0)
    ours = carry_out_filled(Centroid(), whole, splits, "clean", 3)
    theirs = carry_out(Centroid(), whole, splits, "clean", 3)
    assert [_outcome(r) for r in ours] == [_outcome(r) for r in theirs]


def _outcome(result: HoldoutResult) -> HoldoutResult:
    return replace(result, fit_seconds=0.0, details={})


def test_the_rule_is_part_of_the_tables_identity(table: Dataset) -> None:
    again = replace(table, X=table.X.copy())
    assert again.sha256 == table.sha256
    assert replace(table, X=np.nan_to_num(table.X)).sha256 != table.sha256

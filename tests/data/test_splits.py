"""Divisions: shapes, stratification, rare classes, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from divisions import assert_partition, class_sizes, labels, seeds
from hypothesis import given
from refusals import refused

from bench.data.splits import HOLDOUTS, draw_splits, first_part_counts, splits_for
from bench.errors import DataInvalid
from bench.protocols.rows import inner_folds, inner_split
from bench.records.dataset import Dataset


@given(class_sizes, seeds)
def test_drawn_divisions_have_the_shape_of_the_published_ones(sizes: list[int], seed: int) -> None:
    y = labels(sizes, seed)
    splits = draw_splits("table", y, seed)
    assert splits.name == f"seed-{seed}"
    assert len(splits.holdouts) == HOLDOUTS
    for division, share in [(splits.tuning, 0.5), *((holdout, 0.75) for holdout in splits.holdouts)]:
        assert_partition((division.train, division.test), len(y))
        assert set(np.unique(y[division.train])) == set(range(len(sizes))) or max(sizes) == 1
        if max(sizes) >= 4 * len(sizes):  # the largest class can make up the total
            assert len(division.train) == int(np.floor(share * len(y) + 0.5)) or len(division.test) == 1


def test_counts_per_class_are_those_of_the_study() -> None:
    # Read off the archive: ecoli's and lymphography's hold-outs, arrhythmia's tuning halves.
    assert first_part_counts(np.array([143, 77, 52, 35, 20, 5, 2, 2]), 0.75).tolist() == [105, 58, 39, 27, 15, 4, 2, 2]
    assert first_part_counts(np.array([2, 81, 61, 4]), 0.75).tolist() == [2, 60, 46, 3]
    counts = np.array([245, 44, 15, 15, 13, 25, 3, 2, 9, 50, 4, 5, 22])
    assert first_part_counts(counts, 0.5).tolist() == [119, 22, 8, 8, 7, 13, 2, 1, 5, 25, 2, 3, 11]


def test_holdouts_are_independent_draws() -> None:
    splits = draw_splits("table", labels([60, 60]), 0)
    tests = [set(holdout.test.tolist()) for holdout in splits.holdouts]
    assert len({frozenset(rows) for rows in tests}) == HOLDOUTS
    assert any(a & b for i, a in enumerate(tests) for b in tests[i + 1 :])  # not a partition into folds


def test_the_draw_depends_on_seed_and_name_and_on_nothing_else() -> None:
    y = labels([30, 20])
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = draw_splits("table", y, 7)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    again = draw_splits("table", y, 7)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first.holdouts, again.holdouts, strict=True))
    for other in (draw_splits("table", y, 8), draw_splits("another", y, 7)):
        assert not all(np.array_equal(a.test, b.test) for a, b in zip(first.holdouts, other.holdouts, strict=True))


def test_drawn_divisions_stay_what_they_were() -> None:
    # A change here changes every result obtained from drawn divisions: it needs a new version and a line in the log.
    holdout = draw_splits("table", labels([8, 4]), 0).holdouts[0]
    assert holdout.test.tolist() == [7, 9, 11]


def test_published_divisions_take_precedence() -> None:
    y = labels([6, 6])
    published = draw_splits("x", y, 99)
    table = Dataset("x", np.zeros((12, 1)), y, 2, "archive", published=published)
    assert splits_for(table, 0) is published
    assert splits_for(Dataset("x", np.zeros((12, 1)), y, 2, "embedded"), 3).name == "seed-3"


@pytest.mark.parametrize("sizes", [[5, 5], [7, 9], [4, 4], [1, 1], [1, 2], [2], [1] * 20, [16] * 100])
def test_tiny_tables_and_many_classes(sizes: list[int]) -> None:
    y = labels(sizes)
    splits = draw_splits("tiny", y, 0)
    for division in (splits.tuning, *splits.holdouts):
        assert_partition((division.train, division.test), len(y))
    assert_partition(inner_split(y, 0), len(y))
    for fold in inner_folds(y, 5, 0):
        assert_partition(fold, len(y))


def test_one_row_cannot_be_divided() -> None:
    one = np.zeros(1, dtype=np.int64)
    refused(DataInvalid, "cannot be divided", draw_splits, "table", one, 0)
    refused(DataInvalid, "cannot be divided", inner_split, one, 0)
    refused(DataInvalid, "cannot be divided", inner_folds, one, 5, 0)
    with pytest.raises(ValueError, match="at least 2 folds"):
        inner_folds(labels([5, 5]), 1, 0)

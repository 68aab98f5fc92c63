"""Divisions, of a table and inside a training part: shapes, stratification, rare classes, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bench.data.splits import HOLDOUTS, draw_splits, first_part_counts, splits_for
from bench.errors import DataInvalid
from bench.protocols.rows import inner_folds, inner_split, stratified_sample
from bench.records.dataset import Dataset, IntArray

class_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) >= 2)
seeds = st.integers(0, 2**32 - 1)


def labels(sizes: list[int], seed: int = 0) -> IntArray:
    """Shuffled labels with ``sizes[c]`` rows of class c."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int64)


def assert_partition(parts: tuple[IntArray, IntArray], n: int) -> None:
    """Two non-empty lists, disjoint, that cover 0..n-1, ascending and of the right type."""
    for part in parts:
        assert part.dtype == np.int64
        assert len(part) > 0
        assert (np.diff(part) > 0).all()
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))


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


def test_the_draw_depends_on_seed_and_name_and_on_nothing_else() -> None:
    def drawn(name: str, seed: int) -> list[list[int]]:
        return [holdout.test.tolist() for holdout in draw_splits(name, labels([30, 20]), seed).holdouts]

    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = drawn("table", 7)
    assert any(set(a) & set(b) for i, a in enumerate(first) for b in first[i + 1 :])  # no partition into folds
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert drawn("table", 7) == first
    assert first not in (drawn("table", 8), drawn("another", 7))


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
    divisions = [(division.train, division.test) for division in (splits.tuning, *splits.holdouts)]
    for parts in (*divisions, inner_split(y, 0), *inner_folds(y, 5, 0)):
        assert_partition(parts, len(y))


def test_one_row_cannot_be_divided() -> None:
    one = np.zeros(1, dtype=np.int64)
    refused(DataInvalid, "cannot be divided", draw_splits, "table", one, 0)
    refused(DataInvalid, "cannot be divided", inner_split, one, 0)
    refused(DataInvalid, "cannot be divided", inner_folds, one, 5, 0)
    with pytest.raises(ValueError, match="at least 2 folds"):
        inner_folds(labels([5, 5]), 1, 0)


@given(class_sizes, seeds)
def test_inner_split_keeps_every_class_in_fit(sizes: list[int], seed: int) -> None:
    y = labels(sizes, seed)
    fit, validation = inner_split(y, seed)
    assert_partition((fit, validation), len(y))
    if max(sizes) > 1:
        assert set(np.unique(y[fit])) == set(range(len(sizes)))
    room = sum(size - 1 for size in sizes)
    assert len(validation) == max(1, min(room, max(1, round(0.2 * len(y)))))
    if all(size >= 5 for size in sizes):  # as even as whole rows allow
        shares = np.bincount(y[validation], minlength=len(sizes)) - 0.2 * np.array(sizes)
        assert np.abs(shares).max() < 1.5


@given(class_sizes, st.integers(2, 6), seeds)
def test_inner_folds_validate_each_dealt_row_once(sizes: list[int], k: int, seed: int) -> None:
    y = labels(sizes, seed)
    folds = inner_folds(y, k, seed)
    assert 1 <= len(folds) <= k
    validated = np.concatenate([validation for _, validation in folds])
    assert len(np.unique(validated)) == len(validated)
    singles = np.flatnonzero(np.bincount(y)[y] == 1)
    if max(sizes) > 1:
        assert set(validated.tolist()) == set(range(len(y))) - set(singles.tolist())
    lengths = [len(validation) for _, validation in folds]
    assert max(lengths) - min(lengths) <= 1
    for fit, validation in folds:
        assert_partition((fit, validation), len(y))
        if max(sizes) > 1:
            assert set(np.unique(y[fit])) == set(range(len(sizes)))


@given(class_sizes, st.integers(1, 400), seeds)
def test_a_sample_has_its_size_and_the_classes_in_proportion(sizes: list[int], size: int, seed: int) -> None:
    y = labels(sizes, seed)
    sample = stratified_sample(y, size, seed)
    assert np.array_equal(sample, stratified_sample(y, size, seed))
    assert (np.diff(sample) > 0).all()
    if size >= len(y):
        assert np.array_equal(sample, np.arange(len(y)))
    elif size >= len(sizes):
        counts = np.bincount(y[sample], minlength=len(sizes))
        assert counts.sum() == size
        assert counts.min() >= 1
        ideal = np.array(sizes) * size / len(y)
        if ideal.min() >= 1:
            assert np.abs(counts - ideal).max() < 1
        assert (counts <= sizes).all()

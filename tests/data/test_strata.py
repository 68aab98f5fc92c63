"""Divisions inside a training part: stratification, rare classes, determinism."""

from __future__ import annotations

import numpy as np
from divisions import assert_partition, class_sizes, labels, seeds
from hypothesis import given
from hypothesis import strategies as st

from bench.protocols.rows import inner_folds, inner_split, stratified_sample


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


def test_samples_differ_by_seed() -> None:
    y = labels([300, 200])
    assert not np.array_equal(stratified_sample(y, 50, 0), stratified_sample(y, 50, 1))

"""Tables survive the way to a worker bit by bit, and a worker cannot change them for the next job."""

from __future__ import annotations

import os

import numpy as np
import pytest
from tiny_benchmark import TinyEntry, generate

from bench.data.splits import splits_for
from bench.records.dataset import Dataset, Splits
from bench.run.tables import attach, pack, share, unpack


def same(one: tuple[Dataset, Splits], two: tuple[Dataset, Splits]) -> bool:
    (dataset, splits), (other, other_splits) = one, two
    arrays = [(dataset.X, other.X), (dataset.y, other.y)]
    for division, counterpart in zip(
        (splits.tuning, *splits.holdouts), (other_splits.tuning, *other_splits.holdouts), strict=True
    ):
        arrays += [(division.train, counterpart.train), (division.test, counterpart.test)]
    return (
        all(a.tobytes() == b.tobytes() and a.dtype == b.dtype and a.shape == b.shape for a, b in arrays)
        and dataset.sha256 == other.sha256
        and (dataset.name, dataset.source, dataset.standardised) == (other.name, other.source, other.standardised)
        and splits.name == other_splits.name
    )


@pytest.mark.parametrize("entry", [TinyEntry("a"), TinyEntry("b", rows=41, features=1, classes=5)])
def test_a_table_comes_back_as_it_was(entry: TinyEntry) -> None:
    dataset = generate(entry)
    dataset.X[0, 0] = -0.0
    dataset.X[1, 0] = 5e-324
    splits = splits_for(dataset, 3)
    assert same(unpack(pack(dataset, splits)), (dataset, splits))


def test_columns_in_fortran_order_are_no_different() -> None:
    dataset = generate(TinyEntry("a"))
    turned = Dataset("a", np.asfortranarray(dataset.X), dataset.y, 2, "tiny", standardised=True)
    splits = splits_for(turned, 0)
    assert same(unpack(pack(turned, splits)), (turned, splits))


def test_writing_into_an_attached_table_changes_that_copy_only() -> None:
    dataset = generate(TinyEntry("a"))
    descriptor = share(pack(dataset, splits_for(dataset, 0)))
    try:
        first, _ = attach(descriptor)
        first.X[:] = 7.0
        second, _ = attach(descriptor)
        assert second.sha256 == dataset.sha256
    finally:
        os.close(descriptor)

"""The benchmark of Grinsztajn et al.: rows of its divisions against the rule written anew, and its parts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusals import refused

from bench.data.grinsztajn import divided, parts_of
from bench.data.selection import PARTS as WORDS
from bench.data.selection import needs_openml
from bench.errors import DataInvalid
from bench.protocols.reduction import reduced, reduction
from bench.records.dataset import Dataset
from bench.records.grinsztajn import PARTS


def table(n: int) -> Dataset:
    return Dataset("t", np.zeros((n, 1)), np.arange(n) / 2, 0, "user")


def shuffled(stream: np.random.RandomState, rows: list[int], share: float) -> tuple[list[int], list[int]]:
    """(first, second) as scikit-learn's ShuffleSplit deals rows: the second part comes first in the permutation."""
    taken = math.floor(share * len(rows))
    left = len(rows) - taken
    order = stream.permutation(len(rows)).tolist()
    return [rows[i] for i in order[left : left + taken]], [rows[i] for i in order[:left]]


def by_the_rule(n: int, largest: int) -> list[tuple[list[int], list[int], list[int]]]:
    """(train, validation, test) of every repeat, from the benchmark's description."""

    def repeat(i: int, *, printed: bool) -> tuple[list[int], list[int], list[int]]:
        stream = np.random.RandomState(i)
        if printed:
            stream.randn(1)
        train, rest = shuffled(stream, list(range(n)), min(largest / n, 0.7))
        validation, test = shuffled(stream, rest, 0.3)
        return train, validation[:50_000], test[:50_000]

    tested = len(repeat(0, printed=False)[2])
    count = 5 if tested <= 1_000 else 3 if tested <= 3_000 else 2 if tested <= 6_000 else 1
    return [repeat(i, printed=True) for i in range(count)]


@pytest.mark.parametrize("n", [11, 4_763, 4_764, 14_285, 14_286, 30_000, 300_000])
@pytest.mark.parametrize(("name", "largest"), [("grinsztajn-medium", 10_000), ("grinsztajn-large", 50_000)])
def test_rows_are_those_of_the_benchmarks_rule(n: int, name: str, largest: int) -> None:
    splits = divided(table(n), name)
    assert splits.name == name
    expected = by_the_rule(n, largest)
    found = [(holdout.train, holdout.validation, holdout.test) for holdout in splits.holdouts]
    assert [tuple(part.tolist() for part in parts if part is not None) for parts in found] == expected
    for parts in found:
        assert all(part is not None and part.dtype == np.int64 for part in parts)
        together = np.concatenate(parts)
        assert len(np.unique(together)) == len(together) <= n
    sizes = {len(part) for part in (splits.tuning.train, splits.tuning.test)}
    assert sizes == {len(part) for part in expected[0][:2]}


def test_sizes_and_repeats_are_those_that_the_authors_fork_printed(fork_results: Path) -> None:
    """The cleaned tables have so many rows; sizes and repeats are from the file."""
    printed = pd.read_csv(fork_results).dropna(subset=["n_train", "test_scores"])
    rows = {"cpu_act": 8_192, "pol": 15_000, "elevators": 16_599, "Ailerons": 13_750, "sulfur": 10_081}
    for name, n in rows.items():
        for _, run in printed[printed["data__keyword"] == name].iterrows():
            splits = divided(table(n), "grinsztajn-medium")
            sizes = {(len(h.train), len(h.test)) for h in splits.holdouts}
            assert sizes == {(run["n_train"], run["n_test"])}
            assert len(splits.holdouts) == run["test_scores"].count(",") + 1


def test_the_reduction_keeps_all_test_folds_and_tables_may_be_too_small() -> None:
    splits = divided(table(8_192), "grinsztajn-medium")
    less = reduced(splits, 8_192)
    assert (less.holdouts, less.tuning_rows) == (splits.holdouts, 5_000)
    assert reduction(less) == "chosen on at most 5,000 rows"
    small = divided(table(7_000), "grinsztajn-medium")
    assert reduced(small, 7_000) is small
    refused(DataInvalid, "t: 10 rows; grinsztajn-medium needs at least 11", divided, table(10), "grinsztajn-medium")


def test_the_parts_have_the_suites_tasks() -> None:
    assert [(part.suite, len(part.tasks)) for part in PARTS.values()] == [(337, 16), (336, 19), (334, 7), (335, 17)]
    every = {task for part in PARTS.values() for task in part.tasks}
    assert (len(every), min(every), max(every)) == (59, 361_055, 361_294)
    assert [part.kind for part in parts_of("grinsztajn")] == ["classification", "regression"] * 2
    assert [part.name for part in parts_of("grinsztajn-cat-reg")] == ["cat-reg"]
    assert parts_of("grinsztajn-cat") == parts_of("small90") == ()


def test_words_of_the_subset() -> None:
    assert all(needs_openml(word) for word in (*WORDS, "iris, grinsztajn-num-reg"))
    assert not needs_openml("iris,small90")

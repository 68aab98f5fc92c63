"""``--folds N``: the first N test folds of each dataset, named wherever their scores are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command import Command

from bench.cli.headline import reductions
from bench.data.splits import FirstFolds, draw_splits, first_folds, taken
from bench.protocols.reduction import reduced
from bench.protocols.registry import reduction_in_words
from bench.records.dataset import Splits
from bench.run.identity import fold_hashes, splits_hash
from bench.store import read_run

pytestmark = pytest.mark.usefixtures("elsewhere")
WORDS = "tested on the first 2 of 4 test folds only"


@pytest.fixture
def splits() -> Splits:
    return draw_splits("t", np.arange(40, dtype=np.int64) % 2, 0)


def test_the_first_folds_are_those_of_all_and_another_job(splits: Splits) -> None:
    two = first_folds(splits, 2)
    assert isinstance(two, FirstFolds)
    assert (taken(two), taken(splits)) == (WORDS, None)
    assert fold_hashes(two) == fold_hashes(splits)[:2]
    assert splits_hash(two) != splits_hash(splits)
    assert (two.name, two.tuning, two.holdouts) == (splits.name, splits.tuning, splits.holdouts[:2])
    for many in (4, 5):
        assert first_folds(splits, many) is splits


def test_what_a_large_table_is_reduced_to_is_said_too(splits: Splits) -> None:
    one = reduced(splits, 20_000)
    assert first_folds(one, 1) is one
    own = replace(splits, holdouts=tuple(replace(h, validation=h.train[:3]) for h in splits.holdouts), tuning_rows=5)
    assert taken(first_folds(own, 2)) == f"chosen on at most 5 rows, {WORDS}"
    assert reduction_in_words(WORDS, {"relearn"}) == WORDS


@pytest.mark.usefixtures("in_process")
def test_a_run_of_two_folds_says_so_and_stands_in_a_folder_of_its_own(command: Command) -> None:
    words = ["run", "--subset", "iris", "--methods", "faulty_methods:Centroid", "--jobs", "1", "--run", "r"]
    printed = command(*words, "--folds", "2")
    assert f"{WORDS}: iris" in printed.out
    scores = pd.read_csv("r/scores.csv")
    assert scores["holdout"].tolist() == [0, 1]
    assert set(scores["reduction"]) == {WORDS}
    assert scores["fold_sha256"].nunique() == 2
    (result,) = read_run("r").results
    assert reductions([result]) == [f"{WORDS}: iris"]
    assert f"{WORDS}: iris" in command("status", "r").out
    assert "0 jobs to run" in command(*words, "--folds", "2", "--dry-run").out
    other = ["--folds", "1", "--methods", "faulty_methods:Shrunken", "--run", "r"]
    command.refuses("give --full and --folds as they were given before", *words[:5], *other)


def test_more_folds_than_there_are_are_all_and_none_is_an_error(command: Command) -> None:
    words = ["run", "--subset", "iris,wine", "--methods", "faulty_methods:Centroid", "--dry-run", "--run", "r"]
    printed = command(*words, "--folds", "9")
    assert "bench: --folds 9: these datasets have 4 test folds, all tested: iris, wine" in printed.err
    assert "test folds only" not in printed.out
    for wrong in ("0", "-1", "two", "1.5"):
        command.refuses(f"--folds {wrong}: must be a whole number of at least 1", *words, f"--folds={wrong}")

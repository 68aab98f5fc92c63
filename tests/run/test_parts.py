"""Parts of a run. ``--folds N``: the first N test folds of each dataset, named wherever their scores are shown.
``--shard I/N``: a folder of its own, as the tasks of a job array make them, and all of them together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from tiny_benchmark import TinyBenchmark, TinyEntry, tables

from bench.cli.headline import reductions
from bench.data.splits import FirstFolds, draw_splits, first_folds, taken
from bench.protocols.reduction import reduced
from bench.protocols.registry import reduction_in_words
from bench.records.dataset import Splits
from bench.run.identity import fold_hashes, splits_hash
from bench.run.plan import shard
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


@pytest.mark.parametrize("protocols", ["clean", "clean,clean-cv,relearn"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_job_is_in_one_part(tiny: TinyBenchmark, count: int, protocols: str) -> None:
    tiny.entries = (*tables(5), TinyEntry("gone", present=False))
    plan = tiny.plan("Centroid", "Shrunken", "Limited", protocol=protocols)
    parts = [shard(plan, index, count) for index in range(1, count + 1)]
    jobs = [job for part in parts for job in part.jobs]
    assert sorted(job.id for job in jobs) == sorted(job.id for job in plan.jobs)
    sizes = [len(part.jobs) for part in parts]
    assert max(sizes) - min(sizes) <= len(protocols.split(","))


def test_a_part_is_the_same_where_a_dataset_cannot_be_read(tiny: TinyBenchmark) -> None:
    """Each task of a job array reads for itself: none may run what another one has, or leave what it counts on."""
    tiny.entries = tables(6)
    here = tiny.plan("Centroid", "Shrunken")
    tiny.entries = (*tables(6)[:2], TinyEntry("table-2", rows=40, present=False), *tables(6)[3:])
    there = tiny.plan("Centroid", "Shrunken")
    for index in (1, 2, 3):
        parts = [{(j.dataset, j.method) for j in shard(plan, index, 3).jobs} for plan in (here, there)]
        assert parts[0] == parts[1]


@pytest.mark.usefixtures("in_process")
def test_parts_are_exported_and_reported_together(command: Command) -> None:
    words = ["run", "--subset", "iris,wine,lenses", "--methods", "svm_rbf,laplace"]
    command(*words, "--run", "whole")
    folders = []
    for index in (1, 2):
        command(*words, "--shard", f"{index}/2")
        folders += [str(path) for path in Path("results").glob(f"*-shard{index}of2")]
    assert len(folders) == 2
    Path("all").mkdir()
    command("export", *folders, "--out", "all")
    kept = ["dataset", "method", "holdout", "accuracy", "config"]
    whole, together = (pd.read_csv(f"{folder}/scores.csv")[kept] for folder in ("whole", "all"))
    pd.testing.assert_frame_equal(whole, together)
    assert "3 common datasets of 3" in command("report", *folders, "--out", "o").out


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3"])
def test_a_part_that_is_none_is_refused(text: str, command: Command) -> None:
    command.refuses(f"--shard {text}: must be I/N", "run", "--subset", "iris", "--shard", text)

"""Parts of a run in folders of their own, as the tasks of a job array make them, and all of them together."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import Command
from tiny_benchmark import TinyBenchmark, TinyEntry, tables

from bench.run.plan import shard


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


@pytest.mark.usefixtures("in_process", "elsewhere")
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

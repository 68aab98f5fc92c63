"""The Grinsztajn benchmark as a user runs it, on small tables of a server on loopback."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import Command
from loopback import Loopback, Page
from services import FakeOpenML, arff, scores, task_splits

from bench.data import fetching
from bench.records import grinsztajn
from bench.store import read_run

pytestmark = pytest.mark.usefixtures("in_process")
RNG = np.random.default_rng(0)
NUMBERS = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["a", "b", "c"])
WITH_CLASS = NUMBERS.assign(colour=["red", "green", "blue"] * 20, y=np.where(NUMBERS["a"] > 0, "1", "0"))
WITH_NUMBER = NUMBERS.assign(y=NUMBERS["a"] * NUMBERS["b"])


@pytest.fixture(autouse=True)
def _parts(openml: FakeOpenML, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One task in each part, two with numbers; both parts of classification have a table of one name."""
    monkeypatch.chdir(tmp_path)
    openml.data(61, arff(NUMBERS.assign(y=WITH_CLASS["y"])), target="y", name="electricity")
    openml.data(62, arff(WITH_NUMBER), target="y", name="pol")
    openml.data(63, arff(WITH_NUMBER.assign(a=1.0)), target="y", name="sulfur")
    openml.data(64, arff(WITH_CLASS), target="y", name="electricity")
    openml.data(65, arff(WITH_CLASS.assign(y=WITH_NUMBER["y"])), target="y", name="pol")
    for id, data in ((10, 61), (13, 64)):
        openml.task(id, data, task_splits([np.arange(30), np.arange(30, 60)]), target="y")
    for id, data in ((11, 62), (12, 63), (14, 65)):
        openml.task(id, data, b"never read", target="y", type=2)
    for name, tasks in (("num-clf", (10,)), ("num-reg", (11, 12)), ("cat-clf", (13,)), ("cat-reg", (14,))):
        monkeypatch.setitem(grinsztajn.PARTS, name, replace(grinsztajn.PARTS[name], tasks=tasks))


def test_all_four_parts(openml: FakeOpenML, command: Command) -> None:
    words = ["--subset", "grinsztajn"]
    assert "5 of 5 datasets are available and valid" in command("fetch", *words).out
    assert not any("splits" in address for address, _ in openml.web.requests)
    requests = len(openml.web.requests)
    listing = command("list", *words).out
    assert "electricity-num-clf" in listing
    assert "5 of 5 datasets are available" in listing
    command("run", *words, "--methods", "laplace", "--offline", "--jobs", "1", "--run", "r")
    rows = scores("r")
    assert {(row["dataset"], row["task"]) for row in rows} == {
        *((name, "classification") for name in ("electricity-num-clf", "electricity-cat-clf")),
        *((name, "regression") for name in ("pol-num-reg", "sulfur-num-reg", "pol-cat-reg")),
    }
    assert {(row["split"], row["status"]) for row in rows} == {("grinsztajn-medium", "ok")}
    assert len(rows) == 5 * 5  # 13 rows are tested: five repeats
    assert len(openml.web.requests) == requests


def test_a_part_and_a_suite_with_the_same_task_do_not_share_divisions(openml: FakeOpenML, command: Command) -> None:
    openml.suite(99, [10])
    run = ["run", "--methods", "laplace", "--jobs", "1"]
    command(*run, "--subset", "grinsztajn-num-clf", "--run", "part")
    command(*run, "--subset", "openml-suite:99", "--run", "suite")
    command(*run, "--subset", "grinsztajn-num-clf", "--splits", "grinsztajn-large")
    large = "results/grinsztajn-num-clf-clean-grinsztajn-large"
    for folder, split in (("part", "grinsztajn-medium"), ("suite", "openml-task-10"), (large, "grinsztajn-large")):
        assert {row["split"] for row in scores(folder)} == {split}
    jobs = {result.job.id for folder in ("part", "suite", large) for result in read_run(Path(folder)).results}
    assert len(jobs) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--protocol clean-cv", "have validation parts of their own, on which --protocol clean-cv does not select"),
        ("--protocol relearn", "on which --protocol relearn does not select: use clean"),
        ("--splits grinsztajn-big", "unknown splits 'grinsztajn-big': did you mean 'grinsztajn-large'?"),
    ],
)
def test_words_that_do_not_go_together(command: Command, words: str, message: str) -> None:
    command.refuses(message, "run", "--subset", "grinsztajn-num-clf", "--methods", "laplace", *words.split())


RUNS = """benchmark,model_name,data__keyword,hp,mean_val_score,mean_test_score,mean_time,n_train
numerical_regression_medium,Resnet,pol,default,.9,.9,3,10000
numerical_regression_medium,MLP,pol,default,.8,.8,3,10000
"""


def test_the_published_runs_are_fetched_once_and_only_if_they_are_these(
    web: Loopback, own_cache: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr(fetching, "RUNS_URL", f"{web.url}/runs")
    web.pages["/runs"] = Page(RUNS.encode())
    command.refuses("/runs: MD5 hash of downloaded file", "fetch", "--published-grinsztajn")
    command.refuses("the benchmark's runs have not been fetched", "fetch", "--published-grinsztajn", "--offline")
    monkeypatch.setattr(fetching, "RUNS_HASH", f"md5:{hashlib.md5(RUNS.encode()).hexdigest()}")
    assert "2 runs of 2 models in 1 benchmark, in " in command("fetch", "--published-grinsztajn").out
    requests = len(web.requests)
    command("fetch", "--published-grinsztajn")
    assert len(web.requests) == requests
    assert fetching.runs_file().read_text() == RUNS


def test_own_tables_divided_as_the_benchmark_does(command: Command) -> None:
    WITH_NUMBER.to_csv("mine.csv", index=False)
    words = ["run", "--data", "mine.csv", "--target", "y", "--task", "regression", "--methods", "laplace"]
    command(*words, "--splits", "grinsztajn-medium", "--run", "r")
    assert [row["split"] for row in scores("r")] == ["grinsztajn-medium"] * 5
    command(*words, "--splits", "drawn", "--run", "d")
    assert [row["split"] for row in scores("d")] == ["seed-0"] * 4

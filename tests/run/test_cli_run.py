"""``bench run`` and ``bench status`` as a user meets them; jobs as processes are in ``test_cli_processes``."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from command import Command

from bench.cli.run import default_folder
from bench.data.archive import file_names
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.methods import get_method, method_names
from bench.store import Store, read_run
from rfm.native import Library

pytestmark = pytest.mark.usefixtures("in_process", "elsewhere")
METHODS = "faulty_methods:Centroid,faulty_methods:Shrunken"
RUN = ("run", "--subset", "iris,wine", "--methods", METHODS, "--jobs", "2")
ONE = ("run", "--subset", "iris", "--methods", "faulty_methods:Centroid")


def test_a_variant_is_chosen_run_and_told(command: Command) -> None:
    out = command(*RUN, "--ensemble", "top5", "--inputs", "nominal").out
    assert "clean-top5-nominal: mean accuracy over the 2 datasets" in out
    (folder,) = Path("results").iterdir()
    assert folder.name.endswith("-clean-top5-nominal")
    scores = pd.read_csv(folder / "scores.csv")
    assert set(scores["protocol"]) == {"clean-top5-nominal"}
    assert set(zip(scores["ensemble"], scores["inputs"], strict=True)) == {("top5", "nominal")}
    members = scores["config"].map(lambda text: json.loads(text)["members"])
    assert set(members.map(len)) == {2}
    command("report", str(folder), "--out", "o")
    assert "2 members, 1/2 shrink 0.5; 1/2 shrink 0" in Path("o/datasets.md").read_text(encoding="utf-8")
    assert "0 jobs to run, 4 done before" in command(*RUN, "--protocol", "clean-top5-nominal", "--dry-run").out


@pytest.fixture
def folder_of_iris() -> Path:
    """An archive folder whose only table is damaged."""
    entry = load_registry().entries["iris"]
    assert entry.archive is not None
    for name in file_names(entry.archive):
        file = Path("data") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("damaged")
    return Path("data")


def test_a_table_that_cannot_be_read_is_no_matter_of_retry_failed(folder_of_iris: Path, command: Command) -> None:
    out = command(*ONE, "--archive", str(folder_of_iris), "--run", "r", code=1).out
    assert "1 job: 1 error" in out
    planned = command(*ONE, "--archive", str(folder_of_iris), "--run", "r", "--dry-run").out
    assert "0 jobs to run, 0 done before, 0 will be skipped, 1 will fail" in planned
    assert "--retry-failed" not in out
    assert "to retry the datasets that could not be read: repair them, then run the same command" in out
    (row,) = pd.read_csv("r/scores.csv").to_dict("records")
    assert pd.isna(row["split"])
    assert "SHA-256" in row["reason"]


def test_a_folder_takes_a_table_from_one_source(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command(*ONE, "--run", "r")
    monkeypatch.setattr(EmbeddedSource, "name", "archive")
    said = command(*ONE, "--run", "r", code=2).err
    assert "run folder r holds results from embedded, asked for archive" in said
    assert "choose another folder with --run, or another --source" in said
    command(*ONE, "--run", "other")


def test_a_damaged_copy_leaves_the_results_of_a_sound_one(
    archive_path: str, folder_of_iris: Path, command: Command
) -> None:
    command(*ONE, "--run", "r", "--archive", archive_path)
    scores = Path("r/scores.csv").read_text()
    printed = command(*ONE, "--run", "r", "--archive", str(folder_of_iris), code=1).out
    assert "not read this time, earlier results are kept:\n    error: iris/centroid: " in printed
    assert Path("r/scores.csv").read_text() == scores


def test_what_is_recorded_is_enough_to_repeat_the_run(
    folder_of_iris: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Command
) -> None:
    typed = f"python -m bench {' '.join(ONE)} --run"
    command(*ONE, "--run", str(tmp_path / "r"))
    recorded = read_run("r").provenance
    assert (recorded["command"], recorded["source"], "archive" in recorded) == (f"{typed} r", "embedded", False)
    monkeypatch.setenv("BENCH_ARCHIVE", str(folder_of_iris.resolve()))
    command(*ONE, "--run", "s", code=1)
    recorded = read_run("s").provenance
    assert recorded["command"] == f"BENCH_ARCHIVE=data {typed} s"
    assert (recorded["source"], recorded["archive"]["name"]) == ("archive", "data")
    assert re.fullmatch("[0-9a-f]{64}", recorded["archive"]["sha256"])
    assert str(tmp_path) not in json.dumps(recorded) + Path("s/results.sqlite").read_bytes().decode(errors="replace")


def test_json_events(command: Command) -> None:
    events = [json.loads(line) for line in command(*RUN, "--run", "r", "--json").out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("started") == kinds.count("finished") == 4
    last = events[-1]
    assert (last["done"], last["total"], last["failed"], last["status"]) == (4, 4, 0, "ok")
    assert 0 <= last["accuracy"] <= 100


def test_a_dry_run_lists_and_runs_nothing(command: Command) -> None:
    out = command(*RUN, "--run", "r", "--dry-run").out
    assert out.count("centroid") == 2
    assert "4 jobs to run, 0 done before, 0 will be skipped" in out
    assert "nothing was run" in out
    assert not Path("r").exists()
    command(*RUN, "--run", "r")
    assert "0 jobs to run, 4 done before" in command(*RUN, "--run", "r", "--dry-run").out
    assert "4 jobs to run, 0 done" in command(*RUN, "--run", "r", "--dry-run", "--keep-predictions").out
    both = ("--methods", "laplace", "--ensemble", "none,greedy", "--dry-run")
    assert command("run", "--subset", "iris", *both).out.count("one fit of the grid for 2 jobs") == 1


ENGINES = {
    ("run --methods svm_rbf,laplace", None, "no C compiler"): "no C compiler; install rfm again, or run",
    ("run --methods ntk", "", "stale: run `tools/build_native.py`"): "slower: stale: run `tools/",
    ("study low-rank --quick", None, "no C compiler"): "no C compiler; install rfm again, or run",
    ("run --methods laplace", "python", "no C compiler"): "",
    ("run --methods svm_rbf", None, "no C compiler"): "",
    ("run --methods laplace", None, ""): "",
}
"""The command, RFM_ENGINE, what is wrong with the native engine, and what is said of that."""


@pytest.mark.parametrize(("words", "asked", "wrong"), ENGINES)
def test_an_engine_that_nobody_asked_for_is_said(
    words: str, asked: str | None, wrong: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RFM_ENGINE", raising=False)
    if asked is not None:
        monkeypatch.setenv("RFM_ENGINE", asked)
    native = Library(ModuleType("chain"), ("avx2",))
    native.module.SOURCES = "0123456789"
    monkeypatch.setattr("rfm.engines.library", lambda: wrong or native)
    subset = ("--subset", "iris") if words.startswith("run") else ()
    err = command(*words.split(), *subset, "--run", "r", "--dry-run").err
    said = ENGINES[words, asked, wrong]
    lines = [line for line in err.splitlines() if "kernel machines run in Python" in line]
    assert len(lines) == bool(said)
    assert all(said in line and line.count("build_native.py") == 1 for line in lines)


def test_large_tables_are_reduced_unless_asked_in_full(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in method_names():  # one that were imported only now would keep the small numbers
        get_method(name)
    monkeypatch.setattr("bench.protocols.reduction.LARGE_ROWS", 150)  # iris has 150 rows, wine 178
    monkeypatch.setattr("bench.protocols.reduction.TUNING_ROWS", 40)
    words = "chosen on at most 40 rows, tested on the first hold-out only"
    out = command(*RUN, "--run", "r", "--dry-run").out
    listed = {line.split()[0]: line for line in out.splitlines() if "centroid" in line}
    shown = "selected on at most 40 rows, tested on the first test fold only"
    assert listed["wine"].endswith(shown)
    assert listed["iris"].endswith("0.0")
    command(*RUN, "--run", "r")
    results = {r.job.dataset: r for r in read_run("r").results}
    found = {name: (r.job.reduction, len(r.holdouts)) for name, r in results.items()}
    assert found == {"iris": (None, 4), "wine": (words, 1)}
    assert f"start wine/centroid (clean): {shown}" in "".join(p.read_text() for p in Path("r/logs").iterdir())
    command(*RUN, "--run", "f", "--full")
    full = {r.job.dataset: r for r in read_run("f").results}
    assert {(r.job.reduction, len(r.holdouts)) for r in full.values()} == {(None, 4)}
    assert full["iris"].job.id == results["iris"].job.id
    assert full["wine"].job.id != results["wine"].job.id
    said = "wine (clean) in full for some methods and reduced for others"
    command.refuses(said, "run", "--subset", "wine", "--methods", "laplace", "--run", "r", "--full")


BAD = {
    ("--jobs", "0"): "--jobs 0: must be a whole number of at least 1",
    ("--jobs", "many"): "--jobs many",
    ("--memory-gb", "0"): "--memory-gb 0: must be a number above 0",
    ("--memory-gb", "nan"): "--memory-gb nan",
    ("--memory-gb", "1e300"): "--memory-gb 1e300: must be a number above 0, at most 1e9",
    ("--timeout", "-1"): "--timeout -1",
    ("--seed", "x"): "--seed x",
    ("--seed", f"{2**63}"): "--seed 9223372036854775808: must be a whole number of at least 0 and at most 18 digits",
    ("--seeds", ""): "--seeds is empty",
    ("--seeds", "0,x"): "--seeds 0,x: must be whole numbers of at least 0, separated by commas, such as 0,1,2",
    ("--seeds", "0,-1"): "--seeds 0,-1: must be whole numbers",
    ("--seeds", "0,1,0"): "--seeds 0,1,0: 0 is given twice; give each seed once",
    ("--seed", "1", "--seeds", "1,2"): "--seed 1 and --seeds 1,2: give one of them",
    ("--engine", "locl"): "unknown engine 'locl': did you mean 'local'?",
    ("--methods", "rmf"): "unknown method 'rmf': did you mean 'rfm'?",
    ("--methods", ":"): "method ':' is neither a registered name nor of the form package.module:Class",
    ("--methods", "os:"): "method 'os:' is neither",
    ("--methods", ".os:sep"): "method '.os:sep' is neither",
    ("--methods", "os:sep"): "method 'os:sep' cannot be loaded: TypeError: 'str' object is not callable",
    ("--methods", "no_such_module:X"): "cannot be loaded",
    ("--methods", "json:JSONDecoder"): "is a JSONDecoder, not a bench.records.method.Method",
    ("--subset", "irs"): "irs",
    ("--run", ""): "--run is empty (an unset shell variable?): give it a value or leave it out",
    ("--archive", ""): "--archive is empty (an unset shell variable?)",
    ("--scheduler", "tcp://x:1"): "--scheduler is for --engine dask",
    ("--scheduler", "", "--engine", "dask"): "--scheduler is empty (an unset shell variable?)",
    ("--ensemble", "greedy", "--protocol", "relearn"): "--ensemble greedy: --protocol relearn repeats the paper's",
    ("--ensemble", "greedy", "--select", "auc"): "--select auc: an ensemble's members are selected by the Brier",
    ("--select", "accuracy,auc"): "two measures",
    ("--select", "logloss"): "did you mean 'log_loss'",
    ("--select", "auc", "--protocol", "published"): "--select: --protocol published selects by accuracy; use clean or",
    ("--run", "file/r"): "run folder file/r cannot be created: Not a directory",
    ("--subset", "all121"): "Tried: embedded",
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_arguments(words: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(Path("cache").resolve()))
    Path("file").write_text("")
    command.refuses(BAD[words], *RUN, "--run", "r", *words)
    assert not Path("r").exists()


def test_a_folder_in_use(command: Command) -> None:
    with Store(Path("r")):
        command.refuses(f"is in use by process {os.getpid()}", *RUN, "--run", "r")


def test_default_folders(tmp_path: Path) -> None:
    def name(subset: str = "small90", protocol: str = "clean", seeds: Sequence[int] = (0,), **more: Any) -> str:
        folder = default_folder(subset, protocol, seeds, **more)
        (tmp_path / folder).mkdir(parents=True)  # one for many seeds, too, can be made
        assert folder.parent == Path("results")
        return folder.name

    assert name() == "small90-clean"
    assert name(protocol="published", seeds=(3,)) == "small90-published-seed3"
    assert name(seeds=(0, 1, 2)) == "small90-clean-seeds0-1-2"
    assert name("../x") == ".._x-clean"
    assert name(folds=2) == "small90-clean-folds2"
    others = [name(subset) for subset in ("iris,wine", "iris,zoo")]
    others += [name("smoke", seeds=range(n), part=part) for n in (99, 100) for part in (None, (1, 2), (2, 2))]
    assert len(set(others)) == 8


def test_an_upgrade_is_announced_and_its_results_can_be_kept(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command(*ONE, "--run", "r")
    (before,) = read_run("r").results
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == "numpy" else version(name))
    out = command(*ONE, "--run", "r", "--dry-run").out
    assert "1 of these jobs have results of other versions of the libraries: --keep-versions keeps them" in out
    assert out.count("to run again, library versions differ: numpy ") == 1
    assert "-> 99.0" in out
    command(*ONE, "--run", "r", "--keep-versions")
    assert read_run("r").results == (before,)
    command(*ONE, "--run", "r")
    (after,) = read_run("r").results
    assert (after.job.id == before.job.id, after.job.work == before.job.work) == (False, True)


def test_status_of_a_finished_run_tells_the_invocation_that_did_something(command: Command) -> None:
    def state(*keys: str) -> tuple[Any, ...]:
        found = json.loads(command("status", "r", "--json").out)
        return tuple(found[key] for key in keys)

    command.refuses("no results in r", "status", "r")
    command(*RUN, "--run", "r")
    assert "r: 4 of 4 jobs done, 4 ok" in command("status", "r").out
    assert state("planned", "statuses", "undone", "in_use_by") == (4, {"ok": 4}, 0, None)
    started = read_run("r").provenance["started"]
    with Store(Path("r")) as store:
        store.begin(read_run("r").planned, {"started": "later", "command": "python -m bench run --again"})
        said = command("status", "r").out
        assert f"in use by process {os.getpid()} on " in said
        assert " left" not in said  # nobody knows yet
    assert f"latest results from the run started {started}\n" in command("status", "r").out
    assert state("started", "command") == (started, "python -m bench run --again")
    more = dataclasses.replace(read_run("r").planned[0], id="1", method="another")
    with Store(Path("r")) as store:
        store.begin([*read_run("r").planned, more], {"started": "last", "command": "python -m bench run --more"})
    assert "1 not done, nothing running; to resume: python -m bench run --more\n" in command("status", "r").out


def test_predictions_are_kept_and_made_up_for(command: Command) -> None:
    command(*RUN, "--run", "r")
    before = pd.read_csv("r/scores.csv")
    assert "4 jobs: 4 ok (0 from before)" in command(*RUN, "--run", "r", "--keep-predictions").out
    files = sorted(Path("r/predictions").iterdir())
    jobs = [(dataset, method) for dataset in ("iris", "wine") for method in ("centroid", "shrunken")]
    assert [file.name for file in files] == ["-".join([*job, "clean.parquet"]) for job in jobs]
    scores = pd.read_csv("r/scores.csv")
    for file, (dataset, method) in zip(files, jobs, strict=True):
        table = pd.read_parquet(file)
        assert list(table.columns) == ["holdout", "row", "truth", "score_0", "score_1", "score_2"]
        right = table[["score_0", "score_1", "score_2"]].to_numpy().argmax(axis=1) == table["truth"]
        of_job = scores[(scores["dataset"] == dataset) & (scores["method"] == method)]
        np.testing.assert_allclose(100 * right.groupby(table["holdout"]).mean(), of_job["accuracy"], rtol=1e-12)
        assert not table.duplicated(["holdout", "row"]).any()
    other, stale = (files[0].with_name(name) for name in ("of-another-run.parquet", "iris-gone-clean.parquet"))
    table.to_parquet(other)
    for path in (stale, files[3]):
        pq.write_table(pq.read_table(files[2]).replace_schema_metadata({b"job": b"gone"}), path)
    files[0].write_bytes(b"damaged")
    files[1].unlink()
    assert "4 jobs: 4 ok (1 from before)" in command(*RUN, "--run", "r", "--keep-predictions").out
    assert (other.exists(), stale.exists()) == (True, False)
    assert len(pd.read_parquet(files[0])) == len(pd.read_parquet(files[1])) > 0
    columns = ["dataset", "method", "holdout", "accuracy", "config"]
    pd.testing.assert_frame_equal(before[columns], pd.read_csv("r/scores.csv")[columns])


def test_several_seeds_go_into_one_folder(command: Command) -> None:
    printed = command(*RUN, "--run", "r", "--seeds", "0,1", "--keep-predictions").out
    assert "8 jobs of 2 seeds (0, 1): 8 ok (0 from before)" in printed
    scores = pd.read_csv("r/scores.csv")
    assert scores.groupby("seed")["split"].unique().map(list).to_dict() == {0: ["seed-0"], 1: ["seed-1"]}
    assert set(pd.read_csv("r/summary.csv")["seeds"]) == {"0 1"}
    assert json.loads(Path("r/provenance.json").read_text())[0]["invocations"][0]["seeds"] == [0, 1]
    names = {p.name for p in Path("r/predictions").iterdir()}
    assert {"iris-centroid-clean.parquet", "iris-centroid-clean-seed1.parquet"} <= names
    assert "8 of 8 jobs of 2 seeds (0, 1) done, 8 ok" in command("status", "r").out
    listed = command(*RUN, "--run", "r", "--seeds", "0,1,2", "--dry-run").out
    assert listed.count("seed 2") == 4
    assert "4 jobs to run, 8 done before" in listed
    assert "seeds 0, 1; accuracy in percent" in command("report", "r", "--out", "page").out


def test_another_measure_selects(command: Command) -> None:
    words = ["run", "--subset", "lenses", "--methods", "logistic_regression,faulty_methods:Centroid", "--run"]
    out = command(*words, "r", "--select", "log_loss", code=1).out
    assert "centroid gives no class probabilities, which log loss needs" in out
    chosen = pd.read_csv("r/scores.csv").query("status == 'ok'")
    assert set(chosen["metric"]) == {"log_loss"}
    assert chosen["validation_accuracy"].isna().all()
    (regression,) = [r for r in read_run(Path("r")).results if r.job.method == "logistic_regression"]
    for holdout in regression.holdouts:
        assert holdout.validation_score == pytest.approx(min(min(row["score"]) for row in holdout.path), abs=1e-6)
    command.refuses("holds results selected by log_loss, asked for accuracy or R2: they", *words, "r")
    said = "--select rmse: a measure for regression, and no dataset of this run is for that"
    command.refuses(said, *words, "r2", "--select", "rmse")

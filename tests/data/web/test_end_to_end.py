"""fetch, list, run and report as a user calls them, against a server on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Command
from loopback import Loopback, Page, broken_off, status, web_page
from services import FakeOpenML, FakeUCI, arff, scores, task_splits

from bench.cli.report import FETCHED, published_file
from bench.data import registry as registry_module
from bench.data.registry import load_registry
from bench.stats.published import SIZE
from bench.store import read_run


@pytest.fixture
def tiny(tiny: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """All commands see the generated registry, as ``tiny.document`` stands when they start."""
    monkeypatch.setattr(registry_module, "default_path", lambda: tiny.registry().path)
    monkeypatch.chdir(tmp_path)
    return tiny


def found(folder: str, *columns: str) -> set[tuple[str, ...]]:
    """What stands in these columns of a run's table of scores."""
    return {tuple(row[column] for column in columns) for row in scores(folder)}


@pytest.mark.usefixtures("in_process")
def test_the_archive_from_a_server_with_troubles(tiny: Any, web: Loopback, command: Command) -> None:
    web.pages["/data.tar.gz"] = Page(tiny.tar(mode="w:gz").read_bytes())
    web.faults["/data.tar.gz"] = [status(503), broken_off(300), broken_off(300, reset=True)]
    tiny.document["study"]["archive_url"] = f"{web.url}/data.tar.gz"
    captured = command("fetch", "--subset", "all", code=2)
    assert captured.err.count("trying again in") == 2
    assert "(3 tries); try again later" in captured.err
    command.refuses("none fetched into the cache", "run", "--subset", "all", "--methods", "laplace")
    assert "2 of 2 datasets are available and valid" in command("fetch", "--subset", "all").out
    assert web.requests[-1][1]["Range"].startswith("bytes=")  # resumed
    requests = len(web.requests)
    words = ["run", "--subset", "all", "--methods", "laplace", "--jobs", "1", "--offline", "--run", "r"]
    command(*words)
    assert found("r", "source", "split", "status") == {("archive", "published", "ok")}
    command("report", "r", "--out", "page")
    assert "alpha" in Path("page/index.html").read_text()
    assert len(web.requests) == requests


def test_mirrors_in_turn(tiny: Any, web: Loopback, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tiny.tar().read_bytes()
    tiny.files["alpha/alpha_R.dat"] += b" "
    web.pages["/other"] = Page(tiny.tar("other.tar.xz").read_bytes())
    web.pages["/page"] = Page(b"")
    web.faults["/page"] = [web_page]
    web.pages["/good"] = Page(good)
    tiny.document["study"] |= {
        "archive_url": f"{web.url}/gone",
        "mirrors": [f"{web.url}/{name}" for name in ("good", "spare")],
    }
    monkeypatch.setenv("BENCH_MIRRORS", f"{web.url}/page")
    captured = command("fetch", "--subset", "all", "--mirror", f"{web.url}/other")
    assert "2 of 2 datasets are available and valid" in captured.out
    assert [address for address, _ in web.requests] == ["/gone", "/other", "/page", "/good"]
    assert "404 Not Found" in captured.err
    assert "a web page" in captured.err
    assert captured.err.index("a web page") < captured.err.index("/good")


def test_if_no_mirror_is_sound_the_best_is_kept(tiny: Any, web: Loopback, command: Command) -> None:
    tiny.files["alpha/alpha_R.dat"] += b" "
    web.pages["/a"] = Page(tiny.tar().read_bytes())
    tiny.document["study"] |= {"archive_url": f"{web.url}/a", "mirrors": [f"{web.url}/b"]}
    captured = command("fetch", "--subset", "all", code=1)
    assert "1 of 2 datasets are available and valid" in captured.out
    assert "missing: http" in captured.err
    assert "alpha/alpha_R.dat: SHA-256 is" in captured.err
    command("fetch", "--subset", "all", code=1)
    assert [address for address, _ in web.requests] == ["/a", "/b", "/a", "/b"]  # the damaged one is not taken again
    command("fetch", "--subset", "beta", "--offline")


def test_what_was_fetched_stays_in_the_cache_that_was_named(tiny: Any, own_cache: Path, command: Command) -> None:
    path, words = tiny.tar(), ["--subset", "all", "--cache", "mine"]
    assert "2 of 2 datasets are available and valid, in mine" in command("fetch", *words, "--archive", path).out
    path.unlink()
    assert not own_cache.exists()
    assert f"archive: 2 of 2 datasets, in {path} (cached)" in command("list", *words).out
    assert "archive: not available here" in command("list", "--subset", "all").out
    assert "1 of 1 dataset is available and valid" in command("fetch", *words, "--subset", "first", "--offline").out
    assert "2 jobs to run" in command("run", *words, "--methods", "laplace", "--offline", "--dry-run").out


def test_list_fits_a_hundred_columns_and_flags_faults(command: Command) -> None:
    regression = command("list", "--subset", "regression").out.splitlines()
    assert "classes -: a number is predicted (regression)" in regression
    lines = [*command("list").out.splitlines(), *regression]
    assert max(map(len, lines)) <= 100
    for entry in load_registry().entries.values():
        (row,) = (line for line in lines if line.split("  ")[0] == entry.name + ("*" if entry.faults else ""))
        assert row.split()[1:4] == [str(entry.rows), str(entry.features), str(entry.classes or "-")]
    assert "  archive: not available here; `python -m bench fetch` downloads it, or BENCH_ARCHIVE names a copy" in lines


def test_list_as_json_says_what_the_registry_says(command: Command) -> None:
    document = json.loads(command("list", "--subset", "titanic,iris", "--json").out)
    titanic, iris = document["datasets"]
    assert (titanic["name"], titanic["licence"], titanic["sources"]) == ("titanic", "not stated", [])
    assert titanic["faults"] == ["2187 of 2201 rows repeat the features of another row"]
    assert (iris["sources"], iris["openml"]["id"]) == (["embedded"], 61)
    assert len(document["subsets"]["all121"]) == 121


def test_list_with_an_archive(tiny: Any, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    for location, said in (
        (tiny.tar(), "archive: 2 of 2 datasets"),
        ("/nowhere/a.tar", "archive: cannot be used: no archive at /nowhere/a.tar"),
    ):
        monkeypatch.setenv("BENCH_ARCHIVE", str(location))
        assert said in command("list", "--subset", "all").out


EMPTY = "is empty (an unset shell variable?)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fetch --subset all --archive /nowhere/a.tar", "no archive at /nowhere/a.tar"),
        ("fetch --subset all --offline", "not in the cache, and downloads are not allowed here"),
        ("fetch --source openm", "unknown source to fetch from 'openm': did you mean 'openml'"),
        ("fetch --source uci --mirror x", "--mirror is for the archive"),
        ("fetch --source uci --archive x --subset all", "--source uci and --archive exclude each other"),
        ("fetch --subset all", "http://127.0.0.1:9/a: download failed"),
        ("fetch --subset al", "did you mean 'all'"),
        ("list --subset al", "did you mean 'all'"),
        ("fetch --archive ", f"--archive {EMPTY}"),
        ("fetch --mirror ", f"--mirror {EMPTY}"),
        ("fetch --cache ", f"--cache {EMPTY}"),
        ("list --cache ", f"--cache {EMPTY}"),
        ("validate iris --archive ", f"--archive {EMPTY}"),
    ],
)
def test_what_cannot_be_fetched_or_listed_is_said_in_one_line(
    tiny: Any, command: Command, words: str, message: str
) -> None:
    command.refuses(message, *words.split(" "))


FRAME = pd.DataFrame(
    {
        "size": np.where(np.arange(48) % 7 == 0, np.nan, np.arange(48) % 3 + np.arange(48) / 100),
        "colour": ["red", "green", "blue"] * 16,
        "class": ["c", "a", "b"] * 16,
    }
)
FOLDS = [np.arange(start, start + 16) for start in (0, 16, 32)]


@pytest.mark.usefixtures("in_process")
def test_a_suite(tiny: Any, openml: FakeOpenML, command: Command) -> None:
    openml.data(61, arff(FRAME), name="things")
    openml.data(62, arff(FRAME.assign(price=3.5 * np.arange(48) % 11)), "price", name="prices")
    openml.task(10, 61, task_splits(FOLDS))
    openml.task(11, 62, task_splits(FOLDS), "price", type=2)
    openml.task(12, 61, None, type=3, kind="Learning Curve")
    openml.suite(99, [10, 11, 12])
    suite = ["--subset", "openml-suite:99"]
    said = command("list", *suite, code=2).err
    assert said.startswith("bench: openml-suite:99: not all of it is in the cache; ")
    assert "`python -m bench fetch --subset openml-suite:99`" in said
    captured = command("fetch", *suite, code=1)
    assert "2 of 3 datasets are available and valid" in captured.out
    assert "note: things: 1 column(s) of categories" in captured.out
    assert "missing: OpenML task 12 is one of Learning Curve" in captured.err
    requests = len(openml.web.requests)
    listing = command("list", *suite).out
    assert "     10        61       48       2        3  things" in listing
    assert "     11        62       48       3        -  prices" in listing
    assert "2 of 3 datasets are available" in listing
    words = ["run", *suite, "--methods", "laplace", "--offline", "--jobs", "1"]
    printed = command(*words, "--run", "r", code=1).out
    assert "skipped: openml-task-12/laplace: OpenML task 12 is one of Learning Curve" in printed
    assert found("r", "dataset", "task", "metric", "split", "status") == {
        ("things", "classification", "accuracy", "openml-task-10", "ok"),
        ("prices", "regression", "r2", "openml-task-11", "ok"),
        ("openml-task-12", "classification", "accuracy", "", "skipped"),
    }
    assert len([row for row in scores("r") if row["dataset"] == "things"]) == 3  # three folds
    assert len(openml.web.requests) == requests
    assert {result.job.source for result in read_run(Path("r")).results} == {"openml"}
    said = "prices: a dataset for regression; --protocol relearn selects on the tuning halves"
    command.refuses(said, *words, "--run", "p", "--protocol", "relearn")
    command("report", "r", "--out", "page")
    page = Path("page/datasets.md").read_text()
    assert "Origin: OpenML task 10, OpenML data set 61 (things, version 1), column class." in page
    assert "of the numbers are missing" in page
    assert "drawn by the harness" not in Path("page/report.md").read_text()


@pytest.mark.usefixtures("in_process")
def test_single_tables_from_uci(tiny: Any, uci: FakeUCI, command: Command) -> None:
    tiny.document["datasets"]["alpha"]["uci"] = {"id": 53, "confidence": "likely", "note": "other units"}
    uci.data(53, FRAME[:24], {"class": "Target"})
    captured = command("fetch", "--subset", "all", "--source", "uci", code=1)
    assert "1 of 2 datasets are available and valid" in captured.out
    assert "note: alpha: UCI's copy: other units" in captured.out
    assert "missing: beta: UCI has no copy that the registry knows" in captured.err
    listing = command("list", "--subset", "all").out
    assert "  alpha, UCI 53: other units" in listing
    assert "  not certain to be the same dataset: alpha (UCI 53)" in listing
    assert "  uci: 1 of 2 datasets, in " in listing
    command("run", "--subset", "alpha", "--source", "uci", "--methods", "laplace", "--run", "r")
    assert found("r", "source", "split", "status") == {("uci", "seed-0", "ok")}
    command("report", "r", "--out", "page")
    page = Path("page/datasets.md").read_text()
    assert "a copy, UCI data set 53 (Made up), column class; UCI's copy: other units" in page
    assert "likely, not certain" in page


def results_text(datasets: int = SIZE[0], classifiers: int = SIZE[1]) -> str:
    names = [f"c{k}" for k in range(classifiers)]
    lines = [" ".join(["problema", *names, "min max mean std"])]
    lines += [" ".join([f"d{i}", *["50.0"] * classifiers, "50.0 50.0 50.0 0.0"]) for i in range(datasets)]
    return "\n".join(lines)


def test_the_studys_results_are_fetched_once_and_found_by_the_report(
    tiny: Any, web: Loopback, own_cache: Path, command: Command
) -> None:
    tiny.document["study"]["results_url"] = f"{web.url}/results.txt"
    web.faults["/results.txt"] = [web_page]
    web.pages["/results.txt"] = Page(b"nonsense")
    for message in ("a web page", "not the study's results"):
        command.refuses(message, "fetch", "--published")
        assert not (own_cache / "study" / "results.txt").exists()
    command.refuses("bench fetch --published", "report", ".", "--published")
    web.pages["/results.txt"] = Page(results_text(datasets=3).encode())
    said = command("fetch", "--published", "--cache", "other", code=1).err
    assert "has 179 classifiers on 121 datasets" in said
    web.requests.clear()
    web.pages["/results.txt"] = Page(results_text().encode())
    printed = command("fetch", "--published").out
    assert "179 classifiers on 121 datasets, in " in printed
    assert "not exactly the file" in printed
    command("fetch", "--published", "--offline")
    assert len(web.requests) == 1
    assert published_file(FETCHED).read_text() == results_text()

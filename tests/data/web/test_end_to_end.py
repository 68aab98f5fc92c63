"""fetch, list, run and report as a user calls them, against a server on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Command
from loopback import Loopback, Page, broken_off, status, web_page
from services import FakeOpenML, FakeUCI, arff, scores, task_splits

from bench.command_line import main
from bench.data import registry as registry_module
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


def test_a_cache_of_ones_own(tiny: Any, web: Loopback, own_cache: Path, command: Command) -> None:
    web.pages["/a"] = Page(tiny.tar().read_bytes())
    words = ["--subset", "all", "--cache", "mine"]
    assert "in mine" in command("fetch", *words, "--archive", f"{web.url}/a").out
    assert not own_cache.exists()
    assert "archive: 2 of 2 datasets" in command("list", *words).out
    assert "archive: not available here" in command("list", "--subset", "all").out
    assert "2 jobs to run" in command("run", *words, "--methods", "laplace", "--offline", "--dry-run").out


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
    openml.data(62, arff(FRAME.assign(size=1.5)), name="stuff")
    openml.task(10, 61, task_splits(FOLDS))
    openml.task(11, 62, task_splits(FOLDS))
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
    assert "2 of 3 datasets are available" in listing
    printed = command("run", *suite, "--methods", "laplace", "--offline", "--jobs", "1", "--run", "r", code=1).out
    assert "skipped: openml-task-12/laplace: OpenML task 12 is one of Learning Curve" in printed
    assert found("r", "dataset", "split", "status") == {
        ("things", "openml-task-10", "ok"),
        ("stuff", "openml-task-11", "ok"),
        ("openml-task-12", "", "skipped"),
    }
    assert len([row for row in scores("r") if row["dataset"] == "things"]) == 3  # three folds
    assert len(openml.web.requests) == requests
    assert {result.job.source for result in read_run(Path("r")).results} == {"openml"}
    command("report", "r", "--out", "page")
    page = Path("page/datasets.md").read_text()
    assert "Origin: OpenML task 10, OpenML data set 61 (things, version 1), column class." in page
    assert "of the numbers are missing" in page
    assert "drawn by the harness" not in Path("page/report.md").read_text()


@pytest.mark.usefixtures("in_process")
def test_a_suite_that_mixes_kinds(tiny: Any, openml: FakeOpenML, command: Command) -> None:
    openml.data(61, arff(FRAME), name="things")
    openml.data(62, arff(FRAME.assign(price=3.5 * np.arange(48) % 11)), "price", name="prices")
    openml.task(10, 61, task_splits(FOLDS))
    openml.task(11, 62, task_splits(FOLDS), "price", type=2)
    openml.suite(99, [10, 11])
    words = ["run", "--subset", "openml-suite:99", "--methods", "laplace", "--jobs", "1"]
    command(*words, "--run", "r")
    assert found("r", "dataset", "task", "metric", "split", "status") == {
        ("things", "classification", "accuracy", "openml-task-10", "ok"),
        ("prices", "regression", "r2", "openml-task-11", "ok"),
    }
    assert "     11        62       48       3        -  prices" in command("list", "--subset", "openml-suite:99").out
    said = "prices: a dataset for regression; --protocol relearn selects on the tuning halves"
    command.refuses(said, *words, "--run", "p", "--protocol", "relearn")


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


@pytest.mark.archive
@pytest.mark.slow
def test_the_real_archive_end_to_end(
    archive_path: str, web: Loopback, elsewhere: Path, capsys: pytest.CaptureFixture[str], command: Command
) -> None:
    """The study's own files, from a server that breaks off half-way once; all but the one table that copies lack."""
    if not Path(archive_path).is_file():
        pytest.skip("the archive is a folder here; it is served as a file")
    content = Path(archive_path).read_bytes()
    web.pages["/data.tar"] = Page(content)
    web.faults["/data.tar"] = [broken_off(len(content) // 2, reset=True)]
    code = main(["fetch", "--subset", "all121", "--archive", f"{web.url}/data.tar"])
    captured = capsys.readouterr()
    problems = [line for line in captured.err.splitlines() if line.startswith("missing: ")]
    assert all(line.startswith("missing: miniboone: ") for line in problems)
    assert code == len(problems)
    assert f"{121 - len(problems)} of 121 datasets are available and valid" in captured.out
    assert web.requests[1][1]["Range"].startswith("bytes=")
    words = ["run", "--subset", "smoke,balloons", "--archive", f"{web.url}/data.tar", "--offline", "--run", "r"]
    command(*words, "--methods", "laplace", "--protocol", "relearn", "--jobs", "1")
    assert len(web.requests) == 2
    assert found("r", "source", "split", "status") == {("archive", "published", "ok")}
    command("report", "r", "--out", "page")

"""``bench report`` as users call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from synthetic_runs import make_regression_run, make_run, published_runs, store_run

NAMES = ["iris", "wine", "zoo"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    store_run(tmp_path / "results" / "first", make_run(NAMES, ["rfm", "laplace"]))
    store_run(tmp_path / "results" / "second", make_run(NAMES, ["mlp"]))
    store_run(tmp_path / "results" / "other-seed", make_run(NAMES, ["ntk"], seed=1))
    return tmp_path


def test_default_place_and_headline_table(here: Path, command: Command) -> None:
    printed = command("report", "results/first").out
    assert "protocol clean: 3 common datasets of 3, 3 families, one seed; accuracy in percent" in printed
    assert "Laplace kernel" in printed
    assert str(Path("reports/first/index.html")) in printed
    for name in ("index.html", "report.md", "datasets.md"):
        assert (here / "reports" / "first" / name).stat().st_size > 1000
    assert "MLP" in command("report", "results/first", "results/second").out
    assert (here / "reports" / "first+second" / "figures").is_dir()
    assert (here / "reports" / "first+second" / "index.html").is_file()


def test_runs_of_several_seeds_are_one_report(here: Path, command: Command) -> None:
    store_run(here / "results" / "again", make_run(NAMES, ["rfm", "laplace"], seed=1))
    printed = command("report", "results/first", "results/again", "--out", "page").out
    assert "protocol clean: 3 common datasets of 3, 3 families, seeds 0, 1; accuracy" in printed
    assert "2</b> seeds" in (here / "page" / "index.html").read_text(encoding="utf-8").replace("</strong>", "</b>")
    assert "ntk" not in command("report", "results/first", "results/other-seed", "--out", "other").out
    assert "NTK, seed 1, which counts as missing" in (here / "other" / "report.md").read_text(encoding="utf-8")


def test_published_results_join_and_a_broken_file_is_exit_2(here: Path, command: Command) -> None:
    (here / "results.txt").write_text("problema a_R b_R min max mean std\niris 90 80 1 1 1 1\nwine 91 -- 1 1 1 1\n")
    command("report", "results/first", "--published", "results.txt", "--out", "page")
    page = (here / "page" / "index.html").read_text(encoding="utf-8")
    assert "Among the 2 classifiers of 2014" in page
    assert "The results file is not whole: 2 of 121 datasets, 2 of 179 classifiers." in page
    (here / "results.txt").write_text("problema a_R b_R\niris 90 80\n")
    said = "columns missing at the end of the header: min, max, mean, std"
    command.refuses(said, "report", "results/first", "--published", "results.txt")


def test_among_the_benchmarks_published_runs(here: Path, command: Command) -> None:
    names = ["pol-num-reg", "sulfur-num-reg"]
    run = make_regression_run(names, ["rfm", "laplace"], source="openml", split="grinsztajn-medium")
    store_run(here / "results" / "numbers", run)
    file = here / "cache" / "study" / "grinsztajn.csv"
    words = ["report", "results/numbers", "--note", "a <note>", "--out", "page", "--published-grinsztajn"]
    command.refuses("have not been fetched", *words)
    made = published_runs(["pol", "sulfur"])
    file.parent.mkdir(parents=True)
    made.to_csv(file, index=False)
    command(*words)
    page = (here / "page" / "index.html").read_text(encoding="utf-8")
    assert "Among the published runs of the benchmark" in page
    assert "a &lt;note&gt;" in page
    for broken, message in (
        (made.drop(columns="hp"), "no column hp"),
        (made.assign(benchmark="x"), "runs of another benchmark"),
    ):
        broken.to_csv("runs.csv", index=False)
        command.refuses(message, *words, "runs.csv")
    (here / "results.txt").write_text("problema a_R b_R min max mean std\niris 90 80 1 1 1 1\n")
    for run, flag, name, message in (
        ("numbers", "--published", "results.txt", "all datasets here are regression"),
        ("numbers", "--published", "", "--published is empty"),
        ("numbers", "--published-grinsztajn", "", "--published-grinsztajn is empty"),
        ("first", "--published-grinsztajn", file, "no result here is on a table of the benchmark"),
    ):
        command.refuses(message, "report", f"results/{run}", "--out", "other", flag, name)
    assert not (here / "other").exists()


def test_bad_arguments_and_an_unwritable_place_are_exit_2(here: Path, command: Command) -> None:
    (here / "file").write_text("")
    for said, *words in (
        ("results/none", "results/none"),
        ("unknown difference to allow 'seeds'", "results/first", "--allow", "seeds"),
        ("cannot write the report to file/inside", "results/first", "--out", "file/inside"),
    ):
        command.refuses(said, "report", *words)

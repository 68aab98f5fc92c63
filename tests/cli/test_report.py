"""``bench report`` as users call it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from synthetic_runs import make_regression_run, make_run, published_runs, store_run

from bench.command_line import main

NAMES = ["iris", "wine", "zoo"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    store_run(tmp_path / "results" / "first", make_run(NAMES, ["rfm", "laplace"]))
    store_run(tmp_path / "results" / "second", make_run(NAMES, ["mlp"]))
    store_run(tmp_path / "results" / "other-seed", make_run(NAMES, ["ntk"], seed=1))
    return tmp_path


def test_default_place_and_headline_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "results/first"]) == 0
    printed = capsys.readouterr().out
    assert "protocol clean: 3 common datasets of 3, 3 families, one seed; accuracy in percent" in printed
    assert "Laplace kernel" in printed
    assert str(Path("reports/first/index.html")) in printed
    for name in ("index.html", "report.md", "datasets.md"):
        assert (here / "reports" / "first" / name).stat().st_size > 1000


def test_several_runs_in_one_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "results/first", "results/second", "--out", "page"]) == 0
    assert "MLP" in capsys.readouterr().out
    assert (here / "page" / "figures").is_dir()
    assert main(["report", "results/first", "results/second"]) == 0
    assert (here / "reports" / "first+second" / "index.html").is_file()


def test_runs_of_several_seeds_are_one_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_run(here / "results" / "again", make_run(NAMES, ["rfm", "laplace"], seed=1))
    assert main(["report", "results/first", "results/again", "--out", "page"]) == 0
    assert "protocol clean: 3 common datasets of 3, 3 families, seeds 0, 1; accuracy" in capsys.readouterr().out
    assert "2</b> seeds" in (here / "page" / "index.html").read_text(encoding="utf-8").replace("</strong>", "</b>")
    assert main(["report", "results/first", "results/other-seed", "--out", "other"]) == 0
    assert "ntk" not in capsys.readouterr().out
    assert "NTK, seed 1, which counts as missing" in (here / "other" / "report.md").read_text(encoding="utf-8")
    assert main(["report", "results/first", "--allow", "seeds"]) == 2
    assert "unknown difference to allow 'seeds'" in capsys.readouterr().err


def test_published_results_join_and_a_broken_file_is_exit_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "results.txt").write_text("problema a_R b_R min max mean std\niris 90 80 1 1 1 1\nwine 91 -- 1 1 1 1\n")
    assert main(["report", "results/first", "--published", "results.txt", "--out", "page"]) == 0
    page = (here / "page" / "index.html").read_text(encoding="utf-8")
    assert "Among the 2 classifiers of 2014" in page
    assert "The results file is not whole: 2 of 121 datasets, 2 of 179 classifiers." in page
    (here / "results.txt").write_text("problema a_R b_R\niris 90 80\n")
    assert main(["report", "results/first", "--published", "results.txt"]) == 2
    assert "columns missing at the end of the header: min, max, mean, std" in capsys.readouterr().err


def test_among_the_benchmarks_published_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["pol-num-reg", "sulfur-num-reg"]
    run = make_regression_run(names, ["rfm", "laplace"], source="openml", split="grinsztajn-medium")
    store_run(here / "results" / "numbers", run)
    file = here / "cache" / "study" / "grinsztajn.csv"
    words = ["report", "results/numbers", "--note", "a <note>", "--out", "page", "--published-grinsztajn"]
    assert main(words) == 2
    assert "have not been fetched" in capsys.readouterr().err
    made = published_runs(["pol", "sulfur"])
    file.parent.mkdir(parents=True)
    made.to_csv(file, index=False)
    assert main(words) == 0
    page = (here / "page" / "index.html").read_text(encoding="utf-8")
    assert "Among the published runs of the benchmark" in page
    assert "a &lt;note&gt;" in page
    for broken, message in (
        (made.drop(columns="hp"), "no column hp"),
        (made.assign(benchmark="x"), "runs of another benchmark"),
    ):
        broken.to_csv("runs.csv", index=False)
        assert main([*words, "runs.csv"]) == 2
        assert message in capsys.readouterr().err
    (here / "results.txt").write_text("problema a_R b_R min max mean std\niris 90 80 1 1 1 1\n")
    for flag, name, message in (
        ("--published", "results.txt", "all datasets here are regression"),
        ("--published", "", "--published: the name of the file is empty"),
        ("--published-grinsztajn", "", "--published-grinsztajn: the name of the file is empty"),
    ):
        assert main(["report", "results/numbers", "--out", "other", flag, name]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert message in error
    assert main(["report", "results/first", "--published-grinsztajn", str(file), "--out", "other"]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert "no result here is on a table of the benchmark" in error
    assert not (here / "other").exists()


@pytest.mark.parametrize("arguments", [["results/none"], ["results/first", "--allow", "everything"]])
def test_bad_arguments_are_exit_2(here: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *arguments]) == 2
    assert capsys.readouterr().err.startswith("bench: ")


def test_an_unwritable_place_is_exit_2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert main(["report", "results/first", "--out", "file/inside"]) == 2
    assert "cannot write the report to file/inside" in capsys.readouterr().err

"""Only your method: a plug-in of ten lines, run alone, stands among all kept methods by one more command."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.command_line import main
from bench.methods import method_names
from bench.report import wording

pytestmark = pytest.mark.usefixtures("in_process")

PLUGIN = """
from sklearn.neighbors import KNeighborsClassifier
from bench.methods.plugin import EstimatorMethod

class Neighbours(EstimatorMethod):
    name, title = "knn", "Nearest neighbours"
    grid = {"n_neighbors": [1, 5, 15]}

    def classifier(self, config, fitting):
        return KNeighborsClassifier(min(config["n_neighbors"], fitting.n))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_ARCHIVE", raising=False)
    (tmp_path / "knn.py").write_text(PLUGIN)
    return tmp_path


def run(folder: str, *words: str) -> None:
    common = ["run", "--plugin", "knn.py", "--methods", "knn", "--jobs", "1", "--run", folder]
    assert main([*common, *words]) == 0


def test_a_plugin_run_alone_stands_among_all_kept_methods(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("mine", "--subset", "iris,wine,zoo")
    capsys.readouterr()
    assert main(["report", "mine", "--against", "kept", "--out", "page"]) == 0
    printed = capsys.readouterr().out
    assert "protocol clean: 3 common datasets of 3" in printed
    assert "Compared with the kept comparison (--against), 9 methods, on 3 of 3 datasets" in printed
    titles = [wording.title(name) for name in method_names()]
    for title in (*titles, "Nearest neighbours"):
        assert title in printed
    text = (here / "page" / "report.md").read_text(encoding="utf-8")
    assert "Nearest neighbours is " in text.splitlines()[0]
    assert f"Seconds of {', '.join(titles)} were measured in another run, on " in text


def test_on_the_first_fold_alone_and_what_other_seeds_leave(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "own.csv").write_text("a,b,kind\n" + "".join(f"{k},{k % 3},{'xy'[k % 2]}\n" for k in range(40)))
    run("first", "--subset", "iris,zoo", "--folds", "1", "--data", "own.csv", "--target", "kind")
    run("other", "--subset", "zoo", "--seed", "7")
    capsys.readouterr()
    assert main(["report", "first", "--against", "kept", "--reference", "mlp", "--out", "page"]) == 0
    text = (here / "page" / "report.md").read_text(encoding="utf-8")
    assert "MLP is " in text.splitlines()[0]
    assert "tested on the first 1 of 4 test folds only" in text
    printed = capsys.readouterr().out
    assert "9 methods, on 2 of 3 datasets" in printed
    assert "Left out: not there under clean: own." in printed
    assert main(["report", "other", "--against", "kept", "--out", "none"]) == 2
    said = "--against kept: nothing to compare with: seed 7, there only seed 0: 1 dataset (zoo)"
    assert said in capsys.readouterr().err
    assert not (here / "none").exists()

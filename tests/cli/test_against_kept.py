"""Only your method: a plug-in of ten lines, run alone, stands among all kept methods by one more command."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from plugin_text import NEIGHBOURS, write_plugin

from bench.methods import method_names
from bench.report import wording

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def here(elsewhere: Path) -> Path:
    write_plugin(elsewhere, NEIGHBOURS, "knn.py")
    return elsewhere


RUN = ("run", "--plugin", "knn.py", "--methods", "knn", "--jobs", "1", "--run")


def test_a_plugin_run_alone_stands_among_all_kept_methods(here: Path, command: Command) -> None:
    command(*RUN, "mine", "--subset", "iris,wine,zoo")
    printed = command("report", "mine", "--against", "kept", "--out", "page").out
    assert "protocol clean: 3 common datasets of 3" in printed
    assert "Compared with the kept comparison (--against), 9 methods, on 3 of 3 datasets" in printed
    titles = [wording.title(name) for name in method_names()]
    for title in (*titles, "Nearest neighbours"):
        assert title in printed
    text = (here / "page" / "report.md").read_text(encoding="utf-8")
    assert "Nearest neighbours is " in text.splitlines()[0]
    assert f"Seconds of {', '.join(titles)} were measured in another run, on " in text


def test_on_the_first_fold_alone_and_what_other_seeds_leave(here: Path, command: Command) -> None:
    (here / "own.csv").write_text("a,b,kind\n" + "".join(f"{k},{k % 3},{'xy'[k % 2]}\n" for k in range(40)))
    command(*RUN, "first", "--subset", "iris,zoo", "--folds", "1", "--data", "own.csv", "--target", "kind")
    command(*RUN, "other", "--subset", "zoo", "--seed", "7")
    printed = command("report", "first", "--against", "kept", "--reference", "mlp", "--out", "page").out
    text = (here / "page" / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# MLP ")
    assert "tested on the first 1 of 4 test folds only" in text
    assert "9 methods, on 2 of 3 datasets" in printed
    assert "Left out: not there under clean: own." in printed
    said = "--against kept: nothing to compare with: seed 7, there only seed 0: 1 dataset (zoo)"
    command.refuses(said, "report", "other", "--against", "kept", "--out", "none")
    assert not (here / "none").exists()

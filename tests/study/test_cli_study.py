"""``bench study`` from the command line."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli.study import STUDIES
from bench.command_line import main
from bench.records.result import Job
from bench.store import Store
from bench.study.cell import Study


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lin-rfn"], "did you mean 'lin-rfm'"),
        (["low-rank", "--jobs", "0"], "--jobs 0: must be a whole number of at least 1"),
        (["low-rank", "--report-only", "--run", "nowhere"], "no results in nowhere"),
        (["low-rank", "--run", ""], "--run is empty"),
        (["low-rank", "--engine", "dusk"], "did you mean 'dask'"),
    ],
)
def test_bad_arguments_are_one_clear_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_dry_run_lists_and_computes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "r"
    assert main(["study", "lin-rfm", "--dry-run", "--jobs", "2", "--run", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "133 jobs to run, 0 done before" in shown
    assert "size=300 repeats=1 #0" in shown
    assert not folder.exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(tmp_path).close()
    arguments = ["study", "low-rank", "--quick", "--run", str(tmp_path)]
    assert main([*arguments, "--report-only"]) == 2
    assert "nothing has been planned there" in capsys.readouterr().err
    with Store(tmp_path) as store:
        store.begin([Job("1", "iris", "embedded", 150, 4, 3, "rfm", "clean", "seed-0", 0)], {})
    for more in ([], ["--report-only"]):
        assert main([*arguments, *more]) == 2
        assert "holds results of `python -m bench run`, not 'low-rank'" in capsys.readouterr().err


def one_of_each(study: Study) -> Study:
    """With the first cell of each kind and method of its small version."""
    found = {(cell.kind, cell.parameters.get("method")): cell for cell in reversed(study.cells(True))}
    return replace(study, cells=lambda quick: tuple(found.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_the_small_version_runs_to_a_report_and_goes_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = importlib.import_module(f"{STUDIES[name][0]}.cells")
    monkeypatch.setattr(cells, "STUDY", one_of_each(cells.STUDY))
    arguments = ["study", name, "--quick", "--jobs", "2", "--run", str(tmp_path / "r"), "--out", str(tmp_path / "o")]
    assert main(arguments) == 0
    first = capsys.readouterr()
    page = (tmp_path / "o" / "index.html").read_text()
    assert "A small version" in page
    assert "http-equiv" in page
    verdicts = r"^(?:holds|holds in part|does not hold|undecided|not measured): "
    assert len(re.findall(verdicts, first.out, flags=re.MULTILINE)) >= 4
    assert list((tmp_path / "r" / "logs").iterdir())
    if name != "low-rank":  # they go on alike
        return
    assert main(arguments) == 0
    planned, already = map(int, re.findall(r"^(\d+) jobs: .* \((\d+) from before\)", capsys.readouterr().out)[0])
    assert planned == already
    for more in ([], ["--report-only"]):
        assert main(["study", "lin-rfm", "--quick", *more, "--run", str(tmp_path / "r")]) == 2
        assert f"holds the study '{name}'" in capsys.readouterr().err

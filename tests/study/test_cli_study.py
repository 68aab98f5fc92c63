"""``bench study`` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.command_line import main
from bench.study.lin_rfm.cells import STUDY as LIN_RFM
from bench.study.low_rank.cells import STUDY as LOW_RANK


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lin-rfn"], "did you mean 'lin-rfm'"),
        (["low-rank", "--jobs", "0"], "--jobs must be at least 1"),
        (["low-rank", "--report-only", "--run", "nowhere"], "no study in nowhere"),
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


@pytest.mark.parametrize("study", [LIN_RFM, LOW_RANK], ids=lambda study: study.name)
@pytest.mark.parametrize("quick", [True, False])
def test_cells_are_distinct_and_computable(study: object, quick: bool) -> None:
    cells = study.cells(quick)  # type: ignore[attr-defined]
    assert len({cell.identity("") for cell in cells}) == len(cells)
    for kind in {cell.kind for cell in cells}:
        assert callable(study.compute(kind))  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lin-rfm", "low-rank"])
def test_the_small_version_runs_to_a_report_and_goes_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", name, "--quick", "--jobs", "2", "--run", str(tmp_path / "r"), "--out", str(tmp_path / "o")]
    assert main(arguments) == 0
    first = capsys.readouterr()
    page = (tmp_path / "o" / "index.html").read_text()
    assert "A small version" in page
    assert "http-equiv" in page
    assert "holds" in first.out
    assert main(arguments) == 0
    assert "cells have results already" in capsys.readouterr().err
    other = "low-rank" if name == "lin-rfm" else "lin-rfm"
    assert main(["study", other, "--report-only", "--run", str(tmp_path / "r")]) == 2
    assert f"holds the study '{name}'" in capsys.readouterr().err

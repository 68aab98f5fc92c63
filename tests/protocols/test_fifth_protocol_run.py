"""The other half of :mod:`test_fifth_protocol`: it is run, stored, exported and reported from the command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.command_line import main
from bench.protocols import Protocol, register
from bench.store import read_run


def test_it_runs_and_is_stored_exported_and_explained(
    registry: dict[str, Protocol], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_ARCHIVE", raising=False)
    register(Protocol("clean-3", inner_folds=3, order=9, meaning="Three folds inside the training part."))
    run = ["run", "--subset", "iris", "--methods", "svm_rbf,laplace", "--protocol", "clean-3", "--run", "r"]
    assert main(run) == 0
    results = read_run("r").results
    assert {(r.job.protocol, r.status) for r in results} == {("clean-3", "ok")}
    assert all(len(h.path[0]["score"]) >= 1 for r in results for h in r.holdouts)
    assert set(pd.read_csv("r/scores.csv")["protocol"]) == {"clean-3"}
    assert main(["report", "r", "--out", "o"]) == 0
    assert "Three folds inside the training part." in Path("o/report.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main([*run, "--dry-run"]) == 0
    assert "0 jobs to run, 2 done before" in capsys.readouterr().out


@pytest.mark.usefixtures("in_process")
def test_another_rule_under_the_same_name_is_another_job(
    registry: dict[str, Protocol], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_ARCHIVE", raising=False)
    run = ["run", "--subset", "iris", "--methods", "svm_rbf", "--protocol", "mine", "--run", "r"]
    register(Protocol("mine", inner_folds=3))
    assert main(run) == 0
    registry["mine"] = Protocol("mine", inner_folds=4, meaning="One more.")
    capsys.readouterr()
    assert main([*run, "--dry-run"]) == 0
    assert "1 job to run, 0 done before" in capsys.readouterr().out

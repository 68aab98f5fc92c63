"""`bench list` and `bench fetch` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.command_line import main
from bench.data.registry import load_registry


@pytest.fixture
def tiny_registry(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The commands see the generated registry."""
    registry = tiny.registry()
    for module in ("list", "fetch"):
        monkeypatch.setattr(f"bench.cli.{module}.load_registry", lambda: registry)
    return registry


def test_list_fits_a_hundred_columns_and_flags_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert main(["list", "--subset", "regression"]) == 0
    regression = capsys.readouterr().out.splitlines()
    assert max(map(len, regression)) <= 100
    assert "classes -: a number is predicted (regression)" in regression
    lines += regression
    for entry in load_registry().entries.values():
        (row,) = (line for line in lines if line.split("  ")[0] == entry.name + ("*" if entry.faults else ""))
        assert row.split()[1:4] == [str(entry.rows), str(entry.features), str(entry.classes or "-")]
    assert "  archive: not available here; `python -m bench fetch` downloads it, or BENCH_ARCHIVE names a copy" in lines


def test_list_as_json_says_what_the_registry_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--subset", "titanic,iris", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    titanic, iris = document["datasets"]
    assert (titanic["name"], titanic["licence"], titanic["sources"]) == ("titanic", "not stated", [])
    assert titanic["faults"] == ["2187 of 2201 rows repeat the features of another row"]
    assert (iris["sources"], iris["openml"]["id"]) == (["embedded"], 61)
    assert len(document["subsets"]["all121"]) == 121


def test_list_with_an_archive(
    tiny: Any, tiny_registry: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH_ARCHIVE", str(tiny.tar()))
    assert main(["list", "--subset", "all"]) == 0
    assert "archive: 2 of 2 datasets" in capsys.readouterr().out
    monkeypatch.setenv("BENCH_ARCHIVE", "/nowhere/a.tar")
    assert main(["list", "--subset", "all"]) == 0
    assert "archive: cannot be used: no archive at /nowhere/a.tar" in capsys.readouterr().out


def test_unknown_subset_exits_2_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "fetch"):
        assert main([command, "--subset", "smal90"]) == 2
        error = capsys.readouterr().err
        assert "did you mean 'small90'" in error
        assert error.count("\n") == 1


def test_fetch_list_and_fetch_again_offline(
    tiny: Any, tiny_registry: Any, capsys: pytest.CaptureFixture[str], own_cache: Path
) -> None:
    path = tiny.tar()
    assert main(["fetch", "--subset", "all", "--archive", str(path)]) == 0
    assert f"2 of 2 datasets are available and valid, in {own_cache}" in capsys.readouterr().out
    path.unlink()
    assert main(["list", "--subset", "all"]) == 0
    assert f"archive: 2 of 2 datasets, in {path} (cached)" in capsys.readouterr().out
    assert main(["fetch", "--subset", "first", "--offline"]) == 0
    assert "1 of 1 dataset is available and valid" in capsys.readouterr().out


def test_fetch_names_what_is_missing_or_wrong_and_exits_1(
    tiny: Any, tiny_registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    del tiny.files["beta/conxuntos.dat"]
    tiny.files["alpha/alpha_R.dat"] += b" "
    assert main(["fetch", "--subset", "all", "--archive", str(tiny.unpacked())]) == 1
    captured = capsys.readouterr()
    assert "0 of 2 datasets are available and valid" in captured.out
    assert "alpha/alpha_R.dat: SHA-256 is" in captured.err
    assert "beta: the archive" in captured.err
    assert "has no beta/conxuntos.dat" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--archive", "/nowhere/a.tar"], "no archive at /nowhere/a.tar"),
        (["--offline"], "not in the cache, and downloads are not allowed here"),
        (["--source", "openm"], "unknown source to fetch from 'openm': did you mean 'openml'"),
        (["--source", "uci", "--mirror", "x"], "--mirror is for the archive"),
        (["--source", "uci", "--archive", "x"], "--source uci and --archive exclude each other"),
        ([], "http://127.0.0.1:9/a: download failed"),
    ],
)
def test_fetch_that_cannot_be_done_exits_2(
    tiny_registry: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["fetch", *arguments, "--subset", "all"]) == 2
    assert message in capsys.readouterr().err

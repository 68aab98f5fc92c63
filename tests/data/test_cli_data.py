"""`bench list` and `bench fetch` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import Command

from bench.data.registry import load_registry


@pytest.fixture
def tiny_registry(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The commands see the generated registry."""
    registry = tiny.registry()
    for module in ("list", "fetch"):
        monkeypatch.setattr(f"bench.cli.{module}.load_registry", lambda: registry)
    return registry


def test_list_fits_a_hundred_columns_and_flags_faults(command: Command) -> None:
    lines = command("list").out.splitlines()
    assert max(map(len, lines)) <= 100
    regression = command("list", "--subset", "regression").out.splitlines()
    assert max(map(len, regression)) <= 100
    assert "classes -: a number is predicted (regression)" in regression
    lines += regression
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


def test_list_with_an_archive(tiny: Any, tiny_registry: Any, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setenv("BENCH_ARCHIVE", str(tiny.tar()))
    assert "archive: 2 of 2 datasets" in command("list", "--subset", "all").out
    monkeypatch.setenv("BENCH_ARCHIVE", "/nowhere/a.tar")
    assert "archive: cannot be used: no archive at /nowhere/a.tar" in command("list", "--subset", "all").out


@pytest.mark.parametrize("word", ["list", "fetch"])
def test_unknown_subset_exits_2_with_one_line(word: str, command: Command) -> None:
    (line,) = command(word, "--subset", "smal90", code=2).err.splitlines()
    assert "did you mean 'small90'" in line


@pytest.mark.parametrize(
    "words",
    ["fetch --archive", "fetch --mirror", "fetch --cache", "list --cache", "validate iris --archive"],
)
def test_an_empty_value_is_not_taken_for_the_default(words: str, command: Command) -> None:
    for empty in ("", " "):
        command.refuses(f"{words.split()[-1]} is empty (an unset shell variable?)", *words.split(), empty)


def test_fetch_list_and_fetch_again_offline(tiny: Any, tiny_registry: Any, command: Command, own_cache: Path) -> None:
    path = tiny.tar()
    printed = command("fetch", "--subset", "all", "--archive", str(path)).out
    assert f"2 of 2 datasets are available and valid, in {own_cache}" in printed
    path.unlink()
    assert f"archive: 2 of 2 datasets, in {path} (cached)" in command("list", "--subset", "all").out
    assert "1 of 1 dataset is available and valid" in command("fetch", "--subset", "first", "--offline").out


def test_fetch_names_what_an_archive_lacks_and_what_is_wrong(
    tiny: Any, tiny_registry: Any, command: Command, own_cache: Path
) -> None:
    del tiny.files["beta/conxuntos.dat"]
    tiny.files["alpha/alpha_R.dat"] += b" "
    out, err = command("fetch", "--subset", "all", "--archive", tiny.unpacked(), code=1)
    assert "0 of 2 datasets are available and valid" in out
    assert "has no beta/conxuntos.dat" in err


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
    tiny_registry: Any, command: Command, arguments: list[str], message: str
) -> None:
    command.refuses(message, "fetch", *arguments, "--subset", "all")

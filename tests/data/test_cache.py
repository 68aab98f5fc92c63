"""The cache: complete or absent, checked when read, repaired when damaged."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from refusals import refused

from bench.data.cache import FileSet, cache_folder, drop, recall, remember, sets_folder
from bench.errors import SourceError


class Builder:
    """Gives the same two files each time and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Iterator[tuple[str, bytes]]:
        self.calls += 1
        yield "a/x", b"first"
        yield "b/x", b"second"


def test_a_set_is_built_once(tmp_path: Path) -> None:
    build = Builder()
    folder = tmp_path / "deep" / "set"
    for _ in range(3):
        files = FileSet(folder, build)
        assert files.read("a/x") == b"first"
        assert files.read("b/x") == b"second"
    assert build.calls == 1
    assert list(folder.parent.iterdir()) == [folder]  # no scratch left behind
    with pytest.raises(KeyError):
        files.read("c/x")


@pytest.mark.parametrize("damage", ["flip", "shorten", "delete", "index", "index-type"])
def test_a_damaged_set_is_built_anew(tmp_path: Path, damage: str) -> None:
    build = Builder()
    folder = tmp_path / "set"
    files = FileSet(folder, build)
    victim = folder / files.checksums["a/x"][:32]
    if damage == "flip":
        victim.write_bytes(b"fiRst")
    elif damage == "shorten":
        victim.write_bytes(b"fir")
    elif damage == "delete":
        victim.unlink()
    else:
        (folder / "index.json").write_text("[1]" if damage == "index-type" else '{"a/x": ')
    assert FileSet(folder, build).read("a/x") == b"first"
    assert build.calls == 2
    assert FileSet(folder).read("b/x") == b"second"  # whole again, without a builder
    assert list(tmp_path.iterdir()) == [folder]


def test_without_a_builder_damage_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    files = FileSet(folder, Builder())
    (folder / files.checksums["a/x"][:32]).unlink()
    refused(SourceError, "missing or damaged; fetch them again", FileSet(folder).read, "a/x")
    refused(SourceError, "missing or damaged", FileSet, tmp_path / "nowhere")


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build() -> Iterator[tuple[str, bytes]]:
        yield "a/x", b"first"
        raise SourceError("broken off")

    refused(SourceError, "broken off", FileSet, tmp_path / "sets" / "set", build)
    assert list((tmp_path / "sets").iterdir()) == []


def test_who_comes_second_waits_and_takes_the_set_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    build, waiting = Builder(), threading.Event()

    def slow() -> Iterator[tuple[str, bytes]]:
        second.start()
        assert not waiting.wait(0.2)  # it does not get on meanwhile
        yield from build()

    def other() -> None:
        assert FileSet(folder, build).read("b/x") == b"second"
        waiting.set()

    second = threading.Thread(target=other)
    assert FileSet(folder, slow).read("a/x") == b"first"
    assert waiting.wait(10)
    second.join()
    assert build.calls == 1
    assert list(tmp_path.iterdir()) == [folder]


def test_what_is_sound_survives_a_rebuild_that_fails(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    files = FileSet(folder, Builder())
    (folder / files.checksums["a/x"][:32]).unlink()

    def build() -> Iterator[tuple[str, bytes]]:
        raise SourceError("not today")

    refused(SourceError, "not today", FileSet(folder, build).read, "a/x")
    assert FileSet(folder).read("b/x") == b"second"


def test_an_unwritable_cache_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        SourceError, match=r"cannot write the cache: .*; name another folder with --cache or BENCH_CACHE"
    ):
        FileSet(tmp_path / "file" / "set", Builder())


def test_notes_point_to_sets_that_are_there(own_cache: Path) -> None:
    assert recall("label") is None
    FileSet(sets_folder() / "one", Builder())
    remember("label", sets_folder() / "one", "from there")
    assert recall("label") == (own_cache / "archives" / "one", "from there")
    remember("label", sets_folder() / "two", "elsewhere")
    assert recall("label") is None  # no such set
    remember("label", sets_folder() / "one", "from there")
    drop("label")
    drop("label")
    assert recall("label") is None


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", '{"folder": "../..", "location": "x"}', '{"folder": 5, "location": 6}']
)
def test_a_broken_note_is_no_note(own_cache: Path, note: str) -> None:
    remember("label", sets_folder() / "one", "x")
    (path,) = sets_folder().glob("*.json")
    path.write_text(note)
    assert recall("label") is None


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["BENCH_CACHE"])
    monkeypatch.delenv("BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rfmbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "rfmbench"
    assert not cache_folder().is_relative_to(tmp_path)

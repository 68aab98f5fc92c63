"""The cache: complete or absent, checked when read, repaired when damaged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from refusals import refused

from bench.data.cache import FileSet, cache_folder, drop, recall, remember, sets_folder
from bench.errors import SourceError


class Builder:
    """Gives the same two files each time and counts how often; or fails after the first."""

    def __init__(self, fails: str = "") -> None:
        self.calls = 0
        self.fails = fails

    def __call__(self) -> Iterator[tuple[str, bytes]]:
        self.calls += 1
        yield "a/x", b"first"
        if self.fails:
            raise SourceError(self.fails)
        yield "b/x", b"second"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the set is to be."""
    return tmp_path / "deep" / "set"


def test_a_set_is_built_once(folder: Path) -> None:
    build = Builder()
    for _ in range(3):
        files = FileSet(folder, build)
        assert (files.read("a/x"), files.read("b/x")) == (b"first", b"second")
    assert build.calls == 1
    assert list(folder.parent.iterdir()) == [folder]  # no scratch left behind
    with pytest.raises(KeyError):
        files.read("c/x")


@pytest.mark.parametrize(
    ("file", "content"),
    [("a/x", b"fiRst"), ("a/x", b"fir"), ("a/x", None), ("index.json", b'{"a/x": '), ("index.json", b"[1]")],
    ids=["flip", "shorten", "delete", "index", "index-type"],
)
def test_a_damaged_set_is_built_anew(folder: Path, file: str, content: bytes | None) -> None:
    build = Builder()
    victim = folder / FileSet(folder, build).checksums.get(file, file)[:32]
    if content is None:
        victim.unlink()
    else:
        victim.write_bytes(content)
    assert FileSet(folder, build).read("a/x") == b"first"
    assert build.calls == 2
    assert FileSet(folder).read("b/x") == b"second"  # whole again, without a builder
    assert list(folder.parent.iterdir()) == [folder]


def test_what_cannot_be_built_is_an_error_and_leaves_what_is_sound(folder: Path) -> None:
    broken = Builder(fails="broken off")
    refused(SourceError, "missing or damaged; fetch them again", FileSet, folder)
    refused(SourceError, "broken off", FileSet, folder, broken)
    assert list(folder.parent.iterdir()) == []
    (folder / FileSet(folder, Builder()).checksums["a/x"][:32]).unlink()
    refused(SourceError, "missing or damaged; fetch them again", FileSet(folder).read, "a/x")
    refused(SourceError, "broken off", FileSet(folder, broken).read, "a/x")
    assert FileSet(folder).read("b/x") == b"second"


def test_who_comes_second_waits_and_takes_the_set_of_the_first(folder: Path) -> None:
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
    assert list(folder.parent.iterdir()) == [folder]


def test_notes_point_to_sets_that_are_there(own_cache: Path) -> None:
    assert recall("label") is None
    FileSet(sets_folder() / "one", Builder())
    remember("label", sets_folder() / "one", "from there")
    assert recall("label") == (own_cache / "archives" / "one", "from there")
    drop("label")
    drop("label")
    assert recall("label") is None
    remember("label", sets_folder() / "two", "elsewhere")
    assert recall("label") is None  # no such set


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", '{"folder": "../elsewhere", "location": "x"}', '{"folder": 5, "location": 6}']
)
def test_a_broken_note_is_no_note(own_cache: Path, note: str) -> None:
    FileSet(own_cache / "elsewhere", Builder())
    remember("label", sets_folder() / "one", "x")
    (path,) = sets_folder().glob("*.json")
    path.write_text(note)
    assert recall("label") is None


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path) -> None:
    assert cache_folder() == own_cache
    monkeypatch.delenv("BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rfmbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "rfmbench" != tmp_path / "rfmbench"

"""Which source a run takes its tables from, and what it says when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.copies import links
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.data.selection import by_source, select_tables
from bench.data.sources import SERVICES, SOURCES, in_words, origin, resolve_source
from bench.errors import DataUnavailable, SourceError, UsageError


def test_embedded_serves_what_it_covers() -> None:
    registry = load_registry()
    assert resolve_source(registry, registry.select("smoke")).name == "embedded"


def test_services_are_those_that_the_registry_knows_copies_at() -> None:
    registry = load_registry()
    entry = registry.entry("iris")
    assert set(links(entry)) == set(SERVICES) < set(SOURCES)
    assert links(entry)["uci"] == entry.uci
    for name in SERVICES:
        assert resolve_source(registry, [entry], source=name, offline=True).name == name


@pytest.mark.parametrize(
    ("subset", "source"),
    [
        ("smoke", "embedded"),
        ("embedded", "embedded"),
        ("smoke,embedded", "embedded"),
        ("iris,wine,lenses", "archive"),
        ("iris,wine,seeds", "archive"),
        ("smoke,seeds", "archive"),
        ("small90", "archive"),
    ],
)
def test_a_subset_has_one_source_once_an_archive_was_fetched(
    subset: str, source: str, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = load_registry()
    archive = ArchiveSource(str(tiny.tar()), registry)
    monkeypatch.setattr(ArchiveSource, "fetched", lambda registry: archive)
    assert select_tables(registry, subset)[1].name == source


def test_where_tables_are_from_in_words(tiny: Any) -> None:
    registry = tiny.registry()
    assert in_words(EmbeddedSource()) == "the package (embedded)"
    path = str(tiny.tar())
    assert in_words(ArchiveSource(path, registry)) == f"archive ({path})"
    ArchiveSource(path, registry).keep()
    assert in_words(resolve_source(registry, registry.select("all"))) == f"archive ({path} (cached))"


def test_without_any_source_the_error_names_those_tried_and_the_ways_out() -> None:
    registry = load_registry()
    with pytest.raises(SourceError) as error:
        resolve_source(registry, registry.select("small90"))
    message = str(error.value)
    embedded = len(registry.subsets["embedded"])
    assert f"embedded (has {embedded}, not acute-inflammation" in message
    assert f"and {90 - embedded - 3} more" in message
    assert "neither --archive nor BENCH_ARCHIVE" in message
    assert "python -m bench fetch" in message
    assert "--archive PATH_OR_URL" in message
    assert "\n" not in message


def test_a_given_archive_serves_everything(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = tiny.registry()
    path = str(tiny.tar())
    entries = registry.select("all")
    assert resolve_source(registry, entries, path).location == path
    monkeypatch.setenv("BENCH_ARCHIVE", path)
    assert resolve_source(registry, entries).location == path
    assert resolve_source(registry, entries, source="archive").location == path


def test_a_given_archive_that_is_not_there_is_an_error_at_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry()
    smoke = registry.select("smoke")
    refused(SourceError, "no archive at", resolve_source, registry, smoke, "/nowhere/at/all")
    monkeypatch.setenv("BENCH_ARCHIVE", "/nowhere/either")
    refused(SourceError, "no archive at /nowhere/either", resolve_source, registry, smoke)
    assert resolve_source(registry, smoke, source="embedded").name == "embedded"


def test_tables_of_regression_are_not_looked_for_in_the_archive(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry()
    monkeypatch.setenv("BENCH_ARCHIVE", str(tiny.tar()))
    assert select_tables(registry, "regression")[1].name == "embedded"
    assert select_tables(registry, "servo")[1].name == "embedded"
    archive = ArchiveSource(str(tiny.tar()), registry)
    monkeypatch.setattr(ArchiveSource, "fetched", lambda registry: archive)
    monkeypatch.delenv("BENCH_ARCHIVE")
    assert select_tables(registry, "servo")[1].name == "embedded"
    assert not archive.has(registry.entry("servo"))
    with pytest.raises(DataUnavailable, match="servo: not a dataset of the study; it comes with the package"):
        archive.load(registry.entry("servo"))


def test_a_folder_and_a_tar_file_of_the_same_tables_have_one_checksum(tiny: Any) -> None:
    registry = tiny.registry()
    entries = registry.select("all")
    tar, folder = (origin(resolve_source(registry, entries, str(p)))["archive"] for p in (tiny.tar(), tiny.unpacked()))
    assert tar["sha256"] == folder["sha256"] != ""
    assert (tar["name"], folder["name"]) == ("archive.tar.xz", "unpacked")
    ArchiveSource(str(tiny.tar()), registry).keep()
    assert origin(resolve_source(registry, entries)) == {"source": "archive", "archive": tar}
    tiny.files["alpha/alpha_R.dat"] += b"\n"
    changed = origin(resolve_source(registry, entries, str(tiny.unpacked())))["archive"]
    assert changed["sha256"] != tar["sha256"]


def test_embedded_tables_are_recorded_by_name() -> None:
    registry = load_registry()
    assert origin(resolve_source(registry, registry.select("smoke"))) == {"source": "embedded"}


def test_a_fetched_archive_serves_what_is_not_embedded(tiny: Any) -> None:
    registry = tiny.registry()
    entries = registry.select("all")
    refused(SourceError, "none fetched into the cache", resolve_source, registry, entries)
    ArchiveSource(str(tiny.tar()), registry).keep()
    assert resolve_source(registry, entries).name == "archive"
    assert resolve_source(registry, entries, source="archive").has(entries[0])


def test_sources_asked_for_by_name(tiny: Any) -> None:
    registry = load_registry()
    smoke = registry.select("smoke")
    refused(UsageError, "did you mean 'archive'", resolve_source, registry, smoke, source="archiv")
    refused(SourceError, "exclude each other", resolve_source, registry, smoke, "x.tar", "embedded")
    with pytest.raises(SourceError, match="none of the 1 datasets asked for comes"):
        resolve_source(registry, registry.select("pima"), source="embedded")
    refused(SourceError, "none fetched", resolve_source, registry, smoke, source="archive")


def test_what_only_the_package_has_comes_from_it_beside_an_archive(tiny: Any) -> None:
    registry = load_registry()
    entries = registry.select("servo,iris")
    archive = ArchiveSource(str(tiny.tar()), registry)
    (first, one), (second, other) = by_source(entries, archive)
    assert ([e.name for e in first], one) == (["iris"], archive)
    assert ([e.name for e in second], other.name) == (["servo"], "embedded")
    ((alone, source),) = by_source(registry.select("servo"), archive)
    assert ([e.name for e in alone], source.name) == (["servo"], "embedded")

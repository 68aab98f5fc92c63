"""Which source a run takes its tables from, and what it says when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.copies import links
from bench.data.registry import load_registry
from bench.data.selection import by_source, select_tables
from bench.data.sources import SERVICES, SOURCES, in_words, origin, resolve_source
from bench.errors import BenchError, DataUnavailable, SourceError, UsageError

REGISTRY = load_registry()
SMOKE = REGISTRY.select("smoke")


@pytest.fixture
def archive(tiny: Any) -> ArchiveSource:
    """An archive for the tables of the package's registry; it has none of them."""
    return ArchiveSource(str(tiny.tar()), REGISTRY)


def test_services_are_those_that_the_registry_knows_copies_at() -> None:
    entry = REGISTRY.entry("iris")
    assert set(links(entry)) == set(SERVICES) < set(SOURCES)
    assert links(entry)["uci"] == entry.uci
    for name in SERVICES:
        assert resolve_source(REGISTRY, [entry], source=name, offline=True).name == name


def test_embedded_serves_what_it_covers_and_is_recorded_by_name() -> None:
    source = resolve_source(REGISTRY, SMOKE)
    assert (origin(source), in_words(source)) == ({"source": "embedded"}, "the package (embedded)")


@pytest.mark.parametrize(
    ("subset", "source"),
    [
        ("smoke", "embedded"),
        ("embedded", "embedded"),
        ("smoke,embedded", "embedded"),
        ("servo", "embedded"),
        ("iris,wine,lenses", "archive"),
        ("smoke,seeds", "archive"),
        ("small90", "archive"),
    ],
)
def test_a_subset_has_one_source_once_an_archive_was_fetched(
    subset: str, source: str, archive: ArchiveSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArchiveSource, "fetched", lambda registry: archive)
    assert select_tables(REGISTRY, subset)[1].name == source


def test_without_any_source_the_error_names_those_tried_and_the_ways_out() -> None:
    embedded = len(REGISTRY.subsets["embedded"])
    says = (
        rf"Tried: embedded \(has {embedded}, not acute-inflammation.* and {90 - embedded - 3} more\); "
        r"archive \(neither --archive nor BENCH_ARCHIVE is given; none fetched into the cache\)\. "
        r".*python -m bench fetch.*--archive PATH_OR_URL"
    )
    refused(SourceError, says, resolve_source, REGISTRY, REGISTRY.select("small90"))


def test_an_archive_that_is_given_or_was_fetched_serves_everything(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = tiny.registry()
    path, entries = str(tiny.tar()), registry.select("all")
    refused(SourceError, "none fetched into the cache", resolve_source, registry, entries)
    given = resolve_source(registry, entries, path)
    assert in_words(given) == f"archive ({path})"
    tiny.source(path).keep()
    for source in (None, "archive"):
        assert in_words(resolve_source(registry, entries, source=source)) == f"archive ({path} (cached))"
    monkeypatch.setenv("BENCH_ARCHIVE", path)
    for source in (None, "archive"):
        assert resolve_source(registry, entries, source=source).location == path
    monkeypatch.setenv("BENCH_ARCHIVE", "/nowhere/either")
    refused(SourceError, "no archive at /nowhere/either", resolve_source, registry, entries)
    refused(SourceError, "no archive at /nowhere/at/all", resolve_source, registry, entries, "/nowhere/at/all")
    assert resolve_source(REGISTRY, SMOKE, source="embedded").name == "embedded"


def test_a_folder_and_a_tar_file_of_the_same_tables_have_one_checksum(tiny: Any) -> None:
    tar, folder = (origin(tiny.source(path))["archive"] for path in (tiny.tar(), tiny.unpacked()))
    assert tar["sha256"] == folder["sha256"] != ""
    assert (tar["name"], folder["name"]) == ("archive.tar.xz", "unpacked")
    tiny.source(tiny.tar()).keep()
    fetched = ArchiveSource.fetched(tiny.registry())
    assert fetched is not None
    assert origin(fetched) == {"source": "archive", "archive": tar}
    tiny.files["alpha/alpha_R.dat"] += b"\n"
    assert origin(tiny.source(tiny.unpacked()))["archive"]["sha256"] != tar["sha256"]


@pytest.mark.parametrize(
    ("subset", "given", "error", "says"),
    [
        ("smoke", {"source": "archiv"}, UsageError, "did you mean 'archive'"),
        ("smoke", {"source": "embedded", "archive": "x.tar"}, SourceError, "exclude each other"),
        ("pima", {"source": "embedded"}, SourceError, "none of the 1 datasets asked for comes"),
        ("smoke", {"source": "archive"}, SourceError, "none fetched"),
        ("grinsztajn-num-class", {}, UsageError, r"unknown part of the benchmark 'grinsztajn-num-class'.*-num-clf"),
        ("openml-suite:x", {}, UsageError, "a suite is named by its number at OpenML, like openml-suite:99"),
        ("iris,grinsztajn-num-reg", {"source": "uci"}, UsageError, "grinsztajn-num-reg takes its datasets from OpenML"),
        ("openml-suite:99", {"archive": "a"}, UsageError, "from OpenML: leave --archive and --source out"),
    ],
)
def test_words_that_do_not_go_together(subset: str, given: dict[str, str], error: type[BenchError], says: str) -> None:
    refused(error, says, select_tables, REGISTRY, subset, **given)


def test_what_only_the_package_has_comes_from_it_beside_an_archive(
    archive: ArchiveSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(names: str) -> list[tuple[list[str], str]]:
        return [([e.name for e in part], source.name) for part, source in by_source(REGISTRY.select(names), archive)]

    assert parts("servo,iris") == [(["iris"], "archive"), (["servo"], "embedded")]
    assert parts("servo") == [(["servo"], "embedded")]
    servo = REGISTRY.entry("servo")
    assert not archive.has(servo)
    refused(DataUnavailable, "servo: not a dataset of the study; it comes with the package", archive.load, servo)
    monkeypatch.setenv("BENCH_ARCHIVE", archive.location)
    for subset in ("regression", "servo"):
        assert select_tables(REGISTRY, subset)[1].name == "embedded"

"""The archive as a source: every form of it, its checks, and what is missing from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.registry import load_registry
from bench.data.splits import draw_splits
from bench.errors import DataInvalid, DataUnavailable, SourceError


@pytest.mark.parametrize("prefix", ["", "data/", "./some/where/"])
@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:xz"])
def test_tar_files(tiny: Any, mode: str, prefix: str) -> None:
    registry = tiny.registry()
    source = ArchiveSource(str(tiny.tar(mode=mode, prefix=prefix)), registry)
    dataset = source.load(registry.entry("alpha"))
    assert dataset.X.shape == (24, 3)
    assert dataset.y.tolist() == [0, 1, 2] * 8
    assert (dataset.name, dataset.source, dataset.n_classes) == ("alpha", "archive", 3)
    assert dataset.standardised
    assert dataset.notes == ()
    expected = draw_splits("alpha", dataset.y, 0)
    assert dataset.published is not None
    assert dataset.published.name == "published"
    assert np.array_equal(dataset.published.tuning.train, expected.tuning.train)
    assert [h.test.tolist() for h in dataset.published.holdouts] == [h.test.tolist() for h in expected.holdouts]


@pytest.mark.parametrize("prefix", ["", "data/"])
def test_folders(tiny: Any, prefix: str) -> None:
    registry = tiny.registry()
    folder = ArchiveSource(str(tiny.unpacked(prefix)), registry).load(registry.entry("beta"))
    tar = ArchiveSource(str(tiny.tar()), registry).load(registry.entry("beta"))
    assert folder.sha256 == tar.sha256


def test_a_tar_is_unpacked_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = tiny.registry()
    path = tiny.tar()
    first = ArchiveSource(str(path), registry).load(registry.entry("alpha"))
    monkeypatch.setattr("bench.data.archive.read_members", lambda *_: pytest.fail("unpacked again"))
    assert ArchiveSource(str(path), registry).load(registry.entry("alpha")).sha256 == first.sha256


def test_other_content_under_the_same_name_is_unpacked_anew(tiny: Any) -> None:
    registry = tiny.registry()
    path = tiny.tar()
    assert ArchiveSource(str(path), registry).has(registry.entry("beta"))
    tiny.files = {name: content for name, content in tiny.files.items() if name.startswith("alpha")}
    path = tiny.tar()
    assert not ArchiveSource(str(path), registry).has(registry.entry("beta"))


@pytest.mark.parametrize("file", ["beta_R.dat", "conxuntos.dat", "conxuntos_kfold.dat"])
@pytest.mark.parametrize("form", ["tar", "unpacked"])
def test_an_absent_file_makes_one_table_unavailable(tiny: Any, file: str, form: str) -> None:
    registry = tiny.registry()
    del tiny.files[f"beta/{file}"]
    location = str(getattr(tiny, form)())
    source = ArchiveSource(location, registry)
    assert source.has(registry.entry("alpha"))
    assert not source.has(registry.entry("beta"))
    refused(DataUnavailable, f"beta: the archive {location} has no beta/{file}", source.load, registry.entry("beta"))
    assert source.load(registry.entry("alpha")).X.shape == (24, 3)


@pytest.mark.parametrize("file", ["alpha_R.dat", "conxuntos.dat", "conxuntos_kfold.dat"])
def test_a_wrong_checksum_names_expected_and_found(tiny: Any, file: str) -> None:
    registry = tiny.registry()
    key = f"alpha/{file}"
    expected = hashlib.sha256(tiny.files[key]).hexdigest()
    tiny.files[key] += b"\n"
    found = hashlib.sha256(tiny.files[key]).hexdigest()
    with pytest.raises(DataInvalid, match=rf"{key}: SHA-256 is {found}, the registry expects {expected}"):
        ArchiveSource(str(tiny.tar()), registry).load(registry.entry("alpha"))


def _other_values(table: bytes) -> bytes:
    return table.replace(b".", b".0")


def _swapped_labels(table: bytes) -> bytes:
    lines = table.splitlines()
    lines[1:] = [line[:-1] + {b"0": b"1", b"1": b"0"}.get(line[-1:], line[-1:]) for line in lines[1:]]
    lines[1] = lines[1][:-1] + b"2"
    return b"\n".join(lines)


@pytest.mark.parametrize("pinned", [True, False])
def test_a_rebuilt_or_unpinned_table_may_differ_where_the_lists_agree(tiny: Any, pinned: bool) -> None:
    archive = tiny.document["datasets"]["alpha"]["archive"]
    if pinned:
        archive["rebuilt"] = True
    else:
        del archive["table_sha256"]
    registry = tiny.registry()
    tiny.files["alpha/alpha_R.dat"] = _other_values(tiny.files["alpha/alpha_R.dat"])
    dataset = ArchiveSource(str(tiny.tar()), registry).load(registry.entry("alpha"))
    assert dataset.notes == ("the dataset's checksum is not the registry's; its sizes, labels and index lists agree",)
    tiny.files["alpha/alpha_R.dat"] = _swapped_labels(tiny.files["alpha/alpha_R.dat"])
    with pytest.raises(DataInvalid, match="the labels do not match the study's index lists"):
        ArchiveSource(str(tiny.tar()), registry).load(registry.entry("alpha"))


def test_a_registry_with_other_sizes_refuses_the_table(tiny: Any) -> None:
    tiny.document["datasets"]["alpha"]["rows"] = 23
    registry = tiny.registry()
    with pytest.raises(DataInvalid, match="24 rows of 5 columns, expected 23 rows of 5"):
        ArchiveSource(str(tiny.tar()), registry).load(registry.entry("alpha"))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [_truncate, _empty, _scribble])
@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_broken_archive_is_one_clear_error_and_leaves_nothing(
    tiny: Any, own_cache: Path, mode: str, harm: Callable[[Path], None]
) -> None:
    registry = tiny.registry()
    path = tiny.tar(mode=mode)
    harm(path)
    for _ in range(2):
        line = refused(SourceError, r"broken|truncated", ArchiveSource(str(path), registry).open)
        assert str(path) in line
    assert list((own_cache / "archives").iterdir()) == []


def test_an_archive_of_something_else(tiny: Any, tmp_path: Path) -> None:
    registry = tiny.registry()
    tiny.files = {"gamma/gamma_R.dat": b"x"}
    for location in (tiny.tar(), tiny.unpacked()):
        with pytest.raises(SourceError, match="none of the registry's datasets in it; expected the layout"):
            ArchiveSource(str(location), registry).open()
    refused(SourceError, "neither a folder nor a file", ArchiveSource(str(tmp_path / "nowhere"), registry).open)


def test_a_table_that_is_there_twice(tiny: Any) -> None:
    registry = tiny.registry()
    tiny.unpacked("one/")
    with pytest.raises(SourceError, match=r"alpha/.* is there twice|beta/.* is there twice"):
        ArchiveSource(str(tiny.unpacked("two/")), registry).open()


def test_what_was_fetched_stays_when_the_original_goes(tiny: Any) -> None:
    registry = tiny.registry()
    assert ArchiveSource.fetched(registry) is None
    path = tiny.tar()
    ArchiveSource(str(path), registry).keep()
    path.unlink()
    kept = ArchiveSource.fetched(registry)
    assert kept is not None
    assert kept.location == f"{path} (cached)"
    from_folder = ArchiveSource(str(tiny.unpacked()), registry)
    from_folder.keep()
    assert kept.load(registry.entry("beta")).sha256 == from_folder.load(registry.entry("beta")).sha256
    again = ArchiveSource.fetched(registry)
    assert again is not None
    assert again.load(registry.entry("beta")).sha256 == from_folder.load(registry.entry("beta")).sha256


@pytest.mark.archive
def test_the_study_drew_its_divisions_as_we_do(study: ArchiveSource) -> None:
    compared = 0
    for entry in load_registry().select("small90"):
        dataset = study.load(entry)
        drawn = draw_splits(entry.name, dataset.y, 0)
        assert dataset.published is not None
        for theirs, ours in zip(
            (dataset.published.tuning, *dataset.published.holdouts), (drawn.tuning, *drawn.holdouts), strict=True
        ):
            assert np.bincount(dataset.y[theirs.train]).tolist() == np.bincount(dataset.y[ours.train]).tolist()
            compared += 1
    assert compared == 90 * 5

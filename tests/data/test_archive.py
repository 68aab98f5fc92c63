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

TABLE = "alpha/alpha_R.dat"


TARS = [(mode, prefix) for mode in ("w:", "w:gz", "w:xz") for prefix in ("", "data/", "./some/where/")]


@pytest.mark.parametrize(("mode", "prefix"), [*TARS, ("folder", ""), ("folder", "data/")])
def test_forms_of_the_archive(tiny: Any, mode: str, prefix: str) -> None:
    location = tiny.unpacked(prefix) if mode == "folder" else tiny.tar(mode=mode, prefix=prefix)
    dataset = tiny.source(location).load(tiny.entry())
    assert dataset.y.tolist() == [0, 1, 2] * 8
    assert dataset.X.shape == (24, 3)
    about = (dataset.name, dataset.source, dataset.n_classes, dataset.standardised, dataset.notes)
    assert about == ("alpha", "archive", 3, True, ())
    expected = draw_splits("alpha", dataset.y, 0)
    assert dataset.published is not None
    assert dataset.published.name == "published"
    assert np.array_equal(dataset.published.tuning.train, expected.tuning.train)
    assert [h.test.tolist() for h in dataset.published.holdouts] == [h.test.tolist() for h in expected.holdouts]


def test_a_tar_is_unpacked_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.tar()
    first = tiny.source(path).load(tiny.entry())
    monkeypatch.setattr("bench.data.archive.read_members", lambda *_: pytest.fail("unpacked again"))
    assert tiny.source(path).load(tiny.entry()).sha256 == first.sha256


def test_other_content_under_the_same_name_is_unpacked_anew(tiny: Any) -> None:
    assert tiny.source(tiny.tar()).has(tiny.entry("beta"))
    tiny.files = {name: content for name, content in tiny.files.items() if name.startswith("alpha")}
    assert not tiny.source(tiny.tar()).has(tiny.entry("beta"))


@pytest.mark.parametrize("file", ["beta_R.dat", "conxuntos.dat", "conxuntos_kfold.dat"])
@pytest.mark.parametrize("form", ["tar", "unpacked"])
def test_an_absent_file_makes_one_table_unavailable(tiny: Any, file: str, form: str) -> None:
    del tiny.files[f"beta/{file}"]
    location = getattr(tiny, form)()
    source, alpha, beta = tiny.source(location), tiny.entry(), tiny.entry("beta")
    assert (source.has(alpha), source.has(beta)) == (True, False)
    refused(DataUnavailable, f"beta: the archive {location} has no beta/{file}", source.load, beta)
    assert source.load(alpha).X.shape == (24, 3)


@pytest.mark.parametrize("file", ["alpha_R.dat", "conxuntos.dat", "conxuntos_kfold.dat"])
def test_a_wrong_checksum_names_expected_and_found(tiny: Any, file: str) -> None:
    key = f"alpha/{file}"
    expected = hashlib.sha256(tiny.files[key]).hexdigest()
    tiny.files[key] += b"\n"
    found = hashlib.sha256(tiny.files[key]).hexdigest()
    says = rf"{key}: SHA-256 is {found}, the registry expects {expected}"
    refused(DataInvalid, says, tiny.source(tiny.tar()).load, tiny.entry())


@pytest.mark.parametrize("pinned", [True, False])
def test_a_rebuilt_or_unpinned_table_may_differ_where_the_lists_agree(tiny: Any, pinned: bool) -> None:
    archive = tiny.document["datasets"]["alpha"]["archive"]
    if pinned:
        archive["rebuilt"] = True
    else:
        del archive["table_sha256"]
    tiny.files[TABLE] = tiny.files[TABLE].replace(b".", b".0")
    dataset = tiny.source(tiny.tar()).load(tiny.entry())
    assert dataset.notes == ("the dataset's checksum is not the registry's; its sizes, labels and index lists agree",)
    header, *lines = tiny.files[TABLE].splitlines()
    lines[0] = lines[0][:-1] + b"1"  # the first row's class is another one
    tiny.files[TABLE] = b"\n".join([header, *lines])
    says = "the labels do not match the study's index lists"
    refused(DataInvalid, says, tiny.source(tiny.tar()).load, tiny.entry())


def test_a_registry_with_other_sizes_refuses_the_table(tiny: Any) -> None:
    tiny.document["datasets"]["alpha"]["rows"] = 23
    says = "24 rows of 5 columns, expected 23 rows of 5"
    refused(DataInvalid, says, tiny.source(tiny.tar()).load, tiny.entry())


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[: len(content) // 2] + b"\0\xff" + content[len(content) // 2 + 2 :],
    ],
    ids=["truncated", "empty", "a byte changed"],
)
def test_a_broken_archive_is_one_clear_error_and_leaves_nothing(
    tiny: Any, own_cache: Path, mode: str, harm: Callable[[bytes], bytes]
) -> None:
    path = tiny.tar(mode=mode)
    path.write_bytes(harm(path.read_bytes()))
    for _ in range(2):
        assert str(path) in refused(SourceError, r"broken|truncated", tiny.source(path).open)
    assert list((own_cache / "archives").iterdir()) == []


def test_what_is_none_of_the_archive(tiny: Any, tmp_path: Path) -> None:
    tiny.unpacked("one/")
    says = r"alpha/.* is there twice|beta/.* is there twice"
    refused(SourceError, says, tiny.source(tiny.unpacked("two/")).open)
    refused(SourceError, "neither a folder nor a file", tiny.source(tmp_path / "nowhere").open)
    tiny.files = {"gamma/gamma_R.dat": b"x"}
    (tmp_path / "gamma" / "gamma").mkdir(parents=True)
    (tmp_path / "gamma" / "gamma" / "gamma_R.dat").write_bytes(b"x")
    for location in (tiny.tar(), tmp_path / "gamma"):
        says = "none of the registry's datasets in it; expected the layout"
        refused(SourceError, says, tiny.source(location).open)


def test_what_was_fetched_stays_when_the_original_goes(tiny: Any) -> None:
    registry, beta = tiny.registry(), tiny.entry("beta")
    assert ArchiveSource.fetched(registry) is None
    path = tiny.tar()
    tiny.source(path).keep()
    path.unlink()
    kept = ArchiveSource.fetched(registry)
    assert kept is not None
    assert kept.location == f"{path} (cached)"
    from_folder = tiny.source(tiny.unpacked())
    from_folder.keep()
    again = ArchiveSource.fetched(registry)
    assert again is not None
    assert again.location == f"{tiny.unpacked()} (cached)"
    assert kept.load(beta).sha256 == again.load(beta).sha256 == from_folder.load(beta).sha256


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

"""The archive as a source: every form of it, from a server too, its checks, and what is missing from it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import Loopback, Page
from refusals import refused

from bench.data import archive
from bench.data.archive import ArchiveSource
from bench.data.registry import load_registry
from bench.data.splits import draw_splits
from bench.errors import DataInvalid, DataUnavailable, SourceError

TABLE = "alpha/alpha_R.dat"


@pytest.mark.parametrize(
    ("form", "prefix"),
    [("w:", ""), ("w:gz", "data/"), ("w:xz", "./some/where/"), ("folder", ""), ("folder", "data/")],
)
def test_forms_of_the_archive(tiny: Any, form: str, prefix: str) -> None:
    location = tiny.unpacked(prefix) if form == "folder" else tiny.tar(mode=form, prefix=prefix)
    dataset = tiny.source(location).load(tiny.entry())
    assert dataset.y.tolist() == [0, 1, 2] * 8
    assert dataset.X.shape == (24, 3)
    about = (dataset.name, dataset.source, dataset.n_classes, dataset.standardised, dataset.notes)
    assert about == ("alpha", "archive", 3, True, ())
    assert dataset.published is not None
    assert dataset.published.name == "published"
    expected = draw_splits("alpha", dataset.y, 0)
    assert np.array_equal(dataset.published.tuning.train, expected.tuning.train)
    assert [h.test.tolist() for h in dataset.published.holdouts] == [h.test.tolist() for h in expected.holdouts]


def test_a_tar_is_unpacked_once_and_anew_if_its_content_is_another(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.tar()
    first = tiny.source(path).load(tiny.entry())
    with monkeypatch.context() as patch:
        patch.setattr(archive, "read_members", lambda *_: pytest.fail("unpacked again"))
        assert tiny.source(path).load(tiny.entry()).sha256 == first.sha256
        assert tiny.source(path).has(tiny.entry("beta"))
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
    about = tiny.document["datasets"]["alpha"]["archive"]
    if pinned:
        about["rebuilt"] = True
    else:
        del about["table_sha256"]
    tiny.files[TABLE] = tiny.files[TABLE].replace(b".", b".0")
    dataset = tiny.source(tiny.tar()).load(tiny.entry())
    assert dataset.notes == ("the dataset's checksum is not the registry's; its sizes, labels and index lists agree",)
    tiny.files[TABLE] = tiny.files[TABLE].replace(b"\t0\n", b"\t1\n", 1)  # the first row's class is another one
    says = "the labels do not match the study's index lists"
    refused(DataInvalid, says, tiny.source(tiny.tar()).load, tiny.entry())


@pytest.mark.parametrize(("mode", "middle"), [("w:gz", b""), ("w:xz", b"\0\xff")], ids=["truncated", "bytes changed"])
def test_a_broken_archive_is_one_clear_error_and_leaves_nothing(
    tiny: Any, own_cache: Path, mode: str, middle: bytes
) -> None:
    path = tiny.tar(mode=mode)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + middle + (content[half + 2 :] if middle else b""))
    for _ in range(2):
        assert str(path) in refused(SourceError, "broken or truncated archive", tiny.source(path).open)
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
    found = []
    for location in (tiny.tar(), tiny.unpacked()):
        tiny.source(location).keep()
        kept = ArchiveSource.fetched(registry)
        assert kept is not None
        assert kept.location == f"{location} (cached)"
        found.append(kept.load(beta).sha256)
        location.rename(tiny.folder / f"moved-{location.name}")
        assert kept.load(beta).sha256 == found[0]


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


@pytest.fixture
def url(tiny: Any, web: Loopback) -> str:
    """Where the archive is on a server."""
    web.pages["/a"] = Page(tiny.tar(mode="w:gz").read_bytes())
    return f"{web.url}/a"


def test_a_url_is_downloaded_once(
    tiny: Any, web: Loopback, url: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(SourceError, "downloads are not allowed here", tiny.source(url, offline=True).open)
    with monkeypatch.context() as patch:  # a stop before the unpacking costs no second download
        patch.setattr(archive, "read_members", lambda *_: [][1])
        with pytest.raises(IndexError):
            tiny.source(url).open()
    first = tiny.source(url).load(tiny.entry())
    again = tiny.source(url, offline=True)
    assert again.load(tiny.entry()).sha256 == first.sha256
    assert len(web.requests) == 1
    assert list((own_cache / "downloads").iterdir()) == []  # only the tables are kept
    again.drop()
    assert tiny.source(url).has(tiny.entry())
    assert len(web.requests) == 2


def test_what_is_broken_on_the_server_is_not_kept(tiny: Any, web: Loopback, url: str, own_cache: Path) -> None:
    whole = web.pages["/a"]
    web.pages["/a"] = Page(whole.content[:100])
    line = refused(SourceError, f"{url}: broken or truncated archive", tiny.source(url).open)
    assert str(own_cache) not in line
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []
    web.pages["/a"] = whole
    assert tiny.source(url).has(tiny.entry("beta"))

"""OpenML over real HTTP: its documents, its faults, its formats; and what is kept of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loopback import Fault, Loopback, Page, broken_off, drip, status, web_page
from services import API, FakeOpenML, arff, task_splits

from bench.data import download, openml_api
from bench.data.download import RetryPolicy
from bench.data.openml_source import OpenMLSource, TaskEntry
from bench.data.registry import Registry
from bench.errors import DataInvalid, DataUnavailable, SourceError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openml") is None, reason="needs the openml package")

FRAME = pd.DataFrame(
    {
        "row": range(1, 25),
        "size": [float(i) if i % 5 else np.nan for i in range(24)],
        "colour": ["red", "green", "blue"] * 8,
        "class": ["c", "a", "b"] * 8,
    }
)
IGNORED = "<oml:row_id_attribute>row</oml:row_id_attribute>"
FOLDS = [np.arange(0, 8), np.arange(8, 16), np.arange(16, 24)]


@pytest.fixture
def openml(web: Loopback, monkeypatch: pytest.MonkeyPatch) -> FakeOpenML:
    service = FakeOpenML(web)
    monkeypatch.setenv("BENCH_OPENML", service.url)
    return service


@pytest.fixture
def registry(tiny: Any) -> Registry:
    """`alpha` (24 rows, 3 classes) is data set 61."""
    tiny.document["datasets"]["alpha"]["openml"] = {"id": 61, "confidence": "known"}
    return tiny.registry()


def registry_with(tiny: Any, **link: object) -> Registry:
    tiny.document["datasets"]["alpha"]["openml"] |= link
    return tiny.registry()


def test_a_table_by_its_id(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, arff(FRAME), more=IGNORED)
    dataset = OpenMLSource().load(registry.entry("alpha"))
    assert (dataset.name, dataset.source, dataset.n_classes, dataset.published) == ("alpha", "openml", 3, None)
    assert dataset.X.shape == (24, 4)  # the size and three colours; row numbers are no input
    assert dataset.y.tolist() == [2, 0, 1] * 8
    assert np.isnan(dataset.X).sum() == 5
    assert dataset.notes[0] == "24 rows, 2 inputs, 3 classes; the archive's table has 24, 3, 3"
    assert not dataset.standardised


def test_once_fetched_neither_service_nor_package_is_needed(
    openml: FakeOpenML, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    openml.data(61, arff(FRAME), more=IGNORED)
    entry = registry.entry("alpha")
    offline = OpenMLSource(offline=True)
    assert not offline.has(entry)
    with pytest.raises(DataUnavailable, match=r"alpha: .*not in the cache, and downloads are not allowed here"):
        offline.load(entry)
    assert openml.web.requests == []
    first = OpenMLSource().load(entry)
    requests = len(openml.web.requests)
    monkeypatch.setattr(openml_api, "_package", lambda *_: pytest.fail("asked again"))
    assert offline.has(entry)
    assert offline.load(entry).sha256 == OpenMLSource().load(entry).sha256 == first.sha256
    assert len(openml.web.requests) == requests


def test_the_cache_holds_no_pickles_and_nothing_else_is_written(
    openml: FakeOpenML, registry: Registry, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    openml.data(61, arff(FRAME), more=IGNORED)
    OpenMLSource().load(registry.entry("alpha"))
    assert list(home.iterdir()) == []
    assert list((tmp_path / "temporary").iterdir()) == []
    kept = [path for path in own_cache.rglob("*") if path.is_file()]
    assert kept
    assert {path.parent.name for path in kept} == {"data-61"}
    assert not any(path.read_bytes().startswith(b"\x80") for path in kept)


def test_the_packages_own_settings_come_back(openml: FakeOpenML, registry: Registry) -> None:
    import openml as package
    import requests

    package.config.apikey = "a secret"
    before = (package.config.server, package.config._root_cache_directory, requests.Session)
    try:
        openml.data(61, arff(FRAME), more=IGNORED)
        OpenMLSource().load(registry.entry("alpha"))
        assert package.config.apikey == "a secret"
    finally:
        package.config.apikey = ""
    assert (package.config.server, package.config._root_cache_directory, requests.Session) == before
    assert not any("secret" in address for address, _ in openml.web.requests)


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("Sparse_ARFF", b"", "its format 'sparse_arff' is sparse; only dense tables are read"),
        ("Streaming_ARFF", b"", "its format 'streaming_arff' is not a table that is read here"),
    ],
)
def test_formats_that_are_not_read(
    openml: FakeOpenML, registry: Registry, format: str, content: bytes, message: str
) -> None:
    openml.data(61, content, format=format)
    with pytest.raises(DataUnavailable, match=message):
        OpenMLSource().load(registry.entry("alpha"))
    assert not any("/data/v1" in address for address, _ in openml.web.requests)


def test_a_sparse_table_that_calls_itself_dense(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, b"@relation t\n@attribute a real\n@attribute class {0,1}\n@data\n{0 1}\n")
    with pytest.raises(DataInvalid, match="a sparse ARFF table"):
        OpenMLSource().load(registry.entry("alpha"))
    assert not OpenMLSource(offline=True).has(registry.entry("alpha"))


def test_sizes_that_are_not_the_registrys(openml: FakeOpenML, registry: Registry, tiny: Any) -> None:
    openml.data(61, arff(FRAME[:23]), more=IGNORED)
    with pytest.raises(DataInvalid, match="23 rows of 3 classes, expected 24 rows of 3: not the table"):
        OpenMLSource().load(registry.entry("alpha"))
    stated = registry_with(tiny, rows=23, note="one row less")
    dataset = OpenMLSource().load(stated.entry("alpha"))
    assert dataset.notes[:2] == (
        "OpenML's copy: one row less",
        "23 rows, 2 inputs, 3 classes; the archive's table has 24, 3, 3",
    )
    with pytest.raises(DataInvalid, match=r"expected 22 rows of 3.*one row less"):
        OpenMLSource().load(registry_with(tiny, rows=22).entry("alpha"))
    assert registry_with(tiny, rows=22, differs=True).entry("alpha").openml.differs
    assert OpenMLSource().load(registry_with(tiny, rows=22, differs=True).entry("alpha")).X.shape[0] == 23


def test_target_and_columns_by_the_registry(openml: FakeOpenML, registry: Registry, tiny: Any) -> None:
    openml.data(61, arff(FRAME), target="size")
    entry = registry_with(tiny, target="colour", drop=["class", "row"], confidence="likely").entry("alpha")
    dataset = OpenMLSource().load(entry)
    assert dataset.X.shape == (24, 1)
    assert dataset.notes[0] == "that OpenML's 61 is this table is likely, not certain"
    with pytest.raises(DataInvalid, match=r"unknown column .* 'klass'.*did you mean 'class'"):
        OpenMLSource().load(registry_with(tiny, target="klass").entry("alpha"))


def test_rows_without_a_label_are_left_out(openml: FakeOpenML, registry: Registry, tiny: Any) -> None:
    frame = FRAME.astype({"class": object})
    frame.loc[[3, 4], "class"] = None
    openml.data(61, arff(frame), more=IGNORED)
    dataset = OpenMLSource().load(registry_with(tiny, rows=22).entry("alpha"))
    assert len(dataset.y) == 22
    assert "2 rows without a label are left out" in dataset.notes


def test_tables_without_a_copy_or_with_a_useless_one(openml: FakeOpenML, registry: Registry, tiny: Any) -> None:
    with pytest.raises(DataUnavailable, match="beta: OpenML has no copy that the registry knows"):
        OpenMLSource().load(registry.entry("beta"))
    refused = registry_with(tiny, refused="its inputs include the labels").entry("alpha")
    with pytest.raises(DataUnavailable, match=r"OpenML's copy \(61\) is not used: its inputs include the labels"):
        OpenMLSource().load(refused)


def test_a_table_without_a_target(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, arff(FRAME), target="")
    with pytest.raises(DataUnavailable, match="names no target column, and the registry names none either"):
        OpenMLSource().load(registry.entry("alpha"))


DATA = f"{API}/data/61"
FILE = "/data/v1/download/61/table.arff"


@pytest.mark.parametrize(
    ("address", "fault", "message"),
    [
        (DATA, status(404), "asked for data set 61: the server answered with a web page .404 Not Found"),
        (DATA, status(502), "asked for data set 61: the server answered 502 Bad Gateway"),
        (DATA, web_page, "asked for data set 61: the server answered with a web page .200 OK"),
        (DATA, broken_off(300), "asked for data set 61: "),
        (DATA, broken_off(300, reset=True), "asked for data set 61: "),
        (DATA, drip, "asked for data set 61: the answer is not there after 0.5 s"),
        (FILE, status(404), "table.arff: download failed: the server answered 404 Not Found"),
        (FILE, status(502), "table.arff: download failed: the server answered 502 Bad Gateway"),
        (FILE, web_page, "table.arff: the server answered with a web page"),
        (FILE, broken_off(100), "table.arff: download failed: it broke off after 100 of"),
        (FILE, drip, r"table.arff: download failed: only \d+ bytes came"),
    ],
)
def test_faults(
    openml: FakeOpenML,
    registry: Registry,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    fault: Fault,
    message: str,
) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=1, timeout_seconds=5, stall_seconds=0.5))
    openml.data(61, arff(FRAME), more=IGNORED)
    openml.web.faults[address] = [fault]
    with pytest.raises(DataUnavailable, match=message) as error:
        OpenMLSource().load(registry.entry("alpha"))
    assert str(error.value).startswith("alpha: ")
    assert "\n" not in str(error.value)
    assert not OpenMLSource(offline=True).has(registry.entry("alpha"))
    assert OpenMLSource().load(registry.entry("alpha")).X.shape == (24, 4)  # the next try mends it


def test_redirects_in_circles(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, arff(FRAME))
    openml.web.pages[DATA] = Page(b"", status=302, location=DATA)
    with pytest.raises(DataUnavailable, match="asked for data set 61: Exceeded 30 redirects"):
        OpenMLSource().load(registry.entry("alpha"))


def test_a_wrong_checksum(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, arff(FRAME), md5="0" * 32)
    with pytest.raises(DataUnavailable, match=f"MD5 is [0-9a-f]{{32}}, expected {'0' * 32}"):
        OpenMLSource().load(registry.entry("alpha"))
    assert not OpenMLSource(offline=True).has(registry.entry("alpha"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "asked for data set 61"),
        (b"{}", "asked for data set 61"),
        (b"<?xml version='1.0'?><other/>", "asked for data set 61: KeyError"),
        (b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>', "asked for data set 61"),
        (b"<x>" * 100_000, "asked for data set 61"),
    ],
)
def test_answers_that_are_none(
    openml: FakeOpenML, registry: Registry, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=1))
    openml.web.pages[DATA] = Page(content, "text/xml")
    with pytest.raises(DataUnavailable, match=message) as error:
        OpenMLSource().load(registry.entry("alpha"))
    assert "\n" not in str(error.value)


def test_answers_without_end(openml: FakeOpenML, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openml_api, "MAX_ANSWER_BYTES", 1000)
    openml.web.pages[DATA] = Page(b"<x>" * 1000, "text/xml")
    with pytest.raises(DataUnavailable, match="the answer has more than 1000 bytes; refused"):
        OpenMLSource().load(registry.entry("alpha"))


def test_a_file_that_is_no_web_address(openml: FakeOpenML, registry: Registry) -> None:
    openml.data(61, arff(FRAME))
    page = openml.web.pages[DATA]
    openml.web.pages[DATA] = Page(page.content.replace(openml.web.url.encode() + FILE.encode(), b"file:///etc/passwd"))
    with pytest.raises(DataUnavailable, match="file:///etc/passwd: download failed: unknown url type: file"):
        OpenMLSource().load(registry.entry("alpha"))


def test_what_openml_does_not_have(openml: FakeOpenML, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=1))
    openml.refuse("/data/61", 107, "Database connection error")
    with pytest.raises(DataUnavailable, match="asked for data set 61: Database connection error"):
        OpenMLSource().load(registry.entry("alpha"))
    openml.refuse("/data/61", 111, "Unknown dataset")
    with pytest.raises(DataUnavailable, match="OpenML has no data set 61 to give: Unknown dataset"):
        OpenMLSource().load(registry.entry("alpha"))


def test_without_the_package(openml: FakeOpenML, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openml", None)
    with pytest.raises(DataUnavailable, match=r"pip install 'rfmbench\[openml\]'"):
        OpenMLSource().load(registry.entry("alpha"))


@pytest.fixture
def suite(openml: FakeOpenML) -> FakeOpenML:
    """Suite 99: two tasks on tables of one name, one of regression, one that OpenML has lost."""
    openml.data(61, arff(FRAME), more=IGNORED, name="things")
    openml.data(62, arff(FRAME.assign(size=1.0)), more=IGNORED, name="things")
    openml.task(10, 61, task_splits(FOLDS, repeats=2))
    openml.task(11, 62, None)
    openml.task(12, 61, None, target="size", type=2, kind="Supervised Regression")
    openml.task(13, 61, None, type=4, kind="Supervised Data Stream Classification")
    openml.refuse("/task/14", 151, "Unknown task")
    openml.suite(99, [10, 11, 12, 13, 14])
    return openml


def test_a_suites_tasks_have_their_own_divisions(suite: FakeOpenML) -> None:
    source = OpenMLSource()
    record, entries = source.suite(99)
    assert (record.name, [entry.name for entry in entries[:3]]) == (
        "Made up",
        ["things-10", "things-11", "openml-task-12"],
    )
    first, second = source.load(entries[0]), source.load(entries[1])
    assert first.published is not None
    assert first.published.name == "openml-task-10"
    assert [holdout.test.tolist() for holdout in first.published.holdouts] == [fold.tolist() for fold in FOLDS]
    assert first.published.holdouts[0].train.tolist() == list(range(8, 24))
    assert sorted([*first.published.tuning.train, *first.published.tuning.test]) == list(range(24))
    assert second.published is None
    assert second.sha256 != first.sha256


def test_tasks_that_cannot_be_used_say_why(suite: FakeOpenML) -> None:
    source = OpenMLSource()
    _, entries = source.suite(99)
    for entry, reason in zip(
        entries[2:],
        ("task 12 is one of Supervised Regression; only classification", "Data Stream.* not supported", "Unknown task"),
        strict=True,
    ):
        with pytest.raises(DataUnavailable, match=reason):
            source.load(entry)
        assert not source.has(entry)


def test_a_suite_offline(suite: FakeOpenML) -> None:
    offline = OpenMLSource(offline=True)
    with pytest.raises(SourceError, match="not in the cache"):
        offline.suite(99)
    source = OpenMLSource()
    for entry in source.suite(99)[1][:1]:
        source.load(entry)
    requests = len(suite.web.requests)
    _, entries = offline.suite(99)
    assert [(entry.rows, entry.features, entry.classes) for entry in entries] == [
        (24, 2, 3),
        (0, 0, 0),
        *[(0, 0, 0)] * 3,
    ]
    assert offline.load(entries[0]).published is not None
    assert offline.has(entries[0])
    assert not offline.has(entries[1])
    assert len(suite.web.requests) == requests


def test_a_suite_that_is_not_there(openml: FakeOpenML) -> None:
    openml.refuse("/study/7", 600, "Unknown study")
    with pytest.raises(SourceError, match="Unknown study"):
        OpenMLSource().suite(7)
    openml.suite(8, [])
    with pytest.raises(SourceError, match="suite 8"):
        OpenMLSource().suite(8)


def test_divisions_that_do_not_go_with_the_table(suite: FakeOpenML) -> None:
    suite.task(10, 61, task_splits([*FOLDS, np.array([24])]))
    source = OpenMLSource()
    _, entries = source.suite(99)
    assert isinstance(entries[0], TaskEntry)
    with pytest.raises(DataInvalid, match="row number 24 in a table of 24 rows"):
        source.load(entries[0])

"""OpenML over real HTTP: its documents, its faults, its formats; and what is kept of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loopback import Fault, Page, broken_off, drip, silence, status, web_page
from refusals import refused
from services import API, FakeOpenML, arff, task_splits

from bench.data import openml_service, openml_source
from bench.data.openml_source import OpenMLSource
from bench.data.registry import Entry
from bench.errors import BenchError, DataInvalid, DataUnavailable, SourceError
from bench.records.dataset import Dataset

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
WELL = arff(FRAME)


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openml_service, "TRIES", 1)


@pytest.fixture
def table(openml: FakeOpenML) -> FakeOpenML:
    """Data set 61."""
    openml.data(61, WELL, more=IGNORED)
    return openml


@pytest.fixture
def task(table: FakeOpenML) -> FakeOpenML:
    """Suite 99 of one task, with divisions of its own."""
    table.task(10, 61, task_splits(FOLDS))
    table.suite(99, [10])
    return table


@pytest.fixture
def alpha(tiny: Any) -> Entry:
    """`alpha` (24 rows, 3 classes) is data set 61."""
    return alpha_with(tiny, id=61, confidence="known")


def alpha_with(tiny: Any, **link: object) -> Entry:
    tiny.document["datasets"]["alpha"]["openml"] |= link
    return tiny.entry()


def test_a_table_is_fetched_once_and_neither_service_nor_package_is_needed_again(
    table: FakeOpenML, alpha: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = OpenMLSource(offline=True)
    assert not offline.has(alpha)
    refused(DataUnavailable, r"alpha: .*not in the cache, and downloads are not allowed here", offline.load, alpha)
    assert table.web.requests == []
    dataset = OpenMLSource().load(alpha)
    assert (dataset.name, dataset.source, dataset.n_classes, dataset.published) == ("alpha", "openml", 3, None)
    assert dataset.X.shape == (24, 4)  # the size and three colours; row numbers are no input
    assert dataset.y.tolist() == [2, 0, 1] * 8
    assert np.isnan(dataset.X).sum() == 5
    assert dataset.notes[0] == "24 rows, 2 inputs, 3 classes; the archive's dataset has 24, 3, 3"
    assert not dataset.standardised
    requests = len(table.web.requests)
    monkeypatch.setitem(sys.modules, "openml", None)
    assert offline.has(alpha)
    assert offline.load(alpha).sha256 == OpenMLSource().load(alpha).sha256 == dataset.sha256
    assert len(table.web.requests) == requests


def test_the_package_writes_into_the_cache_only_and_leaves_no_pickle(
    task: FakeOpenML, own_cache: Path, tmp_path: Path
) -> None:
    config, temporary = tmp_path / "home" / ".config" / "openml" / "config", tmp_path / "temporary"
    config.parent.mkdir(parents=True)
    temporary.mkdir()
    config.write_text("apikey = a secret\nserver = http://127.0.0.1:9/\ncachedir = /nowhere\n")
    program = (
        "from bench.data.openml_source import OpenMLSource; import openml; source = OpenMLSource();"
        "print(source.load(source.suite(99)[0]).X.shape, openml.config.server, openml.config.apikey)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": str(tmp_path / "home"), "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "(24, 4) http://127.0.0.1:9/ a secret\n"  # the user's settings are back
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == [config]
    assert list(temporary.iterdir()) == []
    assert not any("secret" in address for address, _ in task.web.requests)
    kept = {path.name: path for path in own_cache.rglob("*") if path.is_file()}
    assert {"description.xml", "task.xml", "dataset.arff", "data-61.json", "task-10.json"} <= {*kept}
    assert not any(path.read_bytes().startswith(b"\x80") for path in kept.values())


def test_a_pickle_that_somebody_put_there_is_not_loaded(
    task: FakeOpenML, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OpenMLSource().suite(99)
    assert list(own_cache.rglob("*.pkl*")) == []
    (features,) = own_cache.rglob("features.xml")
    features.with_suffix(".xml.pkl").write_bytes(pickle.dumps("bad"))
    (record,) = own_cache.rglob("task-10.json")
    record.unlink()
    monkeypatch.setattr("pickle.load", lambda file: pytest.fail("loaded"))
    assert OpenMLSource().suite(99)[0].dataset == 61


def test_what_is_damaged_is_fetched_again(task: FakeOpenML, own_cache: Path) -> None:
    first = OpenMLSource().load(OpenMLSource().suite(99)[0])
    for name in ("dataset.arff", "data-61.json", "task-10.arff", "task-10.json", "suite-99.json"):
        (damaged,) = own_cache.rglob(name)
        content = damaged.read_bytes()
        damaged.write_bytes(content[:-9])
        dataset = OpenMLSource().load(OpenMLSource().suite(99)[0])
        assert dataset.sha256 == first.sha256
        assert dataset.published is not None
        assert damaged.read_bytes() == content


def test_a_parquet_table_is_taken_only_where_there_is_no_arff(openml: FakeOpenML, alpha: Entry, tiny: Any) -> None:
    openml.parquet(61, FRAME, more=IGNORED)
    first = OpenMLSource().load(alpha)
    assert first.X.shape == (24, 4)
    assert OpenMLSource(offline=True).load(alpha).sha256 == first.sha256
    # An ARFF file has a checksum.
    openml.data(62, WELL, more=f"{IGNORED}<oml:parquet_url>{openml.web.url}/no/such.pq</oml:parquet_url>")
    assert OpenMLSource().load(alpha_with(tiny, id=62)).X.shape == (24, 4)
    assert not any("such.pq" in address for address, _ in openml.web.requests)


def test_sizes_that_are_not_the_registrys(openml: FakeOpenML, alpha: Entry, tiny: Any) -> None:
    openml.data(61, arff(FRAME[:23]), more=IGNORED)
    source = OpenMLSource()
    refused(DataInvalid, "23 rows of 3 classes, expected 24 rows of 3: not the dataset", source.load, alpha)
    assert source.load(alpha_with(tiny, rows=23, note="one row less")).notes[:2] == (
        "OpenML's copy: one row less",
        "23 rows, 2 inputs, 3 classes; the archive's dataset has 24, 3, 3",
    )
    refused(DataInvalid, r"expected 22 rows of 3.*one row less", source.load, alpha_with(tiny, rows=22))
    assert source.load(alpha_with(tiny, rows=22, differs=True)).X.shape[0] == 23


def test_target_and_columns_by_the_registry(openml: FakeOpenML, alpha: Entry, tiny: Any) -> None:
    openml.data(61, WELL, target="size")
    entry = alpha_with(tiny, target="colour", drop=["class", "row"], confidence="likely")
    dataset = OpenMLSource().load(entry)
    assert dataset.X.shape == (24, 1)
    assert dataset.notes[0] == "that OpenML's 61 is this dataset is likely, not certain"
    for error, says, wrong in (
        (DataInvalid, r"unknown column .* 'klass'.*did you mean 'class'", alpha_with(tiny, target="klass")),
        (DataUnavailable, "beta: OpenML has no copy that the registry knows", tiny.entry("beta")),
        (
            DataUnavailable,
            r"OpenML's copy \(61\) is not used: it has labels",
            alpha_with(tiny, refused="it has labels"),
        ),
    ):
        refused(error, says, OpenMLSource().load, wrong)


def test_rows_without_a_label_are_left_out(openml: FakeOpenML, alpha: Entry, tiny: Any) -> None:
    frame = FRAME.astype({"class": object})
    frame.loc[[3, 4], "class"] = None
    openml.data(61, arff(frame), more=IGNORED)
    dataset = OpenMLSource().load(alpha_with(tiny, rows=22))
    assert len(dataset.y) == 22
    assert "2 rows without a label are left out" in dataset.notes


DATA = f"{API}/data/61"
FILE = "/data/v1/download/61/table.arff"


@pytest.mark.parametrize(
    ("address", "fault", "message"),
    [
        (DATA, status(404), r": data set 61: not an answer of OpenML \(KeyError: 'oml:error'\)"),
        (DATA, status(502), r": data set 61: not an answer of OpenML \(KeyError: 'oml:error'\)"),
        (DATA, status(502, "<br>"), ": data set 61: Unexpected server error when calling .* Status code: 502$"),
        (DATA, web_page, r": data set 61: not an answer of OpenML \(KeyError: 'oml:data_set_description'\)"),
        (DATA, broken_off(300), r": data set 61: .*300 bytes read"),
        (DATA, broken_off(300, reset=True), ": data set 61: .*Connection reset"),
        (DATA, drip, ": data set 61: no answer within 0.5 s"),
        (DATA, silence, ": data set 61: no answer within 0.5 s"),
        (FILE, status(404), ": file of data set 61: not an answer of OpenML"),
        (FILE, status(502, "<br>"), ": file of data set 61: Unexpected server error .*table.arff.*Status code: 502$"),
        (FILE, web_page, ": file of data set 61: Checksum of downloaded file is unequal"),
        (FILE, broken_off(100), ": file of data set 61: .*100 bytes read, 359 more expected"),
        (FILE, drip, ": file of data set 61: no answer within 0.5 s"),
    ],
)
def test_faults(
    table: FakeOpenML, alpha: Entry, monkeypatch: pytest.MonkeyPatch, address: str, fault: Fault, message: str
) -> None:
    monkeypatch.setattr(openml_source, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(openml_source, "FILE_SECONDS", 0.5)
    table.web.faults[address] = [fault]
    assert refused(DataUnavailable, message, OpenMLSource().load, alpha).startswith("alpha: ")
    assert not OpenMLSource(offline=True).has(alpha)
    assert OpenMLSource().load(alpha).X.shape == (24, 4)  # the next try mends it


SPARSE = b"@relation t\n@attribute a real\n@attribute class {0,1}\n@data\n{0 1}\n"
BOMB = b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>'
NOT_DENSE = "its format 'sparse_arff' is sparse; only dense tables are read"
NO_TARGET = "names no target column, and the registry names none"
NO_TABLE = "its format 'streaming_arff' is not a table that is read here"


Change = Callable[[FakeOpenML], None]


def described(**about: Any) -> Change:
    return lambda openml: openml.data(61, **({"content": b""} | about))


def answering(content: bytes, **more: Any) -> Change:
    return lambda openml: openml.web.pages.update({DATA: Page(content, "text/xml", **more)})


def with_file_at(address: bytes) -> Change:
    def moved(openml: FakeOpenML) -> None:
        content = openml.web.pages[DATA].content.replace(openml.web.url.encode() + FILE.encode(), address)
        openml.web.pages[DATA] = Page(content)

    return moved


def error(code: int, message: str) -> Change:
    return lambda openml: openml.refuse("/data/61", code, message)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (described(format="Sparse_ARFF"), DataUnavailable, NOT_DENSE),
        (described(format="Streaming_ARFF"), DataUnavailable, NO_TABLE),
        (described(content=SPARSE), DataInvalid, "a sparse ARFF table"),
        (described(content=WELL, target=""), DataUnavailable, NO_TARGET),
        (described(content=WELL, md5="0" * 32), DataUnavailable, f"unequal to the expected checksum ?{'0' * 32} when"),
        (error(107, "No database"), DataUnavailable, ": data set 61: .*No database"),
        (error(111, "Unknown"), DataUnavailable, "OpenML has no data set 61 to give: Unknown"),
        (with_file_at(b"file:///p"), DataUnavailable, "file of .*No connection adapters were found for 'file:///p'"),
        (answering(b"", status=302, location=DATA), DataUnavailable, ": data set 61: Exceeded 30 redirects"),
        (answering(b""), DataUnavailable, ": data set 61: "),
        (answering(b"<?xml version='1.0'?><other/>"), DataUnavailable, ": data set 61: not an answer of OpenML"),
        (answering(BOMB), DataUnavailable, ": data set 61: "),
        (answering(b"<x>" * 100_000), DataUnavailable, ": data set 61: "),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_line(
    table: FakeOpenML, alpha: Entry, given: Change, error: type[BenchError], message: str
) -> None:
    given(table)
    refused(error, message, OpenMLSource().load, alpha)
    assert OpenMLSource(offline=True).has(alpha) == (message == NO_TARGET)  # that table itself is sound
    if message in (NOT_DENSE, NO_TABLE):
        assert not any("/data/v1" in address for address, _ in table.web.requests), "what is not read is not fetched"


@pytest.fixture
def suite(openml: FakeOpenML) -> FakeOpenML:
    """Suite 99: two tasks on tables of one name, two of kinds that are not run, one that OpenML has lost."""
    openml.data(61, WELL, more=IGNORED, name="things")
    openml.data(62, arff(FRAME.assign(size=1.0)), more=IGNORED, name="things")
    openml.task(10, 61, task_splits(FOLDS, repeats=2))
    openml.task(11, 62, None)
    openml.task(12, 61, None, type=3, kind="Learning Curve")
    openml.task(13, 61, None, type=4, kind="Supervised Data Stream Classification")
    openml.refuse("/task/14", 151, "Unknown task")
    openml.suite(99, [10, 11, 12, 13, 14])
    return openml


def assert_has_the_folds(dataset: Dataset) -> None:
    """The divisions are those of the task, with tuning halves of all rows."""
    assert dataset.published is not None
    assert dataset.published.name == "openml-task-10"
    assert [holdout.test.tolist() for holdout in dataset.published.holdouts] == [fold.tolist() for fold in FOLDS]
    assert dataset.published.holdouts[0].train.tolist() == list(range(8, 24))
    assert sorted([*dataset.published.tuning.train, *dataset.published.tuning.test]) == list(range(24))


def test_a_suites_tasks_have_their_own_divisions(suite: FakeOpenML) -> None:
    source = OpenMLSource()
    entries = source.suite(99)
    assert [entry.name for entry in entries[:3]] == ["things-10", "things-11", "openml-task-12"]
    first, second = source.load(entries[0]), source.load(entries[1])
    assert_has_the_folds(first)
    assert second.published is None
    assert second.sha256 != first.sha256


def test_tasks_that_cannot_be_used_say_why(suite: FakeOpenML) -> None:
    suite.task(10, 61, task_splits([*FOLDS, np.array([24])]))
    source = OpenMLSource()
    wrong, _, *useless = source.suite(99)
    refused(DataInvalid, "row number 24 in a table of 24 rows", source.load, wrong)
    learning = "task 12 is one of Learning Curve; only classification and regression"
    for entry, reason in zip(useless, (learning, "Data Stream.* not supported", "Unknown task"), strict=True):
        refused(DataUnavailable, reason, source.load, entry)
        assert not source.has(entry)
    suite.refuse("/study/7", 600, "Unknown study")
    suite.suite(8, [])
    for number, says in ((7, "Unknown study"), (8, "suite 8")):
        refused(SourceError, says, source.suite, number)


NUMBERS = FRAME.assign(price=[0.5 * i - 3 for i in range(24)])


def regression_task(openml: FakeOpenML, frame: pd.DataFrame) -> None:
    """Suite 99: one task, to predict the price."""
    openml.data(61, arff(frame), "price", more=IGNORED, name="things")
    openml.task(10, 61, task_splits(FOLDS), target="price", type=2)
    openml.suite(99, [10])


def test_a_task_of_regression_has_its_own_divisions(openml: FakeOpenML) -> None:
    regression_task(openml, NUMBERS)
    source = OpenMLSource()
    (entry,) = source.suite(99)
    dataset = source.load(entry)
    assert (entry.kind, dataset.kind, dataset.n_classes) == ("regression", "regression", 0)
    assert dataset.y.tolist() == NUMBERS["price"].tolist()
    assert dataset.X.shape == (24, 7)  # the size, three colours and three classes
    assert_has_the_folds(dataset)
    (again,) = OpenMLSource(offline=True).suite(99)
    assert (again.kind, again.rows, again.features, again.classes) == ("regression", 24, 3, 0)


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (["7", "8", "9"] * 8, "target 'price' is categorical .*, not a column of numbers"),
        ([np.nan, *range(23)], "rows without a number in the target, which the task's index lists"),
    ],
)
def test_targets_that_are_none_of_regression(openml: FakeOpenML, prices: object, message: str) -> None:
    regression_task(openml, NUMBERS.assign(price=prices))
    source = OpenMLSource()
    assert "--task" not in refused(DataInvalid, message, source.load, source.suite(99)[0])


def test_a_suite_offline(suite: FakeOpenML) -> None:
    offline = OpenMLSource(offline=True)
    refused(SourceError, "not in the cache", offline.suite, 99)
    source = OpenMLSource()
    source.load(source.suite(99)[0])
    requests = len(suite.web.requests)
    entries = offline.suite(99)
    assert [(entry.rows, entry.features, entry.classes) for entry in entries] == [(24, 2, 3), *[(0, 0, 0)] * 4]
    assert offline.load(entries[0]).published is not None
    assert [offline.has(entry) for entry in entries[:2]] == [True, False]
    assert len(suite.web.requests) == requests

"""UCI over real HTTP: its account of a data set, the one file that goes with it, and their faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loopback import Fault, Loopback, Page, broken_off, drip, status, web_page
from services import FakeUCI

from bench.data import download, uci_source
from bench.data.download import RetryPolicy
from bench.data.registry import Registry
from bench.data.uci_source import UCISource
from bench.errors import DataInvalid, DataUnavailable

FRAME = pd.DataFrame(
    {
        "key": [f"k{i}" for i in range(24)],
        "size": [float(i) if i % 5 else np.nan for i in range(24)],
        "sex": ["f", "m"] * 12,
        "kind": ["c", "a", "b"] * 8,
    }
)
ROLES = {"key": "ID", "kind": "Target"}


@pytest.fixture
def uci(web: Loopback, monkeypatch: pytest.MonkeyPatch) -> FakeUCI:
    service = FakeUCI(web)
    monkeypatch.setenv("BENCH_UCI", service.url + "/")
    return service


@pytest.fixture
def registry(tiny: Any) -> Registry:
    """`alpha` (24 rows, 3 classes) is data set 53."""
    tiny.document["datasets"]["alpha"]["uci"] = {"id": 53, "confidence": "known"}
    return tiny.registry()


def test_a_table_by_its_id(uci: FakeUCI, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    uci.data(53, FRAME, ROLES)
    entry = registry.entry("alpha")
    offline = UCISource(offline=True)
    with pytest.raises(DataUnavailable, match=r"alpha: .*not in the cache, and downloads are not allowed here"):
        offline.load(entry)
    dataset = UCISource().load(entry)
    assert (dataset.name, dataset.source, dataset.n_classes) == ("alpha", "uci", 3)
    assert dataset.X.shape == (24, 2)
    assert dataset.y.tolist() == [2, 0, 1] * 8
    assert dataset.notes[0] == "24 rows, 2 inputs, 3 classes; the archive's dataset has 24, 3, 3"
    assert [address for address, _ in uci.web.requests] == ["/api/dataset?id=53", "/static/public/53/data.csv"]
    assert offline.has(entry)
    assert offline.load(entry).sha256 == UCISource().load(entry).sha256 == dataset.sha256
    assert len(uci.web.requests) == 2


def test_of_several_targets_the_registry_names_one(uci: FakeUCI, registry: Registry, tiny: Any) -> None:
    uci.data(53, FRAME.assign(other=1), {**ROLES, "other": "Target"})
    with pytest.raises(DataUnavailable, match=r"alpha: .* has several targets \(kind, other\), and the registry names"):
        UCISource().load(registry.entry("alpha"))
    tiny.document["datasets"]["alpha"]["uci"]["target"] = "kind"
    assert UCISource().load(tiny.registry().entry("alpha")).X.shape == (24, 2)  # the other target is no input


def test_other_sizes_are_an_error(uci: FakeUCI, registry: Registry) -> None:
    uci.data(53, FRAME[:12], ROLES)
    with pytest.raises(DataInvalid, match=r"Made up.: 12 rows of 3 classes, expected 24 rows of 3: not the dataset"):
        UCISource().load(registry.entry("alpha"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"status": 404, "message": "No dataset  with id 53"}, "UCI data set 53: No dataset with id 53"),
        ({"status": 200, "data": {"data_url": None, "variables": []}}, "it has no single table, only an archive"),
        ({"status": 200, "data": None}, "it has no single table"),
    ],
)
def test_what_uci_does_not_have(uci: FakeUCI, registry: Registry, document: object, message: str) -> None:
    uci.answer(53, document)
    with pytest.raises(DataUnavailable, match=message):
        UCISource().load(registry.entry("alpha"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not an account of a data set"),
        ({"data": {"data_url": "x.csv"}}, "not an account of a data set: KeyError 'variables'"),
        ({"data": {"data_url": "x.csv", "variables": [1]}}, "not an account of a data set"),
        (
            {"data": {"data_url": "file:///etc/passwd", "variables": []}},
            "'file:///etc/passwd', which is not a web address",
        ),
    ],
)
def test_answers_that_are_none(uci: FakeUCI, registry: Registry, document: object, message: str) -> None:
    uci.answer(53, document)
    with pytest.raises(DataInvalid, match=message) as error:
        UCISource().load(registry.entry("alpha"))
    assert "\n" not in str(error.value)


def test_deeply_nested_and_endless_answers(uci: FakeUCI, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    uci.web.pages["/api/dataset?id=53"] = Page(b"[" * 200_000)
    with pytest.raises(DataInvalid, match="not an account of a data set"):
        UCISource().load(registry.entry("alpha"))
    monkeypatch.setattr(uci_source, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(DataUnavailable, match="more than 1000 bytes; refused"):
        UCISource().load(registry.entry("alpha"))


FILE = "/static/public/53/data.csv"


@pytest.mark.parametrize("address", ["/api/dataset?id=53", FILE])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(404), "the server answered 404 Not Found"),
        (status(502), "the server answered 502 Bad Gateway"),
        (web_page, "the server answered with a web page"),
        (broken_off(100), "it broke off after 100 of"),
        (broken_off(100, reset=True), "reset|it broke off"),
        (drip, r"only \d+ bytes came"),
    ],
    ids=["404", "502", "web page", "cut", "reset", "drip"],
)
def test_faults(
    uci: FakeUCI,
    registry: Registry,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    fault: Fault,
    message: str,
) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=1, timeout_seconds=5, stall_seconds=0.2))
    uci.data(53, FRAME, ROLES)
    uci.web.faults[address] = [fault]
    with pytest.raises(DataUnavailable, match=message) as error:
        UCISource().load(registry.entry("alpha"))
    assert "\n" not in str(error.value)
    assert not UCISource(offline=True).has(registry.entry("alpha"))
    assert UCISource().load(registry.entry("alpha")).X.shape == (24, 2)  # the next try mends it
    assert [path for path in own_cache.rglob("*.part*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"key,size,sex,kind\nk,1,f\n", "row 1 has 3 fields, expected 4"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary content"),
        (b",".join(b"c%d" % i for i in range(30_000)) + b"\n", "30000 columns"),
        (b"key,size\nk,1\n", "unknown column of UCI data set 53"),
    ],
)
def test_files_that_are_no_table(uci: FakeUCI, registry: Registry, content: bytes, message: str) -> None:
    uci.data(53, FRAME, ROLES)
    uci.web.pages[FILE] = Page(content)
    with pytest.raises(DataInvalid, match=message):
        UCISource().load(registry.entry("alpha"))


def test_a_table_of_regression(uci: FakeUCI, tiny: Any) -> None:
    tiny.document["datasets"]["gamma"] = {
        "task": "regression",
        "rows": 24,
        "features": 2,
        "licence": "CC0",
        "origin": "generated",
        "uci": {"id": 53, "confidence": "known"},
    }
    prices = np.arange(len(FRAME)) / 4
    uci.data(53, FRAME.assign(price=prices), {"price": "Target"})
    dataset = UCISource().load(tiny.registry().entry("gamma"))
    assert (dataset.kind, dataset.y.tolist()) == ("regression", prices.tolist())

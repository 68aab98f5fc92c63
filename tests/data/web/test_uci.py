"""UCI over real HTTP: its account of a data set, the one file that goes with it, and their faults."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loopback import Fault, Page, broken_off, status
from refusals import refused
from services import FakeUCI

from bench.data import download
from bench.data.cache import cache_folder
from bench.data.download import RetryPolicy
from bench.data.registry import Entry
from bench.data.uci_source import MAX_ANSWER_BYTES, UCISource
from bench.errors import BenchError, DataInvalid, DataUnavailable

FRAME = pd.DataFrame(
    {
        "key": [f"k{i}" for i in range(24)],
        "size": [float(i) if i % 5 else np.nan for i in range(24)],
        "sex": ["f", "m"] * 12,
        "kind": ["c", "a", "b"] * 8,
    }
)
ROLES = {"key": "ID", "kind": "Target"}
ADDRESS, FILE = "/api/dataset?id=53", "/static/public/53/data.csv"


@pytest.fixture
def alpha(tiny: Any) -> Entry:
    """`alpha` (24 rows, 3 classes) is data set 53."""
    tiny.document["datasets"]["alpha"]["uci"] = {"id": 53, "confidence": "known"}
    return tiny.entry()


def test_a_table_by_its_id(uci: FakeUCI, alpha: Entry) -> None:
    uci.data(53, FRAME, ROLES)
    offline = UCISource(offline=True)
    refused(DataUnavailable, r"alpha: .*not in the cache, and downloads are not allowed here", offline.load, alpha)
    dataset = UCISource().load(alpha)
    assert (dataset.name, dataset.source, dataset.n_classes, dataset.X.shape) == ("alpha", "uci", 3, (24, 2))
    assert dataset.y.tolist() == [2, 0, 1] * 8
    assert dataset.notes[0] == "24 rows, 2 inputs, 3 classes; the archive's dataset has 24, 3, 3"
    assert [address for address, _ in uci.web.requests] == [ADDRESS, FILE]
    assert offline.has(alpha)
    assert offline.load(alpha).sha256 == UCISource().load(alpha).sha256 == dataset.sha256
    assert len(uci.web.requests) == 2


def test_of_several_targets_the_registry_names_one(uci: FakeUCI, alpha: Entry, tiny: Any) -> None:
    uci.data(53, FRAME.assign(other=1), {**ROLES, "other": "Target"})
    says = r"alpha: .* has several targets \(kind, other\), and the registry names"
    refused(DataUnavailable, says, UCISource().load, alpha)
    tiny.document["datasets"]["alpha"]["uci"]["target"] = "kind"
    assert UCISource().load(tiny.entry()).X.shape == (24, 2)  # the other target is no input


NONE = "not an account of a data set"


def account(**data: object) -> bytes:
    return json.dumps({"data": {"data_url": "x.csv", "variables": [], **data}}).encode()


@pytest.mark.parametrize(
    ("address", "content", "error", "message"),
    [
        (ADDRESS, b'{"status": 404, "message": "No  id 53"}', DataUnavailable, "UCI data set 53: No id 53"),
        (ADDRESS, account(data_url=None), DataUnavailable, "it has no single table, only an archive"),
        (ADDRESS, b'{"status": 200, "data": null}', DataUnavailable, "it has no single table"),
        (ADDRESS, b" " * (MAX_ANSWER_BYTES + 1), DataUnavailable, f"more than {MAX_ANSWER_BYTES} bytes; refused"),
        (ADDRESS, b"[]", DataInvalid, NONE),
        (ADDRESS, b"[" * 200_000, DataInvalid, NONE),
        (ADDRESS, b'{"data": {"data_url": "x.csv"}}', DataInvalid, f"{NONE}: KeyError 'variables'"),
        (ADDRESS, account(variables=[1]), DataInvalid, NONE),
        (ADDRESS, account(data_url="file:///p"), DataInvalid, "'file:///p', which is not a web address"),
        (FILE, FRAME[:12].to_csv(index=False).encode(), DataInvalid, "Made up.: 12 rows of 3 classes, expected 24"),
        (FILE, FRAME.assign(kind=FRAME["sex"]).to_csv().encode(), DataInvalid, "24 rows of 2 classes, expected 24"),
        (FILE, b"key,size,sex,kind\nk,1,f\n", DataInvalid, "row 1 has 3 fields, expected 4"),
        (FILE, b"key,size\nk,1\n", DataInvalid, "unknown column of UCI data set 53"),
    ],
)  # fmt: skip
def test_what_is_no_such_table_is_refused_in_one_line(
    uci: FakeUCI, alpha: Entry, address: str, content: bytes, error: type[BenchError], message: str
) -> None:
    uci.data(53, FRAME, ROLES)
    uci.web.pages[address] = Page(content)
    refused(error, message, UCISource().load, alpha)


@pytest.mark.parametrize(
    ("address", "fault", "message"),
    [
        (ADDRESS, status(404), "the server answered 404 Not Found"),
        (FILE, status(404), "the server answered 404 Not Found"),
        (ADDRESS, broken_off(100), "it broke off after 100 of"),
        (FILE, broken_off(100), "it broke off after 100 of"),
    ],
)
def test_faults(
    uci: FakeUCI, alpha: Entry, monkeypatch: pytest.MonkeyPatch, address: str, fault: Fault, message: str
) -> None:
    monkeypatch.setattr(download, "RETRY_POLICY", RetryPolicy(attempts=1))
    uci.data(53, FRAME, ROLES)
    uci.web.faults[address] = [fault]
    refused(DataUnavailable, message, UCISource().load, alpha)
    assert not UCISource(offline=True).has(alpha)
    assert UCISource().load(alpha).X.shape == (24, 2)  # the next try mends it
    assert [path for path in cache_folder().rglob("*.part*") if path.is_file()] == []


def test_a_table_of_regression(uci: FakeUCI, tiny: Any) -> None:
    tiny.add("gamma", 24, 2, task="regression", uci={"id": 53, "confidence": "known"})
    prices = np.arange(len(FRAME)) / 4
    uci.data(53, FRAME.assign(price=prices), {"price": "Target"})
    dataset = UCISource().load(tiny.entry("gamma"))
    assert (dataset.kind, dataset.y.tolist()) == ("regression", prices.tolist())
    assert not any("archive" in note for note in dataset.notes)
    tiny.document["datasets"]["gamma"]["rows"] = 25
    refused(DataInvalid, "24 rows, expected 25 rows: not the dataset", UCISource().load, tiny.entry("gamma"))

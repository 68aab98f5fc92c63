"""The tables that ship with the package."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.embedded import FOLDER, EmbeddedSource
from bench.data.registry import EmbeddedFile, Entry, load_registry
from bench.errors import DataInvalid, DataUnavailable

ENTRIES = load_registry().select("embedded")
REGRESSION = load_registry().select("regression")


@pytest.mark.parametrize("entry", [*ENTRIES, *REGRESSION], ids=lambda entry: entry.name)
def test_each_table_is_sound(entry: Entry) -> None:
    dataset = EmbeddedSource().load(entry)  # checks checksum, sizes and labels
    assert dataset.X.shape == (entry.rows, entry.features)
    assert (dataset.source, dataset.standardised, dataset.published) == ("embedded", False, None)
    assert (dataset.X.std(axis=0) > 0).all()
    assert dataset.kind == entry.kind
    repeated = entry.rows - len(np.unique(dataset.X, axis=0))
    fault = f"{repeated} of {entry.rows} rows repeat the features of another row"
    assert (fault in entry.faults) == (repeated >= 0.1 * entry.rows)


def test_the_tables_of_regression_are_those_that_uci_describes() -> None:
    loaded = {entry.name: EmbeddedSource().load(entry) for entry in REGRESSION}
    concrete, rings, servo = loaded["concrete-strength"], loaded["abalone-rings"], loaded["servo"]
    assert concrete.X[0].tolist() == [540, 0, 0, 162, 2.5, 1040, 676, 28]
    assert round(concrete.y[0], 2) == 79.99
    assert (rings.y.min(), rings.y.max()) == (1, 29)
    assert (rings.X[:, :3].sum(axis=1) == 1).all()  # male, female or infant
    assert (servo.X[:, :5].sum(axis=1) == 1).all()
    classes = EmbeddedSource().load(load_registry().entry("abalone")).y
    assert (np.digitize(rings.y, [9, 11]) == classes).all()
    assert (
        loaded["wine-quality-red-score"].X == EmbeddedSource().load(load_registry().entry("wine-quality-red")).X
    ).all()


def test_the_folder_holds_what_the_registry_names_and_stays_small() -> None:
    files = {path.name for path in FOLDER.glob("*.csv.gz")}
    assert files == {entry.embedded.file for entry in (*ENTRIES, *REGRESSION) if entry.embedded}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000
    assert sum((FOLDER / entry.embedded.file).stat().st_size for entry in REGRESSION if entry.embedded) < 1_500_000


def test_every_table_has_a_licence_and_a_credit() -> None:
    licences = (FOLDER / "LICENSES.md").read_text()
    for entry in (*ENTRIES, *REGRESSION):
        assert entry.embedded is not None
        assert entry.licence != "not stated"
        assert f"| {entry.name} |" in licences
        assert entry.embedded.carrier in licences
        assert entry.embedded.attribution.split(": ")[0] in licences


@pytest.mark.archive
def test_each_table_is_the_archives(study: ArchiveSource) -> None:
    for entry in ENTRIES:
        theirs, ours = study.load(entry), EmbeddedSource().load(entry)
        assert np.array_equal(theirs.y, ours.y), entry.name
        standardised = (ours.X - ours.X.mean(axis=0)) / ours.X.std(axis=0, ddof=1)
        # Six significant digits are printed there: half a unit of the last one, relative to the number.
        assert (np.abs(standardised - theirs.X) <= 5.001e-6 * np.abs(theirs.X) + 1e-9).all(), entry.name


def _entry(tmp_path: Path, content: bytes, checksum: str | None = None) -> Entry:
    (tmp_path / "x.csv.gz").write_bytes(content)
    file = EmbeddedFile("x.csv.gz", checksum or hashlib.sha256(content).hexdigest(), "p 1", "f", "MIT", "someone")
    return msgspec.structs.replace(ENTRIES[0], name="x", rows=2, features=2, classes=2, embedded=file)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2,0\n", r"shape \(1, 3\), expected \(2, 3\)"),
        ("1,2,0\n3,x,1\n", "not a table of numbers"),
        ("1,2,0\n3,nan,1\n", "row 2, feature 2"),
        ("1,2,0\n3,4,2\n", "label 2 in row 2"),
        ("1,2,0\n3,4,0\n", "no row has label 1"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    packed = gzip.compress(f"a,b,class\n{rows}".encode())
    for content, why in ((packed, message), (packed[:-4], "cannot be unpacked"), (b"junk", "cannot be unpacked")):
        line = refused(DataInvalid, why, EmbeddedSource(tmp_path).load, _entry(tmp_path, content))
        assert str(tmp_path / "x.csv.gz") in line


def test_numbers_to_predict_are_finite_and_not_all_equal(tmp_path: Path) -> None:
    for labels in ("7,7", "7,nan"):
        first, second = labels.split(",")
        entry = _entry(tmp_path, gzip.compress(f"a,b,target\n1,2,{first}\n3,4,{second}\n".encode()))
        numeric = msgspec.structs.replace(entry, kind="regression", classes=0, group="", archive=None)
        refused(DataInvalid, "not finite, or all equal", EmbeddedSource(tmp_path).load, numeric)


def test_checksum_and_absence(tmp_path: Path) -> None:
    source = EmbeddedSource(tmp_path)
    entry = _entry(tmp_path, gzip.compress(b"a,b,class\n1,2,0\n3,4,1\n"), checksum="0" * 64)
    refused(DataInvalid, f"the registry expects {'0' * 64}", source.load, entry)
    (tmp_path / "x.csv.gz").unlink()
    refused(DataUnavailable, "cannot read", source.load, entry)
    nowhere: Any = msgspec.structs.replace(entry, embedded=None)
    assert not source.has(nowhere)
    refused(DataUnavailable, "x: does not come with the package", source.load, nowhere)

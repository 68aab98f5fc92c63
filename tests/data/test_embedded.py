"""The tables that ship with the package."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.embedded import FOLDER, EmbeddedSource
from bench.data.registry import EmbeddedFile, Entry, load_registry
from bench.errors import DataInvalid, DataUnavailable

REGISTRY = load_registry()
ENTRIES = REGISTRY.select("embedded")
REGRESSION = REGISTRY.select("regression")


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
    names = ("concrete-strength", "abalone-rings", "servo", "wine-quality-red-score", "abalone", "wine-quality-red")
    concrete, rings, servo, score, ages, quality = (EmbeddedSource().load(REGISTRY.entry(name)) for name in names)
    assert concrete.X[0].tolist() == [540, 0, 0, 162, 2.5, 1040, 676, 28]
    assert round(concrete.y[0], 2) == 79.99
    assert (rings.y.min(), rings.y.max()) == (1, 29)
    assert (rings.X[:, :3].sum(axis=1) == 1).all()  # male, female or infant
    assert (servo.X[:, :5].sum(axis=1) == 1).all()
    assert (np.digitize(rings.y, [9, 11]) == ages.y).all()
    assert (score.X == quality.X).all()


def test_the_folder_holds_what_the_registry_names_and_stays_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    files = [entry.embedded.file for entry in (*ENTRIES, *REGRESSION) if entry.embedded]
    assert {name for name in sizes if name.endswith(".csv.gz")} == set(files)
    assert sum(sizes.values()) < 3_000_000
    assert sum(sizes[file] for file in files[len(ENTRIES) :]) < 1_500_000


def test_every_table_has_a_licence_and_a_credit() -> None:
    licences = (FOLDER / "LICENSES.md").read_text()
    for entry in (*ENTRIES, *REGRESSION):
        assert entry.embedded is not None
        assert entry.licence != "not stated"
        for said in (f"| {entry.name} |", entry.embedded.carrier, entry.embedded.attribution.split(": ")[0]):
            assert said in licences


@pytest.mark.archive
def test_each_table_is_the_archives(study: ArchiveSource) -> None:
    for entry in ENTRIES:
        theirs, ours = study.load(entry), EmbeddedSource().load(entry)
        assert np.array_equal(theirs.y, ours.y), entry.name
        standardised = (ours.X - ours.X.mean(axis=0)) / ours.X.std(axis=0, ddof=1)
        # Six significant digits are printed there: half a unit of the last one, relative to the number.
        assert (np.abs(standardised - theirs.X) <= 5.001e-6 * np.abs(theirs.X) + 1e-9).all(), entry.name


NUMERIC = {"kind": "regression", "classes": 0, "group": "", "archive": None}


def _entry(
    folder: Path, rows: str = "1,2,0\n3,4,1\n", content: bytes | None = None, checksum: str = "", **more: Any
) -> Entry:
    """A table of two rows, two features and two classes whose file is in ``folder``."""
    content = gzip.compress(f"a,b,class\n{rows}".encode()) if content is None else content
    (folder / "x.csv.gz").write_bytes(content)
    file = EmbeddedFile("x.csv.gz", checksum or hashlib.sha256(content).hexdigest(), "p 1", "f", "MIT", "someone")
    return structs.replace(ENTRIES[0], **{"name": "x", "rows": 2, "features": 2, "classes": 2, "embedded": file} | more)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"rows": "1,2,0\n"}, r"shape \(1, 3\), expected \(2, 3\)"),
        ({"rows": "1,2,0\n3,nan,1\n"}, "row 2, feature 2"),
        ({"rows": "1,2,0\n3,4,2\n"}, "label 2 in row 2"),
        ({"content": gzip.compress(b"a,b,class\n1,2,0\n3,4,1\n")[:-4]}, "cannot be unpacked"),
        ({"content": b"junk"}, "cannot be unpacked"),
        ({"checksum": "0" * 64}, f"the registry expects {'0' * 64}"),
        ({"rows": "1,2,7\n3,4,7\n", **NUMERIC}, "not finite, or all equal"),
        ({"rows": "1,2,7\n3,4,nan\n", **NUMERIC}, "not finite, or all equal"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, broken: dict[str, Any], message: str) -> None:
    line = refused(DataInvalid, message, EmbeddedSource(tmp_path).load, _entry(tmp_path, **broken))
    assert str(tmp_path / "x.csv.gz") in line


def test_what_is_not_there(tmp_path: Path) -> None:
    source, entry = EmbeddedSource(tmp_path), _entry(tmp_path)
    (tmp_path / "x.csv.gz").unlink()
    refused(DataUnavailable, "cannot read", source.load, entry)
    nowhere = structs.replace(entry, embedded=None)
    assert not source.has(nowhere)
    refused(DataUnavailable, "x: does not come with the package", source.load, nowhere)

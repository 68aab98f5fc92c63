"""Real files of OpenML, as scikit-learn ships them for its own tests, against what OpenML itself counts in them."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bench.data.columns import code_table
from bench.data.frames import read_frame
from bench.errors import DataInvalid

SPEC = importlib.util.find_spec("sklearn")
FOLDER = Path(SPEC.origin or "").parent / "datasets" / "tests" / "data" / "openml" if SPEC else Path()
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="this scikit-learn comes without its tests' data")


def answer(id: int, kind: str) -> dict[str, Any]:
    """OpenML's answer of ``kind`` (``jd``: the description, ``jdq``: its counts) about data set ``id``."""
    (document,) = json.loads(
        gzip.decompress((FOLDER / f"id_{id}" / f"api-v1-{kind}-{id}.json.gz").read_bytes())
    ).values()
    return document


def table(id: int) -> bytes:
    (path,) = (FOLDER / f"id_{id}").glob("data-v1-*.arff.gz")
    return gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(("id", "name"), [(3, "kr-vs-kp"), (40675, "glass2"), (40945, "Titanic")])
def test_whole_tables_have_what_openml_counts(id: int, name: str) -> None:
    about = answer(id, "jd")
    counts = {entry["name"]: float(entry["value"]) for entry in answer(id, "jdq")["quality"] if entry["value"]}
    assert about["name"] == name
    frame = read_frame(table(id), "arff", name)
    assert len(frame) == counts["NumberOfInstances"]
    assert frame.shape[1] == counts["NumberOfFeatures"]
    assert frame.isna().sum().sum() == counts["NumberOfMissingValues"]
    assert len(code_table(frame, about["default_target_attribute"], name).classes) == counts["NumberOfClasses"]


def test_a_sparse_table_is_refused() -> None:
    assert answer(292, "jd")["format"] == "Sparse_ARFF"
    refused(DataInvalid, "Australian: a sparse ARFF table", read_frame, table(292), "arff", "Australian")

"""The comparison that comes along, for `report --against kept`: all methods' scores with the checksums of their tables.

``embedded.csv.gz`` are those on the package's tables and the folds drawn from seed 0, ``archive.csv.gz`` those on the
study's archive and its published folds. ``kept.json`` says of each where it comes from. ``tools/kept_scores.py`` makes
all three.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

from bench.records.result import RunRecord
from bench.store.exported import read_scores

BODIES = ("embedded", "archive")


def kept_records() -> tuple[RunRecord, ...]:
    """The kept results, one record a body; its one invocation says where they come from."""
    folder = resources.files(__name__)
    accounts: dict[str, dict[str, Any]] = json.loads(folder.joinpath("kept.json").read_text(encoding="utf-8"))
    found = []
    for name in BODIES:
        with resources.as_file(folder.joinpath(f"{name}.csv.gz")) as path:
            record = read_scores(path)
        made = {**accounts[name], "results": len(record.results)}
        label = f"kept ({name})"
        found.append(replace(record, folder=label, provenance=made, invocations=(made,), planned_by=made))
    return tuple(found)

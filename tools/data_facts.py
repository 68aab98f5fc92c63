"""Measure what `bench/data/facts.csv` says of the registry's datasets: of the archive's tables and the embedded ones.

    python tools/data_facts.py [--archive ARCHIVE] [--packages PACKAGES] [--out FILE]

ARCHIVE is the study's archive (default: BENCH_ARCHIVE); what it lacks is left out. PACKAGES holds the unpacked packages
that the embedded tables were taken from, as for `build_embedded.py`: there missing values are still marked, and are
counted. Without PACKAGES the file's own counts stay. An archive's table has the counts of the embedded one if it is
that one, standardised.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from build_embedded import build_table, code_book, read_file, table_bytes

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.facts import FILE, Facts, load_facts, measure_facts, write_facts
from bench.data.registry import Entry, Registry, load_registry
from bench.data.splits import splits_for
from bench.records.dataset import Dataset

Missing = tuple[int, int]
"""Values, and samples with such."""
MISSING = ("", "?")
"""Cells that `build_embedded.py` takes as missing."""
SEED = 0
"""Of the test folds of embedded tables."""


def missing_in(packages: Path, recipe: dict[str, Any], entry: Entry) -> Missing:
    """What the package's file lacks in the features of the embedded table.

    Raises ``SystemExit`` if the table made from it is not the embedded one.
    """
    folder = packages / recipe["carrier"]
    content, sum_ = table_bytes(build_table(folder, recipe))
    if entry.embedded is None or sum_ != entry.embedded.sha256:
        raise SystemExit(f"{entry.name}: the table made from {folder} ({len(content)} bytes) is not the embedded one")
    if "target" in recipe:
        return 0, 0  # nothing may be missing there: the table could not be built
    names, rows = read_file(folder, recipe)
    label, columns = names.index(recipe["label"]), [names.index(name) for name in recipe["columns"]]
    classes = code_book(recipe["classes"]) if "classes" in recipe else {}
    counts = [sum(row[i] in MISSING for i in columns) for row in rows if not classes or row[label] in classes]
    return sum(counts), sum(count > 0 for count in counts)


def is_standardised_copy(theirs: Dataset, ours: Dataset) -> bool:
    """Whether the archive's table is the embedded one, standardised over all samples, to the six digits printed."""
    if theirs.X.shape != ours.X.shape or not np.array_equal(theirs.y, ours.y):
        return False
    scaled = (ours.X - ours.X.mean(axis=0)) / ours.X.std(axis=0, ddof=1)
    return bool((np.abs(scaled - theirs.X) <= 5.001e-6 * np.abs(theirs.X) + 1e-9).all())


def measured(registry: Registry, archive: ArchiveSource, packages: Path | None) -> Iterator[Facts]:
    """The facts of every table of both sources, in the registry's order."""
    recipes = yaml.safe_load(Path(__file__).with_name("embedded.yaml").read_text())["tables"]
    embedded, known = EmbeddedSource(), load_facts() if FILE.exists() else {}
    for entry in registry.entries.values():
        ours, missing = None, None
        if embedded.has(entry):
            ours = embedded.load(entry)
            if packages is not None:
                missing = missing_in(packages, recipes[entry.name], entry)
            elif (before := known.get((entry.name, "embedded"))) and before.missing_values is not None:
                missing = before.missing_values, before.missing_samples or 0
            yield measure_facts(ours, splits_for(ours, SEED), missing)
        if archive.has(entry):
            theirs = archive.load(entry)
            same = ours is not None and is_standardised_copy(theirs, ours)
            yield measure_facts(theirs, splits_for(theirs, SEED), missing if same else None)


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description="Measure what facts.csv says of the registry's datasets.")
    parser.add_argument("--archive", default=os.environ.get("BENCH_ARCHIVE"))
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    if not given.archive:
        parser.error("no archive: --archive or BENCH_ARCHIVE names it")
    registry = load_registry()
    found = list(measured(registry, ArchiveSource(given.archive, registry, offline=True), given.packages))
    with given.out.open("w", encoding="utf-8", newline="") as file:
        write_facts(found, file)


if __name__ == "__main__":
    main()

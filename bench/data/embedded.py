"""The tables that ship with the package, in their original units; those with classes in the archive's order and coding.

Each is a gzipped CSV: a header (feature names, then ``class`` or ``target``), features, label or number to predict.
`embedded/LICENSES.md` has the provenance. There are no published index lists here: divisions are drawn
(:func:`bench.data.splits.draw_splits`).
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from bench.data.registry import Entry
from bench.data.tables import check_content, read_numbers
from bench.errors import DataInvalid, DataUnavailable
from bench.records.dataset import Dataset

FOLDER = Path(__file__).with_name("embedded")


class EmbeddedSource:
    """The package's own tables, or those of another ``folder`` of the same form."""

    name = "embedded"

    def __init__(self, folder: Path = FOLDER) -> None:
        self.location = str(folder)
        self._folder = folder

    def has(self, entry: Entry) -> bool:
        """Whether ``entry`` has an embedded file."""
        return entry.embedded is not None

    def load(self, entry: Entry) -> Dataset:
        """The table, verified by its SHA-256. Raises :class:`DataUnavailable` or :class:`DataInvalid`."""
        if entry.embedded is None:
            raise DataUnavailable(f"{entry.name}: does not come with the package; it is in the study's archive")
        path = self._folder / entry.embedded.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataUnavailable(f"{entry.name}: cannot read {path}: {error.strerror or error}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != entry.embedded.sha256:
            raise DataInvalid(f"{path}: SHA-256 is {found}, the registry expects {entry.embedded.sha256}")
        try:
            text = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataInvalid(f"{path}: cannot be unpacked: {error}") from error
        values = read_numbers(text, ",", str(path))
        if values.shape != (entry.rows, entry.features + 1):
            raise DataInvalid(f"{path}: shape {values.shape}, expected {(entry.rows, entry.features + 1)}")
        X = np.ascontiguousarray(values[:, :-1])
        y = check_content(X, values[:, -1], entry.classes, str(path))
        return Dataset(entry.name, X, y, entry.classes, self.name, nominal=entry.nominal_columns)

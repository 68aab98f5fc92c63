"""Tables from the UCI repository: its own account of a data set by id, and the one static file that goes with it.

UCI distributes most data sets as archives of many files, each in a layout of its own; for some it also has a table
``data.csv`` with a header, and names the role of each column. Those are read here; the others are said to be missing.
UCI gives no checksums: what arrived is judged by its sizes and labels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec

from bench.data.cache import FileSet, cache_folder, is_kept
from bench.data.copies import copy_as_dataset, link_of, provenance
from bench.data.download import read_url
from bench.data.frames import MAX_BYTES, read_frame
from bench.data.location import host_of, is_url
from bench.data.registry import Entry
from bench.errors import DataInvalid, DataUnavailable, SourceError, one_line
from bench.records.dataset import Dataset

DEFAULT_SERVER = "https://archive.ics.uci.edu"
MAX_ANSWER_BYTES = 8 << 20
RECORD = "record.json"
TABLE = "table.csv"
LAYOUT = "1"

Say = Callable[[str], None]


@dataclass(frozen=True)
class UCIRecord:
    """What UCI says of a data set: where its table is, and which columns are targets and which are no inputs."""

    id: int
    name: str
    url: str
    targets: tuple[str, ...]
    ignored: tuple[str, ...]


def server_address() -> str:
    """The repository's address: ``BENCH_UCI``, else UCI's own."""
    return (os.environ.get("BENCH_UCI") or DEFAULT_SERVER).rstrip("/")


class UCISource:
    """UCI's tables, from the cache or, unless ``offline``, from the repository."""

    name = "uci"
    title = "UCI"
    pages = f"{DEFAULT_SERVER}/dataset"

    def __init__(self, *, offline: bool = False, say: Say = lambda line: None) -> None:
        self.location = server_address()
        self._offline = offline
        self._say = say
        self.folder: Path = cache_folder() / self.name / (host_of(self.location) or self.name) / LAYOUT
        """Where its tables are kept."""
        self._provenance: dict[str, dict[str, Any]] = {}

    def has(self, entry: Entry) -> bool:
        """Whether the table of ``entry`` is in the cache."""
        id = entry.uci.id
        return id is not None and not entry.uci.refused and is_kept(self.folder / f"{id}")

    def load(self, entry: Entry) -> Dataset:
        """The table, its columns coded as :mod:`bench.data.columns` says.

        Raises :class:`DataUnavailable` if it is not available, and :class:`DataInvalid` if it is not what the registry
        says.
        """
        link = link_of(entry, self)
        assert link.id is not None
        id = link.id
        try:
            files = FileSet(self.folder / f"{id}", lambda: self._download(id))
            record = msgspec.json.decode(files.read(RECORD), type=UCIRecord)
            frame = read_frame(files.read(TABLE), "csv", _where(record))
        except SourceError as error:
            raise DataUnavailable(f"{entry.name}: {error}") from error
        target = link.target or (record.targets[0] if len(record.targets) == 1 else "")
        if not target:
            listing = f"several targets ({', '.join(record.targets)})" if record.targets else "no target"
            raise DataUnavailable(f"{entry.name}: {_where(record)} has {listing}, and the registry names none")
        others = [name for name in (*record.targets, *record.ignored) if name != target and name in frame.columns]
        dataset, coded = copy_as_dataset(entry, self, frame, target, [*link.drop, *others], _where(record))
        self._provenance[entry.name] = provenance(dataset, coded, _where(record), target, entry.licence, copy=True)
        return dataset

    def provenance(self) -> dict[str, dict[str, Any]]:
        """By name, of every table loaded so far: :func:`bench.data.copies.provenance`."""
        return dict(self._provenance)

    def _download(self, id: int) -> Iterable[tuple[str, bytes]]:
        if self._offline:
            raise SourceError(f"{self.location}: not in the cache, and downloads are not allowed here")
        address = f"{self.location}/api/dataset?id={id}"
        record = read_record(read_url(address, MAX_ANSWER_BYTES, say=self._say), id, address)
        content = read_url(record.url, MAX_BYTES, say=self._say)
        read_frame(content, "csv", _where(record))  # only what can be read is kept
        yield RECORD, msgspec.json.encode(record)
        yield TABLE, content


def read_record(content: bytes, id: int, address: str) -> UCIRecord:
    """UCI's answer about data set ``id``. Raises :class:`DataUnavailable` if it has no table, :class:`DataInvalid`."""
    try:
        answer = json.loads(content)
        about = answer.get("data") or {}
        if answer.get("status", 200) != 200 or not about.get("data_url"):
            reason = answer.get("message") or "it has no single table, only an archive of files"
            raise DataUnavailable(f"UCI data set {id}: {one_line(reason)}")
        roles: dict[str, list[str]] = {"ID": [], "Feature": [], "Target": [], "Other": []}
        for variable in about["variables"]:
            roles.get(str(variable["role"]), roles["Other"]).append(str(variable["name"]))
        url = urljoin(address, str(about["data_url"]))
        name = one_line(about.get("name") or f"data set {id}", limit=100)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = one_line(f"{type(error).__name__} {error}")
        raise DataInvalid(f"{address}: not an account of a data set: {reason}") from error
    if not is_url(url):
        raise DataInvalid(f"{address}: its table is at {url!r}, which is not a web address")
    return UCIRecord(id, name, url, tuple(roles["Target"]), (*roles["ID"], *roles["Other"]))


def _where(record: UCIRecord) -> str:
    return f"UCI data set {record.id} ({record.name})"

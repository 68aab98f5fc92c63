"""Tables from OpenML: copies of the registry's by its ids, and the tasks of OpenML's suites.

The ``openml`` package asks the service, and keeps in a cache of its own, within ours, what it downloads. A record of
ours goes with each table, task and suite: a JSON file of what is needed of its description, with the SHA-256 of its
file. Where there is a record, neither the service nor the package is needed again: importing it takes seconds, it
asks the service even for what it has, and it reads what it parsed once from pickles.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bench.data.cache import cache_folder, undamaged, writing
from bench.data.copies import code_copy, copy_as_dataset, link_of, provenance
from bench.data.download import read_url
from bench.data.frames import MAX_BYTES, read_frame
from bench.data.location import host_of
from bench.data.openml_records import TableRecord, TaskEntry, described_task, format_of, ignored_columns, named
from bench.data.openml_service import OpenMLService, server_address
from bench.data.openml_splits import read_task_splits
from bench.data.registry import Entry
from bench.data.splits import splits_for
from bench.errors import DataInvalid, DataUnavailable, SourceError, one_line
from bench.files import replacing
from bench.records.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

ANSWER_SECONDS = 120.0
FILE_SECONDS = 3600.0
"""How long is waited for a description, and for the file of a table, with all tries: the package itself waits without
end."""
LAYOUT = "2"
"""Raised when the records change, so that older ones are not read."""

Say = Callable[[str], None]
Answer = TypeVar("Answer")
Record = TypeVar("Record", TableRecord, TaskEntry)


class OpenMLSource:
    """OpenML's tables, from the cache or, unless ``offline``, from the service."""

    name = "openml"
    title = "OpenML"
    pages = "https://www.openml.org/d"

    def __init__(self, *, offline: bool = False, say: Say = lambda line: None) -> None:
        self.location = server_address()
        self._offline = offline
        self._say = say
        self._root = (cache_folder() / self.name).resolve()  # as the package names its files
        self.folder: Path = self._root / f"{host_of(self.location) or self.name}-{LAYOUT}"
        """Where its records are kept."""
        self._service = OpenMLService(self.location, self._root, offline)
        self._provenance: dict[str, dict[str, Any]] = {}

    def has(self, entry: Entry | TaskEntry) -> bool:
        """Whether the table of ``entry`` is in the cache."""
        if isinstance(entry, Entry) and entry.openml.refused:
            return False
        id = entry.dataset if isinstance(entry, TaskEntry) else entry.openml.id
        record = self._read(f"data-{id}", TableRecord) if id else None
        return record is not None and (self._root / record.file).is_file()

    def load(self, entry: Entry | TaskEntry) -> Dataset:
        """The table, its columns coded as :mod:`bench.data.columns` says; a task's with the task's own divisions.

        Raises :class:`DataUnavailable` if it is not available or in a format that is not read (sparse, streaming), and
        :class:`DataInvalid` if it is not what the registry says.
        """
        try:
            return self._task(entry) if isinstance(entry, TaskEntry) else self._copy(entry)
        except SourceError as error:
            raise DataUnavailable(f"{entry.name}: {error}") from error

    def provenance(self) -> dict[str, dict[str, Any]]:
        """By name, of every table loaded so far: :func:`bench.data.copies.provenance`."""
        return dict(self._provenance)

    def suite(self, id: int) -> list[TaskEntry]:
        """The tasks of suite ``id``, each under its table's name (with the task's number where two have one name).

        A task that cannot be used is an entry with its ``problem``. Raises :class:`SourceError` if the suite is not
        available, or the service fails on the way to its tasks; a further call resumes there.
        """
        tasks = self._read(f"suite-{id}", tuple[int, ...])
        if tasks is None:
            try:
                tasks = self._service.ask(
                    f"suite {id}", lambda openml: tuple(openml.study.get_suite(id).tasks or ()), ANSWER_SECONDS
                )
            except DataUnavailable as error:
                raise SourceError(str(error)) from error
            if not tasks:
                raise SourceError(f"OpenML suite {id} has no tasks")
            self._keep(f"suite-{id}.json", msgspec.json.encode(tasks))
        return self.tasks(tasks)

    def tasks(self, ids: Iterable[int], *, splits: str = "", ending: str = "") -> list[TaskEntry]:
        """The tasks ``ids``, as :meth:`suite` gives those of a suite; ``ending`` is added to their names.

        With the name of ``splits`` their tables are divided so, and the tasks' own index lists are not downloaded.
        """
        entries = [self._entry(id, splits) for id in ids]
        entries = [dataclasses.replace(entry, name=entry.name + ending) for entry in entries]
        names = [entry.name for entry in entries]
        return [
            entry if names.count(entry.name) == 1 else dataclasses.replace(entry, name=f"{entry.name}-{entry.id}")
            for entry in entries
        ]

    def _entry(self, id: int, splits: str) -> TaskEntry:
        entry = self._read(f"{splits}-task-{id}" if splits else f"task-{id}", TaskEntry)
        if entry is None or (entry.problem and not self._offline):  # it may have been mended
            entry, _ = self._download_task(id, splits)
        table = self._read(f"data-{entry.dataset}", TableRecord)
        if table is None:
            return entry
        classes = table.classes if entry.kind == "classification" else 0
        return dataclasses.replace(entry, rows=table.rows, features=table.features, classes=classes)

    def _copy(self, entry: Entry) -> Dataset:
        link = link_of(entry, self)
        assert link.id is not None
        record, frame = self._table(link.id)
        target = link.target or record.target
        if not target:
            raise DataUnavailable(
                f"{entry.name}: {named(record)} names no target column, and the registry names none either"
            )
        ignored = [name for name in record.ignored if name in frame.columns and name != target]
        dataset, coded = copy_as_dataset(entry, self, frame, target, [*link.drop, *ignored], named(record))
        self._provenance[entry.name] = provenance(dataset, coded, named(record), target, record.licence, copy=True)
        return dataset

    def _task(self, entry: TaskEntry) -> Dataset:
        if entry.problem:
            raise DataUnavailable(entry.problem)
        record, frame = self._table(entry.dataset)
        where = f"OpenML task {entry.id}, {named(record)}"
        ignored = [name for name in record.ignored if name in frame.columns and name != entry.target]
        coded = code_copy(frame, entry.target, where, ignored, entry.kind)
        dataset = Dataset(entry.name, coded.X, coded.y, len(coded.classes), self.name, notes=coded.notes)
        if entry.file:
            if len(coded.y) < len(frame):
                raise DataInvalid(f"{where}: rows without a number in the target, which the task's index lists count")
            _, lists = self._kept(f"task-{entry.id}", TaskEntry) or self._download_task(entry.id)
            splits = read_task_splits(lists, entry.id, dataset.strata, f"OpenML task {entry.id}: index lists")
            dataset = dataclasses.replace(dataset, published=splits)
        if entry.splits:
            dataset = dataclasses.replace(dataset, published=splits_for(dataset, 0, entry.splits))
        self._provenance[entry.name] = provenance(
            dataset,
            coded,
            where,
            entry.target,
            record.licence,
            copy=False,
            # tasks on data sets of one name share rows: another target, or with the categorical columns and without
            family=record.name,
        )
        return dataset

    def _table(self, id: int) -> tuple[TableRecord, pd.DataFrame]:
        kept = self._kept(f"data-{id}", TableRecord)
        if kept is None:
            return self._download_table(id)
        record, content = kept
        return record, read_frame(content, record.format, named(record))

    def _download_table(self, id: int) -> tuple[TableRecord, pd.DataFrame]:
        """Data set ``id``, recorded; only what can be read is."""

        def describe(openml: Any) -> Any:
            return openml.datasets.get_dataset(id, force_refresh_cache=True)

        def download(openml: Any) -> tuple[Path, bytes]:
            found = openml.datasets.get_dataset(id, download_data=True)
            file = Path(found.parquet_file or found.data_file)
            return file, file.read_bytes()

        about = self._service.ask(f"data set {id}", describe, ANSWER_SECONDS)
        format = format_of(about)
        # Parquet files come over plain HTTP, without a checksum: only where there is nothing else.
        file, content = self._service.ask(f"file of data set {id}", download, FILE_SECONDS, parquet=format == "parquet")
        frame = read_frame(content, format, named(about))
        target, ignored = about.default_target_attribute or "", ignored_columns(about)
        record = TableRecord(
            id,
            one_line(about.name, limit=100),
            about.version,
            format,
            target,
            ignored,
            licence=one_line(about.licence or "not stated", limit=100),
            file=file.relative_to(self._root).as_posix(),
            sha256=hashlib.sha256(content).hexdigest(),
            rows=len(frame),
            features=len(set(frame.columns) - {target, *ignored}),
            classes=int(frame[target].nunique()) if target in frame.columns else 0,
        )
        self._keep(f"data-{id}.json", msgspec.json.encode(record))
        return record, frame

    def _download_task(self, id: int, splits: str = "") -> tuple[TaskEntry, bytes]:
        """Task ``id``, recorded, and the file of its index lists unless it is to have other ``splits``."""
        lists = b""
        try:
            entry, address = self._service.ask(f"task {id}", lambda openml: described_task(openml, id), ANSWER_SECONDS)
            entry = dataclasses.replace(entry, splits=splits)
            if address and not splits:  # the package itself would read them into a pickle
                lists = read_url(address, MAX_BYTES, say=self._say)
                file = self._keep(f"task-{id}.arff", lists).relative_to(self._root).as_posix()
                entry = dataclasses.replace(entry, file=file, sha256=hashlib.sha256(lists).hexdigest())
        except DataUnavailable as error:
            entry = TaskEntry(f"openml-task-{id}", id, splits=splits, problem=str(error))
        self._keep(f"{splits}-task-{id}.json" if splits else f"task-{id}.json", msgspec.json.encode(entry))
        return entry, lists

    def _read(self, label: str, kind: type[Answer]) -> Answer | None:
        """The record ``label``, None if it is not there or damaged."""
        try:
            return msgspec.json.decode((self.folder / f"{label}.json").read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError):
            return None

    def _kept(self, label: str, kind: type[Record]) -> tuple[Record, bytes] | None:
        """The record ``label`` and the content of its file, None if one of them is not there or damaged."""
        record = self._read(label, kind)
        content = undamaged(self._root / record.file, record.sha256) if record else None
        return (record, content) if record and content is not None else None

    def _keep(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        with writing(self.folder), replacing(path) as temporary:
            temporary.write_bytes(content)
        return path

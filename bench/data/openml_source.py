"""Tables from OpenML: copies of the registry's by its ids, and the tasks of OpenML's suites.

A table is asked for once. It lies in the cache with what OpenML says of it, so that neither the service nor the
``openml`` package is needed again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.cache import downloads_folder
from bench.data.copies import code_copy, copy_as_dataset, link_of, provenance
from bench.data.download import Checksum, read_url
from bench.data.frames import MAX_BYTES, Format
from bench.data.openml_api import DEFAULT_SERVER, OpenMLService, SuiteRecord, TableRecord, TaskRecord
from bench.data.openml_splits import read_task_splits
from bench.data.registry import Entry
from bench.data.service_cache import ServiceCache
from bench.errors import DataUnavailable, SourceError
from bench.records.dataset import Dataset
from bench.records.measure import Kind

if TYPE_CHECKING:
    import pandas as pd

RECORD = "record.json"
TABLE = "table"
SIZES = "sizes.json"
SPLITS = "splits"
LAYOUT = "1"
"""Raised when what is kept in the cache changes, so that older sets are not read."""

Say = Callable[[str], None]


def server_address() -> str:
    """The service's address: ``BENCH_OPENML``, else OpenML's own."""
    return os.environ.get("BENCH_OPENML") or DEFAULT_SERVER


@dataclasses.dataclass(frozen=True)
class TaskEntry:
    """A suite's task as an entry of a run.

    ``rows``, ``features`` (before coding) and ``classes`` are 0 while the table is not in the cache. ``about`` is what
    OpenML says of the task and its data set, None where that is not available or not to be used: ``problem`` says why.
    """

    name: str
    id: int
    rows: int = 0
    features: int = 0
    classes: int = 0
    kind: Kind = "classification"
    about: tuple[TaskRecord, TableRecord] | None = None
    problem: str = ""


class OpenMLSource:
    """OpenML's tables, from the cache or, unless ``offline``, from the service."""

    name = "openml"

    def __init__(self, server: str | None = None, *, offline: bool = False, say: Say = lambda line: None) -> None:
        self.location = server or server_address()
        self._service = OpenMLService(self.location)
        self._offline = offline
        self._say = say
        self._cache = ServiceCache(self.name, self.location, LAYOUT, offline=offline)
        self.folder: Path = self._cache.folder
        """Where its tables are kept."""
        self._provenance: dict[str, dict[str, Any]] = {}

    def has(self, entry: Entry | TaskEntry) -> bool:
        """Whether the table of ``entry`` is in the cache."""
        if isinstance(entry, TaskEntry):
            return entry.about is not None and self._cache.has(f"data-{entry.about[1].id}")
        return entry.openml.id is not None and not entry.openml.refused and self._cache.has(f"data-{entry.openml.id}")

    def load(self, entry: Entry | TaskEntry) -> Dataset:
        """The table, its columns coded as :mod:`bench.data.columns` says; a task's with the task's own divisions.

        Raises :class:`DataUnavailable` if it is not available or in a format that is not read (sparse, streaming), and
        :class:`DataInvalid` if it is not what the registry or OpenML's checksum says.
        """
        try:
            return self._task(entry) if isinstance(entry, TaskEntry) else self._copy(entry)
        except SourceError as error:
            raise DataUnavailable(f"{entry.name}: {error}") from error

    def provenance(self) -> dict[str, dict[str, Any]]:
        """By name, of every table loaded so far: :func:`bench.data.copies.provenance`."""
        return dict(self._provenance)

    def suite(self, id: int) -> tuple[SuiteRecord, list[TaskEntry]]:
        """Suite ``id`` and its tasks, each under its table's name (with the task's number where two have one name).

        A task that cannot be used is an entry with its ``problem``. Raises :class:`SourceError` if the suite is not
        available, or the service fails on the way to its tasks; a further call resumes there.
        """
        try:
            files = self._cache.files(f"suite-{id}", lambda: [(RECORD, _json(self._service.suite(id)))])
        except DataUnavailable as error:
            raise SourceError(str(error)) from error
        suite = SuiteRecord(**_tuples(json.loads(files.read(RECORD)), "tasks"))
        entries = [self._entry(task) for task in suite.tasks]
        names = [entry.name for entry in entries]
        return suite, [
            entry if names.count(entry.name) == 1 else dataclasses.replace(entry, name=f"{entry.name}-{entry.id}")
            for entry in entries
        ]

    def _entry(self, id: int) -> TaskEntry:
        label = f"task-{id}"
        about = self._task_record(label, id)
        if "problem" in about and not self._offline:  # it may have been mended
            shutil.rmtree(self.folder / label, ignore_errors=True)
            about = self._task_record(label, id)
        if "problem" in about:
            return TaskEntry(f"openml-task-{id}", id, problem=about["problem"])
        task, table = TaskRecord(**about["task"]), _table_record(about["table"])
        return TaskEntry(_plain_name(table.name), id, *self._sizes(table.id), about=(task, table))

    def _task_record(self, label: str, id: int) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self._cache.files(label, lambda: self._download_task(id)).read(RECORD))
        return record

    def _download_task(self, id: int) -> Iterable[tuple[str, bytes]]:
        try:
            task, table = self._service.task(id)
        except DataUnavailable as error:
            yield RECORD, json.dumps({"problem": str(error)}).encode()
            return
        yield RECORD, json.dumps({"task": dataclasses.asdict(task), "table": dataclasses.asdict(table)}).encode()
        if task.splits_url:
            yield SPLITS, read_url(task.splits_url, MAX_BYTES, downloads_folder(), say=self._say)

    def _copy(self, entry: Entry) -> Dataset:
        link = link_of(entry, self.name)
        assert link.id is not None
        record, frame = self._table(link.id)
        where = _where(record)
        target = link.target or record.target
        if not target:
            raise DataUnavailable(f"{entry.name}: {where} names no target column, and the registry names none either")
        ignored = [name for name in record.ignored if name in frame.columns and name != target]
        dataset, coded = copy_as_dataset(entry, self.name, frame, target, [*link.drop, *ignored], where)
        self._provenance[entry.name] = provenance(dataset, coded, where, target, record.licence, copy=True)
        return dataset

    def _task(self, entry: TaskEntry) -> Dataset:
        if entry.about is None:
            raise DataUnavailable(entry.problem)
        task = entry.about[0]
        record, frame = self._table(task.dataset)
        where = f"OpenML task {task.id}, {_where(record)}"
        ignored = [name for name in record.ignored if name in frame.columns and name != task.target]
        coded = code_copy(frame, task.target, where, ignored)
        splits = None
        if task.splits_url:
            lists = self._cache.files(f"task-{task.id}", lambda: self._download_task(task.id)).read(SPLITS)
            splits = read_task_splits(lists, task.id, coded.y, f"OpenML task {task.id}: index lists")
        dataset = Dataset(
            entry.name, coded.X, coded.y, len(coded.classes), self.name, published=splits, notes=coded.notes
        )
        self._provenance[entry.name] = provenance(dataset, coded, where, task.target, record.licence, copy=False)
        return dataset

    def _table(self, id: int) -> tuple[TableRecord, pd.DataFrame]:
        files = self._cache.files(f"data-{id}", lambda: self._download(id))
        record = _table_record(json.loads(files.read(RECORD)))
        return record, self._cache.table(files, TABLE, _format(record), _where(record))

    def _download(self, id: int) -> Iterable[tuple[str, bytes]]:
        record = self._service.table(id)
        format = _format(record)
        url, md5 = (record.parquet_url, "") if format == "parquet" else (record.url, record.md5)
        if not url:
            raise DataUnavailable(f"{_where(record)}: OpenML names no file of it")
        checksum = Checksum("md5", md5.lower()) if md5 else None
        content = read_url(url, MAX_BYTES, downloads_folder(), checksum=checksum, say=self._say)
        frame = self._cache.look_at(f"data-{id}", content, format, _where(record))
        yield RECORD, _json(record)
        yield SIZES, json.dumps(_sizes(frame, record)).encode()
        yield TABLE, content

    def _sizes(self, id: int) -> tuple[int, int, int]:
        """(rows, inputs, classes) of a table in the cache, as far as OpenML's default target tells them; else zeros."""
        if not self._cache.has(f"data-{id}"):
            return 0, 0, 0
        rows, inputs, classes = json.loads(self._cache.kept(f"data-{id}").read(SIZES))
        return rows, inputs, classes


def _json(record: Any) -> bytes:
    return json.dumps(dataclasses.asdict(record)).encode()


def _table_record(fields: dict[str, Any]) -> TableRecord:
    return TableRecord(**_tuples(fields, "ignored"))


def _tuples(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """JSON knows no tuples."""
    return {name: tuple(value) if name in names else value for name, value in fields.items()}


def _format(record: TableRecord) -> Format:
    if record.format == "arff":
        return "arff"
    if record.format == "parquet":
        return "parquet"
    kind = {"sparse_arff": "sparse; only dense tables are read"}.get(record.format, "not a table that is read here")
    raise DataUnavailable(f"{_where(record)}: its format {record.format!r} is {kind}")


def _where(record: TableRecord) -> str:
    return f"OpenML data set {record.id} ({record.name}, version {record.version})"


def _sizes(frame: pd.DataFrame, record: TableRecord) -> tuple[int, int, int]:
    inputs = [name for name in frame.columns if name != record.target and name not in record.ignored]
    classes = int(frame[record.target].nunique()) if record.target in frame.columns else 0
    return len(frame), len(inputs), classes


def _plain_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "table"

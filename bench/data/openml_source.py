"""Tables from OpenML: copies of the registry's by its ids, and the tasks of OpenML's suites.

A table is asked for once. It lies in the cache with what OpenML says of it, so that neither the service nor the
``openml`` package is needed again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.data.cache import FileSet, cache_folder, downloads_folder
from bench.data.copies import code_copy, copy_as_dataset, link_of
from bench.data.dataset import Dataset
from bench.data.download import Checksum, read_url
from bench.data.frames import MAX_BYTES, Format, read_frame
from bench.data.openml_api import DEFAULT_SERVER, OpenMLService, SuiteRecord, TableRecord, TaskRecord
from bench.data.openml_splits import read_task_splits
from bench.data.registry import Entry
from bench.errors import DataUnavailable, SourceError

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
    """A suite's task as an entry of a run. Sizes are 0 while the table is not in the cache; features before coding."""

    name: str
    rows: int
    features: int
    classes: int
    task: TaskRecord
    table: TableRecord


class OpenMLSource:
    """OpenML's tables, from the cache or, unless ``offline``, from the service."""

    name = "openml"

    def __init__(self, server: str | None = None, *, offline: bool = False, say: Say = lambda line: None) -> None:
        self.location = server or server_address()
        self._service = OpenMLService(self.location)
        self._offline = offline
        self._say = say
        host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(self.location).netloc.rpartition("@")[2]) or "openml"
        self._folder = cache_folder() / "openml" / host / LAYOUT
        self._parsed: tuple[int, pd.DataFrame] | None = None
        """The table downloaded last: it is read to see whether it can be, and need not be read again."""

    def has(self, entry: Entry | TaskEntry) -> bool:
        """Whether the table of ``entry`` is in the cache."""
        if isinstance(entry, TaskEntry):
            return self._is_cached(f"data-{entry.table.id}") and self._is_cached(f"task-{entry.task.id}")
        return entry.openml.id is not None and not entry.openml.refused and self._is_cached(f"data-{entry.openml.id}")

    def load(self, entry: Entry | TaskEntry) -> Dataset:
        """The table, its columns coded as :mod:`bench.data.columns` says; a task's with the task's own divisions.

        Raises :class:`DataUnavailable` if it is not to be had or in a format that is not read (sparse, streaming), and
        :class:`DataInvalid` if it is not what the registry or OpenML's checksum says.
        """
        try:
            return self._task(entry) if isinstance(entry, TaskEntry) else self._copy(entry)
        except SourceError as error:
            raise DataUnavailable(f"{entry.name}: {error}") from error

    def suite(self, id: int) -> tuple[SuiteRecord, list[TaskEntry]]:
        """Suite ``id`` and its tasks, each under its table's name (with the task's number where two have one name).

        Raises :class:`SourceError` if the suite or one of its tasks' descriptions is not to be had.
        """
        try:
            suite = self._record(f"suite-{id}", SuiteRecord, lambda: self._service.suite(id))
            found = [self._describe(task) for task in suite.tasks]
        except DataUnavailable as error:
            raise SourceError(f"openml-suite:{id}: {error}") from error
        names = [_plain_name(table.name) for _, table in found]
        entries = []
        for name, (task, table) in zip(names, found, strict=True):
            unique = name if names.count(name) == 1 else f"{name}-{task.id}"
            entries.append(TaskEntry(unique, *self._sizes(table.id), task=task, table=table))
        return suite, entries

    def _describe(self, id: int) -> tuple[TaskRecord, TableRecord]:
        task = self._record(f"task-{id}", TaskRecord, lambda: self._service.task(id), self._splits)
        about = self._record(f"about-{task.dataset}", TableRecord, lambda: self._service.table(task.dataset))
        return task, about

    def _copy(self, entry: Entry) -> Dataset:
        link = link_of(entry, self.name)
        assert link.id is not None
        record, frame = self._table(link.id)
        where = _where(record)
        target = link.target or record.target
        if not target:
            raise DataUnavailable(f"{entry.name}: {where} names no target column, and the registry names none either")
        ignored = [name for name in record.ignored if name in frame.columns and name != target]
        return copy_as_dataset(entry, self.name, frame, target, [*link.drop, *ignored], where)

    def _task(self, entry: TaskEntry) -> Dataset:
        record, frame = self._table(entry.table.id)
        where = f"OpenML task {entry.task.id}, {_where(record)}"
        ignored = [name for name in record.ignored if name in frame.columns and name != entry.task.target]
        coded = code_copy(frame, entry.task.target, where, ignored)
        splits = None
        if entry.task.splits_url:
            lists = self._set(f"task-{entry.task.id}", self._missing).read(SPLITS)
            splits = read_task_splits(lists, entry.task.id, coded.y, f"OpenML task {entry.task.id}: index lists")
        return Dataset(entry.name, coded.X, coded.y, len(coded.classes), self.name, published=splits, notes=coded.notes)

    def _table(self, id: int) -> tuple[TableRecord, pd.DataFrame]:
        files = self._set(f"data-{id}", lambda: self._download(id))
        record = TableRecord(**_decoded(files.read(RECORD), "ignored"))
        parsed, self._parsed = self._parsed, None
        if parsed is not None and parsed[0] == id:
            return record, parsed[1]
        return record, read_frame(files.read(TABLE), _format(record), _where(record))

    def _download(self, id: int) -> Iterable[tuple[str, bytes]]:
        record = self._service.table(id)
        format = _format(record)
        url, md5 = (record.parquet_url, "") if format == "parquet" else (record.url, record.md5)
        if not url:
            raise DataUnavailable(f"{_where(record)}: OpenML names no file of it")
        checksum = Checksum("md5", md5.lower()) if md5 else None
        content = read_url(url, MAX_BYTES, downloads_folder(), checksum=checksum, say=self._say)
        frame = read_frame(content, format, _where(record))  # only what can be read is kept
        self._parsed = id, frame
        yield RECORD, json.dumps(dataclasses.asdict(record)).encode()
        yield SIZES, json.dumps(_sizes(frame, record)).encode()
        yield TABLE, content

    def _splits(self, record: TaskRecord) -> Iterable[tuple[str, bytes]]:
        if record.splits_url:
            yield SPLITS, read_url(record.splits_url, MAX_BYTES, downloads_folder(), say=self._say)

    def _record(self, label: str, kind: Any, ask: Callable[[], Any], more: Callable[[Any], Any] = lambda _: ()) -> Any:
        """What the service says, from the cache or asked for, with the files that ``more`` gets for it."""

        def build() -> Iterable[tuple[str, bytes]]:
            record = ask()
            yield RECORD, json.dumps(dataclasses.asdict(record)).encode()
            yield from more(record)

        return kind(**_decoded(self._set(label, build).read(RECORD), "ignored", "tasks"))

    def _set(self, label: str, build: Callable[[], Iterable[tuple[str, bytes]]]) -> FileSet:
        return FileSet(self._folder / label, self._missing if self._offline else build)

    def _missing(self) -> Iterable[tuple[str, bytes]]:
        raise SourceError(f"{self.location}: not in the cache, and downloads are not allowed here")

    def _is_cached(self, label: str) -> bool:
        return (self._folder / label / "index.json").is_file()

    def _sizes(self, id: int) -> tuple[int, int, int]:
        """(rows, inputs, classes) of a table in the cache, as far as OpenML's default target tells them; else zeros."""
        if not self._is_cached(f"data-{id}"):
            return 0, 0, 0
        rows, inputs, classes = json.loads(self._set(f"data-{id}", self._missing).read(SIZES))
        return rows, inputs, classes


def _decoded(content: bytes, *lists: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(content)
    return {name: tuple(value) if name in lists else value for name, value in fields.items()}


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

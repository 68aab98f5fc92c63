"""What is kept of OpenML's data sets and tasks, and how it is read from the package's descriptions of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bench.data.frames import Format
from bench.errors import DataUnavailable, one_line
from bench.records.measure import Kind


@dataclass(frozen=True)
class TableRecord:
    """What is kept of a data set.

    ``target`` is its default target column, empty if there is none; ``ignored`` are the columns that are no inputs
    (row ids and the like); ``file``, within the package's cache, is the table. ``features`` (before coding) and
    ``classes`` are counted with the default target.
    """

    id: int
    name: str
    version: int
    format: Format
    target: str
    ignored: tuple[str, ...]
    licence: str
    file: str
    sha256: str
    rows: int
    features: int
    classes: int


@dataclass(frozen=True)
class TaskEntry:
    """A suite's task as an entry of a run, and what is kept of it.

    ``file`` holds its index lists; it is empty if it has none, or is to have the ``splits`` of that name instead.
    ``rows``, ``features`` (before coding) and ``classes`` are 0 while the table is not in the cache, and ``classes`` if
    a number is predicted. ``problem`` says why the task cannot be used: then ``dataset`` is 0.
    """

    name: str
    id: int
    dataset: int = 0
    target: str = ""
    file: str = ""
    sha256: str = ""
    rows: int = 0
    features: int = 0
    classes: int = 0
    kind: Kind = "classification"
    splits: str = ""
    problem: str = ""


def described_task(openml: Any, id: int) -> tuple[TaskEntry, str]:
    """Task ``id``, which must predict a class or a number, and the address of its index lists, empty if it has none."""
    types = openml.tasks.TaskType
    kinds: dict[Any, Kind] = {
        types.SUPERVISED_CLASSIFICATION: "classification",
        types.SUPERVISED_REGRESSION: "regression",
    }
    task = openml.tasks.get_task(id)
    if task.task_type_id not in kinds:
        raise DataUnavailable(
            f"OpenML task {id} is one of {task.task_type}; only classification and regression are run here"
        )
    table = openml.datasets.get_dataset(task.dataset_id)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", one_line(table.name, limit=100)) or "table"
    entry = TaskEntry(name, id, table.id, task.target_name, kind=kinds[task.task_type_id])
    return entry, task.estimation_procedure["data_splits_url"] or ""


def format_of(about: Any) -> Format:
    """The format of a data set's file. Raises :class:`DataUnavailable` for one that is not read here."""
    formats: dict[str, Format] = {"arff": "arff", "parquet": "parquet"}
    format = str(about.format).lower()
    if format in formats:
        return formats[format]
    kind = "sparse; only dense tables are read" if format == "sparse_arff" else "not a table that is read here"
    raise DataUnavailable(f"{named(about)}: its format {format!r} is {kind}")


def ignored_columns(about: Any) -> tuple[str, ...]:
    """The columns that are no inputs; OpenML writes several as one text with commas."""
    texts = [*(about.ignore_attribute or []), about.row_id_attribute or ""]
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))


def named(table: Any) -> str:
    """A data set in messages, by its record or by the package's object."""
    return f"OpenML data set {table.id} ({one_line(table.name, limit=100)}, version {table.version})"

"""What OpenML says of a data set, a task or a suite, asked through the ``openml`` package.

The package is imported here and nowhere else, when something has to be asked: that takes seconds, and it is an optional
extra. It is used for what it knows, the service's interface and documents. The tables themselves and the index lists
are got by :mod:`bench.data.download`: the package reads answers of any size into memory, waits for them without end,
keeps what it parsed in pickles, and cannot resume. So it gets here a scratch folder for its cache, a limit for each
answer, no API key (what is asked for is public), and none of the user's settings for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.data import download
from bench.errors import DataUnavailable, SourceError, one_line

DEFAULT_SERVER = "https://www.openml.org/api/v1/xml"
MAX_ANSWER_BYTES = 8 << 20

_OVERLOADED = 107
"""OpenML's code for a database that does not answer."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class TableRecord:
    """What OpenML says of a data set.

    ``format`` is ``arff``, ``sparse_arff``, ...; ``target`` the default target column, empty if there is none;
    ``ignored`` the columns that are no inputs (row ids and the like); ``md5`` empty if not given.
    """

    id: int
    name: str
    version: int
    format: str
    url: str
    parquet_url: str
    md5: str
    target: str
    ignored: tuple[str, ...]
    licence: str


@dataclass(frozen=True)
class TaskRecord:
    """A classification task: a target column of a data set, and where the index lists are (empty if it has none)."""

    id: int
    dataset: int
    target: str
    splits_url: str


@dataclass(frozen=True)
class SuiteRecord:
    """A suite: its tasks' ids in OpenML's order."""

    id: int
    name: str
    tasks: tuple[int, ...]


class OpenMLService:
    """The service behind ``server``. All methods raise :class:`DataUnavailable` for what it has not (or not of a kind
    that can be used here) and :class:`SourceError` if it cannot be asked."""

    def __init__(self, server: str) -> None:
        self.server = server

    def table(self, id: int) -> TableRecord:
        """What it says of data set ``id``."""
        return _table(
            id, self._ask(f"data set {id}", lambda openml: openml.datasets.get_dataset(id, download_data=False))
        )

    def task(self, id: int) -> tuple[TaskRecord, TableRecord]:
        """What it says of task ``id``, which must be one of classification, and of its data set."""

        def question(openml: Any) -> Any:
            task = openml.tasks.get_task(id, download_data=False)
            return task, openml.datasets.get_dataset(task.dataset_id, download_data=False)

        found, dataset = self._ask(f"task {id}", question)
        if int(found.task_type_id.value) != 1:
            raise DataUnavailable(f"OpenML task {id} is one of {found.task_type}; only classification is run here")
        record = TaskRecord(
            id=id,
            dataset=int(found.dataset_id),
            target=str(found.target_name),
            splits_url=str(found.estimation_procedure["data_splits_url"] or ""),
        )
        return record, _table(record.dataset, dataset)

    def suite(self, id: int) -> SuiteRecord:
        """What it says of suite ``id``."""
        found = self._ask(f"suite {id}", lambda openml: openml.study.get_suite(id))
        tasks = tuple(int(task) for task in found.tasks or ())
        if not tasks:
            raise DataUnavailable(f"OpenML suite {id} has no tasks")
        return SuiteRecord(id=id, name=one_line(found.name or f"suite {id}", limit=100), tasks=tasks)

    def _ask(self, what: str, question: Callable[[Any], Answer]) -> Answer:
        with tempfile.TemporaryDirectory(prefix="bench-openml-") as scratch, _package(self.server, scratch) as openml:
            try:
                return question(openml)
            except openml.exceptions.OpenMLServerException as error:
                if error.code == _OVERLOADED:
                    raise SourceError(f"{self.server}: asked for {what}: {_line(error.message)}") from error
                raise DataUnavailable(f"OpenML has no {what} to give: {_line(error.message)}") from error
            except NotImplementedError as error:
                raise DataUnavailable(f"OpenML {what}: {_line(error)}") from error
            except Exception as error:  # its own, those of requests and of the XML parser, missing keys
                raise SourceError(f"{self.server}: asked for {what}: {_line(error)}") from error


@contextlib.contextmanager
def _package(server: str, scratch: str) -> Iterator[Any]:
    """The ``openml`` package with these settings for as long as the context lasts, and its import's traces in
    ``scratch``."""
    with contextlib.ExitStack() as stack:
        if "openml" not in sys.modules:
            for variable in ("OPENML_CACHE_DIR", "XDG_CONFIG_HOME"):  # read, and folders made, at its import
                stack.enter_context(_environment(variable, scratch))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import openml
                import openml._api_calls as calls
        except ImportError as error:
            raise SourceError("asking OpenML needs a further package: pip install 'rfmbench[openml]'") from error
        config: Any = openml.config
        before = {name: getattr(config, name) for name in ("server", "apikey", "show_progress", "connection_n_retries")}
        cache = config._root_cache_directory
        level = logging.root.manager.disable
        requests: Any = calls.requests
        session = requests.Session
        try:
            config.server, config.apikey, config.show_progress = server, "", False
            config.set_root_cache_directory(scratch)
            config.connection_n_retries = download.RETRY_POLICY.attempts
            requests.Session = _bounded(session, requests.exceptions.ConnectionError)
            logging.disable(logging.ERROR)  # it warns of every answer that is not compressed, on the root logger
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield openml
        finally:
            logging.disable(level)
            requests.Session = session
            config.set_root_cache_directory(cache)
            for name, value in before.items():
                setattr(config, name, value)


def _bounded(session: Any, passing: type[Exception]) -> type:
    """``session`` with a limit of time and bytes for every answer; ``passing`` is raised for trouble that may pass."""

    class Bounded(session):
        def send(self, request: Any, **options: Any) -> Any:
            policy = download.RETRY_POLICY
            options |= {"timeout": policy.timeout_seconds, "stream": True}
            response = super().send(request, **options)
            body = bytearray()
            until = time.monotonic() + policy.stall_seconds
            for chunk in response.iter_content(64):  # it waits for as many bytes
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise SourceError(f"the answer has more than {MAX_ANSWER_BYTES} bytes; refused")
                if time.monotonic() > until:
                    raise SourceError(f"the answer is not there after {policy.stall_seconds:g} s")
            if bytes(body[:256]).lstrip().lower().startswith((b"<!doctype html", b"<html")):
                status = f"{response.status_code} {response.reason}"
                if response.status_code >= 500:
                    raise passing(f"the server answered {status}")  # the package tries again after this one
                raise SourceError(f"the server answered with a web page ({status})")
            response._content = bytes(body)
            return response

    return Bounded


@contextlib.contextmanager
def _environment(variable: str, value: str) -> Iterator[None]:
    before = os.environ.get(variable)
    os.environ[variable] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _table(id: int, found: Any) -> TableRecord:
    ignored = [found.ignore_attribute] if isinstance(found.ignore_attribute, str) else found.ignore_attribute or []
    names = [name for entry in [*ignored, found.row_id_attribute or ""] for name in _names(entry)]
    return TableRecord(
        id=id,
        name=one_line(found.name, limit=100),
        version=int(found.version or 0),
        format=str(found.format).lower(),
        url=str(found.url or ""),
        parquet_url=str(found._parquet_url or ""),
        md5=str(found.md5_checksum or ""),
        target=str(found.default_target_attribute or ""),
        ignored=tuple(dict.fromkeys(names)),
        licence=one_line(found.licence or "not stated", limit=100),
    )


def _names(text: str) -> list[str]:
    """OpenML writes several columns as one text with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _line(error: object) -> str:
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if isinstance(error, KeyError) or not text else text

"""Reading a run folder, also while a run is under way in it. Nothing in the folder is written to."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from bench.errors import StoreError, one_line
from bench.records.result import Job, JobResult, RunRecord, job_name
from bench.store.rows import Row, checksum, parsed_provenance, to_job, to_result
from bench.store.schema import STORE_NAME, VERSION, check_header, connect, format_version, side_files, upgrade

_ATTEMPTS = 20


def read_run(folder: str | Path) -> RunRecord:
    """The current result of every job in ``folder``, ordered by dataset, method, protocol and seed.

    A result whose job has since been superseded (its method's code or grid changed) is left out, and so is one whose
    checksum does not fit, which is named in ``damaged``. Raises :class:`StoreError` if there is no store or it is
    broken or of another version.
    """
    folder = Path(folder)
    path = folder / STORE_NAME
    if not path.is_file():
        raise StoreError(f"no results in {folder}: {STORE_NAME} is not there, nor scores; is it a run folder?")
    try:
        if not check_header(path):
            with contextlib.suppress(sqlite3.OperationalError):
                return _read(folder, path)
        # A run has its log open, or was killed and left a log or a journal: SQLite reads these only where it may write.
        with tempfile.TemporaryDirectory() as scratch:
            return _read(folder, _copy(path, Path(scratch)), "rw")
    except (sqlite3.Error, OSError, OverflowError, MemoryError, UnicodeError) as error:
        raise StoreError(f"store {path} cannot be read: {one_line(error)}") from error


def _copy(path: Path, scratch: Path) -> Path:
    """The store as of one moment, though its writer goes on.

    The log's start changes whenever the log begins anew. If it is the same before and after, the copied log has every
    page that was moved into the store meanwhile. It may end in the middle of a transaction: by the log's own checksums
    SQLite sees that. A journal likewise has the former pages of a transaction that is under way.
    """
    for number in range(_ATTEMPTS):
        before = _starts(path)
        copy = scratch / str(number) / path.name
        copy.parent.mkdir()
        shutil.copyfile(path, copy)
        for source, target in zip(side_files(path), side_files(copy), strict=True):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(source, target)
        if _starts(path) == before:
            return copy
    raise StoreError(f"store {path} changes faster than it can be read: try again")


def _starts(path: Path) -> list[bytes]:
    found = []
    for side in side_files(path):
        with contextlib.suppress(FileNotFoundError), side.open("rb") as file:
            found.append(file.read(32))
    return found


def _read(folder: Path, path: Path, mode: str = "ro") -> RunRecord:
    connection = connect(path, mode)
    try:
        if format_version(connection) < VERSION:  # what is read is brought up to date, the file stays as it is
            with contextlib.closing(connection) as old:
                connection = connect(None)
                old.backup(connection)
        connection.execute("BEGIN")  # one state of the store, whatever is written meanwhile
        upgrade(connection, folder / STORE_NAME)
        return _record(folder, connection)
    finally:
        connection.close()


def _record(folder: Path, connection: sqlite3.Connection) -> RunRecord:
    invocations = dict(connection.execute("SELECT number, provenance FROM invocations ORDER BY number"))
    jobs = {row[0]: row for row in connection.execute("SELECT * FROM jobs")}
    current = "WHERE job IN (SELECT job FROM cells)"
    stored = {row[0]: row for row in connection.execute(f"SELECT * FROM results {current}")}
    holdouts: dict[str, list[Row]] = defaultdict(list)
    for row in connection.execute(f"SELECT * FROM holdouts {current} ORDER BY job, holdout"):
        holdouts[row[0]].append(row)
    latest = max(invocations, default=None)
    results: list[JobResult] = []
    planned: list[Job] = []
    damaged: list[str] = []
    counts: Counter[int] = Counter()
    for *key, identity, invocation in connection.execute(
        "SELECT * FROM cells ORDER BY dataset, method, protocol, seed"
    ):
        try:
            job = to_job(jobs.get(identity, ()))
            if [job.dataset, job.method, job.protocol, job.seed] != key:
                raise ValueError("the job of another cell")
            if invocation == latest:
                planned.append(job)
            if identity in stored:
                rows = jobs[identity], stored[identity], holdouts[identity]
                if stored[identity][-1] != checksum(*rows):
                    raise ValueError("the checksum does not fit")
                results.append(to_result(*rows))
                counts[stored[identity][1]] += 1
        except ValueError:
            damaged.append(one_line(job_name(*key)))
    planned_by = parsed_provenance(invocations.get(latest))
    made = [
        {**parsed_provenance(text), "results": counts[number]} for number, text in invocations.items() if counts[number]
    ]
    return RunRecord(
        folder=str(folder),
        results=tuple(results),
        planned=tuple(planned),
        provenance=made[-1] if made else planned_by,
        invocations=tuple(made),
        planned_by=planned_by,
        damaged=tuple(damaged),
    )

"""Writing results: each is on disk, whole, when :meth:`Store.record` returns."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreBusy, StoreError, UsageError
from bench.records.result import Job, JobResult, Status
from bench.store.lock import FolderLock
from bench.store.schema import BUSY_SECONDS, STORE_NAME, check_content, check_header, create, upgrade

_UNFIT = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What SQLite says of a value it cannot take: of another type, too long, or none (a NaN) where there must be one."""


RECORD_SECONDS = 1.0
"""How long a result waits for a store that another program holds; the jobs are not watched meanwhile."""


class Store:
    """The store of one run folder, opened for writing by the one process that holds the folder's lock.

    A rollback journal is used instead of a write-ahead log: the folder is a single file at rest, readable from
    read-only and network file systems, and a result costs well under a millisecond of CPU all the same.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create. Raises :class:`StoreError`: the folder is unwritable or in use, or the store is not ours."""
        self.folder = folder
        self.path = folder / STORE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"run folder {folder} cannot be created: {error.strerror}") from error
        self._lock = FolderLock(folder)
        self._connection: sqlite3.Connection | None = None
        try:
            if not self.path.exists():
                create(self.path)
            check_header(self.path)
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_SECONDS)
            check_content(self._connection, self.path)
            for pragma in ("journal_mode = DELETE", "synchronous = EXTRA", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            upgrade(self._connection)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreError(f"store {self.path} cannot be opened for writing: {error}") from error
            raise
        self._invocation = 0

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the folder back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._lock.release()

    def begin(self, jobs: Sequence[Job], provenance: dict[str, Any], unread: Collection[Job] = ()) -> dict[str, Status]:
        """Note what this invocation means to run; returns the status of those jobs that have a result already.

        Each job takes over its cell. The ``unread`` ones, whose table could not be read, do not where the cell's own
        job has an ``ok`` result: that one stays, planned for this invocation too (see :meth:`is_current`).
        Raises :class:`UsageError` if the folder holds results of another seed or source, or of a table in full beside a
        reduced one: those are not mixed.
        """
        with self._transaction() as connection:
            self._refuse_mixture(connection, [*jobs, *unread])
            self._invocation = (
                connection.execute("INSERT INTO invocations (provenance) VALUES (?)", (_json(provenance),)).lastrowid
                or 0
            )
            jobs = [*jobs, *(job for job in unread if not self._keep_sound(connection, job))]
            connection.executemany(
                "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(dataclasses.asdict(job).values())[:11] for job in jobs],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)",
                [(job.dataset, job.method, job.protocol, job.id, self._invocation) for job in jobs],
            )
            self._refuse_two_reductions(connection)
            known = connection.execute("SELECT job, status FROM results JOIN cells USING (job)").fetchall()
        self._open.execute(f"PRAGMA busy_timeout = {round(1000 * RECORD_SECONDS)}")
        planned = {job.id for job in jobs}
        return {job: status for job, status in known if job in planned}

    def is_current(self, job: Job) -> bool:
        """Whether ``job`` is the one that stands for its (dataset, method, protocol)."""
        try:
            return self._open.execute("SELECT 1 FROM cells WHERE job = ?", (job.id,)).fetchone() is not None
        except sqlite3.Error as error:
            raise self._refusal(error) from error

    def record(self, result: JobResult) -> None:
        """Store ``result`` in place of any earlier one of the same job, in one transaction.

        Raises :class:`StoreBusy` if another program holds the store, :class:`StoreError` if it cannot be written to for
        another reason, and :class:`ValueError`, :class:`TypeError` or
        :class:`OverflowError` for a result with something in it that cannot be stored; the earlier one stays then.
        """
        row = (
            result.job.id,
            self._invocation,
            result.status,
            result.reason,
            result.output,
            result.job_seconds,
            result.cpu_seconds,
            result.peak_rss_mb,
            _json(result.provenance),
        )
        holdouts = [
            (
                result.job.id,
                h.holdout,
                h.accuracy,
                _json(h.config),
                h.iteration,
                h.validation_accuracy,
                h.fit_seconds,
                _json(h.path),
                _json(h.details),
            )
            for h in result.holdouts
        ]
        with self._transaction() as connection:
            try:
                connection.execute("DELETE FROM results WHERE job = ?", (result.job.id,))
                connection.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                connection.executemany("INSERT INTO holdouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", holdouts)
            except _UNFIT as error:  # the store is well: what it was given is not
                raise ValueError(str(error)) from error

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"store {self.path} has been closed")
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk at the end. SQLite's errors become :class:`StoreError`."""
        connection = self._open
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: sqlite3.Error) -> StoreError:
        """SQLite's error in words that help."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusy(
                f"store {self.path} is held by another program that reads or writes it: close that and run the same "
                "command again"
            )
        return StoreError(
            f"store {self.path} cannot be written to: {error}. All results before are intact; "
            f"mend that (free some space, say) and run the same command again to go on"
        )

    def _keep_sound(self, connection: sqlite3.Connection, job: Job) -> bool:
        """Plan the cell of ``job`` as it stands if its result is ``ok``; whether it is."""
        kept = connection.execute(
            "UPDATE cells SET invocation = ? WHERE dataset = ? AND method = ? AND protocol = ? "
            "AND job IN (SELECT job FROM results WHERE status = 'ok')",
            (self._invocation, job.dataset, job.method, job.protocol),
        )
        return kept.rowcount > 0

    def _refuse_mixture(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        for field, flag in (("seed", "--seed"), ("source", "--archive")):
            held = {row[0] for row in connection.execute(f"SELECT DISTINCT {field} FROM jobs JOIN cells ON id = job")}
            asked = {getattr(job, field) for job in jobs}
            if held and asked - held:
                raise UsageError(
                    f"run folder {self.folder} holds results of {field} {_words(held)}, asked for {_words(asked)}: "
                    f"they are not mixed; choose another folder with --run, or another {flag}"
                )

    def _refuse_two_reductions(self, connection: sqlite3.Connection) -> None:
        """A table's methods are compared on the same hold-outs: all of them, or those that the reduction leaves."""
        mixed = connection.execute(
            "SELECT jobs.dataset, jobs.protocol FROM cells JOIN jobs ON id = job WHERE split != '' "
            "GROUP BY jobs.dataset, jobs.protocol HAVING count(DISTINCT coalesce(reduction, '')) > 1"
        ).fetchone()
        if mixed:
            raise UsageError(
                f"run folder {self.folder} would hold {mixed[0]} ({mixed[1]}) in full for some methods and reduced for "
                "others: they are not mixed; run the same methods as before, choose another folder with --run, or "
                "give --full as it was given before"
            )


def _words(values: set[Any]) -> str:
    return ", ".join(sorted(map(str, values)))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

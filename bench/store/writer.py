"""Writing results: each is on disk, whole, when :meth:`Store.record` returns."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreBusy, StoreError, UsageError, one_line
from bench.records.measure import SELECTING
from bench.records.result import Job, JobResult, Status
from bench.store.lock import FolderLock
from bench.store.rows import json_text, seal, sound_status, to_rows
from bench.store.schema import BUSY_SECONDS, STORE_NAME, is_busy, open_store

_UNFIT = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What SQLite says of a value it cannot take: of another type, too long, or none (a NaN) where there must be one."""

RECORD_SECONDS = 1.0
"""How long a result waits for a store that another program holds before it joins the retry queue."""

LOG_PAGES = 256
"""Size at which the write-ahead log is moved into the store: 1 MiB, so that a nearly full disk has room for it."""

_CLOSING_ATTEMPTS = 20


class Store:
    """The store of one run folder, opened for writing by the one process that holds the folder's lock.

    While it is open, SQLite's write-ahead log is on and flushed at every commit: a result is on disk when
    :meth:`record` returns, whatever happens then, for one flush, and three more each :data:`LOG_PAGES`, when the log is
    moved into the store. (A rollback journal takes three at least, five in its safest mode.) The log needs memory that
    all who use it share, so that other machines cannot: :func:`read_run` reads a copy. :meth:`close` turns the log
    off: at rest the folder holds a single file, readable from read-only and network file systems.
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
            self._connection = open_store(self.path, BUSY_SECONDS)
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            self._connection.execute("PRAGMA journal_mode = WAL")
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error) and is_busy(error):
                raise self._refusal(error) from error
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreError(f"store {self.path} cannot be opened for writing: {one_line(error)}") from error
            raise
        self._invocation = 0

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, move the log into it, and give the folder back.

        Where that cannot be (a full disk, another program that reads), the log stays and the next run moves it.
        """
        if self._connection is not None:
            for _ in range(_CLOSING_ATTEMPTS):
                try:
                    self._connection.execute("PRAGMA journal_mode = DELETE")
                    break
                except sqlite3.Error as error:
                    if not is_busy(error):
                        break
                    time.sleep(0.05)
            self._connection.close()
            self._connection = None
        self._lock.release()

    def begin(self, jobs: Sequence[Job], provenance: dict[str, Any], unread: Collection[Job] = ()) -> dict[str, Status]:
        """Note what this invocation means to run; returns the status of those jobs that have a result already.

        Each job takes over its cell. The ``unread`` ones, whose table could not be read, do not where the cell's own
        job has an ``ok`` result: that one stays, planned for this invocation too (see :meth:`is_current`).
        Raises :class:`UsageError` if the folder holds results of another source or of another measure that selected, or
        of a table in full next to a reduced one: those are not mixed.
        """
        known: dict[str, Status] = {}
        with self._transaction() as connection:
            self._refuse_mixture(connection, [*jobs, *unread])
            insertion = "INSERT INTO invocations (provenance) VALUES (?)"
            self._invocation = connection.execute(insertion, (json_text(provenance),)).lastrowid or 0
            for job in [*jobs, *(job for job in unread if not self._keep_sound(connection, job))]:
                if status := self._put(connection, job):
                    known[job.id] = status
            connection.execute(  # a cell whose own name is damaged: its job has another one by now
                "DELETE FROM cells WHERE job IN (SELECT job FROM cells WHERE invocation = ?) AND (dataset, method, "
                "protocol, seed) NOT IN (SELECT dataset, method, protocol, seed FROM jobs WHERE id = job)",
                (self._invocation,),
            )
            self._refuse_two_reductions(connection)
        self._open.execute(f"PRAGMA busy_timeout = {round(1000 * RECORD_SECONDS)}")
        return known

    def _put(self, connection: sqlite3.Connection, job: Job) -> Status | None:
        """Have ``job`` take over its cell; returns the status of its result if it has a sound one."""
        status = sound_status(connection, job.id)
        row = tuple(vars(job).values())
        if connection.execute("SELECT * FROM jobs WHERE id = ?", (job.id,)).fetchone() != row:
            connection.execute(f"INSERT OR REPLACE INTO jobs VALUES ({', '.join('?' * len(row))})", row)
            if status:  # the checksum is over the job's row too
                seal(connection, job.id)
            status = sound_status(connection, job.id)  # or sound again: it was the job's row that was damaged
        connection.execute(
            "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?)",
            (job.dataset, job.method, job.protocol, job.seed, job.id, self._invocation),
        )
        return status

    def is_current(self, job: Job) -> bool:
        """Whether ``job`` is the one that stands for its (dataset, method, protocol, seed)."""
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
        row, holdouts = to_rows(result, self._invocation)
        with self._transaction() as connection:
            try:
                for table in ("holdouts", "results"):  # each for itself: one of them may be damaged
                    connection.execute(f"DELETE FROM {table} WHERE job = ?", (result.job.id,))
                connection.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                connection.executemany("INSERT INTO holdouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", holdouts)
                seal(connection, result.job.id)
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
        if is_busy(error):
            return StoreBusy(
                f"store {self.path} is held by another program that reads or writes it: close that and run the same "
                "command again"
            )
        return StoreError(
            f"store {self.path} cannot be written to: {one_line(error)}. All results before are intact; "
            f"repair that (for example, free some space) and run the same command again to resume"
        )

    def _keep_sound(self, connection: sqlite3.Connection, job: Job) -> bool:
        """Plan the cell of ``job`` as it stands if its result is ``ok``; whether it is."""
        where = "WHERE dataset = ? AND method = ? AND protocol = ? AND seed = ?"
        key = (job.dataset, job.method, job.protocol, job.seed)
        cell = connection.execute(f"SELECT job FROM cells {where}", key).fetchone()
        if cell is None or sound_status(connection, cell[0]) != "ok":
            return False
        connection.execute(f"UPDATE cells SET invocation = ? {where}", (self._invocation, *key))
        return True

    def _refuse_mixture(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        """Of sources, and of measures that select."""
        own = " or ".join(measure.title for measure in SELECTING.values())
        for field, flag, how in (("selected_by", "--select", "selected by"), ("source", "--source", "from")):
            held = {row[0] for row in connection.execute(f"SELECT DISTINCT {field} FROM jobs JOIN cells ON id = job")}
            asked = {getattr(job, field) for job in jobs}
            if held and asked - held:
                there, here = _words(held, own), _words(asked, own)
                raise UsageError(
                    f"run folder {self.folder} holds results {how} {there}, asked for {here}: "
                    f"they are not mixed; choose another folder with --run, or another {flag}"
                )

    def _refuse_two_reductions(self, connection: sqlite3.Connection) -> None:
        """A table's methods are compared on the same test folds: all of them, or those that the reduction leaves."""
        mixed = connection.execute(
            "SELECT jobs.dataset, jobs.protocol FROM cells JOIN jobs ON id = job WHERE split != '' "
            "GROUP BY jobs.dataset, jobs.protocol HAVING count(DISTINCT coalesce(reduction, '')) > 1"
        ).fetchone()
        if mixed:
            raise UsageError(
                f"run folder {self.folder} would hold {mixed[0]} ({mixed[1]}) in full for some methods and reduced for "
                "others: they are not mixed; run the same methods as before, choose another folder with --run, or "
                "give --full and --folds as they were given before"
            )


def _words(values: set[str], empty: str) -> str:
    return ", ".join(sorted(value or empty for value in values))

"""The store's tables, and the checks that a file is such a store before anything reads or writes it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from bench.errors import StoreError, one_line
from bench.files import refuse_link, replacing
from bench.store.rows import seal, sound_status, stored_rows, to_result

STORE_NAME = "results.sqlite"
VERSION = 5
"""Written to the file's header. Older ones are read as they are and brought up to date when they are written to."""
APPLICATION_ID = 0x52464D42
"""``RFMB`` in the file's header: a SQLite file of another program is not touched."""

BUSY_SECONDS = 60.0

_MAGIC = b"SQLite format 3\x00"

_CELLS = """
CREATE TABLE cells (
    dataset TEXT NOT NULL, method TEXT NOT NULL, protocol TEXT NOT NULL, seed INTEGER NOT NULL,
    job TEXT NOT NULL REFERENCES jobs (id), invocation INTEGER NOT NULL REFERENCES invocations (number),
    PRIMARY KEY (dataset, method, protocol, seed)
) WITHOUT ROWID
"""

SCHEMA = f"""
CREATE TABLE invocations (
    number INTEGER PRIMARY KEY,
    provenance TEXT NOT NULL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, dataset TEXT NOT NULL, source TEXT NOT NULL,
    rows INTEGER NOT NULL, features INTEGER NOT NULL, classes INTEGER NOT NULL,
    method TEXT NOT NULL, protocol TEXT NOT NULL, split TEXT NOT NULL, seed INTEGER NOT NULL,
    reduction TEXT, work TEXT NOT NULL DEFAULT '', versions TEXT NOT NULL DEFAULT '',
    parameters TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT 'classification',
    selected_by TEXT NOT NULL DEFAULT '', table_sha256 TEXT NOT NULL DEFAULT '',
    fold_sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
-- The job that currently stands for a (dataset, method, protocol, seed): the one planned last. Results of other jobs of
-- the cell (older code, another grid) stay in the store but are not read.
{_CELLS};
CREATE TABLE results (
    job TEXT PRIMARY KEY REFERENCES jobs (id),
    invocation INTEGER NOT NULL REFERENCES invocations (number),
    status TEXT NOT NULL CHECK (status IN ('ok', 'error', 'timeout', 'oom', 'skipped')),
    reason TEXT NOT NULL, output TEXT NOT NULL,
    job_seconds REAL NOT NULL, cpu_seconds REAL NOT NULL, peak_rss_mb REAL NOT NULL,
    provenance TEXT NOT NULL, vals TEXT, checksum TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE holdouts (
    job TEXT NOT NULL REFERENCES results (job) ON DELETE CASCADE,
    holdout INTEGER NOT NULL,
    score REAL NOT NULL, config TEXT NOT NULL, iteration INTEGER NOT NULL,
    validation_score REAL NOT NULL, fit_seconds REAL NOT NULL, path TEXT NOT NULL, details TEXT NOT NULL,
    measures TEXT NOT NULL DEFAULT '{{}}',
    predict_seconds REAL, train_samples INTEGER, test_samples INTEGER,
    PRIMARY KEY (job, holdout)
) WITHOUT ROWID;
"""

_UPGRADES = {
    1: ("ALTER TABLE jobs ADD COLUMN reduction TEXT",),
    2: (
        "ALTER TABLE jobs ADD COLUMN work TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN versions TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN parameters TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE results ADD COLUMN vals TEXT",
        "ALTER TABLE results ADD COLUMN checksum TEXT NOT NULL DEFAULT ''",
    ),
    3: (
        "ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'classification'",
        "ALTER TABLE jobs ADD COLUMN selected_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE holdouts RENAME COLUMN accuracy TO score",
        "ALTER TABLE holdouts RENAME COLUMN validation_accuracy TO validation_score",
        "ALTER TABLE holdouts ADD COLUMN measures TEXT NOT NULL DEFAULT '{}'",
    ),
    4: (
        "ALTER TABLE jobs ADD COLUMN table_sha256 TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN fold_sha256 TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE cells RENAME TO cells_without_seed",
        _CELLS,
        # A cell whose job is lost has no seed: it is kept, and named as damaged.
        "INSERT INTO cells SELECT c.dataset, c.method, c.protocol, coalesce(j.seed, 0), c.job, c.invocation "
        "FROM cells_without_seed c LEFT JOIN jobs j ON j.id = c.job",
        "DROP TABLE cells_without_seed",
        "ALTER TABLE holdouts ADD COLUMN predict_seconds REAL",
        "ALTER TABLE holdouts ADD COLUMN train_samples INTEGER",
        "ALTER TABLE holdouts ADD COLUMN test_samples INTEGER",
    ),
}
"""What makes a store of one version one of the next."""


def open_store(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """The store open for writing: made if it is not there, checked, of this version.

    Raises :class:`StoreError`, and :class:`sqlite3.Error` or :class:`OSError` as the system gives them.
    """
    for file in (path, *side_files(path), path.with_name(path.name + "-shm")):
        refuse_link(file)
    if not path.exists():
        _create(path)
    check_header(path)
    connection = connect(path, "rw", busy_seconds)
    try:
        try:
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except (sqlite3.DatabaseError, UnicodeError) as error:  # SQLite's message quotes what it found
            if is_busy(error):
                raise
            verdict = str(error)
        if verdict != "ok":
            raise StoreError(f"store {path} is damaged ({one_line(verdict)}); {_ADVICE}")
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("BEGIN")
        upgrade(connection, path)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path | None, mode: str = "memory", busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """The file opened ``ro`` or ``rw``. Damaged text gives other text, not an error: its checksum will not fit."""
    uri = f"{path.resolve().as_uri() if path else 'file:'}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_seconds)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def check_header(path: Path) -> bool:
    """Refuse, by reading its first bytes only, a file that is no store of this version or is cut short.

    Returns whether it is to be read with a write-ahead log. Raises :class:`StoreError`; the file is left as it is.
    (Offsets: the SQLite file format's database header.)
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
    except OSError as error:
        raise StoreError(f"store {path} cannot be read: {error.strerror}") from error
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StoreError(f"store {path} is broken ({size} bytes, not a SQLite file); {_ADVICE}")
    if _number(header, 68) != APPLICATION_ID:
        raise StoreError(f"{path} is a SQLite file of another program, not a store of results; {_ADVICE}")
    version = _number(header, 60)
    if not min(_UPGRADES) <= version <= VERSION:
        raise StoreError(
            f"store {path} has format version {version}, this program knows {min(_UPGRADES)} to {VERSION}; "
            f"use the release that wrote it, or choose another folder with --run"
        )
    page = int.from_bytes(header[16:18], "big")
    expected = (65536 if page == 1 else page) * _number(header, 28)
    # While a transaction is under way, or was cut off, its journal or log explains a difference and will mend it.
    if size < expected and not any(side.exists() for side in side_files(path)):
        raise StoreError(f"store {path} is cut short: {size} bytes where its header says {expected}; {_ADVICE}")
    return header[19] == 2


def side_files(path: Path) -> list[Path]:
    """Where SQLite keeps what is not in the store itself yet: the rollback journal and the write-ahead log."""
    return [path.with_name(path.name + suffix) for suffix in ("-journal", "-wal")]


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older store up to :data:`VERSION` in the transaction that is open, and refuse one of other tables.

    Raises :class:`sqlite3.Error` or :class:`StoreError`.
    """
    version = format_version(connection)
    # What versions without checksums stored is taken as it is; from there on nothing without a checksum is.
    sound = _sealed(connection) if 3 <= version < VERSION else None
    for step in range(version, VERSION):
        for statement in _UPGRADES[step]:
            connection.execute(statement)
    with contextlib.closing(connect(None)) as new:
        new.executescript(SCHEMA)
        if _tables(connection) != _tables(new):
            raise StoreError(f"store {path} has other tables than format version {version}; {_ADVICE}")
    if version < VERSION:
        for (job,) in connection.execute("SELECT job FROM results").fetchall():
            with contextlib.suppress(ValueError):
                if sound is None or job in sound:
                    to_result(*stored_rows(connection, job))
                    seal(connection, job)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _sealed(connection: sqlite3.Connection) -> set[str]:
    """The jobs whose result is as it was stored."""
    jobs = [job for (job,) in connection.execute("SELECT job FROM results")]
    return {job for job in jobs if sound_status(connection, job) is not None}


def format_version(connection: sqlite3.Connection) -> int:
    """The format version of an open store."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_busy(error: Exception) -> bool:
    """Whether another program holds the store."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _create(path: Path) -> None:
    """Make an empty store at ``path``; the name appears only once the file is whole and on disk."""
    with replacing(path) as unfinished, contextlib.closing(connect(unfinished, "rw")) as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
            f"PRAGMA synchronous = EXTRA; BEGIN; {SCHEMA} COMMIT;"
        )
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_ADVICE = "move it away or choose another folder with --run"


def _tables(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Tables, triggers and views with their definitions, white space aside. A user's own index does no harm."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type != 'index' AND name NOT GLOB 'sqlite_*'"
    )
    return {(kind, name, "".join(str(sql).split())) for kind, name, sql in rows}


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")

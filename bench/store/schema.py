"""The store's tables, and the checks that a file is such a store before anything writes to it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from bench.errors import StoreError

STORE_NAME = "results.sqlite"
VERSION = 2
"""Written to the file's header. Older ones are read as they are and brought up to date when they are written to."""
APPLICATION_ID = 0x52464D42
"""``RFMB`` in the file's header: a SQLite file of another program is not touched."""

BUSY_SECONDS = 60.0

_MAGIC = b"SQLite format 3\x00"

SCHEMA = """
CREATE TABLE invocations (
    number INTEGER PRIMARY KEY,
    provenance TEXT NOT NULL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, dataset TEXT NOT NULL, source TEXT NOT NULL,
    rows INTEGER NOT NULL, features INTEGER NOT NULL, classes INTEGER NOT NULL,
    method TEXT NOT NULL, protocol TEXT NOT NULL, split TEXT NOT NULL, seed INTEGER NOT NULL,
    reduction TEXT
) WITHOUT ROWID;
-- The job that currently stands for a (dataset, method, protocol): the one planned last. Results of other jobs of
-- the cell (older code, another grid) stay in the store but are not read.
CREATE TABLE cells (
    dataset TEXT NOT NULL, method TEXT NOT NULL, protocol TEXT NOT NULL,
    job TEXT NOT NULL REFERENCES jobs (id), invocation INTEGER NOT NULL REFERENCES invocations (number),
    PRIMARY KEY (dataset, method, protocol)
) WITHOUT ROWID;
CREATE TABLE results (
    job TEXT PRIMARY KEY REFERENCES jobs (id),
    invocation INTEGER NOT NULL REFERENCES invocations (number),
    status TEXT NOT NULL CHECK (status IN ('ok', 'error', 'timeout', 'oom', 'skipped')),
    reason TEXT NOT NULL, output TEXT NOT NULL,
    job_seconds REAL NOT NULL, cpu_seconds REAL NOT NULL, peak_rss_mb REAL NOT NULL,
    provenance TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE holdouts (
    job TEXT NOT NULL REFERENCES results (job) ON DELETE CASCADE,
    holdout INTEGER NOT NULL,
    accuracy REAL NOT NULL, config TEXT NOT NULL, iteration INTEGER NOT NULL,
    validation_accuracy REAL NOT NULL, fit_seconds REAL NOT NULL, path TEXT NOT NULL, details TEXT NOT NULL,
    PRIMARY KEY (job, holdout)
) WITHOUT ROWID;
"""

_UPGRADES = {1: "ALTER TABLE jobs ADD COLUMN reduction TEXT"}
"""What makes a store of one version one of the next."""


def create(path: Path) -> None:
    """Make an empty store at ``path``; the name appears only once the file is whole and on disk.

    Raises :class:`sqlite3.Error` or :class:`OSError` as the system gives them.
    """
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
            f"PRAGMA synchronous = EXTRA; BEGIN; {SCHEMA} COMMIT;"
        )
    finally:
        connection.close()
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_header(path: Path) -> None:
    """Refuse, by reading its first bytes only, a file that is no store of this version or is cut short.

    Raises :class:`StoreError`; the file is left as it is. (Offsets: the SQLite file format's database header.)
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
    # While a transaction is under way, or was cut off, its journal explains a difference and will mend it.
    if size < expected and not path.with_name(path.name + "-journal").exists():
        raise StoreError(f"store {path} is cut short: {size} bytes where its header says {expected}; {_ADVICE}")


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring an older store up to :data:`VERSION`, in one transaction. Raises :class:`sqlite3.Error`."""
    if format_version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for version in range(format_version(connection), VERSION):
        connection.execute(_UPGRADES[version])
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def format_version(connection: sqlite3.Connection) -> int:
    """The format version of an open store."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_content(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a store whose pages contradict each other. Raises :class:`StoreError`."""
    try:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise StoreError(f"store {path} is damaged ({verdict}); {_ADVICE}")


_ADVICE = "move it away or choose another folder with --run"


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")

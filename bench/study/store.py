"""The results of a study: one SQLite file in its folder, one transaction a cell, one writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.store import FolderLock
from bench.study.cell import Cell, Outcome

STUDY_STORE = "study.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS plans (
    number INTEGER PRIMARY KEY, study TEXT NOT NULL, provenance TEXT NOT NULL, cells TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS results (
    id TEXT PRIMARY KEY, plan INTEGER NOT NULL REFERENCES plans (number), cell TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'error', 'skipped')), reason TEXT NOT NULL,
    result TEXT NOT NULL, seconds REAL NOT NULL, cpu_seconds REAL NOT NULL
) WITHOUT ROWID;
"""


class StudyStore:
    """The store in ``folder``, opened for writing by the process that holds the folder's lock.

    Raises :class:`StoreError` where the folder is in use or cannot be written to, or the file is no such store.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"study folder {folder} cannot be created: {error.strerror}") from error
        self._lock = FolderLock(folder)
        self._path = folder / STUDY_STORE
        try:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._lock.release()
            raise StoreError(f"{self._path} cannot be used: {error}; move it away or choose another folder") from error
        self._plan = 0

    def plan(self, study: str, cells: Mapping[str, Cell], provenance: Mapping[str, Any]) -> None:
        """Note what is about to be computed (id: cell): the latest plan is what a report shows."""
        listed = json.dumps([[key, _as_json(cell)] for key, cell in cells.items()])
        cursor = self._write(
            "INSERT INTO plans (study, provenance, cells) VALUES (?, ?, ?)", (study, json.dumps(provenance), listed)
        )
        self._plan = int(cursor.lastrowid or 0)

    def done(self, ids: Collection[str]) -> set[str]:
        """Those of ``ids`` that have a result; errors and skipped cells have none that counts."""
        rows = self._connection.execute("SELECT id FROM results WHERE status = 'ok'")
        return {key for (key,) in rows} & set(ids)

    def record(self, identity: str, outcome: Outcome) -> None:
        """Store one outcome; it is on disk when this returns. A later one of the same cell takes its place."""
        try:
            result = json.dumps(dict(outcome.values), allow_nan=True)
        except (TypeError, ValueError) as error:
            raise StoreError(f"the result of {outcome.cell.words} cannot be stored: {error}") from error
        self._write(
            "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity,
                self._plan,
                json.dumps(_as_json(outcome.cell)),
                outcome.status,
                outcome.reason,
                result,
                outcome.seconds,
                outcome.cpu_seconds,
            ),
        )

    def close(self) -> None:
        """Give the folder back."""
        self._connection.close()
        self._lock.release()

    def _write(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path} cannot be written to: {error}; mend that, the same command goes on"
            ) from error


def read_study(folder: Path) -> tuple[str, list[Outcome], int, dict[str, Any]]:
    """The study's name, the outcomes of its latest plan, the number of cells left, and the plan's provenance.

    Raises :class:`StoreError` if the folder holds no study.
    """
    path = folder / STUDY_STORE
    if not path.is_file():
        raise StoreError(f"no study in {folder}: {STUDY_STORE} is not there")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        latest = connection.execute(
            "SELECT study, provenance, cells FROM plans ORDER BY number DESC LIMIT 1"
        ).fetchone()
        if latest is None:
            raise StoreError(f"the study in {folder} has not begun")
        study, provenance, cells = latest
        rows = connection.execute("SELECT id, status, reason, result, seconds, cpu_seconds FROM results").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    finally:
        connection.close()
    found = {row[0]: row[1:] for row in rows}
    planned = [(key, _from_json(cell)) for key, cell in json.loads(cells)]
    outcomes = [
        Outcome(cell, status, json.loads(result), reason, seconds, cpu)
        for key, cell in planned
        if key in found
        for status, reason, result, seconds, cpu in [found[key]]
    ]
    return study, outcomes, len(planned) - len(outcomes), json.loads(provenance)


def read_runs(folder: Path) -> list[tuple[dict[str, Any], int]]:
    """Runs that computed some of what the latest plan asks for: provenance, and how many of these results."""
    connection = sqlite3.connect(f"{(folder / STUDY_STORE).resolve().as_uri()}?mode=ro", uri=True)
    try:
        plans = connection.execute("SELECT number, provenance, cells FROM plans ORDER BY number").fetchall()
        computed = dict(connection.execute("SELECT id, plan FROM results").fetchall())
    except sqlite3.Error as error:
        raise StoreError(f"{folder / STUDY_STORE} cannot be read: {error}") from error
    finally:
        connection.close()
    by = [computed.get(key) for key, _ in json.loads(plans[-1][2])] if plans else []
    counted = [(json.loads(provenance), by.count(number)) for number, provenance, _ in plans]
    return [(provenance, count) for provenance, count in counted if count]


def _as_json(cell: Cell) -> list[Any]:
    return [cell.kind, dict(cell.parameters), cell.seed, cell.alone, cell.threads, cell.cost]


def _from_json(parts: list[Any]) -> Cell:
    return Cell(*parts)

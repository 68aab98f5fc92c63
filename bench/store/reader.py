"""Reading a run folder, also while a run is under way in it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from bench.errors import StoreError
from bench.records.result import HoldoutResult, Job, JobResult, RunRecord
from bench.store.schema import BUSY_SECONDS, STORE_NAME, check_header, format_version

_JOB = "jobs.id, jobs.dataset, jobs.source, rows, features, classes, jobs.method, jobs.protocol, split, seed, "
_JOB_FIELDS = 11


def read_run(folder: str | Path) -> RunRecord:
    """The current result of every job in ``folder``, ordered by dataset, method and protocol.

    A result whose job has since been superseded (its method's code or grid changed) is left out. Raises
    :class:`StoreError` if there is no store or it is broken or of another version.
    """
    folder = Path(folder)
    path = folder / STORE_NAME
    if not path.exists():
        raise StoreError(f"no results in {folder}: {STORE_NAME} is not there; is it a run folder?")
    check_header(path)
    try:
        try:
            return _read(folder, path, "ro")
        except sqlite3.OperationalError:
            # A killed run may have left a journal, and only a connection that may write can undo its transaction.
            return _read(folder, path, "rw")
    except sqlite3.Error as error:
        raise StoreError(f"store {path} cannot be read: {error}") from error


def _read(folder: Path, path: Path, mode: str) -> RunRecord:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS)
    try:
        connection.execute("BEGIN")  # one state of the store, whatever is written meanwhile
        job_columns = _JOB + ("reduction" if format_version(connection) >= 2 else "NULL")
        holdouts: dict[str, list[HoldoutResult]] = {}
        for job, *values in connection.execute(
            "SELECT job, holdout, accuracy, config, iteration, validation_accuracy, fit_seconds, path, details "
            "FROM holdouts JOIN cells USING (job) ORDER BY job, holdout"
        ):
            number, accuracy, config, iteration, validation, seconds, points, details = values
            holdouts.setdefault(job, []).append(
                HoldoutResult(
                    holdout=number,
                    accuracy=accuracy,
                    config=json.loads(config),
                    iteration=iteration,
                    validation_accuracy=validation,
                    fit_seconds=seconds,
                    path=json.loads(points),
                    details=json.loads(details),
                )
            )
        results = [
            JobResult(
                job=Job(*row[:_JOB_FIELDS]),
                status=row[11],
                reason=row[12],
                output=row[13],
                job_seconds=row[14],
                cpu_seconds=row[15],
                peak_rss_mb=row[16],
                provenance=json.loads(row[17]),
                holdouts=tuple(holdouts.get(row[0], ())),
            )
            for row in connection.execute(
                f"SELECT {job_columns}, status, reason, output, job_seconds, cpu_seconds, peak_rss_mb, provenance "
                "FROM cells JOIN jobs ON jobs.id = cells.job JOIN results ON results.job = cells.job "
                "ORDER BY cells.dataset, cells.method, cells.protocol"
            )
        ]
        planned = [
            Job(*row)
            for row in connection.execute(
                f"SELECT {job_columns} FROM cells JOIN jobs ON jobs.id = cells.job "
                "WHERE invocation = (SELECT max(number) FROM invocations) "
                "ORDER BY cells.dataset, cells.method, cells.protocol"
            )
        ]
        latest = connection.execute("SELECT provenance FROM invocations ORDER BY number DESC LIMIT 1").fetchone()
        planned_by = json.loads(latest[0]) if latest else {}
        invocations = [
            {**json.loads(provenance), "results": count}
            for provenance, count in connection.execute(
                "SELECT invocations.provenance, count(*) FROM results JOIN cells USING (job) "
                "JOIN invocations ON invocations.number = results.invocation "
                "GROUP BY invocations.number ORDER BY invocations.number"
            )
        ]
        return RunRecord(
            folder=str(folder),
            results=tuple(results),
            planned=tuple(planned),
            provenance=invocations[-1] if invocations else planned_by,
            invocations=tuple(invocations),
            planned_by=planned_by,
        )
    finally:
        connection.close()

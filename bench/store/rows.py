"""A result as the rows that are stored of it, there and back, and the checksum over them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from bench.records.measure import Kind
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult, Status

Row = Sequence[Any]

_JOB = (str, str, str, int, int, int, str, str, str, int, str | None, *[str] * 7)
_RESULT = (str, int, str, str, str, float, float, float, dict, str | None, str)
_HOLDOUT = (str, int, float, dict, int, float, float, list, dict, dict, float | None, *[int | None] * 2)
"""What the columns hold; ``dict`` and ``list`` are JSON text."""


def to_rows(result: JobResult, invocation: int) -> tuple[Row, list[Row]]:
    """The row of ``results``, its checksum still empty, and those of ``holdouts``.

    Raises :class:`ValueError` or :class:`TypeError` for a value that could not be read back.
    """
    r = result
    values = json_text(r.values) if r.values else None
    outcome = (r.status, r.reason, r.output, r.job_seconds, r.cpu_seconds, r.peak_rss_mb, r.provenance, values, "")
    return (
        _to_row((r.job.id, invocation, *outcome), _RESULT),
        [_to_row((r.job.id, *vars(holdout).values()), _HOLDOUT) for holdout in r.holdouts],
    )


def to_job(row: Row) -> Job:
    """The job of a row of ``jobs``. Raises :class:`ValueError` if it is none."""
    job = Job(*_from_row(row, _JOB))
    if job.kind not in get_args(Kind):
        raise ValueError(f"no such kind: {job.kind}")
    return job


def to_result(job: Row, result: Row, holdouts: Sequence[Row]) -> JobResult:
    """The result of its rows. Raises :class:`ValueError` if something in them is of another kind."""
    _, _, status, reason, output, seconds, cpu, peak, provenance, values, _ = _from_row(result, _RESULT)
    found = tuple(HoldoutResult(*_from_row(row, _HOLDOUT)[1:]) for row in holdouts)
    for point in (point for h in found for point in h.path if isinstance(point, dict) and "accuracy" in point):
        point["score"] = point.pop("accuracy")  # as it was called until format version 3
    if status not in get_args(Status) or not all(isinstance(point, dict) for h in found for point in h.path):
        raise ValueError("no such status, or no such path")
    values = _parsed(values, dict) if values else {}
    return JobResult(to_job(job), status, reason, found, seconds, cpu, peak, provenance, output, values)


def stored_rows(connection: sqlite3.Connection, identity: str) -> tuple[Row, Row, list[Row]]:
    """What is stored of a job and its result: the rows of ``jobs``, ``results`` (empty if none) and ``holdouts``."""
    job, result, holdouts = (
        connection.execute(f"SELECT * FROM {table} WHERE {key} = ? ORDER BY {order}", (identity,)).fetchall()
        for table, key, order in (("jobs", "id", "id"), ("results", "job", "job"), ("holdouts", "job", "holdout"))
    )
    return job[0] if job else (), result[0] if result else (), holdouts


def checksum(job: Row, result: Row, holdouts: Sequence[Row]) -> str:
    """Hash of the values as SQLite gives them, in the order of the columns, but for the checksum itself."""
    text = ascii((tuple(job), tuple(result[:-1]), [tuple(row) for row in holdouts]))
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def seal(connection: sqlite3.Connection, identity: str) -> None:
    """Store the checksum of a job's result. Raises :class:`ValueError` if the job has never been planned."""
    job, result, holdouts = stored_rows(connection, identity)
    if not job:
        raise ValueError(f"no such job: {identity}")
    fresh = checksum(job, result, holdouts)
    connection.execute("UPDATE results SET checksum = ? WHERE job = ?", (fresh, identity))


def sound_status(connection: sqlite3.Connection, identity: str) -> Status | None:
    """The status of a job's result; None if there is none, or it has been damaged since it was stored."""
    job, result, holdouts = stored_rows(connection, identity)
    return result[2] if result and result[-1] == checksum(job, result, holdouts) else None


def parsed_object(text: object) -> dict[str, Any]:
    """The JSON object in ``text``, an empty one if that is damaged."""
    try:
        return dict(_parsed(text, dict))
    except ValueError:
        return {}


def parsed_provenance(text: object) -> dict[str, Any]:
    """What was recorded of an invocation, without what is damaged in it: these rows have no checksum."""
    return sound_provenance(parsed_object(text))


def sound_provenance(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """``recorded`` of an invocation, without what a report could not take: anybody may have written to the file."""
    found = dict(recorded)
    for key in ("versions", "methods", "archive"):
        if not isinstance(found.get(key, {}), dict):
            del found[key]
    if "versions" in found:
        found["versions"] = {name: v for name, v in found["versions"].items() if isinstance(v, str)}
    if "methods" in found:
        told = {name: about for name, about in found["methods"].items() if isinstance(about, dict)}
        found["methods"] = {name: about for name, about in told.items() if isinstance(about.get("title"), str)}
    if not isinstance(found.get("results", 0), int):
        del found["results"]
    tables = found.pop("tables", {})
    sound = {name: told for name, told in tables.items() if _describes(told)} if isinstance(tables, dict) else {}
    return found | ({"tables": sound} if sound else {})


def _describes(told: object) -> bool:
    """Whether this is what a run records of a table of the user's own."""
    if not (isinstance(told, dict) and {"origin", "target", "licence", "notes", "features"} <= told.keys()):
        return False
    lists = [told[key] for key in ("notes", "features")] + [told.get("warnings", [])]
    texts = [told["origin"], told["target"], told["licence"], told.get("family", "")]
    texts += [text for each in lists if isinstance(each, list) for text in each]
    return all(isinstance(each, list) for each in lists) and all(isinstance(text, str) for text in texts)


def json_text(value: object) -> str:
    """``value`` as compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def _to_row(values: Row, kinds: Sequence[Any]) -> Row:
    return [
        json_text(_of_kind(value, kind))
        if kind in (dict, list)
        else _of_kind(value, int | kind if kind in (float, float | None) else kind)
        for value, kind in zip(values, kinds, strict=True)
    ]


def _from_row(row: Row, kinds: Sequence[Any]) -> Row:
    return [
        _parsed(value, kind) if kind in (dict, list) else _of_kind(value, kind)
        for value, kind in zip(row, kinds, strict=True)
    ]


def _parsed(text: object, kind: type) -> Any:
    try:
        return _of_kind(json.loads(_of_kind(text, str)), kind)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _of_kind(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(
            f"type {type(value).__name__} is not supported where {getattr(kind, '__name__', kind)} is expected"
        )
    return value

"""Rows of exported scores as results: what a row must say, and one job of all its rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from bench.errors import StoreError, nearest, one_line, plural
from bench.protocols.registry import PROTOCOLS
from bench.records.measure import MEASURES, SELECTING, Kind
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult, Status, job_name
from bench.records.scores import FIRST_COLUMNS, LATER_COLUMNS

COLUMNS = FIRST_COLUMNS | LATER_COLUMNS
_OF_THE_JOB = (
    "rows", "features", "classes", "source", "split", "status", "task", "metric", "job_seconds", "peak_rss_mb",
    "table_sha256", "reduction", "reason", "cpu_seconds", "ensemble", "inputs",
)  # fmt: skip
"""Columns with one value for all rows of a job."""
_OF_THE_FOLD = ("holdout", "config", "iteration", "score")
"""What a row of a job that is ``ok`` has, and no other."""

_PERCENT = ("score", *(key for key, measure in MEASURES.items() if measure.unit == "%"))
"""What is a share of rows in percent; ``score`` is one for classification."""

Value = str | int | float | None


@dataclass(frozen=True)
class ScoreRow:
    """A row's values by column, empty ones None, and where it stands, for messages."""

    path: Path
    place: str
    values: Mapping[str, Value]

    def text(self, column: str) -> str:
        return str(self.values[column] or "")

    def whole(self, column: str) -> int:
        """Of a column that must not be empty."""
        value = self.values[column]
        if not isinstance(value, int):
            raise self.error(column, "is empty")
        return value

    def number(self, column: str) -> float:
        """NaN where it is empty."""
        value = self.values[column]
        return math.nan if value is None else float(value)

    def optional(self, column: str) -> Any:
        """None where it is empty."""
        return self.values[column]

    def error(self, column: str, problem: str) -> StoreError:
        """That ``column`` of this row cannot be."""
        return StoreError(f"{self.path}, {self.place}, column {column}: {problem}")


def row_of(path: Path, place: str, texts: Mapping[str, str]) -> ScoreRow:
    """The row at ``place`` of the file ``path``, of its ``texts`` by column. Raises :class:`StoreError`."""
    values: dict[str, Value] = dict.fromkeys(COLUMNS)
    row = ScoreRow(path, place, values)
    for column, text in texts.items():
        kind = COLUMNS[column]
        values[column] = text or None
        if text and kind != "text":
            try:
                number = math.nan if "_" in text else float(text)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise row.error(column, f"{one_line(text, 60)!r} is not a number")
            if kind == "whole" and (number < 0 or number != int(number)):
                raise row.error(column, f"{one_line(text, 60)!r} is not a whole number of at least 0")
            values[column] = int(number) if kind == "whole" else number
    for column in ("dataset", "source", "method", "protocol"):
        if not values[column]:
            raise row.error(column, "is empty")
    _complete(row, values)
    return row


def _complete(row: ScoreRow, values: dict[str, Value]) -> None:
    """Fill in what older files do not have, and refuse what cannot be."""
    if row.text("status") not in get_args(Status):
        raise row.error("status", f"{row.text('status')!r} is none of {', '.join(get_args(Status))}")
    kind: Kind = "classification" if row.whole("classes") else "regression"
    if not row.whole("rows") and row.text("status") != "ok" and row.text("task") in get_args(Kind):
        kind = cast(Kind, row.text("task"))  # a table that could not be read: nobody knows its classes
    values["task"] = values["task"] or kind
    if values["task"] != kind:
        raise row.error("task", f"{row.text('task')!r} with {plural(row.whole('classes'), 'class', 'classes')}")
    values["metric"] = values["metric"] or SELECTING[kind].key
    measure = MEASURES.get(row.text("metric"))
    if measure is None or measure.kind != kind:
        known = [m.key for m in MEASURES.values() if m.kind == kind]
        hint = nearest(row.text("metric"), known)
        raise row.error("metric", f"{row.text('metric')!r} is no measure of {kind}: {hint}known: {', '.join(known)}")
    for found, earlier in (("score", SELECTING[kind].key), ("validation_score", "validation_accuracy")):
        values[found] = values[earlier] if values[found] is None else values[found]
    for column in _PERCENT if kind == "classification" else ():
        if not 0 <= float(values[column] or 0) <= 100:
            raise row.error(column, f"{values[column]:g} is outside 0 to 100 percent")
    if kind == "classification" and values["accuracy"] != values["score"]:
        raise row.error("score", f"{row.number('score'):g} where the accuracy is {row.number('accuracy'):g}")
    if (protocol := PROTOCOLS.get(row.text("protocol"))) is not None:
        for column, own in (("ensemble", protocol.ensemble), ("inputs", protocol.inputs)):
            if values[column] not in (None, own):
                raise row.error(column, f"{one_line(row.text(column), 60)!r} where {protocol.name} has {own}")
    for column in _OF_THE_FOLD:
        if (values[column] is None) == (values["status"] == "ok"):
            has = "is empty, though the job is ok" if values[column] is None else "of a job that is not ok"
            raise row.error(column, has)


def result_of(rows: Sequence[ScoreRow]) -> JobResult:
    """One job of all its rows, which must say the same of it, each of another test fold."""
    first, seen = rows[0], dict[int, ScoreRow]()
    for row in rows:
        for column in _OF_THE_JOB:
            if row.values[column] != first.values[column]:
                own, other = (one_line(r.values[column], 60) for r in (row, first))
                raise row.error(column, f"{own} where {first.place} of the same job has {other}")
        fold = row.values["holdout"]
        before = seen.setdefault(-1 if fold is None else row.whole("holdout"), row)
        if before is not row:
            what = "a failed job" if fold is None else f"test fold {fold}"
            raise row.error("holdout", f"{what} of {_named(row)} is already in {before.place}")
    kind = cast(Kind, first.text("task"))
    holdouts = tuple(_holdout(seen[fold], kind) for fold in sorted(seen) if fold >= 0)
    sums = [seen[fold].text("fold_sha256") for fold in sorted(seen) if fold >= 0]
    whole = all(sums) and [h.holdout for h in holdouts] == list(range(len(sums)))
    selected = first.text("metric")
    content = repr([[row.values[column] for column in COLUMNS] for row in rows])
    job = Job(
        id=f"scores-{hashlib.sha256(content.encode()).hexdigest()}",
        dataset=first.text("dataset"),
        source=first.text("source"),
        rows=first.whole("rows"),
        features=first.whole("features"),
        classes=first.whole("classes"),
        method=first.text("method"),
        protocol=first.text("protocol"),
        split=first.text("split"),
        seed=first.whole("seed"),
        reduction=first.text("reduction") or None,
        kind=kind,
        selected_by="" if selected == SELECTING[kind].key else selected,
        table_sha256=first.text("table_sha256"),
        fold_sha256=" ".join(sums) if whole else "",
    )
    status: Status = next(status for status in get_args(Status) if status == first.text("status"))
    return JobResult(
        job,
        status,
        first.text("reason"),
        holdouts,
        job_seconds=first.number("job_seconds"),
        cpu_seconds=first.number("cpu_seconds"),
        peak_rss_mb=first.number("peak_rss_mb"),
    )


def _holdout(row: ScoreRow, kind: Kind) -> HoldoutResult:
    try:
        config = json.loads(row.text("config"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise row.error("config", "is not a JSON object")
    found = {key: row.number(key) for key in MEASURES if MEASURES[key].kind == kind and row.values[key] is not None}
    return HoldoutResult(
        holdout=row.whole("holdout"),
        score=row.number("score"),
        config=config,
        iteration=row.whole("iteration"),
        validation_score=row.number("validation_score"),
        fit_seconds=row.number("fit_seconds"),
        measures=found if set(found) != {"accuracy"} else {},
        predict_seconds=row.optional("predict_seconds"),
        train_samples=row.optional("train_samples"),
        test_samples=row.optional("test_samples"),
    )


def _named(row: ScoreRow) -> str:
    return job_name(row.text("dataset"), row.text("method"), row.text("protocol"), row.whole("seed"))

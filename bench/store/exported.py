"""Exported scores read again: ``scores.csv``, packed or as Parquet, and the provenance next to it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from bench.errors import StoreError, nearest, one_line, plural
from bench.protocols.registry import PROTOCOLS
from bench.records.measure import MEASURES, SELECTING, Kind
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult, RunRecord, Status, job_name
from bench.records.scores import FIRST_COLUMNS, LATER_COLUMNS
from bench.store.reader import read_run
from bench.store.rows import sound_provenance
from bench.store.schema import STORE_NAME

NAMES = ("scores.csv", "scores.csv.gz", "scores.parquet")
"""What exported scores are called in a folder; the first that is there is read."""
SUFFIXES = (".csv", ".csv.gz", ".parquet")

NEVER_KEPT = ("validation paths", "learned metrics", "memory estimates", "solvers", "planned jobs that were not run")
"""What no file of scores holds of a run."""
_SINCE_THEN = {
    "auc": "measures other than accuracy",
    "table_sha256": "checksums of datasets and folds",
    "reduction": "reductions of large datasets",
    "reason": "reasons of failures",
    "cpu_seconds": "CPU seconds of whole jobs",
    "predict_seconds": "seconds of predicting",
    "test_samples": "sizes of test folds",
}
"""What else older files do not hold, by a column that they do not have."""

_COLUMNS = FIRST_COLUMNS | LATER_COLUMNS
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


def read_results(path: str | Path) -> RunRecord:
    """What a run folder holds, or a file of exported scores, or a folder with one and no store.

    Raises :class:`StoreError` naming file, row and column of what cannot be read.
    """
    path = Path(path)
    if path.name == STORE_NAME and path.is_file():
        path = path.parent
    file = scores_file(path)
    return read_run(path) if file is None else read_scores(file)


def scores_file(path: Path) -> Path | None:
    """The file of exported scores that ``path`` stands for; None for a folder with a store, or without scores."""
    if not path.is_dir():
        return path
    found = next((path / name for name in NAMES if (path / name).is_file()), None)
    return None if (path / STORE_NAME).exists() else found


def read_scores(path: Path) -> RunRecord:
    """The results in a file of exported scores, as a store gives them as far as the file says it.

    ``lacks`` of the record names what it does not. Raises :class:`StoreError`.
    """
    if not path.name.endswith(SUFFIXES):
        if not path.exists():
            raise StoreError(f"no results in {path}: there is no such folder or file")
        raise StoreError(f"{path}: no run folder, and no file of exported scores ({', '.join(SUFFIXES)})")
    try:
        header, cells = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except OSError as error:
        raise StoreError(f"{path}: the scores cannot be read: {error.strerror or one_line(error)}") from error
    rows = [_parsed(path, place, dict(zip(header, texts, strict=True))) for place, texts in cells]
    if not rows:
        raise StoreError(f"{path}: no scores in it, only a header")
    jobs: dict[tuple[Value, ...], list[_Row]] = {}
    for row in rows:
        key = tuple(row.values[name] for name in ("dataset", "method", "protocol", "seed"))
        jobs.setdefault(key, []).append(row)
    results = tuple(_result(jobs[key]) for key in sorted(jobs, key=lambda key: tuple(map(str, key))))
    invocations = _provenance(path)
    latest = invocations[-1] if invocations else {}
    return RunRecord(
        folder=str(path.parent) if path.name in NAMES and path.parent.name else str(path),
        results=results,
        planned=tuple(result.job for result in results),
        provenance=latest,
        invocations=invocations,
        planned_by=latest,
        lacks=NEVER_KEPT + tuple(words for column, words in _SINCE_THEN.items() if column not in header),
    )


@dataclass(frozen=True)
class _Row:
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


def _csv(path: Path) -> tuple[list[str], Iterator[tuple[str, list[str]]]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    lines: list[tuple[str, list[str]]] = []
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(path, header)
            for cells in reader:
                if len(cells) != len(header):
                    words = f"{plural(len(cells), 'value')} where the header has {plural(len(header), 'column')}"
                    raise StoreError(f"{path}, line {reader.line_num}: {words}")
                lines.append((f"line {reader.line_num}", cells))
    except (csv.Error, UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StoreError(f"{path}: not a CSV file of scores: {one_line(error)}") from error
    return header, iter(lines)


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[str, list[str]]]]:
    """The same texts as a CSV of the table would have; numbers come back from them to the last bit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, ValueError) as error:
        raise StoreError(f"{path}: not a Parquet file of scores: {one_line(error)}") from error
    header = [str(name) for name in table.column_names]
    _check_header(path, header)
    columns = [[_as_text(value) for value in column.to_pylist()] for column in table.columns]
    return header, ((f"row {number}", list(cells)) for number, cells in enumerate(zip(*columns, strict=True), 1))


def _as_text(value: object) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else repr(value) if isinstance(value, float) else str(value)


def _check_header(path: Path, header: Sequence[str]) -> None:
    """Refuse a file without one of the first columns, with one that scores do not have, or with one twice."""
    unknown = [name for name in header if name not in _COLUMNS]
    missing = [name for name in FIRST_COLUMNS if name not in header]
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if len(missing) == len(FIRST_COLUMNS):
        raise StoreError(f"{path}: not a file of scores: it has none of their columns (dataset, source, rows, ...)")
    problems = [f"no column {', '.join(missing)}"] if missing else []
    problems += [f"column {', '.join(twice)} more than once"] if twice else []
    if unknown:
        first = one_line(unknown[0], 60)
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        hint = nearest(first, [name for name in _COLUMNS if name not in header]).strip()
        problems.append(f"column {first!r}{more}, which scores do not have: {hint or 'drop it'}")
    if problems:
        raise StoreError(f"{path}: {'; '.join(problems)}")


def _parsed(path: Path, place: str, texts: Mapping[str, str]) -> _Row:
    values: dict[str, Value] = dict.fromkeys(_COLUMNS)
    row = _Row(path, place, values)
    for column, text in texts.items():
        kind = _COLUMNS[column]
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


def _complete(row: _Row, values: dict[str, Value]) -> None:
    """Fill in what older files do not have, and refuse what cannot be."""
    if row.text("status") not in get_args(Status):
        raise row.error("status", f"{row.text('status')!r} is none of {', '.join(get_args(Status))}")
    kind: Kind = "classification" if row.whole("classes") else "regression"
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


def _result(rows: Sequence[_Row]) -> JobResult:
    """One job of all its rows, which must say the same of it, each of another test fold."""
    first, seen = rows[0], dict[int, _Row]()
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
    kind: Kind = "classification" if first.whole("classes") else "regression"
    holdouts = tuple(_holdout(seen[fold], kind) for fold in sorted(seen) if fold >= 0)
    sums = [seen[fold].text("fold_sha256") for fold in sorted(seen) if fold >= 0]
    whole = all(sums) and [h.holdout for h in holdouts] == list(range(len(sums)))
    selected = first.text("metric")
    content = repr([[row.values[column] for column in _COLUMNS] for row in rows])
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


def _holdout(row: _Row, kind: Kind) -> HoldoutResult:
    try:
        config = json.loads(row.text("config"))
    except ValueError:
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


def _named(row: _Row) -> str:
    return job_name(row.text("dataset"), row.text("method"), row.text("protocol"), row.whole("seed"))


def _provenance(path: Path) -> tuple[dict[str, Any], ...]:
    """What was recorded of the invocations that the scores come from; nothing if it was not exported with them."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    account = path.with_name("provenance.json" if path.name in NAMES else f"{stem}-provenance.json")
    if not account.is_file():
        return ()
    try:
        found = json.loads(account.read_text(encoding="utf-8"))
        return tuple(_sound(told) for run in found for told in run["invocations"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise StoreError(f"{account}: not the provenance of exported scores: {one_line(error)}") from error


def _sound(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a report can take of ``recorded``: anybody may have written to the file."""
    found = sound_provenance(recorded)
    if not isinstance(found.get("results", 0), int):
        del found["results"]
    tables = found.pop("tables", {})
    sound = {name: told for name, told in tables.items() if _describes(told)} if isinstance(tables, dict) else {}
    return found | ({"tables": sound} if sound else {})


def _describes(told: object) -> bool:
    """Whether this is what a run records of a table of the user's own."""
    lists = ("notes", "features")
    return (
        isinstance(told, dict)
        and {"origin", "target", "licence"} <= told.keys()
        and all(isinstance(told.get(key), list) for key in lists)
    )

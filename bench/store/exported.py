"""Exported scores read again: ``scores.csv``, packed or as Parquet, and the provenance next to it."""

from __future__ import annotations

import csv
import gzip
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreError, nearest, one_line, plural
from bench.records.result import RunRecord
from bench.records.scores import FIRST_COLUMNS
from bench.store.reader import read_run
from bench.store.rows import sound_provenance
from bench.store.schema import STORE_NAME
from bench.store.score_rows import COLUMNS, ScoreRow, result_of, row_of

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
    rows = [row_of(path, place, dict(zip(header, texts, strict=True))) for place, texts in cells]
    if not rows:
        raise StoreError(f"{path}: no scores in it, only a header")
    jobs: dict[tuple[str | int | float | None, ...], list[ScoreRow]] = {}
    for row in rows:
        key = tuple(row.values[name] for name in ("dataset", "method", "protocol", "seed"))
        jobs.setdefault(key, []).append(row)
    results = tuple(result_of(jobs[key]) for key in sorted(jobs, key=lambda key: tuple(map(str, key))))
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
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in FIRST_COLUMNS if name not in header]
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if len(missing) == len(FIRST_COLUMNS):
        raise StoreError(f"{path}: not a file of scores: it has none of their columns (dataset, source, rows, ...)")
    problems = [f"no column {', '.join(missing)}"] if missing else []
    problems += [f"column {', '.join(twice)} more than once"] if twice else []
    if unknown:
        first = one_line(unknown[0], 60)
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        hint = nearest(first, [name for name in COLUMNS if name not in header]).strip()
        problems.append(f"column {first!r}{more}, which scores do not have: {hint or 'drop it'}")
    if problems:
        raise StoreError(f"{path}: {'; '.join(problems)}")


def _provenance(path: Path) -> tuple[dict[str, Any], ...]:
    """What was recorded of the invocations that the scores come from; nothing if it was not exported with them."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    account = path.with_name("provenance.json" if path.name in NAMES else f"{stem}-provenance.json")
    if not account.is_file():
        return ()
    try:
        found = json.loads(account.read_text(encoding="utf-8"))
        return tuple(sound_provenance(told) for run in found for told in run["invocations"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise StoreError(f"{account}: not the provenance of exported scores: {one_line(error)}") from error

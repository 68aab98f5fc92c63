"""``predictions/`` in the run folder: what each job predicted on its test rows, one Parquet file a job.

Columns: ``holdout``, ``row`` (its number in the table, from 0), ``truth``, and ``score_0``, ``score_1``, ... by class,
or ``prediction`` for regression. The classes of an own table are named, in this order, in ``provenance.json``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import StoreError
from bench.files import refuse_link, replacing
from bench.records.result import Job, JobResult
from bench.run.events import Event
from bench.run.progress import Progress

FOLDER = "predictions"
_JOB = b"job"


class PredictionFiles:
    """The files in the run folder ``folder``; called as an observer of the run, it writes those of finished jobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def __call__(self, progress: Progress, event: Event) -> None:
        """Write what ``event`` brought, if it is a result. Raises :class:`StoreError` if that cannot be done."""
        if isinstance(event, JobResult) and event.predictions:
            self._write(event)

    def lacks(self, job: Job) -> bool:
        """Whether what ``job`` predicted is not there."""
        return _job_of(self._path(job)) != job.id

    def drop_others(self, jobs: Collection[str]) -> None:
        """Remove what other jobs than these (their ids) predicted: their results do not stand any more."""
        if self._folder.is_symlink():
            return
        for path in self._folder.glob("*.parquet"):
            job = _job_of(path)
            if job is not None and job not in jobs:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, job: Job) -> Path:
        seed = f"-seed{job.seed}" if job.seed else ""
        return self._folder / f"{job.dataset}-{job.method}-{job.protocol}{seed}.parquet"

    def _write(self, result: JobResult) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        path = self._path(result.job)
        table = pa.table(_columns(result)).replace_schema_metadata({_JOB: result.job.id.encode()})
        try:
            refuse_link(self._folder)
            self._folder.mkdir(exist_ok=True)
            with replacing(path) as temporary:
                parquet.write_table(table, temporary)
        except OSError as error:
            raise StoreError(f"{path}: the predictions cannot be written: {error.strerror or error}") from error


def _job_of(path: Path) -> str | None:
    """The id of the job that wrote the file; None for one that is not there, damaged or of another origin."""
    import pyarrow.parquet as parquet

    with contextlib.suppress(Exception):
        job = (parquet.read_schema(path).metadata or {}).get(_JOB)
        return None if job is None else job.decode()
    return None


def _columns(result: JobResult) -> dict[str, Any]:
    parts = result.predictions
    scores = np.concatenate([np.asarray(part["scores"], dtype=np.float64) for part in parts])
    columns: dict[str, Any] = {
        "holdout": np.repeat([part["holdout"] for part in parts], [len(part["rows"]) for part in parts]),
        "row": np.concatenate([part["rows"] for part in parts]),
        "truth": np.concatenate([part["truth"] for part in parts]),
    }
    if result.job.kind == "regression":
        return columns | {"prediction": scores[:, 0]}
    return columns | {f"score_{code}": scores[:, code] for code in range(scores.shape[1])}

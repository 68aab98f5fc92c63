"""Choosing what runs the jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.run.local import LocalExecutor
from bench.run.resources import available_cores, default_memory_budget
from bench.run.runner import Executor


@contextlib.contextmanager
def open_executor(
    name: str, scheduler: str | None, folder: Path, size: int, memory_bytes: int | None
) -> Iterator[Executor]:
    """The executor called ``name`` (``local`` or ``dask``) for the run in ``folder``, closed at the end.

    ``memory_bytes`` None means the default budget of whatever machine the jobs run on.
    """
    if name == "dask":
        from bench.run.dask import DaskExecutor

        with contextlib.closing(DaskExecutor(scheduler, size, memory_bytes)) as cluster:
            yield cluster
    else:
        yield LocalExecutor(folder, size, memory_bytes or default_memory_budget(), available_cores())

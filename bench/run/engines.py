"""Choosing what runs the jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from bench.run.identity import imported_modules
from bench.run.jobs import NamedMethod
from bench.run.pool import Pool
from bench.run.resources import available_cores, default_memory_budget
from bench.run.runner import Engine


@contextlib.contextmanager
def open_engine(
    name: str, scheduler: str | None, size: int, memory_bytes: int | None, methods: Sequence[NamedMethod]
) -> Iterator[Engine]:
    """The engine called ``name`` (``local`` or ``dask``), closed at the end.

    ``memory_bytes`` None means the default budget of whatever machine the jobs run on.
    """
    preload = preload_for(methods)
    if name == "dask":
        from bench.run.dask_engine import DaskEngine

        with contextlib.closing(DaskEngine(scheduler, size, memory_bytes, methods, preload)) as cluster:
            yield cluster
    else:
        with Pool(size, memory_bytes or default_memory_budget(), available_cores(), preload) as pool:
            yield pool


def preload_for(methods: Sequence[NamedMethod]) -> list[str]:
    """Modules that workers should have loaded before they are forked: the methods' own and all they import."""
    modules: dict[str, None] = {}
    for named in methods:
        modules.update(dict.fromkeys(imported_modules(named.method)))
        modules[type(named.method).__module__] = None
    return list(modules)

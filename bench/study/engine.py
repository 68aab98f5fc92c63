"""Computes the cells of a study that have no result yet, and stores each as it comes."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TextIO

from bench.errors import EngineError
from bench.run.progress import clock
from bench.run.provenance import invocation, without_folders
from bench.run.resources import available_cores
from bench.study.cell import Cell, Outcome, Skip, Study
from bench.study.code import source_version
from bench.study.store import StudyStore


def run_study(study: Study, folder: Path, *, quick: bool, jobs: int, arguments: Sequence[str], screen: TextIO) -> bool:
    """Compute what is missing; True if no cell failed. Raises :class:`EngineError` if a worker process died."""
    versions = {kind: source_version(study.module(kind)) for kind in study.kinds}
    cells = {cell.identity(versions[cell.kind]): cell for cell in study.cells(quick)}
    store = StudyStore(folder)
    try:
        store.plan(study.name, cells, {**invocation(0, jobs, arguments), "code": versions, "quick": quick})
        done = store.done(cells)
        todo = {key: cell for key, cell in cells.items() if key not in done}
        if done:
            screen.write(f"{len(done)} of {len(cells)} cells have results already\n")
        failed = 0
        progress = _Progress(screen, len(todo), sum(cell.cost for cell in todo.values()), jobs)
        for key, outcome in _outcomes(study, todo, jobs):
            store.record(key, outcome)
            failed += outcome.status == "error"
            progress.finished(outcome)
        return failed == 0
    finally:
        store.close()


def _outcomes(study: Study, todo: Mapping[str, Cell], jobs: int) -> Iterator[tuple[str, Outcome]]:
    """Outcomes as they come: first the cells that go side by side, then, one at a time, those that go alone."""
    together = sorted((key for key in todo if not todo[key].alone), key=lambda key: -todo[key].cost)
    if together:
        # Imported here: a report alone needs no workers.
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=2 * jobs)
        try:
            yield from parallel(delayed(_computed)(study.kinds[todo[key].kind], key, todo[key]) for key in together)
        except TerminatedWorkerError as error:
            raise EngineError(
                "a worker process was killed, most likely for want of memory: what was finished is stored, "
                "the same command goes on; --jobs 1 takes less memory"
            ) from error
    for key in sorted((key for key in todo if todo[key].alone), key=lambda key: todo[key].cost):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            try:
                yield fresh.submit(_computed, study.kinds[todo[key].kind], key, todo[key]).result()
            except BrokenProcessPool:
                yield key, Outcome(todo[key], "error", {}, "its process was killed, most likely for want of memory")


def _computed(target: str, key: str, cell: Cell) -> tuple[str, Outcome]:
    """In a worker: the cell's outcome; whatever goes wrong in it is its result."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = cell.threads or available_cores()
    torch.set_num_threads(threads)
    compute = Study("", "", {cell.kind: target}, lambda quick: []).compute(cell.kind)
    wall, cpu = time.perf_counter(), time.process_time()

    def outcome(status: Any, values: Mapping[str, Any], reason: str = "") -> tuple[str, Outcome]:
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        return key, Outcome(cell, status, values, reason, seconds, cpu_seconds)

    try:
        with threadpool_limits(threads):
            return outcome("ok", compute(cell.parameters, cell.seed))
    except Skip as reason:
        return outcome("skipped", {}, str(reason))
    except Exception as error:  # a cell's failure is its result
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return outcome("error", {}, without_folders(words))


class _Progress:
    """A line a few seconds: cells done, what just finished, and the time left by the share of the cost that is done."""

    _PAUSE_SECONDS = 5.0

    def __init__(self, screen: TextIO, count: int, cost: float, jobs: int) -> None:
        self._screen, self._count, self._cost, self._jobs = screen, count, cost, jobs
        self._done, self._spent, self._began, self._said = 0, 0.0, time.monotonic(), -self._PAUSE_SECONDS

    def finished(self, outcome: Outcome) -> None:
        """Count it; say so if it failed, was the last, or nothing was said for a while."""
        self._done += 1
        self._spent += outcome.cell.cost
        now = time.monotonic()
        if outcome.status != "ok":
            self._say(f"{outcome.status} {outcome.cell.words}: {outcome.reason}")
        elif now - self._said < self._PAUSE_SECONDS and self._done < self._count:
            return
        left = (now - self._began) * (self._cost - self._spent) / max(self._spent, 1e-9)
        self._say(f"{self._done}/{self._count} cells, about {clock(left)} left; {outcome.cell.words}")
        self._said = now

    def _say(self, words: str) -> None:
        self._screen.write(words + "\n")
        self._screen.flush()

"""From tables x methods to jobs: what is to be run, how long it may take and how much memory it may need."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from bench.data.splits import HOLDOUTS, TRAIN_SHARE
from bench.errors import DataInvalid, DataUnavailable
from bench.protocols import get_protocol
from bench.protocols.reduction import LARGE_ROWS, reduction
from bench.protocols.strata import VALIDATION_SHARE
from bench.records.dataset import Dataset, Splits
from bench.records.method import Method
from bench.records.result import Job, JobResult, Status
from bench.run.identity import code_version, job_id, splits_hash
from bench.run.tables import pack, share
from bench.run.verdict import printable

LARGE_BYTES = 1 << 30
"""A job that states a larger peak than this works on matrices worth all cores; it runs alone, with all of them.

The rule looks at the job only, never at ``--jobs``: the number of threads can change the last digit of a result.
"""


class TableEntry(Protocol):
    """What expanding a table needs to know of its registry entry."""

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def features(self) -> int: ...
    @property
    def classes(self) -> int: ...


@dataclass(frozen=True)
class NamedMethod:
    """A method and the name under which another process finds it (``rfm``, or ``package.module:Class``)."""

    spec: str
    method: Method


@dataclass(frozen=True)
class SharedTable:
    """A table in shared memory: its key (which the workers cache it under) and its file descriptor."""

    key: str
    descriptor: int

    def read(self) -> bytes:
        """The packed table, for a worker on another machine."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)


@dataclass(frozen=True)
class Task:
    """A job ready to be sent to a worker."""

    job: Job
    spec: str
    table: SharedTable
    estimated_bytes: int
    """The method's own estimate of its peak beyond the idle worker."""
    expected_seconds: float
    timeout_seconds: float

    @property
    def large(self) -> bool:
        """Whether the job gets all cores."""
        return self.estimated_bytes > LARGE_BYTES


@dataclass(frozen=True)
class Plan:
    """All jobs of a run: the ``tasks`` that can be tried, longest first, and the results known without trying."""

    tasks: tuple[Task, ...]
    settled: tuple[JobResult, ...]

    def release(self) -> None:
        """Free the tables' shared memory; the tasks cannot be run any more."""
        for descriptor in {t.table.descriptor for t in self.tasks}:
            os.close(descriptor)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job of the plan."""
        return tuple(t.job for t in self.tasks) + tuple(r.job for r in self.settled)


def joined(plans: Iterable[Plan]) -> Plan:
    """Several plans as one, again longest first."""
    parts = list(plans)
    tasks = [task for plan in parts for task in plan.tasks]
    return Plan(tuple(sorted(tasks, key=_longest_first)), tuple(r for plan in parts for r in plan.settled))


def _longest_first(task: Task) -> tuple[float, str, str]:
    return -task.expected_seconds, task.job.dataset, task.job.method


def default_timeout(expected_seconds: float) -> float:
    """Seconds after which a job counts as hung: an hour, or twenty times what its method expects if that is longer."""
    return max(3600.0, 20.0 * expected_seconds)


def expected_seconds(method: Method, n: int, d: int, c: int, splits: Splits) -> float:
    """Seconds on one core: ``method``'s own figure, which is for :data:`HOLDOUTS` hold-outs, brought to ``splits``.

    To choose on ``tuning_rows`` training rows costs what it costs on a table of which they are the training part. What
    is chosen is fitted on all training rows all the same: that is one of the fits, as many as the grid has
    configurations and one, of a table so much larger that its choosing keeps as many rows from validation.

    A method whose figure counts the reduction itself (:func:`_counts_reduction`) has said just that; unreduced it is
    taken to cost what it costs at :data:`LARGE_ROWS`, times the cube of how many times more rows there are.
    """
    share = len(splits.holdouts) / HOLDOUTS
    if splits.tuning_rows is None or splits.tuning_rows >= TRAIN_SHARE * n:
        if n > LARGE_ROWS and _counts_reduction(method.work, d, c):
            return share * (n / LARGE_ROWS) ** 3 * method.work(LARGE_ROWS, d, c)
        return share * method.work(n, d, c)
    if _counts_reduction(method.work, d, c):
        return len(splits.holdouts) * method.work(n, d, c)
    fit = method.work(math.ceil(n / (1 - VALIDATION_SHARE)), d, c) / (len(method.configurations()) + 1)
    return share * (method.work(math.ceil(splits.tuning_rows / TRAIN_SHARE), d, c) + fit)


def expected_bytes(method: Method, n: int, d: int, c: int, protocol: str, splits: Splits) -> float:
    """Peak memory beyond the idle worker's: ``method``'s own figure, which is for `clean`, brought to ``protocol``.

    `relearn` and `published` choose on two samples of ``tuning_rows``: that takes no less than a table of so many.
    """
    peak = method.peak_bytes(n, d, c)
    if splits.tuning_rows is None or get_protocol(protocol).selected_on != "tuning halves":
        return peak
    return max(peak, method.peak_bytes(min(n, 2 * splits.tuning_rows), d, c))


def _counts_reduction(work: Callable[[int, int, int], float], d: int, c: int) -> bool:
    """Whether a method's ``work`` is, beyond :data:`LARGE_ROWS`, that of one hold-out of the reduced table.

    It is where it falls: kernel methods, whose grid and whose last fit are solved in different ways, state it so.
    """
    return work(LARGE_ROWS + 1, d, c) < work(LARGE_ROWS, d, c)


AnyEntry = TypeVar("AnyEntry", bound=TableEntry)


def expand_jobs(
    entries: Iterable[AnyEntry],
    methods: Sequence[NamedMethod],
    protocol: str,
    seed: int,
    *,
    source: str,
    load: Callable[[AnyEntry], Dataset],
    splits_for: Callable[[Dataset, int], Splits],
    timeout: float | None = None,
) -> Plan:
    """The plan for every table under every method.

    Each table is loaded once, put into shared memory and dropped. A table that is not to be had makes its jobs
    ``skipped``, one that is broken makes them ``error``, and a method's own limitation ``skipped``; the rest go on.
    """
    versions = {m.method.name: code_version(m.method) for m in methods}
    tasks: list[Task] = []
    settled: list[JobResult] = []
    for entry in entries:
        try:
            dataset = load(entry)
            splits = splits_for(dataset, seed)
        except (DataUnavailable, DataInvalid) as fault:
            status: Status = "skipped" if isinstance(fault, DataUnavailable) else "error"
            settled += [
                JobResult(_untried(entry, m.method, protocol, seed, source, versions), status, printable(str(fault)))
                for m in methods
            ]
            continue
        n, d = dataset.X.shape
        base = Job(
            id="",
            dataset=entry.name,
            source=dataset.source,
            rows=n,
            features=d,
            classes=dataset.n_classes,
            method="",
            protocol=protocol,
            split=splits.name,
            seed=seed,
            reduction=reduction(splits),
        )
        table_hash, rows_hash = dataset.sha256, splits_hash(splits)
        table: SharedTable | None = None
        for m in methods:
            identity = job_id(
                method=m.method.name,
                configurations=m.method.configurations(),
                code=versions[m.method.name],
                protocol=protocol,
                seed=seed,
                splits=rows_hash,
                table=table_hash,
            )
            job = replace(base, id=identity, method=m.method.name)
            try:
                limitation = m.method.limitation(n, d, dataset.n_classes)
                expected, peak = _estimates(m.method, n, d, dataset.n_classes, protocol, splits)
            except Exception as fault:  # a plug-in's own code: its job fails, the others go on
                reason = printable(f"its own estimates: {type(fault).__name__}: {fault}")
                settled.append(JobResult(job, "error", reason))
                continue
            if limitation is not None:
                settled.append(JobResult(job, "skipped", limitation))
                continue
            if table is None:
                table = SharedTable(key=f"{table_hash}-{rows_hash}", descriptor=share(pack(dataset, splits)))
            tasks.append(
                Task(
                    job=job,
                    spec=m.spec,
                    table=table,
                    estimated_bytes=peak,
                    expected_seconds=expected,
                    timeout_seconds=default_timeout(expected) if timeout is None else timeout,
                )
            )
    return Plan(tuple(sorted(tasks, key=_longest_first)), tuple(settled))


def _estimates(method: Method, n: int, d: int, c: int, protocol: str, splits: Splits) -> tuple[float, int]:
    """(expected seconds, peak bytes). Raises ``ValueError`` if ``method`` states what are no such figures."""
    expected = expected_seconds(method, n, d, c, splits)
    peak = expected_bytes(method, n, d, c, protocol, splits)
    if not (math.isfinite(expected) and expected >= 0 and math.isfinite(peak) and peak >= 0):
        raise ValueError(f"work and peak_bytes must be finite and not negative, got {expected} s and {peak} bytes")
    return expected, int(peak)


def _untried(entry: TableEntry, method: Method, protocol: str, seed: int, source: str, versions: dict[str, str]) -> Job:
    """The job of a table that could not be read: known by name and by the sizes in the registry."""
    identity = job_id(
        method=method.name,
        configurations=method.configurations(),
        code=versions[method.name],
        protocol=protocol,
        seed=seed,
        splits="",
        table=f"unread:{source}:{entry.name}",
    )
    return Job(
        id=identity,
        dataset=entry.name,
        source=source,
        rows=entry.rows,
        features=entry.features,
        classes=entry.classes,
        method=method.name,
        protocol=protocol,
        split="",
        seed=seed,
    )

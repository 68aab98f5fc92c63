"""What is to be run: tasks in their order, those that tune alike as one, parts of a plan, and what another run has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.records.result import Job, JobResult, RunRecord
from bench.run.work import MethodWork, Work


@dataclass(frozen=True)
class Task:
    """A job ready to be run, and ``further`` ones that tune alike."""

    job: Job
    work: Work
    estimated_bytes: int
    """The method's own estimate of its peak beyond the idle process."""
    expected_seconds: float
    timeout_seconds: float
    alone: bool = False
    """It runs alone."""
    all_cores: bool = False
    """Its linear algebra has all cores instead of one."""
    further: tuple[Job, ...] = ()
    """Jobs that its work does as well: those of the further protocols of :class:`MethodWork`."""


@dataclass(frozen=True)
class Plan:
    """All jobs of a run: the ``tasks`` that can be tried, longest first, and the results known without trying."""

    tasks: tuple[Task, ...]
    settled: tuple[JobResult, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job of the plan."""
        return tuple(t.job for t in self.tasks) + tuple(r.job for r in self.settled)


def joined(plans: Iterable[Plan]) -> Plan:
    """Several plans as one, again longest first."""
    parts = list(plans)
    return longest_first((t for plan in parts for t in plan.tasks), (r for plan in parts for r in plan.settled))


def longest_first(tasks: Iterable[Task], settled: Iterable[JobResult]) -> Plan:
    """The plan of ``tasks`` in their order, and of the results known without trying."""
    return Plan(tuple(sorted(tasks, key=_length)), tuple(settled))


def _length(task: Task) -> tuple[float, str, str, int]:
    return -task.expected_seconds, task.job.dataset, task.job.method, task.job.seed


def refused(task: Task, memory_bytes: int) -> JobResult:
    """The result of a job that states a larger peak than ``memory_bytes``; it is not tried."""
    needed = task.estimated_bytes / 1e6
    reason = f"needs about {needed:,.0f} MB, more than the memory budget of {memory_bytes / 1e6:,.0f} MB (--memory-gb)"
    return JobResult(task.job, "skipped", reason, provenance={"memory_estimate_mb": needed})


def one_of_each_method(tasks: Sequence[Task]) -> list[Task]:
    """A task for every method: what its work says of code and libraries holds for all of that method's."""
    return list({task.job.method: task for task in tasks}.values())


def together(tasks: Sequence[Task]) -> list[Task]:
    """``tasks`` with those that tune alike as one, which stands where the first of them stood.

    They are the same method, on the same rows, with the same seed, under protocols of one :attr:`Protocol.tuning`.
    """
    groups: dict[Any, list[Task]] = {}
    for task in tasks:
        groups.setdefault(_fits_of(task), []).append(task)
    return [_as_one(group) for group in groups.values()]


def _fits_of(task: Task) -> Any:
    """What decides which fits a task makes to select; a task that cannot share them has its own."""
    work = task.work
    if not isinstance(work, MethodWork) or work.data is None:
        return task.job.id
    (protocol,) = work.protocols
    return (
        work.spec,
        task.job.method,
        protocol.tuning,
        work.seed,
        task.job.dataset,
        work.data_key,
        work.select,
        work.keep_predictions,
        work.device,
        task.all_cores,
    )


def _as_one(group: Sequence[Task]) -> Task:
    first, *rest = group
    if not rest:
        return first
    assert isinstance(first.work, MethodWork)
    every = tuple(task.work.protocols[0] for task in group if isinstance(task.work, MethodWork))
    return replace(
        first,
        work=replace(first.work, protocols=every),
        further=tuple(task.job for task in rest),
        estimated_bytes=max(task.estimated_bytes for task in group),
        expected_seconds=max(task.expected_seconds for task in group),
        timeout_seconds=max(task.timeout_seconds for task in group),
    )


def shard(plan: Plan, index: int, count: int) -> Plan:
    """The ``index``-th of ``count`` parts of a plan (from 1), each with about as many jobs.

    Which part a job is in is decided by the names and seeds in the plan alone, so that it is the same on every machine,
    whatever datasets can be read there.
    """

    def place(job: Job) -> str:
        return hashlib.sha256(f"{job.dataset}/{job.method}/{job.seed}".encode()).hexdigest()

    mine = set(sorted({place(job) for job in plan.jobs})[index - 1 :: count])
    return Plan(
        tuple(task for task in plan.tasks if place(task.job) in mine),
        tuple(result for result in plan.settled if place(result.job) in mine),
    )


def keep_versions(plan: Plan, record: RunRecord) -> Plan:
    """``plan`` with the jobs of ``record`` in place of those that differ from them in library versions alone."""
    sound = _sound_jobs(record)
    return replace(plan, tasks=tuple(replace(t, job=sound.get(t.job.work, t.job)) for t in plan.tasks))


def outdated_versions(plan: Plan, record: RunRecord) -> dict[str, str]:
    """Of jobs that are planned anew for their libraries' versions alone, by id: ``numpy 2.3 -> 2.4``."""
    sound = _sound_jobs(record)
    changed = {}
    for task in plan.tasks:
        before = sound.get(task.job.work)
        if before is not None and before.id != task.job.id:
            old, new = (dict(word.rsplit(" ", 1) for word in j.versions.split(", ")) for j in (before, task.job))
            differing = [k for k in sorted(old | new) if old.get(k) != new.get(k)]
            words = [f"{k} {old.get(k, 'none')} -> {new.get(k, 'none')}" for k in differing]
            changed[task.job.id] = ", ".join(words)
    return changed


def _sound_jobs(record: RunRecord) -> dict[str, Job]:
    """Jobs that have an ``ok`` result, by their work: the hash of all but the libraries' versions."""
    return {result.job.work: result.job for result in record.results if result.status == "ok" and result.job.work}


def default_timeout(expected_seconds: float) -> float:
    """Seconds after which a job counts as hung: an hour, or twenty times what its method expects if that is longer."""
    return max(3600.0, 20.0 * expected_seconds)

"""The nouns of a run: a job, and what became of it. Plain data, picklable and JSON-able."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bench.records.measure import Kind
from bench.records.method import HoldoutResult

Status = Literal["ok", "error", "timeout", "oom", "skipped"]


@dataclass(frozen=True)
class Job:
    """One unit of scheduling: a (dataset, method, protocol, seed) with everything its outcome depends on.

    ``id`` is the hash of the effective configuration (method, its grid and code version, protocol, split
    indices, table's sha256, seed), never of names alone. ``split`` is ``published`` or ``seed-N``, and empty for a
    table that could not be read, whose sizes are the registry's. ``reduction`` says in words what was taken from the
    splits (:func:`bench.protocols.reduction.reduction`); None if the job is the full one. ``classes`` is 0 for
    regression.
    """

    id: str
    dataset: str
    source: str
    rows: int
    features: int
    classes: int
    method: str
    protocol: str
    split: str
    seed: int
    reduction: str | None = None
    work: str = ""
    """The hash of the effective configuration without the versions of libraries."""
    versions: str = ""
    """Those of the libraries that compute it, as text: ``numpy 2.4, torch 2.13``."""
    parameters: str = ""
    """Of a study's cell, as JSON; empty for a benchmark job."""
    kind: Kind = "classification"
    """What is predicted."""
    selected_by: str = ""
    """The measure that selects, if it is not the kind's own."""
    table_sha256: str = ""
    """The table's checksum; empty in results of before it was recorded, as is what follows."""
    fold_sha256: str = ""
    """Those of the test folds in their order (:func:`bench.run.identity.fold_hashes`), separated by blanks."""

    @property
    def folds(self) -> tuple[str, ...]:
        """The checksums of the test folds, in order."""
        return tuple(self.fold_sha256.split())

    @property
    def name(self) -> str:
        """``dataset/method (protocol)``; a seed other than 0 is named too."""
        return job_name(self.dataset, self.method, self.protocol, self.seed)


def job_name(dataset: str, method: str, protocol: str, seed: int) -> str:
    """What messages call a job."""
    return f"{dataset}/{method} ({protocol}{f', seed {seed}' if seed else ''})"


@dataclass(frozen=True)
class JobResult:
    """What became of a job. ``holdouts`` is empty unless ``status`` is ``ok``; ``reason`` is empty if it is."""

    job: Job
    status: Status
    reason: str = ""
    holdouts: tuple[HoldoutResult, ...] = ()
    job_seconds: float = 0.0
    """Wall seconds of the whole job."""
    cpu_seconds: float = 0.0
    peak_rss_mb: float = 0.0
    """Largest resident size of the process during the job, its loaded libraries included."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Of the process that ran the job: ``cpu, cores, versions, threads``; and its memory beyond the idle process, in
    MB: ``memory_estimate_mb`` (the method's own), ``memory_allowed_mb``, ``memory_peak_mb`` (measured)."""
    output: str = ""
    """Last lines the job wrote to standard output and error, the traceback included; kept for failures only."""
    values: dict[str, Any] = field(default_factory=dict)
    """What a study's cell computed."""
    predictions: tuple[dict[str, Any], ...] = ()
    """By test fold ``holdout, rows, truth, scores``, if they were asked for; not part of the store."""
    further: tuple[JobResult, ...] = ()
    """Of the jobs that its process did as well, each stored as its own."""


@dataclass(frozen=True)
class RunRecord:
    """All that a run folder holds, as the report reads it: one current result per job, and where it came from.

    ``planned`` are the jobs the last invocation meant to run (those without a result were left undone), and
    ``planned_by`` is that invocation. ``invocations`` are those that produced at least one of the ``results``, oldest
    first; each has the keys ``versions, cpu, cores, platform, threads, seeds, commit, command, started`` and
    ``results``, the number of current results it produced. ``provenance`` is the last of them: a later invocation that
    found everything done says nothing about where the results come from. Without any result it is ``planned_by``.
    ``damaged`` names the results that are stored but no longer as they were written, ``dataset/method (protocol)``
    each: they are not among the ``results``, and the command that made them runs them again.
    """

    folder: str
    results: tuple[JobResult, ...]
    planned: tuple[Job, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    invocations: tuple[dict[str, Any], ...] = ()
    planned_by: dict[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """What is not known of these results, in words: they were read from exported scores."""

"""From datasets x methods to jobs: what is to be run, how long it may take and how much memory it may need."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Protocol, TypeVar

from bench import protocols
from bench.data.splits import taken
from bench.errors import DataInvalid, DataUnavailable, MethodError, UsageError
from bench.methods import get_method
from bench.protocols import Predicted, carry_out_together
from bench.protocols.rows import encoded_width
from bench.records.dataset import Dataset, Splits
from bench.records.measure import Kind, Measure
from bench.records.method import CPU, Method
from bench.records.result import Job, JobResult, RunRecord, Status
from bench.run.devices import HOST_BYTES, device_of, require
from bench.run.estimates import counted_rows, estimates
from bench.run.identity import Fingerprint, fingerprint, fold_hashes, imported_modules, job_ids, splits_hash
from bench.run.provenance import REASON_CHARACTERS, printable

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
    @property
    def kind(self) -> Kind: ...


@dataclass(frozen=True)
class NamedMethod:
    """A method and the name under which another process finds it (``rfm``, or ``package.module:Class``)."""

    spec: str
    method: Method


class Work(Protocol):
    """What a job computes. It travels to the process that does it, and so does what ``data`` it needs."""

    @property
    def data(self) -> Any:
        """What is large and shared by several jobs; None if there is nothing."""

    @property
    def data_key(self) -> str:
        """Names ``data``: equal keys, equal data."""

    def run(self) -> dict[str, Any]:
        """The outcome as plain data: ``{"holdouts": [...]}`` or ``{"values": {...}}``."""

    @property
    def device(self) -> str:
        """Where it is computed: one of :data:`bench.records.method.DEVICES`."""

    def fingerprint(self) -> Fingerprint:
        """Of the code and the libraries that compute it in this process."""

    def modules(self) -> tuple[str, ...]:
        """What the fork server should have loaded."""


@dataclass(frozen=True)
class MethodWork:
    """A method on a dataset, under protocols that tune alike."""

    spec: str
    protocols: tuple[protocols.Protocol, ...]
    seed: int
    data: tuple[Dataset, Splits] | None
    data_key: str
    select: Measure | None = None
    keep_predictions: bool = False
    device: str = CPU

    def run(self) -> dict[str, Any]:
        """The outcome on every test fold under the first protocol, and under ``further`` those of the others.

        What one of them alone cannot do is its own error. ``spared_seconds`` are those of CPU time that the others
        have added.
        """
        assert self.data is not None
        require(self.device)
        predicted: list[Predicted] = []
        began = time.process_time()
        found = carry_out_together(
            get_method(self.spec),
            *self.data,
            self.protocols,
            self.seed,
            select=self.select,
            keep=predicted.append if self.keep_predictions else lambda each: None,
            device=self.device,
        )
        together = time.process_time() - began
        outcomes: list[dict[str, Any]] = []
        for protocol, results in zip(self.protocols, found, strict=True):
            if isinstance(results, MethodError):
                if len(self.protocols) == 1:
                    raise results
                traceback.print_exception(results)
                outcomes.append({"status": "error", "reason": str(results)[:REASON_CHARACTERS]})
                continue
            alone = sum(result.fit_seconds for result in results)
            outcome: dict[str, Any] = {"holdouts": [asdict(result) for result in results]}
            if len(self.protocols) > 1:
                outcome["spared_seconds"] = max(0.0, together - alone)
            if self.keep_predictions:
                outcome["predictions"] = [vars(each) for each in predicted if each.protocol == protocol.name]
            outcomes.append(outcome)
        first, *further = outcomes
        return first | ({"further": further} if further else {})

    def fingerprint(self) -> Fingerprint:
        """Of the method here."""
        return method_fingerprint(get_method(self.spec), self.device)

    def modules(self) -> tuple[str, ...]:
        """The method's own, and all that it imports."""
        method = get_method(self.spec)
        found = imported_modules(type(method).__module__, method.code)
        return found if self.device == CPU else (*found, "torch")  # which says what the device is


def method_fingerprint(method: Method, device: str = CPU) -> Fingerprint:
    """Of a method on ``device`` and of all that hands it its rows and labels."""
    return fingerprint(type(method).__module__, method.code, device=device)


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
    tasks = [task for plan in parts for task in plan.tasks]
    return Plan(tuple(sorted(tasks, key=_longest_first)), tuple(r for plan in parts for r in plan.settled))


def _longest_first(task: Task) -> tuple[float, str, str, int]:
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

    mine = set(sorted(place(job) for job in plan.jobs)[index - 1 :: count])
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


AnyEntry = TypeVar("AnyEntry", bound=TableEntry)


def expand_jobs(
    entries: Iterable[AnyEntry],
    methods: Sequence[NamedMethod],
    wanted: Sequence[protocols.Protocol],
    seeds: Sequence[int],
    *,
    source: str,
    load: Callable[[AnyEntry], Dataset],
    splits_for: Callable[[Dataset, int], Splits],
    timeout: float | None = None,
    select: Mapping[Kind, Measure] | None = None,
    keep_predictions: bool = False,
    device: str = CPU,
) -> Plan:
    """The plan for every dataset under every method with every seed, under each of the ``wanted`` protocols.

    ``select`` says what selects instead of accuracy or R2. Methods that can compute on ``device`` do so, others on the
    processor: there their jobs are the same as those of any other run.

    Each dataset is loaded once. One that is not available makes its jobs ``skipped``, one that is broken makes them
    ``error``, and a method's own limitation ``skipped``; the rest go on. Raises :class:`UsageError` for a dataset of a
    kind that a protocol cannot be carried out for.
    """
    devices = {m.method.name: device_of(m.method, device) for m in methods}
    fingerprints = {m.method.name: method_fingerprint(m.method, devices[m.method.name]) for m in methods}
    tasks: list[Task] = []
    settled: list[JobResult] = []
    for entry in entries:
        try:
            dataset = load(entry)
            divisions = {seed: splits_for(dataset, seed) for seed in seeds}
        except (DataUnavailable, DataInvalid) as fault:
            status: Status = "skipped" if isinstance(fault, DataUnavailable) else "error"
            settled += [
                JobResult(
                    _unread(entry, m.method, protocol, seed, source, fingerprints, devices),
                    status,
                    printable(str(fault)),
                )
                for protocol in wanted
                for seed in seeds
                for m in methods
            ]
            continue
        table, (n, d) = dataset.sha256, dataset.X.shape
        c = dataset.n_classes or 1
        chosen = (select or {}).get(dataset.kind)
        for (seed, splits), protocol in product(divisions.items(), wanted):
            _refuse_protocol(dataset, splits, protocol)
            width = _width(dataset, protocol)
            base = Job(
                id="",
                dataset=entry.name,
                source=dataset.source,
                rows=n,
                features=d,
                classes=dataset.n_classes,
                method="",
                protocol=protocol.name,
                split=splits.name,
                seed=seed,
                reduction=taken(splits),
                kind=dataset.kind,
                selected_by=chosen.key if chosen else "",
                table_sha256=table,
                fold_sha256=" ".join(fold_hashes(splits)),
            )
            rows = splits_hash(splits)
            for m in methods:
                on = devices[m.method.name]
                job = _identified(
                    base,
                    m.method,
                    protocol,
                    fingerprints,
                    table,
                    rows,
                    standardised=dataset.standardised,
                    nominal=dataset.nominal,
                    device=on,
                )
                try:
                    limitation = _limitation(m.method, dataset, counted_rows(n, splits), width, chosen)
                    expected, peak = estimates(m.method, n, width, c, protocol, splits)
                except Exception as fault:  # a plug-in's own code: its job fails, the others go on
                    reason = printable(f"its own estimates: {type(fault).__name__}: {fault}")
                    settled.append(JobResult(job, "error", reason))
                    continue
                if limitation is not None:
                    settled.append(JobResult(job, "skipped", limitation))
                    continue
                tasks.append(
                    Task(
                        job=job,
                        work=MethodWork(
                            m.spec,
                            (protocol,),
                            seed,
                            (dataset, splits),
                            f"{table}-{rows}",
                            chosen,
                            keep_predictions,
                            on,
                        ),
                        estimated_bytes=peak if on == CPU else peak + HOST_BYTES,
                        expected_seconds=expected,
                        timeout_seconds=default_timeout(expected) if timeout is None else timeout,
                        alone=peak > LARGE_BYTES,
                        all_cores=peak > LARGE_BYTES,
                    )
                )
    return Plan(tuple(sorted(tasks, key=_longest_first)), tuple(settled))


def _refuse_protocol(dataset: Dataset, splits: Splits, protocol: protocols.Protocol) -> None:
    if splits.holdouts[0].validation is not None and not protocol.takes_validation_part:
        fitting = [p.name for p in protocols.PROTOCOLS.values() if p.plain and p.takes_validation_part]
        raise UsageError(
            f"{dataset.name}: the splits {splits.name} have validation parts of their own, on which --protocol "
            f"{protocol.name} does not select: use {' or '.join(fitting)}"
        )
    if dataset.kind not in protocol.kinds:
        fitting = [p.name for p in protocols.PROTOCOLS.values() if p.plain and dataset.kind in p.kinds]
        raise UsageError(
            f"{dataset.name}: a dataset for {dataset.kind}; --protocol {protocol.name} selects on the tuning halves "
            f"of the 2014 archive, which has classification datasets only: use {' or '.join(fitting)}"
        )


def _width(dataset: Dataset, protocol: protocols.Protocol) -> int:
    """How many columns methods get of ``dataset`` under ``protocol``, at most."""
    return encoded_width(dataset.X, dataset.nominal) if protocol.inputs == "nominal" else dataset.X.shape[1]


def _limitation(method: Method, dataset: Dataset, n: int, d: int, select: Measure | None) -> str | None:
    """Why ``method`` is not to be tried on ``n`` rows and ``d`` columns of ``dataset``; None if it is."""
    if select is not None and select.of_shares and not method.probabilities:
        return f"{method.name} gives no class probabilities, which {select.title} needs: not run"
    if dataset.kind not in method.kinds:
        return f"{method.name} does {' and '.join(method.kinds)}, not {dataset.kind}"
    return method.limitation(n, d, dataset.n_classes or 1)


def _identified(
    job: Job,
    method: Method,
    protocol: protocols.Protocol,
    fingerprints: Mapping[str, Fingerprint],
    table: str,
    rows: str,
    *,
    standardised: bool,
    device: str,
    nominal: tuple[int, ...] = (),
) -> Job:
    """``job`` as that of ``method``, with the ids of all that its outcome depends on."""
    found = fingerprints[method.name]
    codes = {"nominal": nominal} if protocol.inputs == "nominal" else {}
    identity, work = job_ids(
        found,
        method=method.name,
        configurations=method.configurations_for(job.kind),
        protocol=protocol.rules | ({"selected by": job.selected_by} if job.selected_by else {}),
        seed=job.seed,
        splits=rows,
        table=table,
        standardised=standardised,
        **codes,
        **({} if device == CPU else {"device": device}),
    )
    return replace(job, id=identity, method=method.name, work=work, versions=found.words)


def _unread(
    entry: TableEntry,
    method: Method,
    protocol: protocols.Protocol,
    seed: int,
    source: str,
    fingerprints: Mapping[str, Fingerprint],
    devices: Mapping[str, str],
) -> Job:
    """The job of a dataset that could not be read: known by name and by the sizes in the registry."""
    sizes = (entry.rows, entry.features, entry.classes)
    job = Job("", entry.name, source, *sizes, method.name, protocol.name, split="", seed=seed, kind=entry.kind)
    unread = f"unread:{source}:{entry.name}"
    on = devices[method.name]
    return _identified(job, method, protocol, fingerprints, unread, "", standardised=False, device=on)

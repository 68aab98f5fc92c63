"""From datasets x methods to jobs: what is to be run, how long it may take and how much memory it may need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol, TypeVar

from bench import protocols
from bench.data.splits import taken
from bench.errors import DataInvalid, DataUnavailable, UsageError
from bench.protocols.rows import encoded_width
from bench.records.dataset import Dataset, Splits
from bench.records.measure import Kind, Measure
from bench.records.method import CPU, Method
from bench.records.result import Job, JobResult, Status
from bench.run.devices import HOST_BYTES, device_of
from bench.run.estimates import counted_rows, estimates
from bench.run.identity import Fingerprint, fold_hashes, job_ids, splits_hash
from bench.run.plan import Plan, Task, default_timeout, longest_first
from bench.run.provenance import printable
from bench.run.work import MethodWork, method_fingerprint

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
                    _unread(entry, m.method, protocol, seed, source, fingerprints, devices, select),
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
    return longest_first(tasks, settled)


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
    select: Mapping[Kind, Measure] | None,
) -> Job:
    """The job of a dataset that could not be read: known by name and by the sizes in the registry."""
    chosen = (select or {}).get(entry.kind)
    job = Job(
        id="",
        dataset=entry.name,
        source=source,
        rows=entry.rows,
        features=entry.features,
        classes=entry.classes,
        method=method.name,
        protocol=protocol.name,
        split="",
        seed=seed,
        kind=entry.kind,
        selected_by=chosen.key if chosen else "",
    )
    unread = f"unread:{source}:{entry.name}"
    on = devices[method.name]
    return _identified(job, method, protocol, fingerprints, unread, "", standardised=False, device=on)

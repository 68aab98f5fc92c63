"""Others' results joined to a report's own, wherever dataset and test folds are the same: `report --against`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from bench.errors import ReportError, UsageError, plural
from bench.records.result import Job, JobResult, RunRecord
from bench.report.kept import kept_records
from bench.report.merge import Merged, invocations_of, older_ties
from bench.report.wording import listing
from bench.store import read_results

KEPT = "kept"
"""What stands for the comparison that comes along."""

Place: TypeAlias = tuple[str, str, int]
"""Dataset, protocol and seed of results of one's own."""
_Offer: TypeAlias = tuple[int, JobResult]
"""A result of the others, and in which of their records it is."""


@dataclass(frozen=True)
class Joined:
    """What was joined to a report's own results, and what of these has no counterpart."""

    name: str
    """``kept``, or the folder or file that was named."""
    records: tuple[RunRecord, ...]
    """The others' results as far as they match, by where they come from; those without any are left out."""
    left_out: dict[str, list[str]]
    """The own datasets that are left out, by the reason."""
    replaced: tuple[str, ...]
    """Methods of the others that the own results have too, on all datasets or some: the own ones count."""
    seeds: tuple[tuple[int, int], ...] = ()
    """Theirs and one's own, where the test folds are the same though the seeds are not."""

    @property
    def methods(self) -> set[str]:
        """Those of the joined results."""
        return {result.job.method for record in self.records for result in record.results}

    @property
    def datasets(self) -> set[str]:
        """Those on which there is something to compare with."""
        return {result.job.dataset for record in self.records for result in record.results}

    @property
    def machines(self) -> list[str]:
        """The processors that the joined results were computed on."""
        invocations = (i for record in self.records for i in invocations_of(record))
        return sorted({str(i["cpu"]) for i in invocations if i.get("cpu")})

    def sentences(self) -> Iterator[str]:
        """What was joined, and what was left out and why."""
        # The last part of a path: where it lies on this machine is nobody's business.
        what = "the kept comparison" if self.name == KEPT else Path(self.name).resolve().name
        left = {name for names in self.left_out.values() for name in names}
        whole = f"{len(self.datasets)} of {plural(len(self.datasets | left), 'dataset')}"
        yield (
            f"Compared with {what} (--against), {plural(len(self.methods), 'method')}, on {whole}: those of the same "
            "table and test folds."
        )
        if left:
            parts = (f"{reason}: {listing(sorted(names), 8)}" for reason, names in sorted(self.left_out.items()))
            yield f"Left out: {'; '.join(parts)}."
        if self.replaced:
            yield f"Of {listing(list(self.replaced))} your own results count where there are both."
        if self.seeds:
            pairs = (f"{theirs} next to your seed {own}" for theirs, own in self.seeds)
            yield f"On the same folds, there are results of seed {'; '.join(pairs)}."

    def origins(self) -> Iterator[str]:
        """Where the joined results come from, and what is to be known of them."""
        for record in self.records:
            yield from _origin(record)


def _origin(record: RunRecord) -> Iterator[str]:
    made = invocations_of(record)
    told = [
        ", ".join(dict.fromkeys(words))
        for key, text in (("started", "computed {}"), ("commit", "at commit {}"), ("cpu", "on {}"))
        if (words := [text.format(str(i[key])[:40]) for i in made if i.get(key)])
    ]
    versions = {str(k): str(v) for i in made for k, v in dict(i.get("versions") or {}).items()}
    told += [f"with {', '.join(f'{k} {v}' for k, v in sorted(versions.items()))}"] if versions else []
    name = Path(record.folder).name or record.folder
    yield f"{name}: {'; '.join(told) or 'no provenance is recorded'}."
    older = sorted({protocol for rules in older_ties(record) for protocol in rules})
    yield from (f"Under {p}, equal validation accuracies went to the earlier grid entry there." for p in older)


def records_of(name: str) -> tuple[RunRecord, ...]:
    """The results that ``--against`` names: those that come along, a run folder's or exported scores."""
    if not name.strip():
        raise UsageError("--against is empty: name a run folder or exported scores, or kept: what comes along")
    if name == KEPT and not Path(name).exists():
        return kept_records()
    return (read_results(Path(name)),)


def join(own: Merged, name: str, others: Sequence[RunRecord]) -> tuple[Merged, Joined]:
    """``own`` as far as ``others`` have results on the same tables and folds, those joined to it; and an account.

    Of ``others`` only protocols, datasets and folds of one's own are taken; where these are fewer, only these test
    folds. Raises :class:`ReportError` saying why if nothing matches.
    """
    theirs: dict[tuple[str, str], list[_Offer]] = {}
    for body, record in enumerate(others):
        for result in record.results:
            theirs.setdefault((result.job.dataset, result.job.protocol), []).append((body, result))
    have = {(r.job.dataset, r.job.protocol, r.job.method) for r in own.results}
    taken: dict[tuple[int, str, Place], JobResult] = {}
    matched: set[Place] = set()
    reasons: dict[str, dict[str, None]] = {}
    replaced: dict[str, None] = {}
    for place, job in sorted(_places(own).items()):
        offered = theirs.get(place[:2], [])
        found = _counterparts(job, offered)
        if not found:
            reason = _reason(job, [r.job for _, r in offered]) or "no result that is ok there"
            reasons.setdefault(reason, {})[place[0]] = None
            continue
        matched.add(place)
        for body, result in found:
            if (*place[:2], result.job.method) in have:
                replaced[result.job.method] = None
            else:
                taken[body, result.job.method, place] = result
    left_out = {reason: list(names) for reason, names in reasons.items()}
    parts = [replace(r, results=tuple(x for k, x in taken.items() if k[0] == body)) for body, r in enumerate(others)]
    seeds = sorted({(r.job.seed, place[2]) for (_, _, place), r in taken.items() if r.job.seed != place[2]})
    joined = Joined(name, tuple(r for r in parts if r.results), left_out, tuple(sorted(replaced)), tuple(seeds))
    if not taken:
        raise ReportError(_nothing(joined))
    seeded = [replace(r, job=replace(r.job, seed=place[2])) for (_, _, place), r in taken.items()]
    results = [r for r in own.results if _place(r.job) in matched] + seeded
    results.sort(key=lambda r: (r.job.dataset, r.job.method, r.job.protocol, r.job.seed))
    undone = tuple(job for job in own.undone if _place(job) in matched)
    return replace(own, results=tuple(results), undone=undone), joined


def _counterparts(own: Job, offered: Sequence[_Offer]) -> list[_Offer]:
    """Of results on the same dataset's name and protocol those that can stand next to ``own``, one a method and body.

    Published folds are the same for every seed: where there is a result of one's own seed it is taken, else that of
    the smallest. A method that failed on the table comes along.
    """
    same = [(b, r) for b, r in offered if r.status == "ok" and _reason(own, [r.job]) is None]
    seeds = {(body, r.job.seed) for body, r in same}
    same += [(b, r) for b, r in offered if r.status != "ok" and (b, r.job.seed) in seeds and _same_table(own, r.job)]
    first: dict[tuple[int, str], JobResult] = {}
    for body, result in sorted(same, key=lambda item: (item[1].job.seed != own.seed, item[1].job.seed)):
        first.setdefault((body, result.job.method), result)
    return [(body, _cut(result, own)) for (body, _), result in first.items()]


def _nothing(joined: Joined) -> str:
    told = [
        f"{reason}: {plural(len(names), 'dataset')} ({listing(names, 5)})" for reason, names in joined.left_out.items()
    ]
    told += [f"your results have all its methods ({', '.join(joined.replaced)})"] if joined.replaced else []
    return f"--against {joined.name}: nothing to compare with: {'; '.join(told)}"


def _place(job: Job) -> Place:
    return job.dataset, job.protocol, job.seed


def _places(own: Merged) -> dict[Place, Job]:
    """A job of every place that has results, one that knows its folds where there is one."""
    found: dict[Place, Job] = {}
    for result in sorted(own.results, key=lambda r: bool(r.job.folds), reverse=True):
        found.setdefault(_place(result.job), result.job)
    return found


def _reason(own: Job, others: Iterable[Job]) -> str | None:
    """Why none of ``others``, of the same dataset's name and protocol, is comparable; None if one is."""
    others = list(others)
    if not own.split:
        return "could not be read"
    if not own.table_sha256 or not own.folds:
        return "no checksums recorded with your results (run the same command again)"
    if not others:
        return f"not there under {own.protocol}"
    if not (others := [other for other in others if other.table_sha256]):
        return "no checksums recorded there"
    if not (others := [other for other in others if _same_table(own, other)]):
        return f"under {own.protocol}, of that name there are only other data"
    seeds = sorted({other.seed for other in others})
    if not (others := [other for other in others if other.folds[: len(own.folds)] == own.folds]):
        drawn = own.split.startswith("seed-") and own.seed not in seeds
        return f"seed {own.seed}, there only seed {', '.join(map(str, seeds))}" if drawn else "other test folds there"
    return None if any(other.selected_by == own.selected_by for other in others) else "selected by another measure"


def _same_table(own: Job, other: Job) -> bool:
    return own.table_sha256 == other.table_sha256


def _cut(result: JobResult, own: Job) -> JobResult:
    """``result`` on the test folds of ``own``; of a job that had more, its time and memory are not known."""
    count = len(own.folds)
    job = replace(result.job, reduction=own.reduction, fold_sha256=own.fold_sha256)
    if len(result.holdouts) <= count:
        return replace(result, job=job)
    holdouts = tuple(h for h in result.holdouts if h.holdout < count)
    unknown: dict[str, Any] = dict.fromkeys(("job_seconds", "cpu_seconds", "peak_rss_mb"), math.nan)
    return replace(result, job=job, holdouts=holdouts, **unknown)

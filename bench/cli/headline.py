"""The words at the end of a run: what was done, what failed and why, and the first numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.data.registry import load_registry
from bench.errors import ReportError, first_few, listed, plural
from bench.protocols.registry import reduction_in_words
from bench.records.measure import COMPARED, MEASURES, Measure
from bench.records.result import Job, JobResult, RunRecord
from bench.report.about import about_datasets, families_in
from bench.report.evidence import usual_reference
from bench.run.progress import clock
from bench.run.runner import Outcome
from bench.stats.frame import in_protocol_order, over_seeds, scores_frame, seed_matrix
from bench.stats.summary import Pool, common_pool
from bench.stats.verdict import against_each, grouped

_REASONS_SHOWN = 5


def headline(record: RunRecord, outcome: Outcome, folder: Path, origins: str) -> str:
    """Several lines: counts, failures by reason, scores per method over the datasets that all methods have, what the
    rule says of them, ``origins`` of the datasets, what next."""
    lines = [
        *counted(record, outcome),
        *score_tables(of_latest_plan(record), families(record)),
        *reductions(of_latest_plan(record)),
        origins,
        f"results: {folder} (scores.csv, summary.csv)",
        *what_next(record, outcome),
        f"report: python -m bench report {folder}",
    ]
    return "\n".join(lines)


def counted(record: RunRecord, outcome: Outcome) -> list[str]:
    """How many jobs came to what, and the failures by reason."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    lines = [
        f"{plural(len(record.planned), 'job')}{of_seeds(record)}: {counts or 'none done'}"
        + (f", {outcome.undone} not done" if outcome.undone else "")
        + f" ({outcome.already} from before) in {clock(outcome.seconds)}",
        *failures(of_latest_plan(record)),
        *damaged(record),
    ]
    if outcome.kept:
        lines.append("  not read this time, earlier results are kept:")
        lines += [f"  {line}" for line in failures(outcome.kept)]
    return lines


def of_seeds(record: RunRecord) -> str:
    """`` of 3 seeds (0, 1, 2)`` after the number of jobs; nothing if they have one seed, or are a study's cells."""
    seeds = sorted({job.seed for job in record.planned if not job.parameters})
    return f" of {len(seeds)} seeds ({', '.join(map(str, seeds))})" if len(seeds) > 1 else ""


def families(record: RunRecord) -> dict[str, str]:
    """The family of every dataset that the registry or the run knows."""
    return families_in(about_datasets([record], load_registry()))


def what_next(record: RunRecord, outcome: Outcome) -> list[str]:
    """How to have the jobs done that are not."""
    if outcome.undone:
        return ["to resume: run the same command again"]
    # A table that could not be read is looked at again in any case.
    unread = {r.job.id for r in outcome.unread}
    lines = []
    if any(r.status in ("error", "timeout", "oom") and r.job.id not in unread for r in of_latest_plan(record)):
        lines.append("to retry failed jobs: the same command with --retry-failed")
    if unread:
        lines.append("to retry the datasets that could not be read: repair them, then run the same command")
    return lines


def of_latest_plan(record: RunRecord) -> list[JobResult]:
    """Results of jobs that were planned last; those of earlier plans do not count."""
    planned = {job.id for job in record.planned}
    return [result for result in record.results if result.job.id in planned]


def damaged(record: RunRecord) -> list[str]:
    """A line on results that are no longer as they were stored, if there are any."""
    if not record.damaged:
        return []
    return [f"  damaged in the store, not used: {first_few(record.damaged)}; the same command runs them again"]


def failures(results: Sequence[JobResult]) -> list[str]:
    """One line per status and reason, the most frequent first, with the jobs it struck."""
    struck: dict[tuple[str, str], list[str]] = defaultdict(list)
    for r in results:
        if r.status != "ok":
            seed = f" (seed {r.job.seed})" if r.job.seed and not r.job.parameters else ""
            struck[r.status, r.reason].append(f"{r.job.dataset}/{r.job.method}{seed}")
    ranked = sorted(struck.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = []
    for (status, reason), jobs in ranked[:_REASONS_SHOWN]:
        lines.append(f"  {status}: {first_few(jobs)}: {reason}")
    if len(ranked) > _REASONS_SHOWN:
        rest = sum(len(jobs) for _, jobs in ranked[_REASONS_SHOWN:])
        others = plural(len(ranked) - _REASONS_SHOWN, "other reason")
        lines.append(f"  and {plural(rest, 'more failure')} for {others}")
    return lines


def score_tables(results: list[JobResult], families: Mapping[str, str]) -> list[str]:
    """For each kind and protocol, the mean test score per method on the datasets of the report's summary, its jobs' CPU
    seconds, and what the report's rule says of the reference against the others.

    ``families`` gives the family of a dataset. Nothing if no job has a score: none is done, or they are a study's
    cells.
    """
    if not any(r.holdouts for r in results):
        return []
    tables = (
        _score_table([r for r in results if (r.job.kind, r.job.protocol) == (kind, protocol)], measure, families)
        for kind, measure in COMPARED.items()
        for protocol in in_protocol_order(r.job.protocol for r in results)
    )
    return [line for lines in tables for line in lines]


def reductions(results: Sequence[JobResult]) -> list[str]:
    """One line for each reduction (``--folds``, large datasets), with the datasets concerned."""
    jobs: dict[str, list[Job]] = defaultdict(list)
    for job in (r.job for r in results if r.job.reduction):
        jobs[job.reduction or ""].append(job)
    return [
        f"{reduction_in_words(words, {j.protocol for j in found})}: {listed(sorted({j.dataset for j in found}))}"
        for words, found in sorted(jobs.items())
    ]


def _score_table(results: list[JobResult], measure: Measure, families: Mapping[str, str]) -> list[str]:
    """The same of ``results`` of one kind under one protocol; nothing for none."""
    if not results:
        return []
    protocol = results[0].job.protocol
    scores = scores_frame(results)
    by_seed = seed_matrix(scores, protocol, measure)
    matrix = over_seeds(by_seed)
    seconds: dict[str, float] = defaultdict(float)
    for r in results:
        seconds[r.job.method] += r.cpu_seconds
    try:
        common = common_pool(matrix, measure)
    except ReportError as nothing_shared:
        return [f"{protocol}: {nothing_shared}"]
    datasets = plural(len(common.pool.datasets), "dataset")
    means = common.pool.scores.mean().sort_values(ascending=False)
    shared = f"the {datasets} that all {len(means)} methods have" if len(means) > 1 else datasets
    lines = [f"{protocol}: mean {measure.title} over {shared}"]
    selected_by = next((r.job.selected_by for r in results if r.job.selected_by), "")
    lines[0] += f" (selected by {MEASURES[selected_by].title})" if selected_by else ""
    lines += [
        f"  {m:<16} {means[m]:6.{measure.digits}f} {measure.unit:<1}  {datasets:>12}  {seconds[str(m)]:>9.1f} CPU-s"
        for m in means.index
    ]
    lines += [f"  {m:<16} left out: results on {plural(count, 'dataset')} only" for m, count in common.left_out.items()]
    return [*lines, *cut_at_0(scores, protocol, common.pool), *_by_the_rule(by_seed, common.pool, families)]


def _by_the_rule(by_seed: pd.DataFrame, pool: Pool, families: Mapping[str, str]) -> list[str]:
    """A line on what the reference is significantly better or worse than; nothing if there is nothing to compare."""
    reference = usual_reference(pool.methods)
    if reference not in pool.methods or len(pool.methods) < 2:
        return []
    paired = by_seed.loc[by_seed.index.get_level_values("dataset").isin(pool.datasets), pool.methods]
    found = grouped(against_each(paired, reference, families))
    verdicts = "; ".join(f"{words} {', '.join(methods)}" for words, methods in found.items())
    number = len({families.get(d, d) for d in pool.datasets})
    return [f"  {reference} by the report's rule, {plural(number, 'family', 'families')}: {verdicts}"]


def cut_at_0(scores: pd.DataFrame, protocol: str, pool: Pool) -> list[str]:
    """A line on how many test folds of the methods compared count as 0 and which is the lowest, if R2 is cut on any."""
    part = scores[(scores["protocol"] == protocol) & scores["dataset"].isin(pool.datasets)]
    cut = part[part["method"].isin(pool.methods) & (part["r2"] < 0)]
    if pool.measure.key != "r2_cut" or cut.empty:
        return []
    lowest = cut.sort_values("r2", kind="stable").to_dict("records")[0]
    count, counts = plural(len(cut), "test fold"), "counts" if len(cut) == 1 else "count"
    return [f"  {count} below 0 {counts} as 0 (lowest {lowest['r2']:.3f}: {lowest['dataset']}/{lowest['method']})"]

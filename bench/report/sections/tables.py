"""What several sections show: the summary of a pool, further measures, scores by dataset, mean scores in bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from bench.errors import plural
from bench.records.measure import SELECTING, Measure
from bench.report import wording
from bench.report.blocks import Cell, Column, Table, table
from bench.report.evidence import Evidence
from bench.report.sections.cells import (
    best_cell,
    dataset_cell,
    difference_cell,
    difference_columns,
    method_cell,
)
from bench.report.view import LAPLACE, RFM, ProtocolView
from bench.stats import frame
from bench.stats.grinsztajn import QUANTILES
from bench.stats.groups import Bins
from bench.stats.missing import COMMON_DATASETS
from bench.stats.paired import leave_one_out, paired_difference
from bench.stats.summary import FURTHER, TIE, Further, Metric, metrics_of, normalised_score

CUT = "†"
"""Beside an R2 that counts otherwise in means, ranks and differences."""
CONSTANT = "‡"
"""Beside a dataset with a test fold on which R2 is not defined."""


def summary_table(evidence: Evidence, view: ProtocolView, name: str, caption: str) -> Table:
    """Methods x metrics, and the mean difference of the reference from each; best values stand out."""
    columns = [
        (Column("Method", "text"), lambda m: method_cell(evidence, m)),
        *(_metric_column(view, metric) for metric in metrics_of(view.measure)),
        *(_reference_columns(view, full=False) if view.has_reference else ()),
    ]
    return table(name, caption, view.methods, columns, note=pool_note(view))


def comparisons_table(evidence: Evidence, view: ProtocolView, name: str) -> Table:
    """The reference against every other method: difference, interval, test, what the rule says, each seed's."""
    others = [c.second for c in view.contrasts]
    columns = [(Column("Method", "text"), lambda m: method_cell(evidence, m)), *_reference_columns(view, full=True)]
    caption = f"{wording.title(view.reference)} against each method, protocol {view.protocol}"
    return table(name, caption, others, columns, note=pool_note(view))


def _metric_column(view: ProtocolView, metric: Metric) -> tuple[Column, Callable[[str], Cell]]:
    values = view.summary[metric.key]
    head = Column(metric.title, hint=metric.hint, lower_first=metric.lower_is_better)
    if metric.key == "sd_score":  # no spread is the best one
        return head, lambda m: wording.num(float(values[m]), metric.digits)
    return head, lambda m: best_cell(values, m, metric.digits, lower=metric.lower_is_better)


def _reference_columns(view: ProtocolView, *, full: bool) -> list[tuple[Column, Callable[[str], Cell]]]:
    """The reference against each method, dashes for itself."""
    reference = wording.title(view.reference)
    found = {c.second: c for c in view.contrasts}
    hints = (
        "mean difference over datasets ± its standard error over families",
        f"datasets on which {reference} wins, ties, loses against the method",
        "Wilcoxon's signed-rank test over families, two-sided, Holm-adjusted over the methods of the table",
    )
    title = f"Δ {view.measure.title} ({reference} {wording.MINUS} method)"
    return difference_columns(title, found.get, view.measure, seeds=len(view.seeds) > 1, full=full, hints=hints)


def pool_note(view: ProtocolView) -> str:
    """Protocol, pool and what was left out, with the rule for missing results by which it was, in words."""
    common, planned = view.common, len(view.matrix)
    methods, count = plural(len(view.methods), "method"), len(common.pool.datasets)
    if not common.dropped and not common.left_out and count == planned:
        parts = [f"Protocol {view.words}. {methods} on {'all ' * (planned > 1)}{plural(planned, 'dataset')}."]
    else:
        parts = [
            f"Protocol {view.words}. {methods} on {count} of {plural(planned, 'dataset')}. Missing results (rule: "
            f"{COMMON_DATASETS.name}): {COMMON_DATASETS.text}."
        ]
    if common.dropped:
        parts.append(f"Left out: {gaps_text(common.dropped)}.")
    for method, count in common.left_out.items():
        parts.append(f"{wording.title(method)} has results on {count} of {planned} datasets only: not in this table.")
    return " ".join([*parts, seeds_text(view), wording.few_families(view.family_count)]).strip()


def seeds_text(view: ProtocolView) -> str:
    """How many seeds and families there are, and which results do not count for their seeds."""
    told = wording.seeds(view.paired.index, each=True)
    return f"{plural(view.family_count, 'family', 'families')} of datasets; {told}. {seed_gaps_text(view)}".rstrip()


def seed_gaps_text(view: ProtocolView) -> str:
    """Which results do not count because other methods lack their seeds; nothing if all do."""
    where: dict[str, list[str]] = {}
    for gap in view.gaps:
        words = f"{wording.title(gap.method)}, seed{'s' * (len(gap.seeds) > 1)} {', '.join(map(str, gap.seeds))}"
        where.setdefault(words + (", which counts as missing" if gap.missing else ""), []).append(gap.dataset)
    shown = [f"{words}: {wording.listing(sorted(names), 4)}" for words, names in sorted(where.items())]
    return wording.prose("seed-gaps", gaps="; ".join(shown)) if shown else ""


def gaps_text(dropped: dict[str, list[str]], limit: int = 6) -> str:
    """Which dataset lacks which methods."""
    shown = [f"{d} ({', '.join(wording.title(m) for m in methods)})" for d, methods in sorted(dropped.items())]
    return wording.listing(shown, limit)


def further_table(evidence: Evidence, view: ProtocolView, name: str) -> Table | None:
    """Methods x further measures over the common datasets; None if the results have none, being of before there were
    any."""
    kind, pool = view.measure.kind, view.common.pool
    found = {f.key: f.of(evidence.scores, view.protocol, pool) for f in FURTHER[kind]}
    if all(values.isna().all() for values in found.values()):
        return None

    def column(further: Further) -> tuple[Column, Callable[[str], Cell]]:
        values, measure = found[further.key], further.measure
        best = values.max() if measure.larger_is_better else values.min()
        matrix = frame.score_matrix(evidence.scores, view.protocol, measure).loc[pool.datasets]

        def show(method: str) -> Cell:
            value, strong = float(values[method]), abs(values[method] - best) < TIE
            where = f"on {matrix[method].idxmin()}" if further.over == "min" and value == value else ""
            return wording.num(value, measure.digits, strong=strong, hint=where)

        return Column(further.title, hint=further.hint, lower_first=not measure.larger_is_better), show

    shared = [m for m in metrics_of(view.measure) if kind == "regression" and m.key in ("mean_score", "friedman_rank")]
    scaled = normalised_score(evidence.scores, view.protocol, pool)
    columns = [
        (Column("Method", "text"), lambda m: method_cell(evidence, m)),
        *(_metric_column(view, metric) for metric in shared),
        *map(column, FURTHER[kind]),
        (
            Column("Normalised score", hint="among these methods; mean over datasets"),
            lambda m: wording.num(
                float(scaled[m]), strong=len(pool.methods) > 1 and scaled.max() - scaled[m] < TIE, digits=3
            ),
        ),
    ]
    count = plural(len(pool.datasets), "common dataset")
    if kind == "classification":
        note = wording.prose("further-classification", view=view, datasets=count)
    else:
        note = wording.prose("further-regression", view=view, datasets=count)
    if len(pool.methods) > 1:
        low = f"{100 * QUANTILES[kind]:.0f} %"
        note += f" {wording.prose('normalised', tested=SELECTING[kind].title, low=low)}"
        note += " What is negative counts as 0." if kind == "regression" else ""
    return table(name, "Further measures", view.methods, columns, note=note)


def scores_table(
    evidence: Evidence, view: ProtocolView, name: str, caption: str, measure: Measure | None = None
) -> Table:
    """Every dataset of the protocol with every method's mean score over test folds, missing ones included.

    ``measure`` is the one to show: accuracy or R2 unless it is given.
    """
    kind = view.measure.kind
    measure = measure or SELECTING[kind]
    matrix = frame.score_matrix(evidence.scores, view.protocol, measure).reindex_like(view.matrix)
    best = matrix.max(axis=1) if measure.larger_is_better else matrix.min(axis=1)
    lowest = frame.score_matrix(evidence.scores, view.protocol, measure, over="min").reindex_like(view.matrix)
    cuts = view.measure != measure and measure == SELECTING[kind]
    constant = frame.constant_folds(evidence.scores[evidence.scores["protocol"] == view.protocol]) if cuts else set()

    def score(method: str, dataset: str) -> Cell:
        value = float(matrix[method][dataset])
        if value == value:
            strong = len(matrix.columns) > 1 and abs(value - best[dataset]) < TIE
            cell = wording.num(value, wording.digits(value, measure), strong=strong)
            if not cuts or lowest[method][dataset] >= 0:
                return cell
            counted = wording.number(float(view.matrix[method][dataset]), view.measure.digits)
            return replace(cell, text=f"{cell.text}{CUT}", hint=f"counts as {counted}: {view.measure.title}")
        results = evidence.by_cell.get((dataset, method, view.protocol), [])
        if not results:
            return Cell("not run", hint="no result")
        if any(gap.missing and (gap.dataset, gap.method) == (dataset, method) for gap in view.gaps):
            return Cell("other seeds", hint="no seed in common with the other methods")
        failed = next((r for r in results if r.status != "ok"), None)
        return Cell(wording.DASH) if failed is None else Cell(failed.status, hint=failed.reason)

    def size(key: str, dataset: str) -> int | str:
        return int(evidence.sizes[key][dataset]) if dataset in evidence.sizes.index else wording.DASH

    def named(dataset: str) -> Cell:
        cell = dataset_cell(evidence, dataset)
        return replace(cell, text=f"{dataset} {CONSTANT}") if dataset in constant else cell

    heads = (("n", "rows"), ("d", "features"), ("c", "classes"))[: 3 if kind == "classification" else 2]
    columns: list[tuple[Column, Callable[[str], Cell | str | int]]] = [
        (Column("Dataset", "text"), named),
        *((Column(title, hint=key), partial(size, key)) for title, key in heads),
        *((Column(wording.title(m), compared=True), partial(score, m)) for m in map(str, matrix.columns)),
    ]
    if RFM in matrix and LAPLACE in matrix and measure == SELECTING[kind]:
        lead = view.matrix[RFM] - view.matrix[LAPLACE]
        head = Column(f"{wording.title(RFM)} {wording.MINUS} Laplace", hint=view.measure.points)
        columns.append((head, lambda d: wording.num(float(lead[d]), view.measure.digits, sign=True)))
    over = "" if len(view.seeds) < 2 else " and seeds"
    note = (
        f"Protocol {view.words}. Mean over test folds{over}{measure.in_unit}; the best of a row is bold. Missing "
        "results are named."
    )
    if cuts:
        note += f" {CUT} cut at 0 in means: on one test fold or more R2 is negative and counts as 0 there."
        if constant:
            note += f" {CONSTANT} {wording.prose('constant-fold')}"
        if columns[-1][0].title.endswith("Laplace"):
            note += " The difference is of values cut at 0."
    return table(name, caption, map(str, matrix.index), columns, note=note, filterable=len(matrix) > 8)


def bins_table(evidence: Evidence, view: ProtocolView, bins: Bins, name: str) -> Table:
    """Mean score of every method in bins of a quantity of the dataset, and RFM over Laplace."""
    sizes = evidence.sizes.loc[view.scores.index].astype("float64")
    values = sizes.assign(aspect=sizes["rows"] / sizes["features"])[bins.quantity]

    def mean(method: str, part: tuple[str, list[str]]) -> Cell:
        return wording.num(float(view.scores.loc[part[1], method].mean()), view.measure.digits)

    columns: list[tuple[Column, Callable[[tuple[str, list[str]]], Cell | str | int]]] = [
        (Column(bins.title.capitalize(), "text"), lambda part: part[0]),
        (Column("Datasets"), lambda part: len(part[1])),
        *((Column(wording.title(m)), partial(mean, m)) for m in view.methods),
    ]
    if {RFM, LAPLACE} <= set(view.methods):
        hint = f"mean difference ± s.e. over families, {view.measure.points}"

        def lead(part: tuple[str, list[str]]) -> Cell:
            inside = view.paired[view.paired.index.get_level_values("dataset").isin(part[1])]
            return difference_cell(paired_difference(inside[RFM], inside[LAPLACE], view.families), view.measure)

        columns.append((Column(f"{wording.title(RFM)} {wording.MINUS} Laplace", hint=hint), lead))
    caption, note = f"Mean {view.measure.title} by {bins.title}", pool_note(view)
    return table(name, caption, bins.split(values), columns, note=note, sortable=False)


def swayed(difference: pd.Series, measure: Measure) -> str:
    """How far one dataset can move the mean difference."""
    found = leave_one_out(difference)
    if found is None:
        return ""
    lowest, highest = (f"{wording.number(mean, measure.digits, sign=True)} (without {name})" for name, mean in found)
    return f" Leaving out one dataset moves the mean to between {lowest} and {highest}."

"""One protocol's results: leaderboard, RFM against Laplace, all metrics, groups, bins, profiles, tests, scores."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd

from bench.errors import plural
from bench.protocols.record import Ties
from bench.records.grinsztajn import SPLITS
from bench.records.measure import SELECTING, TARGET, Measure, measures_of
from bench.report import wording
from bench.report.blocks import Block, Figure, Notice, Section, text
from bench.report.evidence import Evidence
from bench.report.figures.by_dataset import Panel, difference_bars, difference_name, trend_scatter
from bench.report.figures.by_method import profiles, score_rank
from bench.report.sections.headline import contrast_figure, headline_view, nothing_in_common, selected_by, verdict
from bench.report.sections.leaderboard import leaderboard
from bench.report.sections.significance import tests_section
from bench.report.sections.tables import (
    bins_table,
    comparisons_table,
    further_table,
    scores_table,
    summary_table,
    swayed,
)
from bench.report.view import LAPLACE, RFM, ProtocolView
from bench.stats.groups import ASPECT_BINS, DIMENSION_BINS, SIZE_BINS
from bench.stats.paired import paired_difference
from bench.stats.summary import profile
from bench.stats.trend import log_trend, relative_error_reduction

UNKNOWN = "For comparison, of a protocol that is not registered here. "


def results_section(evidence: Evidence) -> Section | None:
    """A tab a protocol: first those that withhold test labels, the headline's among them. None if there is none."""
    views = sorted(evidence.views.values(), key=lambda view: not view.withholds_test_labels)
    if not views:
        return None
    shown = tuple(protocol_section(evidence, view) for view in views)
    return Section("results", "Results by protocol", (), shown, tabs=True)


def protocol_section(evidence: Evidence, view: ProtocolView) -> Section:
    """Everything measured under one protocol on the datasets of one kind: the leaderboard, figures, folded tables."""
    key, kind = view.key, view.measure.kind
    chief = view is headline_view(evidence)
    blocks: list[Block] = [] if chief else [text(*_caution(view), *verdict(evidence, view))]
    blocks += leaderboard(evidence, view)
    if view.contrasts:
        blocks.append(contrast_figure(view))
    blocks += _meaning(evidence, view)
    if kind in evidence.selected_by:
        blocks.append(Notice((selected_by(kind, evidence.selected_by[kind]),), "note"))
    children = [
        _baseline(evidence, view, fold=not chief),
        _all_measures(evidence, view),
        _groups(evidence, view),
        _bins(evidence, view),
        _profiles(view),
        tests_section(evidence, view),
        _by_dataset(evidence, view),
    ]
    kept = tuple(child for child in children if child is not None)
    title, tag = f"Results under {view.protocol}", view.record.tag if view.record else ""
    title += f": {kind}" if view.aside else ""
    return Section(key, title, tuple(blocks), kept, tag=tag, label=view.words)


def _caution(view: ProtocolView) -> list[str]:
    """What is to be said before a verdict under a protocol with test labels, or one of another installation."""
    if view.record is None:
        return [UNKNOWN]
    return [view.record.caution] if view.record.sees_test_labels else []


def _all_measures(evidence: Evidence, view: ProtocolView) -> Section:
    """The summary with all its metrics, and the further measures."""
    kind = view.measure.kind
    named = evidence.group_of(view.matrix.index)
    whole = "All available datasets" if kind == "classification" else f"All {kind} datasets"
    caption = f"{named.key}: {named.title}" if named else whole
    if len(view.scores) < len(view.matrix):
        caption += f", the {len(view.scores)} of {len(view.matrix)} that all methods have"
    tables = [summary_table(evidence, view, f"{view.key}-summary", f"{caption}, protocol {view.protocol}")]
    if view.contrasts:
        tables.append(comparisons_table(evidence, view, f"{view.key}-comparisons"))
    further = further_table(evidence, view, f"{view.key}-further")
    tables += [further] if further else []
    return Section(f"{view.key}-measures", "All metrics, tests against the reference", tuple(tables), fold=True)


def _by_dataset(evidence: Evidence, view: ProtocolView) -> Section:
    """Every dataset with every method's score, after bars of the reference against the best other method."""
    blocks: list[Block] = [
        scores_table(evidence, view, f"{view.key}-{m.key}", f"{m.heading} by dataset, protocol {view.protocol}", m)
        for m in _tested(view)
    ]
    means = view.summary["mean_score"].drop(view.reference, errors="ignore")
    if view.has_reference and len(means) and {view.reference, str(means.idxmax())} != {RFM, LAPLACE}:
        blocks.insert(0, _bars(evidence, view, view.reference, str(means.idxmax())))
    return Section(f"{view.key}-datasets", f"{_tested(view)[0].heading} by dataset", tuple(blocks), fold=True)


def _tested(view: ProtocolView) -> list[Measure]:
    """What is shown of every dataset: accuracy, or R2 and what is in the target's unit."""
    first = SELECTING[view.measure.kind]
    return [first, *(m for m in measures_of(first.kind) if m.unit == TARGET)]


def _meaning(evidence: Evidence, view: ProtocolView) -> list[Block]:
    """What the protocol does, and a warning where what was fitted has seen test labels."""
    if view.record is None:
        words = "This protocol is not registered here: the report cannot say how it selects, and what it sees."
        return [Notice((words,), "note")]
    blocks: list[Block] = []
    if view.record.reuses_metric:
        warning = "Carries test labels into M. Not comparable with the clean protocols, and no estimate of accuracy."
        blocks.append(Notice((warning,), "warning"))
    kind = view.measure.kind
    splits = {r.job.split for r in evidence.merged.results if (r.job.protocol, r.job.kind) == (view.protocol, kind)}
    own_part = view.record.takes_validation_part and splits <= {"", *SPLITS}
    if own_part:
        blocks.append(text(wording.prose("meaning-validation-part")))
    if view.record.meaning and not (own_part and view.record.plain):
        blocks.append(text(view.record.meaning))
    ties = {"brier": "Brier score" if kind == "classification" else "squared error"}
    rules = {r: f"to the smaller {ties[r]}" if r in ties else "to the earlier grid entry" for r in get_args(Ties)}
    words = f"{evidence.judging(kind).heading} selects; equal ones go {rules[view.record.ties]}."
    if (older := evidence.protocol(view.protocol)) is not None and older.ties != view.record.ties:
        words += f" {wording.prose('older-ties', rule=rules[older.ties])}"
    if view.record.ensemble != "none":
        words = f"The {ties['brier']} selects the members of an ensemble."
    if kind == "regression":
        words += f" {wording.prose('meaning-regression')}"
    return [*blocks, text(words)]


def _groups(evidence: Evidence, view: ProtocolView) -> Section | None:
    """The summary for every group of datasets that is not the whole set."""
    blocks: list[Block] = []
    whole = set(view.matrix.index)
    seen: set[frozenset[str]] = {frozenset(whole)}
    compared: set[frozenset[str]] = {frozenset(view.scores.index)}
    for group in evidence.groups:
        members = frozenset(group.datasets) & whole
        if not members or members in seen:
            continue
        seen.add(members)
        part = evidence.view(view.protocol, tuple(sorted(members)), view.measure.kind)
        if part is None:
            reason = nothing_in_common(view.matrix[view.matrix.index.isin(members)])
            note = f"The group \u201c{group.title}\u201d {reason}."
            blocks.append(Notice((note,), "warning"))
            continue
        common = frozenset(part.scores.index)
        if common in compared:
            continue
        compared.add(common)
        if len(part.methods) < min(2, len(view.methods)):
            note = f"The group \u201c{group.title}\u201d has results of one method only: nothing to compare."
            blocks.append(Notice((note,), "note"))
        else:
            caption = f"{group.key}: {group.title}"
            blocks.append(summary_table(evidence, part, f"{view.key}-{group.key}", caption))
    return Section(f"{view.key}-groups", "Groups of datasets", tuple(blocks), fold=True) if blocks else None


def _bins(evidence: Evidence, view: ProtocolView) -> Section | None:
    if not view.withholds_test_labels or len(view.common.pool.datasets) < 2:
        return None
    tables = tuple(
        bins_table(evidence, view, bins, f"{view.key}-by-{bins.quantity}")
        for bins in (SIZE_BINS, DIMENSION_BINS, ASPECT_BINS)
    )
    return Section(f"{view.key}-bins", "By size and dimension", tables, fold=True)


def _baseline(evidence: Evidence, view: ProtocolView, *, fold: bool) -> Section | None:
    """The paper's figures: where learning the metric helps over the same kernel without it.

    On all datasets that both methods have: a third method's gap is no reason to drop one here.
    """
    if not {RFM, LAPLACE} <= set(view.matrix.columns):
        return None
    scores, measure = view.matrix[[RFM, LAPLACE]].dropna(), view.measure
    if scores.empty:
        return None
    difference = scores[RFM] - scores[LAPLACE]
    overall = paired_difference(view.by_seed[RFM], view.by_seed[LAPLACE], view.families)
    seeds = ("by seed " if overall.seed_range else "") + wording.by_seed(overall, measure)
    single = wording.single(overall.single, overall.single.p, measure)
    opening = text(
        f"RFM {wording.MINUS} Laplace on the {plural(overall.datasets, 'dataset')} that both have "
        f"({plural(overall.families, 'family', 'families')}): Δ {wording.difference(overall, measure)} "
        f"{measure.points}, {wording.interval(overall, measure)}; {seeds}; "
        f"{overall.wins} wins, {overall.ties} ties, {overall.losses} losses; Wilcoxon's signed-rank test over "
        f"families, this pair alone: p {wording.p_value(overall.p)}; over single datasets {single}. "
        f"Median {wording.number(float(difference.median()), measure.digits, sign=True)}.{swayed(difference, measure)}"
    )
    scatters = [_by_size(evidence, view, scores, quantity) for quantity in ("rows", "features")]
    title = "Effect of the learned metric: RFM against the Laplace kernel"
    blocks: tuple[Block, ...] = (opening, _bars(evidence, view, RFM, LAPLACE), *scatters)
    return Section(f"{view.key}-laplace", title, blocks, fold=fold)


def _bars(evidence: Evidence, view: ProtocolView, first: str, second: str) -> Figure:
    """First minus second on every dataset that both have."""
    scores = view.matrix[[first, second]].dropna()
    sizes = evidence.sizes.loc[scores.index]
    metric = (first, second) == (RFM, LAPLACE)
    names = ("RFM", "Laplace") if metric else (wording.title(first), wording.title(second))
    count, outcome = plural(len(scores), "dataset"), _outcome(view, first, second, names)
    caption = wording.prose("bars", view=view, datasets=count, outcome=outcome)
    return difference_bars(
        f"{view.key}-{wording.slug(first)}-minus-{wording.slug(second)}",
        f"{names[0]} minus {names[1]}, dataset by dataset",
        f"{caption} {wording.prose('bars-metric')}" if metric else caption,
        scores[first] - scores[second],
        names,
        {
            d: f"n {n}, d {features}"
            for d, n, features in zip(sizes.index, sizes["rows"], sizes["features"], strict=True)
        },
        evidence.anchors,
        view.measure,
    )


def _outcome(view: ProtocolView, first: str, second: str, names: tuple[str, str]) -> str:
    """What the rule says of the two, in a sentence; nothing if they are not compared."""
    found = next((c for c in view.against(first) if c.second == second), None)
    return "" if found is None else f" {names[0]} is {found.words} {names[1]}."


def _by_size(evidence: Evidence, view: ProtocolView, scores: pd.DataFrame, quantity: str) -> Figure:
    """The difference, and the error reduction, over one size of the datasets."""
    rfm, laplace = (scores[m].to_numpy(dtype=float) for m in (RFM, LAPLACE))
    x = evidence.sizes.loc[scores.index, quantity].to_numpy(dtype=float)
    measure, gain = view.measure, difference_name(view.measure)
    columns = {gain: rfm - laplace, "reduction_percent": relative_error_reduction(rfm, laplace, measure.scale)}
    trends = [log_trend(x, y) for y in columns.values()]
    smooth = wording.prose("trend") if trends[0] else "Too few datasets, or all of one size, for a trend."
    words = {"rows": "rows n", "features": "features d"}[quantity]
    return trend_scatter(
        f"{view.key}-laplace-by-{quantity}",
        f"RFM against Laplace, by {words}",
        wording.prose("by-size", view=view, trend=smooth),
        pd.DataFrame({"x": x, **columns}, index=scores.index),
        [
            Panel(f"RFM {wording.MINUS} Laplace, {measure.points}", gain, measure.points, trends[0], measure.digits),
            Panel("error reduction, %", "reduction_percent", "%", trends[1]),
        ],
        f"{words} (log scale)",
        f"{words} {{:g}}",
        evidence.anchors,
    )


def _profiles(view: ProtocolView) -> Section | None:
    if len(view.methods) < 3:
        return None
    key, name, datasets = view.key, view.measure.title, plural(len(view.common.pool.datasets), "common dataset")
    curves = profiles(
        f"{key}-profiles",
        "Performance profile",
        wording.prose("profiles", view=view, datasets=datasets),
        profile(view.common.pool, np.arange(0.0, 20.01, 0.25)),
        view.measure,
    )
    plane = score_rank(
        f"{key}-{view.measure.key}-rank",
        f"Mean {name} against average rank",
        wording.prose("score-rank", view=view, datasets=datasets, methods=plural(len(view.methods), "method")),
        view.summary,
        view.methods,
        view.measure,
    )
    return Section(f"{key}-profiles-section", "Performance profile, average rank", (curves, plane), fold=True)

"""One protocol's results: table, groups, bins, RFM against Laplace, profiles, ranks, tests, accuracies by dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Block, Figure, Notice, Section, text
from bench.report.evidence import BASELINE, REFERENCE, Evidence, ProtocolView
from bench.report.figures.by_dataset import Panel, difference_bars, trend_scatter
from bench.report.figures.by_method import accuracy_rank, profiles
from bench.report.sections.headline import contrast_figure, headline_protocol, nothing_in_common, verdict
from bench.report.sections.significance import tests_section
from bench.report.sections.tables import accuracy_table, bins_table, summary_table, swayed
from bench.stats import significance
from bench.stats.groups import ASPECT_BINS, DIMENSION_BINS, SIZE_BINS
from bench.stats.summary import accuracy_profile
from bench.stats.trend import log_trend, relative_error_reduction


def protocol_section(evidence: Evidence, view: ProtocolView) -> Section:
    """Everything measured under one protocol."""
    key = view.protocol
    blocks = _meaning(view)
    named = evidence.group_of(view.matrix.index)
    caption = f"{named.key}: {named.title}" if named else "All available datasets"
    if len(view.accuracy) < len(view.matrix):
        caption += f", the {len(view.accuracy)} of {len(view.matrix)} that all methods have"
    blocks.append(summary_table(evidence, view, f"{key}-summary", f"{caption}, protocol {key}"))
    if not view.withholds_test_labels:
        blocks.append(text(*verdict(evidence, view)))
    if view.contrasts and key != headline_protocol(evidence):  # the headline's figure stands on the first screen
        blocks.append(contrast_figure(evidence, view, key))
    children = [
        _groups(evidence, view),
        _bins(evidence, view),
        _baseline(evidence, view),
        _profiles(evidence, view),
        tests_section(evidence, view),
        Section(
            f"{key}-datasets",
            "Accuracy by dataset",
            (accuracy_table(evidence, view, f"{key}-accuracy", f"Accuracy by dataset, protocol {key}"),),
        ),
    ]
    kept = tuple(child for child in children if child is not None)
    return Section(key, f"Results under {key}", tuple(blocks), kept, tag=view.record.tag if view.record else "")


def _meaning(view: ProtocolView) -> list[Block]:
    """What the protocol does, and a warning where what was fitted has seen test labels."""
    if view.record is None:
        words = "This protocol is not registered here: the report cannot say how it selects, and what it sees."
        return [Notice((words,), "note")]
    blocks: list[Block] = []
    if view.record.reuses_metric:
        warning = "Carries test labels into M. Not comparable with the clean protocols, and no estimate of accuracy."
        blocks.append(Notice((warning,), "warning"))
    if view.record.meaning:
        blocks.append(text(view.record.meaning))
    return blocks


def _groups(evidence: Evidence, view: ProtocolView) -> Section | None:
    """The summary for every group of datasets that is not the whole set."""
    blocks: list[Block] = []
    whole = set(view.matrix.index)
    seen: set[frozenset[str]] = {frozenset(whole)}
    compared: set[frozenset[str]] = {frozenset(view.accuracy.index)}
    for group in evidence.groups:
        members = frozenset(group.datasets) & whole
        if not members or members in seen:
            continue
        seen.add(members)
        part = evidence.view(view.protocol, tuple(sorted(members)))
        if part is None:
            reason = nothing_in_common(view.matrix[view.matrix.index.isin(members)])
            note = f"The group \u201c{group.title}\u201d {reason}."
            blocks.append(Notice((note,), "warning"))
            continue
        common = frozenset(part.accuracy.index)
        if common in compared:
            continue
        compared.add(common)
        if len(part.methods) < min(2, len(view.methods)):
            note = f"The group \u201c{group.title}\u201d has results of one method only: nothing to compare."
            blocks.append(Notice((note,), "note"))
        else:
            caption = f"{group.key}: {group.title}"
            blocks.append(summary_table(evidence, part, f"{view.protocol}-{group.key}", caption))
    return Section(f"{view.protocol}-groups", "Groups of datasets", tuple(blocks)) if blocks else None


def _bins(evidence: Evidence, view: ProtocolView) -> Section | None:
    if not view.withholds_test_labels or len(view.common.pool.datasets) < 2:
        return None
    tables = tuple(
        bins_table(evidence, view, bins, f"{view.protocol}-by-{bins.quantity}")
        for bins in (SIZE_BINS, DIMENSION_BINS, ASPECT_BINS)
    )
    return Section(f"{view.protocol}-bins", "By size and dimension", tables)


def _baseline(evidence: Evidence, view: ProtocolView) -> Section | None:
    """The paper's figures: where learning the metric helps over the same kernel without it.

    On all datasets that both methods have: a third method's gap is no reason to drop one here.
    """
    if not {REFERENCE, BASELINE} <= set(view.matrix.columns):
        return None
    accuracy = view.matrix[[REFERENCE, BASELINE]].dropna()
    if accuracy.empty:
        return None
    difference = accuracy[REFERENCE] - accuracy[BASELINE]
    sizes = evidence.sizes.loc[accuracy.index]
    bars = difference_bars(
        f"{view.protocol}-rfm-minus-laplace",
        "RFM minus Laplace, dataset by dataset",
        wording.prose("bars", protocol=view.protocol, datasets=wording.plural(len(accuracy), "dataset")),
        difference,
        ("RFM", "Laplace"),
        {
            d: f"n {n}, d {features}"
            for d, n, features in zip(sizes.index, sizes["rows"], sizes["features"], strict=True)
        },
        evidence.anchors,
    )
    overall = significance.paired_difference(accuracy[REFERENCE], accuracy[BASELINE])
    error = "" if overall.se != overall.se else f" ± {wording.number(overall.se)}"
    opening = text(
        f"RFM minus Laplace on the {wording.plural(overall.datasets, 'dataset')} that both have: "
        f"{wording.number(overall.mean, sign=True)}{error} points; {overall.wins} wins, {overall.ties} ties, "
        f"{overall.losses} losses; Wilcoxon's signed-rank test, this pair alone: p {wording.p_value(overall.p)}. "
        f"Median {wording.number(float(difference.median()), sign=True)}.{swayed(difference)}"
    )
    scatters = [_by_size(evidence, view.protocol, accuracy, quantity) for quantity in ("rows", "features")]
    return Section(f"{view.protocol}-laplace", "RFM against its own kernel", (opening, bars, *scatters))


def _by_size(evidence: Evidence, protocol: str, accuracy: pd.DataFrame, quantity: str) -> Figure:
    """The difference, and the error reduction, over one size of the datasets."""
    rfm, laplace = (accuracy[m].to_numpy(dtype=float) for m in (REFERENCE, BASELINE))
    x = evidence.sizes.loc[accuracy.index, quantity].to_numpy(dtype=float)
    measures = {"difference_points": rfm - laplace, "reduction_percent": relative_error_reduction(rfm, laplace)}
    trends = [log_trend(x, y) for y in measures.values()]
    smooth = wording.prose("trend") if trends[0] else "Too few datasets, or all of one size, for a trend."
    words = {"rows": "rows n", "features": "features d"}[quantity]
    return trend_scatter(
        f"{protocol}-laplace-by-{quantity}",
        f"RFM against Laplace, by {words}",
        wording.prose("by-size", protocol=protocol, trend=smooth),
        pd.DataFrame({"x": x, **measures}, index=accuracy.index),
        [
            Panel(f"RFM {wording.MINUS} Laplace, points", "difference_points", "points", trends[0]),
            Panel("error reduction, %", "reduction_percent", "%", trends[1]),
        ],
        f"{words} (log scale)",
        f"{words} {{:g}}",
        evidence.anchors,
    )


def _profiles(evidence: Evidence, view: ProtocolView) -> Section | None:
    if len(view.methods) < 3:
        return None
    key, datasets = view.protocol, wording.plural(len(view.common.pool.datasets), "common dataset")
    profile = profiles(
        f"{key}-profiles",
        "Accuracy profiles",
        wording.prose("profiles", protocol=key, datasets=datasets),
        accuracy_profile(view.common.pool, np.arange(0.0, 20.01, 0.25)),
    )
    plane = accuracy_rank(
        f"{key}-accuracy-rank",
        "Mean accuracy against Friedman rank",
        f"Protocol {key}, {datasets}, pool of {wording.plural(len(view.methods), 'method')}. Up and left is better.",
        view.summary,
        view.methods,
    )
    return Section(f"{key}-profiles-section", "Profiles and ranks", (profile, plane))

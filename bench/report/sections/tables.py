"""What several sections show: the summary of a pool, accuracies by dataset, mean accuracies in bins."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report import wording
from bench.report.blocks import Cell, Column, Table
from bench.report.evidence import BASELINE, REFERENCE, Evidence, ProtocolView
from bench.stats import frame
from bench.stats.groups import Bins
from bench.stats.missing import COMMON_DATASETS
from bench.stats.significance import PairedDifference, leave_one_out, paired_difference
from bench.stats.summary import METRICS, TIE


def method_cell(method: str, methods: Sequence[str]) -> Cell:
    return Cell(wording.title(method), series=wording.series(method, list(methods)), strong=method == REFERENCE)


def difference_cell(d: PairedDifference | None) -> Cell:
    """Mean difference and its standard error, the interval on hover."""
    if d is None:
        return Cell(wording.DASH)
    if d.se != d.se:
        return Cell(wording.number(d.mean, sign=True), d.mean, hint="one dataset: no standard error")
    interval = f"95 % interval {wording.number(d.low, sign=True)} to {wording.number(d.high, sign=True)}"
    return Cell(f"{wording.number(d.mean, sign=True)} ± {wording.number(d.se)}", d.mean, hint=interval)


def summary_table(evidence: Evidence, view: ProtocolView, name: str, caption: str) -> Table:
    """Methods x metrics, and the reference against each; best values stand out."""
    summary = view.summary
    seconds = frame.fit_seconds(evidence.scores, view.protocol, view.common.pool.datasets)
    contrasts = {c.method: c for c in view.contrasts}
    columns = [
        Column("Method", "text"),
        *(Column(m.title, hint=m.hint, lower_first=m.lower_is_better) for m in METRICS),
    ]
    if view.has_reference:
        rfm = wording.title(REFERENCE)
        columns += [
            Column(f"{rfm} {wording.MINUS} method", hint="mean difference over datasets ± its standard error, points"),
            Column("W / T / L", hint=f"datasets on which {rfm} wins, ties, loses against the method"),
            Column(
                "p",
                hint="Wilcoxon's signed-rank test, two-sided, Holm-adjusted over the methods of the table",
                lower_first=True,
            ),
        ]
    columns.append(
        Column("CPU s", hint="CPU seconds of choosing, refitting and predicting, all hold-outs and datasets")
    )
    best = {m.key: (summary[m.key].min() if m.lower_is_better else summary[m.key].max()) for m in METRICS}
    rows = []
    for method in view.methods:
        cells = [method_cell(method, evidence.methods)]
        for metric in METRICS:
            value = float(summary[metric.key][method])
            leads = metric.key != "sd_accuracy" and len(view.methods) > 1 and abs(value - best[metric.key]) < TIE
            cells.append(wording.num(value, metric.digits, strong=leads))
        if view.has_reference:
            cells += (
                _against(contrasts[method].difference, contrasts[method].p_holm) if method in contrasts else _blank(3)
            )
        spent = float(seconds.get(method, float("nan")))
        cells.append(Cell(wording.seconds(spent), spent))
        rows.append(tuple(cells))
    return Table(name, tuple(columns), tuple(rows), caption, note=pool_note(evidence, view))


def _against(d: PairedDifference, p: float) -> list[Cell]:
    score = f"{d.wins} / {d.ties} / {d.losses}"
    return [difference_cell(d), Cell(score, float(d.wins - d.losses)), Cell(wording.p_value(p), p)]


def _blank(count: int) -> list[Cell]:
    return [Cell(wording.DASH) for _ in range(count)]


def pool_note(evidence: Evidence, view: ProtocolView) -> str:
    """Protocol, pool and rule for missing results, and what was left out, in words."""
    common, planned = view.common, len(view.matrix)
    methods = ", ".join(wording.title(m) for m in view.methods)
    parts = [
        f"Protocol {view.protocol}. Pool: {methods}, on {len(common.pool.datasets)} of "
        f"{wording.plural(planned, 'dataset')}. Missing results (rule: {COMMON_DATASETS.name}): "
        f"{COMMON_DATASETS.text}."
    ]
    if common.dropped:
        parts.append(f"Left out: {gaps_text(common.dropped)}.")
    for method, count in common.left_out.items():
        parts.append(f"{wording.title(method)} has results on {count} of {planned} datasets only: not in this table.")
    return " ".join(parts)


def gaps_text(dropped: dict[str, list[str]], limit: int = 6) -> str:
    """Which dataset lacks which methods."""
    shown = [f"{d} ({', '.join(wording.title(m) for m in methods)})" for d, methods in sorted(dropped.items())]
    return wording.listing(shown, limit)


def accuracy_table(evidence: Evidence, view: ProtocolView, name: str, caption: str) -> Table:
    """Every dataset of the protocol with every method's mean accuracy over hold-outs, missing ones included."""
    matrix = view.matrix
    columns = [
        Column("Dataset", "text"),
        Column("n", hint="rows"),
        Column("d", hint="features"),
        Column("c", hint="classes"),
    ]
    columns += [Column(wording.title(str(m))) for m in matrix.columns]
    with_baseline = REFERENCE in matrix and BASELINE in matrix
    if with_baseline:
        columns.append(Column(f"{wording.title(REFERENCE)} {wording.MINUS} Laplace", hint="points"))
    rows = []
    for dataset in matrix.index:
        values = matrix.loc[dataset]
        best = float(values.max()) if values.notna().any() else float("nan")
        cells = [Cell(str(dataset), href=f"#{evidence.anchors[dataset]}" if dataset in evidence.anchors else "")]
        cells += [_size_cell(evidence, str(dataset), key) for key in ("rows", "features", "classes")]
        for method in matrix.columns:
            value = float(values[method])
            if value != value:
                result = evidence.by_job.get((str(dataset), str(method), view.protocol))
                cells.append(
                    Cell(result.status if result else "not run", hint=result.reason if result else "no result")
                )
            else:
                cells.append(wording.num(value, strong=len(matrix.columns) > 1 and abs(value - best) < TIE))
        if with_baseline:
            cells.append(wording.num(float(values[REFERENCE] - values[BASELINE]), sign=True))
        rows.append(tuple(cells))
    note = (
        f"Protocol {view.protocol}. Mean over hold-outs, percent; the best of a row is bold. Missing results are named."
    )
    return Table(name, tuple(columns), tuple(rows), caption, note=note, filterable=len(rows) > 8)


def _size_cell(evidence: Evidence, dataset: str, key: str) -> Cell:
    if dataset not in evidence.sizes.index:
        return Cell(wording.DASH)
    value = int(evidence.sizes[key][dataset])
    return Cell(f"{value:,}", float(value))


def bins_table(evidence: Evidence, view: ProtocolView, bins: Bins, name: str) -> Table:
    """Mean accuracy of every method in bins of a quantity of the dataset, and the reference over the baseline."""
    sizes = evidence.sizes.loc[view.accuracy.index]
    values = sizes["rows"] / sizes["features"] if bins.quantity == "aspect" else sizes[bins.quantity]
    columns = [Column(bins.title.capitalize(), "text"), Column("Datasets")]
    columns += [Column(wording.title(m)) for m in view.methods]
    pair = view.has_reference and BASELINE in view.methods
    if pair:
        columns.append(
            Column(f"{wording.title(REFERENCE)} {wording.MINUS} Laplace", hint="mean difference ± s.e., points")
        )
    rows = []
    for bin_label, members in bins.split(values.astype("float64")):
        part = view.accuracy.loc[members]
        means = part.mean()
        cells = [Cell(bin_label), Cell(str(len(members)), float(len(members)))]
        cells += [_mean_cell(means, m) for m in view.methods]
        if pair:
            cells.append(difference_cell(paired_difference(part[REFERENCE], part[BASELINE])))
        rows.append(tuple(cells))
    return Table(
        name,
        tuple(columns),
        tuple(rows),
        f"Mean accuracy by {bins.title}",
        note=pool_note(evidence, view),
        sortable=False,
    )


def _mean_cell(means: pd.Series, method: str) -> Cell:
    return wording.num(float(means[method]))


def swayed(difference: pd.Series) -> str:
    """How far one dataset can move the mean difference."""
    found = leave_one_out(difference)
    if found is None:
        return ""
    (low_name, low), (high_name, high) = found
    return (
        f" Leaving out one dataset moves the mean to between {wording.number(low, sign=True)} (without {low_name}) and "
        f"{wording.number(high, sign=True)} (without {high_name})."
    )

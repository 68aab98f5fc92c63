"""The sections that compare protocols: effects of label leakage, model-selection noise, ensembles, nominal inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import pandas as pd

from bench.errors import plural
from bench.protocols.record import Protocol
from bench.protocols.registry import get_protocol, known, plain_names, what_changes
from bench.records.measure import COMPARED, Measure
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Notice, Section, Table, table, text
from bench.report.evidence import Evidence
from bench.report.figures.by_dataset import Panel, trend_scatter
from bench.report.figures.by_method import Interval, intervals
from bench.report.sections.cells import difference_columns, method_cell
from bench.report.sections.tables import swayed
from bench.report.view import LAPLACE, RFM, kind_aside, view_key
from bench.stats.groups import Group
from bench.stats.paired import PairedDifference
from bench.stats.protocols import (
    LeakDecomposition,
    ProtocolContrast,
    Step,
    leak_decomposition,
    noise_pair,
    protocol_contrast,
    variant_pairs,
)
from bench.stats.trend import log_trend
from bench.stats.verdict import Comparison, alone

ACCURACY = COMPARED["classification"]
"""What the leak is told in: the protocols that see test labels are for classification."""


def leak_section(evidence: Evidence) -> Section | None:
    """RFM from the protocol that sees most of the test labels to none, and over Laplace under each; folded: each step,
    and the same on more datasets.
    """
    blocks: list[Block] = [text(wording.prose("leak"))]
    children: list[Section] = []
    whole: LeakDecomposition | None = None
    seen: set[frozenset[str]] = set()
    for group in (g for g in evidence.groups if g.key in ("small90", "all-available")):
        found = leak_decomposition(evidence.scores, group.datasets, evidence.families, RFM, LAPLACE)
        if found is not None and frozenset(found.accuracy.index) not in seen:
            seen.add(frozenset(found.accuracy.index))
            means, *steps = _decomposition(evidence, found, group.key, group.title)
            if whole is None:
                blocks.append(means)
            else:
                steps = [means, *steps]
            whole = found
            children.append(Section(f"leak-{group.key}", f"{group.key}: step by step", tuple(steps), fold=True))
        blocks += _left_out(evidence, group, found)
    if whole is None:
        return None
    blocks.append(_leak_figure(evidence, whole))
    return Section("leak", "Effect of label leakage", tuple(blocks), tuple(children))


def _left_out(evidence: Evidence, group: Group, found: LeakDecomposition | None) -> list[Block]:
    """What of the group the tables do not have: protocols that cover too little of it, datasets that some lack."""
    counts = {
        protocol: int(evidence.matrix(protocol)[RFM].reindex(list(group.datasets)).notna().sum())
        for protocol in (p.name for p in known(plain_names(evidence.protocols)))
        if RFM in evidence.matrix(protocol)
    }
    used = len(found.accuracy) if found is not None else 0
    if not counts or all(count == used for count in counts.values()):
        return []
    shown = ", ".join(f"{protocol} {count}" for protocol, count in counts.items())
    lacking = [p for p in counts if found is None or p not in found.path]
    without = f"; under {wording.listing(lacking)} there are too few to take part" if lacking else ""
    words = f"{group.key}: RFM has results on {shown} datasets; the comparison uses the {used} that all have{without}."
    return [Notice((words,), "note")]


def _decomposition(evidence: Evidence, found: LeakDecomposition, key: str, title: str) -> list[Block]:
    count, seeds = plural(len(found.accuracy), "dataset"), len(evidence.seeds) > 1
    names = [name for name in (found.method, found.baseline) if name]

    def mean(name: str, protocol: str) -> Cell:
        return wording.num(float(found.accuracy[name, protocol].mean()))

    means = table(
        f"leak-{key}-levels",
        f"{key}: mean accuracy under each protocol",
        found.path,
        (
            (Column("Protocol", "text"), lambda p: p),
            *((Column(wording.title(name)), partial(mean, name)) for name in names),
            *(
                difference_columns(
                    f"RFM {wording.MINUS} Laplace",
                    lambda p: _alone(found.over_baseline[p]),
                    ACCURACY,
                    seeds=seeds,
                    rule=False,
                )
                if found.baseline
                else ()
            ),
        ),
        note=f"{title}; {count} with all results. {wording.prose('alone')}",
        sortable=False,
    )
    steps = table(
        f"leak-{key}-steps",
        f"{key}: from step to step",
        found.steps,
        (
            (Column("Step", "text"), lambda s: f"{s.first} → {s.second}"),
            (
                Column("What changes", "text"),
                lambda s: _changes(evidence, s.first, s.second),
            ),
            *_brief("RFM", lambda s: s.method, seeds=seeds),
            *(_brief("Laplace", lambda s: s.baseline, seeds=seeds) if found.baseline else ()),
            *(_brief("Excess", lambda s: s.excess, seeds=seeds) if found.baseline else ()),
        ),
        note=wording.prose("leak-steps", datasets=count),
        sortable=False,
    )
    first, second = found.path[:2]
    change = found.accuracy[found.method, second] - found.accuracy[found.method, first]
    influence = swayed(change, ACCURACY)
    return [means, steps, text(f"RFM, {first} → {second}.{influence}")] if influence else [means, steps]


def _changes(evidence: Evidence, first: str, second: str) -> str:
    """What a step changes, with the rules for ties that the results had."""
    return what_changes(*(evidence.protocol(name) or get_protocol(name) for name in (first, second)))


def _alone(difference: PairedDifference | None) -> Comparison | None:
    return None if difference is None else alone("", "", difference)


def _brief(
    title: str, find: Callable[[Step], PairedDifference | None], *, seeds: bool
) -> list[tuple[Column, Callable[[Step], Cell]]]:
    return difference_columns(title, lambda step: _alone(find(step)), ACCURACY, seeds=seeds, full=False)


def _leak_figure(evidence: Evidence, found: LeakDecomposition) -> Figure:
    """The leak by rows per feature: where a metric learned from the test labels helps most."""
    first, second = found.path[:2]
    leak = found.accuracy[found.method, first] - found.accuracy[found.method, second]
    sizes = evidence.sizes.loc[leak.index]
    aspect = sizes["rows"] / sizes["features"]
    trend = log_trend(aspect.to_numpy(dtype=float), leak.to_numpy(dtype=float))
    return trend_scatter(
        "leak-by-aspect",
        "The leak by rows per feature",
        wording.prose("leak-by-aspect", first=first, second=second),
        pd.DataFrame({"x": aspect, "leak_points": leak}),
        [Panel(f"{first} {wording.MINUS} {second}, pp", "leak_points", "pp", trend)],
        "rows per feature n/d (log scale)",
        "n/d {:.3g}",
        evidence.anchors,
    )


def _counts(contrasts: Sequence[ProtocolContrast]) -> str:
    """On how many datasets: one number if it is the same for all methods."""
    counts = sorted({c.comparison.difference.datasets for c in contrasts})
    if len(counts) == 1:
        return plural(counts[0], "dataset")
    return f"its own {counts[0]} to {counts[-1]} datasets"


def selection_section(evidence: Evidence, measure: Measure) -> Section | None:
    """The protocols without test labels that select on the fewest and on the most folds, paired, method by method.

    Of the datasets of the kind of ``measure``.
    """
    pair = noise_pair(evidence.protocols)
    if pair is None:
        return None
    few, many = pair
    contrasts = protocol_contrast(evidence.scores, measure, few.name, many.name, evidence.families, evidence.methods)
    if not contrasts:
        return None
    name = view_key("selection", measure.kind)
    caption = f"What selecting on {few.judged_on} costs each method"
    noise = contrast_table(evidence, contrasts, few, many, measure, f"{name}-noise", caption)
    lines = [Interval(wording.title(c.method), wording.series(c.method), c.comparison.difference) for c in contrasts]
    figure = intervals(
        f"{name}-noise",
        f"{many.judged_on} minus {few.judged_on}",
        wording.prose("selection-figure", measure=measure, few=few, many=many, datasets=_counts(contrasts)),
        lines,
        measure,
    )
    opening = text(
        wording.prose(
            "selection",
            few=few,
            many=many,
            changes=_changes(evidence, few.name, many.name),
        )
    )
    title = "Effect of model-selection noise" + ("" if name == "selection" else f": {measure.kind}")
    return Section(name, title, (opening, noise, figure))


def contrast_table(
    evidence: Evidence,
    contrasts: Sequence[ProtocolContrast],
    first: Protocol,
    second: Protocol,
    measure: Measure,
    name: str,
    caption: str,
) -> Table:
    """Each method's mean under both protocols, and what the second gains on the first."""
    return table(
        name,
        caption,
        contrasts,
        (
            (Column("Method", "text"), lambda c: method_cell(evidence, c.method)),
            (Column("Datasets"), lambda c: c.comparison.difference.datasets),
            (Column(first.name, hint=_mean_hint(first, measure)), lambda c: wording.num(c.first, measure.digits)),
            (Column(second.name, hint=_mean_hint(second, measure)), lambda c: wording.num(c.second, measure.digits)),
            *difference_columns(
                f"{second.name} {wording.MINUS} {first.name}",
                lambda c: c.comparison,
                measure,
                seeds=len(evidence.seeds) > 1,
            ),
        ),
        note=wording.prose("selection-table"),
    )


def _mean_hint(protocol: Protocol, measure: Measure) -> str:
    varied = "" if protocol.plain else f"; {protocol.tag}"
    return f"mean {measure.title}, selected on {protocol.judged_on}{varied}"


VARIANTS: tuple[tuple[Literal["ensemble", "inputs"], str, str], ...] = (
    ("ensemble", "ensembling", "Effect of ensembling"),
    ("inputs", "nominal", "Effect of coding nominal columns"),
)
"""The field in which variants of a protocol differ, and the anchor and title of the section that says what it does."""


def variant_sections(evidence: Evidence) -> list[Section]:
    """What ensembles gain on single choices, and nominal inputs on the archive's: only where a run has both."""
    sections = []
    meaning = {"ensembling": wording.prose("ensembling"), "nominal": wording.prose("nominal")}
    for key, anchor, title in VARIANTS:
        tables = [
            _effect(evidence, first, second, measure, anchor)
            for measure in COMPARED.values()
            for first, second in variant_pairs(evidence.protocols, key)
        ]
        if found := [table for table in tables if table is not None]:
            sections.append(Section(anchor, title, (text(meaning[anchor]), *found)))
    return sections


def _effect(evidence: Evidence, first: Protocol, second: Protocol, measure: Measure, anchor: str) -> Table | None:
    """A row a method; None if no method has a dataset under both."""
    contrasts = protocol_contrast(
        evidence.scores, measure, first.name, second.name, evidence.families, evidence.methods
    )
    aside = kind_aside(measure.kind)
    name, caption = view_key(f"{anchor}-{second.name}", measure.kind), f"{second.name} against {first.name}{aside}"
    return contrast_table(evidence, contrasts, first, second, measure, name, caption) if contrasts else None

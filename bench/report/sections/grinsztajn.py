"""Our methods among the published runs of the benchmark of Grinsztajn et al., one part of it after another."""

from __future__ import annotations

import re
from functools import partial

from bench.errors import ReportError, plural
from bench.records.grinsztajn import PARTS, PREFIX, SPLITS
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Notice, Section, Table, table, text
from bench.report.evidence import Evidence
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.stats.grinsztajn import ALL, QUANTILES, SHUFFLES, Placement, PublishedRuns, placements

DIGITS = 3
"""Of a normalised score."""
HINT = "after so many iterations of the random search of the published models"
STEPS = (1, 2, 3, 5)
"""Iterations that the figure shows, times powers of ten."""


def grinsztajn_section(evidence: Evidence) -> Section | None:
    """A part each: curves, normalised scores and places; None without the published runs.

    Raises :class:`ReportError` if the run has no table of the benchmark.
    """
    runs = evidence.published_runs
    if runs is None:
        return None
    found, unplaced = placements(runs, evidence.scores)
    if not found and not unplaced:
        raise ReportError(
            f"--published-grinsztajn: no result here is on a table of the benchmark of Grinsztajn et al.: run --subset "
            f"{PREFIX} or a part of it, from OpenML, divided as {' or '.join(SPLITS)}"
        )
    quantiles = {kind: f"{100 * share:.0f} %" for kind, share in QUANTILES.items()}
    blocks: list[Block] = [text(wording.prose("grinsztajn", shuffles=SHUFFLES, **quantiles))]
    for benchmark, reason in unplaced.items():
        blocks.append(Notice((f"{_title(benchmark)} is not compared: {reason}.",), "warning"))
    parts = tuple(_part(evidence, runs, placement) for placement in found)
    return Section(PREFIX, "Among the published runs of the benchmark", tuple(blocks), parts)


def _title(benchmark: str) -> str:
    part, _, size = benchmark.rpartition("_")
    return f"{part.replace('_', ' ').capitalize()}, {size}"


def _part(evidence: Evidence, runs: PublishedRuns, placement: Placement) -> Section:
    key = f"{PREFIX}-{placement.benchmark.replace('_', '-')}"
    blocks = [_answer(evidence, placement), *_reduced(evidence, placement), *_gaps(evidence, placement)]
    blocks += [
        _figure(evidence, placement, f"{key}-curves"),
        _scores(evidence, runs, placement, f"{key}-scores"),
        _places(placement, f"{key}-places"),
    ]
    return Section(key, _title(placement.benchmark), tuple(blocks))


def _answer(evidence: Evidence, placement: Placement) -> Block:
    """The best of ours, and the reference."""
    count, last = len(placement.curves.mean.columns) + 1, len(placement.curves.mean)
    chief = dict.fromkeys([str(placement.ours.idxmax()), *({evidence.reference} & set(placement.ours.index))])
    told = [
        f"{_own(method)} has {wording.number(float(placement.ours[method]), DIGITS)} and would be number "
        f"{placement.places[ALL][method]} of {count}"
        for method in chief
    ]
    models = plural(count - 1, "published model")
    return text(
        f"On {_of_all(placement)}, next to the {models} after all {plural(last, 'iteration')}: {'; '.join(told)}."
    )


def _own(method: str) -> str:
    """A method of ours: some models have the same name."""
    return f"{wording.title(method)} (ours)"


def _theirs(model: str) -> str:
    """A published model in words that a narrow screen can break: ``RandomForest`` is Random Forest."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", model)


def _of_all(placement: Placement) -> str:
    """On how many datasets of those in the published runs."""
    count = len(placement.datasets)
    if not placement.missing:
        return f"all {plural(count, 'dataset')} of the benchmark"
    return f"{count} of the benchmark's {count + len(placement.missing)} datasets"


def _reduced(evidence: Evidence, placement: Placement) -> list[Block]:
    """On how many rows our methods chose, where it was not on all, as their jobs say it."""
    title, _, size = placement.benchmark.rpartition("_")
    ending = next(f"-{part.name}" for part in PARTS.values() if part.title == title)
    reduced: dict[str, set[str]] = {}
    for job in (r.job for r in evidence.merged.results if r.status == "ok" and r.job.source == "openml"):
        name = job.dataset.removesuffix(ending)
        if job.reduction and SPLITS.get(job.split) == size and name not in (job.dataset, *placement.unknown):
            reduced.setdefault(job.reduction, set()).add(name)
    return [
        Notice(
            (wording.prose("grinsztajn-reduced", reduction=words, datasets=plural(len(names), "dataset")),),
            "note",
        )
        for words, names in sorted(reduced.items())
    ]


def _gaps(evidence: Evidence, placement: Placement) -> list[Block]:
    """What one side has and the other has not."""
    lines = []
    if placement.missing:
        lines.append(
            f"In the published runs, but without a result here: {wording.listing(list(placement.missing), 20)}."
        )
    if placement.unknown:
        lines.append(f"Run here, but not in the published runs: {wording.listing(list(placement.unknown), 20)}.")
    for name, lacks in placement.left_out.items():
        model = _own(name) if name in evidence.methods else _theirs(name)
        lines.append(f"{model} is left out: no result on {wording.listing(list(lacks), 20)}.")
    return [Notice((line,), "warning") for line in lines]


def _series(evidence: Evidence, placement: Placement) -> dict[str, int]:
    """Colours, markers and dashes: our methods keep theirs, the published models have the next ones."""
    ours = {m: wording.series(m) for m in evidence.methods}
    after = 1 + max(ours.values())
    return ours | {str(model): after + i for i, model in enumerate(placement.curves.mean.columns)}


def _figure(evidence: Evidence, placement: Placement, name: str) -> Figure:
    """Published models from the best on; ours are level lines. One far below all curves would flatten them."""
    series, mean, low = _series(evidence, placement), placement.curves.mean, placement.curves.low
    last = len(mean)
    shown = sorted({n for n in (step * 10**power for step in STEPS for power in range(9)) if n < last} | {last})
    lowest, highest = low.to_numpy().min(), placement.curves.high.to_numpy().max()
    below = placement.ours[placement.ours < lowest - max(highest - lowest, 0.1)]
    lines = []
    for method in map(str, placement.table.index):
        if method in mean:
            values = (mean[method], low[method], placement.curves.high[method])
            points = tuple(Point(n, *(float(x[n]) for x in values)) for n in shown)
            lines.append(Curve(_theirs(method), series[method], points))
        elif method not in below:
            score = float(placement.ours[method])
            level = tuple(Point(n, score, score, score) for n in dict.fromkeys((1, last)))
            lines.append(Curve(_own(method), series[method], level))
    caption = wording.prose("grinsztajn-figure", datasets=_of_all(placement), shuffles=SHUFFLES)
    if len(below):
        under = ", ".join(f"{_own(str(m))} {wording.number(x, DIGITS)}" for m, x in below.items())
        caption += f" Too low for this figure: {under}."
    title = f"{_title(placement.benchmark)}: score over iterations of random search"
    axes = Axis("iterations of random search (log scale)", log=True), Axis("mean normalised score")
    return curves(name, title, caption, lines, *axes)


def _scores(evidence: Evidence, runs: PublishedRuns, placement: Placement, name: str) -> Table:
    series, best = _series(evidence, placement), placement.table.max()

    def title(method: str) -> Cell:
        ours = method in placement.ours
        return Cell(_own(method) if ours else _theirs(method), series=series[method], strong=ours)

    def score(label: str, method: str) -> Cell:
        value = float(placement.table[label][method])
        return wording.num(value, DIGITS, strong=value == best[label])

    note = wording.prose("grinsztajn-scores", benchmark=placement.benchmark, datasets=_of_all(placement))
    if runs.unusable:
        note += f" Of the file's rows {runs.unusable:,} have no score or no time and are left out."
    return table(
        name,
        f"{_title(placement.benchmark)}: normalised score by iterations",
        [str(method) for method in placement.table.index],
        [
            (Column("Model or method", "text"), title),
            *((Column(head, hint=HINT), partial(score, label)) for label, head in _heads(placement).items()),
        ],
        note=note,
    )


def _heads(placement: Placement) -> dict[str, str]:
    """The tables' columns by label, as their heads say them."""
    return {label: label for label in placement.table.columns} | {ALL: f"all {len(placement.curves.mean):,}"}


def _places(placement: Placement, name: str) -> Table:
    models = len(placement.curves.mean.columns)

    def place(label: str, method: str) -> Cell:
        value = int(placement.places[label][method])
        return Cell(f"{value} of {models + 1}", float(value))

    return table(
        name,
        f"{_title(placement.benchmark)}: places of our methods by iterations",
        [m for m in map(str, placement.table.index) if m in placement.ours],
        [
            (Column("Method", "text"), lambda m: Cell(_own(m), series=wording.series(m))),
            *(
                (Column(head, hint=HINT, lower_first=True), partial(place, label))
                for label, head in _heads(placement).items()
            ),
        ],
        note=wording.prose("grinsztajn-places", models=plural(models, "published model")),
    )

"""Our methods among the published study's 179 classifiers: where each stands, under each protocol, on three sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

from bench.errors import ReportError, listed, plural
from bench.methods import built_in_methods
from bench.protocols.registry import known, plain_names
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Notice, Section, Table, table, text
from bench.report.evidence import Evidence
from bench.report.figures.by_method import score_rank
from bench.report.places import OF_THE_PAPER
from bench.report.sections.cells import method_cell
from bench.stats.missing import STUDY_2014
from bench.stats.places import BEST, SUBSETS, Standing, standings, study_alone
from bench.stats.published import SIZE, PublishedStudy
from bench.stats.summary import metrics_of

SHOWN = 40
"""The study's classifiers in the figure."""
SETS = {"small90": "small", "no-test-file": "no test file", "all121": "all"}
"""Short names of the sets of datasets, for columns; the comparable ones first."""
LONG = {
    "all121": "all datasets that both have",
    "no-test-file": "the datasets without a test file",
    "small90": "the small datasets (no test file, at most 5,000 samples)",
}

Row = tuple[str, str]
"""Protocol and method; of the study's own no protocol."""


def study_section(evidence: Evidence) -> Section | None:
    """One table over all protocols, all figures folded under it; None without the study's file.

    Raises :class:`ReportError` if the run has no table with classes.
    """
    study = evidence.study
    if study is None:
        return None
    if not evidence.of_kind("classification"):
        raise ReportError(
            "--published: the 2014 study's classifiers have no results to stand next to: all datasets here are "
            "regression"
        )
    plain = plain_names(evidence.protocols)
    ours = {protocol: evidence.matrix(protocol) for protocol in plain}
    part = {v.protocol: words for v in evidence.views.values() if (words := evidence.first_folds(v))}
    ours = {protocol: matrix for protocol, matrix in ours.items() if len(matrix) and protocol not in part}
    groups = {str(d): evidence.of(str(d)).group for matrix in ours.values() for d in matrix.index}
    found = standings(study, ours, groups)
    blocks: list[Block] = [text(wording.prose("study", classifiers=SIZE[1], datasets=SIZE[0]))]
    blocks += [Notice((words,), "warning") for words in _gaps(study, ours, groups, found)]
    blocks += [Notice((f"{p}: {words}, so no places.",), "warning") for p, words in part.items()]
    blocks += [] if plain else [Notice((wording.prose("study-variants"),), "note")]
    children = []
    if found:
        alone = study_alone(study, found)
        blocks.insert(0, text(_answer(evidence, found)))
        blocks.append(_overview(evidence, found, alone))
        children.append(_details(evidence, found))
    return Section("study", f"Among the {study.accuracy.shape[1]} classifiers of 2014", tuple(blocks), tuple(children))


def _answer(evidence: Evidence, found: list[Standing]) -> str:
    """Where the reference stands under each protocol, on the first set that has it."""
    reference = evidence.reference
    its = [s for s in found if reference in s.ours]
    subset = next((name for name in SETS if any(s.subset == name for s in its)), None)
    if subset is None:
        return f"{wording.title(reference)} has no place: too few results."
    here = [s for s in its if s.subset == subset]
    alike = len({len(s.pool.datasets) for s in here}) == 1
    parts = [
        f"{s.value(reference, 'place_by_rank'):.0f} / {s.value(reference, 'place_by_mean'):.0f} under {s.protocol}"
        + ("" if alike else f" ({plural(len(s.pool.datasets), 'dataset')})")
        for s in here
    ]
    return f"{wording.title(reference)}'s place by average rank / by mean accuracy on {LONG[subset]}: {listed(parts)}."


def _gaps(
    study: PublishedStudy,
    ours: Mapping[str, pd.DataFrame],
    groups: Mapping[str, str | None],
    found: list[Standing],
) -> list[str]:
    """What is missing of the study's file, of the datasets, of our results: a sentence each."""
    said = []
    datasets, classifiers = study.accuracy.shape
    if (datasets, classifiers) != SIZE:
        said.append(
            f"The results file is not whole: {datasets} of {SIZE[0]} datasets, {classifiers} of {SIZE[1]} classifiers."
        )
    absent = sorted(d for d, group in groups.items() if group in SUBSETS["all121"] and d not in study.accuracy.index)
    if absent:
        said.append(f"Not in the results file and left out: {wording.listing(absent)}.")
    without = [p for p in ours if p not in {s.protocol for s in found}]
    said += [f"{p}: none of its datasets is comparable with the study." for p in without]
    for s in found:
        few = ", ".join(f"{wording.title(m)} ({n})" for m, n in s.left_out.items())
        said += [f"{s.protocol}, {LONG[s.subset]}: too few results to be placed: {few}."] if few else []
    return said


def _overview(evidence: Evidence, found: list[Standing], alone: dict[str, pd.DataFrame]) -> Table:
    """Protocol x method: mean, average rank and places on every set; the study's best, among themselves, last."""
    at = {(s.protocol, s.subset): s for s in found}
    subsets = [subset for subset in SETS if subset in alone]
    protocols = list(dict.fromkeys(s.protocol for s in found))
    mine: list[Row] = [
        (p, m)
        for p in protocols
        for m in evidence.matrix(p).columns
        if _first(evidence, m) and any(m in s.ours for s in found if s.protocol == p)
    ]
    rows: list[Row] = [*mine, *(("", str(m)) for m in alone[subsets[0]].index[:BEST])]

    def value(key: str, subset: str, row: Row) -> float | None:
        protocol, method = row
        if not protocol:
            return float(alone[subset][key][method]) if method in alone[subset].index else None
        s = at.get((protocol, subset))
        return None if s is None or method not in s.ours else s.value(method, key)

    def number(key: str, subset: str, row: Row) -> Cell:
        shown = value(key, subset, row)
        return Cell(wording.DASH) if shown is None else wording.num(shown)

    def places(subset: str, row: Row) -> Cell:
        by_rank, by_mean = (value(key, subset, row) for key in ("place_by_rank", "place_by_mean"))
        if by_rank is None or by_mean is None:
            return Cell(wording.DASH)
        words = f"{by_rank:.0f} / {by_mean:.0f}"
        if not row[0]:
            return Cell(words, by_rank, hint=f"of {len(alone[subset])}")
        pool = at[row[0], subset].pool
        return Cell(words, by_rank, hint=f"of {len(pool.methods)}, on {plural(len(pool.datasets), 'dataset')}")

    columns: list[tuple[Column, Callable[[Row], Cell | str]]] = [
        (Column("Protocol", "text"), _protocol),
        (Column("Method", "text"), lambda row: method_cell(evidence, row[1]) if row[0] else Cell(row[1])),
    ]
    for subset in subsets:
        counts = sorted({len(s.pool.datasets) for s in found if s.subset == subset})
        head = f"{SETS[subset]} ({'–'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))})"
        columns += [
            (Column(f"Mean %, {head}"), partial(number, "mean_score", subset)),
            (Column(f"Rank, {head}", hint="average rank", lower_first=True), partial(number, "friedman_rank", subset)),
            (
                Column(f"Place, {head}", hint="by average rank / by mean accuracy", lower_first=True),
                partial(places, subset),
            ),
        ]
    sizes = sorted({len(s.pool.methods) - len(s.ours) for s in found})
    note = wording.prose("study-pool", theirs=sizes[-1], best=BEST, rule=STUDY_2014)
    caption = "Mean accuracy, average rank, and place by average rank / by mean"
    return table("study-places", caption, rows, columns, note=note + _drawn(evidence, found))


def _first(evidence: Evidence, method: str) -> bool:
    """Whether ``method`` is in the first table; all are in the folded ones."""
    return method in (*OF_THE_PAPER, evidence.reference) or method not in built_in_methods()


def _protocol(row: Row) -> str:
    """The protocol with what reports tag it by; the study's year."""
    tags = [p.tag for p in known([row[0]]) if p.tag]
    return " ".join([row[0], *(f"({tag})" for tag in tags)]) if row[0] else "2014 study"


def _drawn(evidence: Evidence, found: list[Standing]) -> str:
    """A sentence if our test folds are not the study's on some datasets."""
    drawn = evidence.drawn.intersection(d for s in found for d in s.pool.datasets)
    return f" On {plural(len(drawn), 'dataset')} our test folds were drawn by the harness: not the study's." * bool(
        drawn
    )


def _details(evidence: Evidence, found: list[Standing]) -> Section:
    """All methods and all metrics, a table for each set of datasets, and one figure; folded."""
    blocks: list[Block] = []
    for subset in SETS:
        of_subset = [s for s in found if s.subset == subset]
        if of_subset:
            blocks.append(_whole(evidence, subset, of_subset))
    return Section("study-details", "All methods and metrics", (*blocks, _figure(found)), fold=True)


def _whole(evidence: Evidence, subset: str, found: list[Standing]) -> Table:
    at = {s.protocol: s for s in found}
    rows = [(s.protocol, m) for s in found for m in s.table.index if m in (*s.ours, *s.best_of_study)]

    def value(key: str, row: Row) -> Cell:
        return wording.num(at[row[0]].value(row[1], key))

    def count(key: str, row: Row) -> int:
        return int(at[row[0]].value(row[1], key))

    def named(row: Row) -> Cell:
        return method_cell(evidence, row[1]) if row[1] in at[row[0]].ours else Cell(row[1])

    titles = {m.key: m for m in metrics_of(found[0].pool.measure)}
    keys = ("mean_score", "p90", "p95", "pma")
    place = "equal values share a place"
    columns: list[tuple[Column, Callable[[Row], Cell | str | int]]] = [
        (Column("Protocol", "text"), _protocol),
        (Column("Method", "text"), named),
        *((Column(titles[key].title, hint=titles[key].hint), partial(value, key)) for key in keys),
        (Column("Average rank", hint=titles["friedman_rank"].hint, lower_first=True), partial(value, "friedman_rank")),
        (Column("Place by rank", hint=place, lower_first=True), partial(count, "place_by_rank")),
        (Column("Place by mean", hint=place, lower_first=True), partial(count, "place_by_mean")),
        (Column("Missing", hint="datasets without a result", lower_first=True), partial(count, "missing")),
    ]
    sizes = ", ".join(f"{s.protocol} {len(s.pool.datasets)} datasets and {len(s.pool.methods)} methods" for s in found)
    caption = f"On {LONG[subset]}: ours and the study's best {BEST} of each pool by average rank"
    return table(f"study-{subset}", caption, rows, columns, note=f"Pools: {sizes}.")


def _figure(found: list[Standing]) -> Figure:
    """Of the first protocol, on its smallest set."""
    s = [s for s in found if s.protocol == found[0].protocol][-1]
    return score_rank(
        "study-accuracy-rank",
        f"Mean accuracy against average rank among the study's classifiers, protocol {s.protocol}",
        wording.prose(
            "study-figure",
            datasets=plural(len(s.pool.datasets), "dataset"),
            pool=len(s.pool.methods),
            shown=min(SHOWN, len(s.pool.methods) - len(s.ours)),
        ),
        s.table,
        s.ours,
        s.pool.measure,
        shown=SHOWN,
    )

"""Our methods in the pool of the published study's 179 classifiers, on the datasets where the task is the same."""

from __future__ import annotations

from functools import partial

import pandas as pd

from bench.errors import ReportError, plural
from bench.protocols.registry import PROTOCOLS
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Notice, Section, table, text
from bench.report.evidence import Evidence, ProtocolView
from bench.report.figures.by_method import score_rank
from bench.report.sections.tables import method_cell
from bench.stats.published import SIZE, PublishedStudy, joined_pool
from bench.stats.summary import Metric, Pool, metrics_of, summarise

TOP = 15
"""Rows of the table besides ours."""
SHOWN = 40
"""The study's classifiers in the figure."""


def study_section(evidence: Evidence) -> Section | None:
    """One table and one figure per protocol; None without the study's file.

    Raises :class:`ReportError` if the run has no table with classes.
    """
    if evidence.study is None:
        return None
    if not evidence.of_kind("classification"):
        raise ReportError(
            "--published: the 2014 study's classifiers have no results to stand beside: all tables here are regression"
        )
    datasets, classifiers = evidence.study.accuracy.shape
    blocks: list[Block] = [text(wording.prose("study", datasets=SIZE[0], classifiers=SIZE[1]))]
    if (datasets, classifiers) != SIZE:
        words = (
            f"The results file is not whole: {datasets} of {SIZE[0]} datasets, {classifiers} of {SIZE[1]} classifiers."
        )
        blocks.append(Notice((words,), "warning"))
    for view in evidence.views.values():
        protocol = view.protocol
        if view.measure.kind != "classification":
            continue
        same_task = [str(d) for d in view.scores.index if evidence.of(str(d)).group in ("small", "large")]
        comparable = [d for d in same_task if d in evidence.study.accuracy.index]
        absent = sorted(set(same_task) - set(comparable))
        if absent:
            words = f"{protocol}: not in the results file and left out: {wording.listing(absent)}."
            blocks.append(Notice((words,), "warning"))
        if not comparable:
            note = f"{protocol}: none of its common datasets is comparable with the study."
            blocks.append(Notice((note,), "warning"))
        else:
            blocks += _joined(evidence, evidence.study, view, view.scores.loc[comparable])
    return Section("study", f"Among the {classifiers} classifiers of 2014", tuple(blocks))


def _joined(evidence: Evidence, study: PublishedStudy, view: ProtocolView, ours: pd.DataFrame) -> list[Block]:
    pool = joined_pool(study, ours)
    summary = summarise(pool)
    by_rank = summary["friedman_rank"].rank(method="min").astype(int)
    by_mean = summary["mean_score"].rank(ascending=False, method="min").astype(int)
    ordered = list(summary.sort_values("friedman_rank", kind="stable").index)
    mine = set(ours.columns)
    shown = [m for m in ordered if m in mine or by_rank[m] <= TOP]

    def title(m: str) -> Cell:
        return method_cell(evidence, m, strong=True) if m in mine else Cell(m)

    def metric(found: Metric, m: str) -> Cell:
        return wording.num(float(summary[found.key][m]), found.digits)

    place = "place by Friedman rank; equal ranks share a place"
    best = table(
        f"study-{view.protocol}",
        f"The best {TOP} of the pool by Friedman rank, and ours, protocol {view.protocol}",
        shown,
        (
            (Column("Method", "text"), title),
            (Column("Place by rank", hint=place, lower_first=True), lambda m: int(by_rank[m])),
            (Column("Place by mean", lower_first=True), lambda m: int(by_mean[m])),
            *(
                (Column(m.title, hint=m.hint, lower_first=m.lower_is_better), partial(metric, m))
                for m in metrics_of(pool.measure)
            ),
            (
                Column("Missing", hint="datasets without a result", lower_first=True),
                lambda m: int(pool.scores[m].isna().sum()),
            ),
        ),
        note=_note(evidence, view, pool, len(mine)),
    )
    figure = score_rank(
        f"study-{view.protocol}-accuracy-rank",
        f"Accuracy against rank in the study's pool, protocol {view.protocol}",
        wording.prose(
            "study-figure",
            datasets=plural(len(pool.datasets), "dataset"),
            pool=len(pool.methods),
            shown=min(SHOWN, len(pool.methods) - len(mine)),
        ),
        summary,
        list(ours.columns),
        pool.measure,
        shown=SHOWN,
    )
    blocks: list[Block] = [best, figure]
    if view.record is not None and view.record.reuses_metric:
        alike = [p.name for p in PROTOCOLS.values() if p.exposure == 1]
        warning = wording.prose("study-leak", protocol=view.protocol, alike=" and ".join(alike))
        blocks.insert(0, Notice((warning,), "warning"))
    return blocks


def _note(evidence: Evidence, view: ProtocolView, pool: Pool, ours: int) -> str:
    note = wording.prose(
        "study-pool",
        theirs=len(pool.methods) - ours,
        ours=plural(ours, "method"),
        datasets=plural(len(pool.datasets), "comparable dataset"),
        rule=pool.rule,
    )
    drawn = len(evidence.drawn.intersection(pool.datasets))
    if drawn:
        note += f" On {drawn} of them our hold-outs were drawn by the harness and are not the study's."
    return note

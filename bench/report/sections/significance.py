"""Tests over families under one protocol: Friedman, all pairs by the rule, wins, the diagram."""

from __future__ import annotations

from functools import partial

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Section, Table, table, text
from bench.report.evidence import Evidence
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.sections.cells import difference_columns, method_cell, score_cell
from bench.report.view import ProtocolView
from bench.stats import significance
from bench.stats.families import family_means
from bench.stats.verdict import differing


def tests_section(evidence: Evidence, view: ProtocolView) -> Section | None:
    """Friedman's test, the diagram of ranks, every pair by the rule, wins."""
    if len(view.methods) < 3:
        return None  # for two methods the summary says it all
    outcome = significance.friedman(family_means(view.scores, view.families))
    f_form = (
        ""
        if outcome.f_p != outcome.f_p
        else f"; Iman and Davenport's F {outcome.f_statistic:.2f}, p {wording.p_value(outcome.f_p)}"
    )
    families = plural(view.family_count, "family", "families")
    blocks: list[Block] = [
        text(
            f"Friedman's test over the mean scores of families, ties corrected: χ² {outcome.statistic:.2f} with "
            f"{outcome.methods - 1} degrees of freedom, p {wording.p_value(outcome.p)}{f_form}. {families} of "
            f"{plural(len(view.scores), 'common dataset')}, {plural(outcome.methods, 'method')}."
        )
    ]
    ranks = view.common.pool.ranks.mean()
    groups = significance.rank_groups(ranks, differing(view.pairs))
    pairs = plural(len(view.pairs), "pair")
    blocks.append(
        critical_difference_diagram(
            f"{view.key}-critical-difference",
            "Critical-difference diagram",
            wording.prose("critical-difference", view=view, pairs=pairs),
            ranks,
            groups,
        )
    )
    blocks += [_wins(evidence, view), _pairs(view, pairs)]
    return Section(f"{view.key}-tests", "Tests over families, all pairs", tuple(blocks), fold=True)


def _wins(evidence: Evidence, view: ProtocolView) -> Table:
    """Row against column: wins / ties / losses."""
    score = significance.win_tie_loss(view.scores)

    def wins(column: str, row: str) -> Cell | str:
        if column == row:
            return ""
        won, tied, lost = score[row, column]
        return score_cell(won, tied, lost)

    return table(
        f"{view.key}-wins",
        "Wins / ties / losses of the row against the column",
        view.methods,
        [
            (Column("Row against column", "text"), lambda row: method_cell(evidence, row)),
            *((Column(wording.title(m)), partial(wins, m)) for m in view.methods),
        ],
        note=f"Protocol {view.words}. {plural(len(view.scores), 'common dataset')}.",
        sortable=False,
    )


def _pairs(view: ProtocolView, pairs: str) -> Table:
    """Every pair: the difference, what the rule says of it, and the same over single datasets."""
    measure, minus = view.measure, wording.MINUS
    hints = (
        "mean difference over datasets ± its standard error over families",
        "datasets on which the first wins, ties, loses against the second",
        "Wilcoxon's signed-rank test over families, two-sided, Holm-adjusted over all pairs",
    )
    return table(
        f"{view.key}-pairs",
        "All pairs",
        view.pairs,
        [
            (Column("Pair", "text"), lambda c: f"{wording.title(c.first)} {minus} {wording.title(c.second)}"),
            *difference_columns(f"Δ {measure.title}", lambda c: c, measure, seeds=len(view.seeds) > 1, hints=hints),
        ],
        note=f"Protocol {view.words}. {plural(len(view.scores), 'common dataset')}. "
        + wording.prose("pairs", pairs=pairs),
        filterable=len(view.pairs) > 8,
    )

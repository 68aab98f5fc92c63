"""Tests over datasets under one protocol: Friedman, Nemenyi, Wilcoxon with Holm, wins, the diagram."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Section, Table, table, text
from bench.report.evidence import ALPHA, Evidence, ProtocolView
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.sections.tables import method_cell, p_cell, score_cell
from bench.stats import significance


def tests_section(evidence: Evidence, view: ProtocolView) -> Section | None:
    """Friedman, Nemenyi, Wilcoxon with Holm, wins; the diagram where ranks can be compared."""
    if len(view.methods) < 3:
        return None  # for two methods Wilcoxon's test in the summary says it all
    scores, key = view.scores, view.key
    outcome = significance.friedman(scores)
    count = outcome.datasets
    f_form = (
        ""
        if outcome.f_p != outcome.f_p
        else f"; Iman and Davenport's F {outcome.f_statistic:.2f}, p {wording.p_value(outcome.f_p)}"
    )
    blocks: list[Block] = [
        text(
            f"Friedman's test, ties corrected: χ² {outcome.statistic:.2f} with {outcome.methods - 1} degrees of "
            f"freedom, p {wording.p_value(outcome.p)}{f_form}. {plural(count, 'common dataset')}, "
            f"{plural(outcome.methods, 'method')}."
        )
    ]
    ranks = view.common.pool.ranks.mean()
    critical = significance.critical_difference(len(view.methods), count, ALPHA)
    p = significance.nemenyi(ranks, count)
    groups = significance.rank_groups(ranks, p < ALPHA)
    blocks.append(
        critical_difference_diagram(
            f"{key}-critical-difference",
            "Critical-difference diagram",
            wording.prose("critical-difference", view=view, alpha=ALPHA),
            ranks,
            groups,
            critical,
        )
    )
    blocks += _pairs(evidence, view)
    return Section(f"{key}-tests", "Tests over datasets", tuple(blocks))


def _pairs(evidence: Evidence, view: ProtocolView) -> tuple[Table, Table]:
    """Row against column: wins / ties / losses, and the Holm-adjusted p-value of Wilcoxon's test."""
    score = significance.win_tie_loss(view.scores)
    p = significance.wilcoxon_holm(view.scores)

    def wins(column: str, row: str) -> Cell:
        won, tied, lost = score[row, column]
        return score_cell(won, tied, lost, strong=won > lost)

    def value(column: str, row: str) -> Cell:
        found = float(p[column][row])
        return p_cell(found, strong=found < ALPHA)

    def square(name: str, caption: str, show: Callable[[str, str], Cell], note: str) -> Table:
        columns: list[tuple[Column, Callable[[str], Cell | str]]] = [
            (Column("Row against column", "text"), lambda row: method_cell(row, evidence.methods)),
            *(
                (Column(wording.title(m)), partial(lambda m, row: "" if m == row else show(m, row), m))
                for m in view.methods
            ),
        ]
        pool = f"Protocol {view.words}. Pool: {plural(len(view.scores), 'common dataset')}."
        return table(f"{view.key}-{name}", caption, view.methods, columns, note=f"{pool} {note}", sortable=False)

    count = plural(len(view.methods) * (len(view.methods) - 1) // 2, "pair")
    adjusted = f"Two-sided p-values, Holm-adjusted over {count}; bold below {ALPHA:g}."
    return (
        square("wins", "Wins / ties / losses of the row against the column", wins, "Bold: more wins than losses."),
        square("pairs", "Wilcoxon's signed-rank test, all pairs", value, adjusted),
    )

"""Tests over datasets under one protocol: Friedman, Nemenyi, Wilcoxon with Holm, wins, the diagram."""

from __future__ import annotations

from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Section, Table, text
from bench.report.evidence import ALPHA, Evidence, ProtocolView
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.sections.tables import method_cell
from bench.stats import significance


def tests_section(evidence: Evidence, view: ProtocolView) -> Section | None:
    """Friedman, Nemenyi, Wilcoxon with Holm, wins; the diagram where ranks can be compared."""
    if len(view.methods) < 3:
        return None  # for two methods Wilcoxon's test in the summary says it all
    accuracy, key = view.accuracy, view.protocol
    outcome = significance.friedman(accuracy)
    count = outcome.datasets
    f_form = (
        ""
        if outcome.f_p != outcome.f_p
        else f"; Iman and Davenport's F {outcome.f_statistic:.2f}, p {wording.p_value(outcome.f_p)}"
    )
    blocks: list[Block] = [
        text(
            f"Friedman's test, ties corrected: χ² {outcome.statistic:.2f} with {outcome.methods - 1} degrees of "
            f"freedom, p {wording.p_value(outcome.p)}{f_form}. {wording.plural(count, 'common dataset')}, "
            f"{wording.plural(outcome.methods, 'method')}."
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
            f"Protocol {key}. Mean ranks (best on the left); a bar joins methods contiguous in rank among which "
            f"Nemenyi's test finds no difference at {ALPHA:g}. Nemenyi is conservative; the pairwise table below is "
            "not bound to ranks.",
            ranks,
            groups,
            critical,
        )
    )
    blocks += _pairs(evidence, view)
    return Section(f"{key}-tests", "Tests over datasets", tuple(blocks))


def _pairs(evidence: Evidence, view: ProtocolView) -> tuple[Table, Table]:
    """Row against column: wins / ties / losses, and the Holm-adjusted p-value of Wilcoxon's test."""
    score = significance.win_tie_loss(view.accuracy)
    p = significance.wilcoxon_holm(view.accuracy).to_numpy(dtype=float)
    columns = (Column("Row against column", "text"), *(Column(wording.title(m)) for m in view.methods))
    wins, tests = [], []
    for i, a in enumerate(view.methods):
        counts, values = [method_cell(a, evidence.methods)], [method_cell(a, evidence.methods)]
        for j, b in enumerate(view.methods):
            if i == j:
                counts.append(Cell(""))
                values.append(Cell(""))
            else:
                won, tied, lost = score[a, b]
                counts.append(Cell(f"{won} / {tied} / {lost}", float(won - lost), strong=won > lost))
                values.append(Cell(wording.p_value(p[i, j]), float(p[i, j]), strong=bool(p[i, j] < ALPHA)))
        wins.append(tuple(counts))
        tests.append(tuple(values))
    pool = f"Protocol {view.protocol}. Pool: {wording.plural(len(view.accuracy), 'common dataset')}."
    count = wording.plural(len(view.methods) * (len(view.methods) - 1) // 2, "pair")
    return (
        Table(
            f"{view.protocol}-wins",
            columns,
            tuple(wins),
            "Wins / ties / losses of the row against the column",
            note=f"{pool} Bold: more wins than losses.",
            sortable=False,
        ),
        Table(
            f"{view.protocol}-pairs",
            columns,
            tuple(tests),
            "Wilcoxon's signed-rank test, all pairs",
            note=f"{pool} Two-sided p-values, Holm-adjusted over {count}; bold below {ALPHA:g}.",
            sortable=False,
        ),
    )

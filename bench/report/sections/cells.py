"""Cells and columns that tables of several sections share: methods, datasets, scores, differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.records.measure import Measure
from bench.report import wording
from bench.report.blocks import Cell, Column
from bench.report.evidence import Evidence
from bench.stats.paired import PairedDifference
from bench.stats.summary import TIE
from bench.stats.verdict import Comparison


def method_cell(evidence: Evidence, method: str, reference: str | None = None) -> Cell:
    """The report's reference stands out, or the one that a table compares with."""
    series = wording.series(method)
    return Cell(wording.title(method), series=series, strong=method == (reference or evidence.reference))


def dataset_cell(evidence: Evidence, dataset: str) -> Cell:
    """A link to the dataset's section, if it has one."""
    return Cell(dataset, href=f"#{evidence.anchors[dataset]}" if dataset in evidence.anchors else "")


def seconds_cell(value: float) -> Cell:
    return Cell(wording.seconds(value), None if value != value else value)


def p_cell(p: float) -> Cell:
    return Cell(wording.p_value(p), p)


def score_cell(wins: int, ties: int, losses: int) -> Cell:
    return Cell(f"{wins} / {ties} / {losses}", float(wins - losses))


def best_cell(values: pd.Series, method: str, digits: int, *, lower: bool = False) -> Cell:
    """A method's value; the best of several stands out, the smallest where ``lower`` is better."""
    best = values.min() if lower else values.max()
    return wording.num(float(values[method]), digits, strong=len(values) > 1 and abs(values[method] - best) < TIE)


def difference_cell(d: PairedDifference, measure: Measure) -> Cell:
    """Mean difference and its standard error, interval and seeds on hover."""
    hint = f"{wording.interval(d, measure)}; {wording.by_seed(d, measure)}"
    return Cell(wording.difference(d, measure), d.mean, hint=hint)


def marked_cell(c: Comparison, measure: Measure) -> Cell:
    """The difference, with a mark if it is significant by the rule; the adjusted p on hover too."""
    cell = difference_cell(c.difference, measure)
    return replace(cell, text=cell.text + wording.MARK * c.significant, hint=f"{cell.hint}; p {wording.p_value(c.p)}")


def difference_columns(
    title: str,
    find: Callable[[Any], Comparison | None],
    measure: Measure,
    *,
    seeds: bool,
    full: bool = True,
    rule: bool = True,
    hints: tuple[str, str, str] = ("mean difference ± its standard error over families", "", ""),
) -> list[tuple[Column, Callable[[Any], Cell]]]:
    """Mean difference, interval, wins / ties / losses, p-value, what the rule says (with ``rule``),
    each seed's (where there are several ``seeds``), and the same over single datasets; dashes where there is no
    difference. Not ``full``: mean difference and p-value alone.
    """

    def known(show: Callable[[Comparison], Cell]) -> Callable[[Any], Cell]:
        return lambda item: Cell(wording.DASH) if (c := find(item)) is None else show(c)

    mean = Column(title, hint=f"{hints[0]}, {measure.points}")
    p = Column("p", hint=hints[2] or wording.prose("p-hint"), lower_first=True)
    columns = [(mean, known(lambda c: difference_cell(c.difference, measure))), (p, known(lambda c: p_cell(c.p)))]
    if not full:
        return columns
    verdict = [(Column("By the rule", "text", hint=wording.prose("rule-hint")), known(lambda c: Cell(c.verdict)))]
    several = [(Column("By seed", "text", hint=wording.prose("seed-hint")), known(lambda c: _seeds(c, measure)))]
    return [
        columns[0],
        (Column("95 % interval", "text", hint=wording.prose("interval-hint")), known(lambda c: _interval(c, measure))),
        (Column("W / T / L", hint=hints[1]), known(lambda c: _record(c.difference))),
        columns[1],
        *(verdict if rule else []),
        *(several if seeds else []),
        (Column("Single datasets", "text", hint=wording.prose("single-hint")), known(lambda c: _single(c, measure))),
    ]


def _interval(c: Comparison, measure: Measure) -> Cell:
    d = c.difference
    return Cell(
        wording.DASH if d.se != d.se else wording.ends(d.low, d.high, measure), hint=wording.interval(d, measure)
    )


def _record(d: PairedDifference) -> Cell:
    return score_cell(d.wins, d.ties, d.losses)


def _seeds(c: Comparison, measure: Measure) -> Cell:
    each = "; ".join(f"seed {n} {wording.number(x, measure.digits, sign=True)}" for n, x in c.difference.by_seed)
    return Cell(wording.by_seed(c.difference, measure), hint=each)


def _single(c: Comparison, measure: Measure) -> Cell:
    s = c.difference.single
    hint = "" if s.se != s.se else f"95 % interval {wording.ends(s.low, s.high, measure)} by Student's t"
    return Cell(wording.single(s, c.single_p, measure), hint=hint)

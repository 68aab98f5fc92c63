"""The critical-difference diagram (Demšar, JMLR 7, 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import PHONE, WIDTH
from bench.report.figures.axes import Range, x_ticks
from bench.report.figures.drawing import Sheet
from bench.report.figures.style import NAME, TICK, drawn, fitted, marked, palette, text_width

SPACE = "\u2002"
"""Between a name and its rank."""


@dataclass(frozen=True)
class _Ranks:
    """What is drawn: methods in order of their mean rank, groups that do not differ, the axis."""

    ranks: pd.Series
    order: list[str]
    groups: Sequence[Sequence[str]]
    cd: float
    axis: Range

    @property
    def longer(self) -> bool:
        return self.cd > self.axis.high - self.axis.low + 1e-9


@drawn
def critical_difference_diagram(
    name: str, title: str, caption: str, ranks: pd.Series, groups: Sequence[Sequence[str]], cd: float
) -> Figure:
    """Demšar's diagram: methods at their mean rank, bars over rank-contiguous groups that do not differ.

    The axis is long enough for the critical difference ``cd`` too, or runs over all ranks, 1 to k. A critical
    difference beyond even that is drawn as an arrow across the axis and said to be longer.
    """
    order = [str(m) for m in ranks.sort_values(kind="stable").index]
    low = float(np.floor(ranks.min() * 2) / 2)
    high = max(float(np.ceil(ranks.max() * 2) / 2), low + 1.0)
    if cd > high - low:
        low, high = (low, low + cd) if cd <= len(order) - low else (1.0, float(max(len(order), 2)))
    what = _Ranks(ranks, order, groups, cd, Range(low, high))
    data = csv_text(("method", "mean_rank"), [(m, round(float(ranks[m]), 6)) for m in order])
    words = f"{title}. {caption}"
    wide, phone = _diagram(name, what).svg(words), _list(name, what).svg(words, "plot phone")
    return Figure(name, title, caption, wide, data, phone)


def _diagram(name: str, what: _Ranks) -> Sheet:
    """Names on both sides, joined to their place on the axis."""
    order, half = what.order, (len(what.order) + 1) // 2
    side = min(max(text_width(f"{wording.title(m)}{SPACE}{what.ranks[m]:.2f}", NAME) for m in order) + 28, 250.0)
    axis_y = 58.0
    first = axis_y + 26 + 11 * len(what.groups)
    sheet = Sheet(name, WIDTH, first + 24 * max(half - 1, 0) + 20)
    drawing = _Diagram(sheet, what, side, WIDTH - side, axis_y)
    for index, method in enumerate(order):
        on_left = index < half
        x, y = float(what.ranks[method]), first + 24 * (index if on_left else len(order) - 1 - index)
        end = drawing.at(side - 14 if on_left else WIDTH - side + 14)
        drawing.axes.plot([x, x, end], [axis_y, y, y], color=palette()["muted"], linewidth=1)
        drawing.method(method, axis_y)
        rank = f"{x:.2f}"
        shown = fitted(wording.title(method), side - 26 - text_width(SPACE + rank, NAME))
        both = f"{shown}{SPACE}{rank}" if on_left else f"{rank}{SPACE}{shown}"
        label_x, align = (side - 22, "right") if on_left else (WIDTH - side + 22, "left")
        sheet.text(label_x, y + 4.5, both, NAME, ha=align)
    for level, group in enumerate(what.groups):
        a, b = (float(what.ranks[m]) for m in (group[0], group[-1]))
        y, more = axis_y + 14 + 11 * level, drawing.at(5) - drawing.at(0)
        drawing.clique([a - more, b + more], [y, y], group)
    return sheet


def _list(name: str, what: _Ranks) -> Sheet:
    """One line a method, from the best on; upright bars join groups that do not differ."""
    row, axis_y, bars = 26.0, 58.0, 11.0 * len(what.groups)
    sheet = Sheet(name, PHONE, axis_y + row * len(what.order) + 12)
    rank_x = PHONE - bars - 6
    left = min(max(text_width(wording.title(m), NAME) for m in what.order), 0.4 * PHONE) + 14
    right = rank_x - text_width("99.99", NAME) - 12
    drawing = _Diagram(sheet, what, left, right, axis_y)
    ys = {m: axis_y + row * (i + 0.75) for i, m in enumerate(what.order)}
    for method, y in ys.items():
        drawing.axes.plot([drawing.at(left), drawing.at(right)], [y, y], color=palette()["soft"], linewidth=1, zorder=1)
        drawing.method(method, y)
        sheet.text(0, y + 4.5, fitted(wording.title(method), left - 14), NAME)
        sheet.text(rank_x, y + 4.5, f"{what.ranks[method]:.2f}", NAME, ha="right")
    for level, group in enumerate(what.groups):
        x = drawing.at(rank_x + 9 + 11 * level)
        drawing.clique([x, x], [ys[group[0]] - 7, ys[group[-1]] + 7], group)
    return sheet


class _Diagram:
    """The axis with its ticks and the critical difference above it; ranks across, pixels downwards."""

    def __init__(self, sheet: Sheet, what: _Ranks, left: float, right: float, y: float) -> None:
        self.sheet, self.what = sheet, what
        self._left, self._pixel = left, (what.axis.high - what.axis.low) / (right - left)
        self.axes = sheet.axes(0, 0, sheet.width, sheet.height)
        self.axes.set_axis_off()
        self.axes.set_xticks([])
        self.axes.set_yticks([])
        self.axes.set_xlim(self.at(0), self.at(sheet.width))
        self.axes.set_ylim(sheet.height, 0)
        axis, muted = what.axis, palette()["muted"]
        self.axes.plot([axis.low, axis.high], [y, y], color=muted, linewidth=1)
        for value, words in x_ticks(axis, right - left):
            self.axes.plot([value, value], [y - 5, y], color=muted, linewidth=1)
            self.axes.text(value, y - 10, words, fontsize=TICK, color=muted, ha="center")
        self._critical_difference()

    def at(self, x: float) -> float:
        """The rank that stands ``x`` pixels from the left edge."""
        return self.what.axis.low + (x - self._left) * self._pixel

    def _critical_difference(self) -> None:
        """A bar as long as it from the axis' left end, or an arrow; the words after it, or above where it is long."""
        low, longer = self.what.axis.low, self.what.longer
        end = self.what.axis.high if longer else low + self.what.cd
        style: dict[str, Any] = {"color": palette()["ink"], "linewidth": 2}
        (line,) = self.axes.plot([low, end], [22, 22], **style)
        self.sheet.mark(line, "cd")
        self.axes.plot([low, low], [17, 27], **style)
        head = end - 7 * self._pixel if longer else end
        self.axes.plot([head, end, head], [17, 22, 27], **style)
        words = f"critical difference {self.what.cd:.2f}{', longer than the axis' if longer else ''}"
        width, end_x = text_width(words, TICK), self._left + (end - low) / self._pixel
        fits = end_x + 10 + width <= self.sheet.width
        x = end_x + 8 if fits else min(self._left, self.sheet.width - width - 2)
        self.sheet.text(x, 26 if fits else 12, words, TICK, color=palette()["muted"])

    def method(self, method: str, y: float) -> None:
        rank = float(self.what.ranks[method])
        (mark,) = self.axes.plot(rank, y, linestyle="", **marked(wording.series(method, self.what.order)))
        self.sheet.mark(mark, "", [f"{wording.title(method)}: mean rank {rank:.2f}"])

    def clique(self, x: Sequence[float], y: Sequence[float], group: Sequence[str]) -> None:
        (bar,) = self.axes.plot(x, y, color=palette()["ink"], linewidth=3.5)
        self.sheet.mark(bar, "clique", [f"no significant difference: {', '.join(map(wording.title, group))}"])

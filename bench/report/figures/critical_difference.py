"""The critical-difference diagram (Demšar, JMLR 7, 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import NAME, TICK, fitted, marked, palette, text_width

SPACE = "\u2002"
"""Between a name and its rank."""


def critical_difference_diagram(
    name: str, title: str, caption: str, ranks: pd.Series, groups: Sequence[Sequence[str]], cd: float
) -> Figure:
    """Methods at their mean rank, one line each from the best on; upright bars join groups that do not differ.

    ``groups`` are contiguous in rank. The axis is long enough for the critical difference ``cd`` too, or runs over all
    ranks, 1 to k. A critical difference beyond even that is drawn as an arrow across the axis and said to be longer.
    """
    ordered = ranks.sort_values(kind="stable")
    data = ordered.round(6).rename_axis("method").rename("mean_rank").reset_index()
    return figure(name, title, caption, data, lambda sheet: _draw(sheet, ordered, groups, cd))


def _limits(ranks: pd.Series, cd: float) -> tuple[float, float]:
    low = float(np.floor(ranks.min() * 2) / 2)
    high = max(float(np.ceil(ranks.max() * 2) / 2), low + 1.0)
    if cd <= high - low:
        return low, high
    return (low, low + cd) if cd <= len(ranks) - low else (1.0, float(max(len(ranks), 2)))


def _draw(sheet: Sheet, ranks: pd.Series, groups: Sequence[Sequence[str]], cd: float) -> None:
    low, high = _limits(ranks, cd)
    order = [str(m) for m in ranks.index]
    sheet.resize(90 + 26 * len(order))
    axes = sheet.figure.subplots()
    axes.xaxis.tick_top()
    axes.spines[["top", "bottom"]].set_visible(False)
    axes.set(xlim=(low, high), ylim=(len(order) - 0.5, -1.2))
    longer = cd > high - low + 1e-9
    words = f"critical difference {cd:.2f}{', longer than the axis' if longer else ''}"
    sheet.figure.suptitle(words, x=0, ha="left", size=TICK, color=palette()["muted"])
    ends = {"marker": ">", "markevery": [1]} if longer else {"marker": "|", "markersize": 10, "markeredgewidth": 2}
    (line,) = axes.plot([low, high if longer else low + cd], [-0.8, -0.8], color=palette()["ink"], linewidth=2, **ends)
    sheet.mark(line, "cd")
    names = []
    for place, (method, rank) in enumerate(ranks.items()):
        (mark,) = axes.plot(rank, place, linestyle="", **marked(wording.series(str(method), order)))
        sheet.mark(mark, "", [f"{wording.title(str(method))}: mean rank {rank:.2f}"])
        room = 0.42 * sheet.width - text_width(f"{SPACE}{rank:.2f}", NAME)
        names.append(f"{fitted(wording.title(str(method)), room)}{SPACE}{rank:.2f}")
    axes.set_yticks(range(len(order)), names, size=NAME, color=palette()["ink"])
    beside = axes.get_yaxis_transform()
    for level, group in enumerate(groups, 1):
        x, first, last = 1 + 0.03 * level, order.index(group[0]) - 0.25, order.index(group[-1]) + 0.25
        (bar,) = axes.plot([x, x], [first, last], transform=beside, clip_on=False, color=palette()["ink"], linewidth=3)
        sheet.mark(bar, "clique", [f"no significant difference: {', '.join(map(wording.title, group))}"])

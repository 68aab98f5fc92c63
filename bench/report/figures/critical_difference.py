"""The critical-difference diagram (Demšar, JMLR 7, 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import NAME, fitted, marked, palette, text_width

SPACE = "\u2002"
"""Between a name and its rank."""


def critical_difference_diagram(
    name: str, title: str, caption: str, ranks: pd.Series, groups: Sequence[Sequence[str]]
) -> Figure:
    """Methods at their mean rank, one line each from the best on; upright bars join groups that do not differ.

    ``groups`` are contiguous in rank. There is no critical difference to draw: groups go by tests of pairs.
    """
    ordered = ranks.sort_values(kind="stable")
    data = ordered.round(6).rename_axis("method").rename("mean_rank").reset_index()
    return figure(name, title, caption, data, lambda sheet: _draw(sheet, ordered, groups))


def _limits(ranks: pd.Series) -> tuple[float, float]:
    low = float(np.floor(ranks.min() * 2) / 2)
    return low, max(float(np.ceil(ranks.max() * 2) / 2), low + 1.0)


def _draw(sheet: Sheet, ranks: pd.Series, groups: Sequence[Sequence[str]]) -> None:
    order = [str(m) for m in ranks.index]
    sheet.resize(60 + 26 * len(order))
    axes = sheet.figure.subplots()
    axes.xaxis.tick_top()
    axes.spines[["top", "bottom"]].set_visible(False)
    axes.set(xlim=_limits(ranks), ylim=(len(order) - 0.5, -0.6))
    names = []
    for place, (method, rank) in enumerate(ranks.items()):
        (mark,) = axes.plot(rank, place, linestyle="", **marked(wording.series(str(method))))
        sheet.mark(mark, "", [f"{wording.title(str(method))}: mean rank {rank:.2f}"])
        room = 0.42 * sheet.width - text_width(f"{SPACE}{rank:.2f}", NAME)
        names.append(f"{fitted(wording.title(str(method)), room)}{SPACE}{rank:.2f}")
    axes.set_yticks(range(len(order)), names, size=NAME, color=palette()["ink"])
    beside = axes.get_yaxis_transform()
    for level, group in enumerate(groups, 1):
        x, first, last = 1 + 0.03 * level, order.index(group[0]) - 0.25, order.index(group[-1]) + 0.25
        (bar,) = axes.plot([x, x], [first, last], transform=beside, clip_on=False, color=palette()["ink"], linewidth=3)
        sheet.mark(bar, "clique", [f"no significant difference: {', '.join(map(wording.title, group))}"])

"""Figures of the studies: diagrams of phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import fitted, hue, palette, tick_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Phases:
    """One method's shares (0 to 1) by (row, column)."""

    name: str
    shares: dict[tuple[float, float], float]


def phase_diagram(
    name: str, title: str, caption: str, panels: Sequence[Phases], column_words: str, row_words: str
) -> Figure:
    """Small multiples, one a method: the darker a field, the larger the share, which stands in it as a number."""
    rows = [(panel.name, r, c, share) for panel in panels for (r, c), share in sorted(panel.shares.items())]
    data = pd.DataFrame(rows, columns=["method", row_words, column_words, "share"])
    return figure(name, title, caption, data, lambda sheet: _draw_phases(sheet, panels, column_words, row_words))


def _draw_phases(sheet: Sheet, panels: Sequence[Phases], column_words: str, row_words: str) -> None:
    columns = sorted({c for panel in panels for _, c in panel.shares})
    rows = sorted({r for panel in panels for r, _ in panel.shares})
    across = 1 if sheet.phone else 3
    down = -(-len(panels) // across)
    sheet.resize(down * (24 * len(rows) + 80))
    grid = sheet.figure.subplots(down, across, squeeze=False).flat
    every = 1 if max(len(tick_text(c)) for c in columns) * len(columns) * across < sheet.width / 9 else 2
    for index, (panel, axes) in enumerate(zip(panels, grid, strict=False)):
        axes.set_title(fitted(panel.name, sheet.width / across - 60))
        axes.set(xlim=(0, len(columns)), ylim=(0, len(rows)), xlabel=column_words)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([i + 0.5 for i in range(0, len(columns), every)], map(tick_text, columns[::every]))
        axes.set_yticks([i + 0.5 for i in range(len(rows))], map(tick_text, rows))
        if index % across:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(row_words)
        _draw_fields(sheet, axes, panel, columns, rows, (column_words, row_words))
    for axes in grid:
        axes.remove()


def _draw_fields(
    sheet: Sheet, axes: Axes, panel: Phases, columns: list[float], rows: list[float], words: tuple[str, str]
) -> None:
    from matplotlib.collections import PolyCollection

    fields = [(columns.index(c), rows.index(r), c, r, share) for (r, c), share in sorted(panel.shares.items())]
    squares = [[(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)] for i, j, *_ in fields]
    colours = [(hue(1), round(share, 2)) for *_, share in fields]
    drawn = PolyCollection(squares, facecolor=colours, edgecolor=palette()["rule"], linewidth=0.75)
    axes.add_collection(drawn, autolim=False)
    if not sheet.phone:
        told = (f"{panel.name}: {100 * s:.0f} % at {words[0]} {c:g}, {words[1]} {r:g}" for *_, c, r, s in fields)
        sheet.mark(drawn, "", list(told))
    for i, j, _, _, share in fields:
        ink = palette()["paper" if share > 0.5 else "ink"]
        axes.text(i + 0.5, j + 0.5, f"{100 * share:.0f}", fontsize=11, color=ink, ha="center", va="center_baseline")

"""Figures of datasets: sorted differences, scatters over size with a smoothed trend, and drawings for table cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.records.measure import Measure
from bench.report import wording
from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure, svg_element
from bench.report.figures.style import COLOURS, TEXT, TICK, fitted, hue, palette, zero_line
from bench.stats.summary import TIE
from bench.stats.trend import Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MANY = 20
"""Bars from which on the outermost are named in the drawing."""
OUTERMOST = 3
"""Of the gains, and of the losses, so many are named."""


@dataclass(frozen=True)
class Panel:
    """One scatter of a figure: what its y axis says, the column of the data, and the unit in the hover title."""

    title: str
    column: str
    unit: str
    trend: Trend | None
    digits: int = 2


def difference_name(measure: Measure) -> str:
    """What differences of two scores are called in a figure's data."""
    return "difference_points" if measure.unit == "%" else "difference"


def difference_bars(
    name: str,
    title: str,
    caption: str,
    differences: pd.Series,
    names: tuple[str, str],
    notes: Mapping[str, str],
    anchors: Mapping[str, str],
    measure: Measure,
) -> Figure:
    """One bar a dataset, sorted (first minus second); a note follows the dataset's name in the hover title.

    The outermost bars carry their datasets' names, and the caption their differences.
    """
    ordered = differences.sort_index().sort_values(ascending=False, kind="stable")
    data = ordered.rename_axis("dataset").rename(difference_name(measure)).reset_index()
    extremes = f"{caption} {_extremes(ordered, measure.digits - 1)}"
    return figure(name, title, extremes, data, lambda sheet: _draw_bars(sheet, ordered, names, notes, anchors, measure))


def _draw_bars(
    sheet: Sheet,
    ordered: pd.Series,
    names: tuple[str, str],
    notes: Mapping[str, str],
    anchors: Mapping[str, str],
    measure: Measure,
) -> None:
    """What a pointer finds is as high as the drawing; a phone has no pointer, and its bars are too thin to touch."""
    sheet.resize(270 if sheet.phone else 330)
    axes = sheet.figure.subplots()
    values, places = ordered.to_numpy(dtype=float), np.arange(len(ordered))
    for colour, side in (("s0", values > TIE), ("s1", values < -TIE), ("muted", np.abs(values) <= TIE)):
        tint = palette()[colour]
        axes.bar(places[side], values[side], 0.6, color=tint, edgecolor=tint, linewidth=0.75)
    zero_line(axes)
    if len(ordered) >= MANY:
        _name_outermost(sheet, axes, ordered)
    low, high = axes.get_ylim()
    axes.set(xlim=(-0.5, len(ordered) - 0.5), ylim=(low, high), xticks=[], ylabel=measure.points)
    axes.spines["bottom"].set_visible(False)
    foot = "left: {} better; right: {}" if sheet.phone else "datasets, sorted: {} better on the left, {} on the right"
    axes.set_xlabel(foot.format(*(fitted(words, sheet.width / 5, TEXT) for words in names)), labelpad=8)
    if not sheet.phone:
        areas = [(i - 0.5, 1.0) for i in places]
        hits = axes.broken_barh(areas, (low, high - low), color=palette()["muted"], alpha=0.0, linewidth=0)
        titles = [_spoken(str(d), y, measure.points, notes.get(str(d), ""), measure.digits) for d, y in ordered.items()]
        sheet.mark(hits, "hits", titles, _links(ordered.index, anchors))


def _name_outermost(sheet: Sheet, axes: Axes, ordered: pd.Series) -> None:
    """The names of the largest gains and losses, one below the other, with a line from each to its bar."""
    sheet.lay_out()  # so that the axes have their height
    low, high = axes.get_ylim()
    line = (high - low) * 1.4 * TICK / axes.get_window_extent().height
    last = len(ordered) - 1
    gains, losses = ordered[ordered > TIE].head(OUTERMOST), ordered[ordered < -TIE].tail(OUTERMOST)[::-1]
    for some, start, way in ((gains, 0, 1), (losses, last, -1)):
        level = float("inf")
        for position, (dataset, value) in enumerate(some.items()):
            level = min(abs(float(value)), level - line)
            bar, at = start + way * position, start + way * (OUTERMOST + 0.035 * last)
            axes.plot([bar, at], [float(value), way * level], color=palette()["muted"], linewidth=0.75)
            words = axes.text(
                at + way * 0.007 * last,
                way * level,
                fitted(str(dataset), sheet.width / 4, TICK),
                size=TICK,
                color=palette()["ink"],
                ha="left" if way > 0 else "right",
                va="center",
            )
            words.set_in_layout(False)
            sheet.mark(words, "halo")


def _extremes(ordered: pd.Series, digits: int) -> str:
    """The largest gains and losses of differences sorted from gain to loss, in words."""
    parts = []
    for words, some in (
        ("largest gains", ordered[ordered > TIE].head(OUTERMOST)),
        ("largest losses", ordered[ordered < -TIE].tail(OUTERMOST)[::-1]),
    ):
        if len(some):
            parts.append(
                f"{words}: " + ", ".join(f"{d} {wording.number(y, digits, sign=True)}" for d, y in some.items())
            )
    return f"L{'; '.join(parts)[1:]}." if parts else "All ties."


def _spoken(dataset: str, y: float, unit: str, note: str, digits: int) -> str:
    return f"{dataset}: {wording.number(y, digits, sign=True)} {unit}" + (f" ({note})" if note else "")


def _links(datasets: Iterable[str], anchors: Mapping[str, str]) -> list[str]:
    return [f"#{anchors[d]}" if d in anchors else "" for d in datasets]


def trend_scatter(
    name: str,
    title: str,
    caption: str,
    table: pd.DataFrame,
    panels: Sequence[Panel],
    x_title: str,
    note: str,
    anchors: Mapping[str, str],
) -> Figure:
    """Dots over a logarithmic x, each panel with its smoothed trend and band; panels share datasets and x.

    ``table`` has a row a dataset, the column ``x`` and those of the panels; ``note``, filled in with x, follows a
    dataset's name in the hover title. Panels stand above one another, so that a dataset is found straight below
    itself. A band may leave the frame: it is clipped.
    """
    data = table.rename_axis("dataset").reset_index()
    return figure(
        name, title, caption, data, lambda sheet: _draw_scatters(sheet, table, panels, x_title, note, anchors)
    )


def _draw_scatters(
    sheet: Sheet, table: pd.DataFrame, panels: Sequence[Panel], x_title: str, note: str, anchors: Mapping[str, str]
) -> None:
    sheet.resize(330 if len(panels) == 1 else 90 + 220 * len(panels))
    ink, paper = palette()["ink"], palette()["paper"]
    for axes, panel in zip(sheet.figure.subplots(len(panels), sharex=True, squeeze=False).flat, panels, strict=True):
        x, y = table["x"], table[panel.column]
        dots = axes.scatter(x, y, s=64, color=[(ink, 0.42)], edgecolor=paper, linewidth=0.75, zorder=3)
        titles = [_spoken(d, y[d], panel.unit, note.format(x[d]), panel.digits) for d in table.index]
        sheet.mark(dots, "dots", [] if sheet.phone else titles, [] if sheet.phone else _links(table.index, anchors))
        zero_line(axes)
        axes.set(xscale="log", ylabel=panel.title, xlabel=x_title if panel is panels[-1] else "")
        if panel.trend is not None:
            limits = axes.get_ylim()
            low, middle, high = (np.clip(v, *limits) for v in (panel.trend.low, panel.trend.y, panel.trend.high))
            axes.fill_between(panel.trend.x, low, high, color=hue(0), alpha=0.16, linewidth=0)
            (line,) = axes.plot(panel.trend.x, middle, color=hue(0), linewidth=2.25, zorder=4)
            axes.set_ylim(limits)
            sheet.mark(line, "trend")


def sparkline(paths: Sequence[tuple[Sequence[float], Sequence[float], float]], series: int, words: str) -> str:
    """Validation scores along the iteration path, one faint line a test fold, a dot where the choice fell.

    ``paths`` holds (iterations, scores, chosen iteration). Hundreds stand in one page: whole
    numbers on a 384 x 104 grid, shown at a quarter of that, keep each to a few hundred bytes.
    """
    width, height, pad = 384, 104, 14
    points = [i for iterations, _, _ in paths for i in iterations]
    values = [v for _, scores, _ in paths for v in scores]
    lines, dots = "", ""
    for iterations, scores, chosen in paths:
        across = np.interp(iterations, (min(points), max(points)), (pad, width - pad)).round().astype(int)
        up = np.interp(scores, (min(values), max(values) + 1e-9), (height - pad, pad)).round().astype(int)
        lines += "M" + "L".join(f"{across[i]} {up[i]}" for i in _thinned(len(iterations), 14))
        if chosen in iterations:
            at = list(iterations).index(chosen)
            dots += f"M{across[at]} {up[at]}h0"  # a point with round caps
    inner = "".join(f'<path d="{some}"/>' for some in (lines, dots) if some)
    return svg_element(inner, width, height, words, "sparkline", f' style="color:var(--s{series % COLOURS})"')


def bar(share: float) -> str:
    """A bar of ``share`` percent of its full length, for a table's cell."""
    return f'<span class="barline" style="--share:{max(min(share, 100.0), 0.5):.1f}%"></span>'


def _thinned(length: int, limit: int) -> list[int]:
    """At most ``limit`` positions of 0..length-1, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, limit))})

"""Figures of datasets: sorted differences, scatters over size with a smoothed trend, and drawings for table cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures.drawing import Sheet, figure, svg_element
from bench.report.figures.style import COLOURS, TEXT, fitted, hue, palette, zero_line
from bench.stats.summary import TIE
from bench.stats.trend import Trend


@dataclass(frozen=True)
class Dot:
    """A dataset in a plot; ``note`` follows its name in the hover title."""

    dataset: str
    x: float
    y: float
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Panel:
    """One scatter of a figure: what its y axis says, the column of the data, and the unit in the hover title."""

    title: str
    column: str
    unit: str
    dots: Sequence[Dot]
    trend: Trend | None


def difference_bars(name: str, title: str, caption: str, dots: Sequence[Dot], names: tuple[str, str]) -> Figure:
    """One bar a dataset, sorted by ``y`` (points, first minus second); ``x`` is not used.

    The caption names the extremes: labels in the drawing would run into one another.
    """
    ordered = sorted(dots, key=lambda d: (-d.y, d.dataset))
    data = csv_text(("dataset", "difference_points"), [(d.dataset, d.y) for d in ordered])
    extremes = f"{caption} {_extremes(ordered)}"
    return figure(name, title, extremes, data, lambda sheet: _draw_bars(sheet, ordered, names))


def _draw_bars(sheet: Sheet, ordered: Sequence[Dot], names: tuple[str, str]) -> None:
    """What a pointer finds is as high as the drawing; a phone has no pointer, and its bars are too thin to touch."""
    sheet.resize(270 if sheet.phone else 330)
    axes = sheet.figure.subplots()
    for colour, side in (("s0", "up"), ("s1", "down"), ("muted", "even")):
        shown = [(i, d.y) for i, d in enumerate(ordered) if _side(d) == side]
        places, heights = [i for i, _ in shown], [y for _, y in shown]
        axes.bar(places, heights, 0.6, color=palette()[colour], edgecolor=palette()[colour], linewidth=0.75)
    zero_line(axes)
    low, high = axes.get_ylim()
    axes.set(xlim=(-0.5, len(ordered) - 0.5), ylim=(low, high), xticks=[], ylabel="points")
    axes.spines["bottom"].set_visible(False)
    foot = "left: {} better; right: {}" if sheet.phone else "datasets, sorted: {} better on the left, {} on the right"
    axes.set_xlabel(foot.format(*(fitted(words, sheet.width / 5, TEXT) for words in names)), labelpad=8)
    if not sheet.phone:
        areas = [(i - 0.5, 1.0) for i in range(len(ordered))]
        hits = axes.broken_barh(areas, (low, high - low), color=palette()["muted"], alpha=0.0, linewidth=0)
        sheet.mark(hits, "hits", [_dot_title(d, "points") for d in ordered], [d.href for d in ordered])


def _side(dot: Dot) -> str:
    return "even" if abs(dot.y) < TIE else "up" if dot.y > 0 else "down"


def _extremes(ordered: Sequence[Dot], count: int = 3) -> str:
    """The largest gains and losses of dots sorted from gain to loss, in words."""
    gains = [d for d in ordered[:count] if d.y > TIE]
    losses = [d for d in reversed(ordered[-count:]) if d.y < -TIE]
    parts = []
    for words, dots in (("Largest gains", gains), ("largest losses", losses)):
        if dots:
            parts.append(f"{words}: " + ", ".join(f"{d.dataset} {wording.number(d.y, 1, sign=True)}" for d in dots))
    return "; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + "." if parts else "All ties."


def _dot_title(dot: Dot, unit: str) -> str:
    return f"{dot.dataset}: {wording.number(dot.y, sign=True)} {unit}" + (f" ({dot.note})" if dot.note else "")


def trend_scatter(name: str, title: str, caption: str, panels: Sequence[Panel], x_title: str) -> Figure:
    """Dots over a logarithmic x, each panel with its smoothed trend and band; panels share datasets and x.

    Panels stand above one another, so that a dataset is found straight below itself. A band may leave the frame: it is
    clipped.
    """
    rows = [(d.dataset, d.x, *(p.dots[i].y for p in panels)) for i, d in enumerate(panels[0].dots)]
    data = csv_text(("dataset", "x", *(p.column for p in panels)), rows)
    return figure(name, title, caption, data, lambda sheet: _draw_scatters(sheet, panels, x_title))


def _draw_scatters(sheet: Sheet, panels: Sequence[Panel], x_title: str) -> None:
    sheet.resize(330 if len(panels) == 1 else 90 + 220 * len(panels))
    ink, paper = palette()["ink"], palette()["paper"]
    for axes, panel in zip(sheet.figure.subplots(len(panels), sharex=True, squeeze=False).flat, panels, strict=True):
        places = [d.x for d in panel.dots], [d.y for d in panel.dots]
        dots = axes.scatter(*places, s=64, color=[(ink, 0.42)], edgecolor=paper, linewidth=0.75, zorder=3)
        titles = [] if sheet.phone else [_dot_title(d, panel.unit) for d in panel.dots]
        sheet.mark(dots, "dots", titles, [] if sheet.phone else [d.href for d in panel.dots])
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
    """Validation accuracy along the iteration path, one faint line a hold-out, a dot where the choice fell.

    ``paths`` holds (iterations, accuracies in percent, chosen iteration). Hundreds stand in one page: whole
    numbers on a 384 x 104 grid, shown at a quarter of that, keep each to a few hundred bytes.
    """
    width, height, pad = 384, 104, 14
    points = [i for iterations, _, _ in paths for i in iterations]
    values = [v for _, accuracy, _ in paths for v in accuracy]
    lines, dots = "", ""
    for iterations, accuracy, chosen in paths:
        across = np.interp(iterations, (min(points), max(points)), (pad, width - pad)).round().astype(int)
        up = np.interp(accuracy, (min(values), max(values) + 1e-9), (height - pad, pad)).round().astype(int)
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

"""Figures of datasets: sorted differences, scatters over size with a smoothed trend, and drawings for table cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import PHONE, WIDTH
from bench.report.figures.axes import FOOT, Range, margin, overhang, padded, set_x, set_y, zero_line
from bench.report.figures.drawing import Sheet, outline, svg_element
from bench.report.figures.style import COLOURS, TEXT, drawn, fitted, hue, palette, text_width
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


@drawn
def difference_bars(name: str, title: str, caption: str, dots: Sequence[Dot], names: tuple[str, str]) -> Figure:
    """One bar a dataset, sorted by ``y`` (points, first minus second); ``x`` is not used.

    The caption names the extremes: labels in the drawing would run into one another.
    """
    ordered = sorted(dots, key=lambda d: (-d.y, d.dataset))
    data = csv_text(("dataset", "difference_points"), [(d.dataset, d.y) for d in ordered])
    extremes = f"{caption} {_extremes(ordered)}"
    words = f"{title}. {extremes}"
    wide = _bars(name, ordered, names).svg(words)
    phone = _bars(name, ordered, names, phone=True).svg(words, "plot phone")
    return Figure(name, title, extremes, wide, data, phone)


def _bars(name: str, ordered: Sequence[Dot], names: tuple[str, str], *, phone: bool = False) -> Sheet:
    """What a pointer finds is as high as the drawing; a phone has no pointer, and its bars are too thin to touch."""
    from matplotlib.collections import PolyCollection

    width, top, bottom = PHONE if phone else WIDTH, 14.0, 240.0 if phone else 300.0
    y = padded([d.y for d in ordered], "points", zero=True)
    left = margin(y, bottom - top)
    sheet = Sheet(name, width, bottom + 30)
    axes = sheet.axes(left, top, width - 12, bottom)
    set_y(axes, y)
    axes.set_xlim(-0.5, len(ordered) - 0.5)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    foot = "left: {} better; right: {}" if phone else "datasets, sorted: {} better on the left, {} on the right"
    room = (axes.bbox.width - text_width(foot, TEXT)) / 2
    axes.set_xlabel(foot.format(*(fitted(words, room, TEXT) for words in names)), labelpad=8)
    zero_line(axes)
    step = axes.bbox.width / len(ordered)
    thick = min(max(step * 0.72, 1.2), 26.0) / step
    least = (y.high - y.low) / axes.bbox.height  # a pixel
    for colour, side in (("s0", "up"), ("s1", "down"), ("muted", "even")):
        shown = [(i, d.y) for i, d in enumerate(ordered) if _side(d) == side]
        heights = [v if abs(v) > least else least for _, v in shown]
        bars = [_rectangle(i, thick, 0.0, height) for (i, _), height in zip(shown, heights, strict=True)]
        axes.add_collection(PolyCollection(bars, color=palette()[colour], linewidth=0), autolim=False)
    if not phone:
        areas = [_rectangle(i, 1.0, y.low, y.high) for i in range(len(ordered))]
        hits = axes.add_collection(
            PolyCollection(areas, color=palette()["muted"], alpha=0.0, linewidth=0), autolim=False
        )
        sheet.mark(hits, "hits", [_dot_title(d, "points") for d in ordered], [d.href for d in ordered])
    return sheet


def _side(dot: Dot) -> str:
    return "even" if abs(dot.y) < TIE else "up" if dot.y > 0 else "down"


def _rectangle(middle: float, width: float, low: float, high: float) -> list[tuple[float, float]]:
    left, right = middle - width / 2, middle + width / 2
    return [(left, low), (left, high), (right, high), (right, low)]


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


@drawn
def trend_scatter(name: str, title: str, caption: str, panels: Sequence[Panel], x_title: str) -> Figure:
    """Dots over a logarithmic x, each panel with its smoothed trend and band; panels share datasets and x.

    Panels stand above one another, so that a dataset is found straight below itself. A band may leave the frame: it is
    clipped.
    """
    words = f"{title}. {caption}"
    wide, phone = (_scatters(name, panels, x_title, phone=phone) for phone in (False, True))
    columns = [p.column for p in panels]
    rows = [(d.dataset, d.x, *(p.dots[i].y for p in panels)) for i, d in enumerate(panels[0].dots)]
    data = csv_text(("dataset", "x", *columns), rows)
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _scatters(name: str, panels: Sequence[Panel], x_title: str, *, phone: bool) -> Sheet:
    width, top, gap = PHONE if phone else WIDTH, 12.0, 34.0
    height = 278.0 if len(panels) == 1 else 210.0
    sheet = Sheet(name, width, top + len(panels) * (height + gap) + FOOT - gap)
    ys = [padded([d.y for d in panel.dots], panel.title, zero=True) for panel in panels]
    left = max(margin(y, height) for y in ys)
    x = padded([d.x for d in panels[0].dots], log=True)
    right = width - overhang(x, width - left - 12)
    for position, (panel, y) in enumerate(zip(panels, ys, strict=True)):
        head = top + position * (height + gap)
        last = position == len(panels) - 1
        axes = sheet.axes(left, head, right, head + height)
        set_x(axes, Range(x.low, x.high, x_title if last else "", log=True))
        set_y(axes, y)
        zero_line(axes)
        if panel.trend is not None:
            low, middle, high = (np.clip(v, y.low, y.high) for v in (panel.trend.low, panel.trend.y, panel.trend.high))
            axes.fill_between(panel.trend.x, low, high, color=hue(0), alpha=0.16, linewidth=0)
            (line,) = axes.plot(panel.trend.x, middle, color=hue(0), linewidth=2.25, zorder=4)
            sheet.mark(line, "trend")
        ink, paper = palette()["ink"], palette()["paper"]
        places = [d.x for d in panel.dots], [d.y for d in panel.dots]
        dots = axes.scatter(*places, s=64, color=[(ink, 0.42)], edgecolor=paper, linewidth=0.75, zorder=3)
        if phone:
            sheet.mark(dots, "dots")
        else:
            titles = [_dot_title(d, panel.unit) for d in panel.dots]
            sheet.mark(dots, "dots", titles, [d.href for d in panel.dots])
    return sheet


def sparkline(paths: Sequence[tuple[Sequence[float], Sequence[float], float]], series: int, words: str) -> str:
    """Validation accuracy along the iteration path, one faint line a hold-out, a dot where the choice fell.

    ``paths`` holds (iterations, accuracies in percent, chosen iteration). Hundreds stand in one page: whole
    numbers on a 384 x 104 grid, shown at a quarter of that, keep each to a few hundred bytes.
    """
    from matplotlib.path import Path

    width, height, pad = 384.0, 104.0, 14.0
    values = [v for _, accuracy, _ in paths for v in accuracy]
    points = [i for iterations, _, _ in paths for i in iterations]
    x = Range(min(points), max(points))
    y = Range(min(values), max(max(values), min(values) + 1e-9))

    def place(iteration: float, accuracy: float) -> tuple[int, int]:
        across, up = x.share(iteration), y.share(accuracy)
        return round(pad + across * (width - 2 * pad)), round(height - pad - up * (height - 2 * pad))

    lines, dots = [], []
    for iterations, accuracy, chosen in paths:
        lines.append(Path([place(iterations[i], accuracy[i]) for i in _thinned(len(iterations), 14)]))
        if chosen in iterations:
            at = place(chosen, accuracy[list(iterations).index(chosen)])
            dots.append(Path([at, at]))  # a point with round caps
    inner = "".join(f'<path d="{outline(Path.make_compound_path(*some))}"/>' for some in (lines, dots) if some)
    return svg_element(inner, width, height, words, "sparkline", f' style="color:var(--s{series % COLOURS})"')


def bar(share: float) -> str:
    """A bar of ``share`` percent of its full length, for a table's cell."""
    return f'<span class="barline" style="--share:{max(min(share, 100.0), 0.5):.1f}%"></span>'


def _thinned(length: int, limit: int) -> list[int]:
    """At most ``limit`` positions of 0..length-1, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, limit))})

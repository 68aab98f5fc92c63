"""Figures of datasets: sorted differences, scatters over size with a smoothed trend, and drawings for table cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import WIDTH
from bench.report.svg import COLOURS, Canvas, Scale, label, padded, polygon, polyline, tag, titled
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
    left, right, top, bottom = 64.0, 12.0, 14.0, 300.0
    low, high = padded([d.y for d in ordered], zero=True)
    canvas = Canvas(WIDTH, bottom + 34)
    y = Scale(low, high, bottom, top)
    canvas.y_axis(y, left, "points", right=WIDTH - right)
    step = (WIDTH - left - right) / len(ordered)
    width = min(max(step * 0.72, 1.2), 26.0)
    for index, dot in enumerate(ordered):
        x = left + step * (index + 0.5)
        head, foot = sorted((y(dot.y), y(0.0)))
        side = "even" if abs(dot.y) < TIE else "up" if dot.y > 0 else "down"
        bar = tag("rect", x=x - width / 2, y=head, width=width, height=max(foot - head, 1.0), class_=f"bar {side}")
        hit = tag("rect", x=x - step / 2, y=top, width=step, height=bottom - top, class_="hit")
        canvas.add(titled(bar + hit, _dot_title(dot, "points"), dot.href))
    foot_text = f"datasets, sorted: {names[0]} better on the left, {names[1]} on the right"
    canvas.add(label((left + WIDTH - right) / 2, bottom + 24, foot_text, anchor="middle", class_="axis-title"))
    data = csv_text(("dataset", "difference_points"), [(d.dataset, d.y) for d in ordered])
    extremes = f"{caption} {_extremes(ordered)}"
    return Figure(name, title, extremes, canvas.svg(f"{title}. {extremes}"), data)


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
    left, right, top, gap = 64.0, 12.0, 12.0, 34.0
    height = 278.0 if len(panels) == 1 else 210.0
    xs = [d.x for d in panels[0].dots]
    x = Scale(*padded(xs, log=True), left, WIDTH - right, log=True)
    canvas = Canvas(WIDTH, top + len(panels) * (height + gap) + 12)
    for position, panel in enumerate(panels):
        head = top + position * (height + gap)
        last = position == len(panels) - 1
        canvas.x_axis(x, head + height, x_title if last else "", top=head)
        _trend_panel(canvas, panel, x, head, head + height)
    columns = [p.column for p in panels]
    rows = [(d.dataset, d.x, *(p.dots[i].y for p in panels)) for i, d in enumerate(panels[0].dots)]
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), csv_text(("dataset", "x", *columns), rows))


def _trend_panel(canvas: Canvas, panel: Panel, x: Scale, top: float, bottom: float) -> None:
    y, trend = Scale(*padded([d.y for d in panel.dots], zero=True), bottom, top), panel.trend
    canvas.y_axis(y, x.start, panel.title, right=x.end)
    canvas.line(x.start, y(0.0), x.end, y(0.0), "zero")
    if trend is not None:
        low, high = np.clip(trend.low, y.low, y.high), np.clip(trend.high, y.low, y.high)
        outline = list(zip(trend.x, high, strict=True)) + list(zip(trend.x[::-1], low[::-1], strict=True))
        canvas.add(polygon([(x(float(a)), y(float(b))) for a, b in outline], "band"))
    for dot in panel.dots:
        circle = tag("circle", cx=x(dot.x), cy=y(dot.y), r=4.0, class_="dot")
        canvas.add(titled(circle, _dot_title(dot, panel.unit), dot.href))
    if trend is not None:
        inside = np.clip(trend.y, y.low, y.high)
        canvas.add(polyline([(x(float(a)), y(float(b))) for a, b in zip(trend.x, inside, strict=True)], "trend"))


def sparkline(paths: Sequence[tuple[Sequence[float], Sequence[float], float]], series: int, words: str) -> str:
    """Validation accuracy along the iteration path, one faint line a hold-out, a dot where the choice fell.

    ``paths`` holds (iterations, accuracies in percent, chosen iteration). Hundreds stand in one page: whole
    numbers on a 384 x 104 grid, shown at a quarter of that, keep each to a few hundred bytes.
    """
    width, height, pad = 384.0, 104.0, 14.0
    values = [v for _, accuracy, _ in paths for v in accuracy]
    points = [i for iterations, _, _ in paths for i in iterations]
    low, high = min(values), max(values)
    x = Scale(min(points), max(points), pad, width - pad)
    y = Scale(low, high if high > low else low + 1, height - pad, pad)
    lines, dots = [], []
    for iterations, accuracy, chosen in paths:
        lines.append("L".join(f"{x(iterations[i]):.0f} {y(accuracy[i]):.0f}" for i in _thinned(len(iterations), 14)))
        if chosen in iterations:
            at = y(accuracy[list(iterations).index(chosen)])
            dots.append(tag("circle", cx=f"{x(chosen):.0f}", cy=f"{at:.0f}", r=9, class_=f"m s{series % COLOURS}"))
    line = tag("path", d="".join(f"M{points}" for points in lines), class_=f"spark s{series % COLOURS}")
    return tag("svg", line + "".join(dots), viewBox="0 0 384 104", role="img", aria_label=words, class_="sparkline")


def bar(share: float) -> str:
    """A bar of ``share`` percent of its full length, for a table's cell."""
    length = tag("rect", y=2, width=f"{max(min(share, 100.0), 0.5):.1f}%", height=8, class_="bar up")
    return tag("svg", length, class_="barline", aria_hidden="true")


def _thinned(length: int, limit: int) -> list[int]:
    """At most ``limit`` positions of 0..length-1, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, limit))})

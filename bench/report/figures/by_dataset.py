"""Figures with one mark a dataset: sorted differences, and scatters over size with a smoothed trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import WIDTH
from bench.report.svg import Canvas, Scale, label, padded, polyline, tag, titled
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


def trend_scatter(
    name: str, title: str, caption: str, dots: Sequence[Dot], trend: Trend | None, axes: tuple[str, str], unit: str
) -> Figure:
    """Dots over a logarithmic x with a smoothed trend and its band. The band may leave the frame: it is clipped."""
    left, right, top, bottom = 64.0, 12.0, 12.0, 290.0
    xs, ys = [d.x for d in dots], [d.y for d in dots]
    x = Scale(*padded(xs, log=True), left, WIDTH - right, log=True)
    y = Scale(*padded(ys, zero=True), bottom, top)
    canvas = Canvas(WIDTH, bottom + 46)
    canvas.x_axis(x, bottom, axes[0], top=top)
    canvas.y_axis(y, left, axes[1], right=WIDTH - right)
    canvas.line(left, y(0.0), WIDTH - right, y(0.0), "zero")
    if trend is not None:
        low, high = np.clip(trend.low, y.low, y.high), np.clip(trend.high, y.low, y.high)
        outline = list(zip(trend.x, high, strict=True)) + list(zip(trend.x[::-1], low[::-1], strict=True))
        points = " ".join(f"{x(float(a)):.1f},{y(float(b)):.1f}" for a, b in outline)
        canvas.add(tag("polygon", points=points, class_="band"))
    for dot in dots:
        circle = tag("circle", cx=x(dot.x), cy=y(dot.y), r=4.0, class_="dot")
        canvas.add(titled(circle, _dot_title(dot, unit), dot.href))
    if trend is not None:
        inside = np.clip(trend.y, y.low, y.high)
        canvas.add(polyline([(x(float(a)), y(float(b))) for a, b in zip(trend.x, inside, strict=True)], "trend"))
    data = csv_text(("dataset", "x", "y"), [(d.dataset, d.x, d.y) for d in dots])
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)

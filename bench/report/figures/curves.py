"""Figures of values against x: curves with bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import dashed, hue, marked, spotted, tick_text


@dataclass(frozen=True)
class Point:
    """A value with its interval, ``low`` to ``high``, at ``x``."""

    x: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """``series`` is its colour and marker."""

    name: str
    series: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axis:
    """What an axis shows; ``limits`` if it must not follow the values."""

    words: str
    log: bool = False
    limits: tuple[float, float] | None = None


def curves(name: str, title: str, caption: str, lines: Sequence[Curve], x_axis: Axis, y_axis: Axis) -> Figure:
    """Values against x, one curve a method, its interval shaded."""
    data = pd.DataFrame([{"name": line.name, **asdict(p)} for line in lines for p in line.points])
    return figure(name, title, caption, data, lambda sheet: _draw_curves(sheet, lines, x_axis, y_axis))


def _draw_curves(sheet: Sheet, lines: Sequence[Curve], x_axis: Axis, y_axis: Axis) -> None:
    axes = sheet.figure.subplots()
    for which, axis in (("x", x_axis), ("y", y_axis)):
        axes.set(**{f"{which}label": axis.words, f"{which}scale": "log" if axis.log else "linear"})
        if axis.limits:
            axes.set(**{f"{which}lim": axis.limits})
    for line in reversed(lines):  # the first lies on top
        x = [p.x for p in line.points]
        values, low, high = np.clip(
            [[getattr(p, part) for p in line.points] for part in ("value", "low", "high")],
            *(y_axis.limits or (None,) * 2),
        )
        axes.fill_between(x, low, high, color=hue(line.series), alpha=0.15, linewidth=0)
        (curve,) = axes.plot(x, values, **dashed(line.series))
        sheet.mark(curve, "curve", [line.name])
        marks = axes.scatter(x, values, zorder=3, **spotted(line.series))
        sheet.mark(marks, "", [] if sheet.phone else [_spoken(line.name, point) for point in line.points])
    sheet.legend([line.name for line in lines], [dashed(line.series) | marked(line.series) for line in lines])


def _spoken(name: str, point: Point) -> str:
    return f"{name}, {tick_text(point.x)}: {point.value:.3g} ({point.low:.3g} to {point.high:.3g})"

"""Figures of the studies: curves with bands, and diagrams of phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.report.blocks import Figure, csv_text
from bench.report.figures import PHONE, WIDTH
from bench.report.figures.axes import FOOT, Range, framed, padded, tick_text
from bench.report.figures.drawing import Sheet
from bench.report.figures.style import (
    NAME,
    TEXT,
    TICK,
    dashed,
    drawn,
    fitted,
    hue,
    marked,
    palette,
    spotted,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


@drawn
def curves(name: str, title: str, caption: str, lines: Sequence[Curve], x_axis: Axis, y_axis: Axis) -> Figure:
    """Values against x, one curve a method, its interval shaded."""
    words = f"{title}. {caption}"
    wide, phone = (_curves(name, lines, x_axis, y_axis, phone=phone) for phone in (False, True))
    rows = [(line.name, p.x, p.value, p.low, p.high) for line in lines for p in line.points]
    data = csv_text(("name", "x", "value", "low", "high"), rows)
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _curves(name: str, lines: Sequence[Curve], x_axis: Axis, y_axis: Axis, *, phone: bool) -> Sheet:
    points = [p for line in lines for p in line.points]
    x = _range(x_axis, [p.x for p in points])
    y = _range(y_axis, [v for p in points for v in (p.low, p.value, p.high)])
    names = [line.name for line in lines]
    frame = framed(name, x, y, names, 34.0, phone=phone)
    axes, sheet = frame.axes, frame.sheet
    for line in lines:
        low, high = (np.clip(v, y.low, y.high) for v in ([p.low for p in line.points], [p.high for p in line.points]))
        axes.fill_between([p.x for p in line.points], low, high, color=hue(line.series), alpha=0.15, linewidth=0)
    for line in reversed(lines):  # the first lies on top
        values = np.clip([p.value for p in line.points], y.low, y.high)
        (curve,) = axes.plot([p.x for p in line.points], values, **dashed(line.series))
        sheet.mark(curve, "curve", [line.name])
        marks = axes.scatter([p.x for p in line.points], values, clip_on=False, zorder=3, **spotted(line.series))
        sheet.mark(marks, "", [] if phone else [_spoken(line.name, point) for point in line.points])
    frame.legend(names, [dashed(line.series) | marked(line.series) for line in lines])
    return sheet


def _spoken(name: str, point: Point) -> str:
    return f"{name}, {tick_text(point.x)}: {point.value:.3g} ({point.low:.3g} to {point.high:.3g})"


def _range(axis: Axis, values: Sequence[float]) -> Range:
    if axis.limits:
        return Range(*axis.limits, axis.words, axis.log)
    return padded(values, axis.words, log=axis.log)


@dataclass(frozen=True)
class Phases:
    """One method's shares (0 to 1) by (row, column)."""

    name: str
    shares: dict[tuple[float, float], float]


@drawn
def phase_diagram(
    name: str, title: str, caption: str, panels: Sequence[Phases], column_words: str, row_words: str
) -> Figure:
    """Small multiples, one a method: the darker a field, the larger the share, which stands in it as a number."""
    words = f"{title}. {caption}"
    wide, phone = (_phases(name, panels, column_words, row_words, phone=phone) for phone in (False, True))
    data = csv_text(
        ("method", row_words, column_words, "share"),
        [(panel.name, r, c, share) for panel in panels for (r, c), share in sorted(panel.shares.items())],
    )
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _phases(name: str, panels: Sequence[Phases], column_words: str, row_words: str, *, phone: bool) -> Sheet:
    columns = sorted({c for panel in panels for _, c in panel.shares})
    rows = sorted({r for panel in panels for r, _ in panel.shares})
    width, per_line = (PHONE, 1) if phone else (WIDTH, 3)
    head, gap, left = 26.0, 18.0, 58.0
    wide = (width - left - gap * (per_line - 1) - 2) / per_line
    high = 24.0 * len(rows)
    below = head + high + FOOT
    sheet = Sheet(name, width, -(-len(panels) // per_line) * below)
    for index, panel in enumerate(panels):
        x, y = left + index % per_line * (wide + gap), head + index // per_line * below
        sheet.text(x, y - 8, fitted(panel.name, wide), NAME)
        axes = sheet.axes(x, y, x + wide, y + high)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(0, len(rows))
        shown = [tick_text(c) for c in columns]
        every = 1 if max(text_width(w, TICK) for w in shown) + 6 < wide / len(columns) else 2
        axes.set_xticks([i + 0.5 for i in range(0, len(columns), every)], shown[::every])
        axes.set_yticks([i + 0.5 for i in range(len(rows))], [tick_text(r) for r in rows])
        axes.set_xlabel(column_words, labelpad=5)
        if index % per_line:
            axes.tick_params(labelleft=False)
        else:
            sheet.text(
                left - 42,
                y + high / 2,
                row_words,
                TEXT,
                ha="center",
                rotation=90,
                rotation_mode="anchor",
                color=palette()["muted"],
            )
        _fields(sheet, axes, panel, columns, rows, (column_words, row_words), titled=not phone)
    return sheet


def _fields(
    sheet: Sheet,
    axes: Axes,
    panel: Phases,
    columns: list[float],
    rows: list[float],
    words: tuple[str, str],
    *,
    titled: bool,
) -> None:
    from matplotlib.collections import PolyCollection

    fields = [(columns.index(c), rows.index(r), c, r, share) for (r, c), share in sorted(panel.shares.items())]
    squares = [[(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)] for i, j, *_ in fields]
    colours = [(hue(1), round(share, 2)) for *_, share in fields]
    drawn_fields = PolyCollection(squares, facecolor=colours, edgecolor=palette()["rule"], linewidth=0.75)
    axes.add_collection(drawn_fields, autolim=False)
    if titled:
        told = (f"{panel.name}: {100 * s:.0f} % at {words[0]} {c:g}, {words[1]} {r:g}" for *_, c, r, s in fields)
        sheet.mark(drawn_fields, "", list(told))
    for i, j, _, _, share in sorted(fields, key=lambda field: field[-1] > 0.5):
        ink = palette()["paper" if share > 0.5 else "ink"]
        axes.text(i + 0.5, j + 0.5, f"{100 * share:.0f}", fontsize=11, color=ink, ha="center", va="center_baseline")

"""Figures of the studies: curves with bands, and diagrams of phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.blocks import Figure, csv_text
from bench.report.figures import WIDTH
from bench.report.svg import Canvas, Scale, label, marker, padded, polygon, polyline, tag, tick_text, titled


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
    left, right, top, bottom = 70.0, 220.0, 14.0, 310.0
    points = [p for line in lines for p in line.points]
    x = Scale(*(x_axis.limits or padded([p.x for p in points], log=x_axis.log)), left, WIDTH - right, x_axis.log)
    values = [v for p in points for v in (p.low, p.value, p.high)]
    y = Scale(*(y_axis.limits or padded(values, log=y_axis.log)), bottom, top, y_axis.log)
    canvas = Canvas(WIDTH, bottom + 46)
    canvas.x_axis(x, bottom, x_axis.words, top=top)
    canvas.y_axis(y, left, y_axis.words, right=WIDTH - right)

    def height(value: float) -> float:
        return y(min(max(value, y.low), y.high))

    for line in lines:
        there = [(x(p.x), height(p.high)) for p in line.points]
        back = [(x(p.x), height(p.low)) for p in reversed(line.points)]
        canvas.add(polygon(there + back, f"area s{line.series}"))
    for line in reversed(lines):  # the first lies on top
        places = [(x(p.x), height(p.value)) for p in line.points]
        canvas.add(titled(polyline(places, f"curve s{line.series}"), line.name))
        for point, (px, py) in zip(line.points, places, strict=True):
            words = f"{line.name}, {tick_text(point.x)}: {point.value:.3g} ({point.low:.3g} to {point.high:.3g})"
            canvas.add(titled(marker(px, py, line.series), words))
    for index, line in enumerate(lines):
        row = top + 12 + 21 * index
        canvas.add(marker(WIDTH - right + 18, row - 4, line.series))
        canvas.add(label(WIDTH - right + 30, row, line.name, class_="name"))
    rows = [(line.name, p.x, p.value, p.low, p.high) for line in lines for p in line.points]
    data = csv_text(("name", "x", "value", "low", "high"), rows)
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


@dataclass(frozen=True)
class Phases:
    """One method's shares (0 to 1) by (row, column)."""

    name: str
    shares: dict[tuple[float, float], float]


def phase_diagram(
    name: str, title: str, caption: str, panels: Sequence[Phases], column_words: str, row_words: str
) -> Figure:
    """Small multiples, one a method: the darker a field, the larger the share, which stands in it as a number."""
    columns = sorted({c for panel in panels for _, c in panel.shares})
    rows = sorted({r for panel in panels for r, _ in panel.shares}, reverse=True)
    per_line = 3
    gap, left, top = 18.0, 58.0, 26.0
    cell_width = (WIDTH - left - gap * (per_line - 1)) / per_line / max(len(columns), 1)
    cell_height = 24.0
    panel_width, panel_height = cell_width * len(columns), cell_height * len(rows)
    lines = -(-len(panels) // per_line)
    canvas = Canvas(WIDTH, lines * (panel_height + top + 42) + 6)
    for index, panel in enumerate(panels):
        x0 = left + (index % per_line) * (panel_width + gap)
        y0 = top + (index // per_line) * (panel_height + top + 42)
        canvas.add(label(x0, y0 - 8, panel.name, class_="name"))
        for i, row in enumerate(rows):
            if index % per_line == 0:
                canvas.add(label(x0 - 7, y0 + (i + 0.5) * cell_height + 4, tick_text(row), anchor="end", class_="tick"))
            for j, column in enumerate(columns):
                share = panel.shares.get((row, column))
                if share is None:
                    continue
                x, y = x0 + j * cell_width, y0 + i * cell_height
                drawn = tag(
                    "rect", x=x, y=y, width=cell_width, height=cell_height, class_="heat", fill_opacity=f"{share:.2f}"
                )
                shown = label(
                    x + cell_width / 2,
                    y + cell_height / 2 + 4,
                    f"{100 * share:.0f}",
                    anchor="middle",
                    class_="on-heat full" if share > 0.5 else "on-heat",
                )
                words = f"{panel.name}: {100 * share:.0f} % at {column_words} {column:g}, {row_words} {row:g}"
                canvas.add(titled(drawn + shown, words))
        for j, column in enumerate(columns):
            place = x0 + (j + 0.5) * cell_width
            canvas.add(label(place, y0 + panel_height + 15, tick_text(column), anchor="middle", class_="tick"))
        canvas.add(
            label(x0 + panel_width / 2, y0 + panel_height + 32, column_words, anchor="middle", class_="axis-title")
        )
        if index % per_line == 0:
            canvas.add(
                label(x0 - 42, y0 + panel_height / 2, row_words, anchor="middle", class_="axis-title", rotate=-90)
            )
    data = csv_text(
        ("method", row_words, column_words, "share"),
        [(panel.name, r, c, share) for panel in panels for (r, c), share in sorted(panel.shares.items())],
    )
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)

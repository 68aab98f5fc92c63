"""Figures with one mark a method: differences with intervals, profiles, accuracy against rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import PHONE, WIDTH
from bench.report.svg import (
    COLOURS,
    Canvas,
    Scale,
    fitted,
    label,
    marker,
    padded,
    polyline,
    series_class,
    tag,
    titled,
)
from bench.stats.significance import PairedDifference

ROW = 21.0
"""Pixels from one line of a legend to the next."""
MARKED = 4.0
"""Percent between two markers of a profile."""


@dataclass(frozen=True)
class Interval:
    """A line of an interval plot: a difference under a label."""

    name: str
    series: int
    difference: PairedDifference


def intervals(name: str, title: str, caption: str, lines: Sequence[Interval], axis: str) -> Figure:
    """Mean differences with their 95 % intervals, one line each, and the zero line."""
    header = ("name", "datasets", "mean_difference", "se", "low95", "high95", "wins", "ties", "losses", "wilcoxon_p")
    rows = [
        (x.name, d.datasets, d.mean, d.se, d.low, d.high, d.wins, d.ties, d.losses, d.p)
        for x, d in ((x, x.difference) for x in lines)
    ]
    words = f"{title}. {caption}"
    wide = _intervals_drawing(lines, axis).svg(words, "plot slim")
    phone = _intervals_drawing(lines, axis, phone=True).svg(words, "plot slim phone")
    return Figure(name, title, caption, wide, csv_text(header, rows), phone)


def _intervals_drawing(lines: Sequence[Interval], axis: str, *, phone: bool = False) -> Canvas:
    """Name, interval and figures side by side; on a phone name and figures stand above their interval."""
    width, left, right, row = (PHONE, 12.0, 12.0, 46.0) if phone else (580.0, 132.0, 218.0, 30.0)
    edge = width - 6  # of the figures on the right
    top, drop = 26.0, row * 0.7 if phone else row * 0.5  # from a row's upper edge to its interval
    bottom = top + row * len(lines)
    ends = [v for line in lines for v in (line.difference.low, line.difference.high, line.difference.mean) if v == v]
    canvas = Canvas(width, bottom + 46)
    scale = Scale(*padded(ends, zero=True), left, width - right)
    canvas.x_axis(scale, bottom, axis, top=top, count=5)
    canvas.add(label(edge - 96, 14, "mean ± s.e.", anchor="end", class_="tick"))
    canvas.add(label(edge, 14, "w / t / l", anchor="end", class_="tick"))
    for index, line in enumerate(lines):
        d, y = line.difference, top + row * index + drop
        baseline = y - 13 if phone else y + 4.5
        name_x, anchor, room = (0.0, "start", edge - 182) if phone else (left - 12, "end", left - 12)
        canvas.add(label(name_x, baseline, fitted(line.name, room, 14.0), anchor=anchor, class_="name"))
        marks = marker(scale(d.mean), y, line.series, 5.5)
        if d.low == d.low:
            class_ = f"whisker s{line.series % COLOURS}"
            marks = tag("line", x1=scale(d.low), y1=y, x2=scale(d.high), y2=y, class_=class_) + marks
        canvas.add(titled(marks, f"{line.name}: {_spoken(d)}"))
        words = wording.number(d.mean, sign=True) + ("" if d.se != d.se else f" ± {wording.number(d.se)}")
        canvas.add(label(edge - 96, baseline, words, anchor="end", class_="value"))
        canvas.add(label(edge, baseline, f"{d.wins} / {d.ties} / {d.losses}", anchor="end", class_="tick"))
    return canvas


def _spoken(d: PairedDifference) -> str:
    interval = f", 95 % interval {wording.number(d.low, sign=True)} to {wording.number(d.high, sign=True)}"
    return (
        f"{wording.number(d.mean, sign=True)} points{interval if d.low == d.low else ''}; {d.wins} wins, "
        f"{d.ties} ties, {d.losses} losses on {wording.plural(d.datasets, 'dataset')}"
    )


def profiles(name: str, title: str, caption: str, table: pd.DataFrame) -> Figure:
    """Step curves, one a method: share of datasets (y) within x percent of the pool's best.

    Curves carry their series' dash and, every :data:`MARKED` percent, its marker: colour alone tells nothing.
    """
    data = table.round(4).to_csv(lineterminator="\n")
    words = f"{title}. {caption}"
    wide, phone = (_profiles_drawing(table, phone=phone) for phone in (False, True))
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _profiles_drawing(table: pd.DataFrame, *, phone: bool) -> Canvas:
    methods = [str(m) for m in table.columns]
    frame = _frame(len(methods), 186.0, phone)
    canvas = frame.canvas
    within = table.index.to_numpy(dtype=float)
    x = Scale(0.0, float(within[-1]), frame.left, frame.right)
    floor = max(0.0, float(np.floor(table.to_numpy().min() / 10) * 10))
    y = Scale(floor if floor < 100 else 0.0, 100.0, frame.bottom, frame.top)
    best = "best accuracy" if phone else "best accuracy on the dataset"
    canvas.x_axis(x, frame.bottom, f"within this many percent of the {best}", top=frame.top)
    canvas.y_axis(y, frame.left, "share of datasets, %", right=frame.right)
    for position, method in enumerate(methods):
        values = table[method].to_numpy(dtype=float)
        points = [(x(float(within[0])), y(float(values[0])))]
        for a, before, after in zip(within[1:], values, values[1:], strict=False):
            if after != before:  # corners only: a step curve needs no more
                points += [(x(float(a)), y(float(before))), (x(float(a)), y(float(after)))]
        points.append((x(float(within[-1])), y(float(values[-1]))))
        series = wording.series(method, methods)
        first = MARKED * (position + 0.5) / len(methods)  # staggered: where curves meet, markers do not
        marks = "".join(
            marker(x(at), y(float(values[np.searchsorted(within, at, side="right") - 1])), series, 4.0)
            for at in np.arange(first, float(within[-1]), MARKED)
        )
        words = f"{wording.title(method)}: best or equal on {values[0]:.0f} % of the datasets"
        canvas.add(titled(polyline(points, series_class("curve", series)) + marks, words))
    area = dict(zip(methods, table.to_numpy(dtype=float).mean(axis=0), strict=True))
    by_area = sorted(methods, key=lambda m: -area[m])
    _legend(frame, by_area, methods, lines=True)
    return canvas


def accuracy_rank(
    name: str, title: str, caption: str, table: pd.DataFrame, ours: Sequence[str], shown: int | None = None
) -> Figure:
    """Mean accuracy (y) against Friedman rank (x, best on the left); ``ours`` in their colours, others grey.

    ``table`` is a summary; ``shown`` keeps only that many best-ranked methods beside ours, so that the crowd at the far
    end does not squeeze the part that matters.
    """
    ranked = table.sort_values("friedman_rank")
    others = [str(m) for m in ranked.index if m not in ours][:shown]
    kept = ranked.loc[[*others, *ours]]
    data = kept[["mean_accuracy", "friedman_rank"]].round(6).to_csv(lineterminator="\n", index_label="method")
    words = f"{title}. {caption}"
    wide, phone = (_accuracy_rank_drawing(kept, others, list(ours), phone=phone) for phone in (False, True))
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _accuracy_rank_drawing(kept: pd.DataFrame, others: list[str], methods: list[str], *, phone: bool) -> Canvas:
    frame = _frame(len(methods), 160.0, phone)
    x = Scale(*padded(kept["friedman_rank"].tolist()), frame.left, frame.right)
    y = Scale(*padded(kept["mean_accuracy"].tolist()), frame.bottom, frame.top)
    canvas = frame.canvas
    canvas.x_axis(x, frame.bottom, "Friedman rank (lower is better)", top=frame.top)
    canvas.y_axis(y, frame.left, "mean accuracy, %", right=frame.right)

    ranks = dict(zip(kept.index, kept["friedman_rank"].astype(float), strict=True))
    means = dict(zip(kept.index, kept["mean_accuracy"].astype(float), strict=True))

    def place(method: str) -> tuple[float, float, str]:
        rank, mean = ranks[method], means[method]
        words = f"{wording.title(method)}: rank {rank:.2f}, mean accuracy {mean:.2f} %"
        return x(rank), y(mean), words

    for method in others:
        px, py, words = place(method)
        canvas.add(titled(tag("circle", cx=px, cy=py, r=3.2, class_="other"), words))
    by_rank = sorted(methods, key=lambda m: ranks[m])
    for method in reversed(by_rank):  # the best lie on top
        px, py, words = place(method)
        canvas.add(titled(marker(px, py, wording.series(method, methods), 6), words))
    _legend(frame, by_rank, methods)
    return canvas


@dataclass(frozen=True)
class _Frame:
    """Where a plot's axes and its legend go; all in pixels of ``canvas``."""

    canvas: Canvas
    left: float
    right: float
    top: float
    bottom: float
    legend: tuple[float, float]
    columns: int


def _frame(count: int, beside: float, phone: bool) -> _Frame:
    """With a legend of ``count`` names on the right, ``beside`` pixels wide, or on a phone in two columns below."""
    top = 14.0
    if phone:
        bottom = 270.0
        height = bottom + 56 + ROW * ((count + 1) // 2)
        return _Frame(Canvas(PHONE, height), 56.0, PHONE - 10, top, bottom, (4.0, bottom + 66), 2)
    bottom, right = 310.0, WIDTH - beside
    canvas = Canvas(WIDTH, max(bottom + 46, top + ROW * count))
    return _Frame(canvas, 64.0, right, top, bottom, (right + 20, top + 14), 1)


def _legend(frame: _Frame, ordered: Sequence[str], methods: Sequence[str], *, lines: bool = False) -> None:
    """Markers and names in columns: labels at the marks would cover one another where methods are close.

    With ``lines`` every marker sits on a sample of its curve.
    """
    left, top = frame.legend
    width = (frame.canvas.width - left) / frame.columns
    deep = -(-len(ordered) // frame.columns)
    for index, method in enumerate(ordered):
        x, row = left + width * (index // deep), top + ROW * (index % deep)
        series = wording.series(method, list(methods))
        middle, words_at = (x + 17, x + 42) if lines else (x + 6, x + 19)
        if lines:
            frame.canvas.add(polyline([(x, row - 4), (x + 34, row - 4)], series_class("curve", series)))
        name = fitted(wording.title(method), width - (words_at - x))
        frame.canvas.add(
            marker(middle, row - 4, series, 4.0 if lines else 4.5), label(words_at, row, name, class_="name")
        )

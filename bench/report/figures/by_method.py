"""Figures with one mark a method: differences with intervals, profiles, accuracy against rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import WIDTH
from bench.report.svg import Canvas, Scale, label, marker, padded, polyline, tag, titled
from bench.stats.significance import PairedDifference


@dataclass(frozen=True)
class Interval:
    """A line of an interval plot: a difference under a label."""

    name: str
    series: int
    difference: PairedDifference


def intervals(name: str, title: str, caption: str, lines: Sequence[Interval], axis: str) -> Figure:
    """Mean differences with their 95 % intervals, one line each, and the zero line. Narrow enough for a phone."""
    width, left, right, row, top = 580.0, 130.0, 214.0, 30.0, 26.0
    bottom = top + row * len(lines)
    ends = [v for line in lines for v in (line.difference.low, line.difference.high, line.difference.mean) if v == v]
    low, high = padded(ends, zero=True)
    canvas = Canvas(width, bottom + 46)
    scale = Scale(low, high, left, width - right)
    canvas.x_axis(scale, bottom, axis, top=top, count=5)
    canvas.add(label(width - right + 118, 14, "mean ± s.e.", anchor="end", class_="tick"))
    canvas.add(label(width, 14, "w / t / l", anchor="end", class_="tick"))
    for index, line in enumerate(lines):
        d, y = line.difference, top + row * (index + 0.5)
        canvas.add(label(left - 12, y + 4.5, line.name, anchor="end", class_="name"))
        marks = marker(scale(d.mean), y, line.series, 5.5)
        if d.low == d.low:
            marks = tag("line", x1=scale(d.low), y1=y, x2=scale(d.high), y2=y, class_=f"whisker s{line.series}") + marks
        canvas.add(titled(marks, f"{line.name}: {_spoken(d)}"))
        words = wording.number(d.mean, sign=True) + ("" if d.se != d.se else f" ± {wording.number(d.se)}")
        canvas.add(label(width - right + 118, y + 4.5, words, anchor="end", class_="value"))
        canvas.add(label(width, y + 4.5, f"{d.wins} / {d.ties} / {d.losses}", anchor="end", class_="tick"))
    header = ("name", "datasets", "mean_difference", "se", "low95", "high95", "wins", "ties", "losses", "wilcoxon_p")
    rows = [
        (x.name, d.datasets, d.mean, d.se, d.low, d.high, d.wins, d.ties, d.losses, d.p)
        for x, d in ((x, x.difference) for x in lines)
    ]
    drawing = canvas.svg(f"{title}. {caption}", "plot slim")
    return Figure(name, title, caption, drawing, csv_text(header, rows))


def _spoken(d: PairedDifference) -> str:
    interval = f", 95 % interval {wording.number(d.low, sign=True)} to {wording.number(d.high, sign=True)}"
    return (
        f"{wording.number(d.mean, sign=True)} points{interval if d.low == d.low else ''}; {d.wins} wins, "
        f"{d.ties} ties, {d.losses} losses on {wording.plural(d.datasets, 'dataset')}"
    )


def profiles(name: str, title: str, caption: str, table: pd.DataFrame) -> Figure:
    """Step curves, one a method: share of datasets (y) within x percent of the pool's best."""
    left, right, top, bottom = 64.0, 150.0, 12.0, 300.0
    within = table.index.to_numpy(dtype=float)
    x = Scale(0.0, float(within[-1]), left, WIDTH - right)
    floor = max(0.0, float(np.floor(table.to_numpy().min() / 10) * 10))
    y = Scale(floor if floor < 100 else 0.0, 100.0, bottom, top)
    canvas = Canvas(WIDTH, bottom + 46)
    canvas.x_axis(x, bottom, "within this many percent of the best accuracy on the dataset", top=top)
    canvas.y_axis(y, left, "share of datasets, %", right=WIDTH - right)
    methods = [str(m) for m in table.columns]
    for method in methods:
        values = table[method].to_numpy(dtype=float)
        points = [(x(float(within[0])), y(float(values[0])))]
        for a, before, after in zip(within[1:], values, values[1:], strict=False):
            if after != before:  # corners only: a step curve needs no more
                points += [(x(float(a)), y(float(before))), (x(float(a)), y(float(after)))]
        points.append((x(float(within[-1])), y(float(values[-1]))))
        curve = polyline(points, f"curve s{wording.series(method, methods)}")
        canvas.add(titled(curve, f"{wording.title(method)}: best or equal on {values[0]:.0f} % of the datasets"))
    area = dict(zip(methods, table.to_numpy(dtype=float).mean(axis=0), strict=True))
    by_area = sorted(methods, key=lambda m: -area[m])
    _legend(canvas, by_area, methods, WIDTH - right + 22, top + 14)
    data = table.round(4).to_csv(lineterminator="\n")
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


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
    left, right, top, bottom = 64.0, 150.0, 14.0, 310.0
    x = Scale(*padded(kept["friedman_rank"].tolist()), left, WIDTH - right)
    y = Scale(*padded(kept["mean_accuracy"].tolist()), bottom, top)
    canvas = Canvas(WIDTH, bottom + 46)
    canvas.x_axis(x, bottom, "Friedman rank (lower is better)", top=top)
    canvas.y_axis(y, left, "mean accuracy, %", right=WIDTH - right)
    methods = list(ours)

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
    _legend(canvas, by_rank, methods, WIDTH - right + 22, top + 14)
    data = kept[["mean_accuracy", "friedman_rank"]].round(6).to_csv(lineterminator="\n", index_label="method")
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


def _legend(canvas: Canvas, ordered: Sequence[str], methods: Sequence[str], x: float, y: float) -> None:
    """Markers and names in a column: labels at the marks would cover one another where methods are close."""
    for index, method in enumerate(ordered):
        row = y + 21 * index
        series = wording.series(method, list(methods))
        canvas.add(marker(x, row - 4, series), label(x + 13, row, wording.title(method), class_="name"))

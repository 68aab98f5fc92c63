"""The report's figures. Each takes plain numbers and gives a :class:`Figure` with the numbers beside it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.svg import Canvas, Scale, label, marker, padded, polyline, tag, titled
from bench.stats.significance import PairedDifference
from bench.stats.summary import TIE
from bench.stats.trend import Trend

WIDTH = 760.0


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
    for index, method in enumerate(by_area):
        row, at = top + 14 + 21 * index, WIDTH - right + 22
        canvas.add(
            marker(at, row - 4, wording.series(method, methods)),
            label(at + 13, row, wording.title(method), class_="name"),
        )
    data = table.round(4).to_csv(lineterminator="\n")
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


def accuracy_rank(
    name: str, title: str, caption: str, table: pd.DataFrame, ours: Sequence[str], shown: int | None = None
) -> Figure:
    """Mean accuracy (y) against Friedman rank (x, best on the left); ``ours`` in their colours with names, others grey.

    ``table`` is a summary; ``shown`` keeps only that many best-ranked methods beside ours, so that the crowd at the far
    end does not squeeze the part that matters.
    """
    ranked = table.sort_values("friedman_rank")
    others = [str(m) for m in ranked.index if m not in ours][:shown]
    kept = ranked.loc[[*others, *ours]]
    left, right, top, bottom = 64.0, 120.0, 14.0, 310.0
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
    places = {method: place(method) for method in methods}
    taken = [(px - 7, py - 7, px + 7, py + 7) for px, py, _ in places.values()]
    for method in methods:
        px, py, words = places[method]
        canvas.add(titled(marker(px, py, wording.series(method, methods), 6), words))
    for method in sorted(methods, key=lambda m: places[m][0]):
        px, py, _ = places[method]
        tx, ty = _free_spot(px, py, 7.2 * len(wording.title(method)), taken, WIDTH - 4)
        taken.append((tx, ty - 11, tx + 7.2 * len(wording.title(method)), ty + 3))
        canvas.add(label(tx, ty, wording.title(method), class_="name"))
    data = kept[["mean_accuracy", "friedman_rank"]].round(6).to_csv(lineterminator="\n", index_label="method")
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


Box = tuple[float, float, float, float]


def _free_spot(x: float, y: float, length: float, taken: Sequence[Box], limit: float) -> tuple[float, float]:
    """Where a label of ``length`` pixels for the mark at (x, y) meets the fewest boxes and stays within the drawing."""
    spots = [(x + 11, y + 4.5), (x - 11 - length, y + 4.5)]
    for lift in (17.0, 31.0, 45.0):
        spots += [
            (x - length / 2, y - lift + 6),
            (x - length / 2, y + lift + 4),
            (x + 9, y - lift + 8),
            (x + 9, y + lift),
        ]

    def crossings(spot: tuple[float, float]) -> int:
        a, b, c, d = spot[0], spot[1] - 11, spot[0] + length, spot[1] + 3
        outside = 100 * (a < 60 or c > limit or b < 0)
        return outside + sum(a < r and c > p and b < s and d > q for p, q, r, s in taken)

    return min(spots, key=crossings)


def critical_difference_diagram(
    name: str, title: str, caption: str, ranks: pd.Series, groups: Sequence[Sequence[str]], cd: float
) -> Figure:
    """Demšar's diagram: methods at their mean rank, bars over rank-contiguous groups that do not differ."""
    order = [str(m) for m in ranks.sort_values(kind="stable").index]
    k = len(order)
    half = (k + 1) // 2
    left, right, axis_y = 190.0, 190.0, 58.0
    low = float(np.floor(ranks.min() * 2) / 2)
    high = max(float(np.ceil(ranks.max() * 2) / 2), low + 1.0)
    scale = Scale(low, high, left, WIDTH - right)
    first = axis_y + 26 + 11 * len(groups)
    canvas = Canvas(WIDTH, first + 24 * max(half - 1, 0) + 20)
    canvas.line(left, axis_y, WIDTH - right, axis_y, "axis")
    for value in scale.ticks(8):
        canvas.line(scale(value), axis_y - 5, scale(value), axis_y, "axis")
        canvas.add(label(scale(value), axis_y - 10, f"{value:g}", anchor="middle", class_="tick"))
    width = min(scale(low + cd) - scale(low), WIDTH - right - left)
    canvas.line(left, 18, left + width, 18, "cd")
    canvas.add(label(left + width + 8, 22, f"critical difference {cd:.2f}", class_="tick"))
    for index, method in enumerate(order):
        x, on_left = scale(float(ranks[method])), index < half
        y = first + 24 * (index if on_left else k - 1 - index)
        end = left - 14 if on_left else WIDTH - right + 14
        path = polyline([(x, axis_y), (x, y), (end, y)], "stem")
        words = f"{wording.title(method)}: mean rank {ranks[method]:.2f}"
        canvas.add(titled(path + marker(x, axis_y, wording.series(method, order), 4.5), words))
        rank = f"{ranks[method]:.2f}"
        shown = f"{wording.title(method)}  {rank}" if on_left else f"{rank}  {wording.title(method)}"
        canvas.add(
            label(end + (-8 if on_left else 8), y + 4.5, shown, anchor="end" if on_left else "start", class_="name")
        )
    for level, group in enumerate(groups):
        y = axis_y + 14 + 11 * level
        a, b = (scale(float(ranks[m])) for m in (group[0], group[-1]))
        names = ", ".join(wording.title(m) for m in group)
        canvas.add(
            titled(tag("line", x1=a - 5, y1=y, x2=b + 5, y2=y, class_="clique"), f"no significant difference: {names}")
        )
    data = csv_text(("method", "mean_rank"), [(m, round(float(ranks[m]), 6)) for m in order])
    return Figure(name, title, caption, canvas.svg(f"{title}. {caption}"), data)


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
            dots.append(tag("circle", cx=f"{x(chosen):.0f}", cy=f"{at:.0f}", r=9, class_=f"m s{series}"))
    line = tag("path", d="".join(f"M{points}" for points in lines), class_=f"spark s{series}")
    return tag("svg", line + "".join(dots), viewBox="0 0 384 104", role="img", aria_label=words, class_="sparkline")


def bar(share: float) -> str:
    """A bar of ``share`` percent of its full length, for a table's cell."""
    length = tag("rect", y=2, width=f"{max(min(share, 100.0), 0.5):.1f}%", height=8, class_="bar up")
    return tag("svg", length, class_="barline", aria_hidden="true")


def _thinned(length: int, limit: int) -> list[int]:
    """At most ``limit`` positions of 0..length-1, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, limit))})

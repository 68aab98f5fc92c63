"""The critical-difference diagram (Demšar, JMLR 7, 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import WIDTH
from bench.report.svg import Canvas, Scale, fitted, label, marker, polyline, tag, titled


def critical_difference_diagram(
    name: str, title: str, caption: str, ranks: pd.Series, groups: Sequence[Sequence[str]], cd: float
) -> Figure:
    """Demšar's diagram: methods at their mean rank, bars over rank-contiguous groups that do not differ.

    The axis is long enough for the critical difference ``cd`` too, or runs over all ranks, 1 to k. A critical
    difference beyond even that is drawn as an arrow across the axis and said to be longer.
    """
    order = [str(m) for m in ranks.sort_values(kind="stable").index]
    k = len(order)
    half = (k + 1) // 2
    left, right, axis_y = 190.0, 190.0, 58.0
    low = float(np.floor(ranks.min() * 2) / 2)
    high = max(float(np.ceil(ranks.max() * 2) / 2), low + 1.0)
    if cd > high - low:
        low, high = (low, low + cd) if cd <= k - low else (1.0, float(max(k, 2)))
    scale = Scale(low, high, left, WIDTH - right)
    first = axis_y + 26 + 11 * len(groups)
    canvas = Canvas(WIDTH, first + 24 * max(half - 1, 0) + 20)
    canvas.line(left, axis_y, WIDTH - right, axis_y, "axis")
    for value in scale.ticks(8):
        canvas.line(scale(value), axis_y - 5, scale(value), axis_y, "axis")
        canvas.add(label(scale(value), axis_y - 10, f"{value:g}", anchor="middle", class_="tick"))
    longer = cd > high - low + 1e-9
    end = scale(high if longer else low + cd)
    canvas.line(left, 18, end, 18, "cd")
    canvas.line(left, 13, left, 23, "cd")
    canvas.add(polyline([(end - 7, 13), (end, 18), (end - 7, 23)] if longer else [(end, 13), (end, 23)], "cd"))
    if longer:
        words = f"critical difference {cd:.2f}, longer than the axis"
        canvas.add(label((left + end) / 2, 10, words, anchor="middle", class_="tick"))
    else:
        canvas.add(label(end + 8, 22, f"critical difference {cd:.2f}", class_="tick"))
    for index, method in enumerate(order):
        x, on_left = scale(float(ranks[method])), index < half
        y = first + 24 * (index if on_left else k - 1 - index)
        end = left - 14 if on_left else WIDTH - right + 14
        path = polyline([(x, axis_y), (x, y), (end, y)], "stem")
        words = f"{wording.title(method)}: mean rank {ranks[method]:.2f}"
        canvas.add(titled(path + marker(x, axis_y, wording.series(method, order), 4.5), words))
        rank = f"{ranks[method]:.2f}"
        name_shown = fitted(wording.title(method), left - 64)
        shown = f"{name_shown}  {rank}" if on_left else f"{rank}  {name_shown}"
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

"""Drawings small enough for a table's cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.report.svg import COLOURS, Scale, tag


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

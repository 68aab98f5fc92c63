"""Figures with one mark a method: differences with intervals, profiles, accuracy against rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.report import wording
from bench.report.blocks import Figure, csv_text
from bench.report.figures import PHONE
from bench.report.figures.axes import FOOT, Range, framed, padded, set_x, zero_line
from bench.report.figures.drawing import Sheet
from bench.report.figures.style import TICK, dashed, drawn, fitted, hue, marked, palette, text_width
from bench.stats.significance import PairedDifference

MARKED = 4.0
"""Percent between two markers of a profile."""
SLIM = 14.0
"""Pixels of the text in an interval plot, which is narrower than other figures."""


@dataclass(frozen=True)
class Interval:
    """A line of an interval plot: a difference under a label."""

    name: str
    series: int
    difference: PairedDifference


@drawn
def intervals(name: str, title: str, caption: str, lines: Sequence[Interval], axis: str) -> Figure:
    """Mean differences with their 95 % intervals, one line each, and the zero line."""
    header = ("name", "datasets", "mean_difference", "se", "low95", "high95", "wins", "ties", "losses", "wilcoxon_p")
    rows = [
        (x.name, d.datasets, d.mean, d.se, d.low, d.high, d.wins, d.ties, d.losses, d.p)
        for x, d in ((x, x.difference) for x in lines)
    ]
    words = f"{title}. {caption}"
    wide = _intervals(name, lines, axis).svg(words, "plot slim")
    phone = _intervals(name, lines, axis, phone=True).svg(words, "plot slim phone")
    return Figure(name, title, caption, wide, csv_text(header, rows), phone)


def _intervals(name: str, lines: Sequence[Interval], axis: str, *, phone: bool = False) -> Sheet:
    """Name, interval and numbers side by side; on a phone name and numbers stand above their interval."""
    width, row, top = (PHONE, 46.0, 28.0) if phone else (620.0, 30.0, 28.0)
    counts = [f"{x.difference.wins} / {x.difference.ties} / {x.difference.losses}" for x in lines]
    means = [_mean(x.difference) for x in lines]
    edge = width - 4  # of the numbers on the right
    second = edge - max(text_width(w, TICK + 1) for w in [*counts, "w / t / l"]) - 16
    numbers = width - second + max(text_width(w, SLIM) for w in [*means, "mean ± s.e."]) + 14
    room = width - numbers if phone else min(max(text_width(x.name, SLIM) for x in lines), 200.0)
    left, right = (12.0, width - 12) if phone else (room + 14, width - numbers)
    bottom = top + row * len(lines)
    sheet = Sheet(name, width, bottom + FOOT + 2)
    axes = sheet.axes(left, top, right, bottom)
    ends = [v for x in lines for v in (x.difference.low, x.difference.high, x.difference.mean) if v == v]
    set_x(axes, padded(ends, axis, zero=True))
    axes.set_ylim(len(lines), 0)
    axes.set_yticks([])
    zero_line(axes, upright=True)
    muted = palette()["muted"]
    sheet.text(second, 16, "mean ± s.e.", TICK + 1, ha="right", color=muted)
    sheet.text(edge, 16, "w / t / l", TICK + 1, ha="right", color=muted)
    for index, (line, mean, count) in enumerate(zip(lines, means, counts, strict=True)):
        d, at = line.difference, index + (0.7 if phone else 0.5)
        known = d.low == d.low
        (mark,) = axes.plot(
            [d.low, d.mean, d.high] if known else [d.mean],
            [at] * (3 if known else 1),
            color=hue(line.series),
            linewidth=2.5,
            **marked(line.series, 10.5),
            markevery=[1 if known else 0],
            clip_on=False,
        )
        sheet.mark(mark, "whisker", [f"{line.name}: {_spoken(d)}"])
        baseline = top + row * at + (-13 if phone else 5)
        x, side = (0.0, "left") if phone else (left - 12, "right")
        texts = [
            sheet.text(x, baseline, fitted(line.name, room, SLIM), SLIM, ha=side),
            sheet.text(second, baseline, mean, SLIM, ha="right"),
            sheet.text(edge, baseline, count, TICK + 1, ha="right", color=muted),
        ]
        for text in texts if phone else ():  # over grid lines
            sheet.mark(text, "halo")
    return sheet


def _mean(d: PairedDifference) -> str:
    return wording.number(d.mean, sign=True) + ("" if d.se != d.se else f" ± {wording.number(d.se)}")


def _spoken(d: PairedDifference) -> str:
    interval = f", 95 % interval {wording.number(d.low, sign=True)} to {wording.number(d.high, sign=True)}"
    return (
        f"{wording.number(d.mean, sign=True)} points{interval if d.low == d.low else ''}; {d.wins} wins, "
        f"{d.ties} ties, {d.losses} losses on {wording.plural(d.datasets, 'dataset')}"
    )


@drawn
def profiles(name: str, title: str, caption: str, table: pd.DataFrame) -> Figure:
    """Step curves, one a method: share of datasets (y) within x percent of the pool's best.

    Curves carry their series' dash and, every :data:`MARKED` percent, its marker: colour alone tells nothing.
    """
    data = table.round(4).to_csv(lineterminator="\n")
    words = f"{title}. {caption}"
    wide, phone = (_profiles(name, table, phone=phone) for phone in (False, True))
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _profiles(name: str, table: pd.DataFrame, *, phone: bool) -> Sheet:
    methods = [str(m) for m in table.columns]
    within = table.index.to_numpy(dtype=float)
    floor = max(0.0, float(np.floor(table.to_numpy().min() / 10) * 10))
    best = "the best accuracy" if phone else "the best accuracy on the dataset"
    x = Range(0.0, float(within[-1]), f"within this many % of {best}")
    y = Range(floor if floor < 100 else 0.0, 100.0, "share of datasets, %")
    area = dict(zip(methods, table.to_numpy(dtype=float).mean(axis=0), strict=True))
    by_area = sorted(methods, key=lambda m: -area[m])
    names = [wording.title(m) for m in by_area]
    frame = framed(name, x, y, names, 34.0, phone=phone)
    every = max(round(MARKED / (within[1] - within[0])), 1)
    looks = {m: dashed(s) | marked(s, 7.5) for m in methods for s in [wording.series(m, methods)]}
    for position, method in enumerate(methods):
        values = table[method].to_numpy(dtype=float)
        first = int(every * (position + 0.5) / len(methods))  # staggered: where curves meet, markers do not
        (curve,) = frame.axes.plot(
            within, values, drawstyle="steps-post", markevery=(first, every), clip_on=False, **looks[method]
        )
        words = f"{wording.title(method)}: best or equal on {values[0]:.0f} % of the datasets"
        frame.sheet.mark(curve, "curve", [words])
    frame.legend(names, [looks[m] for m in by_area])
    return frame.sheet


@drawn
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
    wide, phone = (_accuracy_rank(name, kept, others, list(ours), phone=phone) for phone in (False, True))
    return Figure(name, title, caption, wide.svg(words), data, phone.svg(words, "plot phone"))


def _accuracy_rank(name: str, kept: pd.DataFrame, others: list[str], methods: list[str], *, phone: bool) -> Sheet:
    ranks = dict(zip(kept.index, kept["friedman_rank"].astype(float), strict=True))
    means = dict(zip(kept.index, kept["mean_accuracy"].astype(float), strict=True))
    x = padded(list(ranks.values()), "Friedman rank (lower is better)")
    y = padded(list(means.values()), "mean accuracy, %")
    by_rank = sorted(methods, key=lambda m: ranks[m])
    names = [wording.title(m) for m in by_rank]
    frame = framed(name, x, y, names, 10.0, phone=phone)

    def spoken(method: str) -> str:
        return f"{wording.title(method)}: rank {ranks[method]:.2f}, mean accuracy {means[method]:.2f} %"

    if others:
        places = [ranks[m] for m in others], [means[m] for m in others]
        dots = frame.axes.scatter(*places, s=6.4**2, color=palette()["muted"], alpha=0.4, linewidth=0, clip_on=False)
        frame.sheet.mark(dots, "other", [spoken(m) for m in others])
    for method in reversed(by_rank):  # the best lie on top
        look = marked(wording.series(method, methods), 11.0)
        (mark,) = frame.axes.plot(ranks[method], means[method], linestyle="", clip_on=False, **look)
        frame.sheet.mark(mark, "", [spoken(method)])
    frame.legend(names, [marked(wording.series(m, methods)) | {"linestyle": ""} for m in by_rank])
    return frame.sheet

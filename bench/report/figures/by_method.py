"""Figures with one mark a method: differences with intervals, profiles, accuracy against rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import plural
from bench.records.measure import Measure
from bench.report import wording
from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import NAME, TICK, dashed, fitted, hue, marked, palette, text_width, zero_line
from bench.stats.paired import PairedDifference

MARKED = 4.0
"""Percent between two markers of a profile."""


@dataclass(frozen=True)
class Interval:
    """A line of an interval plot: a difference under a label."""

    name: str
    series: int
    difference: PairedDifference


def intervals(name: str, title: str, caption: str, lines: Sequence[Interval], measure: Measure) -> Figure:
    """Mean differences with their 95 % intervals, one line each, and the zero line."""
    data = pd.DataFrame([{"name": x.name, **_data(x.difference)} for x in lines])
    return figure(
        name,
        title,
        caption,
        data,
        lambda sheet: _draw_intervals(sheet, lines, measure),
        width=620.0,
        class_="plot slim",
    )


def _data(d: PairedDifference) -> dict[str, float | None]:
    """What is drawn, over families; then each seed's mean, and the same over single datasets."""
    seeds = dict(zip(("seed_low", "seed_high"), d.seed_range or (None, None), strict=True))
    single = {"single_se": d.single.se, "single_low95": d.single.low, "single_high95": d.single.high}
    return {
        "datasets": d.datasets,
        "families": d.families,
        "mean_difference": d.mean,
        "se": d.se,
        "low95": d.low,
        "high95": d.high,
        "wins": d.wins,
        "ties": d.ties,
        "losses": d.losses,
        "wilcoxon_p": d.p,
        **seeds,
        **single,
        "single_wilcoxon_p": d.single.p,
    }


def _draw_intervals(sheet: Sheet, lines: Sequence[Interval], measure: Measure) -> None:
    """Name and numbers above their interval."""
    sheet.resize(80 + 36 * len(lines))
    axes = sheet.figure.subplots()
    axes.set(
        xlabel=f"Δ {measure.title}" + (f", {measure.points}" if measure.unit else ""),
        ylim=(len(lines) - 0.5, -1.4),
        yticks=[],
    )
    zero_line(axes, upright=True)
    across, ink, muted = axes.get_yaxis_transform(), palette()["ink"], palette()["muted"]
    counts = [f"{x.difference.wins} / {x.difference.ties} / {x.difference.losses}" for x in lines]
    left = {1: 0.0, 2: NAME + max(text_width(words, NAME) for words in counts)}
    """Pixels from the right edge to the end of each column of numbers."""

    def write(column: int, y: float, words: str, size: float, color: str) -> None:
        text = axes.annotate(
            words, (1, y), (-left[column], 0), across, "offset pixels", size=size, color=color, ha="right"
        )
        sheet.mark(text, "halo")  # over grid lines

    write(1, -0.95, "w / t / l", TICK, muted)
    write(2, -0.95, "mean ± s.e.", TICK, muted)
    for index, (line, d) in enumerate((line, line.difference) for line in lines):
        known = d.low == d.low
        (mark,) = axes.plot(
            [d.low, d.mean, d.high] if known else [d.mean],
            [index] * (3 if known else 1),
            color=hue(line.series),
            linewidth=2.5,
            **marked(line.series, 10.5),
            markevery=[1 if known else 0],
        )
        sheet.mark(mark, "whisker", [f"{line.name}: {_spoken(d, measure)}"])
        mean = wording.difference(d, measure)
        write(1, index - 0.3, counts[index], NAME, ink)
        write(2, index - 0.3, mean, NAME, ink)
        room = sheet.width - left[2] - text_width(mean, NAME) - 30
        name = axes.text(0, index - 0.3, fitted(line.name, room), size=NAME, color=ink, transform=across)
        sheet.mark(name, "halo")


def _spoken(d: PairedDifference, measure: Measure) -> str:
    mean = f"{wording.number(d.mean, measure.digits, sign=True)} {measure.points}"
    counts = f"{d.wins} wins, {d.ties} ties, {d.losses} losses on {plural(d.datasets, 'dataset')}"
    return f"{mean}, {wording.interval(d, measure)}; {wording.by_seed(d, measure)}; {counts}"


def profiles(name: str, title: str, caption: str, table: pd.DataFrame, measure: Measure) -> Figure:
    """Step curves, one a method: share of datasets (y) within x percent of the best.

    Curves carry their series' dash and, every :data:`MARKED` percent, its marker: colour alone tells nothing.
    """
    return figure(
        name, title, caption, table.round(4).reset_index(), lambda sheet: _draw_profiles(sheet, table, measure)
    )


def _draw_profiles(sheet: Sheet, table: pd.DataFrame, measure: Measure) -> None:
    methods = [str(m) for m in table.columns]
    within = table.index.to_numpy(dtype=float)
    floor = max(0.0, float(np.floor(table.to_numpy().min() / 10) * 10))
    best = f"the best {measure.title}" + ("" if sheet.phone else " on the dataset")
    axes = sheet.figure.subplots()
    axes.set(xlim=(0.0, within[-1]), ylim=(floor if floor < 100 else 0.0, 100.0))
    axes.set(xlabel=f"within this many % of {best}", ylabel="share of datasets, %")
    every = max(round(MARKED / (within[1] - within[0])), 1)
    looks = {m: dashed(s) | marked(s, 7.5) for m in methods for s in [wording.series(m)]}
    for position, method in enumerate(methods):
        values = table[method].to_numpy(dtype=float)
        first = int(every * (position + 0.5) / len(methods))  # staggered: where curves meet, markers do not
        (curve,) = axes.plot(within, values, drawstyle="steps-post", markevery=(first, every), **looks[method])
        words = f"{wording.title(method)}: best or equal on {values[0]:.0f} % of the datasets"
        sheet.mark(curve, "curve", [words])
    by_area = [str(m) for m in table.mean().sort_values(ascending=False, kind="stable").index]
    sheet.legend([wording.title(m) for m in by_area], [looks[m] for m in by_area])


def score_rank(
    name: str,
    title: str,
    caption: str,
    table: pd.DataFrame,
    ours: Sequence[str],
    measure: Measure,
    shown: int | None = None,
) -> Figure:
    """Mean score (y) against average rank (x, best on the left); ``ours`` in their colours, others grey.

    ``table`` is a summary; ``shown`` keeps only that many best-ranked methods beside ours, so that the crowd at the far
    end does not squeeze the part that matters.
    """
    ranked = table.sort_values("friedman_rank")
    others = [str(m) for m in ranked.index if m not in ours][:shown]
    kept = ranked.loc[[*others, *ours], ["mean_score", "friedman_rank"]].astype(float)
    data = kept.round(6).rename(columns={"mean_score": f"mean_{measure.key}"}).rename_axis("method").reset_index()
    return figure(name, title, caption, data, lambda sheet: _draw_score_rank(sheet, kept, others, list(ours), measure))


def _draw_score_rank(sheet: Sheet, kept: pd.DataFrame, others: list[str], methods: list[str], measure: Measure) -> None:
    ranks, means = kept["friedman_rank"], kept["mean_score"]
    by_rank = sorted(methods, key=lambda m: ranks[m])
    axes = sheet.figure.subplots()
    axes.set(
        xlabel="average rank (lower is better)",
        ylabel=f"mean {measure.title}" + (f", {measure.unit}" if measure.unit else ""),
    )

    def spoken(method: str) -> str:
        mean = wording.amount(means[method], measure)
        return f"{wording.title(method)}: rank {ranks[method]:.2f}, mean {measure.title} {mean}"

    if others:
        dots = axes.scatter(ranks[others], means[others], s=6.4**2, color=palette()["muted"], alpha=0.4, linewidth=0)
        sheet.mark(dots, "other", [spoken(m) for m in others])
    for method in reversed(by_rank):  # the best lie on top
        look = marked(wording.series(method), 11.0)
        (mark,) = axes.plot(ranks[method], means[method], linestyle="", **look)
        sheet.mark(mark, "", [spoken(method)])
    looks = [marked(wording.series(m)) | {"linestyle": ""} for m in by_rank]
    sheet.legend([wording.title(m) for m in by_rank], looks)

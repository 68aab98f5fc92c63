"""Mean score against training time, with the front of methods that no other one beats in both."""

from __future__ import annotations

import pandas as pd

from bench.records.measure import Measure
from bench.report import wording
from bench.report.blocks import Figure
from bench.report.figures.drawing import Sheet, figure
from bench.report.figures.style import marked, palette


def pareto_front(scores: pd.Series, seconds: pd.Series) -> list[str]:
    """The methods, fastest first, than which no other one is both faster (or equal) and better."""
    known = pd.DataFrame({"seconds": seconds, "score": scores}).dropna()
    ordered = known.sort_values(["seconds", "score"], ascending=[True, False], kind="stable")
    before = ordered["score"].cummax().shift(fill_value=float("-inf"))
    return [str(m) for m in ordered.index[ordered["score"] > before]]


def score_time(name: str, title: str, caption: str, scores: pd.Series, seconds: pd.Series, measure: Measure) -> Figure:
    """``scores`` and ``seconds`` (training, per 1,000 samples) by method; those without a time are left out."""
    known = pd.DataFrame({f"mean_{measure.key}": scores, "train_seconds_per_1000": seconds}).dropna()
    front = pareto_front(scores, seconds)
    data = known.assign(pareto_front=known.index.isin(front)).rename_axis("method").round(6).reset_index()
    return figure(name, title, caption, data, lambda sheet: _draw(sheet, scores, seconds[known.index], front, measure))


def _draw(sheet: Sheet, scores: pd.Series, seconds: pd.Series, front: list[str], measure: Measure) -> None:
    sheet.resize(300)
    axes = sheet.figure.subplots()
    axes.set(xscale="log", ylabel=f"mean {measure.title}" + (f", {measure.unit}" if measure.unit else ""))
    axes.set_xlabel(
        "training time, CPU s per 1,000 samples (log scale)" if not sheet.phone else "training, s per 1,000"
    )
    (line,) = axes.plot(
        seconds[front], scores[front], drawstyle="steps-post", color=palette()["muted"], linewidth=1.5, zorder=1
    )
    sheet.mark(line, "front")
    for m in map(str, seconds.index):
        (mark,) = axes.plot(seconds[m], scores[m], linestyle="", **marked(wording.series(m), 11.0))
        place = "on the front" if m in front else "behind the front"
        words = f"{wording.title(m)}: {wording.amount(float(scores[m]), measure)}, {wording.seconds(seconds[m])} s"
        sheet.mark(mark, "", [f"{words}, {place}"])
    shown = sorted(map(str, seconds.index), key=lambda m: -scores[m])
    looks = [marked(wording.series(m)) | {"linestyle": ""} for m in shown]
    sheet.legend([wording.title(m) for m in shown], looks)

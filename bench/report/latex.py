"""The summary as LaTeX tables for a paper: the numbers of ``summary.csv``, in the style of the package booktabs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import pandas as pd

from bench.records.measure import MEASURES
from bench.report import wording
from bench.stats.summary import TIE, Metric, metrics_of

HEAD = """\
% By `python -m bench export --format latex`; in the preamble: \\usepackage{booktabs}
% Bold: the best value of a column, or each of several that are equal.
"""

_ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
}


def escaped(text: str) -> str:
    """``text`` so that LaTeX prints it as it is, in one line."""
    line = " ".join(text.split())
    return "".join(_ESCAPES.get(character, character) for character in line if character.isprintable())


def latex_summary(summary: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """One table for each group and protocol of ``summary`` (as :func:`bench.cli.export.summary_frame` has it).

    ``titles`` are what methods that are not built in call themselves. A group without a dataset that its methods share
    has no figures and no table.
    """
    parts = [HEAD]
    with wording.naming(titles):
        for keys, rows in summary.groupby(["group", "protocol", "metric"], sort=False):
            compared = rows[rows["datasets"] > 0]
            if len(compared):
                parts.append("\n".join(_table(str(keys[0]), str(keys[1]), compared)) + "\n")
    return "\n".join(parts)


def _table(group: str, protocol: str, rows: pd.DataFrame) -> Iterator[str]:
    measure = MEASURES[str(rows["metric"].iloc[0])]
    metrics = metrics_of(measure)
    unit = " in percent" if measure.unit == "%" else ""
    count = int(rows["datasets"].iloc[0])
    label = re.sub(r"[^A-Za-z0-9]+", "-", f"{group}-{protocol}")
    caption = (
        f"{measure.heading}{unit} on {count} {'dataset' if count == 1 else 'datasets'} ({group}), protocol {protocol}. "
        f"Missing results: {rows['missing_rule'].iloc[0]}."
    )
    yield from (r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}", rf"\label{{tab:{label}}}")
    yield rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}"
    yield r"\toprule"
    yield " & ".join(["Method", *(escaped(metric.title) for metric in metrics)]) + r" \\"
    yield r"\midrule"
    for row in rows.to_dict("records"):
        cells = (_cell(float(row[metric.key]), metric, rows) for metric in metrics)
        yield " & ".join([escaped(wording.title(str(row["method"]))), *cells]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _cell(value: float, metric: Metric, rows: pd.DataFrame) -> str:
    if math.isnan(value):
        return "--"
    text = f"{value:.{metric.digits}f}"
    shown = f"$-${text[1:]}" if text.startswith("-") else text
    values = rows[metric.key].astype(float)
    best = float(values.min() if metric.lower_is_better else values.max())
    ranked = len(rows) > 1 and metric.key != "sd_score"  # a spread is neither good nor bad
    return rf"\textbf{{{shown}}}" if ranked and abs(value - best) < TIE else shown

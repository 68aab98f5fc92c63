"""Write the README's headline tables from the kept summaries: ``python tools/readme_table.py``.

Reads ``summary.csv`` and ``scores.csv`` of ``results/kept/*`` and replaces what stands between README.md's markers:
one table a protocol;
``--check`` only says whether the README is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from bench.data.registry import load_registry

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
GROUP = "small90"
TITLES = {
    "clean": "`clean`: no label of a test row is seen by anything",
    "clean-cv": "`clean-cv`: as `clean`, chosen by 5-fold cross-validation",
    "relearn": "`relearn`: chosen once on the published tuning halves, all refitted",
    "published": "`published`: as the paper's code does it; **labels of test rows leak into RFM's metric M**",
}


def tables() -> str:
    summaries = [pd.read_csv(path) for path in sorted((ROOT / "results" / "kept").glob("*/summary.csv"))]
    if not summaries:
        raise SystemExit("no summary in results/kept")
    summary = pd.concat(summaries, ignore_index=True)
    scores = pd.concat([pd.read_csv(path) for path in sorted((ROOT / "results" / "kept").glob("*/scores.csv"))])
    small = scores[scores["dataset"].isin({entry.name for entry in load_registry().select(GROUP)})]
    accuracy = {
        protocol: rows.groupby(["dataset", "method"])["accuracy"].mean().unstack()
        for protocol, rows in small.groupby("protocol")
    }
    parts = []
    for protocol, title in TITLES.items():
        rows = summary[(summary["group"] == GROUP) & (summary["protocol"] == protocol)]
        if rows.empty:
            continue
        rows = rows.sort_values("mean_accuracy", ascending=False)
        lines = [
            f"{title} ({int(rows['datasets'].max())} datasets)",
            "",
            "| method | mean accuracy % | RFM less it | P90 | P95 | PMA | Friedman rank |",
            "|:---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {row.method} | {row.mean_accuracy:.2f} | {lead(accuracy[protocol], row.method)} | {row.p90:.1f} "
            f"| {row.p95:.1f} | {row.pma:.2f} | {row.friedman_rank:.2f} |"
            for row in rows.itertuples()
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def lead(accuracy: pd.DataFrame, method: str) -> str:
    """RFM's mean accuracy less the method's, with the standard error over datasets (accuracy: datasets x methods)."""
    if method == "rfm":
        return ""
    gaps = (accuracy["rfm"] - accuracy[method]).dropna()
    return f"{gaps.mean():+.2f} ± {gaps.sem():.2f}"


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n{tables()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(fresh != text)
    readme.write_text(fresh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

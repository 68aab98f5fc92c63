"""Write the tables of the README and of docs/reproduce-the-paper.md from the kept results.

``python tools/readme_table.py`` reads ``summary.csv`` and ``scores.csv`` of ``results/kept/*`` and replaces what stands
between the pages' markers: in the README one table a protocol, in the other page RFM and its kernel by protocol.
``--check`` only says whether both are up to date.
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


def reproduction() -> str:
    """RFM and the Laplace kernel from the paper's procedure to one without a leak, and where the figures are from."""
    small = {entry.name for entry in load_registry().select(GROUP)}
    files = sorted((ROOT / "results" / "kept").glob("*/scores.csv"))
    scores = {file: pd.read_csv(file) for file in files}
    used = [file for file, table in scores.items() if table["dataset"].isin(small).any()]
    table = pd.concat([scores[file] for file in used])
    table = table[table["dataset"].isin(small) & table["method"].isin(["rfm", "laplace"])]
    lines = [
        "| protocol | tables | RFM % | Laplace kernel % | RFM less it |",
        "|:---|---:|---:|---:|---:|",
    ]
    for protocol in ("published", "relearn", "clean", "clean-cv"):
        rows = table[table["protocol"] == protocol]
        accuracy = rows.groupby(["dataset", "method"])["accuracy"].mean().unstack().dropna()
        if len(accuracy):
            lines.append(
                f"| `{protocol}` | {len(accuracy)} | {accuracy['rfm'].mean():.2f} | {accuracy['laplace'].mean():.2f} "
                f"| {lead(accuracy, 'laplace')} |"
            )
    named = ", ".join(f"[{file.relative_to(ROOT)}](../{file.relative_to(ROOT)})" for file in used)
    return "\n".join([*lines, "", f"Mean accuracy over the tables of `{GROUP}`, percent, from {named}."])


def lead(accuracy: pd.DataFrame, method: str) -> str:
    """RFM's mean accuracy less the method's, with the standard error over datasets (accuracy: datasets x methods)."""
    if method == "rfm":
        return ""
    gaps = (accuracy["rfm"] - accuracy[method]).dropna()
    return f"{gaps.mean():+.2f} ± {gaps.sem():.2f}"


def main() -> int:
    stale = 0
    for page, content in ((ROOT / "README.md", tables()), (ROOT / "docs" / "reproduce-the-paper.md", reproduction())):
        text = page.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        fresh = f"{before}{BEGIN}\n{content}\n{END}{after}"
        stale += fresh != text
        if "--check" not in sys.argv[1:]:
            page.write_text(fresh)
    return int("--check" in sys.argv[1:] and stale > 0)


if __name__ == "__main__":
    raise SystemExit(main())

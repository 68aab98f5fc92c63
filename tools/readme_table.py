"""Write the tables of the README and of docs/reproduce-the-paper.md from the kept results.

``python tools/readme_table.py`` reads ``results/kept/comparison/scores.csv`` and replaces what stands between the
pages' markers: in the README one table a protocol, in the other page RFM and its kernel from the paper's procedure to
one without a leak. ``--check`` only says whether both are up to date. Figures are over the tables that all methods of a
protocol have.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from bench.data.registry import load_registry

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "results" / "kept" / "comparison" / "scores.csv"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
TITLES = {
    "clean": "`clean`: no label of a test row is seen by anything",
    "clean-cv": "`clean-cv`: the same, chosen by 5-fold cross-validation",
    "relearn": "`relearn`: chosen once on the published tuning halves, which hold the test rows; all refitted",
    "published": "`published`: as the paper's code does it; **labels of test rows leak into RFM's metric M**",
}
SUBSETS = {"small90": "small tables", "all121": "tables that all methods have"}


def accuracies(scores: pd.DataFrame, protocol: str, subset: str) -> pd.DataFrame:
    """Mean accuracy over the hold-outs (datasets x methods), of the datasets that all methods have."""
    names = {entry.name for entry in load_registry().select(subset)}
    rows = scores[(scores["protocol"] == protocol) & scores["dataset"].isin(names)]
    return rows.groupby(["dataset", "method"])["accuracy"].mean().unstack().dropna()


def tables(scores: pd.DataFrame) -> str:
    """One table a protocol: mean accuracies and RFM's lead, over the small tables and over all."""
    parts = []
    for protocol, title in TITLES.items():
        found = {words: accuracies(scores, protocol, subset) for subset, words in SUBSETS.items()}
        small, whole = found.values()
        if len(whole) == len(small):
            del found[SUBSETS["all121"]]
        if len(small):
            heads = " | ".join(f"{words} ({len(part)}) % | RFM less it" for words, part in found.items())
            order = small.mean().sort_values(ascending=False).index
            rows = [
                f"| {method} | "
                + " | ".join(f"{p[method].mean():.2f} | {lead(p, method)}" for p in found.values())
                + " |"
                for method in order
            ]
            parts.append("\n".join([title, "", f"| method | {heads} |", "|:---|" + "---:|---:|" * len(found), *rows]))
    return "\n\n".join(parts)


def reproduction(scores: pd.DataFrame) -> str:
    """RFM and the Laplace kernel from the paper's procedure to one without a leak, and where the figures are from."""
    lines = ["| protocol | tables | RFM % | Laplace kernel % | RFM less it |", "|:---|---:|---:|---:|---:|"]
    of_both = scores[scores["method"].isin(["rfm", "laplace"])]
    for subset in ("small90", "all121"):
        for protocol in ("published", "relearn", "clean", "clean-cv"):
            accuracy = accuracies(of_both, protocol, subset)
            if len(accuracy) and (subset == "small90" or len(accuracy) > len(accuracies(of_both, protocol, "small90"))):
                mean = accuracy.mean()
                lines.append(
                    f"| `{protocol}` | {len(accuracy)} | {mean['rfm']:.2f} | {mean['laplace']:.2f} "
                    f"| {lead(accuracy, 'laplace')} |"
                )
    name = KEPT.relative_to(ROOT)
    return "\n".join([*lines, "", f"Mean accuracy in percent, from [{name}](../{name})."])


def lead(accuracy: pd.DataFrame, method: str) -> str:
    """RFM's mean accuracy less the method's, with the standard error over datasets."""
    if method == "rfm":
        return ""
    gaps = accuracy["rfm"] - accuracy[method]
    return f"{gaps.mean():+.2f} ± {gaps.sem():.2f}"


def main() -> int:
    if not KEPT.is_file():
        raise SystemExit(f"{KEPT.relative_to(ROOT)} is not there: `make comparison` makes it")
    scores = pd.read_csv(KEPT)
    pages = {ROOT / "README.md": tables(scores), ROOT / "docs" / "reproduce-the-paper.md": reproduction(scores)}
    stale = 0
    for page, content in pages.items():
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

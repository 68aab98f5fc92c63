"""Say how often the edges of the methods' grids were selected, and keep the table in docs/methods.md.

``python tools/grid_edges.py SCORES.csv`` prints it for the scores of any run. Without a file it writes that of
``results/kept/variants`` between the page's markers; ``--check`` writes nothing and only says whether the
page is up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench.files import between, write_atomically
from bench.stats.edges import OFTEN, grid_edges

ROOT = Path(__file__).resolve().parent.parent
KEPT = Path("results", "kept", "variants", "scores.csv.gz")
PAGE = Path("docs", "methods.md")
BEGIN, END = "<!-- edges: begin -->", "<!-- edges: end -->"
PROTOCOLS = ("clean", "clean-cv")


def main(root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "scores", nargs="?", type=Path, help="scores.csv of a run (default: those of results/kept/variants)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the page is out of date")
    args = parser.parse_args()
    if args.scores is not None:
        print(edges_table(args.scores))
        return 0
    page = root / PAGE
    text = page.read_text(encoding="utf-8")
    fresh = between(text, BEGIN, END, edges_table(root / KEPT))
    if fresh != text:
        print(f"{PAGE}: {'out of date' if args.check else 'written'}")
        if not args.check:
            write_atomically(page, fresh)
    return int(args.check and fresh != text)


def edges_table(path: Path) -> str:
    """A Markdown table of the edges in ``path``, one row an axis; shares above the limit in bold."""
    edges = grid_edges(pd.read_csv(path, low_memory=False), PROTOCOLS)
    protocols = [p for p in PROTOCOLS if (edges["protocol"] == p).any()]
    heads = [f"{end}, {protocol}" for protocol in protocols for end in ("lowest", "highest")]
    lines = [
        f"| method | axis | values selected | edges | {' | '.join(heads)} |",
        "|:---|:---|---:|:---|" + "---:|" * len(heads),
    ]
    for (method, task, axis), part in edges.groupby(["method", "task", "axis"], sort=False):
        one = part.iloc[0]
        by_protocol = part.set_index("protocol")
        shares = [
            _share(float(by_protocol.loc[p, f"{end}_percent"]), one["values"]) if p in by_protocol.index else ""
            for p in protocols
            for end in ("lowest", "highest")
        ]
        name = method if task == "classification" else f"{method} ({task})"
        edge = f"{one['lowest']:g}, {one['highest']:g}"
        lines.append(f"| {name} | {axis} | {one['values']} | {edge} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _share(percent: float, values: int) -> str:
    text = f"{percent:.0f} %"
    return f"**{text}**" if values > 2 and percent > OFTEN else text


if __name__ == "__main__":
    sys.exit(main())

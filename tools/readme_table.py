"""Write the results in the README and in docs/reproduce-the-paper.md from the kept comparison.

``python tools/readme_table.py`` reads ``results/kept/comparison/scores.csv`` and replaces what stands between the
pages' markers (:mod:`bench.report.claims`). ``--check`` only says whether both are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.data.registry import load_registry
from bench.report.claims import kept_scores, reproduction, results_in_readme

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "results" / "kept" / "comparison" / "scores.csv"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main() -> int:
    if not KEPT.is_file():
        raise SystemExit(f"{KEPT.relative_to(ROOT)} is not there: `make comparison` makes it")
    scores, registry, name = kept_scores(KEPT), load_registry(), KEPT.relative_to(ROOT)
    pages = {
        ROOT / "README.md": results_in_readme(scores, registry),
        ROOT / "docs" / "reproduce-the-paper.md": reproduction(scores, registry, f"[{name}](../{name})"),
    }
    stale = 0
    for page, content in pages.items():
        text = page.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        fresh = f"{before}{BEGIN}\n{content}\n{END}{after}"
        stale += fresh != text
        if "--check" not in sys.argv[1:]:
            page.write_text(fresh, encoding="utf-8")
    return int("--check" in sys.argv[1:] and stale > 0)


if __name__ == "__main__":
    raise SystemExit(main())

"""Write the results in the README, in docs/results.md and docs/reproduce-the-paper.md from the kept comparison.

``python tools/readme_table.py`` reads ``scores.csv.gz`` and ``places.csv`` in ``results/kept/comparison`` and replaces
what stands between the pages' markers (:mod:`bench.report.claims`, :mod:`bench.report.places`). The places among the
2014 study's classifiers need its results, which are not in the repository: with ``--published [FILE]``, or the variable
BENCH_PUBLISHED, ``places.csv`` is computed anew first. ``--check`` writes nothing and only says whether all is up to
date.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path

import pandas as pd

from bench.data.fetching import results_file
from bench.data.registry import load_registry
from bench.errors import BenchError
from bench.files import between, write_atomically
from bench.report import wording
from bench.report.claims import kept_scores, kept_titles, reproduction, results_in_readme, results_page
from bench.report.places import outdated, places_of
from bench.stats.published import read_published

ROOT = Path(__file__).resolve().parent.parent
KEPT = Path("results", "kept", "comparison")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main(root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if something is out of date")
    parser.add_argument(
        "--published",
        metavar="FILE",
        nargs="?",
        const="",
        default=os.environ.get("BENCH_PUBLISHED") or None,
        help="results file of the 2014 study (alone: the fetched one; default: BENCH_PUBLISHED)",
    )
    args = parser.parse_args()
    scores_csv, places_csv = root / KEPT / "scores.csv.gz", root / KEPT / "places.csv"
    if not scores_csv.is_file():
        raise SystemExit(f"{KEPT / 'scores.csv.gz'} is not there: `make comparison` makes it")
    scores, registry = kept_scores(scores_csv), load_registry()
    fresh: dict[Path, str] = {}
    if args.published is not None:
        try:
            study = read_published(Path(args.published) if args.published else results_file())
        except BenchError as error:
            raise SystemExit(f"readme_table: {error}") from error
        fresh[places_csv] = places_of(scores, study, registry).round(6).to_csv(index=False, lineterminator="\n")
    places = _places(places_csv, fresh.get(places_csv))
    of_others = outdated(places, scores, registry)
    if of_others:
        raise SystemExit(
            f"{KEPT / 'places.csv'} is not of these scores ({', '.join(of_others[:3])}): give the 2014 study's results "
            "with --published, and it is computed anew"
        )
    name = KEPT / "scores.csv.gz"
    with wording.naming(kept_titles(root / KEPT / "provenance.json")):
        pages = {
            root / "README.md": results_in_readme(scores, registry),
            root / "docs" / "results.md": results_page(scores, registry, places),
            root / "docs" / "reproduce-the-paper.md": reproduction(scores, registry, f"[{name}](../{name})", places),
        }
    for page, content in pages.items():
        fresh[page] = between(page.read_text(encoding="utf-8"), BEGIN, END, content)
    stale = [path for path, text in fresh.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path.relative_to(root)}: {'out of date' if args.check else 'written'}")
        if not args.check:
            write_atomically(path, fresh[path])
    return int(args.check and bool(stale))


def _places(path: Path, fresh: str | None) -> pd.DataFrame:
    """The kept places, or those just computed as they will be read again."""
    if fresh is None and not path.is_file():
        raise SystemExit(f"{KEPT / 'places.csv'} is not there: give the 2014 study's results with --published")
    return pd.read_csv(path if fresh is None else io.StringIO(fresh))


if __name__ == "__main__":
    sys.exit(main())

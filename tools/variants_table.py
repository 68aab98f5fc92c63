"""Compare all methods at their best: single choices and ensembles, the archive's inputs and coded nominal columns.

``python tools/variants_table.py SCORES.csv...`` prints it for exported scores of ``clean-cv`` and its variants. Without
files it writes that of results/kept/variants between the markers of docs/variants.md; ``--check`` writes nothing and
only says whether the page is up to date.

Two sets of datasets are kept apart: those that come with the package, on which everything was decided, and the others.
Where a dataset has no nominal column, both kinds of inputs are the same, and so are the results.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.cli.export import export_runs
from bench.data.registry import Registry, load_registry
from bench.files import between, write_atomically
from bench.protocols.registry import PROTOCOLS, find_variant
from bench.records.measure import COMPARED
from bench.report import wording
from bench.report.claims import kept_titles
from bench.stats.frame import over_seeds, seed_matrix
from bench.stats.summary import rank_rows
from bench.stats.verdict import Comparison, against_each

ROOT = Path(__file__).resolve().parent.parent
KEPT = Path("results", "kept", "variants", "scores.csv.gz")
PAGE = Path("docs", "variants.md")
BEGIN, END = "<!-- variants: begin -->", "<!-- variants: end -->"
ACCURACY = COMPARED["classification"]
VARIANTS = {
    ("none", "archive"): "single",
    ("greedy", "archive"): "greedy",
    ("none", "nominal"): "single, coded",
    ("greedy", "nominal"): "greedy, coded",
}
"""The columns: how choices are made, and whether nominal columns are coded."""
LARGEST = 1000
"""Rows of the largest dataset: up to there all methods take a few CPU hours."""
RFM_VARIANTS = ("rfm", "rfm_l1", "rfm_pool")


def main(root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", nargs="*", type=Path, help="exported scores (default: the kept ones)")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the page is out of date")
    parser.add_argument("--datasets", nargs="?", const="all", choices=("all", "nominal"), help="only print their names")
    parser.add_argument(
        "--keep", action="store_true", help="SCORES are run folders: store their scores and what made them"
    )
    args = parser.parse_args()
    if args.datasets:
        print(",".join(datasets(load_registry(), coded=args.datasets == "nominal")))
        return 0
    if args.keep:
        keep(args.scores, root / KEPT.parent)
        args.scores = []
    if args.scores:
        print(comparison(pd.concat([pd.read_csv(path, low_memory=False) for path in args.scores]), load_registry()))
        return 0
    page = root / PAGE
    text = page.read_text(encoding="utf-8")
    with wording.naming(kept_titles((root / KEPT).with_name("provenance.json"))):
        table = comparison(pd.read_csv(root / KEPT, low_memory=False), load_registry())
    fresh = between(text, BEGIN, END, table)
    if fresh != text:
        print(f"{PAGE}: {'out of date' if args.check else 'written'}")
        if not args.check:
            write_atomically(page, fresh)
    return int(args.check and fresh != text)


def datasets(registry: Registry, *, coded: bool) -> list[str]:
    """The small datasets of at most :data:`LARGEST` rows, or those of them with nominal columns."""
    return [e.name for e in registry.select("small90") if e.rows <= LARGEST and (e.nominal_columns or not coded)]


def keep(runs: Sequence[Path], folder: Path) -> None:
    """Export ``runs`` into ``folder``, the scores compressed."""
    with tempfile.TemporaryDirectory() as exported:
        scores, _, account = export_runs(runs, "csv.gz", Path(exported))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / KEPT.name).write_bytes(scores.read_bytes())
        (folder / account.name).write_bytes(account.read_bytes())


def comparison(scores: pd.DataFrame, registry: Registry) -> str:
    """Tables of means and ranks on either set of datasets, and RFM's best variant there against each method."""
    found = by_variant(scores, registry)
    embedded = {entry.name for entry in registry.select("embedded")}
    inside, outside = (
        {
            variant: matrix[[(str(dataset) in embedded) == packaged for dataset, _ in matrix.index]]
            for variant, matrix in found.items()
        }
        for packaged in (True, False)
    )
    decided = decided_variant(inside)
    kept = {str(dataset) for dataset, _ in next(iter(found.values())).index}
    asked = set(datasets(registry, coded=False))
    methods = sorted(set(scores["method"]) - set(next(iter(found.values())).columns))
    parts = _section("Datasets of the package", inside, decided, registry)
    parts += _section("The other small datasets", outside, decided, registry)
    parts += _section("Both together", found, decided, registry)
    return "\n\n".join([*parts, left_out(sorted(asked - kept), methods)])


def left_out(datasets: Sequence[str], methods: Sequence[str]) -> str:
    """Which datasets and methods lack results, and so are in no table."""
    parts = [f"datasets {', '.join(datasets)}"] * bool(datasets) + [f"methods {', '.join(methods)}"] * bool(methods)
    return f"Left out, for want of results under all four: {'; '.join(parts) or 'nothing'}."


def decided_variant(found: dict[tuple[str, str], pd.DataFrame]) -> str:
    """The one of RFM's variants with the best mean accuracy, greedy and on coded columns."""
    means = list(found.values())[-1].mean()
    return str(means[[method for method in RFM_VARIANTS if method in means.index]].idxmax())


def by_variant(scores: pd.DataFrame, registry: Registry) -> dict[tuple[str, str], pd.DataFrame]:
    """Accuracies (dataset, seed) x methods by (ensemble, inputs), on what all methods have under all variants.

    Under coded nominal columns a dataset without any has the results of the archive's inputs.
    """
    plain = PROTOCOLS["clean-cv"]
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for ensemble, inputs in VARIANTS:
        variant = find_variant(plain, ensemble, inputs)
        assert variant is not None, "registered with its variants"
        matrix = seed_matrix(scores, variant.name, ACCURACY).dropna(how="all")
        if inputs == "nominal":
            same = found[ensemble, "archive"]
            coded = [bool(registry.entry(str(dataset)).nominal_columns) for dataset, _ in same.index]
            matrix = pd.concat([matrix, same[[not each for each in coded]]])
        found[ensemble, inputs] = matrix
    methods = sorted(set.intersection(*(set(matrix.columns) for matrix in found.values())))
    rows = set.intersection(*(set(matrix[methods].dropna().index) for matrix in found.values()))
    return {variant: matrix.loc[sorted(rows), methods] for variant, matrix in found.items()}


def _section(heading: str, found: dict[tuple[str, str], pd.DataFrame], reference: str, registry: Registry) -> list[str]:
    families = registry.family_of
    means = pd.DataFrame({VARIANTS[v]: matrix.mean() for v, matrix in found.items()})
    ranks = pd.DataFrame({VARIANTS[v]: rank_rows(over_seeds(matrix)).mean() for v, matrix in found.items()})
    datasets = next(iter(found.values())).index.get_level_values("dataset").unique()
    if not len(datasets):
        return []
    seeds = next(iter(found.values())).index.get_level_values("seed").nunique()
    last = list(VARIANTS.values())[-1]
    order = means.sort_values(last, ascending=False).index
    rows = [
        [wording.title(method), *(_cell(means.loc[method, c], ranks.loc[method, c]) for c in means)] for method in order
    ]
    compared = {
        VARIANTS[v]: {c.second: c for c in against_each(matrix, reference, families)} for v, matrix in found.items()
    }
    others = [method for method in order if method != reference]
    leads = [[wording.title(m), *(_lead(compared[column][m]) for column in compared)] for m in others]
    count = len({families[str(d)] for d in datasets})
    heads = ["method", *means.columns]
    return [
        f"### {heading}",
        f"{len(datasets)} datasets of {count} families, {seeds} seed{'s' * (seeds > 1)}: mean accuracy in percent, and "
        "the mean rank.",
        _markdown(heads, rows),
        f"Lead of {wording.title(reference)}, the best of RFM's variants on the package's datasets by the "
        "last column's mean: percentage points ± standard error over families; * significant by the rule, corrected "
        "over a column.",
        _markdown(heads, leads),
    ]


def _cell(mean: float, rank: float) -> str:
    return f"{wording.number(mean)} ({wording.number(rank, 1)})"


def _lead(found: Comparison) -> str:
    return wording.difference(found.difference, ACCURACY) + wording.MARK * found.significant


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|:---|" + "---:|" * (len(heads) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


if __name__ == "__main__":
    sys.exit(main())

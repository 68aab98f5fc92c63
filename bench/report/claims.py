"""What the README and the page on the paper claim of the kept comparison: sentences and tables made from its scores.

Nothing in them is typed: ``tools/readme_table.py`` writes them between two markers of the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.registry import Registry
from bench.errors import ReportError, plural
from bench.records.measure import COMPARED
from bench.report import wording
from bench.report.evidence import LAPLACE, RFM
from bench.stats.frame import over_seeds, protocols_in, seed_matrix
from bench.stats.protocols import leak_decomposition
from bench.stats.summary import common_pool
from bench.stats.verdict import Comparison, against_each, grouped

ACCURACY = COMPARED["classification"]
SUBSETS = {"small90": "small datasets", "all121": "datasets that all methods have"}
LEAK = ("published", "relearn")
"""The protocol whose metric has seen test labels, and the one that differs from it in that alone."""
MARK = " *"
"""Beside a significant difference in a table."""


def kept_scores(path: Path) -> pd.DataFrame:
    """The scores in ``path``, an exported ``scores.csv``; of before there was regression all are of classes."""
    scores = pd.read_csv(path)
    return scores if "task" in scores else scores.assign(task="classification")


@dataclass(frozen=True, eq=False)
class Claim:
    """One protocol on the datasets of one subset that all its methods have.

    ``means`` are accuracies by method, the best first; ``comparisons`` are the reference against each.
    """

    protocol: str
    subset: str
    datasets: int
    families: int
    seeds: int
    means: pd.Series
    comparisons: list[Comparison]

    @property
    def where(self) -> str:
        """``90 small datasets (68 families, one seed)``."""
        noun = "small datasets" if self.subset == "small90" else "datasets"
        seeds = "one seed" if self.seeds == 1 else plural(self.seeds, "seed")
        return f"{self.datasets} {noun} ({plural(self.families, 'family', 'families')}, {seeds})"

    @property
    def sentence(self) -> str:
        """What the rule says, in words; the figures stand in the table."""
        mean = wording.amount(float(self.means[RFM]), ACCURACY)
        found = grouped(self.comparisons)
        if len(self.comparisons) > 1 and not any(c.significant for c in self.comparisons):
            said = f"not significantly different from any of the {len(self.comparisons)} others"
        else:
            said = ", ".join(f"{words} {_listed(methods)}" for words, methods in found.items())
        return f"RFM averages {mean}" + (f"; it is {said}." if said else ".")

    def lead(self, method: str) -> str:
        """The reference minus ``method`` with its standard error, marked if it is significant; empty for itself."""
        found = next((c for c in self.comparisons if c.second == method), None)
        if found is None:
            return ""
        return wording.difference(found.difference, ACCURACY) + MARK * found.significant


def _listed(methods: Sequence[str]) -> str:
    """``A, B and C``, by their titles."""
    *first, last = (wording.title(m) for m in methods)
    return f"{', '.join(first)} and {last}" if first else last


def claims(scores: pd.DataFrame, registry: Registry) -> list[Claim]:
    """Of every protocol on the small datasets, and on all where there are more."""
    found = []
    for protocol in protocols_in(scores):
        small, whole = (_claim(scores, registry, protocol, subset) for subset in SUBSETS)
        found += [claim for claim in (small, whole) if claim is not None]
        if small is not None and whole is not None and small.datasets == whole.datasets:
            found.pop()
    return found


def _claim(scores: pd.DataFrame, registry: Registry, protocol: str, subset: str) -> Claim | None:
    by_seed = seed_matrix(scores, protocol, ACCURACY)
    by_seed = by_seed[by_seed.index.get_level_values("dataset").isin([e.name for e in registry.select(subset)])]
    try:
        pool = common_pool(over_seeds(by_seed)).pool
    except ReportError:
        return None
    if RFM not in pool.methods:
        return None
    families = _families(registry)
    paired = by_seed.loc[by_seed.index.get_level_values("dataset").isin(pool.datasets), pool.methods]
    means = pool.scores.mean().sort_values(ascending=False)
    count, seeds = len({families[d] for d in pool.datasets}), paired.index.get_level_values("seed").nunique()
    compared = against_each(paired, RFM, families)
    return Claim(protocol, subset, len(pool.datasets), count, seeds, means, compared)


def _families(registry: Registry) -> dict[str, str]:
    return {entry.name: entry.family or entry.name for entry in registry.entries.values()}


def results_in_readme(scores: pd.DataFrame, registry: Registry) -> str:
    """A sentence and a table for each protocol, what the leak is worth, and the rule."""
    found = claims(scores, registry)
    parts = ["\n".join(f"- `{c.protocol}`, {c.where}: {c.sentence}" for c in found)]
    parts += [leak for leak in [leak_sentence(scores, registry)] if leak]
    parts.append(wording.rule())
    titles: Mapping[str, str] = wording.texts()["claims"]
    for protocol in dict.fromkeys(c.protocol for c in found):
        parts.append(f"{titles[protocol]}\n\n{_table([c for c in found if c.protocol == protocol])}")
    parts.append(wording.prose("claims-note"))
    return "\n\n".join(parts)


def _table(found: Sequence[Claim]) -> str:
    """Methods with their means and the reference's lead, one pair of columns a subset."""
    heads = " | ".join(f"{SUBSETS[c.subset]} ({c.datasets}) % | {_difference('method')}" for c in found)
    rows = [
        f"| {wording.title(str(method))} | "
        + " | ".join(f"{wording.number(float(c.means[method]))} | {c.lead(str(method))}" for c in found)
        + " |"
        for method in found[0].means.index
    ]
    return "\n".join([f"| method | {heads} |", "|:---|" + "---:|---:|" * len(found), *rows])


def _difference(other: str) -> str:
    return f"Δ {ACCURACY.title} (RFM {wording.MINUS} {other}), pp"


def leak_sentence(scores: pd.DataFrame, registry: Registry) -> str:
    """How much of the reference's lead over its kernel is the leak of test labels; empty without both protocols."""
    rows = scores[scores["protocol"].isin(LEAK)]
    found = leak_decomposition(rows, list(registry.entries), _families(registry), RFM, LAPLACE)
    step = next((s for s in found.steps if (s.first, s.second) == LEAK), None) if found else None
    if found is None or step is None or step.excess is None:
        return ""
    before, after = (wording.difference(found.over_baseline[p], ACCURACY) for p in LEAK)
    return wording.prose(
        "claims-leak",
        datasets=plural(len(found.accuracy), "dataset"),
        before=before,
        after=after,
        change=wording.difference(step.excess, ACCURACY),
        interval=wording.interval(step.excess, ACCURACY),
    )


def reproduction(scores: pd.DataFrame, registry: Registry, source: str) -> str:
    """RFM and the Laplace kernel from the paper's procedure to one without a leak; ``source`` is where from."""
    found = [claim for claim in claims(scores, registry) if LAPLACE in claim.means]
    order = {name: place for place, name in enumerate((*LEAK, "clean", "clean-cv"))}
    found.sort(key=lambda c: (list(SUBSETS).index(c.subset), order.get(c.protocol, len(order))))
    lines = [
        f"| protocol | datasets | families | RFM % | Laplace kernel % | {_difference('Laplace')} |",
        "|:---|---:|---:|---:|---:|---:|",
    ]
    for c in found:
        means = " | ".join(wording.number(float(c.means[m])) for m in (RFM, LAPLACE))
        lines.append(f"| `{c.protocol}` | {c.datasets} | {c.families} | {means} | {c.lead(LAPLACE)} |")
    note = f"Mean accuracy in percent, from {source}. {wording.prose('claims-note')} {wording.prose('claims-pool')}"
    return "\n\n".join(["\n".join(lines), note, *filter(None, [leak_sentence(scores, registry)]), wording.rule()])

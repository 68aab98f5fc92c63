"""What README, docs/results.md and docs/reproduce-the-paper.md claim of the kept comparison, made from its scores.

Nothing in them is typed: ``tools/readme_table.py`` writes them between two markers of the pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.registry import Registry
from bench.errors import ReportError, plural
from bench.protocols.registry import PROTOCOLS, known, plain_names
from bench.report import wording
from bench.report.places import ACCURACY, place_sentences, places_table
from bench.report.view import LAPLACE, RFM
from bench.stats.frame import over_seeds, protocols_in, seed_matrix
from bench.stats.places import WHOLE
from bench.stats.protocols import leak_decomposition
from bench.stats.summary import common_pool
from bench.stats.verdict import Comparison, against_each, grouped

SUBSETS = {"small90": "small datasets", "all121": "datasets that all methods have"}
SELECTED = {"none": "single", "top5": "mean of the best five", "greedy": "greedy ensemble"}
"""The ways to select, in the heads of a leaderboard."""


def kept_titles(path: Path) -> dict[str, str]:
    """What methods that are not run by default call themselves, by an exported ``provenance.json``, if it is there."""
    runs = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    recorded = [invocation.get("methods") or {} for run in runs for invocation in run["invocations"]]
    return {name: str(told["title"]) for methods in recorded for name, told in methods.items()}


def kept_scores(path: Path) -> pd.DataFrame:
    """The scores in ``path``, an exported ``scores.csv`` (packed or not); older ones are of classification."""
    scores = pd.read_csv(path, low_memory=False)
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
    seeds: str
    means: pd.Series
    comparisons: list[Comparison]

    @property
    def where(self) -> str:
        """``90 small datasets (68 families, one seed)``."""
        noun = "small datasets" if self.subset == "small90" else "datasets"
        return f"{self.datasets} {noun} ({plural(self.families, 'family', 'families')}, {self.seeds})"

    @property
    def sentence(self) -> str:
        """What the rule says, in words; the figures stand in the table."""
        mean = wording.amount(float(self.means[RFM]), ACCURACY)
        found = grouped(self.comparisons)
        if len(self.comparisons) > 1 and not any(c.significant for c in self.comparisons):
            said = f"not significantly different from any of the {len(self.comparisons)} others"
        elif len(self.comparisons) == 1:
            ((words, (other,)),) = found.items()
            said = f"{words} {wording.title(other)}, the only other method with results on all of them"
        else:
            said = ", ".join(f"{words} {_listed(methods, len(self.comparisons))}" for words, methods in found.items())
        return f"RFM averages {mean}" + (f"; it is {said}." if said else ".")

    def lead(self, method: str) -> str:
        """The reference minus ``method`` with its standard error, marked if it is significant; empty for itself."""
        found = next((c for c in self.comparisons if c.second == method), None)
        if found is None:
            return ""
        return wording.difference(found.difference, ACCURACY) + wording.MARK * found.significant


def _listed(methods: Sequence[str], of: int) -> str:
    """``A, B and C``, by their titles; ``the 7 others`` where that is most of ``of``, or all."""
    if len(methods) > max(4, of // 2):
        return f"{'all' if len(methods) == of else 'the'} {len(methods)} others"
    *first, last = (wording.title(m) for m in methods)
    return f"{', '.join(first)} and {last}" if first else last


def claims(scores: pd.DataFrame, registry: Registry, protocols: Iterable[str] | None = None) -> list[Claim]:
    """Of every plain protocol, or of those given, on the small datasets, and on all where there are more."""
    found = []
    for protocol in plain_names(protocols_in(scores)) if protocols is None else protocols:
        small, whole = (_claim(scores, registry, protocol, subset) for subset in SUBSETS)
        found += [claim for claim in (small, whole) if claim is not None]
        if small is not None and whole is not None and small.datasets == whole.datasets:
            found.pop()
    return found


def _claim(scores: pd.DataFrame, registry: Registry, protocol: str, subset: str) -> Claim | None:
    by_seed = seed_matrix(scores, protocol, ACCURACY)
    by_seed = by_seed[by_seed.index.get_level_values("dataset").isin([e.name for e in registry.select(subset)])]
    try:
        pool = common_pool(over_seeds(by_seed), coverage=WHOLE).pool
    except ReportError:
        return None
    if RFM not in pool.methods:
        return None
    families = registry.family_of
    paired = by_seed.loc[by_seed.index.get_level_values("dataset").isin(pool.datasets), pool.methods]
    means = pool.scores.mean().sort_values(ascending=False)
    count, seeds = len({families[d] for d in pool.datasets}), wording.seeds(paired.index)
    compared = against_each(paired, RFM, families)
    return Claim(protocol, subset, len(pool.datasets), count, seeds, means, compared)


def results_in_readme(scores: pd.DataFrame, registry: Registry) -> str:
    """The leaderboard of the protocol that uses no test label and has the most folds, what each protocol says of RFM,
    and the effect of the leak."""
    found = claims(scores, registry)
    parts = []
    honest = [claim for claim in found if not _exposure(claim.protocol)]
    if honest:
        board = max(honest, key=lambda c: (PROTOCOLS[c.protocol].inner_folds, c.subset == "small90"))
        variants = [p.name for p in known(protocols_in(scores)) if p.base == board.protocol and p.inputs == "archive"]
        shown = [claim for p in variants if (claim := _claim(scores, registry, p, board.subset)) is not None]
        parts += [wording.prose("claims-board", protocol=board.protocol, where=board.where), _leaderboard(shown)]
        parts += [
            f"`{c.protocol}` ({_selection(c.protocol)}): {c.sentence}" for c in shown if c.protocol != board.protocol
        ]
    told = {claim.protocol: claim for claim in found}  # of the datasets of two claims the larger set, which comes last
    lines = [f"- `{c.protocol}`, {c.where}: {c.sentence}" for c in sorted(told.values(), key=_by_exposure)]
    parts += [wording.prose("claims-of-the-paper"), "\n".join(lines)]
    return "\n\n".join(filter(None, [*parts, leak_sentence(scores, registry)]))


def _by_exposure(claim: Claim) -> tuple[int, int]:
    return -_exposure(claim.protocol), PROTOCOLS[claim.protocol].inner_folds


def _leaderboard(found: Sequence[Claim]) -> str:
    """Methods with their means and the reference's lead, a pair of columns for each way to select."""
    heads = " | ".join(
        f"mean accuracy, {SELECTED[PROTOCOLS[c.protocol].ensemble]}, % | {_difference('method')}" for c in found
    )
    return _table_of(found, heads)


def results_page(scores: pd.DataFrame, registry: Registry, places: pd.DataFrame | None = None) -> str:
    """A sentence and a table for each protocol, with ensembles and coded columns after the others; the effect of the
    leak, RFM's ``places`` in the study, and the rule."""
    variants = [p.name for p in known(protocols_in(scores)) if not p.plain]
    found = claims(scores, registry) + claims(scores, registry, variants)
    parts = ["\n".join(f"- `{c.protocol}`, {c.where}: {c.sentence}" for c in found)]
    parts += [leak for leak in [leak_sentence(scores, registry)] if leak]
    parts += [] if places is None else [place_sentences(places)]
    parts.append(wording.rule())
    titles: Mapping[str, str] = wording.texts()["claims"]
    for protocol in dict.fromkeys(c.protocol for c in found):
        title = titles.get(protocol) or f"`{protocol}`: {_selection(protocol)}"
        parts.append(f"{title}\n\n{_table([c for c in found if c.protocol == protocol])}")
    few = any(set(c.means.index) != set(d.means.index) for c in found for d in found if c.protocol == d.protocol)
    parts.append(wording.prose("claims-note") + " A dash: too few results there." * few)
    return "\n\n".join(parts)


def _selection(protocol: str) -> str:
    """``greedy ensemble, coded nominal columns``."""
    how = PROTOCOLS[protocol]
    return SELECTED[how.ensemble] + ", coded nominal columns" * (how.inputs == "nominal")


def _table(found: Sequence[Claim]) -> str:
    """Methods with their means and the reference's lead, one pair of columns a subset; dashes where a method has too
    few results."""
    return _table_of(
        found, " | ".join(f"{SUBSETS[c.subset]} ({c.datasets}) % | {_difference('method')}" for c in found)
    )


def _table_of(found: Sequence[Claim], heads: str) -> str:
    lines = [f"| method | {heads} |", "|:---|" + "---:|---:|" * len(found)]
    for method in map(str, found[0].means.index):
        pairs = (
            (wording.number(float(c.means[method])), c.lead(method)) if method in c.means else (wording.DASH,) * 2
            for c in found
        )
        lines.append(f"| {wording.title(method)} | {' | '.join(x for pair in pairs for x in pair)} |")
    return "\n".join(lines)


def _difference(other: str) -> str:
    return f"Δ {ACCURACY.title} (RFM {wording.MINUS} {other}), pp"


def leak_sentence(scores: pd.DataFrame, registry: Registry) -> str:
    """How much of the reference's lead over its kernel is the leak of test labels; empty without both protocols."""
    leak = _leak()
    rows = scores[scores["protocol"].isin(leak)]
    found = leak_decomposition(rows, list(registry.entries), registry.family_of, RFM, LAPLACE)
    step = next((s for s in found.steps if (s.first, s.second) == leak), None) if found else None
    if found is None or step is None or step.excess is None:
        return ""
    before, after = (wording.difference(found.over_baseline[p], ACCURACY) for p in leak)
    return wording.prose(
        "claims-leak",
        datasets=plural(len(found.accuracy), "dataset"),
        before=before,
        after=after,
        change=wording.difference(step.excess, ACCURACY),
        interval=wording.interval(step.excess, ACCURACY),
    )


def _leak() -> tuple[str, str]:
    """The protocol whose metric has seen test labels, and the one that differs from it in that alone."""
    seeing = sorted((p for p in PROTOCOLS.values() if p.sees_test_labels), key=lambda p: -p.exposure)
    return seeing[0].name, seeing[-1].name


def _exposure(protocol: str) -> int:
    return PROTOCOLS[protocol].exposure if protocol in PROTOCOLS else 0


def reproduction(scores: pd.DataFrame, registry: Registry, source: str, places: pd.DataFrame | None = None) -> str:
    """RFM and the Laplace kernel from the paper's procedure to one without a leak; ``source`` is where from."""
    found = [claim for claim in claims(scores, registry) if LAPLACE in claim.means]
    found.sort(key=lambda c: (list(SUBSETS).index(c.subset), -_exposure(c.protocol)))
    lines = [
        f"| protocol | datasets | families | RFM % | Laplace kernel % | {_difference('Laplace')} |",
        "|:---|---:|---:|---:|---:|---:|",
    ]
    for c in found:
        means = " | ".join(wording.number(float(c.means[m])) for m in (RFM, LAPLACE))
        lines.append(f"| `{c.protocol}` | {c.datasets} | {c.families} | {means} | {c.lead(LAPLACE)} |")
    note = f"Mean accuracy in percent, from {source}. {wording.prose('claims-note')} {wording.prose('claims-pool')}"
    study = [] if places is None else [places_table(places), wording.prose("claims-places-table")]
    leak = filter(None, [leak_sentence(scores, registry)])
    return "\n\n".join(["\n".join(lines), note, *leak, wording.rule(), *study])

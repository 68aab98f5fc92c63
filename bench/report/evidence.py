"""All that the sections draw on, computed once: the results table, the registry's knowledge, one view per protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from bench.errors import ReportError
from bench.methods import TITLES, built_in_methods, method_names
from bench.protocols.record import Protocol
from bench.protocols.registry import PROTOCOLS, first_folds_in_words, reduction_in_words
from bench.records.measure import COMPARED, MEASURES, SELECTING, Kind, Measure
from bench.records.result import Job, JobResult
from bench.report.about import About, families_in
from bench.report.against import Joined
from bench.report.merge import Merged, invocations_of, older_ties
from bench.report.view import RFM, ProtocolView
from bench.report.wording import slug
from bench.stats import frame
from bench.stats.grinsztajn import PublishedRuns
from bench.stats.groups import Group, standard_groups
from bench.stats.published import PublishedStudy
from bench.stats.seeds import SeedGap
from bench.stats.summary import common_pool


@dataclass(frozen=True)
class Evidence:
    """The input of every section."""

    merged: Merged
    about: Mapping[str, About] = field(default_factory=dict)
    study: PublishedStudy | None = None
    published_runs: PublishedRuns | None = None
    against: Joined | None = None
    """Others' results among ``merged``'s, and what of one's own has no counterpart among them."""
    asked: str = ""
    """The reference that was asked for; empty for the usual one."""

    @cached_property
    def scores(self) -> pd.DataFrame:
        return frame.scores_frame(self.merged.results)

    @cached_property
    def sizes(self) -> pd.DataFrame:
        return frame.sizes(self.scores)

    @property
    def protocols(self) -> list[str]:
        return frame.protocols_in(self.scores)

    @cached_property
    def seeds(self) -> list[int]:
        """Of all results."""
        return sorted({int(seed) for seed in self.scores["seed"]})

    @cached_property
    def families(self) -> dict[str, str]:
        """The family of every dataset that something is known of; the others are their own."""
        return families_in(self.about)

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What is predicted, by dataset; those whose jobs are all undone too."""
        jobs = (*(r.job for r in self.merged.results), *self.merged.undone)
        return {job.dataset: job.kind for job in jobs}

    @cached_property
    def methods(self) -> list[str]:
        return frame.in_order(self.scores["method"].unique(), method_names())

    @cached_property
    def titles(self) -> dict[str, str]:
        """What methods that are not built in call themselves, as recorded when they were run.

        With its name behind it where another method has the same title.
        """
        shared = {name for names in self.twins.values() for name in names}
        return {name: f"{title} ({name})" if name in shared else title for name, title in self._recorded_titles.items()}

    def title_of(self, method: str) -> str:
        """What pages call it."""
        return TITLES.get(method) or self.titles.get(method, method)

    @cached_property
    def twins(self) -> dict[str, list[str]]:
        """Titles that several methods have, with their names."""
        found: dict[str, list[str]] = {}
        for name in self.methods:
            found.setdefault(TITLES.get(name) or self._recorded_titles.get(name, name), []).append(name)
        return {title: names for title, names in found.items() if len(names) > 1}

    @cached_property
    def _recorded_titles(self) -> dict[str, str]:
        runs = (*(self.against.records if self.against else ()), *self.merged.records)
        recorded = [invocation.get("methods", {}) for record in runs for invocation in invocations_of(record)]
        return {name: str(told["title"]) for methods in recorded for name, told in methods.items()}

    @cached_property
    def reference(self) -> str:
        """The method that the others are compared with: what was asked for, the only plug-in, or RFM."""
        run = {result.job.method for record in self.merged.records for result in record.results}
        return self.asked or usual_reference(name for name in self.methods if name in run)

    @cached_property
    def datasets(self) -> list[str]:
        return sorted(str(d) for d in self.scores["dataset"].unique())

    def of_kind(self, kind: Kind) -> list[str]:
        """The datasets of one kind."""
        return [name for name in self.datasets if self.kinds[name] == kind]

    @cached_property
    def measured(self) -> set[str]:
        """The datasets with results: a table that could not be read has no hold-outs."""
        return set(self.scores.loc[self.scores["status"] == "ok", "dataset"])

    @cached_property
    def drawn(self) -> set[str]:
        """Those whose hold-outs the harness drew."""
        seeded = self.scores["split"].str.startswith("seed-") & (self.scores["status"] == "ok")
        return set(self.scores.loc[seeded, "dataset"])

    def group_of(self, datasets: Iterable[str]) -> Group | None:
        """The standard group that ``datasets`` are, all that the registry has of it; never "all available"."""
        wanted = {str(d) for d in datasets}
        groups = {name: about.group for name, about in self.about.items()}
        whole = standard_groups(groups, groups)
        return next((g for g in whole if set(g.datasets) == wanted and g.key != "all-available"), None)

    def judging(self, kind: Kind) -> Measure:
        """What selected."""
        return self.selected_by.get(kind, SELECTING[kind])

    @cached_property
    def selected_by(self) -> dict[Kind, Measure]:
        """What selected, by kind, where it was not the kind's own measure."""
        jobs = [result.job for result in self.merged.results]
        return {job.kind: MEASURES[job.selected_by] for job in jobs if job.selected_by in MEASURES}

    @property
    def timings(self) -> str:
        """Whose seconds were measured elsewhere, to stand next to them; empty without such."""
        if self.against is None:
            return ""
        titles = ", ".join(self.title_of(m) for m in self.methods if m in self.against.methods)
        where = f", on {' and '.join(self.against.machines)}" if self.against.machines else ""
        return f" Seconds of {titles} were measured in another run{where}: --against."

    @cached_property
    def commits(self) -> dict[str, int]:
        """Jobs by the harness's commit that computed them, as far as recorded, most first."""
        found: Counter[str] = Counter()
        for invocation in (invocation for _, invocations in self.invocations for invocation in invocations):
            if invocation.get("commit"):
                found[str(invocation["commit"])] += int(invocation.get("results", 0))
        return dict(found.most_common())

    @cached_property
    def reduced(self) -> dict[str, list[str]]:
        """The datasets of each reduction (:mod:`bench.protocols.reduction`), by its words."""
        jobs: dict[str, list[Job]] = {}
        for result in self.merged.results:
            if result.job.reduction:
                jobs.setdefault(result.job.reduction, []).append(result.job)
        return {
            reduction_in_words(words, {j.protocol for j in jobs[words]}): sorted({j.dataset for j in jobs[words]})
            for words in sorted(jobs)
        }

    def first_folds(self, view: ProtocolView) -> str:
        """That the view's results are of the first test folds alone, in words; empty if some are of all."""
        jobs = [r.job for r in self.merged.results if r.status == "ok" and r.job.protocol == view.protocol]
        common = set(view.common.pool.datasets)
        found = {job.reduction for job in jobs if job.dataset in common}
        words = {w for reduction in found if (w := first_folds_in_words(reduction or ""))}
        return words.pop() if len(words) == 1 and len(found) == 1 else ""

    @cached_property
    def own_tables(self) -> list[str]:
        """The datasets that are none of the registry's."""
        return [name for name in self.datasets if not self.of(name).group]

    @cached_property
    def groups(self) -> list[Group]:
        groups = {name: self.of(name).group for name in self.datasets}
        return standard_groups(self.datasets, groups, self.of_kind("regression"))

    @cached_property
    def anchors(self) -> dict[str, str]:
        """A distinct anchor for every dataset."""
        found: dict[str, str] = {}
        for name in self.datasets:
            base = anchor = f"dataset-{slug(name)}"
            count = 1
            while anchor in found.values():
                count += 1
                anchor = f"{base}-{count}"
            found[name] = anchor
        return found

    @cached_property
    def by_cell(self) -> dict[tuple[str, str, str], list[JobResult]]:
        """The results of each (dataset, method, protocol), by seed."""
        found: dict[tuple[str, str, str], list[JobResult]] = {}
        for r in sorted(self.merged.results, key=lambda r: r.job.seed):
            found.setdefault((r.job.dataset, r.job.method, r.job.protocol), []).append(r)
        return found

    @cached_property
    def invocations(self) -> list[tuple[str, tuple[dict[str, Any], ...]]]:
        """By run folder: where its results come from, one record an invocation that produced some, oldest first."""
        return [(record.folder, invocations_of(record)) for record in self.merged.records]

    def of(self, dataset: str) -> About:
        return self.about.get(dataset, About())

    def matrix(self, protocol: str, kind: Kind = "classification") -> pd.DataFrame:
        """What methods are compared on, datasets x methods; no rows if the protocol has no dataset of the kind.

        A dataset or method that was planned but has no result has its place too.
        """
        return self._matrices.get((protocol, kind), pd.DataFrame())

    @cached_property
    def _matrices(self) -> dict[tuple[str, Kind], pd.DataFrame]:
        return {key: frame.over_seeds(by_seed) for key, by_seed in self._by_seed.items()}

    @cached_property
    def _by_seed(self) -> dict[tuple[str, Kind], pd.DataFrame]:
        found = {(p, kind): self._seed_matrix(p, COMPARED[kind]) for kind in COMPARED for p in self.protocols}
        return {key: matrix for key, matrix in found.items() if len(matrix)}

    def _seed_matrix(self, protocol: str, measure: Measure) -> pd.DataFrame:
        matrix = frame.seed_matrix(self.scores, protocol, measure, method_names())
        undone = [job for job in self.merged.undone if job.protocol == protocol and job.kind == measure.kind]
        there = set(matrix.index.get_level_values("dataset"))
        first = {job.dataset: job.seed for job in sorted(undone, key=lambda job: -job.seed) if job.dataset not in there}
        index = pd.MultiIndex.from_tuples(sorted([*matrix.index, *first.items()]), names=["dataset", "seed"])
        columns = frame.in_order({*matrix.columns, *(job.method for job in undone)}, method_names())
        return matrix.reindex(index=index, columns=columns)

    def selecting_matrix(self, protocol: str, kind: Kind) -> pd.DataFrame:
        """Means of the measure that models are selected by, datasets x methods, of what has results."""
        return self._selecting_matrices[protocol, kind]

    @cached_property
    def _selecting_matrices(self) -> dict[tuple[str, Kind], pd.DataFrame]:
        return {(p, kind): frame.score_matrix(self.scores, p, SELECTING[kind]) for p, kind in self._by_seed}

    @cached_property
    def _gaps(self) -> dict[tuple[str, Kind], list[SeedGap]]:
        return {(p, kind): frame.left_out_seeds(self.scores, p, kind) for p, kind in self._by_seed}

    @property
    def compared(self) -> list[tuple[str, Kind]]:
        """Protocol and kind of every comparison that was tried: classification first."""
        return list(self._matrices)

    def protocol(self, name: str) -> Protocol | None:
        """The protocol's record, with the rule for ties that the results had if they are older; None if unknown."""
        record = PROTOCOLS.get(name)
        records = (*self.merged.records, *(self.against.records if self.against else ()))
        ties = {rules[name] for one in records for rules in older_ties(one) if name in rules}
        return record if record is None or not ties else replace(record, ties=ties.pop())

    @cached_property
    def views(self) -> dict[str, ProtocolView]:
        """One view per protocol and kind over all datasets, by key; left out where nothing can be compared."""
        found = [self.view(protocol, self.matrix(protocol, kind).index, kind) for protocol, kind in self.compared]
        return {view.key: view for view in found if view is not None}

    def view(self, protocol: str, datasets: Iterable[str], kind: Kind = "classification") -> ProtocolView | None:
        """The protocol on those of ``datasets`` that it has, or None if nothing can be compared there."""
        matrix, wanted = self.matrix(protocol, kind), set(datasets)
        matrix = matrix[matrix.index.isin(wanted)]
        if matrix.empty:
            return None
        by_seed = self._by_seed[protocol, kind]
        by_seed = by_seed[by_seed.index.get_level_values("dataset").isin(wanted)]
        gaps = tuple(gap for gap in self._gaps[protocol, kind] if gap.dataset in wanted)
        try:
            common = common_pool(matrix, COMPARED[kind])
        except ReportError:
            return None
        return ProtocolView(protocol, by_seed, matrix, common, self.families, gaps, self.reference)


def usual_reference(methods: Iterable[str]) -> str:
    """The only one of ``methods`` that does not come along, if there is exactly one; else RFM."""
    own = [name for name in methods if name not in built_in_methods()]
    return own[0] if len(own) == 1 else RFM

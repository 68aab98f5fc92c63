"""The first screen: does RFM beat the rest, by how much, on what, under which protocol, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from bench.errors import plural
from bench.protocols.registry import known
from bench.records.measure import COMPARED, SELECTING, Kind, Measure
from bench.report import wording
from bench.report.blocks import Block, Code, Items, Link, Notice, Paragraph, Section, Span, Strong
from bench.report.evidence import Evidence
from bench.report.figures.by_method import Interval, intervals
from bench.report.sections.tables import seed_gaps_text
from bench.report.view import ProtocolView, kind_aside, view_key, withholding
from bench.stats.summary import TIE, metrics_of
from bench.stats.verdict import Comparison

FEW = 10


def headline(evidence: Evidence) -> Section:
    """The verdict under the protocol of the first screen, and what other results were joined."""
    chief = headline_view(evidence)
    blocks: list[Block] = []
    if chief is None:
        blocks.append(Paragraph(("No protocol has a dataset on which its methods can be compared.",), lead=True))
    else:
        blocks.append(Paragraph(verdict(evidence, chief), lead=True))
    if evidence.against:
        blocks.append(Notice((" ".join(evidence.against.sentences()),), "note"))
    return Section("verdict", answer(evidence), tuple(blocks))


def notes_section(evidence: Evidence) -> Section | None:
    """All warnings; None if there are none."""
    found = [Notice(spans, "warning") for spans in warnings(evidence)]
    return Section("notes", f"Warnings ({len(found)})", tuple(found), fold=True) if found else None


def answer(evidence: Evidence) -> str:
    """The page's title: which method is first, and where the reference stands by the rule."""
    view = headline_view(evidence)
    name = wording.title(evidence.reference)
    if view is None:
        return "No methods to compare"
    means, score = view.summary["mean_score"], f"mean {view.measure.title}"
    best, count = wording.title(str(means.idxmax())), len(view.methods)
    if count == 1:
        alone = "alone" if len(view.matrix.columns) == 1 else "is the only one with enough results"
        return f"{best} {alone}: {score} {wording.amount(float(means.iloc[0]), view.measure)}"
    if not view.has_reference:
        return f"{best} is first of {count} by {score}"
    places = (means / TIE).round().rank(ascending=False, method="min")
    place = int(places[view.reference])
    first = f"{name} {'is first' if (places == 1).sum() == 1 else 'shares first place'} of {count} by {score}"
    opening = first if place == 1 else f"{best} is first of {count} by {score}; {name} is {wording.ordinal(place)}"
    return f"{opening}, {_standing(view.contrasts)}"


def _standing(contrasts: Sequence[Comparison]) -> str:
    """What the rule says of the reference against the others, as the end of a sentence."""
    if len(contrasts) == 1:
        return f"{contrasts[0].words} {wording.title(contrasts[0].second)}"
    counts = {found: sum(c.verdict == found for c in contrasts) for found in ("better", "worse")}
    parts = [f"{found} than {'all' if n == len(contrasts) else n}" for found, n in counts.items() if n]
    return (
        f"significantly {' and '.join(parts)} of the others" if parts else "not significantly different from any other"
    )


def headline_view(evidence: Evidence, kind: Kind | None = None) -> ProtocolView | None:
    """The view of the first screen, or the first of a kind: of a protocol without test labels if there is one.

    None if nothing can be compared.
    """
    return next((view for view in _answers(evidence) if kind in (None, view.measure.kind)), None)


def _answers(evidence: Evidence) -> list[ProtocolView]:
    """The views of protocols that see no test label; all, if none is of that kind."""
    return withholding(list(evidence.views.values()))


def verdict(evidence: Evidence, view: ProtocolView) -> tuple[Span, ...]:
    """One protocol's answer as a few sentences."""
    measure, noun = view.measure, "dataset" if not view.aside else f"{view.measure.kind} dataset"
    count = plural(len(view.common.pool.datasets), noun)
    named = evidence.group_of(view.common.pool.datasets)
    which = f"{named.key}, " if named else ""
    seeds = wording.seeds(view.paired.index)
    first = evidence.first_folds(view)
    inside = f"{which}{plural(view.family_count, 'family', 'families')}, {seeds}{f', {first}' if first else ''}"
    reference = wording.title(view.reference)
    opening: list[Span] = ["Under ", Code(view.protocol), f", on {count} ({inside}), "]
    if not view.has_reference:
        best = str(view.summary["mean_score"].idxmax())
        mean = wording.amount(float(view.summary["mean_score"][best]), measure)
        if view.reference in view.matrix:
            done, planned = int(view.matrix[view.reference].notna().sum()), len(view.matrix)
            why = (
                f"{reference} has results on {done} of {planned} datasets, too few to be compared: there is no verdict."
            )
        else:
            why = f"{reference} is not among the methods."
        leader = (
            f"{wording.title(best)} has the highest mean {measure.title}, {mean}. " if len(view.methods) > 1 else ""
        )
        return (*opening, f"{leader}{why}")
    mean = wording.amount(float(view.summary["mean_score"][view.reference]), measure)
    opening += [Strong(f"{reference} averages {mean}"), ". " if measure.unit else f" in {measure.title}. "]
    if not view.contrasts:
        return (*opening, "No other method ran on these datasets, so there is nothing to compare it with.")
    return (*opening, wording.said(view.contrasts, measure))


def contrast_figure(view: ProtocolView) -> Block:
    """The reference minus every other method, with 95 % intervals over families."""
    ordered = sorted(view.contrasts, key=lambda c: c.difference.mean)
    lines = [Interval(wording.title(c.second), wording.series(c.second), c.difference) for c in ordered]
    datasets = plural(len(view.common.pool.datasets), "common dataset")
    reference, outcome = wording.title(view.reference), _outcome(view.contrasts)
    caption = wording.prose("headline-figure", view=view, datasets=datasets, reference=reference, outcome=outcome)
    return intervals(f"{view.key}-difference", f"{reference} minus each method", caption, lines, view.measure)


def _outcome(comparisons: Sequence[Comparison]) -> str:
    """Which differences of a figure are significant."""
    found = [wording.title(c.second) for c in comparisons if c.significant]
    return f"significant by the rule: {wording.listing(found)}" if found else "none is significant by the rule"


def warnings(evidence: Evidence) -> Iterator[tuple[Span, ...]]:
    """What a reader must know before believing a figure; each with a link to the details."""
    failed = [r for r in evidence.merged.results if r.status != "ok"]
    if failed or evidence.merged.undone:
        done, undone = len(evidence.merged.results), len(evidence.merged.undone)
        words = f"{len(failed)} of {plural(done, 'job')} failed or were skipped"
        words += f" and {undone} more were planned but not run" if undone else ""
        yield f"{words}: ", Link("failures", "#failures"), "."
    yield from _coverage(evidence)
    for protocol in known(evidence.protocols):
        if (older := evidence.protocol(protocol.name)) is not None and older.ties != protocol.ties:
            yield Code(protocol.name), f": {wording.prose('older-ties-warning')}"
    for kind, measure in evidence.selected_by.items():
        yield (selected_by(kind, measure),)
    of_classes = set(evidence.of_kind("classification"))  # the 2014 study has no others
    if drawn := len(evidence.drawn & of_classes):
        count = f"On {drawn} of {plural(len(evidence.measured & of_classes), 'dataset')} with results"
        yield (f"{count} the test folds were drawn by the harness from its seed; they are not the 2014 study's.",)
    for words, names in evidence.reduced.items():
        yield (f"Reduced, for every method alike ({words}): {wording.listing(names, 10)}.",)
    commits = evidence.commits
    dirty = any(commit.endswith("+dirty") for commit in commits)
    if len(commits) > 1 or dirty:
        told = ", ".join(f"{_short(commit)} ({plural(count, 'job')})" for commit, count in commits.items())
        words = f"Computed at {plural(len(commits), 'commit')} of the harness: {told}. "
        words += "+dirty: with changes that no commit holds. " if dirty else ""
        yield words, Link("Provenance", "#provenance"), "."
    for protocol in known(evidence.protocols):
        if protocol.reuses_metric:
            yield Code(protocol.name), f" {wording.prose('leaks')} ", Link("Its effect", "#leak"), "."
    unsound = [name for record in evidence.merged.records for name in record.damaged]
    if unsound:
        yield (f"Damaged in the store and left out: {wording.listing(unsound, 10)}.",)
    for shared, names in evidence.twins.items():
        told = f"{len(names)} methods are titled {shared}; each is shown with its name: {', '.join(names)}."
        yield (told,)
    for record in evidence.merged.records:
        if record.lacks:
            name = Path(record.folder).name or record.folder
            yield (f"{name} was read from exported scores, which do not hold: {', '.join(record.lacks)}.",)
    for text in evidence.merged.allowed:
        yield (f"Let pass with --allow: {text}.",)


def _coverage(evidence: Evidence) -> Iterator[tuple[Span, ...]]:
    """Protocols under which much is left out, nothing is in common, or little."""
    for view in evidence.views.values():
        left_out, planned = view.common.left_out, len(view.matrix)
        if view.common.dropped or left_out:
            words = f"{view.aside}: {len(view.scores)} of {planned} datasets are common"
            names = ", ".join(f"{wording.title(m)} ({n} of {planned})" for m, n in left_out.items())
            words += f"; left out for covering too little: {names}" if left_out else ""
            lacking = int(view.matrix[view.reference].isna().sum()) if view.has_reference else 0
            words += f"; {wording.title(view.reference)} has no result on {lacking}" if lacking else ""
            yield Code(view.protocol), f"{words}. Each table names what it leaves out."
    for protocol, kind in evidence.compared:
        if view_key(protocol, kind) not in evidence.views:
            aside = kind_aside(kind)
            reason = nothing_in_common(evidence.matrix(protocol, kind))
            yield Code(protocol), f"{aside} {reason}: it is not summarised."
    seeds = {
        p: sorted({r.job.seed for r in evidence.merged.results if r.job.protocol == p}) for p in evidence.protocols
    }
    if len({tuple(found) for found in seeds.values()}) > 1:
        told = "; ".join(f"{protocol} {', '.join(map(str, found))}" for protocol, found in seeds.items())
        yield (f"Protocols differ in their seeds ({told}): sections that compare them use the seeds that both have.",)
    for view in evidence.views.values():
        if view.gaps:
            yield Code(view.protocol), f"{view.aside}: {seed_gaps_text(view)}"
    if small := [view.words for view in evidence.views.values() if len(view.scores) < FEW]:
        yield (f"Fewer than {FEW} common datasets under {', '.join(small)}: tests over datasets have little power.",)


def _short(commit: str) -> str:
    """The first ten digits of a commit, and its ``+dirty`` if it has one."""
    name, plus, dirty = commit.partition("+")
    return f"{name[:10]}{plus}{dirty}"


def nothing_in_common(matrix: pd.DataFrame) -> str:
    """Why the methods of ``matrix`` (datasets x methods) cannot be compared, as the end of a sentence."""
    if matrix.isna().all(axis=None):
        return "has no result at all"
    return "has no dataset with a result of every method"


def selected_by(kind: Kind, measure: Measure) -> str:
    """That another measure selected than usual."""
    usual = SELECTING[kind].title
    return f"Hyperparameters for {kind} were selected by {measure.title} (--select), not by {usual}."


def reading_guide(evidence: Evidence) -> Section:
    """How to read the tables: the unit, the intervals, the rule for a verdict, each kind's metrics."""
    kinds = [kind for kind in COMPARED if evidence.of_kind(kind)]
    texts = wording.texts()["reading"]
    reference = wording.title(evidence.reference)
    lines = [(line.format(reference=reference),) for part in (*kinds, "both") for line in texts[part]]
    lines.append((wording.rule(),))
    explained = tuple((Strong(title), f": {hint}.") for title, hint in _metrics(kinds))
    return Section("reading", "How to read the tables", (Items((*lines, *explained)),), fold=True)


def _metrics(kinds: Sequence[Kind]) -> Iterator[tuple[str, str]]:
    """(title, explanation) of the metrics of all ``kinds``; what has one title for all of them stands once."""
    first, *others = (COMPARED[kind] for kind in kinds)
    for metrics in zip(*(metrics_of(measure) for measure in (first, *others)), strict=True):
        if not others or len({m.title for m in metrics}) > 1:
            yield from ((m.title, m.hint) for m in metrics)
        else:
            names = " or ".join(measure.title for measure in (first, *others))
            yield metrics[0].title, metrics[0].hint.replace(f", {first.points}", "").replace(first.title, names)

"""The first screen: does RFM beat the rest, by how much, on what, under which protocol, and how far to trust it."""

from __future__ import annotations

import pandas as pd

from bench.protocols.registry import known
from bench.report import wording
from bench.report.blocks import Block, Code, Items, Link, Notice, Paragraph, Section, Span, Strong
from bench.report.evidence import REFERENCE, Contrast, Evidence, ProtocolView
from bench.report.figures.by_method import Interval, intervals
from bench.stats.summary import METRICS

UNKNOWN = "For comparison, of a protocol that is not registered here. "
FEW = 10


def headline(evidence: Evidence) -> Section:
    """The verdict per protocol without test labels, then of the others; the first's interval plot, every warning."""
    blocks: list[Block] = []
    shown = _answers(evidence)
    chief = headline_protocol(evidence)
    for position, protocol in enumerate(shown):
        blocks.append(Paragraph(verdict(evidence, evidence.views[protocol]), lead=position == 0))
    blocks += [
        Paragraph((view.record.caution if view.record else UNKNOWN, *verdict(evidence, view)))
        for protocol, view in evidence.views.items()
        if protocol not in shown
    ]
    if chief is None:
        blocks.append(Paragraph(("No protocol has a dataset on which its methods can be compared.",), lead=True))
    elif evidence.views[chief].contrasts:
        blocks.append(contrast_figure(evidence, evidence.views[chief], "headline"))
    blocks += [Notice(spans, "warning") for spans in warnings(evidence)]
    return Section("verdict", "Does RFM beat the rest?", tuple(blocks))


def headline_protocol(evidence: Evidence) -> str | None:
    """The protocol of the first screen: one without test labels if there is one; None if nothing can be compared."""
    return next(iter(_answers(evidence)), None)


def _answers(evidence: Evidence) -> list[str]:
    """The protocols that see no test label; all, if none is of that kind."""
    return [p for p, view in evidence.views.items() if view.withholds_test_labels] or list(evidence.views)


def verdict(evidence: Evidence, view: ProtocolView) -> tuple[Span, ...]:
    """One protocol's answer as a sentence or three."""
    count = len(view.common.pool.datasets)
    named = evidence.group_of(view.common.pool.datasets)
    which = f" ({named.key})" if named else ""
    opening: list[Span] = ["Under ", Code(view.protocol), f", on {wording.plural(count, 'dataset')}{which}, "]
    if not view.has_reference:
        best = str(view.summary["mean_accuracy"].idxmax())
        mean = wording.number(float(view.summary["mean_accuracy"][best]))
        if REFERENCE in view.matrix:
            done, planned = int(view.matrix[REFERENCE].notna().sum()), len(view.matrix)
            why = f"RFM has results on {done} of {planned} datasets, too few to be compared: there is no verdict."
        else:
            why = "RFM is not among the methods."
        leader = f"{wording.title(best)} has the highest mean accuracy, {mean} %. " if len(view.methods) > 1 else ""
        return (*opening, f"{leader}{why}")
    mean = wording.number(float(view.summary["mean_accuracy"][REFERENCE]))
    opening += [Strong(f"RFM averages {mean} %"), ". "]
    if not view.contrasts:
        return (*opening, "No other method ran on these datasets, so there is nothing to compare it with.")
    spans = opening
    for kind, words in (("ahead", "It is ahead of "), ("behind", "It is behind ")):
        group = [c for c in view.contrasts if c.verdict == kind]
        if group:
            spans += [words, _names(group), ". "]
    unclear = [c for c in view.contrasts if c.verdict == "unclear"]
    for words, asked, group in (
        ("Its mean is higher than that of ", "ahead", [c for c in unclear if c.difference.low > 0]),
        ("Its mean is lower than that of ", "behind", [c for c in unclear if c.difference.high < 0]),
    ):
        if group:
            spans += [words, _names(group, tested=True), f", but short of what \u201c{asked}\u201d asks for. "]
    level = [c for c in unclear if not (c.difference.low > 0 or c.difference.high < 0)]
    if level:
        spans += ["No clear difference from ", _names(level), "."]
    return tuple(spans)


def _names(contrasts: list[Contrast], *, tested: bool = False) -> str:
    """Each with its difference, smallest first, and with ``tested`` its p-value."""
    ordered = sorted(contrasts, key=lambda c: abs(c.difference.mean))
    parts = [
        f"{wording.title(c.method)} ({_difference(c)}{f', p {wording.p_value(c.p_holm)}' if tested else ''})"
        for c in ordered
    ]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _difference(contrast: Contrast) -> str:
    d = contrast.difference
    uncertainty = "" if d.se != d.se else f" ± {wording.number(d.se)}"
    return f"{wording.number(d.mean, sign=True)}{uncertainty}"


def contrast_figure(evidence: Evidence, view: ProtocolView, prefix: str) -> Block:
    """The reference minus every other method, with 95 % intervals over datasets."""
    ordered = sorted(view.contrasts, key=lambda c: c.difference.mean)
    lines = [
        Interval(wording.title(c.method), wording.series(c.method, evidence.methods), c.difference) for c in ordered
    ]
    datasets = wording.plural(len(view.common.pool.datasets), "common dataset")
    caption = wording.prose("headline-figure", protocol=view.protocol, datasets=datasets)
    return intervals(f"{prefix}-difference", "RFM minus each method", caption, lines, "points of accuracy")


def warnings(evidence: Evidence) -> list[tuple[Span, ...]]:
    """What a reader must know before believing a figure; each with a link to the details."""
    found: list[tuple[Span, ...]] = []
    failed = [r for r in evidence.merged.results if r.status != "ok"]
    if failed or evidence.merged.undone:
        done, undone = len(evidence.merged.results), len(evidence.merged.undone)
        words = f"{len(failed)} of {wording.plural(done, 'job')} failed or were skipped"
        if undone:
            words += f" and {undone} more were planned but not run"
        found.append((words + ": ", Link("failures", "#failures"), "."))
    for protocol, view in evidence.views.items():
        dropped, left_out = len(view.common.dropped), view.common.left_out
        if dropped or left_out:
            spans: list[Span] = [
                Code(protocol),
                f": {len(view.common.pool.datasets)} of {len(view.matrix)} datasets are common",
            ]
            if left_out:
                names = ", ".join(f"{wording.title(m)} ({n} of {len(view.matrix)})" for m, n in left_out.items())
                spans.append(f"; left out for covering too little: {names}")
            found.append((*spans, ". Each table names what it leaves out."))
    found += [
        (Code(protocol), f" {nothing_in_common(evidence.matrix(protocol))}: it is not summarised.")
        for protocol in evidence.protocols
        if protocol not in evidence.views
    ]
    small = [p for p, view in evidence.views.items() if len(view.common.pool.datasets) < FEW]
    if small:
        found.append(
            (f"Fewer than {FEW} common datasets under {', '.join(small)}: tests over datasets have little power.",)
        )
    measured = evidence.scores[evidence.scores["status"] == "ok"]  # a table that could not be read has no hold-outs
    drawn = measured.loc[measured["split"].str.startswith("seed-"), "dataset"].nunique()
    if drawn:
        count = f"On {drawn} of {wording.plural(measured['dataset'].nunique(), 'dataset')} with results"
        found.append(
            (f"{count} the hold-outs were drawn by the harness from its seed; they are not the 2014 study's.",)
        )
    found += [
        (f"Reduced, for every method alike ({words}): {wording.listing(names, 10)}.",)
        for words, names in evidence.reduced.items()
    ]
    commits = evidence.commits
    if len(commits) > 1 or any(commit.endswith("+dirty") for commit in commits):
        told = ", ".join(f"{_short(commit)} ({wording.plural(count, 'job')})" for commit, count in commits.items())
        dirty = " +dirty: with changes that no commit holds." if any(c.endswith("+dirty") for c in commits) else ""
        found.append(
            (
                f"Computed at {wording.plural(len(commits), 'commit')} of the harness: {told}.{dirty} ",
                Link("Provenance", "#provenance"),
                ".",
            )
        )
    found += [
        (
            Code(protocol.name),
            " carries test labels into RFM's metric M: its figures reproduce the paper's procedure and are no "
            "estimate of accuracy. ",
            Link("How much that is worth", "#leak"),
            ".",
        )
        for protocol in known(evidence.protocols)
        if protocol.reuses_metric
    ]
    unsound = [name for record in evidence.merged.records for name in record.damaged]
    if unsound:
        found.append((f"Damaged in the store and left out: {wording.listing(unsound, 10)}.",))
    found += [(f"Let pass with --allow: {text}.",) for text in evidence.merged.allowed]
    return found


def _short(commit: str) -> str:
    """The first ten digits of a commit, and its ``+dirty`` if it has one."""
    name, plus, dirty = commit.partition("+")
    return f"{name[:10]}{plus}{dirty}"


def nothing_in_common(matrix: pd.DataFrame) -> str:
    """Why the methods of ``matrix`` (datasets x methods) cannot be compared, as the end of a sentence."""
    if matrix.isna().all(axis=None):
        return "has no result at all"
    return "has no dataset with a result of every method"


def reading_guide() -> Section:
    """How to read the tables: the unit, the intervals, the rule for a verdict."""
    lines = tuple((line,) for line in wording.texts()["reading"])
    metrics = tuple((Strong(m.title), f": {m.hint}.") for m in METRICS)
    return Section("reading", "How to read this", (Items((*lines, *metrics)),))

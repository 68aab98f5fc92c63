"""A section per dataset: every test fold, what was selected, the validation path, what RFM learned, known faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.errors import plural
from bench.protocols.registry import reduction_in_words
from bench.records.measure import COMPARED, SELECTING, TARGET, Measure, measures_of
from bench.records.method import HoldoutResult
from bench.records.result import JobResult
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Link, Notice, Section, Span, Table, cells, table, text
from bench.report.evidence import Evidence
from bench.report.figures.by_dataset import bar, sparkline
from bench.report.sections.cells import method_cell
from bench.report.sections.data import facts_sentence
from bench.report.sections.headline import headline_view
from bench.report.view import LAPLACE, RFM

LEADING = 6
"""Features shown of RFM's metric."""
COLLAPSED = 1e-5
"""Trace of M per feature below which distances are less than a three-hundredth of what they were."""


def datasets_section(evidence: Evidence) -> Section:
    children = tuple(dataset_section(evidence, name) for name in evidence.datasets)
    tested = [SELECTING[kind] for kind in COMPARED if evidence.of_kind(kind)]
    judged = {evidence.judging(m.kind) for m in tested}
    words = wording.prose(
        "datasets",
        tested=" or ".join([tested[0].heading, *(m.title for m in tested[1:])]),
        judged=next(iter(judged)).title if len(judged) == 1 else "score",
        percent=_judged_in(next(iter(judged))) if len(judged) == 1 else "",
    )
    return Section("datasets", "Dataset by dataset", (text(words),), children)


def _judged_in(measure: Measure) -> str:
    """What follows the name of a validation figure: targets are standardised over the training part there."""
    if measure.key in ("r2", "r2_cut"):
        return ", 1 less the mean squared error over the variance of the training part's targets"
    if measure.unit == TARGET:
        return ", in standard deviations of the training part's targets"
    return measure.in_unit


def dataset_section(evidence: Evidence, name: str) -> Section:
    results = [r for r in evidence.merged.results if r.job.dataset == name]
    about = evidence.of(name)
    n, d, c = (int(evidence.sizes[key][name]) for key in ("rows", "features", "classes"))
    predicted = plural(c, "class", "classes") if evidence.kinds[name] == "classification" else "a number to predict"
    size = f"{n:,} samples, {plural(d, 'feature')}, {predicted}"
    origins = sorted({f"{r.job.source}, test folds {r.job.split}" for r in results if r.job.split})
    source = "; ".join(origins) or f"{results[0].job.source}, where it could not be read"
    spans: list[Span] = [f"{size}. Source: {source}."]
    spans += [
        f" {word}: {told}."
        for word, told in (
            ("Group", about.group),
            ("Family", _family(evidence, name)),
            ("Licence", about.licence),
            ("Origin", about.origin),
        )
        if told
    ]
    for told, address in about.pages:
        spans += [" ", Link(told, address)]
    if about.link_note:
        spans.append(f" ({about.link_note})")
    blocks: list[Block] = [text(*spans)]
    for words in sorted({r.job.reduction for r in results if r.job.reduction}):
        told = reduction_in_words(words, {r.job.protocol for r in results if r.job.reduction == words})
        blocks.append(Notice((f"Reduced, for every method alike: {told}.",), "note"))
    if about.facts:
        blocks.append(text(facts_sentence(about.facts)))
    if about.notes:
        blocks.append(Notice(("Of this dataset: ", "; ".join(note.rstrip(".") for note in about.notes), "."), "note"))
    if about.faults:
        blocks.append(Notice(("Known faults of this dataset: ", "; ".join(about.faults), "."), "note"))
    for protocol in evidence.protocols:
        part = [r for m in evidence.methods for r in results if r.job.method == m and r.job.protocol == protocol]
        if part:
            blocks.append(_holdouts(evidence, name, protocol, part))
    metrics = (_metric(evidence, name, p, [r for r in results if r.job.protocol == p]) for p in evidence.protocols)
    blocks += next((found for found in metrics if found), _unmoved(results))
    return Section(evidence.anchors[name], name, tuple(blocks), detail=True, tag=_summary(evidence, name))


def _family(evidence: Evidence, name: str) -> str:
    """The dataset's family, why it is one, and the others in it; nothing if there are none."""
    about = evidence.of(name)
    others = sorted(
        n for n, told in evidence.about.items() if about.family and told.family == about.family and n != name
    )
    if not others:
        return ""
    return f"{about.family}{f' ({about.relation})' if about.relation else ''}, with {wording.listing(others)}"


def _unmoved(results: Sequence[JobResult]) -> list[Block]:
    """That RFM selected no update of its metric, if that is so."""
    selected = {m.choice.iteration for r in results if r.job.method == RFM for h in r.holdouts for m in h.members}
    if selected != {0}:
        return []
    return [
        text("RFM selected iteration 0 on every test fold, the Laplace kernel: there is no learned metric to show.")
    ]


def _summary(evidence: Evidence, name: str) -> str:
    """The folded section's line: sizes, and the reference, RFM and Laplace under the headline's protocol."""
    size = evidence.sizes.loc[name]
    kind = evidence.kinds[name]
    classes = f", c {size['classes']}" if kind == "classification" else ""
    parts = [f"n {size['rows']:,}, d {size['features']:,}{classes}"]
    view, tested = headline_view(evidence, kind), SELECTING[kind]
    if view is not None and name in view.matrix.index:
        matrix = evidence.selecting_matrix(view.protocol, kind)
        wanted = dict.fromkeys((evidence.reference, RFM, LAPLACE))
        shown = [m for m in wanted if m in matrix and matrix[m].notna()[name]]
        parts += [
            f"{wording.title(m)} {wording.number(float(matrix[m].to_dict()[name]), tested.digits)}" for m in shown
        ]
    return " · ".join(parts)


def _holdouts(evidence: Evidence, dataset: str, protocol: str, results: list[JobResult]) -> Table:
    numbers = sorted({h.holdout for r in results for h in r.holdouts})
    kind = evidence.kinds[dataset]
    tested, judged = SELECTING[kind], evidence.judging(kind)
    also = [m for m in measures_of(kind) if m.unit == TARGET]
    several = len({r.job.seed for r in results}) > 1
    columns = (
        Column("Method", "text"),
        *((Column("Seed", lower_first=True),) if several else ()),
        Column("Mean"),
        *(Column(fold_name(h), hint=f"{tested.title} on test fold {h + 1}{tested.in_unit}") for h in numbers),
        *(Column(m.heading, hint=f"{m.meaning}{m.in_unit}; mean over test folds") for m in also),
        Column("Selected", "text", hint=wording.prose("selected-hint")),
        Column("Iteration", "text", hint=wording.prose("iteration-hint")),
        Column("Validation", hint=f"mean validation {judged.title} of what was selected{_judged_in(judged)}"),
        Column("Path", "text", hint=f"validation {judged.title} along the selected configuration's path"),
    )
    rows = []
    for result in results:
        head: list[Cell | int] = [method_cell(evidence, result.job.method)]
        head += [result.job.seed] if several else []
        if result.status != "ok":
            reason = f"{result.status}: {result.reason}" if result.reason else result.status
            rows.append(cells(*head, *[wording.DASH] * (1 + len(numbers) + len(also)), reason, "", "", ""))
            continue
        scores = {h.holdout: h.score for h in result.holdouts}
        means = {m: float(np.mean([h.measures.get(m.key, np.nan) for h in result.holdouts])) for m in also}
        validation = [h.validation_score for h in result.holdouts]
        iterations = [_iterations(h) for h in result.holdouts]
        shown = cells(
            *head,
            wording.num(float(np.mean(list(scores.values()))), tested.digits),
            *(wording.num(scores.get(h), wording.brief(tested)) for h in numbers),
            *(wording.num(mean, wording.digits(mean, m)) for m, mean in means.items()),
            _selected(result),
            iterations[0] if len(set(iterations)) == 1 else ", ".join(iterations),
            wording.num(float(np.mean(validation)), wording.brief(judged)),
            _path_cell(evidence, result),
        )
        rows.append(shown)
    name = f"{evidence.anchors[dataset]}-{protocol}"
    return Table(name, columns, tuple(rows), f"Protocol {protocol}", sortable=False)


def fold_name(number: int) -> str:
    """What pages call the test fold ``number`` (from 0)."""
    return f"Fold {number + 1}"


def _selected(result: JobResult) -> str:
    """The configurations in words, each with the test folds that it was selected on unless that is all of them."""
    selected: dict[str, list[int]] = {}
    for h in result.holdouts:
        words = wording.members_text(h.members) if h.is_ensemble else wording.config_text(h.config)
        selected.setdefault(words, []).append(h.holdout + 1)
    if len(selected) == 1:
        return next(iter(selected))
    return "; ".join(
        f"{'folds' if len(folds) > 1 else 'fold'} {', '.join(map(str, folds))}: {words}"
        for words, folds in selected.items()
    )


def _iterations(holdout: HoldoutResult) -> str:
    """The iteration selected; of an ensemble those of its members, each once."""
    return "+".join(map(str, sorted({member.choice.iteration for member in holdout.members})))


def _path_cell(evidence: Evidence, result: JobResult) -> Cell:
    found = [(h.holdout, p) for h in result.holdouts if (p := _selected_path(h)) is not None]
    if not found:
        return Cell("")
    series = wording.series(result.job.method)
    judged = evidence.judging(result.job.kind)
    words = f"validation {judged.title} along the path of {wording.title(result.job.method)}"
    holdout, (_, scores, _) = found[0]
    first, best = scores[0], max(scores) if judged.larger_is_better else min(scores)
    ends = f"{fold_name(holdout)}: {' to '.join(wording.number(x, wording.brief(judged)) for x in (first, best))}"
    return Cell(ends, drawing=sparkline([path for _, path in found], series, words))


def _selected_path(holdout: HoldoutResult) -> tuple[list[float], list[float], float] | None:
    """(iterations, validation scores, selected iteration) of the selected configuration; None for a path of one
    point."""
    for row in holdout.path:
        if row.get("config") == holdout.config:
            iterations = [float(i) for i in row.get("iterations", ())]
            scores = [float(s) for s in row.get("score", ())]
            usable = len(iterations) == len(scores) > 1 and bool(np.isfinite(scores).all())
            return (iterations, scores, float(holdout.iteration)) if usable else None
    return None


def _metric(evidence: Evidence, dataset: str, protocol: str, results: list[JobResult]) -> list[Block]:
    """RFM's metric M: the diagonal's largest entries and the leading eigenvectors, where the method kept them."""
    result = next((r for r in results if r.job.method == RFM and r.status == "ok"), None)
    kept = [h for h in result.holdouts if h.details.get("metric_diagonal")] if result else []
    if not result or not kept:
        return []
    diagonals = [np.asarray(h.details["metric_diagonal"], dtype=float) for h in kept]
    if any(d.shape != diagonals[0].shape or not np.isfinite(d).all() or d.sum() <= 0 for d in diagonals):
        return []
    shares = np.array([100.0 * d / d.sum() for d in diagonals])
    mean, spread = shares.mean(axis=0), np.ptp(shares, axis=0)
    leading = np.argsort(-mean, kind="stable")[:LEADING]
    columns = (
        (Column("Feature", "text"), lambda i: Cell(_feature(evidence, dataset, i), float(i + 1))),
        (
            Column("Share of trace M, %"),
            lambda i: replace(wording.num(float(mean[i]), 1), drawing=bar(100 * float(mean[i] / mean[leading[0]]))),
        ),
        (Column("Range over test folds"), lambda i: wording.num(float(spread[i]), 1)),
    )
    name, caption = f"{evidence.anchors[dataset]}-{protocol}-metric", f"RFM's leading features, protocol {protocol}"
    caption += f", seed {result.job.seed}" if len(evidence.seeds) > 1 else ""
    note = _metric_note(len(mean), kept, len(result.holdouts))
    note += " Of an ensemble it is M of the member with the largest weight." * kept[0].is_ensemble
    shown = table(name, caption, leading, columns, note=note, sortable=False)
    vectors = _eigenvectors(evidence, dataset, kept[0])
    return [shown, vectors] if vectors else [shown]


def _metric_note(features: int, kept: list[HoldoutResult], folds: int) -> str:
    """How many test folds have a learned M (at iteration 0 there is none), and how large it is there.

    Distances grow with the root of M: where its trace is far below that of the identity all samples lie close together
    and the kernel is almost constant.
    """
    learned = len(kept)
    mean = f"mean over {learned} of {plural(folds, 'test fold')}"
    plain = "; on the others RFM selected iteration 0, the plain Laplace kernel" if learned < folds else ""
    traces = [(h.holdout, float(np.sum(h.details["metric_diagonal"]))) for h in kept]
    sizes = ", ".join(f"{trace:.2g} (fold {number + 1})" for number, trace in traces)
    flat = [f"fold {number + 1}" for number, trace in traces if trace < COLLAPSED * features]
    warning = f" On {', '.join(flat)} M has all but vanished: the kernel is nearly constant there." if flat else ""
    return (
        f"Largest of {features} diagonal entries of M, {mean}{plain}. An even metric would give each "
        f"{100 / features:.1f} %. Trace of M: {sizes}; of the identity it is {features}.{warning}"
    )


def _feature(evidence: Evidence, dataset: str, i: int) -> str:
    """Feature ``i`` (from 0) by its number from 1, and by its name where that is known."""
    names = evidence.of(dataset).features
    return f"f{i + 1} ({names[i]})" if i < len(names) else f"f{i + 1}"


def _eigenvectors(evidence: Evidence, dataset: str, holdout: HoldoutResult) -> Items | None:
    """The leading eigenvectors of one test fold's M, in their largest coordinates."""
    details = holdout.details
    vectors, values = details.get("top_eigenvectors") or [], details.get("eigenvalues") or []
    total = float(np.sum(details["metric_diagonal"]))
    lines = []
    for rank, (vector, value) in enumerate(zip(vectors[:3], values, strict=False), 1):
        v = np.asarray(vector, dtype=float)
        largest = np.argsort(-np.abs(v), kind="stable")[:4]
        terms = ", ".join(
            f"{wording.number(float(v[i]), 2, sign=True)} {_feature(evidence, dataset, int(i))}" for i in largest
        )
        share = f"{wording.number(100 * float(value) / total, 1)} % of trace M" if total > 0 else "share unknown"
        more = ", ..." if len(v) > 4 else ""
        lines.append((f"Eigenvector {rank} of M on fold {holdout.holdout + 1} ({share}): {terms}{more}",))
    return Items(tuple(lines)) if lines else None

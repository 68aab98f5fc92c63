"""The leaderboard: one sorted table a protocol, against any method, and the plot of score against time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Choice, Column, Table, table
from bench.report.evidence import Evidence
from bench.report.figures.score_time import score_time
from bench.report.sections.cells import best_cell, marked_cell, method_cell, seconds_cell
from bench.report.sections.tables import gaps_text, seeds_text
from bench.report.view import ProtocolView
from bench.stats import frame
from bench.stats.families import FEWEST, FamilyInterval, family_interval
from bench.stats.summary import win_rates
from bench.stats.verdict import Comparison


def leaderboard(evidence: Evidence, view: ProtocolView) -> list[Block]:
    """The methods of a protocol, the highest mean first, with differences from the reference or any other; the plot of
    mean score against training time, if times are known."""
    seconds = frame.seconds_per_thousand(evidence.scores, view.protocol, view.common.pool.datasets)
    intervals = {m: family_interval(view.scores[m], view.families) for m in view.methods}
    if view.family_count < FEWEST:  # Student's t of so few would leave the scale
        intervals = {}
    first = [view.reference] if view.has_reference else []
    options = [
        (wording.title(m), _against(evidence, view, m, seconds, intervals))
        for m in dict.fromkeys([*first, *view.ranking])
    ]
    blocks: list[Block] = [Choice(f"{view.key}-leaderboard", "Compare with", tuple(options))]
    train = seconds["train"].reindex(view.methods)
    if len(view.methods) > 1 and train.notna().any():
        caption = wording.prose("score-time", view=view, datasets=plural(len(view.scores), "common dataset"))
        name, title = f"{view.key}-{view.measure.key}-time", f"Mean {view.measure.title} against training time"
        blocks.append(score_time(name, title, caption, view.summary["mean_score"], train, view.measure))
    return blocks


def _against(
    evidence: Evidence,
    view: ProtocolView,
    reference: str,
    seconds: pd.DataFrame,
    intervals: Mapping[str, FamilyInterval],
) -> Table:
    measure = view.measure
    means, ranks, rates = view.summary["mean_score"], view.summary["friedman_rank"], win_rates(view.common.pool)
    found = {c.second: c for c in view.against(reference)}

    def time(kind: str, in_a_second: int, m: str) -> Cell:
        return seconds_cell(in_a_second * float(seconds[kind].get(m, float("nan"))))

    columns = [
        (Column("Method", "text"), lambda m: method_cell(evidence, m, reference)),
        (
            Column(f"Mean {measure.title}", hint=f"mean over datasets{measure.in_unit}"),
            lambda m: best_cell(means, m, measure.digits),
        ),
        (
            Column("95 % interval", "text", hint=wording.prose("mean-interval-hint"), minor=True),
            lambda m: _interval(intervals.get(m), measure.digits),
        ),
        (
            Column("Average rank", hint="mean rank over datasets, 1 is best; ties share their mean", lower_first=True),
            lambda m: best_cell(ranks, m, 2, lower=True),
        ),
        (Column("Win rate", hint=wording.prose("win-rate-hint"), minor=True), lambda m: best_cell(rates, m, 1)),
        *(
            (
                (
                    Column(
                        f"Δ {measure.title} ({wording.title(reference)} {wording.MINUS} method)",
                        hint=wording.prose("delta-hint", points=measure.points),
                    ),
                    lambda m: _difference(found.get(m), view, m == reference),
                ),
            )
            if found
            else ()
        ),
        *_by_seed(view, found),
        (
            Column("Train, s per 1,000", hint=wording.prose("train-hint"), lower_first=True, minor=True),
            partial(time, "train", 1),
        ),
        *(
            (
                (
                    Column("Predict, ms per 1,000", hint=wording.prose("predict-hint"), lower_first=True, minor=True),
                    partial(time, "predict", 1000),
                ),
            )
            if seconds["predict"].notna().any()
            else ()
        ),
    ]
    usual = reference == view.reference
    name = f"{view.key}-leaderboard" + ("" if usual else f"-{wording.slug(reference)}")
    first = evidence.first_folds(view)
    caption = (
        f"Leaderboard: {plural(len(view.scores), 'dataset')}, protocol {view.words}{f'; {first}' if first else ''}"
    )
    return table(name, caption, view.ranking, columns, note=_note(evidence, view, reference, list(found.values())))


def _by_seed(
    view: ProtocolView, found: Mapping[str, Comparison]
) -> list[tuple[Column, Callable[[str], Cell | str | int]]]:
    """What the difference is in each seed, if several have enough datasets."""
    if not any(c.difference.seed_range for c in found.values()):
        return []

    def spread(m: str) -> Cell:
        return Cell(wording.by_seed(found[m].difference, view.measure) if m in found else wording.DASH)

    return [(Column("By seed", "text", hint=wording.prose("seed-hint"), minor=True), spread)]


def _interval(found: FamilyInterval | None, digits: int) -> Cell:
    if found is None:
        return Cell(wording.DASH)
    return Cell(f"{wording.number(found.low, digits)} to {wording.number(found.high, digits)}")


def _difference(comparison: Comparison | None, view: ProtocolView, itself: bool) -> Cell:
    if comparison is None:
        return Cell("reference" if itself else wording.DASH)
    cell = marked_cell(comparison, view.measure)
    return replace(cell, hint=f"{cell.hint}; {comparison.verdict}")


def _note(evidence: Evidence, view: ProtocolView, reference: str, found: Sequence[Comparison]) -> str:
    """What is left out, seeds and families, what the mark means."""
    parts = []
    if found:
        title, any_significant = wording.title(reference), any(c.significant for c in found)
        parts.append(
            wording.prose("leaderboard-note", reference=title)
            if any_significant
            else wording.prose("leaderboard-none", reference=title)
        )
    if view.common.dropped:
        parts.append(f"Left out: {gaps_text(view.common.dropped, 3)}.")
    parts += [f"{wording.title(m)} has too few results ({n})." for m, n in view.common.left_out.items()]
    few = wording.few_families(view.family_count)
    return " ".join([*parts, seeds_text(view), few]).strip() + evidence.timings

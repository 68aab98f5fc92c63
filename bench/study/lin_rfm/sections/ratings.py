"""A real matrix: MovieLens 100k, where it is installed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.report import wording
from bench.report.blocks import Cell, Column, Notice, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import Claim, Verdict, not_measured
from bench.study.lin_rfm.sections.completing import SERIES, TITLES

_CLAIM = "Ours to ask: of use on a real matrix (MovieLens 100k)"
_TITLES = {**TITLES, "lin-RFM alternating 1/4": "lin-RFM, alternating, alpha 1/4", "means": "User and item means"}


def _errors(done: Sequence[Outcome]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for o in done:
        if o.cell.kind == "movielens":
            for method, values in o.values["methods"].items():
                found.setdefault(method, []).append(float(values["rmse"]))
    return found


def ratings_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Better than the means, and than alternating least squares?"""
    found = {method: float(np.mean(errors)) for method, errors in _errors(done).items()}
    if not found:
        return [not_measured(_CLAIM)]
    ours = min((m for m in found if m.startswith("lin-RFM")), key=lambda m: found[m])
    others = {m: found[m] for m in ("ALS", "soft-impute")}
    beats_means, beats_all = found[ours] < found["means"] - 0.002, found[ours] < min(others.values())
    shown = ", ".join(f"{_TITLES[m]} {found[m]:.4f}" for m in sorted(found, key=lambda m: found[m]))
    verdict: Verdict = "holds" if beats_means and beats_all else "holds in part" if beats_means else "does not hold"
    return [Claim(_CLAIM, f"Root mean squared error of ratings: {shown}.", verdict)]


def ratings_section(done: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Section | None:
    """The table, or why there is none."""
    found = _errors(done)
    if not found:
        skipped = [o for o in outcomes if o.cell.kind == "movielens" and o.status == "skipped"]
        if not skipped:
            return None
        return Section("ratings", "MovieLens", (Notice((f"Left out. {skipped[0].reason}",)),))
    first = next(o for o in done if o.cell.kind == "movielens")
    users, items = first.values["shape"]
    rows = []
    for method in sorted(found, key=lambda m: float(np.mean(found[m]))):
        cells = [o for o in done if o.cell.kind == "movielens"]
        seconds = [o.values["methods"][method].get("cpu_seconds", float("nan")) for o in cells]
        rows.append(
            (
                Cell(_TITLES[method], series=SERIES.get(method)),
                wording.num(float(np.mean(found[method])), 4),
                wording.num(min(found[method]), 4),
                wording.num(max(found[method]), 4),
                wording.num(float(np.mean(seconds)), 1),
            )
        )
    share = 100 * float(first.cell.parameters["test"])
    return Section(
        "ratings",
        "MovieLens",
        (
            text(
                f"{first.values['ratings']:,} ratings (1 to 5) of {items:,} films by {users:,} users; a "
                f"random {share:g} % "
                "are tested. All methods complete what users' and items' means leave over, and choose by the same "
                "held-out ratings."
            ),
            Table(
                "ratings",
                (Column("Method", "text"), Column("RMSE"), Column("lowest"), Column("highest"), Column("Processor s")),
                tuple(rows),
                "Error at the tested ratings",
                note=f"{wording.plural(len(next(iter(found.values()))), 'random division')}; deep linear networks were "
                "left out for their time.",
            ),
        ),
    )

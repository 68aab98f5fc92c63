"""A real matrix: MovieLens 100k, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Cell, Column, Notice, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import ADDITIONAL, Claim, Verdict, not_measured
from bench.study.lin_rfm.sections.methods import SERIES, TITLES
from bench.study.summary import of_kind

_CLAIM = f"{ADDITIONAL}: of use on a real matrix (MovieLens 100k)"
_TITLES = {**TITLES, "lin-RFM alternating 1/4": "lin-RFM, alternating, alpha 1/4", "means": "User and item means"}


def _errors(cells: Sequence[Outcome]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for o in cells:
        for method, values in o.values["methods"].items():
            found.setdefault(method, []).append(float(values["rmse"]))
    return found


MARGIN = 0.002
"""Difference in root mean squared error, of ratings from 1 to 5, that counts as one."""


def ratings_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Better than the means, and than alternating least squares and soft-impute, in every division of the ratings?"""
    cells = [o.values["methods"] for o in of_kind(done, "movielens")]
    if not cells:
        return [not_measured(_CLAIM)]
    ours = [_chosen(methods, [m for m in methods if m.startswith("lin-RFM")]) for methods in cells]
    rivals = [_chosen(methods, ("ALS", "soft-impute")) for methods in cells]
    over_means = [methods["means"]["rmse"] - methods[m]["rmse"] for methods, m in zip(cells, ours, strict=True)]
    over_rivals = [methods[r]["rmse"] - methods[m]["rmse"] for methods, m, r in zip(cells, ours, rivals, strict=True)]
    verdict: Verdict
    if _everywhere(over_means):
        verdict = "holds" if _everywhere(over_rivals) else "holds in part"
    else:
        verdict = "does not hold" if _everywhere([-gain for gain in over_means]) else "undecided"
    divisions = "; ".join(
        f"{_TITLES[m]} {methods[m]['rmse']:.4f}, {_TITLES[r]} {methods[r]['rmse']:.4f}, means "
        f"{methods['means']['rmse']:.4f}"
        for methods, m, r in zip(cells, ours, rivals, strict=True)
    )
    return [
        Claim(
            _CLAIM,
            f"Root mean squared error of ratings, the form of lin-RFM and its rival chosen by held-out ratings in each "
            f"division: {divisions}. Holds if lower by {MARGIN:g} in every division, in part if so than the means "
            "only.",
            verdict,
        )
    ]


def _chosen(methods: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """Of the methods called ``names`` the one with the least error at held-out ratings."""
    return min(names, key=lambda m: methods[m]["held_out_rmse"])


def _everywhere(gains: Sequence[float]) -> bool:
    return min(gains) > MARGIN


def ratings_section(done: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Section | None:
    """The table, or why there is none."""
    cells = of_kind(done, "movielens")
    found = _errors(cells)
    if not found:
        skipped = [o for o in of_kind(outcomes, "movielens") if o.status == "skipped"]
        if not skipped:
            return None
        return Section("ratings", "MovieLens", (Notice((f"Left out. {skipped[0].reason}",)),))
    first = cells[0]
    users, items = first.values["shape"]
    rows = []
    for method in sorted(found, key=lambda m: float(np.mean(found[m]))):
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
                note=f"{plural(len(next(iter(found.values()))), 'random division')}; deep linear networks were "
                "left out for their time.",
            ),
        ),
    )

"""Matrix completion: the published setting, ranks and densities, noise, and the claims about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.claims import Claim, SignTest, Verdict, not_measured
from bench.study.summary import band_words, grouped, mean_point

EXACT = 1e-3
"""Root mean squared error, relative to the entries', below which a matrix counts as recovered."""

PUBLISHED_STOP = 1e-3**0.5
"""The published code stops, satisfied, at a mean squared error of 1e-3."""

FLOOR = 1e-8
TITLES = {
    "as published 1/2": "lin-RFM as published, alpha 1/2",
    "as published 1": "lin-RFM as published, alpha 1",
    "lin-RFM alternating": "lin-RFM, alternating",
    "lin-RFM columns": "lin-RFM, columns, our ridges",
    "lin-RFM columns 1/4": "lin-RFM, columns, our ridges, alpha 1/4",
    "lin-RFM factored": "lin-RFM, factored",
    "soft-impute": "Soft-impute",
    "ALS": "ALS",
    "IRLS-1": "IRLS-1, SVD",
    "network 2": "Linear network, depth 2",
    "network 3": "Linear network, depth 3",
    "network 4": "Linear network, depth 4",
}
SERIES = {
    "lin-RFM alternating": 0,
    "lin-RFM columns": 1,
    "soft-impute": 2,
    "ALS": 3,
    "network 2": 4,
    "network 3": 5,
    "network 4": 6,
    "lin-RFM columns 1/4": 7,
    "as published 1/2": 8,
    "as published 1": 9,
    "lin-RFM factored": 10,
    "IRLS-1": 11,
}
_NETWORKS = ("network 2", "network 3", "network 4")
_PUBLISHED = ("as published 1/2", "as published 1")
_BETTER = "Better than deep linear networks on low-rank matrix completion without noise"
_NOISY = "Ours to ask: better than deep linear networks where the observed entries are noisy (alternating sides, ours)"
_SETTING = "Completes a matrix in the published code's setting (500 x 500, rank 5, 10,000 entries)"


def _of(done: Sequence[Outcome], kind: str) -> list[Outcome]:
    return [o for o in done if o.cell.kind == kind]


def _chosen(values: Mapping[str, Any], methods: Sequence[str]) -> float:
    """The test error of the one of ``methods`` that the held-out entries choose."""
    chosen = min((m for m in methods if m in values), key=lambda m: float(values[m]["held_out_rmse"]))
    return float(values[chosen]["rmse"])


def completion_claims(done: Sequence[Outcome]) -> list[Claim]:
    """The published setting; against networks, as published and alternating, without noise and with it."""
    return [_setting_claim(done), *_network_claims(_of(done, "completion")), _noise_claim(_of(done, "noise"))]


def _setting_claim(done: Sequence[Outcome]) -> Claim:
    cells = _of(done, "published")
    matrices: dict[int, dict[str, Mapping[str, Any]]] = {}
    for o in cells:
        matrices.setdefault(o.cell.seed, {})[o.cell.parameters["method"]] = o.values
    if not matrices or not all(m in found for found in matrices.values() for m in _PUBLISHED):
        return not_measured(_SETTING)
    chosen = [_chosen(found, _PUBLISHED) for found in matrices.values()]
    reached = sum(error < PUBLISHED_STOP for error in chosen)
    verdict: Verdict = "holds" if reached == len(chosen) else "holds in part" if reached else "does not hold"
    shown = "; ".join(
        f"{TITLES[m]} {_errors([float(found[m]['rmse']) for found in matrices.values() if m in found])}"
        for m in TITLES
        if any(m in found for found in matrices.values())
    )
    p = cells[0].cell.parameters
    return Claim(
        _SETTING,
        f"{p['size']} x {p['size']}, rank {p['rank']}, {p['count']:,} entries: as published, with the power, the "
        f"ridge's fall and the iteration chosen by held-out observed entries, {reached} of {len(chosen)} matrices get "
        f"to the published code's own goal, {PUBLISHED_STOP:.3f}. Root mean squared error at unseen entries, a figure "
        f"a matrix: {shown}.{_cut_off_words([{o.cell.parameters['method']: o.values} for o in cells])}",
        verdict,
    )


def _cut_off_words(found: Sequence[Mapping[str, Any]]) -> str:
    """How many networks of the cells' methods were still improving at their last step; empty if that is not known."""
    runs = [values[m] for values in found for m in _NETWORKS if m in values and "cut_off" in values[m]]
    if not runs:
        return ""
    return (
        f" Still improving when their {max(r['steps_at_most'] for r in runs):,} steps were used up: "
        f"{sum(bool(r['cut_off']) for r in runs)} of {len(runs)} networks (a depth, a matrix), whose errors more "
        "steps would lower."
    )


def _errors(values: Sequence[float]) -> str:
    return ", ".join(f"{v:.2g}" for v in values)


def _network_claims(cells: Sequence[Outcome]) -> list[Claim]:
    if not cells:
        return [not_measured(_BETTER)]
    networks = np.array([_chosen(o.values, _NETWORKS) for o in cells])
    found = []
    for methods, words in (
        (_PUBLISHED, "as published, power by held-out entries"),
        (("lin-RFM alternating",), "alternating sides, ours"),
    ):
        ours = np.array([_chosen(o.values, methods) for o in cells])
        test = SignTest(int((ours < networks).sum()), int((ours > networks).sum()))
        ratio = float(np.exp(np.mean(np.log(np.maximum(networks, FLOOR)) - np.log(np.maximum(ours, FLOOR)))))
        found.append(
            Claim(
                f"{_BETTER} ({words})",
                f"Lower error on {test.wins} of {len(cells)} matrices, higher on {test.losses} (sign test p "
                f"{wording.p_value(test.p)}); networks' error over lin-RFM's, geometric mean: {ratio:,.3g}. Recovered: "
                f"{int((ours < EXACT).sum())} against {int((networks < EXACT).sum())}."
                f"{_cut_off_words([o.values for o in cells])}",
                test.verdict,
            )
        )
    return found


def _noise_claim(cells: Sequence[Outcome]) -> Claim:
    if not cells:
        return not_measured(_NOISY)
    by_density = grouped(cells, lambda o: float(o.cell.parameters["density"]))
    gains = [_chosen(o.values, _NETWORKS) - _chosen(o.values, ("lin-RFM alternating",)) for o in cells]
    test = SignTest.of(gains)
    shown = "; ".join(
        f"{100 * density:g} % observed: "
        + ", ".join(
            f"{name} {_mean_words([_chosen(o.values, methods) for o in some])}"
            for name, methods in (
                ("alternating", ("lin-RFM alternating",)),
                ("as published", _PUBLISHED),
                ("networks", _NETWORKS),
            )
            if all(any(m in o.values for m in methods) for o in some)
        )
        for density, some in sorted(by_density.items())
    )
    return Claim(
        _NOISY,
        f"Noise of {cells[0].cell.parameters['noise']:g} of the entries' size: lower error on {test.wins} of "
        f"{len(cells)} matrices, higher on {test.losses} (sign test p {wording.p_value(test.p)}). Mean error, power "
        f"and depth chosen by held-out entries: {shown}.{_cut_off_words([o.values for o in cells])}",
        test.verdict,
    )


def _mean_words(values: Sequence[float]) -> str:
    """The mean and, of three or more, half of its 95 % Student interval."""
    point = mean_point(0.0, values)
    half = f" ± {wording.number(point.high - point.value, 3)}" if len(values) > 2 else ""
    return f"{wording.number(point.value, 3)}{half}"


def completion_section(done: Sequence[Outcome]) -> Section | None:
    """The published setting's table, and error by density for each rank."""
    cells = _of(done, "completion")
    blocks: list[Block] = []
    published = _published_table(_of(done, "published"))
    if published:
        blocks.append(published)
    if cells:
        size, ranks = cells[0].cell.parameters["size"], sorted({int(o.cell.parameters["rank"]) for o in cells})
        blocks.append(
            text(
                f"Then {size} x {size} matrices of other ranks, from other shares of their entries. All methods choose "
                "by the same twentieth of the observed entries, and see none of those that are tested. lin-RFM as "
                "published keeps its kernel between the columns and has two ridges; held-out entries decide when the "
                "second takes over. Columns has the same kernel and our ridges, which shrink steadily; alternating has "
                "them too, and its kernel between the columns and between the rows in turn. ALS is told twice the "
                "rank, half of it and the rank itself to choose from; the others are told nothing. Networks are as "
                "wide as the matrix. Every cell has a matrix and places of its own."
            )
        )
        blocks += [_by_density([o for o in cells if o.cell.parameters["rank"] == rank], rank) for rank in ranks]
        blocks.append(_recovery_table(cells))
    if not blocks:
        return None
    return Section("completion", "Matrix completion", tuple(blocks))


def _published_table(cells: Sequence[Outcome]) -> Table | None:
    if not cells:
        return None
    first = cells[0].cell.parameters
    rows = []
    for method in TITLES:
        some = [o for o in cells if o.cell.parameters["method"] == method]
        if some:
            rows.append(
                (
                    Cell(TITLES[method], series=SERIES[method]),
                    *(
                        _scientific(float(np.exp(np.mean(np.log([max(o.values[k], FLOOR) for o in some])))))
                        for k in ("rmse", "held_out_rmse")
                    ),
                    wording.num(float(np.mean([o.values["iterations"] for o in some])), 0),
                    wording.num(float(np.mean([o.values["cpu_seconds"] for o in some])), 1),
                    wording.num(len(some), 0),
                )
            )
    return Table(
        "published",
        (
            Column("Method", "text"),
            Column("RMSE, unseen"),
            Column("RMSE, held out"),
            Column("Iterations"),
            Column("Processor s"),
            Column("Matrices"),
        ),
        tuple(rows),
        f"{first['size']} x {first['size']}, rank {first['rank']}, {first['count']:,} entries observed",
        note="Root mean squared errors relative to the entries' own (1), geometric means over matrices. The published "
        f"code stops at {PUBLISHED_STOP:.3f}, measured on the unseen entries themselves. lin-RFM as published is "
        "github.com/aradha/lin-RFM's iteration, ridge 0.05 and from a squared held-out error of 0.1 on 0.001, at most "
        "3,000 iterations, the best by held-out entries. IRLS-1, which needs a schedule for its smoothing as well, has "
        "lin-RFM's for its ridge: from 1, by a tenth an iteration or to the squared held-out error, at most 400 "
        "iterations. The factored form and ALS are told the rank (factors of twice the rank; that or the rank itself); "
        "the others are not. Seconds include tuning."
        f"{_cut_off_words([{o.cell.parameters['method']: o.values} for o in cells])}",
    )


def _scientific(value: float) -> Cell:
    return Cell(f"{value:.2g}".replace("-", wording.MINUS), value)


def _by_density(cells: Sequence[Outcome], rank: int) -> Figure:
    densities = sorted({float(o.cell.parameters["density"]) for o in cells})
    lines = []
    for method in SERIES:
        points = []
        for density in densities:
            errors = [
                float(o.values[method]["rmse"])
                for o in cells
                if o.cell.parameters["density"] == density and method in o.values
            ]
            if errors:
                points.append(mean_point(100 * density, errors, log=True, floor=FLOOR))
        if points:
            lines.append(Curve(TITLES[method], SERIES[method], tuple(points)))
    repeats = len({o.cell.seed for o in cells})
    return curves(
        f"density-rank-{rank}",
        f"Rank {rank}: error at unseen entries",
        f"Geometric mean of {plural(repeats, 'matrix', 'matrices')}, relative to the entries' size"
        f"{band_words(repeats)}. Errors below {FLOOR:g} are drawn there.",
        lines,
        Axis("observed, percent of the entries"),
        Axis("root mean squared error", log=True, limits=(FLOOR / 2, 3.0)),
    )


def _recovery_table(cells: Sequence[Outcome]) -> Table:
    rows = []
    for method in SERIES:
        some = [o for o in cells if method in o.values]
        if some:
            errors = np.array([float(o.values[method]["rmse"]) for o in some])
            seconds = float(np.mean([float(o.values[method]["cpu_seconds"]) for o in some]))
            rows.append(
                (
                    Cell(TITLES[method], series=SERIES[method]),
                    wording.num(int((errors < EXACT).sum()), 0),
                    wording.num(len(errors), 0),
                    _scientific(float(np.median(errors))),
                    wording.num(seconds, 2),
                )
            )
    return Table(
        "recovery",
        (
            Column("Method", "text"),
            Column("Recovered"),
            Column("of"),
            Column("Median RMSE"),
            Column("Processor s"),
        ),
        tuple(rows),
        "All ranks and densities together",
        note=f"Recovered: root mean squared error at unseen entries below {EXACT:g} of the entries' own. "
        f"Seconds include tuning.{_cut_off_words([o.values for o in cells])}",
    )


def noise_section(done: Sequence[Outcome]) -> Section | None:
    """Errors against the exact matrix when the observed entries are noisy."""
    cells = _of(done, "noise")
    if not cells:
        return None
    densities = sorted({float(o.cell.parameters["density"]) for o in cells})
    rows = []
    for method in SERIES:
        if any(method in o.values for o in cells):
            shown = []
            for density in densities:
                errors = [float(o.values[method]["rmse"]) for o in cells if o.cell.parameters["density"] == density]
                shown.append(Cell(_mean_words(errors), float(np.mean(errors))))
            rows.append((Cell(TITLES[method], series=SERIES[method]), *shown))
    first, repeats = cells[0].cell.parameters, len({o.cell.seed for o in cells})
    return Section(
        "noise",
        "With noise",
        (
            text(
                f"The same with normal noise of {first['noise']:g} of the entries' size on all that is observed "
                f"(rank {first['rank']}, {first['size']} x {first['size']}); the error is against the matrix "
                "without noise."
            ),
            Table(
                "noise",
                (Column("Method", "text"), *(Column(f"{100 * d:g} % observed") for d in densities)),
                tuple(rows),
                "Root mean squared error at unseen entries, noisy observations",
                note=f"Mean of {plural(repeats, 'matrix', 'matrices')} a share"
                f"{' ± half of its 95 % Student interval' if repeats > 2 else ''}.",
            ),
        ),
    )

"""Matrix completion: the published setting, ranks and densities, noise, and the claims about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import Claim, Verdict, not_measured
from bench.study.figures import Axis, Curve, curves
from bench.study.summary import band_words, mean_point

EXACT = 1e-3
"""Root mean squared error, relative to the entries', below which a matrix counts as recovered."""

PUBLISHED_STOP = 1e-3**0.5
"""The published code stops, satisfied, at a mean squared error of 1e-3."""

FLOOR = 1e-8
TITLES = {
    "lin-RFM alternating": "lin-RFM, alternating",
    "lin-RFM columns": "lin-RFM, columns",
    "lin-RFM columns 1/4": "lin-RFM, columns, alpha 1/4",
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
    "lin-RFM factored": 8,
    "IRLS-1": 9,
}
_NETWORKS = ("network 2", "network 3", "network 4")
_BETTER = "Better than deep linear networks on low-rank matrix completion"
_SETTING = "Completes a matrix in the published code's setting (500 x 500, rank 5, 10,000 entries)"


def _of(done: Sequence[Outcome], kind: str) -> list[Outcome]:
    return [o for o in done if o.cell.kind == kind]


def _best_network(values: Mapping[str, Any]) -> float:
    """The test error of the depth that the held-out entries choose."""
    chosen = min((n for n in _NETWORKS if n in values), key=lambda n: float(values[n]["held_out_rmse"]))
    return float(values[chosen]["rmse"])


def completion_claims(done: Sequence[Outcome]) -> list[Claim]:
    """The published setting; against networks, as published and alternating."""
    return [_setting_claim(done), *_network_claims(_of(done, "completion"))]


def _setting_claim(done: Sequence[Outcome]) -> Claim:
    errors: dict[str, list[float]] = {}
    cells = _of(done, "published")
    for o in cells:
        errors.setdefault(o.cell.parameters["method"], []).append(float(o.values["rmse"]))
    if not {"lin-RFM columns", "lin-RFM alternating"} <= errors.keys():
        return not_measured(_SETTING)
    shown = ", ".join(f"{TITLES[m]} {_errors(errors[m])}" for m in TITLES if m in errors)
    published = max(errors["lin-RFM columns"]) < PUBLISHED_STOP
    alternating = max(errors["lin-RFM alternating"]) < PUBLISHED_STOP
    verdict: Verdict = "holds" if published else "holds in part" if alternating else "does not hold"
    words = {
        "holds": "",
        "holds in part": " As published (columns only), stopped by held-out observed entries, it does not get to the "
        "published code's own goal of 0.032; with the kernel on rows and columns in turn it does.",
        "does not hold": "",
    }
    p = cells[0].cell.parameters
    size = f"{p['size']} x {p['size']}, rank {p['rank']}, {p['count']:,} entries"
    return Claim(_SETTING, f"{size}: root mean squared error at unseen entries {shown}.{words[verdict]}", verdict)


def _errors(values: Sequence[float]) -> str:
    return " and ".join(f"{v:.2g}" for v in values)


def _network_claims(cells: Sequence[Outcome]) -> list[Claim]:
    if not cells:
        return [not_measured(_BETTER)]
    networks = np.array([_best_network(o.values) for o in cells])
    found = []
    for method, words in (
        ("lin-RFM columns", "as published: kernel between columns"),
        ("lin-RFM alternating", "alternating sides, ours"),
    ):
        ours = np.array([float(o.values[method]["rmse"]) for o in cells])
        wins, losses = int((ours < networks).sum()), int((ours > networks).sum())
        p = float(stats.binomtest(wins, wins + losses).pvalue)
        ratio = float(np.exp(np.mean(np.log(np.maximum(networks, FLOOR)) - np.log(np.maximum(ours, FLOOR)))))
        verdict: Verdict = (
            "holds" if wins > losses and p < 0.05 else "holds in part" if wins > losses else "does not hold"
        )
        found.append(
            Claim(
                f"{_BETTER} ({words})",
                f"Lower error on {wins} of {len(cells)} matrices, higher on {losses} (sign test p "
                f"{wording.p_value(p)}); networks' error over lin-RFM's, geometric mean: {ratio:,.3g}. Recovered: "
                f"{int((ours < EXACT).sum())} against {int((networks < EXACT).sum())}.",
                verdict,
            )
        )
    return found


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
                "by the same twentieth of the observed entries, and see none of those that are tested. lin-RFM "
                "alternating keeps its kernel between the columns and between the rows in turn; columns is "
                "the published "
                "form. ALS is told twice the rank, half of it and the rank itself to choose from; the others are told "
                "nothing. Networks are as wide as the matrix."
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
        "code stops at 0.032, measured on the unseen entries themselves. Seconds include tuning.",
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
        f"Geometric mean of {wording.plural(repeats, 'matrix', 'matrices')}, relative to the entries' size"
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
                    wording.num(float(np.median(errors)), 4),
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
        "Seconds include tuning.",
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
                shown.append(wording.num(float(np.mean(errors)), 3))
            rows.append((Cell(TITLES[method], series=SERIES[method]), *shown))
    first = cells[0].cell.parameters
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
            ),
        ),
    )

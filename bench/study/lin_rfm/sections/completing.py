"""Matrix completion: the published setting, ranks and densities, and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Figure, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.lin_rfm.sections.completion_claims import (
    PUBLISHED_STOP,
    ended_words,
    mean_words,
    others_words,
)
from bench.study.lin_rfm.sections.methods import EXACT, FLOOR, SERIES, TITLES
from bench.study.summary import band_words, mean_point, of_kind


def _rivals_words() -> str:
    """How the rivals are fitted, by the constants of their modules, which load PyTorch."""
    from bench.study.baselines.completing import (
        ALS_NEAR,
        ALS_PATIENCE,
        ALS_STARTS,
        ALS_SWEEPS,
        SOFT_END,
        SOFT_LEVELS,
        SOFT_PATIENCE,
        SOFT_STEPS,
    )
    from bench.study.baselines.networks import CHECK_EVERY, FOUND, PATIENCE, RATES, STARTS, STEPS, UNFITTED

    als = (
        f"It has {ALS_STARTS} random starts, the first with all ridges, the others with the best of these and with the "
        "smallest. A fit ends where the squared error at the held-out entries has not fallen by 1 % for "
        f"{ALS_PATIENCE} sweeps. One that used up its {ALS_SWEEPS} sweeps counts as cut off where its error there is "
        f"below {ALS_NEAR:g} times the least."
    )
    soft = (
        f"Soft-impute has {SOFT_LEVELS} thresholds, from 0.8 to {SOFT_END:g} of the largest singular value, each with "
        f"at most {SOFT_STEPS} iterations, and ends where the held-out error has not fallen for {SOFT_PATIENCE} "
        "thresholds."
    )
    networks = (
        f"Networks are as wide as the matrix; held-out entries choose among their {len(STARTS)} starts. Each is "
        f"trained at {len(RATES)} rates, the next when the squared error at the held-out entries has not fallen by 1 % "
        f"for {CHECK_EVERY * PATIENCE:,} steps, for {STEPS:,} steps at most. Without noise a start has not ended "
        f"before the error at the fitted entries is below {UNFITTED:g} of their size. Once a network or ALS has a "
        f"held-out error below {FOUND:g} of the entries' size, the matrix is recovered, and no further start is tried."
    )
    return f"{als} {soft} {networks}"


def completion_section(done: Sequence[Outcome]) -> Section | None:
    """The published setting's table, and error by density for each rank."""
    cells = of_kind(done, "completion")
    blocks: list[Block] = []
    published = _published_table(of_kind(done, "published"))
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
                "them too, and its kernel between the columns and between the rows in turn. ALS (alternating least "
                "squares with a ridge) chooses its rank among 1, 2, 4, 8 and 16; no method is told the rank. "
                f"{_rivals_words()} Every grid cell has a matrix and places of its own."
            )
        )
        blocks += [_by_density([o for o in cells if o.cell.parameters["rank"] == rank], rank) for rank in ranks]
        blocks.append(_recovery_table(cells))
    if not blocks:
        return None
    return Section("completion", "Matrix completion", tuple(blocks))


def _published_table(cells: Sequence[Outcome]) -> Table | None:
    from bench.study.baselines.completing import PUBLISHED_ITERATIONS, PUBLISHED_PATIENCE

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
        f"{PUBLISHED_ITERATIONS:,} iterations and {PUBLISHED_PATIENCE} without a lower held-out error (the published "
        "code waits for 20), the best by held-out entries. IRLS-1, which needs a schedule for its smoothing as well, "
        "has lin-RFM's for its ridge: from 1, by a tenth an iteration or to the squared held-out error, at most 400 "
        "iterations. The factored form and ALS are told the rank (factors of twice the rank; that or the rank itself); "
        "the others are not. Seconds include tuning. Networks, of which at this size a step takes a hundred times as "
        "long, are compared below on smaller matrices, where they end.",
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
        f"Seconds include tuning.{ended_words(cells)}{others_words(cells)}",
    )


def noise_section(done: Sequence[Outcome]) -> Section | None:
    """Errors against the exact matrix when the observed entries are noisy."""
    cells = of_kind(done, "noise")
    if not cells:
        return None
    densities = sorted({float(o.cell.parameters["density"]) for o in cells})
    rows = []
    for method in SERIES:
        if any(method in o.values for o in cells):
            shown = []
            for density in densities:
                errors = [float(o.values[method]["rmse"]) for o in cells if o.cell.parameters["density"] == density]
                shown.append(Cell(mean_words(errors), float(np.mean(errors))))
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

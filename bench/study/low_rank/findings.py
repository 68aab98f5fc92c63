"""What the low-rank study found: R^2 by dimension, and whether the metric finds the subspace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Strong, Table, text
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, PAPER, claims_table
from bench.study.low_rank.cells import METHODS
from bench.study.low_rank.claims import OVERALL_RULE, dimension_claims, verdicts_table
from bench.study.low_rank.grids import AXES, EPOCH, UPDATES
from bench.study.low_rank.search import LEAST
from bench.study.report import Findings
from bench.study.summary import band_words, mean_point, of_kind

TITLES = {
    "product": "product: z1 z2, along two features",
    "rotated": "rotated: z1 z2, along two random directions",
    "cubic": "cubic: (z1 + z2 z3 + (z3³ - 3 z3) / 2) / √3.5, along three random directions",
}
OFTEN = 0.1
"""Share of grid cells with an edge selected above which a grid counts as too small."""

_NAMES = {"rate": "learning rate", "decay": "weight decay", "depth": "hidden layers", "iterations": "updates of M"}
RANKS = {"product": 2, "rotated": 2, "cubic": 3}


def find(outcomes: Sequence[Outcome]) -> Findings:
    """The report's content from the cells that have a result."""
    done = [o for o in of_kind(outcomes, "regression") if o.status == "ok"]
    present = [t for t in TITLES if any(o.cell.parameters["target"] == t for o in done)]
    judged = dimension_claims(done)
    claims = [one.overall for one in judged]
    edges = _edges_table(done)
    sizes = done[0].cell.parameters if done else {"train": 0, "test": 0, "noise": 0.0}
    head = Section(
        "claims",
        "What holds",
        (
            text(
                "A Recursive Feature Machine learns a metric M, the average gradient outer product of its fit. ",
                PAPER,
                " say that it so finds the few directions on which a function depends, and beats fixed kernels and "
                "networks on low-rank polynomials. Measured here:",
            ),
            claims_table(
                claims,
                "Every method chooses its hyperparameters on the same fifth of the training rows. "
                f"{COMPARISON_RULE} {OVERALL_RULE}",
            ),
            *([verdicts_table(judged)] if any(one.judged for one in judged) else []),
        ),
    )
    setting = Section(
        "setting",
        "Targets and methods",
        (
            text(
                "The paper does not print formulas for all of its low-rank targets; ",
                Strong("those used here are ours"),
                ". x is standard normal in d dimensions, z = U'x its coordinates in the true subspace, every "
                "target has "
                f"variance 1. {sizes['train']:,} training rows with normal noise of {sizes['noise']:g}, "
                f"{sizes['test']:,} test rows without noise.",
            ),
            Items(tuple((TITLES[t],) for t in TITLES)),
            text(
                "RFM, its diagonal form and the Laplace kernel choose ridge and bandwidth, RFM the number of updates "
                f"of M too (up to {UPDATES.values[-1]:g}); the neural tangent kernel (NTK) ridge and depth; the "
                "network (MLP, AdamW) learning rate, weight decay, hidden layers, width and the number of epochs (up "
                f"to {EPOCH.values[-1]:g}). The search starts in the middle of the grids below and moves to a "
                f"neighbour while that lowers the squared error on the held-out fifth by more than {100 * LEAST:g} %: "
                "the neighbours of what is selected were all tried. Kernels look at all eight neighbours at once, the "
                "network at one hyperparameter at a time. All are refitted, as chosen, on all training rows."
            ),
            *([edges] if edges else []),
        ),
    )
    sections = [_target_section(done, t) for t in present]
    return Findings(
        "Does RFM find the directions that matter?",
        "Recursive Feature Machines on low-rank polynomial regression",
        claims,
        (head, setting, *sections),
    )


def _values(done: Sequence[Outcome], target: str, method: str, key: str) -> dict[int, list[float]]:
    """d: values of the repeats."""
    found: dict[int, list[float]] = {}
    for o in sorted(done, key=lambda o: (int(o.cell.parameters["d"]), o.cell.seed)):
        p = o.cell.parameters
        if p["target"] == target and p["method"] == method and o.values.get(key) is not None:
            found.setdefault(int(p["d"]), []).append(float(o.values[key]))
    return found


def _edges_table(done: Sequence[Outcome]) -> Table | None:
    """How often the last value of a grid was selected, which a wider grid might have improved on."""
    rows, often = [], []
    for series, method in enumerate(METHODS):
        some = [o.values for o in done if o.cell.parameters["method"] == method and "at_edge" in o.values]
        for axis in AXES[method] if some else ():
            ends = np.mean([axis.name in values["at_edge"] for values in some])
            if ends > OFTEN:
                often.append(f"{method}'s {_NAMES.get(axis.name, axis.name)} ({100 * ends:.0f} %)")
            natural = np.mean([values["chosen"].get(axis.name) == axis.values[0] for values in some])
            rows.append(
                (
                    Cell(method, series=series),
                    Cell(_NAMES.get(axis.name, axis.name)),
                    Cell(f"{axis.values[0]:g} to {axis.values[-1]:g}"),
                    wording.num(100 * float(ends), 0),
                    wording.num(100 * float(natural), 0) if axis.first_is_natural else Cell(wording.DASH),
                    wording.num(len(some), 0),
                )
            )
    if not rows:
        return None
    return Table(
        "edges",
        (
            Column("Method", "text"),
            Column("Hyperparameter", "text"),
            Column("Grid", "text"),
            Column("At an edge, %"),
            Column("At a natural end, %"),
            Column("Grid cells"),
        ),
        tuple(rows),
        "How often the edge of a grid is selected",
        note="An edge is a value beyond which a wider grid would go on; no updates, one hidden layer and no decay are "
        "natural ends. Epochs are at their edge where the limit came before the early stopping. "
        + (
            f"Above {100 * OFTEN:g} %: {', '.join(often)}; a wider grid, which would cost more, might do better there."
            if often
            else f"None is above {100 * OFTEN:g} %."
        ),
    )


def _target_section(done: Sequence[Outcome], target: str) -> Section:
    curves_r2, rows = [], []
    dimensions = sorted({int(o.cell.parameters["d"]) for o in done if o.cell.parameters["target"] == target})
    for series, method in enumerate(METHODS):
        found = _values(done, target, method, "r2")
        if found:
            points = tuple(_bounded(mean_point(d, v)) for d, v in found.items())
            curves_r2.append(Curve(method, series, points))
            rows.append(
                (
                    Cell(method, series=series),
                    *(wording.num(float(np.mean(found[d])) if d in found else None, 3) for d in dimensions),
                )
            )
    repeats = len({o.cell.seed for o in done if o.cell.parameters["target"] == target})
    note = f"{plural(repeats, 'repeat')}{band_words(repeats)}."
    blocks: list[Block] = [
        curves(
            f"{target}-r2",
            "R² on test rows",
            f"Target {target}. {note} Values below -0.2 are drawn there.",
            curves_r2,
            Axis("features d", log=True),
            Axis("R²", limits=(-0.2, 1.02)),
        ),
        Table(
            f"{target}-r2-table",
            (Column("Method", "text"), *(Column(f"d = {d}") for d in dimensions)),
            tuple(rows),
            f"Mean R², target {target}",
        ),
    ]
    aligned = [
        Curve(method, METHODS.index(method), tuple(_bounded(mean_point(d, v), 0.0) for d, v in found.items()))
        for method in ("RFM", "diagonal RFM")
        if (found := _values(done, target, method, "alignment"))
    ]
    if aligned:
        chance = tuple(Point(d, *(3 * (RANKS[target] / d,))) for d in dimensions)
        aligned.append(Curve("Random directions", 6, chance))
        blocks.append(
            curves(
                f"{target}-alignment",
                f"Alignment of M's {RANKS[target]} leading eigenvectors with the true subspace",
                f"Target {target}. Mean squared cosine, 1 if the spans are equal. {note}",
                aligned,
                Axis("features d", log=True),
                Axis("mean squared cosine", limits=(0.0, 1.02)),
            )
        )
    return Section(f"target-{target}", TITLES[target], tuple(blocks))


def _bounded(point: Point, low: float = -0.2) -> Point:
    """The point with an interval that stays where the quantity can be."""
    return Point(point.x, point.value, max(low, min(point.low, point.value)), min(1.0, point.high))

"""What the low-rank study found: R^2 by dimension, and whether the metric finds the subspace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Link, Section, Strong, Table, text
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, Claim, SignTest, Verdict, claims_table, not_measured
from bench.study.report import Findings
from bench.study.summary import band_words, mean_point

PAPER = Link("Radhakrishnan et al. (2024)", "https://arxiv.org/abs/2212.13881")
METHODS = ("RFM", "diagonal RFM", "Laplace", "NTK", "MLP")
TITLES = {
    "product": "product: z1 z2, along two features",
    "rotated": "rotated: z1 z2, along two random directions",
    "cubic": "cubic: (z1 + z2 z3 + (z3³ - 3 z3) / 2) / √3.5, along three random directions",
}
RANKS = {"product": 2, "rotated": 2, "cubic": 3}
ALIGNED = 0.9
"""Mean squared cosine with the true subspace from which M's leading eigenvectors count as spanning it."""

MARGIN = 0.02
"""Difference of mean R² that counts as one, of the diagonal metric to the full one."""


def find(outcomes: Sequence[Outcome]) -> Findings:
    """The report's content from the cells that have a result."""
    done = [o for o in outcomes if o.status == "ok"]
    present = [t for t in TITLES if any(o.cell.parameters["target"] == t for o in done)]
    claims = _claims(done)
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
                f"Every method chooses its hyperparameters on the same fifth of the training rows. {COMPARISON_RULE}",
            ),
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
                "RFM, its diagonal form and the Laplace kernel choose ridge (0.1, 0.01, 0.001) and bandwidth "
                "(3, 10, 30), "
                "RFM the number of updates of M too (up to 6); the neural tangent kernel (NTK) the same "
                "ridges and 1 to "
                "3 hidden layers; the network (MLP) 1 or 2 layers of 256 units, two learning rates, two "
                "weight decays and "
                "the number of epochs (up to 120). All are refitted, as chosen, on all training rows."
            ),
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


def _claims(done: Sequence[Outcome]) -> list[Claim]:
    return [
        _versus(
            done, ("Laplace", "NTK"), "RFM beats kernels that learn no features (Laplace, NTK) on low-rank targets"
        ),
        _versus(done, ("MLP",), "RFM beats a tuned network on low-rank targets"),
        _alignment_claim(done),
        _diagonal_claim(done),
    ]


def _paired(done: Sequence[Outcome], key: str = "r2") -> dict[tuple[str, int, int], dict[str, float]]:
    """(target, d, seed): value of every method."""
    found: dict[tuple[str, int, int], dict[str, float]] = {}
    for o in done:
        p = o.cell.parameters
        if o.values.get(key) is not None:
            found.setdefault((p["target"], int(p["d"]), o.cell.seed), {})[p["method"]] = float(o.values[key])
    return found


def _versus(done: Sequence[Outcome], others: tuple[str, ...], words: str) -> Claim:
    pairs = [v for v in _paired(done).values() if "RFM" in v and all(m in v for m in others)]
    if not pairs:
        return not_measured(words)
    gains = np.array([v["RFM"] - max(v[m] for m in others) for v in pairs])
    test = SignTest.of(gains)
    rival = "the network" if len(others) == 1 else "the better of them"
    means = ", ".join(f"{m} {np.mean([v[m] for v in pairs]):.3f}" for m in ("RFM", *others))
    return Claim(
        words,
        f"Higher R² than {rival} on {test.wins} of {len(pairs)} problems, lower on {test.losses} (sign test p "
        f"{wording.p_value(test.p)}). Mean R²: {means}.",
        test.verdict,
    )


def _alignment_claim(done: Sequence[Outcome]) -> Claim:
    words = "The leading eigenvectors of M span the true subspace"
    found = [(k, v["RFM"]) for k, v in _paired(done, "alignment").items() if "RFM" in v]
    if not found:
        return not_measured(words)
    values = np.array([v for _, v in found])
    missed = sorted({(t, d) for (t, d, _), v in found if v < ALIGNED})
    good = int((values >= ALIGNED).sum())
    verdict: Verdict = (
        "holds" if good == len(values) else "holds in part" if good > len(values) / 2 else "does not hold"
    )
    where = "" if not missed else " Not on: " + ", ".join(f"{t} with d = {d}" for t, d in missed) + "."
    return Claim(
        words,
        f"Mean squared cosine at least {ALIGNED:g} on {good} of {len(values)} problems (median "
        f"{np.median(values):.3f}). Holds in part above half of them." + where,
        verdict,
    )


def _diagonal_claim(done: Sequence[Outcome]) -> Claim:
    words = "A diagonal metric suffices when directions are features, and does not when they are rotated"
    pairs = _paired(done)
    along = [v["diagonal RFM"] - v["RFM"] for (t, *_), v in pairs.items() if t == "product" and _both(v)]
    turned = [v["diagonal RFM"] - v["RFM"] for (t, *_), v in pairs.items() if t != "product" and _both(v)]
    if not along or not turned:
        return not_measured(words)
    one, other = float(np.mean(along)), float(np.mean(turned))
    suffices, fails = one > -MARGIN, other < -MARGIN
    verdict: Verdict = "holds" if suffices and fails else "holds in part" if suffices or fails else "does not hold"
    return Claim(
        words,
        f"Diagonal RFM's R² less RFM's: {wording.number(one, 3, sign=True)} along features, "
        f"{wording.number(other, 3, sign=True)} along random directions. It suffices where it loses less than "
        f"{MARGIN:g}; if only one half of the claim is so, it holds in part.",
        verdict,
    )


def _both(values: dict[str, float]) -> bool:
    return "RFM" in values and "diagonal RFM" in values


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

"""Sparse regression: phases of recovery, and the claim against deep linear networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.report import wording
from bench.report.blocks import Cell, Column, Link, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.claims import ADDITIONAL, Claim, SignTest, agreed, not_measured
from bench.study.figures import Phases, phase_diagram
from bench.study.summary import of_kind, share_point

RECOVERED = 0.05
"""Relative error of the coefficients below which they count as found: what a network's start leaves is smaller."""

EXACT = 1e-3
"""The same, stricter."""

TITLES = {
    "lin-RFM 0.5": "lin-RFM, alpha 1/2",
    "lin-RFM 0.25": "lin-RFM, alpha 1/4",
    "Lasso": "Lasso (basis pursuit)",
    "OMP": "OMP",
    "network 2": "Linear network, depth 2",
    "network 3": "Linear network, depth 3",
    "network 4": "Linear network, depth 4",
}
_NETWORKS = ("network 2", "network 3", "network 4")
WOODWORTH = Link("Woodworth et al. (2020)", "https://arxiv.org/abs/2002.09277")
_BETTER = "Better than deep linear networks on sparse linear regression"


def _recovered(done: Sequence[Outcome], below: float) -> dict[str, np.ndarray]:
    """Method: one truth value a problem, error ``below`` or not, the problems of all cells in one order."""
    cells = of_kind(done, "sparse")
    if not cells:
        return {}
    return {m: np.concatenate([np.array(o.values["errors"][m]) < below for o in cells]) for m in TITLES}


def regression_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Recovery against networks, and against Lasso and OMP."""
    found, exactly = _recovered(done, RECOVERED), _recovered(done, EXACT)
    if not found:
        return [not_measured(_BETTER)]
    ours, networks, ended = found["lin-RFM 0.5"], _any_network(found), _ended(done)
    test = _compared(ours, networks)
    # Where a network neither ended nor recovered it might still recover.
    might = _compared(ours, networks | ~ended)
    against_networks = Claim(
        _BETTER,
        f"Of {len(ours):,} noise-free problems, lin-RFM (alpha 1/2) recovers {_share(ours)}, networks of depth 2 to 4, "
        f"the best of the three and of their starts taken by the truth, {_share(networks)}. Only lin-RFM: {test.wins}, "
        f"only a network: {test.losses} (sign test p {wording.p_value(test.p)}). To {100 * EXACT:g} % instead of "
        f"{100 * RECOVERED:g} %: {_share(exactly['lin-RFM 0.5'])} and {_share(_any_network(exactly))}. Problems whose "
        f"networks were all trained to their end: {int(ended.sum()):,} of {len(ended):,}.",
        agreed(test, might),
    )
    rival = max(("Lasso", "OMP"), key=lambda m: int(found[m].sum()))
    test = _compared(ours, found[rival])
    against_others = Claim(
        f"{ADDITIONAL}: more than Lasso and OMP",
        f"lin-RFM alpha 1/2 {_share(ours)}, alpha 1/4 {_share(found['lin-RFM 0.25'])}, Lasso at the end of its path "
        f"{_share(found['Lasso'])}, OMP {_share(found['OMP'])}. Only lin-RFM (alpha 1/2): {test.wins}, only {rival}: "
        f"{test.losses} (sign test p {wording.p_value(test.p)}).",
        test.verdict,
    )
    return [against_networks, against_others]


def _ended(done: Sequence[Outcome]) -> np.ndarray:
    """One truth value a problem: whether the networks of all depths, from all starts, were trained to their end."""
    values = [o.values for o in of_kind(done, "sparse")]
    return np.concatenate([~np.any([v["unfinished"][m] for m in _NETWORKS], axis=0) for v in values])


def _any_network(recovered: dict[str, np.ndarray]) -> np.ndarray:
    return np.any([recovered[m] for m in _NETWORKS], axis=0)


def _compared(ours: np.ndarray, theirs: np.ndarray) -> SignTest:
    return SignTest(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))


def _listed(starts: Sequence[float]) -> str:
    return f"{', '.join(f'{start:g}' for start in starts[:-1])} or {starts[-1]:g}" if starts[1:] else f"{starts[0]:g}"


def _share(truth: np.ndarray) -> str:
    return f"{100 * truth.mean():.1f} %"


def regression_section(done: Sequence[Outcome]) -> Section | None:
    """Phase diagrams, recovery over observations, seconds."""
    cells = of_kind(done, "sparse")
    if not cells:
        return None
    panels = []
    for method, title in TITLES.items():
        shares = {
            (float(o.cell.parameters["nonzeros"]), float(o.cell.parameters["n"])): float(
                np.mean(np.array(o.values["errors"][method]) < RECOVERED)
            )
            for o in cells
        }
        panels.append(Phases(title, shares))
    first = cells[0].cell.parameters
    d, problems = first["d"], first["problems"]
    starts = [float(start) for start in cells[0].values["starts"]]
    lines = []
    for series, (method, title) in enumerate(TITLES.items()):
        points = []
        for n in sorted({int(o.cell.parameters["n"]) for o in cells}):
            errors = np.concatenate([o.values["errors"][method] for o in cells if o.cell.parameters["n"] == n])
            points.append(share_point(n, int((errors < RECOVERED).sum()), len(errors)))
        lines.append(Curve(title, series, tuple(points)))
    found, exactly = _recovered(done, RECOVERED), _recovered(done, EXACT)
    rows = tuple(
        (
            Cell(title, series=s),
            wording.num(100 * float(found[m].mean()), 1),
            wording.num(100 * float(exactly[m].mean()), 1),
            wording.num(1e3 * float(np.mean([o.values["seconds"][m] for o in cells])), 1),
        )
        for s, (m, title) in enumerate(TITLES.items())
    )
    return Section(
        "regression",
        "Sparse regression",
        (
            text(
                f"Noise-free problems with {d} features: rows of independent normal entries, as many nonzero "
                f"coefficients (normal) as said, {problems} problems a grid cell. Recovered means a relative error "
                f"below {100 * RECOVERED:.0f} %; the table has {100 * EXACT:g} % too. lin-RFM at alpha 1/4 is IRLS-1, "
                "and minimises what basis pursuit minimises. Networks are of the form u^depth - v^depth, started at "
                f"u^depth = v^depth = {_listed(starts)}; the start that came closest to the truth counts, which no "
                "choice among them could improve on. They are trained to their end: gradient flow, which gradient "
                "descent follows as its steps become small, ends at the solution of a convex problem (",
                WOODWORTH,
                "), which is solved to a relative residual of 1e-6. The smaller the start, the closer the end is to "
                "basis pursuit.",
            ),
            phase_diagram(
                "phases",
                "How often the coefficients are recovered",
                f"Share of {problems} problems, in percent: nonzero coefficients against observations.",
                panels,
                "observations",
                "nonzeros",
            ),
            curves(
                "recovery",
                "Recovery over all numbers of nonzeros",
                "Share of all problems with so many observations; shaded: 95 % Wilson interval.",
                lines,
                Axis("observations"),
                Axis("share recovered", limits=(0.0, 1.0)),
            ),
            Table(
                "regression-recovery",
                (
                    Column("Method", "text"),
                    Column(f"To {100 * RECOVERED:g} %, share"),
                    Column(f"To {100 * EXACT:g} %, share"),
                    Column("Processor ms a problem"),
                ),
                rows,
                "Recovery over all grid cells, in percent, and what a problem takes",
                note="One thread; the starts of a network together; mean over all grid cells.",
            ),
        ),
    )

"""Sparse regression: phases of recovery, and the claim against deep linear networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.report import wording
from bench.report.blocks import Cell, Column, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import Claim, Verdict, not_measured
from bench.study.figures import Axis, Curve, Phases, curves, phase_diagram
from bench.study.summary import share_point

RECOVERED = 0.05
TITLES = {
    "lin-RFM 0.5": "lin-RFM, alpha 1/2",
    "lin-RFM 0.25": "lin-RFM, alpha 1/4",
    "Lasso": "Lasso (basis pursuit)",
    "OMP": "OMP",
    "network 2": "Linear network, depth 2",
    "network 3": "Linear network, depth 3",
}
_BETTER = "Better than deep linear networks on sparse linear regression"


def _recovered(done: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """Method: one truth value a problem, the problems of all cells in one order."""
    cells = [o for o in done if o.cell.kind == "sparse"]
    if not cells:
        return {}
    return {m: np.concatenate([np.array(o.values["errors"][m]) < RECOVERED for o in cells]) for m in TITLES}


def regression_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Recovery against networks, and against Lasso and OMP."""
    found = _recovered(done)
    if not found:
        return [not_measured(_BETTER)]
    ours = found["lin-RFM 0.5"]
    networks = found["network 2"] | found["network 3"]
    total = len(ours)
    only_ours, only_theirs = int((ours & ~networks).sum()), int((networks & ~ours).sum())
    p = _sign_test(only_ours, only_theirs)
    verdict: Verdict = "holds" if only_ours > only_theirs and p < 0.05 else "does not hold"
    against_networks = Claim(
        _BETTER,
        f"Of {total:,} noise-free problems, lin-RFM (alpha 1/2) recovers {_share(ours)}, networks of depth 2 or 3, the "
        f"better of the two and of two starts taken by the truth, {_share(networks)}. Only lin-RFM: "
        f"{only_ours}, only a "
        f"network: {only_theirs} (sign test p {wording.p_value(p)}).",
        verdict,
    )
    lasso, omp = found["Lasso"], found["OMP"]
    more = ours.sum() > max(lasso.sum(), omp.sum())
    against_others = Claim(
        "Ours to ask: more than Lasso and OMP",
        f"lin-RFM alpha 1/2 {_share(ours)}, alpha 1/4 {_share(found['lin-RFM 0.25'])}, Lasso at the end of its path "
        f"{_share(lasso)}, OMP {_share(omp)}.",
        "holds" if more else "does not hold",
    )
    return [against_networks, against_others]


def _share(truth: np.ndarray) -> str:
    return f"{100 * truth.mean():.1f} %"


def _sign_test(wins: int, losses: int) -> float:
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def regression_section(done: Sequence[Outcome]) -> Section | None:
    """Phase diagrams, recovery over observations, seconds."""
    cells = [o for o in done if o.cell.kind == "sparse"]
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
    lines = []
    for series, (method, title) in enumerate(TITLES.items()):
        points = []
        for n in sorted({int(o.cell.parameters["n"]) for o in cells}):
            errors = np.concatenate([o.values["errors"][method] for o in cells if o.cell.parameters["n"] == n])
            points.append(share_point(n, int((errors < RECOVERED).sum()), len(errors)))
        lines.append(Curve(title, series, tuple(points)))
    seconds = tuple(
        (Cell(title, series=s), wording.num(1e3 * float(np.mean([o.values["seconds"][m] for o in cells])), 1))
        for s, (m, title) in enumerate(TITLES.items())
    )
    return Section(
        "regression",
        "Sparse regression",
        (
            text(
                f"Noise-free problems with {d} features: rows of independent normal entries, as many nonzero "
                f"coefficients (normal) as said, {problems} problems a field. Recovered means a relative error below "
                f"{100 * RECOVERED:.0f} %, which is loose because networks converge slowly. lin-RFM at alpha 1/4 is "
                "IRLS-1, and minimises what basis pursuit minimises. Networks are of the form u^depth - "
                "v^depth, trained "
                "by gradient descent from two small starts; the start that came closer to the truth counts, which no "
                "tuning could improve on."
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
                "regression-seconds",
                (Column("Method", "text"), Column("Processor ms a problem")),
                seconds,
                "What a problem takes",
                note="One thread; the two starts of a network together; mean over all fields.",
            ),
        ),
    )

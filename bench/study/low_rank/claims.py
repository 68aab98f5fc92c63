"""The claims of the low-rank study: a verdict in each dimension, and the overall one that follows from these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.report import wording
from bench.report.blocks import Cell, Column, Table
from bench.study.cell import Outcome
from bench.study.claims import Claim, SignTest, Verdict, not_measured

ALIGNED = 0.9
"""Mean squared cosine with the true subspace from which M's leading eigenvectors count as spanning it."""

MARGIN = 0.02
"""Difference of mean R² that counts as one, of the diagonal metric to the full one."""

OVERALL_RULE = (
    "Each claim has a verdict in each dimension d. It holds if it holds in all of them, and in part if it holds, or "
    "holds in part, in some; else it does not hold if it does not in one, and is undecided if it is in all."
)

Values = Mapping[str, float]
Problems = Mapping[tuple[str, int, int], Values]
"""(target, d, seed): a value of every method."""


@dataclass(frozen=True)
class Judged:
    """In one dimension: the verdict, and its figures in few words."""

    verdict: Verdict
    words: str


@dataclass(frozen=True)
class ByDimension:
    """A claim, in full and in ``short``, with what was found in each dimension, and overall in figures."""

    claim: str
    short: str
    judged: Mapping[int, Judged]
    measured: str

    @property
    def overall(self) -> Claim:
        """By :data:`OVERALL_RULE`."""
        if not self.judged:
            return not_measured(self.claim)
        return Claim(self.claim, f"{self._where()} {self.measured}".strip(), overall(self.judged))

    def _where(self) -> str:
        found: dict[str, list[str]] = {}
        for d, one in sorted(self.judged.items()):
            found.setdefault(one.verdict, []).append(str(d))
        if len(found) == 1:
            return ""
        where = "; ".join(f"{verdict} at d = {', '.join(some)}" for verdict, some in found.items())
        return f"{where[0].upper()}{where[1:]}."


def overall(judged: Mapping[int, Judged]) -> Verdict:
    """The verdict on all dimensions, by :data:`OVERALL_RULE`."""
    verdicts = {one.verdict for one in judged.values()}
    if verdicts == {"holds"}:
        return "holds"
    if verdicts & {"holds", "holds in part"}:
        return "holds in part"
    return "does not hold" if "does not hold" in verdicts else "undecided"


def dimension_claims(done: Sequence[Outcome]) -> list[ByDimension]:
    """RFM against kernels and network; the subspace; the diagonal metric."""
    r2, aligned = _problems(done, "r2"), _problems(done, "alignment")
    return [
        _versus(
            r2,
            ("Laplace", "NTK"),
            "RFM beats kernels that learn no features (Laplace, NTK) on low-rank targets",
            "Beats kernels",
        ),
        _versus(r2, ("MLP",), "RFM beats a tuned network on low-rank targets", "Beats the network"),
        _alignment(aligned),
        _diagonal(r2),
    ]


def verdicts_table(claims: Sequence[ByDimension]) -> Table:
    """Claim by dimension: the verdict with its figures."""
    dimensions = sorted({d for claim in claims for d in claim.judged})
    rows = tuple(
        (
            Cell(claim.short),
            *(
                Cell(f"{claim.judged[d].verdict} ({claim.judged[d].words})" if d in claim.judged else wording.DASH)
                for d in dimensions
            ),
        )
        for claim in claims
    )
    return Table(
        "verdicts-by-dimension",
        (Column("Claim", "text"), *(Column(f"d = {d}", "text") for d in dimensions)),
        rows,
        "Verdict by dimension",
        note="In brackets: problems (a target, a repeat) on which RFM's R² is higher : lower than the best other's; "
        f"problems with a mean squared cosine of at least {ALIGNED:g}; R² of diagonal RFM less RFM's along features, "
        "along random directions. The targets of a repeat have all but a few of their rows in common, so that its "
        "problems are not independent.",
        sortable=False,
    )


def _problems(done: Sequence[Outcome], key: str) -> Problems:
    found: dict[tuple[str, int, int], dict[str, float]] = {}
    for o in done:
        p = o.cell.parameters
        if o.values.get(key) is not None:
            found.setdefault((p["target"], int(p["d"]), o.cell.seed), {})[p["method"]] = float(o.values[key])
    return found


def _split(problems: Problems, methods: Sequence[str]) -> dict[int, dict[tuple[str, int, int], Values]]:
    """d: the problems on which all of ``methods`` have a value."""
    found: dict[int, dict[tuple[str, int, int], Values]] = {}
    for key, values in problems.items():
        if all(method in values for method in methods):
            found.setdefault(key[1], {})[key] = values
    return found


def _judged(
    problems: Problems, methods: Sequence[str], judge: Callable[[Problems], Judged | None]
) -> dict[int, Judged]:
    found = {d: judge(some) for d, some in sorted(_split(problems, methods).items())}
    return {d: one for d, one in found.items() if one is not None}


def _versus(problems: Problems, others: tuple[str, ...], claim: str, short: str) -> ByDimension:
    def test(some: Problems) -> SignTest:
        return SignTest.of(v["RFM"] - max(v[m] for m in others) for v in some.values())

    def judge(some: Problems) -> Judged:
        found = test(some)
        return Judged(found.verdict, f"{found.wins} : {found.losses}")

    methods = ("RFM", *others)
    paired = {k: v for k, v in problems.items() if all(m in v for m in methods)}
    if not paired:
        return ByDimension(claim, short, {}, "")
    all_ = test(paired)
    rival = "the network" if len(others) == 1 else "the better of them"
    means = ", ".join(f"{m} {np.mean([v[m] for v in paired.values()]):.3f}" for m in methods)
    measured = (
        f"Higher R² than {rival} on {all_.wins} of {len(paired)} problems of all dimensions, lower on {all_.losses}. "
        f"Mean R²: {means}."
    )
    return ByDimension(claim, short, _judged(problems, methods, judge), measured)


def _alignment(problems: Problems) -> ByDimension:
    claim, short = "The leading eigenvectors of M span the true subspace", "Spans the subspace"

    def judge(some: Problems) -> Judged:
        good = sum(v["RFM"] >= ALIGNED for v in some.values())
        verdict: Verdict = (
            "holds" if good == len(some) else "holds in part" if good > len(some) / 2 else "does not hold"
        )
        return Judged(verdict, f"{good} of {len(some)}")

    values = [v["RFM"] for v in problems.values() if "RFM" in v]
    if not values:
        return ByDimension(claim, short, {}, "")
    measured = (
        f"Mean squared cosine at least {ALIGNED:g} on {sum(v >= ALIGNED for v in values)} of {len(values)} problems "
        f"(median {np.median(values):.3f}). In a dimension it holds on all problems, in part on more than half."
    )
    return ByDimension(claim, short, _judged(problems, ("RFM",), judge), measured)


def _diagonal(problems: Problems) -> ByDimension:
    claim = "A diagonal metric suffices when directions are features, and does not when they are rotated"
    short = "Diagonal metric"
    methods = ("RFM", "diagonal RFM")

    def differences(some: Problems) -> tuple[float, float] | None:
        along = [v["diagonal RFM"] - v["RFM"] for (t, *_), v in some.items() if t == "product"]
        turned = [v["diagonal RFM"] - v["RFM"] for (t, *_), v in some.items() if t != "product"]
        return (float(np.mean(along)), float(np.mean(turned))) if along and turned else None

    def judge(some: Problems) -> Judged | None:
        found = differences(some)
        if found is None:
            return None
        suffices, fails = found[0] > -MARGIN, found[1] < -MARGIN
        verdict: Verdict = "holds" if suffices and fails else "holds in part" if suffices or fails else "does not hold"
        return Judged(verdict, ", ".join(wording.number(v, 3, sign=True) for v in found))

    found = differences({k: v for k, v in problems.items() if all(m in v for m in methods)})
    if found is None:
        return ByDimension(claim, short, {}, "")
    measured = (
        f"Diagonal RFM's R² less RFM's: {wording.number(found[0], 3, sign=True)} along features, "
        f"{wording.number(found[1], 3, sign=True)} along random directions. It suffices where it loses less than "
        f"{MARGIN:g}; if in a dimension only one half of the claim is so, it holds there in part."
    )
    return ByDimension(claim, short, _judged(problems, methods, judge), measured)

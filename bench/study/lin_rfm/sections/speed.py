"""Seconds per iteration against IRLS, and the large matrices."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import wording
from bench.report.blocks import Cell, Column, Section, Table, text
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.study.cell import Outcome
from bench.study.claims import Claim, Verdict, not_measured

_FASTER = "Faster than standard IRLS, because it needs no singular value decomposition"
_SCALES = "Scales to matrices with millions of missing entries"
LARGE = 4_000_000
TIMED = ("IRLS", "IRLS, batched", "IRLS, batched, eigh", "lin-RFM", "lin-RFM, float32", "lin-RFM factored")


def _timings(done: Sequence[Outcome]) -> dict[int, dict[str, float]]:
    return {
        int(o.cell.parameters["size"]): dict(o.values["cpu_seconds"])
        for o in sorted((o for o in done if o.cell.kind == "timing"), key=lambda o: int(o.cell.parameters["size"]))
    }


def speed_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Faster per iteration; millions of missing entries."""
    found = _timings(done)
    claims = [not_measured(_FASTER)]
    if found:

        def ratios(name: str) -> list[float]:
            return [t[name] / t["lin-RFM"] for t in found.values()]

        def shown(name: str) -> str:
            return ", ".join(f"{ratio:.1f} at {size}" for size, ratio in zip(found, ratios(name), strict=True))

        # Judged by the cheaper of the two decompositions that IRLS can choose from.
        least = [min(pair) for pair in zip(ratios("IRLS, batched"), ratios("IRLS, batched, eigh"), strict=True)]
        verdict: Verdict = "holds" if min(least) > 1.05 else "holds in part" if max(least) > 1.05 else "does not hold"
        claims = [
            Claim(
                _FASTER,
                "Time of an iteration of IRLS over lin-RFM's, by size, where they differ in the decomposition alone: "
                f"eigenvalues of X'X {shown('IRLS, batched, eigh')}; singular values of X {shown('IRLS, batched')}; "
                f"against the textbook's row by row, with singular values: {shown('IRLS')}.",
                verdict,
            )
        ]
    runs = [o for o in done if o.cell.kind == "scale"]
    large = [o for o in runs if _missing(o) >= LARGE * 0.9]
    if not large:
        return [*claims, not_measured(_SCALES)]
    good = [o for o in large if o.values["rmse"] < 1e-2]
    sizes = "; ".join(
        f"{_size(o)} ({_missing(o) / 1e6:,.1f} million missing, {_form(o)}): {wording.seconds(o.values['seconds'])} s, "
        f"error {o.values['rmse']:.1g}, {_grown(o):,.0f} MB"
        for o in large
    )
    verdict = "holds" if len(good) == len(large) else "holds in part" if good else "does not hold"
    return [
        *claims,
        Claim(_SCALES, f"{sizes}. MB: the peak of the process while fitting less what it held before.", verdict),
    ]


def _grown(o: Outcome) -> float:
    """MB that fitting took at its peak."""
    return float(o.values["peak_mb"]) - float(o.values["before_mb"])


def _missing(o: Outcome) -> int:
    p = o.cell.parameters
    return int(p["rows"]) * int(p["cols"]) - int(p["count"])


def _size(o: Outcome) -> str:
    return f"{int(o.cell.parameters['rows']):,} x {int(o.cell.parameters['cols']):,}"


def _form(o: Outcome) -> str:
    rank = o.cell.parameters["max_rank"]
    return "dense" if rank is None else f"factors of rank {rank}"


def timing_section(done: Sequence[Outcome]) -> Section | None:
    """Seconds per iteration by size."""
    found = _timings(done)
    if not found:
        return None
    lines = [
        Curve(name, series, tuple(Point(size, t[name], t[name], t[name]) for size, t in found.items()))
        for series, name in enumerate(TIMED)
    ]
    rows = tuple(
        (
            Cell(f"{size:,} x {size:,}", float(size)),
            *(wording.num(1e3 * t[name], 1) for name in TIMED),
            *(wording.num(t[name] / t["lin-RFM"], 1) for name in TIMED[:3]),
        )
        for size, t in found.items()
    )
    return Section(
        "speed",
        "Time of an iteration",
        (
            text(
                "IRLS is the textbook's: rows one by one, weights from the singular value decomposition of "
                "the completed "
                "matrix. IRLS, batched has lin-RFM's solver for the rows and the decomposition, so that it "
                "differs from "
                "lin-RFM in the decomposition alone; with eigh, it is the cheaper one of X'X, which loses half of the "
                "digits of small singular values. lin-RFM is the dense form at alpha 1/2 in float64, the same "
                "arithmetic without it (the tests hold the two to equal results). The factored form approximates."
            ),
            curves(
                "iteration-seconds",
                "Processor seconds of one iteration",
                "Square matrices, 40 entries a row observed (at most half), one thread; the median of three.",
                lines,
                Axis("rows and columns", log=True),
                Axis("processor seconds", log=True),
            ),
            Table(
                "iteration",
                (
                    Column("Matrix"),
                    *(Column(f"{name}, ms") for name in TIMED),
                    *(Column(f"{name} / lin-RFM") for name in TIMED[:3]),
                ),
                rows,
                "Processor milliseconds of one iteration",
            ),
        ),
    )


def scale_section(done: Sequence[Outcome]) -> Section | None:
    """The large matrices: size, seconds, error, memory."""
    runs = sorted((o for o in done if o.cell.kind == "scale"), key=_missing)
    if not runs:
        return None
    rows = tuple(
        (
            Cell(_size(o), float(_missing(o))),
            Cell(_form(o)),
            wording.num(o.values["entries"], 0),
            wording.num(_missing(o), 0),
            wording.num(o.values["iterations"], 0),
            wording.num(o.values["seconds"], 1),
            wording.num(o.values["cpu_seconds"], 1),
            Cell(f"{o.values['rmse']:.1e}".replace("-", wording.MINUS), o.values["rmse"]),
            wording.num(_grown(o), 0),
            wording.num(o.values["before_mb"], 0),
        )
        for o in runs
    )
    columns = (
        Column("Matrix"),
        Column("Form", "text"),
        Column("Observed"),
        Column("Missing"),
        Column("Iterations"),
        Column("Seconds"),
        Column("Processor s"),
        Column("RMSE, unseen"),
        Column("MB more", hint="the process's peak while fitting less what it held before"),
        Column("MB before", hint="held when fitting begins: interpreter, libraries and the drawn entries"),
    )
    return Section(
        "scale",
        "Large matrices",
        (
            text(
                "Rank 5, completed by the estimator as a user would call it, sides alternating, in a "
                "process of its own with all cores, stopped by held-out observed entries. "
                "The dense form keeps the matrix and one kernel; the "
                "factored one only entries and factors."
            ),
            Table("scale", columns, rows, "Size, seconds, error, memory"),
        ),
    )

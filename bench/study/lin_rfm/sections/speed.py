"""Seconds to an error against IRLS, and the large matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import wording
from bench.report.blocks import Cell, Column, Figure, Section, Table, text
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.study.cell import Outcome
from bench.study.claims import Claim, Verdict, not_measured
from bench.study.summary import of_kind

_FASTER = "Faster than standard IRLS, because it needs no singular value decomposition"
_SCALES = "Scales to matrices with millions of missing entries"
LARGE, COMPLETED = 3_500_000, 0.01
"""Missing entries from which a matrix counts as large; error below which it counts as completed."""

TIMED = {
    "lin-RFM": "lin-RFM, alpha 1/2",
    "IRLS-0": "IRLS-0, no decomposition",
    "IRLS-1": "IRLS-1, eigenvalues",
    "IRLS-0, row by row": "IRLS-0, row by row",
    "IRLS-0, SVD": "IRLS-0, needless SVD",
    "lin-RFM, alternating": "lin-RFM, alternating",
    "lin-RFM, factored": "lin-RFM, factored",
}
FASTER = 1.1
"""How many times lin-RFM's seconds another method must take to count as slower: less is noise of the clock."""

_RIVALS = ("IRLS-0", "IRLS-1")


def _timings(done: Sequence[Outcome]) -> dict[int, Mapping[str, Any]]:
    """Size: what is known of each method."""
    return {
        int(o.cell.parameters["size"]): o.values["methods"]
        for o in sorted(of_kind(done, "timing"), key=lambda o: int(o.cell.parameters["size"]))
    }


def _seconds(found: Mapping[str, Any], method: str, goal: str) -> float:
    """Until the error ``goal``; infinite if it was not reached."""
    at = found[method]["reached"][goal]
    return float(at["seconds"]) if at else float("inf")


def _faster(found: Mapping[int, Mapping[str, Any]], rival: str) -> bool:
    """Whether lin-RFM takes less time than ``rival`` to every error on every size."""
    return all(
        FASTER * _seconds(one, "lin-RFM", goal) < _seconds(one, rival, goal)
        for one in found.values()
        for goal in one["lin-RFM"]["reached"]
    )


def _faster_claim(done: Sequence[Outcome]) -> Claim:
    """Holds against both; in part against the one that needs a decomposition only."""
    found = _timings(done)
    if not found:
        return not_measured(_FASTER)
    all_, some = all(_faster(found, rival) for rival in _RIVALS), _faster(found, "IRLS-1")
    words = []
    for rival in _RIVALS:
        ratios = "; ".join(
            f"{size} x {size}: " + ", ".join(f"{_ratio(one, rival, goal)} to {goal}" for goal in one[rival]["reached"])
            for size, one in found.items()
        )
        words.append(f"{TIMED[rival]}: {ratios}")
    return Claim(
        _FASTER,
        "Processor seconds of IRLS until an error at unseen entries, over lin-RFM's (alpha 1/2). "
        f"{'. '.join(words)}. At p = 0 the weights need no decomposition, and IRLS is lin-RFM at alpha 1/2; at p = 1 "
        "they need one. For sparse vectors no IRLS-p needs one. Holds if lin-RFM is faster than both, by a tenth, on "
        "all sizes to both errors; in part if only than IRLS-1.",
        "holds" if all_ else "holds in part" if some else "does not hold",
    )


def _ratio(found: Mapping[str, Any], rival: str, goal: str) -> str:
    ours, theirs = _seconds(found, "lin-RFM", goal), _seconds(found, rival, goal)
    if ours == float("inf"):
        return "lin-RFM never" if theirs < float("inf") else "both never"
    return f"{theirs / ours:.1f}" if theirs < float("inf") else "IRLS never"


def speed_claims(outcomes: Sequence[Outcome]) -> list[Claim]:
    """Faster to an error; millions of missing entries."""
    return [_faster_claim([o for o in outcomes if o.status == "ok"]), _scales_claim(of_kind(outcomes, "scale"))]


def _scales_claim(runs: Sequence[Outcome]) -> Claim:
    """Holds if all large matrices are completed: one whose fit failed, for time or memory, is not."""
    large = [o for o in runs if _missing(o) >= LARGE and (o.status == "ok" or o.failed)]
    if not large:
        return not_measured(_SCALES)
    good = [o for o in large if o.status == "ok" and o.values["rmse"] < COMPLETED]
    verdict: Verdict = "holds" if len(good) == len(large) else "holds in part" if good else "does not hold"
    return Claim(
        _SCALES,
        f"{'; '.join(map(_scaled, large))}. MB: the peak of the process while fitting less what it held before. Holds "
        f"if the error is below {COMPLETED:g} on all of them, in part if on some.",
        verdict,
    )


def _scaled(o: Outcome) -> str:
    """One large matrix, and what it took."""
    which = f"{_size(o)} ({_missing(o) / 1e6:,.1f} million missing, {_form(o)})"
    if o.failed:
        return f"{which}: failed"
    return f"{which}: {wording.seconds(o.values['seconds'])} s, error {o.values['rmse']:.1g}, {_grown(o):,.0f} MB"


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
    """Seconds until an error, by size."""
    found = _timings(done)
    if not found:
        return None
    goals = list(next(iter(found.values()))["lin-RFM"]["reached"])
    timed = {int(p["size"]): int(p["repeats"]) for o in of_kind(done, "timing") for p in [o.cell.parameters]}
    repeats = ", ".join(f"{count} at {size} x {size}" for size, count in sorted(timed.items()))
    return Section(
        "speed",
        "Time to an error",
        (
            text(
                "Square matrices of rank 5, 40 % of their entries observed: enough for all methods here. All lower "
                "their ridge (smoothing) by the same rule, by a constant factor or to the held-out squared error; each "
                "method has of the factors 0.8, 0.9, 0.95 and 0.98 the one with which it is the fastest. IRLS-p has "
                "the weights (X'X + ridge I)^(p/2 - 1), lin-RFM at alpha 1/2 the kernel X'X + ridge I: IRLS-0 "
                "without a decomposition takes the same steps as lin-RFM, written independently. Row by row is how "
                "textbooks write IRLS, with or without the singular values that p = 0 does not need; the others solve "
                "the rows' systems in batches, as lin-RFM does. The alternating and the factored form, which is told "
                "twice the rank, are ours."
            ),
            *(figure for goal in goals if (figure := _timing_figure(found, goal))),
            _timing_table(found, goals, repeats),
        ),
    )


def _timing_figure(found: Mapping[int, Mapping[str, Any]], goal: str) -> Figure | None:
    lines = []
    for series, (name, title) in enumerate(TIMED.items()):
        at = [(size, _seconds(one, name, goal)) for size, one in found.items()]
        points = tuple(Point(size, s, s, s) for size, s in at if s < float("inf"))
        if points:
            lines.append(Curve(title, series, points))
    if not lines:
        return None
    return curves(
        f"seconds-to-{goal}",
        f"Processor seconds to an error of {goal}",
        "Root mean squared error at unseen entries, relative to the entries' own. One thread; methods that never get "
        "there have no point.",
        lines,
        Axis("rows and columns", log=True),
        Axis("processor seconds", log=True),
    )


def _timing_table(found: Mapping[int, Mapping[str, Any]], goals: Sequence[str], repeats: str) -> Table:
    def reached(one: Mapping[str, Any], name: str, goal: str) -> Cell:
        at = one[name]["reached"][goal]
        if not at:
            return Cell("never")
        return Cell(f"{wording.seconds(at['seconds'])} ({at['iterations']})", float(at["seconds"]))

    rows = tuple(
        (
            Cell(f"{size:,} x {size:,}", float(size)),
            Cell(title, series=series),
            *(reached(one, name, goal) for goal in goals),
            Cell(f"{one[name]['error']:.1e}".replace("-", wording.MINUS), one[name]["error"]),
            wording.num(one[name]["ms_an_iteration"], 1),
        )
        for size, one in found.items()
        for series, (name, title) in enumerate(TIMED.items())
    )
    return Table(
        "timing",
        (
            Column("Matrix"),
            Column("Method", "text"),
            *(Column(f"Seconds to {goal} (iterations)") for goal in goals),
            Column("Least RMSE, unseen"),
            Column("ms an iteration"),
        ),
        rows,
        "Processor seconds to an error, and iterations",
        note=f"Median of runs, by matrix: {repeats}.",
    )


def scale_section(done: Sequence[Outcome]) -> Section | None:
    """The large matrices: size, seconds, error, memory."""
    runs = sorted(of_kind(done, "scale"), key=_missing)
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

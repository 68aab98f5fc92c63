"""The page of :mod:`scale`: targets beside what was measured, exponents, then every measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.report.figures.curves import Axis, Curve, Point
from bench.report.figures.curves import curves as draw_curves
from bench.report.html import standalone_svg

Row = Mapping[str, Any]

FITTED = {"from 4,000": 4000, "beyond 10,000": 10_001}
"""Exponents are fitted to measurements of at least so many rows. Small ones have fixed costs; up to 10,000 rows systems
are solved by Cholesky's method, beyond by conjugate gradients."""
LARGEST = 130_064
SOLVERS = {
    "laplace": ("laplace-direct", "laplace", "laplace-anew", "laplace-eigenpro"),
    "rfm": ("rfm-direct", "rfm", "rfm-eigenpro"),
}
"""Contenders with the same configuration and different solvers, the direct one first."""
WITHIN, SHARE, MEMORY_GIB, STEEPEST = 0.1, 0.4, 4.0, 2.1
"""Targets: points of accuracy from the direct solution; CPU seconds at the largest size over those before; memory
there; the exponent from 4,000 rows on."""
DRAWN = {"cpu": ("CPU seconds", "time"), "peak_mb": ("peak memory, MB", "memory")}
"""What is drawn against the number of fitted rows: the axis, and the word in the file's name."""


def render(rows: Sequence[Row], titles: Mapping[str, str], drawings: Sequence[str] = ()) -> str:
    """The page in Markdown from the log's rows; ``titles`` are the contenders' names on it, in order.

    ``drawings`` are paths of the figures, relative to the page.
    """
    done = [row for row in rows if row["status"] == "ok"]
    lines = [
        "# Large tables",
        "",
        f"`python benchmarks/scale.py`: one BLAS thread, {_named(done, 'cpu_model')}, {_named(done, 'engine', 50)},",
        f"commits {_named(done, 'commit', 7)};",
        "each measurement a process of its own. CPU seconds of fitting and scoring, imports and reading left out; peak",
        "memory is the whole process's. One configuration: Laplace kernel of bandwidth 10, ridge 0.1, rows not divided",
        "by their norms; 5,000 test rows, the same at every size (where three quarters of a table are fitted, all of",
        "the rest). `synthetic` has miniboone's shape. CG: conjugate gradients. scikit-learn Nystroem: 1,000 features",
        "of a Gaussian kernel, and ridge regression. xrfm holds out 5 % of the rows, at most 1,000, for itself.",
        "Before: the same configuration when EigenPro solved what has more than 25,000 rows, and tiles were not fused.",
        *_shared(done),
        "",
        "| target | measured | |",
        "|:---|:---|:---|",
        *targets(done),
        "",
        "## Solvers side by side",
        "",
        "Direct: Cholesky's method in float32, refined in float64. CG: conjugate gradients to a residual of 0.001,",
        "preconditioned by randomly pivoted Cholesky, 2 GB of the kernel matrix kept or nothing. For RFM the",
        "iterations are those of its five systems. Accuracy in brackets: less the direct solution's, in points.",
        "",
        *solvers(done, titles),
        "",
        *ahead(done),
        "## Exponents",
        "",
        "Slope of log CPU seconds over log rows.",
        "",
        *exponents(done, titles),
        "",
        "## CPU time",
        "",
        *totals(done, titles),
        "",
        "## All measurements",
        "",
        *curves(done, titles, drawings),
    ]
    lines += [
        "",
        "Not measured: RFM at 32,000 rows of connect-4 and statlog-shuttle, EigenPro at 32,000 rows of",
        "statlog-shuttle and (with fused tiles) at 130,064 rows, RFM by EigenPro or Cholesky's method with today's",
        "code, and NTK by blocks of a kernel not kept. adult has too few rows for 32,000.",
    ]
    other = [row for row in rows if row["status"] not in ("ok", "too few rows")]
    if other:
        lines += ["", "## Not measured", ""]
        lines += [f"- {row['table']}, {row['n']:,} rows, {row['contender']}: {row['status']}" for row in other]
    return "\n".join(lines).rstrip() + "\n"


def ahead(rows: Sequence[Row]) -> list[str]:
    """Lines on where RFM is less accurate than its own kernel, and than xRFM, at the most rows that both have."""
    accuracy = {(row["table"], row["rows"], row["contender"]): row["accuracy"] for row in rows}
    lines = []
    for other, title in (("laplace", "its own kernel without updates"), ("xrfm", "xRFM")):
        largest: dict[str, int] = {}
        for table, n, contender in accuracy:
            if contender == "rfm" and (table, n, other) in accuracy:
                largest[table] = max(n, largest.get(table, 0))
        below = [
            f"{table} ({n:,} rows: {accuracy[table, n, 'rfm']:.2f} against {accuracy[table, n, other]:.2f} %)"
            for table, n in sorted(largest.items())
            if accuracy[table, n, "rfm"] < accuracy[table, n, other]
        ]
        if largest:
            where = ", ".join(below) or "nowhere"
            lines += [
                f"RFM with 4 updates is less accurate than {title} on {where}; {len(largest)} tables have both.",
                "",
            ]
    return ["## Where RFM is behind", "", *lines] if lines else []


def targets(done: Sequence[Row]) -> list[str]:
    """One line a target; what was not measured is said."""
    largest = [row for row in done if row["n"] == LARGEST and row["contender"] in SOLVERS]
    memory = [(_words(row, f"{row['peak_mb'] / 1024:.1f} GiB"), row["peak_mb"] < MEMORY_GIB * 1024) for row in largest]
    before = [(row, _find(done, row["table"], LARGEST, f"{row['contender']}-before")) for row in largest]
    shares = [
        (
            _words(row, f"{row['cpu']:.0f} of {old['cpu']:.0f} s, {row['cpu'] / old['cpu']:.2f}"),
            row["cpu"] <= SHARE * old["cpu"],
        )
        for row, old in before
        if old
    ]
    slopes = {
        words: [
            (f"{name} on {table} {slope:.2f}", slope <= STEEPEST)
            for name in SOLVERS
            for table in _tables(done)
            if (slope := exponent(done, table, name, least)) is not None
        ]
        for words, least in FITTED.items()
    }
    gaps = [
        (_words(row, f"{gap:+.2f}"), abs(gap) <= WITHIN)
        for name in SOLVERS
        for row in done
        if row["contender"] == name and row["account"].get("solver") == "cg" and (gap := _gap(done, row)) is not None
    ]
    return [
        _target(f"peak memory under {MEMORY_GIB:.0f} GiB at {LARGEST:,} rows", memory),
        _target(f"CPU seconds at {LARGEST:,} rows at most {SHARE} of those before", shares),
        *(_target(f"time exponent {words} rows at most {STEEPEST}", found) for words, found in slopes.items()),
        _target(f"CG's accuracy within {WITHIN} points of the direct solution", gaps),
    ]


def _words(row: Row, figure: str) -> str:
    return f"{row['contender']} on {row['table']}, {row['rows']:,} rows: {figure}"


def solvers(done: Sequence[Row], titles: Mapping[str, str]) -> list[str]:
    """Each measurement of each solver, sizes and tables in order, from where direct solution takes matrices apart."""
    lines = ["| table | rows | | CPU s | peak GiB | accuracy % | passes |", "|:---|---:|:---|---:|---:|---:|:---|"]
    cases = {(row["rows"], row["table"], row["n"]) for row in done if row["rows"] > 10_000}
    for rows, table, n in sorted(cases):
        for names in SOLVERS.values():
            found = [row for name in names if (row := _find(done, table, n, name))]
            for row in found if len(found) > 1 or rows > 25_000 else ():
                gap = _gap(done, row)
                peak = row["peak_mb"] / 1024
                lines.append(
                    f"| {table} | {rows:,} | {titles[row['contender']]} | {row['cpu']:.1f} | {peak:.1f} "
                    f"| {row['accuracy']:.2f}{'' if gap is None else f' ({gap:+.2f})'} | {_passes(row['account'])} |"
                )
    return lines


def _passes(account: Mapping[str, Any]) -> str:
    systems = [*account.get("updates", []), account]
    if all("iterations" in system for system in systems):
        return ", ".join(str(system["iterations"]) for system in systems) + " iterations"
    if all("epochs" in system for system in systems):
        return ", ".join(str(system["epochs"] + system["joint_epochs"]) for system in systems) + " epochs"
    return ""


def exponents(done: Sequence[Row], titles: Mapping[str, str]) -> list[str]:
    """A table of fitted exponents: contenders and ranges of rows x tables."""
    tables = [table for table in _tables(done) if any(row["n"] for row in done if row["table"] == table)]
    lines = ["| | rows | " + " | ".join(tables) + " |", "|:---|:---|" + "---:|" * len(tables)]
    for name, title in titles.items():
        for words, least in FITTED.items():
            slopes = [exponent(done, table, name, least) for table in tables]
            if any(slope is not None for slope in slopes):
                shown = " | ".join("" if s is None else f"{s:.2f}" for s in slopes)
                lines.append(f"| {title} | {words} | {shown} |")
    return lines


def exponent(done: Sequence[Row], table: str, contender: str, least: int = 0) -> float | None:
    """The slope fitted to sizes of at least ``least`` rows; None with fewer than three of them."""
    points = [
        (row["rows"], row["cpu"])
        for row in done
        if (row["table"], row["contender"]) == (table, contender) and row["n"] and row["n"] >= least
    ]
    if len(points) < 3:
        return None
    logs = np.log(np.array(points))
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def totals(done: Sequence[Row], titles: Mapping[str, str]) -> list[str]:
    """CPU minutes of all measurements of each contender."""
    lines = ["| | measurements | CPU minutes |", "|:---|---:|---:|"]
    for name, title in titles.items():
        spent = [row["cpu"] for row in done if row["contender"] == name]
        if spent:
            lines.append(f"| {title} | {len(spent)} | {sum(spent) / 60:.1f} |")
    return lines


def draw(rows: Sequence[Row], titles: Mapping[str, str]) -> dict[str, str]:
    """Figures as SVG files by name: seconds and memory against rows, one of each for each table with three sizes."""
    done = [row for row in rows if row["status"] == "ok"]
    files = {}
    for table in _tables(done):
        for quantity, (words, stem) in DRAWN.items():
            lines = []
            for series, (name, title) in enumerate(titles.items()):
                measured = sorted(
                    (row["rows"], row[quantity])
                    for row in done
                    if (row["table"], row["contender"]) == (table, name) and row["n"]
                )
                if len(measured) > 2:
                    lines.append(Curve(title, series, tuple(Point(x, y, y, y) for x, y in measured)))
            if lines:
                x, y = Axis("fitted rows", log=True), Axis(words, log=True)
                figure = draw_curves(f"{table}-{stem}", f"{table}: {words}", "Against fitted rows.", lines, x, y)
                files[f"{figure.name}.svg"] = standalone_svg(figure.svg)
    return files


def curves(done: Sequence[Row], titles: Mapping[str, str], drawings: Sequence[str]) -> list[str]:
    """Figures and one table of measurements for each data table."""
    lines = []
    for table in _tables(done):
        lines += [f"### {table}", ""]
        for words, stem in DRAWN.values():
            lines += [f"![{table}: {words}]({path})\n" for path in drawings if path.endswith(f"/{table}-{stem}.svg")]
        lines += ["| rows | contender | accuracy % | CPU s | wall s | peak MB | solver |"]
        lines.append("|---:|:---|---:|---:|---:|---:|:---|")
        names = list(titles)
        mine = [row for row in done if row["table"] == table]
        for row in sorted(mine, key=lambda row: (row["rows"], names.index(row["contender"]))):
            lines.append(
                f"| {row['rows']} | {titles[row['contender']]} | {row['accuracy']:.2f} | {row['cpu']:.1f} "
                f"| {row['wall']:.1f} | {row['peak_mb']:.0f} | {_account(row['account'])} |"
            )
        lines.append("")
    return lines


def _account(account: Mapping[str, Any]) -> str:
    if "epochs" in account:
        return f"{account['solver']}, best of {account['epochs']} epochs: {account['epoch']}"
    if "iterations" in account:
        return f"{account['solver']}, {account['iterations']} iterations, rank {account['rank']}"
    return str(account.get("solver", ""))


def _named(done: Sequence[Row], key: str, length: int = 20) -> str:
    """What the measurements were made with: all there is, should they differ."""
    found = {str(row[key])[:length].strip() for row in done if key in row}
    return ", ".join(sorted(found)) or f"{key} not recorded"


def _shared(done: Sequence[Row]) -> list[str]:
    loads = [row["load"] for row in done if "load" in row]
    if not loads or max(loads) < _BUSY:
        return []
    return [
        f"The machine was shared, load averages {min(loads):.0f} to {max(loads):.0f}: wall seconds mean nothing, and",
        "CPU seconds exceed an idle machine's (a pass over the kernel by a tenth, Cholesky's method by a third).",
    ]


_BUSY = 3.0


def _target(words: str, found: Sequence[tuple[str, bool]]) -> str:
    if not found:
        return f"| {words} | not measured | |"
    missed = sum(not kept for _, kept in found)
    verdict = "held" if not missed else f"missed by {missed} of {len(found)}"
    return f"| {words} | {', '.join(text for text, _ in found)} | {verdict} |"


def _gap(done: Sequence[Row], row: Row) -> float | None:
    """Accuracy less that of the direct solution; None for that itself, or where it was not measured.

    Up to 25,000 rows the contenders of before were solved directly too.
    """
    base = next((name for name, names in SOLVERS.items() if row["contender"] in names[1:]), None)
    for name in (SOLVERS[base][0], f"{base}-before") if base else ():
        direct = _find(done, row["table"], row["n"], name)
        if direct and direct["account"].get("solver") == "cholesky":
            return row["accuracy"] - direct["accuracy"]
    return None


def _find(done: Sequence[Row], table: str, n: int, contender: str) -> Row | None:
    return next((r for r in done if (r["table"], r["n"], r["contender"]) == (table, n, contender)), None)


def _tables(done: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["table"] for row in done))

"""The page of :mod:`scale`: targets beside what was measured, exponents, then every measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.report.figures.curves import Axis, Curve, Point
from bench.report.figures.curves import curves as draw_curves
from bench.report.html import standalone_svg

Row = Mapping[str, Any]

FITTED = {"all sizes": 0, "from 4,000": 4000, "beyond 25,000": 25_001}
"""Exponents are fitted to measurements of at least so many rows. Small ones have fixed costs; up to 25,000 rows systems
are solved by Cholesky's method, beyond by EigenPro."""
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
        f"`python benchmarks/scale.py`: one BLAS thread, {_named(done, 'cpu_model')}, commit {_named(done, 'commit')};",
        "each measurement a process of its own. CPU seconds of fitting and scoring, imports and reading left out; peak",
        "memory is the whole process's. One configuration: Laplace kernel of bandwidth 10, ridge 0.1, rows not divided",
        "by their norms; 5,000 test rows, the same at every size (where three quarters of a table are fitted, all of",
        "the rest). `synthetic` has miniboone's shape. CG: conjugate gradients. scikit-learn Nystroem: 1,000 features",
        "of a Gaussian kernel, and ridge regression. xrfm holds out 5 % of the rows, at most 1,000, for itself.",
        "",
        "| target | measured | |",
        "|:---|:---|:---|",
        *targets(done),
        "",
        "## Exponents",
        "",
        "Slope of log CPU seconds over log rows; the target goes by all sizes. From 4,000 rows on RFM's and the",
        "Laplace kernel's are larger: fixed costs no longer count, and the cube of Cholesky's method does; beyond",
        "25,000 rows EigenPro takes over.",
        "",
        *exponents(done, titles),
        "",
        "## Accuracy of EigenPro and of the direct solution",
        "",
        *agreement(done),
        "",
        "## EigenPro and conjugate gradients",
        "",
        "The Laplace system. EigenPro stops at a relative residual of 0.01 or earlier, where held-out rows say so, and",
        "its last three passes are with these; conjugate gradients stop at the residual. Their iterations form half of",
        "the kernel matrix each, a pass all of it; both multiply in float64.",
        "",
        *rivals(done),
        "",
        "## CPU time",
        "",
        *totals(done, titles),
        "",
        "## All measurements",
        "",
        *curves(done, titles, drawings),
    ]
    other = [row for row in rows if row["status"] not in ("ok", "too few rows")]
    if other:
        lines += ["", "## Not measured", ""]
        lines += [f"- {row['table']}, {row['n']:,} rows, {row['contender']}: {row['status']}" for row in other]
    return "\n".join(lines).rstrip() + "\n"


def targets(done: Sequence[Row]) -> list[str]:
    """One line a target; what was not measured is said."""
    memory = [row for row in done if row["n"] == 130_064 and row["contender"] in ("rfm", "laplace")]
    lines = [
        _target(
            "peak memory under 8 GiB at 130,064 rows",
            [(f"{row['contender']} {row['peak_mb'] / 1024:.1f} GiB", row["peak_mb"] < 8 * 1024) for row in memory],
        )
    ]
    slopes = [
        (f"{name} on {table} {slope:.2f}", slope <= 2.1)
        for name in ("rfm", "laplace")
        for table in _tables(done)
        if (slope := exponent(done, table, name)) is not None
    ]
    lines.append(_target("time exponent at most 2.1", slopes))
    gaps = [
        (f"{name} on {table} {gap:+.2f}", abs(gap) <= 0.3)
        for name in ("laplace", "rfm")
        for table in ("letter", "magic", "chess-krvk")
        if (gap := _gap(done, table, name)) is not None
    ]
    lines.append(_target("accuracy within 0.3 points of the direct solution", gaps))
    connect = [row for row in done if row["contender"] == "rfm-3"]
    lines.append(
        _target(
            "RFM on connect-4, 3 M updates, under 20 minutes on 2 cores",
            [
                (f"{row['wall'] / 60:.1f} minutes on one core ({row['cpu'] / 60:.1f} CPU minutes)", row["wall"] < 1200)
                for row in connect
            ],
        )
    )
    return lines


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


def agreement(done: Sequence[Row]) -> list[str]:
    """Accuracies of both solvers at full size, where both were measured."""
    lines = ["| table | rows | | direct | EigenPro | epochs | CPU s, direct | CPU s, EigenPro |", "|:---|---:|:---|"]
    lines[1] += "---:|" * 5
    for table in ("letter", "magic", "chess-krvk"):
        for name in ("laplace", "rfm"):
            pair = [_find(done, table, 0, contender) for contender in (name, f"{name}-eigenpro")]
            if pair[0] and pair[1]:
                direct, iterated = pair
                epochs = [u["epochs"] for u in iterated["account"].get("updates", [])] + [iterated["account"]["epochs"]]
                lines.append(
                    f"| {table} | {direct['rows']} | {name} | {direct['accuracy']:.2f} | {iterated['accuracy']:.2f} "
                    f"| {', '.join(map(str, epochs))} | {direct['cpu']:.0f} | {iterated['cpu']:.0f} |"
                )
    return lines


def rivals(done: Sequence[Row]) -> list[str]:
    """Passes over the kernel matrix and CPU seconds of both, where both were measured."""
    lines = [
        "| table | rows | EigenPro passes | residual | CPU s | CG iterations | residual | CPU s | CG less it, % |",
        "|:---|" + "---:|" * 8,
    ]
    for gradients in (row for row in done if row["contender"] == "laplace-cg"):
        table, n = gradients["table"], gradients["n"]
        found = (_find(done, table, n, name) for name in ("laplace-eigenpro", "laplace"))
        epochs = next((row for row in found if row and "epochs" in row["account"]), None)
        if epochs:
            passes = epochs["account"]["epochs"] + epochs["account"]["joint_epochs"]
            lines.append(
                f"| {table} | {epochs['rows']} | {passes} | {epochs['account']['residual']:.1g} | {epochs['cpu']:.1f} "
                f"| {gradients['account']['iterations']} | {gradients['account']['residual']:.1g} "
                f"| {gradients['cpu']:.1f} | {gradients['accuracy'] - epochs['accuracy']:+.2f} |"
            )
    return lines


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
        return f"{account['iterations']} iterations"
    return str(account.get("solver", ""))


def _named(done: Sequence[Row], key: str) -> str:
    """What the measurements were made with: all there is, should they differ."""
    return ", ".join(sorted({str(row.get(key, "not recorded"))[:20].strip() for row in done})) or "nothing measured"


def _target(words: str, found: Sequence[tuple[str, bool]]) -> str:
    if not found:
        return f"| {words} | not measured | |"
    missed = sum(not kept for _, kept in found)
    verdict = "held" if not missed else f"missed by {missed} of {len(found)}"
    return f"| {words} | {', '.join(text for text, _ in found)} | {verdict} |"


def _gap(done: Sequence[Row], table: str, name: str) -> float | None:
    direct, iterated = _find(done, table, 0, name), _find(done, table, 0, f"{name}-eigenpro")
    return iterated["accuracy"] - direct["accuracy"] if direct and iterated else None


def _find(done: Sequence[Row], table: str, n: int, contender: str) -> Row | None:
    return next((r for r in done if (r["table"], r["n"], r["contender"]) == (table, n, contender)), None)


def _tables(done: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["table"] for row in done))

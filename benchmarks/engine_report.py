"""The page of ``benchmarks/engine.py``: targets beside what was measured, then the datasets one by one.

A *row* is one dataset: its name, source, n, d, c, the ``arithmetic`` of its sweep and the ``rates`` measured before it
(:mod:`floor`), ``load`` (the system's load average then), ``made_with`` (engine, libraries, commit) and, for each
contender, ``cpu`` and ``wall`` seconds, ``mb`` of peak memory above the start of the process, and its ``value``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from floor import SIZES, Arithmetic, best_of, floor_seconds

from bench.run.provenance import cpu_model

Row = dict[str, Any]

BEGIN, END = "<!-- notes: begin -->", "<!-- notes: end -->"


def render(rows: list[Row], names: list[str], subset: str, previous: str = "") -> str:
    """The page in Markdown; the notes of the ``previous`` one, between their markers, are kept."""
    best = best_of([row["rates"] for row in rows])
    for row in rows:
        row["floor"] = sum(floor_seconds(Arithmetic(**row["arithmetic"]), best))
    sources = ", ".join(sorted({row["source"] for row in rows}))
    lines = [
        "# Speed of the RFM engine",
        "",
        f"`python benchmarks/engine.py --subset {subset}`: {len(rows)} datasets ({sources}), one BLAS thread, "
        f"{cpu_model()}. CPU seconds, imports left out, medians of three runs; ratios are of totals." + load_line(rows),
        "",
        f"Made with {'; and with '.join(sorted({row['made_with'] for row in rows}))}.",
        "",
        "| comparison | ours | other | ratio | target |",
        "|:---|---:|---:|---:|:---|",
        *comparisons(rows, names),
        "",
        *by_size(rows, names),
        *floor_lines(rows, best),
        *agreement(rows, names),
        "GPU: [gpu.md](gpu.md).",
        "",
        *notes_of(previous),
        "## By dataset",
        "",
        "CPU seconds.",
        "",
        *by_table(
            ["floor", *names],
            [[*heading(row), f"{row['floor']:.3f}", *(f"{row[name]['cpu']:.2f}" for name in names)] for row in rows],
            ["**all**", f"{sum(row['floor'] for row in rows):.1f}", *(f"{total(rows, name):.1f}" for name in names)],
        ),
        "",
        "Wall seconds / MB of memory at the peak above the start of the process.",
        "",
        *by_table(
            names,
            [[*heading(row), *(f"{row[name]['wall']:.2f} / {row[name]['mb']:.0f}" for name in names)] for row in rows],
            [
                "**all, most**",
                *(f"{total(rows, name, 'wall'):.1f} / {max(row[name]['mb'] for row in rows):.0f}" for name in names),
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def floor_lines(rows: list[Row], best: dict[str, list[float]]) -> list[str]:
    """What the floor is made of, and the rates that it goes by."""
    dense, entries = np.sum([floor_seconds(Arithmetic(**row["arithmetic"]), best) for row in rows], axis=0)
    return [
        f"The floor is {dense:.1f} s of factors and products and {entries:.1f} s of square roots and exponentials of "
        f"kernel entries ({best['entries'][0] / 1e9:.1f} billion a second), at the best rate that any library at hand "
        "reached in this run (float32, Gflop/s):",
        "",
        f"| rows | {' | '.join(f'{n:,}' for n in SIZES)} |",
        "|:---|" + "---:|" * len(SIZES),
        *(
            f"| {title} | {' | '.join(f'{rate / 1e9:.0f}' for rate in best[kind])} |"
            for kind, title in (("factor", "Cholesky factor"), ("product", "matrix product"))
        ),
        "",
    ]


def load_line(rows: list[Row]) -> str:
    """How busy the machine was, where that was recorded."""
    loads = [row["load"] for row in rows if "load" in row]
    if not loads:
        return ""
    return f" Load average of the machine meanwhile: median {np.median(loads):.1f}, most {max(loads):.1f}."


def notes_of(page: str) -> list[str]:
    """The lines between the markers of ``page``, markers included; empty notes if it has none."""
    if BEGIN in page and END in page:
        return [page[page.index(BEGIN) : page.index(END)] + END, ""]
    return [BEGIN, END, ""]


def heading(row: Row) -> list[str]:
    return [row["dataset"], *(str(row[size]) for size in "ndc")]


def by_table(columns: list[str], body: list[list[str]], last: list[str]) -> list[str]:
    """A line a dataset, which begins with its heading; below them the ``last``, of all, which has no sizes."""
    name, *figures = last
    return [
        f"| dataset | n | d | c | {' | '.join(columns)} |",
        "|:---|" + "---:|" * (3 + len(columns)),
        *(f"| {' | '.join(line)} |" for line in body),
        f"| {name} | | | | {' | '.join(figures)} |",
    ]


def total(rows: list[Row], name: str, key: str = "cpu") -> float:
    return sum(row[name][key] for row in rows)


def by_size(rows: list[Row], names: list[str]) -> list[str]:
    """Where the sweep's time over the floor goes, by number of rows of the dataset."""
    if "ours" not in names:
        return []
    lines = ["| rows | datasets | ours | floor | ratio |", "|:---|---:|---:|---:|---:|"]
    for low, high in ((0, 200), (200, 500), (500, 1000), (1000, 2000), (2000, 10**9)):
        part = [row for row in rows if low <= row["n"] < high]
        if part:
            ours, floor = total(part, "ours"), sum(row["floor"] for row in part)
            span = f"{low} to {high - 1}" if high < 10**9 else f"{low} and more"
            lines.append(f"| {span} | {len(part)} | {ours:.2f} | {floor:.2f} | {ours / floor:.2f}x |")
    return ["The `published` sweep by number of rows:", "", *lines, ""]


def agreement(rows: list[Row], names: list[str]) -> list[str]:
    """That the fast one computes the same: test accuracies of the published procedure, ours less the textbook's."""
    if "textbook" not in names:
        return []
    gaps = {row["dataset"]: row["ours"]["value"] - row["textbook"]["value"] for row in rows}
    apart = [f"{name} {gap:+.2f}" for name, gap in gaps.items() if abs(gap) > 0.3]
    return [
        "Test accuracy of the published procedure, ours less the textbook's: "
        f"{np.mean(list(gaps.values())):+.3f} points on average; apart by more than 0.3: {', '.join(apart) or 'none'}.",
        "",
    ]


def comparisons(rows: list[Row], names: list[str]) -> list[str]:
    """Rows of the first table: what was compared, ours, the other, the ratio, the target."""
    lines: list[str] = []

    def add(title: str, ours: float, other: float | None, ratio: str, target: str = "") -> None:
        lines.append(f"| {title} | {ours:.1f} | {'' if other is None else f'{other:.1f}'} | {ratio} | {target} |")

    ours = total(rows, "ours")
    if "textbook" in names:
        other = total(rows, "textbook")
        add("`published` sweep against the textbook", ours, other, f"{other / ours:.1f}x less", "at least 5x less")
        slower = [row["dataset"] for row in rows if row["ours"]["cpu"] > row["textbook"]["cpu"]]
        add(
            f"the same dataset by dataset: slower on {len(slower)} of {len(rows)}",
            ours,
            other,
            ", ".join(slower[:6]) + (" ..." if len(slower) > 6 else ""),
            "none",
        )
    floor = sum(row["floor"] for row in rows)
    add("`published` sweep against the arithmetic floor", ours, floor, f"{ours / floor:.2f}x", "at most 1.5x")
    smallest = f"the {len(rows[:40])} smallest datasets together"
    lines.append(f"| {smallest} | {total(rows[:40], 'ours'):.2f} |  |  | at most 0.5 CPU-s |")
    if "ours_clean" in names:
        clean = total(rows, "ours_clean")
        add("`clean` sweep against `published`", clean, ours, f"{clean / ours:.1f}x", "under 8x")
    if "kernel_ridge" in names:
        grid, other = total(rows, "laplace_grid"), total(rows, "kernel_ridge")
        add("Laplace grid against scikit-learn's KernelRidge", grid, other, f"{other / grid:.1f}x less")
    if "xrfm_chains" not in names:
        return lines
    grid, other = total(rows, "our_grid"), total(rows, "xrfm_chains")
    add("whole grid against `xrfm` run per configuration", grid, other, f"{other / grid:.1f}x less", "2x less")
    gains = {row["dataset"]: row["xrfm_chains"]["cpu"] / row["our_grid"]["cpu"] for row in rows}
    below = [row["n"] for row in rows if gains[row["dataset"]] < 2]
    span = f" ({min(below)} to {max(below)} rows)" if below else ""
    worst = min(gains, key=gains.__getitem__)
    add(
        f"the same dataset by dataset: {len(below)} of {len(rows)} below 2x{span}",
        grid,
        other,
        f"worst {gains[worst]:.1f}x ({worst})",
    )
    large = [row for row in rows if row["n"] > 200]
    if large:
        chains = {row["dataset"]: slowest_chain(row) for row in large}
        slow = max(chains, key=chains.__getitem__)
        add(
            f"single chains over `xrfm`'s, {len(large)} datasets above 200 rows: slower on "
            f"{sum(ratio > 1 for ratio in chains.values())}",
            total(large, "our_chains"),
            total(large, "xrfm_chains"),
            f"slowest {chains[slow]:.2f}x ({slow})",
            "at most 1x",
        )
    return lines


def slowest_chain(row: Row) -> float:
    """The largest ratio of a chain of ours to the same one of xRFM."""
    return float(max(a / b for a, b in zip(row["our_chains"]["value"], row["xrfm_chains"]["value"], strict=True)))

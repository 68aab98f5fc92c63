"""Speed of RFM's grid on wide data: among coordinates of the rows' span against the direct way, in the same run.

    python benchmarks/wide.py [--shapes lung-cancer,molec-biol-promoter] [--out benchmarks/wide.md]

The grid is the paper's: five ridges, rows of unit norm or not, four M updates. Tables are drawn (normal features,
classes by the product of two of them), of the shapes that named tables' fitted and validation rows have. The direct way
is the same code with (d, d) metrics, the rule of :mod:`rfm.span` switched off; where d x d is too much for it, it is
left out. Each way works on one table in a process of its own with one BLAS thread, as in ``engine.py``. What is written
in the page between its notes markers is kept.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from engine import RIDGES, measure_short_ones_again
from engine_report import notes_of

from bench.data.registry import load_registry
from bench.records.dataset import Dataset
from bench.run.provenance import cpu_model
from rfm.sweep import Sweep

ITERATIONS = 4
DIRECT_FEATURES = 5_000
"""Of more features the direct way is left out."""


@dataclass(frozen=True)
class Shape:
    """``fitted`` and ``validation`` rows of ``features``, in ``classes``."""

    name: str
    fitted: int
    validation: int
    features: int
    classes: int


SHAPES = (
    Shape("lung-cancer, three quarters", 24, 8, 56, 3),
    Shape("molec-biol-promoter, halves", 53, 53, 57, 2),
    Shape("plant-margin, three quarters", 1200, 400, 64, 100),
    Shape("arrhythmia, three quarters", 339, 113, 262, 13),
    Shape("arrhythmia, halves", 226, 226, 262, 13),
    Shape("Bioresponse, of 1,500 rows", 1500, 500, 1776, 2),
    Shape("32 x 32 x 3 pixels", 550, 550, 3072, 2),
    Shape("96 x 96 x 3 pixels", 300, 300, 27648, 2),
)


def drawn(shape: Shape) -> Dataset:
    draws = np.random.default_rng(0)
    X = draws.standard_normal((shape.fitted + shape.validation, shape.features))
    y = np.digitize(X[:, 0] * X[:, 1], np.quantile(X[:, 0] * X[:, 1], np.arange(1, shape.classes) / shape.classes))
    return Dataset(shape.name, X, y, shape.classes, "drawn")


def grid(shape: Shape, *, direct: bool) -> Callable[[Dataset], Any]:
    """The validation accuracy at every point of the grid, by either way."""

    def contender(dataset: Dataset) -> tuple[float, ...]:
        rows = np.arange(len(dataset.y))
        fit, rest = rows[: shape.fitted], rows[shape.fitted :]
        sweep = Sweep(dataset.X, np.eye(shape.classes)[dataset.y])
        with mock.patch("rfm.sweep.is_wide", lambda n, d: not direct and d > n):
            points = sweep.points(fit, rest, ridges=RIDGES, unit_norms=(True, False), iterations=ITERATIONS)
            accuracy = {
                (p.unit_norm, p.ridge, p.iteration): float(np.mean(p.scores.argmax(1) == dataset.y[rest]))
                for p in points
            }
        return tuple(accuracy[key] for key in sorted(accuracy))

    return contender


def measured(shape: Shape) -> str:
    """The page's row of one shape."""
    dataset = drawn(shape)
    span = measure_short_ones_again(grid(shape, direct=False), dataset)
    figures = f"{span['cpu']:.2f} / {span['mb']:.0f}"
    heading = f"| {shape.name} | {shape.fitted} | {shape.features:,} | {shape.classes} |"
    if shape.features <= shape.fitted:
        return f"{heading} {figures} | the same code | 1 | 0 |"
    if shape.features > DIRECT_FEATURES:
        return f"{heading} {figures} | left out: one metric {8 * shape.features**2 / 1e9:.1f} GB | | |"
    direct = measure_short_ones_again(grid(shape, direct=True), dataset)
    apart = 100 * max(abs(a - b) for a, b in zip(span["value"], direct["value"], strict=True))
    ratio = direct["cpu"] / span["cpu"]
    return f"{heading} {figures} | {direct['cpu']:.2f} / {direct['mb']:.0f} | {ratio:.2g} | {apart:.2g} |"


def wide_tables() -> str:
    """Which tables of the registry have more features than rows that are fitted somewhere."""
    entries = sorted(load_registry().entries.values(), key=lambda entry: entry.rows / entry.features)
    shares = {"half of the rows (the tuning halves of `published`)": 0.5, "60 % (`clean`)": 0.6, "three quarters": 0.75}
    named = {
        share: [entry.name for entry in entries if entry.features > part * entry.rows] for share, part in shares.items()
    }
    return "; ".join(f"than {share}: {', '.join(names)}" for share, names in named.items())


def page(rows: list[str], previous: str = "") -> str:
    """The page in Markdown; the notes of the ``previous`` one are kept."""
    return "\n".join(
        [
            "# RFM on wide data: among coordinates of the rows' span, and directly",
            "",
            f"`python benchmarks/wide.py`: the paper's grid (50 points), one BLAS thread, {cpu_model()}, load average "
            f"{os.getloadavg()[0]:.1f}. CPU seconds / MB of memory at the peak above the start of the process; *gain* "
            "is the direct way's seconds over the span's, *apart* the largest difference in validation accuracy at one "
            "point of the grid, in percentage points.",
            "",
            "| shape of | fitted rows | features | classes | span | direct | gain | apart |",
            "|:---|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            f"Tables of the registry with more features {wide_tables()}. Everywhere else nothing has changed, to the "
            "last digit.",
            "",
            *notes_of(previous),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", help="beginnings of their names, separated by commas (default: all)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/wide.md"))
    args = parser.parse_args()
    beginnings = tuple(args.shapes.split(",")) if args.shapes else ("",)
    rows = []
    for shape in SHAPES:
        if shape.name.startswith(beginnings):
            rows.append(measured(shape))
            print(rows[-1], flush=True)
    args.out.write_text(page(rows, args.out.read_text() if args.out.exists() else ""))
    print(args.out)


if __name__ == "__main__":
    main()

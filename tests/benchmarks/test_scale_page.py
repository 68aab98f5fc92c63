"""The page of large tables: verdicts follow from the measurements, and what was not measured is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from scale_page import ahead, draw, exponent, render, solvers, targets

TITLES = {"rfm": "RFM, 4 updates", "laplace": "Laplace", "laplace-direct": "Laplace, Cholesky"}


def row(table: str, n: int, contender: str, **figures: Any) -> dict[str, Any]:
    filled = {"rows": n or 1000, "cpu": 1.0, "wall": 1.0, "peak_mb": 100.0, "accuracy": 90.0, "account": {}}
    return {"table": table, "n": n, "contender": contender, "status": "ok", **filled, **figures}


def curve(power: float) -> list[dict[str, Any]]:
    return [row("synthetic", n, "rfm", cpu=(n / 1000) ** power) for n in (1000, 4000, 16_000, 64_000)]


def test_the_exponent_is_the_slope_of_the_sizes_asked_for() -> None:
    bent = [*curve(2.0)[1:], row("synthetic", 1000, "rfm", cpu=50.0), row("synthetic", 0, "rfm", cpu=1e6)]
    assert exponent(bent, "synthetic", "rfm", 4000) == pytest.approx(2.0)
    assert exponent(bent, "synthetic", "rfm") < 1.5
    assert exponent(bent, "synthetic", "rfm", 5000) is None


def test_targets_are_held_missed_or_not_measured() -> None:
    assert [line.split(" | ")[1] for line in targets([])] == ["not measured"] * 5
    largest = row("synthetic", 130_064, "rfm", peak_mb=5000.0, cpu=130.064**2)
    memory, share, slope, _, _ = targets([*curve(2.0), largest, row("synthetic", 130_064, "rfm-before", cpu=40_000.0)])
    assert "130,064 rows: 4.9 GiB" in memory
    assert "missed by 1 of 1" in memory
    assert "16917 of 40000 s, 0.42 | missed by 1 of 1" in share
    assert "rfm on synthetic 2.00" in slope
    assert slope.endswith("| held |")
    assert targets(curve(2.5))[2].endswith("| missed by 1 of 1 |")


def test_accuracies_are_compared_where_both_solved_the_same_rows() -> None:
    def gradients(n: int) -> dict[str, Any]:
        account = {"solver": "cg", "iterations": 9, "rank": 500}
        return row("letter", n, "laplace", accuracy=95.5, rows=15_000, account=account)

    direct = {"solver": "cholesky"}
    pair = [row("letter", 0, "laplace-direct", accuracy=96.0, rows=15_000, account=direct), gradients(0)]
    assert "letter, 15,000 rows: -0.50 | missed by 1 of 1" in targets(pair)[4]
    assert "not measured" in targets([pair[0], gradients(16_000)])[4]
    before = row("letter", 0, "laplace-before", accuracy=95.55, rows=15_000, account=direct)
    assert "letter, 15,000 rows: -0.05 | held" in targets([before, gradients(0)])[4]
    iterated = {**before, "account": {"solver": "eigenpro"}}
    assert "not measured" in targets([iterated, gradients(0)])[4]
    shown = solvers(pair, TITLES)
    assert shown[2] == "| letter | 15,000 | Laplace, Cholesky | 1.0 | 0.1 | 96.00 |  |"
    assert shown[3] == "| letter | 15,000 | Laplace | 1.0 | 0.1 | 95.50 (-0.50) | 9 iterations |"


def test_where_rfm_is_behind_its_kernel_or_xrfm_is_said_at_the_most_rows_of_both() -> None:
    rows = [row("letter", n, name, accuracy=value) for n, name, value in (
        (1000, "rfm", 90.0), (1000, "laplace", 80.0), (4000, "rfm", 91.0), (4000, "laplace", 92.0), (1000, "xrfm", 89.0)
    )]  # fmt: skip
    kernel, _, other, _ = ahead(rows)[2:]
    assert "letter (4,000 rows: 91.00 against 92.00 %); 1 tables have both" in kernel
    assert "than xRFM on nowhere" in other
    assert ahead(rows[:1]) == []


def test_the_page_shows_measurements_failures_and_figures() -> None:
    failed = {"table": "adult", "n": 1000, "contender": "rfm", "status": "failed: no memory"}
    drawings = draw([*curve(2.0), failed], TITLES)
    assert sorted(drawings) == ["synthetic-memory.svg", "synthetic-time.svg"]
    assert all(text.startswith("<?xml") for text in drawings.values())
    page = render([*curve(2.0), failed], TITLES, [f"scale/{name}" for name in drawings])
    assert "![synthetic: CPU seconds](scale/synthetic-time.svg)" in page
    assert "- adult, 1,000 rows, rfm: failed: no memory" in page
    assert page.count("| RFM, 4 updates | 90.00 |") == 4

"""The page of large tables: verdicts follow from the measurements, and what was not measured is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from scale_page import draw, exponent, render, targets

TITLES = {"rfm": "RFM, 4 updates", "laplace": "Laplace", "laplace-eigenpro": "Laplace, EigenPro"}


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
    assert [line.split(" | ")[1] for line in targets([])] == ["not measured"] * 4
    memory, slope, *_ = targets([*curve(2.0), row("synthetic", 130_064, "rfm", peak_mb=9000.0, cpu=130.064**2)])
    assert "rfm 8.8 GiB" in memory
    assert "missed by 1 of 1" in memory
    assert "rfm on synthetic 2.00" in slope
    assert slope.endswith("| held |")
    assert targets(curve(2.5))[1].endswith("| missed by 1 of 1 |")


def test_accuracies_are_compared_at_full_size_only() -> None:
    pair = [row("letter", 0, "laplace", accuracy=96.0), row("letter", 0, "laplace-eigenpro", accuracy=95.5)]
    assert "laplace on letter -0.50 | missed by 1 of 1" in targets(pair)[2]
    apart = [pair[0], row("letter", 4000, "laplace-eigenpro", accuracy=96.0)]
    assert "not measured" in targets(apart)[2]


def test_time_is_judged_by_the_clock() -> None:
    [*_, line] = targets([row("connect-4", 0, "rfm-3", cpu=60.0, wall=1300.0)])
    assert "21.7 minutes" in line
    assert "missed by 1 of 1" in line


def test_the_page_shows_measurements_failures_and_figures() -> None:
    failed = {"table": "adult", "n": 1000, "contender": "rfm", "status": "failed: no memory"}
    drawings = draw([*curve(2.0), failed], TITLES)
    assert sorted(drawings) == ["synthetic-memory.svg", "synthetic-time.svg"]
    assert all(text.startswith("<?xml") for text in drawings.values())
    page = render([*curve(2.0), failed], TITLES, [f"scale/{name}" for name in drawings])
    assert "![synthetic: CPU seconds](scale/synthetic-time.svg)" in page
    assert "- adult, 1,000 rows, rfm: failed: no memory" in page
    assert page.count("| RFM, 4 updates | 90.00 |") == 4

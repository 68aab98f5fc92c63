"""The page of the GPU: what was measured stands there, what was not is said."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from gpu_page import PARTS, page

ABOUT = {"part": "machine", "gpu": "a card", "cuda": "12.8", "cuda_driver": "13.0", "cores": 4, "commit": "0" * 40}
WAITS = {"part": "syncs", "rows": 2000, "points": 5, "waits": 30, "seconds": 0.0512, "where": {"rows.py, f": 20}}


def test_without_a_gpu_the_page_says_so_and_how_to_measure() -> None:
    text = page([])
    assert "Not measured: no GPU at hand." in text
    assert "    python benchmarks/gpu.py\n" in text
    assert all(f"`{part}`" in text for part in PARTS)


def test_what_was_measured_and_what_was_not() -> None:
    ended = [{"part": "large", "ended": True, "reason": "stopped after 200 seconds"}]
    text = page([ABOUT, WAITS, *ended])
    assert "a card, CUDA 12.8, driver 13.0" in text
    assert "| 2,000 | 5 | 30 | 6 | 0.0512 | rows.py, f 20 |" in text
    assert "This part did not end: stopped after 200 seconds." in text
    assert text.count("Not measured.") == len(PARTS) - 1
    assert "trial" not in text
    assert "no figures of a GPU" in page([{**ABOUT, "trial": True}])


def test_all_parts_end_within_twelve_minutes() -> None:
    assert sum(PARTS.values()) <= 12 * 60

"""What the ansatz study computes, in full and in a small version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.study.ansatz.datasets import READS
from bench.study.cell import Cell, Study

KINDS = {"network": "bench.study.ansatz.compute:network", "rates": "bench.study.ansatz.compute:rates"}
DATASETS = tuple(READS)
STARTS = ("default", "third")
SEEDS = range(3)
RATES_SEED = 100
"""Of the networks that choose the learning rates: none of those that are examined."""

WIDTH, DEPTH, PAPER_WIDTH = 512, 3, 1024
SIZES = {"train": 1000, "held_out": 200, "test": 500}
EPOCHS, LIMIT = 300, 600
"""Epochs of every network, and of one that does not interpolate by then."""

RATES_EPOCHS = 60
PUBLISHED_RATE, ADAM_RATE = 0.1, 1e-4
RATES: dict[tuple[str, str], float] = {
    (data, start): PUBLISHED_RATE if data == "star" else 1.0 for data in DATASETS for start in STARTS
}
